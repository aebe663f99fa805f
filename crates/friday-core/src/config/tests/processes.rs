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

const JOB: &str = r#"
[process.report]
run = "bin/shop report"
roles = ["jobs"]
once = true
at = "15 3 * * MON-FRI"
timezone = "Europe/Berlin"
deadline = "10m"
"#;

fn told_of_job(from: &str, to: &str) -> String {
    let text = format!("{ROLES}{JOB}");
    assert!(text.contains(from), "{from}");
    let text = text.replacen(from, to, 1);
    match parse("friday.toml", &text, None) {
        Ok(_) => String::new(),
        Err(problems) => drawn(&text, &problems).join("\n"),
    }
}

#[test]
fn a_process_with_times_is_a_job_that_is_well_while_it_waits() {
    let settings = good(&format!("{ROLES}{JOB}"), None);
    let of = |settings: &crate::config::Settings| {
        let report = settings.processes.named[&ProcessName::new("report")].clone();
        (report.timetable.expect("a job"), report.health.steady_ms, report.spread)
    };
    let (table, steady_ms, spread) = of(&settings);
    assert_eq!(table.at, "15 3 * * MON-FRI");
    assert_eq!(table.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!((table.deadline_ms, steady_ms, spread), (600_000, 0, Spread::Once));
    // Its own zone, or the file's, or UTC; and an hour.
    let plain = JOB.replace("timezone = \"Europe/Berlin\"\ndeadline = \"10m\"\n", "");
    let (table, ..) = of(&good(&format!("{ROLES}{plain}"), None));
    assert_eq!((table.timezone, table.deadline_ms), (None, 3_600_000));
    let zoned = format!("timezone = \"Asia/Tokyo\"\n{ROLES}{plain}");
    assert_eq!(of(&good(&zoned, None)).0.timezone.as_deref(), Some("Asia/Tokyo"));
    // A job never leads: a leader may be kept warm.
    let jobs = settings.processes.parts(Some(&RoleName::new("jobs")));
    let shown: Vec<String> = jobs.iter().map(Part::to_string).collect();
    assert_eq!(shown, ["worker", "mailer", "report"]);
}

#[test]
fn mistakes_in_jobs_are_told_at_their_place() {
    let at = "at = \"15 3 * * MON-FRI\"";
    let rows = [
        (
            at,
            "at = \"0 25 * * *\"",
            "29:9 `process.report.at`: `25` is no hour: it goes from 0 to 23 |  | minute, hour, day, month, day of the week",
        ),
        (
            at,
            "at = \"15 3 * *\"",
            "29:6 `process.report.at`: a time has five fields, and this has 4",
        ),
        (
            at,
            "at = \"0 0 30 2 *\"",
            "29:6 `process.report.at`: this time never comes |  | no month that it names has that day",
        ),
        (at, "at = \"@daily\"", "| write \"0 0 * * *\""),
        (at, "at = 3", "`process.report.at` must be a string, not a whole number"),
        (
            "Europe/Berlin",
            "Europe/Berlni",
            "30:12 `process.report.timezone`: there is no time zone `Europe/Berlni` |  | did you mean \"Europe/Berlin\"?",
        ),
        ("Europe/Berlin", "berlin", "did you mean \"Europe/Berlin\"?"),
        ("Europe/Berlin", "europe/berlin", "did you mean \"Europe/Berlin\"?"),
        ("Europe/Berlin", "Lummerland", "name a city's, \"Europe/Berlin\", or \"UTC\""),
        ("deadline = \"10m\"", "deadline = \"8d\"", "this is too long | at most 7d"),
        ("deadline = \"10m\"", "deadline = \"10ms\"", "is too short | at least 1s"),
        (
            "deadline = \"10m\"",
            "health = { command = \"x\" }",
            "31:1 `process.report.health`: a process that runs at certain times has no health to ask for",
        ),
        (
            "deadline = \"10m\"",
            "port = 9100",
            "31:1 `process.report.port`: a process that runs at certain times has no port",
        ),
        (
            at,
            "",
            "30:1 `process.report.timezone`: `timezone` is for a process that runs at certain times |  | write at = \"15 3 * * *\" beside it",
        ),
        ("run = \"bin/shop report\"\n", "", "`run` is missing"),
    ];
    for (from, to, wanted) in rows {
        let said = told_of_job(from, to);
        assert!(said.contains(wanted), "{to}:\n{said}\nwanted: {wanted}");
    }
    // The file's zone is asked only where a job goes by it, and then told once.
    let plain = JOB.replace("timezone = \"Europe/Berlin\"\n", "");
    let two = format!("timezone = \"CEST\"\n{ROLES}{plain}{}", plain.replace("report", "digest"));
    let Err(problems) = parse("friday.toml", &two, None) else { panic!("no such zone") };
    assert_eq!(drawn(&two, &problems).len(), 1, "{problems:?}");
    good(&format!("timezone = \"CEST\"\n{ROLES}"), None);
}

/// What hosts hold under an identity may never be another release because friday learned of processes.
#[test]
fn a_configuration_without_processes_has_the_release_it_always_had() {
    let settings = good(super::SMALL, None);
    let run = serde_json::to_string(&settings.run_spec()).expect("JSON");
    assert!(!run.contains("processes"), "{run}");
}
