//! Roles and processes: who runs what, and what is said of mistakes.

use friday_wire::{HostName, Part, Ports, ProcessName, RoleName, Rotation, Spread};

use super::{drawn, good};
use crate::config::parse;
use crate::config::settings::ReleaseFacts;
use crate::rollout::plan::Traffic;

const ROLES: &str = r#"name = "shop"
[release]
path = "dist"
run = "bin/shop"
port = 8080
[health]
http = "/healthz"
outside = "http://{host}:{port}/"
[hosts]
web = ["local:[1-2]"]
jobs = ["deploy@jobs-[1-2]"]
[rotation]
into = "lb add"
out = "lb remove"
[process.worker]
run = "bin/shop work"
roles = ["jobs"]
env = { QUEUE = "mail" }
[process.mailer]
run = "bin/shop mail"
roles = ["jobs"]
once = true
health = { command = "bin/shop ping", steady = "30s" }
"#;

fn told(from: &str, to: &str) -> String {
    assert!(ROLES.contains(from), "{from}");
    let text = ROLES.replacen(from, to, 1);
    match parse("friday.toml", &text, None) {
        Ok(_) => String::new(),
        Err(problems) => drawn(&text, &problems).join("\n"),
    }
}

#[test]
fn roles_say_who_runs_what_and_who_takes_traffic() {
    let settings = good(ROLES, None);
    let parts = |role: &str| settings.processes.parts(Some(&RoleName::new(role)));
    let process = |name: &str| Part::Process(ProcessName::new(name));
    assert_eq!(parts("web"), [Part::Run]);
    assert_eq!(parts("jobs"), [process("worker"), process("mailer")]);
    let mailer = &settings.processes.named[&ProcessName::new("mailer")];
    assert_eq!((mailer.spread, mailer.health.steady_ms), (Spread::Once, 30_000));
    assert_eq!(mailer.health.http, None, "the checks of `run` are not its own");
    let fleet = settings.fleet_plan();
    let of = |name: &str| fleet.hosts.iter().find(|host| host.name.as_str() == name);
    let (web, jobs) = (of("local-1").expect("there"), of("jobs-1").expect("there"));
    assert_eq!((web.traffic, jobs.traffic), (Traffic::Taken, Traffic::None));
    assert!(web.outside_url.is_some() && jobs.outside_url.is_none());
    assert_eq!(jobs.rotation(&fleet), Rotation::None);
    assert!(matches!(web.ports, Ports::Fixed { .. }));
}

#[test]
fn a_plan_names_the_hosts_of_what_runs_once_in_the_files_order() {
    let settings = good(ROLES, None);
    let facts = ReleaseFacts {
        release: friday_wire::ReleaseId(friday_wire::Digest([1; 32])),
        tree: friday_wire::TreeId(friday_wire::Digest([2; 32])),
        label: "v1".to_owned(),
        secrets: None,
        quarantine_override: None,
        only: Vec::new(),
        bytes: 0,
        files: 0,
    };
    let plan = settings.plan(facts);
    let hosts = &plan.once[&ProcessName::new("mailer")];
    assert_eq!(hosts, &[HostName::new("jobs-1"), HostName::new("jobs-2")]);
    assert_eq!(plan.once.len(), 1);
}

#[test]
fn run_can_share_a_role_with_a_process() {
    let text = ROLES.replacen("port = 8080\n", "port = 8080\nroles = [\"web\"]\n", 1).replacen(
        "roles = [\"jobs\"]\nenv",
        "roles = [\"jobs\", \"web\"]\nenv",
        1,
    );
    let settings = good(&text, None);
    let parts = settings.processes.parts(Some(&RoleName::new("web")));
    assert_eq!(parts, [Part::Run, Part::Process(ProcessName::new("worker"))]);
}

#[test]
fn mistakes_in_processes_are_told() {
    let rows = [
        ("roles = [\"jobs\"]\nenv", "roles = [\"job\"]\nenv", "did you mean `jobs`?"),
        ("roles = [\"jobs\"]\nenv", "env", "`roles` is missing"),
        ("run = \"bin/shop work\"\n", "", "`run` is missing"),
        ("once = true", "onec = true", "did you mean `once`?"),
        ("once = true", "once = \"yes\"", "process.mailer.once"),
        ("steady = \"30s\"", "stedy = \"30s\"", "did you mean `steady`?"),
        ("command = \"bin/shop ping\"", "tcp = true", "asks a port, and it has none"),
        ("QUEUE = \"mail\"", "PORT = \"1\"", "`PORT` cannot be a variable here"),
        ("[process.worker]", "[process.run]", "`run` is not a name for a process"),
        (
            "port = 8080\n",
            "port = 8080\nroles = [\"jobs\"]\n",
            "nothing runs on the hosts of the role",
        ),
        ("port = 8080\n", "port = 8080\nroles = [\"wbe\"]\n", "did you mean `web`?"),
    ];
    for (from, to, wanted) in rows {
        let said = told(from, to);
        assert!(said.contains(wanted), "{to}: {said}");
    }
}

/// What hosts hold under an identity may never be another release because friday learned of processes.
#[test]
fn a_configuration_without_processes_has_the_release_it_always_had() {
    let settings = good(super::SMALL, None);
    let run = serde_json::to_string(&settings.run_spec()).expect("JSON");
    assert!(!run.contains("processes"), "{run}");
}
