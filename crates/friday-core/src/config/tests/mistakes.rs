//! A table of bad configurations: exactly what is said about each.

use super::{FULL, SMALL, drawn};
use crate::config::parse;

/// What is written, what stands there instead, and what is said about it.
type Rows = &'static [(&'static str, &'static str, &'static [&'static str])];

fn problems(text: &str) -> Vec<String> {
    match parse("friday.toml", text, None) {
        Ok(_) => Vec::new(),
        Err(problems) => drawn(text, &problems),
    }
}

/// Each change of [`SMALL`] (or of [`FULL`] where the text is only there) gives these problems.
fn table(rows: Rows) {
    for (from, to, wanted) in rows {
        let base = if SMALL.contains(from) { SMALL } else { FULL };
        assert!(base.contains(from), "{from} is in neither");
        let text = base.replacen(from, to, 1);
        assert_eq!(problems(&text), *wanted, "\n{text}");
    }
}

#[test]
fn an_empty_file_is_told_what_it_needs() {
    assert_eq!(
        problems(""),
        [
            "1:1 `name` is missing |  | write name = \"shop\"",
            "1:1 `release.path` is missing |  | write path = \"dist\" under `[release]`",
            "1:1 there are no hosts |  | write web = [\"deploy@web-1.example.com\"] under `[hosts]`, or [\"local:[1-3]\"] to try it here",
        ]
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = "nme = \"shop\"\n[release]\npth = \"dist\"\nrun = \"\"\n[hosts]\nweb = [\"-x\", \"a b\"]\n[rollout]\nsoak = \"5 min\"\nwave = [\"1\"]\n";
    assert_eq!(
        problems(text),
        [
            "1:1 there is no key `nme` at the top of the file | unknown key | did you mean `name`?",
            "3:1 there is no key `pth` in `[release]` | unknown key | did you mean `path`?",
            "4:7 `release.run`: it is empty |  | name a command, or leave the key out",
            "6:8 `-x` names no host: a host or user does not begin with a dash |  | write `user@host`, `user@host:port`, an alias of your ssh_config, or `local:1`",
            "6:14 `a b` names no host: ` ` is in no name of a host |  | write `user@host`, `user@host:port`, an alias of your ssh_config, or `local:1`",
            "8:8 `rollout.soak` is no duration: `min` is not a unit |  | write \"5m\"",
            "9:1 there is no key `wave` in `[rollout]` | unknown key | did you mean `waves`?",
        ]
    );
}

#[test]
fn syntax_errors_are_told_with_what_else_is_wrong() {
    let rows: &[(&str, &[&str])] = &[
        (
            "name = shop\n[release]\npaht = \"dist\"\n",
            &[
                "1:8 this is not TOML: string values must be quoted, expected literal string |  | write \"shop\"",
                "3:1 there is no key `paht` in `[release]` | unknown key | did you mean `path`?",
            ],
        ),
        (
            "name = \"a\"\nname = \"b\"\n",
            &["2:1 this is not TOML: duplicate key | stands twice | keep one of the two"],
        ),
        ("[release\n", &["1:9 this is not TOML: unclosed table, expected `]` |  | "]),
        (
            "name = \"shop\n[hosts]\n",
            &["1:13 this is not TOML: invalid basic string, expected `\"` |  | "],
        ),
        (
            "name = 'a'\n[hosts]\n[hosts]\n",
            &["3:2 this is not TOML: duplicate key | stands twice | keep one of the two"],
        ),
        (
            "x = 1 2\n",
            &[
                "1:1 there is no key `x` at the top of the file | unknown key | known here: name, timezone, release, health, limits, hosts, process, rotation, rollout, hooks, database, rota, absence, holiday, freeze, maintenance, check",
                "1:5 this is not TOML: string values must be quoted, expected literal string |  | write \"1 2\"",
            ],
        ),
    ];
    for (text, wanted) in rows {
        assert_eq!(problems(text), *wanted, "\n{text}");
    }
}

#[test]
fn names_and_unknown_keys() {
    table(NAMES);
}

const NAMES: Rows = &[
    (
        "\"shop\"",
        "\"my shop\"",
        &[
            "1:8 `name`: ` ` is in no name; letters, digits, `-`, `_` and `.` are |  | for example \"my-shop\"",
        ],
    ),
    (
        "\"shop\"",
        "\"-shop\"",
        &["1:8 `name`: a name begins with a letter or a digit |  | for example \"shop\""],
    ),
    (
        "\"shop\"",
        "5",
        &["1:8 `name` must be a name, not a whole number | this is a whole number | write \"5\""],
    ),
    ("\"shop\"", "\"shop\\u001b\"", &["1:8 `name`: it has the control character `\\u{1b}` |  | "]),
    (
        "[hosts]",
        "[host]",
        &[
            "4:2 there is no key `host` at the top of the file | unknown key | did you mean `hosts`?",
        ],
    ),
    (
        "[release]",
        "[realease]",
        &[
            "2:2 there is no key `realease` at the top of the file | unknown key | did you mean `release`?",
        ],
    ),
    (
        "[release]",
        "port = 8080\n[release]",
        &[
            "2:1 there is no key `port` at the top of the file | unknown key | `port` belongs in `[release]`",
        ],
    ),
    (
        "[release]",
        "timeout = \"1s\"\n[release]",
        &[
            "2:1 there is no key `timeout` at the top of the file | unknown key | `timeout` belongs in `[health]` or `[rotation]` or `[hooks]` or `[database.drill]` or `[database.rehearse]` or `[[database.invariant]]`",
        ],
    ),
    (
        "[release]",
        "xyzzy = 1\n[release]",
        &[
            "2:1 there is no key `xyzzy` at the top of the file | unknown key | known here: name, timezone, release, health, limits, hosts, process, rotation, rollout, hooks, database, rota, absence, holiday, freeze, maintenance, check",
        ],
    ),
    (
        "path =",
        "Run = \"x\"\npath =",
        &["3:1 there is no key `Run` in `[release]` | unknown key | did you mean `run`?"],
    ),
    (
        "[release]",
        "[[service]]\nname = \"a\"\n[release]",
        &[
            "2:3 `service` is not in this version yet | several services in one file | leave it out until then",
        ],
    ),
    (
        "[release]",
        "[director]\nlisten = \"x\"\n[release]",
        &[
            "2:2 `director` is not in this version yet | a proxy before the application that gives a new release a share of the requests | leave it out until then",
        ],
    ),
    (
        "[release]",
        "[[tests]]\n[[tests]]\n[release]",
        &[
            "2:3 `tests` is not in this version yet | a gate on the team's tests | leave it out until then",
        ],
    ),
    (
        "[release]",
        "rollout = \"fast\"\n[release]",
        &["2:1 `rollout` must be a table, not a string |  | begin it with `[rollout]`"],
    ),
    (
        "[release]",
        "[[release]]",
        &["2:3 `release` must be a table, not a list |  | begin it with `[release]`"],
    ),
];

#[test]
fn kinds_of_values() {
    table(KINDS);
}

const KINDS: Rows = &[
    (
        "port = 8080",
        "port = 0",
        &["8:8 `release.port` must be a port from 1 to 65535 | 0 is not | "],
    ),
    (
        "port = 8080",
        "port = 65536",
        &["8:8 `release.port` must be a port from 1 to 65535 | 65536 is not | "],
    ),
    (
        "port = 8080",
        "port = \"8080\"",
        &[
            "8:8 `release.port` must be a port from 1 to 65535, not a string | this is a string | write 8080 without quotes",
        ],
    ),
    (
        "port = 8080",
        "port = 8080.5",
        &["8:8 `release.port` must be a port from 1 to 65535, not a number | this is a number | "],
    ),
    (
        "tcp = true",
        "tcp = \"true\"",
        &[
            "29:7 `health.tcp` must be true or false, not a string | this is a string | write true without quotes",
        ],
    ),
    (
        "expect = 204",
        "expect = 99",
        &["28:10 `health.expect` must be an HTTP status from 100 to 599 | 99 is not | "],
    ),
    (
        "http = \"/healthz\"",
        "http = \"healthz\"",
        &["27:8 `health.http`: the path does not begin with `/` |  | write \"/healthz\""],
    ),
    (
        "LOG = \"info\"",
        "LOG = 1",
        &[
            "9:15 `release.env.LOG` must be a string, not a whole number | this is a whole number | write \"1\"",
        ],
    ),
    (
        "LOG = \"info\"",
        "PORT = \"1\"",
        &[
            "9:9 `PORT` is set by friday itself |  | the port is `port` in `[release]`; names with FRIDAY_ are friday's",
        ],
    ),
    (
        "LOG = \"info\"",
        "LOG-LEVEL = \"1\"",
        &[
            "9:9 `LOG-LEVEL` is not the name of a variable |  | letters, digits and `_`, not beginning with a digit",
        ],
    ),
    (
        "env = { LOG = \"info\", EMPTY = \"\" }",
        "env = [\"LOG=info\"]",
        &["9:1 `release.env` must be a table, not a list |  | write env = { NAME = … }"],
    ),
    (
        "{ env = \"SHOP_TOKEN\" }",
        "\"hunter2\"",
        &[
            "23:9 `release.secrets.TOKEN` must be a table with one of `env`, `file` and `command`, not a string | this is a string | a secret's value never stands in the configuration; name where it comes from, for example { env = \"DATABASE_URL\" }, { file = \"secret.txt\" } or { command = \"pass show shop/db\" }",
        ],
    ),
    (
        "{ env = \"SHOP_TOKEN\" }",
        "{ env = \"A\", file = \"b\" }",
        &[
            "23:9 `release.secrets.TOKEN`: it names more than one |  | for example { env = \"DATABASE_URL\" }, { file = \"secret.txt\" } or { command = \"pass show shop/db\" }",
        ],
    ),
    (
        "{ env = \"SHOP_TOKEN\" }",
        "{ vault = \"A\" }",
        &[
            "23:11 `release.secrets.TOKEN` has no key `vault` | unknown key | for example { env = \"DATABASE_URL\" }, { file = \"secret.txt\" } or { command = \"pass show shop/db\" }",
        ],
    ),
    (
        "{ env = \"SHOP_TOKEN\" }",
        "{ env = \"A B\" }",
        &["23:9 `release.secrets.TOKEN`: `A B` is not the name of a variable |  | "],
    ),
    (
        "\"tmp/cache/\"",
        "\"../etc\"",
        &[
            "11:22 `release.shared`: `../etc` does not stay inside the release |  | relative, without `.` and `..`: \"uploads\"",
        ],
    ),
    ("\"tmp/cache/\"", "\"uploads\"", &["11:22 `release.shared`: `uploads` stands twice |  | "]),
    (
        "{ command = \"bin/shop migrate --back\" }",
        "\"maybe\"",
        &[
            "16:16 `release.migrate_back`: `maybe` is neither \"safe\" nor \"one-way\" |  | write \"safe\", \"one-way\" or { command = \"bin/shop migrate back\" }",
        ],
    ),
    (
        "{ command = \"bin/shop migrate --back\" }",
        "{ command = \"\" }",
        &[
            "16:28 `release.migrate_back.command`: it is empty |  | name a command, or leave the key out",
        ],
    ),
    (
        "/healthz?deep=1",
        "/{hosts}",
        &[
            "38:11 `health.outside`: `{hosts}` is no placeholder |  | there are `{host}` and `{port}`",
        ],
    ),
    (
        "https://{host}",
        "{host}",
        &[
            "38:11 `health.outside`: it begins with neither http:// nor https:// |  | for example \"http://{host}:{port}/healthz\"",
        ],
    ),
    (
        "passes = 2",
        "passes = 0",
        &["34:10 `health.passes` must be a whole number from 1 to 1000 | 0 is not | "],
    ),
    (
        "good = 3",
        "good = -1",
        &["67:17 `rollout.keep.good` must be a whole number from 1 to 1000 | -1 is not | "],
    ),
    (
        "keep = { good = 3, failed = 1 }",
        "keep = 5",
        &[
            "67:1 `rollout.keep` must be a table, not a whole number |  | begin it with `[rollout.keep]`",
        ],
    ),
];

#[test]
fn the_rollouts_numbers() {
    table(NUMBERS);
}

const NUMBERS: Rows = &[
    (
        "[1, \"10%\", \"50%\"]",
        "\"10%\"",
        &["55:9 `rollout.waves` must be a list of wave sizes, not a string | this is a string | "],
    ),
    ("[1, \"10%\", \"50%\"]", "[]", &["55:9 `rollout.waves`: the list is empty |  | "]),
    (
        "[1, \"10%\", \"50%\"]",
        "[\"0\", \"101%\", \"x\"]",
        &[
            "55:10 `rollout.waves`: a wave has at least one host |  | a number of hosts, \"1\", or a percentage of the fleet, \"10%\"",
            "55:15 `rollout.waves`: a wave is at most 100 % of the fleet |  | a number of hosts, \"1\", or a percentage of the fleet, \"10%\"",
            "55:23 `rollout.waves`: this is not a wave's size |  | a number of hosts, \"1\", or a percentage of the fleet, \"10%\"",
        ],
    ),
    (
        "[1, \"10%\", \"50%\"]",
        "[\"50%\", \"10%\"]",
        &[
            "55:17 `rollout.waves`: this wave would take no further host | not more than the one before | sizes count the hosts reached in all: [\"1\", \"10%\", \"33%\"]",
        ],
    ),
    (
        "soak = \"1m\"",
        "soak = [\"1m\", \"x\"]",
        &[
            "56:15 `rollout.soak` is no duration: a number is missing before `x` |  | write numbers with d, h, m, s or ms: \"5m\", \"90s\", \"1h30m\", \"250ms\"",
        ],
    ),
    (
        "\"34%\"",
        "\"0%\"",
        &[
            "58:15 `rollout.out_at_once` must be a percentage from \"1%\" to \"100%\" | `0%` is not | at least one host is taken at once: write \"1%\"",
        ],
    ),
    (
        "\"34%\"",
        "34",
        &[
            "58:15 `rollout.out_at_once` must be a percentage from \"1%\" to \"100%\", not a whole number | this is a whole number | write \"34%\"",
        ],
    ),
    (
        "\"34%\"",
        "\"120%\"",
        &[
            "58:15 `rollout.out_at_once` must be a percentage from \"1%\" to \"100%\" | `120%` is not | ",
        ],
    ),
    (
        "confirm = \"20s\"",
        "confirm = \"0s\"",
        &["62:11 `rollout.confirm` is too short | at least 1s | "],
    ),
    (
        "confirm = \"20s\"",
        "confirm = \"4s\"",
        &[
            "62:11 no switch can be confirmed in time: the outside probe takes 4s to pass |  | a longer `confirm`, or less `steady` or fewer `passes` under `[health]`",
        ],
    ),
    (
        "deadline = \"2m\"",
        "deadline = \"3s\"",
        &[
            "37:12 no release can be healthy in time: proving it takes 4s |  | a longer `deadline`, or less `steady` or fewer `passes`",
        ],
    ),
    (
        "progress_deadline = \"15m\"",
        "progress_deadline = \"1m\"",
        &[
            "63:21 a switch may take 2m36s in which nothing moves |  | write progress_deadline = \"3m36s\" or more",
        ],
    ),
    (
        "interval = \"500ms\"",
        "interval = \"0s\"",
        &["31:12 `health.interval` is too short | at least 10ms | "],
    ),
];

#[test]
fn hosts_and_what_names_them() {
    table(HOSTS);
}

const HOSTS: Rows = &[
    (
        "web = [",
        "ports = \"8101\"\nweb = [",
        &[
            "5:1 there is no key `ports` in `[hosts]` | unknown key | `ports` belongs in `[release]`",
        ],
    ),
    ("[\"local:[1-3]\"]", "[]", &["5:7 `hosts.web`: the list is empty |  | "]),
    (
        "[\"local:[1-3]\"]",
        "\"local:[1-3]\"",
        &[
            "5:7 `hosts.web` must be a list of hosts, not a string | this is a string | write [\"local:[1-3]\"]",
        ],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"local:[1-3]\", \"local:2\"]",
        &[
            "5:23 the host `local-2` stands twice | here again | name it once; two states on one machine are two aliases in ssh_config",
        ],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"a@web-[1-3]\", \"b@WEB-2\"]",
        &[
            "5:23 the host `WEB-2` stands twice, also as `web-2` | here again | name it once; two states on one machine are two aliases in ssh_config",
        ],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"web-1\"]",
        &[
            "5:8 the login on `web-1` is not fixed | two people would keep two states on it | write \"deploy@web-1\", or user = \"deploy\" under `[hosts]`",
        ],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"local:1\"]\ndb = [\"local:1\"]",
        &[
            "6:7 the host `local-1` stands twice | here again | it stands under `web` too; a host has one role",
        ],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"local:1\"]\nkeper = \"local-1\"",
        &["6:1 there is no key `keper` in `[hosts]` | unknown key | did you mean `keeper`?"],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"local:1\"]\nkeeper = \"local-2\"",
        &[
            "6:10 `hosts.keeper` names `local-2`, which is not in `[hosts]` |  | did you mean `local-1`?",
        ],
    ),
    (
        "[\"local:[1-3]\"]",
        "[\"u@a-[1-600]\", \"u@b-[1-600]\"]",
        &["5:23 there are more than 1000 hosts |  | split the fleet into several configurations"],
    ),
    (
        "web = [\"local:[1-3]\"]",
        "",
        &[
            "4:1 there are no hosts |  | write web = [\"deploy@web-1.example.com\"] under `[hosts]`, or [\"local:[1-3]\"] to try it here",
        ],
    ),
    (
        "[hosts]\nweb = [\"local:[1-3]\"]",
        "hosts = [\"local:1\"]",
        &[
            "1:1 there are no hosts |  | write web = [\"deploy@web-1.example.com\"] under `[hosts]`, or [\"local:[1-3]\"] to try it here",
            "4:1 there is no key `hosts` in `[release]` | unknown key | it is a section of its own: begin it with `[hosts]`",
        ],
    ),
    (
        "user = \"deploy\"",
        "user = \"-oProxyCommand=x\"",
        &[
            "44:8 `-oProxyCommand=x` is not a login |  | letters, digits, `-`, `_` and `.`: user = \"deploy\"",
        ],
    ),
    (
        "migrate_host = \"worker-a\"",
        "migrate_host = \"worker-c\"",
        &[
            "17:16 `release.migrate_host` names `worker-c`, which is not in `[hosts]` |  | did you mean `worker-a`?",
        ],
    ),
];

#[test]
fn ports_rotation_and_what_needs_them() {
    table(PORTS);
}

const PORTS: Rows = &[
    (
        "path =",
        "run = \"app $PORT\"\npath =",
        &[
            "3:7 `run` asks for `$PORT`, and the release has none |  | write port = 8080 under `[release]`",
        ],
    ),
    (
        "[hosts]",
        "[health]\nhttp = \"/\"\ntcp = true\noutside = \"http://{host}:{port}/\"\n[hosts]",
        &[
            "5:8 `health.http` asks the release's port, and it has none |  | write port = 8080 under `[release]`",
            "6:7 `health.tcp` asks the release's port, and it has none |  | write port = 8080 under `[release]`",
            "7:11 `{port}` is the release's port, and it has none |  | write port = 8080 under `[release]`, or the port in the URL",
        ],
    ),
    (
        "[hosts]",
        "[health]\nexpect = 200\noutside_expect = 200\n[hosts]",
        &[
            "5:10 `health.expect` is the status of a request that is not made |  | write http = \"/healthz\" beside it, or leave it out",
            "6:18 `health.outside_expect` is the status of a request that is not made |  | write outside = \"http://{host}:{port}/healthz\" beside it, or leave it out",
        ],
    ),
    (
        "path =",
        "port = 65534\npath =",
        &[
            "3:8 3 local hosts need 3 ports, and they end at 65535 |  | each local host takes the next port: choose a lower one",
        ],
    ),
    (
        "path =",
        "ports = \"8100-8199\"\npath =",
        &[
            "3:9 `ports` needs a rotation that can point traffic to another port |  | write `into` and `out` under `[rotation]`, or one `port` that releases take in turn",
        ],
    ),
    (
        "port = 8080",
        "port = 8080\nports = \"8100-8199\"",
        &[
            "9:9 `port` and `ports` exclude each other |  | keep `port` for one port that releases take in turn, or `ports` for one port each",
        ],
    ),
    (
        "port = 8080",
        "ports = \"8100-8199\"",
        &[
            "38:11 `{port}` is another one for each release here |  | write the port at which traffic arrives",
        ],
    ),
    (
        "port = 8080",
        "ports = \"8100\"",
        &[
            "8:9 `release.ports`: `8100` is not a range of ports |  | two ports from 1 to 65535: \"8100-8199\"",
        ],
    ),
    (
        "port = 8080",
        "ports = \"8199-8100\"",
        &["8:9 `release.ports`: the range ends before it begins |  | write \"8100-8199\""],
    ),
    (
        "out = \"lb remove $FRIDAY_HOST\"\n",
        "",
        &[
            "50:8 `into` needs `out`: a host that comes into rotation must get out again |  | write the command for `out` beside it",
        ],
    ),
    (
        "into = \"lb",
        "page = \"0.0.0.0:9090\"\ninto = \"lb",
        &["50:8 a page and commands are two rotations |  | keep `page`, or keep `into` and `out`"],
    ),
    (
        "[hosts]",
        "[rotation]\npage = \"0.0.0.0:9090\"\n[hosts]",
        &[
            "5:8 local hosts share one machine and cannot all answer on one address |  | leave `[rotation]` out for local hosts; an environment for servers can have it",
        ],
    ),
    (
        "[hosts]",
        "[rotation]\npage = 9090\n[hosts]",
        &[
            "5:8 `rotation.page` must be an address and a port, not a whole number | this is a whole number | write \"0.0.0.0:9090\"",
        ],
    ),
    (
        "path =",
        "migrate_back = \"safe\"\npath =",
        &[
            "3:16 `migrate_back` is about a migration that is not there |  | write migrate = \"…\" beside it, or leave it out",
        ],
    ),
    (
        "TOKEN = {",
        "LOG = {",
        &[
            "23:7 `LOG` is both a variable and a secret |  | keep it in `secrets`, or in `env` if everybody may see it",
        ],
    ),
];
