//! Every key of a configuration, once: the parser takes kinds, defaults and suggestions from this
//! table, and the reference for people is written from it.
//!
//! Long because it is one table: a key, its kind, its default and its sentence stand together. Those of
//! guarded databases are in `database`, those of calendars and rotas in `calendar`.

mod calendar;
mod database;

use std::fmt::Write as _;

use super::value::Kind;

/// A part of the configuration.
#[derive(Debug)]
pub struct Section {
    /// Its path; empty for the top of the file.
    pub path: &'static str,
    /// A sentence or two.
    pub meaning: &'static str,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its path, `release.run`; a last part of `*` stands for any name.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds without it, as TOML; `None`: nothing, or it must be set.
    pub default: Option<&'static str>,
    /// One sentence.
    pub meaning: &'static str,
    /// A value, as TOML.
    pub example: &'static str,
}

/// Sections in the order in which people read them.
pub const SECTIONS: [Section; 25] = [
    Section { path: "", meaning: "At the top of the file." },
    Section { path: "release", meaning: "What is shipped and how it runs." },
    Section { path: "release.sign", meaning: "Signatures, where servers want them." },
    Section {
        path: "health",
        meaning: "How a release proves that it works. With no check at all, running without an exit for `steady` is all that is asked.",
    },
    Section {
        path: "limits",
        meaning: "What all processes of the application may use on a host. All but `files` need systemd: `supervisor` under `[hosts]`.",
    },
    Section {
        path: "hosts",
        meaning: "The fleet: each key that is not listed here is a role with its hosts. A host is written `user@host`, `user@host:port`, or `local:NAME`; `[01-20]` in a name is a range, and there may be several.",
    },
    Section {
        path: "process",
        meaning: "Further processes of the release. A host runs those that name its role, side by side, beside `run` of `[release]` where that runs too. All of them must be healthy for the host to be; none runs beside another of its name, also not during a switch.",
    },
    Section {
        path: "rotation",
        meaning: "How a host takes the application out of traffic and into it again: not at all, with a page that balancers ask, or with a pair of commands. Only commands can point traffic to another port.",
    },
    Section {
        path: "rollout",
        meaning: "How a release reaches the fleet. Without this section the defaults hold.",
    },
    Section {
        path: "rollout.keep",
        meaning: "What hosts keep. The stable and the current release are never pruned.",
    },
    Section {
        path: "hooks",
        meaning: "Commands run where friday runs, with `FRIDAY_RELEASE`, `FRIDAY_LABEL` and `FRIDAY_ROLLOUT`. A push that is resumed runs them again.",
    },
    Section {
        path: "database",
        meaning: "A database that a push guards; there may be several. Before anything is switched, each gets a restore point, and a push is refused where no drill proved lately that it can be restored. An environment without databases of its own has those of the file, and refuses one that stands on none of its hosts; `database = []` is none.",
    },
    Section {
        path: "database.postgres",
        meaning: "A server of PostgreSQL, in the place of `sqlite`.",
    },
    Section { path: "database.backups", meaning: "Where backups are, and how many." },
    Section {
        path: "database.backups.s3",
        meaning: "A bucket of a store that speaks S3, in the place of a directory. The database's host must reach it.",
    },
    Section {
        path: "database.drill",
        meaning: "A drill restores the newest backup beside the database and checks it.",
    },
    Section {
        path: "database.rehearse",
        meaning: "A rehearsal tries a push on a copy of the database before it is done: the migration, the new release, and the old one on what the new one left. With this, a push that migrates is refused until its own rehearsal ended well. One database of a configuration can have it.",
    },
    Section {
        path: "database.invariant",
        meaning: "What must hold in the database. Without `between` and `change` the statement must give no rows.",
    },
    Section {
        path: "rota",
        meaning: "Who is there to act; there may be several. A push is judged by whether somebody can take it off while it can do harm: `friday cover` shows the weeks, `friday check` answers. Without a rota nothing is judged.",
    },
    Section { path: "rota.override", meaning: "Somebody takes somebody else's place for a while." },
    Section {
        path: "absence",
        meaning: "Somebody is away. Where nobody takes their place, the rota has a gap from today on.",
    },
    Section {
        path: "holiday",
        meaning: "A day on which nobody is at work. It has no zone: it is that day for each rota. Who is on call stays on call.",
    },
    Section {
        path: "freeze",
        meaning: "A time in which nothing is pushed. It bars pushes that would reach into it, and holds a running one before its next wave; never a rollback.",
    },
    Section {
        path: "maintenance",
        meaning: "Planned work on what the service stands on. A push is judged against it until a day after its bake: what breaks then could not be told from the push.",
    },
    Section { path: "check", meaning: "What `friday check` and `friday push` ask of the hour." },
];

/// The sections that stand once for each of something: `[[database]]`.
const REPEATED: [&str; 8] = [
    "database",
    "database.invariant",
    "rota",
    "rota.override",
    "absence",
    "holiday",
    "freeze",
    "maintenance",
];

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { path, kind, default, meaning, example }
}

/// Every key, in the order in which people read them.
pub fn keys() -> impl Iterator<Item = &'static Key> + Clone {
    KEYS.iter().chain(database::KEYS).chain(calendar::KEYS)
}

/// Every key but those of guarded databases and of calendars.
static KEYS: &[Key] = &[
    key(
        "name",
        Kind::Name,
        None,
        "\"shop\"",
        "The fleet's name, which hosts know it by. Needed. With an environment the fleet is `name-environment`.",
    ),
    key(
        "timezone",
        Kind::Text,
        None,
        "\"Europe/Berlin\"",
        "The team's time zone, by its name in the zone database. Jobs, rotas, freezes and windows that name none of their own go by it.",
    ),
    key(
        "release.build",
        Kind::Command,
        None,
        "\"make dist\"",
        "Run by a push before anything else, where friday runs.",
    ),
    key(
        "release.path",
        Kind::Path,
        None,
        "\"dist\"",
        "What is shipped: a file, a directory or a tar archive, relative to this file. Needed.",
    ),
    key(
        "release.run",
        Kind::Command,
        None,
        "\"bin/shop --listen 127.0.0.1:$PORT\"",
        "Starts the application, in the release's directory. Without it a release is files only.",
    ),
    key(
        "release.roles",
        Kind::Roles,
        None,
        "[\"web\"]",
        "The roles whose hosts `run` runs on; those hosts are the ones that take traffic. Without it: every role that no `[process.NAME]` names.",
    ),
    key(
        "release.port",
        Kind::Port,
        None,
        "8080",
        "The port that releases take in turn, given to them as `PORT`. The second local host has the next port, and so on.",
    ),
    key(
        "release.ports",
        Kind::PortRange,
        None,
        "\"8100-8199\"",
        "One port per release from this range instead, so that two run side by side. Needs a rotation with commands. Local hosts share the range out.",
    ),
    key("release.env.*", Kind::Variable, None, "\"info\"", "A variable of the application."),
    key(
        "release.secrets.*",
        Kind::Secret,
        None,
        "{ command = \"pass show shop/db\" }",
        "A variable whose value is read at each push from friday's environment (`env`), a file (`file`) or a command's output (`command`), and kept out of arguments, journal and logs.",
    ),
    key(
        "release.secrets_rotate",
        Kind::Flag,
        Some("false"),
        "true",
        "A change of secrets is a rotation: the new ones stay when the release goes back.",
    ),
    key(
        "release.shared",
        Kind::Inside,
        Some("[]"),
        "[\"uploads\"]",
        "Paths in the release that are directories of the host and outlive releases.",
    ),
    key(
        "release.stop_signal",
        Kind::Choice(&["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH"]),
        Some("\"TERM\""),
        "\"INT\"",
        "The signal that asks the application to end; SIGKILL follows after `stop` in `[rollout]`.",
    ),
    key(
        "release.sign.key",
        Kind::Path,
        None,
        "\"~/.ssh/id_ed25519\"",
        "The SSH key that a push signs the release with, through `ssh-keygen`; relative to this file, or to your home with `~/`. Servers with a list of allowed signers take nothing else.",
    ),
    key(
        "release.migrate",
        Kind::Command,
        None,
        "\"bin/shop migrate\"",
        "The migration: run once, on one host, in the new release's directory, before the first wave.",
    ),
    key(
        "release.migrate_back",
        Kind::MigrateBack,
        Some("\"one-way\""),
        "\"safe\"",
        "What is true after a migration: the old release works with the new data (`\"safe\"`), a command of the new release makes it so (`{ command = \"…\" }`), or neither (`\"one-way\"`: friday then never goes back by itself).",
    ),
    key(
        "release.migrate_host",
        Kind::Text,
        None,
        "\"web-01.example.com\"",
        "The host that runs the migration; the first one unless set.",
    ),
    key(
        "release.migrate_stop_all",
        Kind::Flag,
        Some("false"),
        "true",
        "Every host is stopped before the migration: the old release cannot even run beside it.",
    ),
    key(
        "release.migrate_timeout",
        Kind::Duration(1_000),
        Some("\"10m\""),
        "\"30m\"",
        "A migration that takes longer is killed and has failed.",
    ),
    key(
        "health.http",
        Kind::HttpPath,
        None,
        "\"/healthz\"",
        "Asked on each host, on the release's port.",
    ),
    key("health.expect", Kind::Status, None, "200", "The status that passes; any 2xx unless set."),
    key(
        "health.tcp",
        Kind::Flag,
        Some("false"),
        "true",
        "A connection to the release's port must succeed.",
    ),
    key(
        "health.command",
        Kind::Command,
        None,
        "\"bin/shop check\"",
        "Run on each host; must exit with 0.",
    ),
    key(
        "health.notify",
        Kind::Flag,
        Some("false"),
        "true",
        "The application says `READY=1` by `sd_notify` once it has started; until then it is not healthy.",
    ),
    key(
        "health.interval",
        Kind::Duration(10),
        Some("\"1s\""),
        "\"1s\"",
        "Between probes until the first one passes.",
    ),
    key(
        "health.interval_after",
        Kind::Duration(10),
        Some("\"5s\""),
        "\"5s\"",
        "Between probes after it.",
    ),
    key(
        "health.timeout",
        Kind::Duration(10),
        Some("\"5s\""),
        "\"5s\"",
        "A probe that takes longer has failed.",
    ),
    key(
        "health.passes",
        Kind::Count(1..=1_000),
        Some("3"),
        "3",
        "Passes in a row that make a release healthy.",
    ),
    key(
        "health.steady",
        Kind::Duration(0),
        Some("\"10s\""),
        "\"10s\"",
        "And this long without a failure.",
    ),
    key(
        "health.failures",
        Kind::Count(1..=1_000),
        Some("3"),
        "3",
        "Failures in a row that make a healthy release sick.",
    ),
    key(
        "health.deadline",
        Kind::Duration(1_000),
        Some("\"5m\""),
        "\"5m\"",
        "A release that is not healthy so long after its start has failed.",
    ),
    key(
        "health.outside",
        Kind::Url,
        None,
        "\"http://{host}:{port}/healthz\"",
        "A URL that friday asks for each host from where it runs, through soak and bake. `{host}` is the host's address (`127.0.0.1` for local ones), `{port}` the release's port.",
    ),
    key(
        "health.outside_expect",
        Kind::Status,
        None,
        "200",
        "The status that passes there; any 2xx unless set.",
    ),
    key(
        "limits.memory",
        Kind::Size,
        None,
        "\"512MiB\"",
        "Memory; the kernel ends what takes more.",
    ),
    key(
        "limits.cpu",
        Kind::Processors,
        None,
        "\"150%\"",
        "Processor time: `\"100%\"` is one processor.",
    ),
    key("limits.tasks", Kind::Count(1..=4_000_000), None, "512", "Processes and threads."),
    key(
        "limits.files",
        Kind::Count(16..=1_048_576),
        None,
        "65536",
        "Open files of each process. Works without systemd, up to what the server allows.",
    ),
    key(
        "hosts.*",
        Kind::Hosts,
        None,
        "[\"deploy@web-[01-20].example.com\"]",
        "A role and its hosts, each host once in the whole configuration.",
    ),
    key(
        "hosts.user",
        Kind::Text,
        None,
        "\"deploy\"",
        "The login of SSH hosts that name none. Two people with two logins would keep two states on one host, so it is fixed here.",
    ),
    key(
        "hosts.keeper",
        Kind::Text,
        None,
        "\"web-01.example.com\"",
        "The host that keeps the lease; the first one unless set. A fleet that exists changes it with `friday hosts keeper HOST`.",
    ),
    key(
        "hosts.supervisor",
        Kind::Choice(&["own", "user-units", "system-units"]),
        Some("\"own\""),
        "\"user-units\"",
        "Who runs the application on SSH hosts: friday-host itself (`own`), the login's systemd (`user-units`, needs lingering), or the machine's systemd (`system-units`, needs two files that a person installs once). `friday doctor` prints what is missing. A change takes effect with the next push.",
    ),
    key(
        "hosts.ssh_config",
        Kind::Path,
        None,
        "\"ssh_config\"",
        "A file for `ssh -F` instead of your own, relative to this file.",
    ),
    key(
        "hosts.directory",
        Kind::Path,
        None,
        "\"/srv/friday\"",
        "friday-host's directory on SSH hosts, relative to the login's home.",
    ),
    key(
        "hosts.key_exchange",
        Kind::Text,
        None,
        "\"curve25519-sha256\"",
        "The key exchange of SSH connections, as `KexAlgorithms` of ssh_config takes it; ssh's own choice unless set. The default of OpenSSH 9 resists quantum computers and costs some five times the processor time of `curve25519-sha256`.",
    ),
    key(
        "hosts.ciphers",
        Kind::Text,
        None,
        "\"^aes128-gcm@openssh.com\"",
        "The ciphers of SSH connections, as `Ciphers` of ssh_config takes them; ssh's own choice unless set.",
    ),
    key(
        "process.*",
        Kind::Process,
        None,
        "{ run = \"bin/shop work\", roles = [\"jobs\"], once = true }",
        "A process: `run`, its command; `roles`, a list of roles; `once = true`, on one host of those roles and never on two at the same time, by default on each; `port`, given to it as `PORT`; `env`, laid over the release's; `health`, a table with `http`, `expect`, `tcp`, `command` and `steady`: without a check it must run without an exit for `steady`. With `at` it is a job, which runs at certain times instead of always: `at`, minute, hour, day, month and day of the week as in a crontab, `\"15 3 * * MON-FRI\"`, with lists, ranges, steps of `*` or of a range, the names of months and days, and `L` for the last day of the month; `timezone`, the zone that this is meant in, by default the file's, else UTC; `deadline`, how long a run may take before it is ended, an hour unless set, a week at most. A job has no `health` and no `port`. Mostly written as a table of its own, `[process.NAME]`.",
    ),
    key(
        "rotation.page",
        Kind::Listen,
        None,
        "\"0.0.0.0:9090\"",
        "friday-host answers here for balancers: 200 in rotation, 503 out of it.",
    ),
    key(
        "rotation.into",
        Kind::Command,
        None,
        "\"lb add $FRIDAY_HOST:$FRIDAY_PORT\"",
        "Takes the application into rotation, run on the host with `FRIDAY_PORT`, `FRIDAY_RELEASE` and `FRIDAY_HOST`. Goes with `out`.",
    ),
    key("rotation.out", Kind::Command, None, "\"lb remove $FRIDAY_HOST\"", "Takes it out."),
    key(
        "rotation.timeout",
        Kind::Duration(100),
        Some("\"30s\""),
        "\"30s\"",
        "A command that takes longer has failed.",
    ),
    key(
        "rollout.waves",
        Kind::Waves,
        Some("[\"1\", \"10%\", \"33%\", \"100%\"]"),
        "[\"1\", \"10%\", \"33%\", \"100%\"]",
        "How many hosts have the release after each wave, in all: numbers, or percentages rounded up. A last wave of the rest is always added; the keeper is not in the first.",
    ),
    key(
        "rollout.soak",
        Kind::Durations,
        Some("[\"5m\", \"10m\", \"10m\"]"),
        "\"5m\"",
        "How long each wave is watched before the next one; one duration, or a list of which the last holds on.",
    ),
    key(
        "rollout.bake",
        Kind::Duration(0),
        Some("\"60m\""),
        "\"60m\"",
        "How long the whole fleet is watched after the last wave; then the release is stable.",
    ),
    key(
        "rollout.out_at_once",
        Kind::Percent,
        Some("\"25%\""),
        "\"25%\"",
        "Hosts out of rotation at once, of those that serve; always at least one.",
    ),
    key(
        "rollout.settle",
        Kind::Duration(0),
        Some("\"5s\""),
        "\"5s\"",
        "After leaving rotation, until balancers have noticed.",
    ),
    key(
        "rollout.drain",
        Kind::Duration(0),
        Some("\"30s\""),
        "\"30s\"",
        "Then, for requests in flight.",
    ),
    key("rollout.stop", Kind::Duration(0), Some("\"10s\""), "\"10s\"", "From SIGTERM to SIGKILL."),
    key(
        "rollout.confirm",
        Kind::Duration(1_000),
        Some("\"30s\""),
        "\"30s\"",
        "A host in rotation that nobody confirms in this time undoes its switch alone.",
    ),
    key(
        "rollout.progress_deadline",
        Kind::Duration(10_000),
        Some("\"10m\""),
        "\"10m\"",
        "A rollout in which nothing moves for so long holds and calls a person.",
    ),
    key(
        "rollout.stage_deadline",
        Kind::Duration(10_000),
        Some("\"10m\""),
        "\"30m\"",
        "How long it may take to bring a release to one host.",
    ),
    key(
        "rollout.bandwidth",
        Kind::Bandwidth,
        None,
        "\"10MB/s\"",
        "What friday sends to all hosts together, at most. Without it, as fast as it goes.",
    ),
    key(
        "rollout.observe",
        Kind::Duration(100),
        Some("\"5s\""),
        "\"5s\"",
        "Between observations of a host in soak and bake.",
    ),
    key(
        "rollout.keep.good",
        Kind::Count(1..=1_000),
        Some("5"),
        "5",
        "Releases kept that were stable.",
    ),
    key(
        "rollout.keep.failed",
        Kind::Count(0..=1_000),
        Some("3"),
        "3",
        "Releases kept that were taken off, for a look at what was wrong.",
    ),
    key(
        "hooks.before",
        Kind::Command,
        None,
        "\"./announce begin\"",
        "After staging, before the migration and the first wave. A failure ends the push.",
    ),
    key(
        "hooks.after",
        Kind::Command,
        None,
        "\"./announce end\"",
        "After the bake. A failure is told; the release stays.",
    ),
    key(
        "hooks.before_wave",
        Kind::Command,
        None,
        "\"./balancer drain $FRIDAY_HOSTS\"",
        "Before each wave, with its number in `FRIDAY_WAVE` and its hosts in `FRIDAY_HOSTS`, separated by spaces. A failure ends the push, and takes it back where a host was switched.",
    ),
    key(
        "hooks.after_wave",
        Kind::Command,
        None,
        "\"./smoke-test $FRIDAY_HOSTS\"",
        "After each wave's hosts are switched and before its soak, as `before_wave`. A failure takes the push back.",
    ),
    key(
        "hooks.timeout",
        Kind::Duration(100),
        Some("\"5m\""),
        "\"5m\"",
        "A hook that takes longer is killed and has failed.",
    ),
];

/// What later versions will have, and a word on it.
pub const LATER: [(&str, &str); 4] = [
    ("director", "a proxy before the application that gives a new release a share of the requests"),
    ("tests", "a gate on the team's tests"),
    ("notify", "telling people before, during and after"),
    ("service", "several services in one file"),
];

/// The key at a path; a free name is found through its `*`.
pub fn find(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path).or_else(|| {
        let (section, _) = path.rsplit_once('.')?;
        keys().find(|key| key.path.strip_suffix(".*") == Some(section))
    })
}

/// Whether a path is that of a table whose entries are keys.
pub fn is_section(path: &str) -> bool {
    keys().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// Whether a section stands once for each of something.
pub fn is_repeated(path: &str) -> bool {
    REPEATED.contains(&path)
}

/// A section's heading: `[release]`, `[[database]]`.
pub fn heading(path: &str) -> String {
    if is_repeated(path) { format!("[[{path}]]") } else { format!("[{path}]") }
}

/// The names that may stand in a section: keys and further sections, without free names.
pub fn names_in(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in keys() {
        let rest = match section {
            "" => Some(key.path),
            _ => key.path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')),
        };
        if let Some(name) = rest.and_then(|rest| rest.split('.').next())
            && name != "*"
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// The reference for people: `docs/reference/configuration.md`.
pub fn reference_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in &SECTIONS {
        let title = match section.path {
            "" => "The top".to_owned(),
            path => format!("`{}`", heading(path)),
        };
        // Writing to a string cannot fail, here and below.
        let _ = write!(page, "\n## {title}\n\n{}\n", section.meaning);
        for key in keys().filter(|key| section_of(key.path) == section.path) {
            let _ = write!(page, "\n{}", entry(key));
        }
    }
    page.push_str("\n## Not in this version yet\n\n");
    for (name, meaning) in LATER {
        let _ = writeln!(page, "- `{name}`: {meaning}.");
    }
    page
}

/// The section whose heading a key stands under.
fn section_of(path: &str) -> &str {
    let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
    match parent {
        "release.env" | "release.secrets" => "release",
        "database.rehearse.env" => "database.rehearse",
        parent => parent,
    }
}

fn entry(key: &Key) -> String {
    let name = match section_of(key.path) {
        "" => key.path,
        section => key.path[section.len() + 1..].trim_start_matches('.'),
    };
    let name = name.replace('*', "NAME");
    let default = key.default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
    format!(
        "### `{name}`\n\n{}\n\n- Takes {}. Default: {default}.\n- Example: `{name} = {}`\n",
        key.meaning,
        key.kind.expected(),
        key.example
    )
}

const INTRODUCTION: &str = r#"# `friday.toml`

<!-- Generated from crates/friday-core/src/config/reference.rs; a test fails when this page is stale.
     `cargo xtask docs` writes it. -->

One file describes one service. Every key is listed here; an unknown one is an error. Paths are
relative to the file. A duration is written with `d`, `h`, `m`, `s` and `ms`, large units first:
`"5m"`, `"90s"`, `"1h30m"`, `"250ms"`.

## `[env.NAME]`

What is different in an environment, chosen with `--env NAME`. An environment's tables have the same
keys as the file itself and are laid over it key by key; every other value replaces the base's
value, a list as a whole. `[env.NAME.hosts]` is never merged: an environment has hosts of its own,
so that a push to `staging` cannot reach a server that only `production` should have. The fleet's
name is `name-NAME`.

```toml
name = "shop"

[release]
path = "dist"
run = "bin/shop"
port = 8080

[hosts]
web = ["deploy@web-[01-20].example.com"]

[env.staging.hosts]
web = ["deploy@staging.example.com"]

[env.staging.rollout]
soak = "10s"
bake = "1m"
```
"#;

#[cfg(test)]
mod tests;
