//! The third stage: what keys mean together, and the settings.
//!
//! Each value was found to be of its kind before. What is wrong here is a combination: a port
//! without a use, a host twice, a deadline that cannot be met.

mod calendar;
mod database;
mod fleet;
mod process;
mod rehearse;

use std::collections::BTreeMap;

use friday_wire::{
    Clocks, FleetName, HealthSpec, HttpCheck, Limits, Rotation, StopSignal, Supervisor, UnitSpec,
};

use super::document::{Node, Table, Value, read_value};
use super::draft::Draft;
use super::duration::show_duration;
use super::problem::Fault;
use super::reference::find;
use super::settings::{
    Address, LoginSettings, MigrationSettings, OutsideSettings, SecretSource, Settings,
};
use super::value::Reading;
use crate::rollout::plan::{Hooks, MigrationBack};

/// Makes settings of a draft; `None` where one is impossible, with the reason among `faults`. They
/// hold only if `faults` is empty in the end.
pub(crate) fn settle(draft: &Draft, faults: &mut Vec<Fault>) -> Option<Settings> {
    let mut from = Settler { draft, faults };
    let name = from.needed("name", "name = \"shop\"");
    let path = from.needed("release.path", "path = \"dist\" under `[release]`");
    let rotation = from.rotation();
    let ports = from.ports(&rotation);
    let (hosts, keeper) = from.hosts(&ports, &rotation);
    let health = from.health(&ports);
    let outside = from.outside(&ports);
    let clocks = from.clocks();
    let migration = from.migration(&hosts);
    let progress_deadline_ms = from.ms("rollout.progress_deadline");
    from.deadlines(&health, &clocks, outside.is_some(), progress_deadline_ms);
    let (variables, secrets) = from.variables();
    let run = from.text("release.run");
    from.port_is_there_for(run.as_deref(), &ports);
    let unit = from.unit(&hosts);
    let processes = from.processes(&hosts, &health);
    let databases = from.databases(&hosts);
    let name = name?;
    let fleet = draft.env.as_ref().map_or_else(|| name.clone(), |env| format!("{name}-{env}"));
    Some(Settings {
        fleet: FleetName::new(fleet),
        env: draft.env.clone(),
        timezone: from.text("timezone"),
        build: from.text("release.build"),
        path: path?,
        run,
        processes,
        variables,
        secrets,
        secrets_rotate: from.flag("release.secrets_rotate"),
        shared: from.list("release.shared", |read, node| read.inside(node)),
        migration,
        health,
        unit,
        outside,
        calendar: from.calendar(&hosts, &databases),
        databases,
        hosts,
        keeper: keeper?,
        login: LoginSettings {
            ssh_config: from.text("hosts.ssh_config"),
            directory: from.text("hosts.directory"),
            key_exchange: from.value("hosts.key_exchange", |read, node| read.algorithms(node)),
            ciphers: from.value("hosts.ciphers", |read, node| read.algorithms(node)),
        },
        rotation,
        waves: from.list("rollout.waves", |read, node| read.waves(node)),
        soak_ms: from.list("rollout.soak", |read, node| read.durations(node)),
        bake_ms: from.ms("rollout.bake"),
        out_at_once_percent: from
            .value("rollout.out_at_once", |read, node| read.percent(node))
            .unwrap_or(100),
        clocks,
        progress_deadline_ms,
        stage_deadline_ms: from.ms("rollout.stage_deadline"),
        bandwidth: from.value("rollout.bandwidth", |read, node| read.bandwidth(node)),
        observe_ms: from.ms("rollout.observe"),
        keep: (from.count("rollout.keep.good"), from.count("rollout.keep.failed")),
        sign_key: from.text("release.sign.key"),
        hooks: Hooks {
            before: from.text("hooks.before"),
            after: from.text("hooks.after"),
            before_wave: from.text("hooks.before_wave"),
            after_wave: from.text("hooks.after_wave"),
            timeout_ms: from.ms("hooks.timeout"),
        },
    })
}

/// Reads a draft and tells what does not go together.
struct Settler<'a> {
    draft: &'a Draft,
    faults: &'a mut Vec<Fault>,
}

/// `port` or `ports`, before they are shared out.
enum PortChoice {
    None,
    One(u16),
    Range(u16, u16),
    /// Told already, or two at once: nothing that needs a port complains.
    Wrong,
}

impl Settler<'_> {
    /// A value, else its default, else nothing. A wrong one was told and counts as not there.
    fn value<T>(
        &mut self,
        path: &str,
        read: impl Fn(&Reading<'_>, &Node) -> Result<T, Fault>,
    ) -> Option<T> {
        let key = find(path)?;
        let reading = Reading { key: path, kind: &key.kind };
        let written = self.draft.entry(path).filter(|entry| entry.node.value != Value::Wrong);
        let result = match written {
            Some(entry) => read(&reading, &entry.node),
            None => read(&reading, &read_value(key.default?)?),
        };
        result.map_err(|fault| self.faults.push(fault)).ok()
    }

    fn list<T>(
        &mut self,
        path: &str,
        read: impl Fn(&Reading<'_>, &Node) -> Result<Vec<T>, Vec<Fault>>,
    ) -> Vec<T> {
        // A list was found right as a whole, or is marked as wrong: nothing is lost here.
        self.value(path, |reading, node| Ok(read(reading, node).unwrap_or_default()))
            .unwrap_or_default()
    }

    fn text(&mut self, path: &str) -> Option<String> {
        self.value(path, |read, node| read.text(node))
    }

    fn flag(&mut self, path: &str) -> bool {
        self.value(path, |read, node| read.flag(node)).unwrap_or(false)
    }

    fn ms(&mut self, path: &str) -> u64 {
        self.value(path, |read, node| read.duration(node)).unwrap_or(0)
    }

    fn count(&mut self, path: &str) -> u32 {
        self.value(path, |read, node| read.number(node)).unwrap_or(0)
    }

    fn status(&mut self, path: &str) -> Option<u16> {
        self.value(path, |read, node| read.number(node)).and_then(|status| status.try_into().ok())
    }

    fn fault(&mut self, path: &str, message: &str, hint: &str) {
        self.faults.push(Fault::at(self.draft.place(path), message).hint(hint));
    }

    /// A text that must be there.
    fn needed(&mut self, path: &str, write: &str) -> Option<String> {
        if !self.draft.has(path) && !self.draft.is_told(path) {
            self.fault(path, &format!("`{path}` is missing"), &format!("write {write}"));
        }
        self.text(path)
    }

    fn rotation(&mut self) -> Rotation {
        let page = self.value("rotation.page", |read, node| read.listen(node));
        let (into, out) = (self.text("rotation.into"), self.text("rotation.out"));
        let has = |path| self.draft.has(path);
        match (has("rotation.page"), has("rotation.into"), has("rotation.out")) {
            (true, false, false) | (false, false, false) => {}
            (false, true, true) => {}
            (true, true, _) | (true, _, true) => self.fault(
                "rotation.page",
                "a page and commands are two rotations",
                "keep `page`, or keep `into` and `out`",
            ),
            (false, true, false) => self.fault(
                "rotation.into",
                "`into` needs `out`: a host that comes into rotation must get out again",
                "write the command for `out` beside it",
            ),
            (false, false, true) => self.fault(
                "rotation.out",
                "`out` needs `into`: a host that goes out of rotation must get in again",
                "write the command for `into` beside it",
            ),
        }
        let timeout_ms = self.ms("rotation.timeout");
        match (page, into, out) {
            (Some(listen), ..) => Rotation::Page { listen: listen.to_string() },
            (None, Some(into), Some(out)) => Rotation::Commands { into, out, timeout_ms },
            (None, ..) => Rotation::None,
        }
    }

    fn ports(&mut self, rotation: &Rotation) -> PortChoice {
        let one = self
            .value("release.port", |read, node| read.number(node))
            .and_then(|port| u16::try_from(port).ok());
        let range = self.value("release.ports", |read, node| read.port_range(node));
        if self.draft.has("release.port") && self.draft.has("release.ports") {
            self.fault(
                "release.ports",
                "`port` and `ports` exclude each other",
                "keep `port` for one port that releases take in turn, or `ports` for one port each",
            );
            return PortChoice::Wrong;
        }
        let rotation_told = ["page", "into", "out"]
            .iter()
            .any(|key| self.draft.is_told(&format!("rotation.{key}")));
        if self.draft.has("release.ports") && !rotation.re_points() && !rotation_told {
            self.fault(
                "release.ports",
                "`ports` needs a rotation that can point traffic to another port",
                "write `into` and `out` under `[rotation]`, or one `port` that releases take in turn",
            );
        }
        match (one, range) {
            (Some(port), _) => PortChoice::One(port),
            (None, Some((first, last))) => PortChoice::Range(first, last),
            (None, None)
                if self.draft.is_told("release.port") || self.draft.is_told("release.ports") =>
            {
                PortChoice::Wrong
            }
            (None, None) => PortChoice::None,
        }
    }

    fn health(&mut self, ports: &PortChoice) -> HealthSpec {
        let no_port = matches!(ports, PortChoice::None);
        let hint = "write port = 8080 under `[release]`";
        let http = self.text("health.http");
        if http.is_some() && no_port {
            self.fault(
                "health.http",
                "`health.http` asks the release's port, and it has none",
                hint,
            );
        }
        let tcp = self.flag("health.tcp");
        if tcp && no_port {
            self.fault("health.tcp", "`health.tcp` asks the release's port, and it has none", hint);
        }
        let expect = self.status("health.expect");
        if self.draft.has("health.expect") && !self.draft.has("health.http") {
            self.fault(
                "health.expect",
                "`health.expect` is the status of a request that is not made",
                "write http = \"/healthz\" beside it, or leave it out",
            );
        }
        HealthSpec {
            http: http.map(|path| HttpCheck { path, expect }),
            tcp,
            command: self.text("health.command"),
            notify: self.flag("health.notify"),
            interval_first_ms: self.ms("health.interval"),
            interval_later_ms: self.ms("health.interval_after"),
            timeout_ms: self.ms("health.timeout"),
            passes: self.count("health.passes"),
            steady_ms: self.ms("health.steady"),
            failures: self.count("health.failures"),
        }
    }

    fn outside(&mut self, ports: &PortChoice) -> Option<OutsideSettings> {
        let expect = self.status("health.outside_expect");
        if self.draft.has("health.outside_expect") && !self.draft.has("health.outside") {
            self.fault(
                "health.outside_expect",
                "`health.outside_expect` is the status of a request that is not made",
                "write outside = \"http://{host}:{port}/healthz\" beside it, or leave it out",
            );
        }
        let url = self.text("health.outside")?;
        if url.contains("{port}") {
            match ports {
                PortChoice::None => self.fault(
                    "health.outside",
                    "`{port}` is the release's port, and it has none",
                    "write port = 8080 under `[release]`, or the port in the URL",
                ),
                PortChoice::Range(..) => self.fault(
                    "health.outside",
                    "`{port}` is another one for each release here",
                    "write the port at which traffic arrives",
                ),
                PortChoice::One(_) | PortChoice::Wrong => {}
            }
        }
        Some(OutsideSettings { url, expect })
    }

    fn clocks(&mut self) -> Clocks {
        Clocks {
            settle_ms: self.ms("rollout.settle"),
            drain_ms: self.ms("rollout.drain"),
            stop_ms: self.ms("rollout.stop"),
            health_deadline_ms: self.ms("health.deadline"),
            confirm_ms: self.ms("rollout.confirm"),
        }
    }

    /// Deadlines that could never be met: every push would fail, or hold.
    fn deadlines(&mut self, health: &HealthSpec, clocks: &Clocks, outside: bool, progress: u64) {
        // What proving health takes when every probe passes at once.
        let later = u64::from(health.passes.saturating_sub(1));
        let proof = health.steady_ms.max(later.saturating_mul(health.interval_later_ms));
        let shown = show_duration;
        if clocks.health_deadline_ms <= proof {
            let message =
                format!("no release can be healthy in time: proving it takes {}", shown(proof));
            let hint = "a longer `deadline`, or less `steady` or fewer `passes`";
            self.fault("health.deadline", &message, hint);
        }
        if outside && clocks.confirm_ms <= proof {
            let message = format!(
                "no switch can be confirmed in time: the outside probe takes {} to pass",
                shown(proof)
            );
            let hint = "a longer `confirm`, or less `steady` or fewer `passes` under `[health]`";
            self.fault("rollout.confirm", &message, hint);
        }
        let switch = clocks.first_deadline_ms().saturating_add(clocks.confirm_ms);
        if progress <= switch {
            let message = format!("a switch may take {} in which nothing moves", shown(switch));
            let hint = format!("write progress_deadline = \"{}\" or more", shown(switch + 60_000));
            self.fault("rollout.progress_deadline", &message, &hint);
        }
    }

    fn variables(&mut self) -> (BTreeMap<String, String>, BTreeMap<String, SecretSource>) {
        let draft = self.draft;
        let names = |section: &str| -> Vec<String> {
            let table = draft.section(section).map(|Table { entries }| entries.as_slice());
            table.unwrap_or_default().iter().map(|entry| entry.key.clone()).collect()
        };
        let mut variables = BTreeMap::new();
        for name in names("release.env") {
            let value =
                self.value(&format!("release.env.{name}"), |read, node| read.variable(node));
            variables.extend(value.map(|value| (name, value)));
        }
        let mut secrets = BTreeMap::new();
        for name in names("release.secrets") {
            let path = format!("release.secrets.{name}");
            if draft.has(&format!("release.env.{name}")) {
                let message = format!("`{name}` is both a variable and a secret");
                self.fault(
                    &path,
                    &message,
                    "keep it in `secrets`, or in `env` if everybody may see it",
                );
            }
            let source = self.value(&path, |read, node| read.secret(node));
            secrets.extend(source.map(|source| (name, source)));
        }
        (variables, secrets)
    }

    fn port_is_there_for(&mut self, run: Option<&str>, ports: &PortChoice) {
        let asks = |run: &str| {
            run.contains("${PORT}")
                || run
                    .split("$PORT")
                    .skip(1)
                    .any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        };
        if matches!(ports, PortChoice::None) && run.is_some_and(asks) {
            self.fault(
                "release.run",
                "`run` asks for `$PORT`, and the release has none",
                "write port = 8080 under `[release]`",
            );
        }
    }

    fn unit(&mut self, hosts: &[super::HostSettings]) -> UnitSpec {
        let supervisor = self
            .value("hosts.supervisor", |read, node| read.choice(node))
            .and_then(|word| Supervisor::from_word(&word))
            .unwrap_or_default();
        let limits = Limits {
            memory: self.value("limits.memory", |read, node| read.size(node)),
            cpu_percent: self.value("limits.cpu", |read, node| read.processors(node)),
            tasks: self.value("limits.tasks", |read, node| read.number(node)),
            files: self.value("limits.files", |read, node| read.number(node)),
        };
        let is_local = |host: &super::HostSettings| matches!(host.address, Address::Local { .. });
        if supervisor != Supervisor::Own && hosts.iter().any(is_local) {
            self.fault(
                "hosts.supervisor",
                "local hosts play servers in a directory, and have no systemd of their own",
                "leave `supervisor` out here; an environment with SSH hosts can have it",
            );
        }
        for key in ["memory", "cpu", "tasks"] {
            let path = format!("limits.{key}");
            if supervisor == Supervisor::Own && self.draft.has(&path) {
                self.fault(
                    &path,
                    &format!("`{key}` is a limit that only systemd can hold"),
                    "write supervisor = \"user-units\" or \"system-units\" under `[hosts]`, or leave it out",
                );
            }
        }
        let stop_signal = self
            .value("release.stop_signal", |read, node| read.choice(node))
            .and_then(|word| StopSignal::from_word(&word))
            .unwrap_or_default();
        UnitSpec { supervisor, limits, stop_signal }
    }

    fn migration(&mut self, hosts: &[super::HostSettings]) -> Option<MigrationSettings> {
        let command = self.text("release.migrate");
        for key in ["migrate_back", "migrate_host", "migrate_stop_all", "migrate_timeout"] {
            let path = format!("release.{key}");
            if self.draft.has(&path) && !self.draft.has("release.migrate") {
                let message = format!("`{key}` is about a migration that is not there");
                self.fault(&path, &message, "write migrate = \"…\" beside it, or leave it out");
            }
        }
        let named = self.text("release.migrate_host");
        let host = self.one_of(hosts, named.as_deref(), "release.migrate_host");
        Some(MigrationSettings {
            command: command?,
            back: self
                .value("release.migrate_back", |read, node| read.migrate_back(node))
                .unwrap_or(MigrationBack::OneWay),
            back_undeclared: !self.draft.has("release.migrate_back"),
            host: host?,
            stop_all: self.flag("release.migrate_stop_all"),
            timeout_ms: self.ms("release.migrate_timeout"),
        })
    }
}
