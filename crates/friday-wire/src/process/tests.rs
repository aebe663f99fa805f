use super::*;
use crate::{Manifest, RunSpec, UnitSpec};

fn role(name: &str) -> RoleName {
    RoleName::new(name)
}

fn process(roles: &[&str]) -> ProcessSpec {
    ProcessSpec {
        roles: roles.iter().map(|name| role(name)).collect(),
        command: "./work".to_owned(),
        env: BTreeMap::from([("QUEUE".to_owned(), "mail".to_owned())]),
        health: HealthSpec::default(),
        port: None,
        spread: Spread::Each,
        timetable: None,
    }
}

fn run(processes: Processes) -> RunSpec {
    let env = BTreeMap::from([
        ("QUEUE".to_owned(), "all".to_owned()),
        ("LOG".to_owned(), "info".to_owned()),
    ]);
    let command = Some("./serve".to_owned());
    let (health, unit) = (HealthSpec::default(), UnitSpec::default());
    RunSpec { command, env, health, shared: Vec::new(), unit, processes }
}

fn named(list: &[(&str, &[&str])]) -> BTreeMap<ProcessName, ProcessSpec> {
    list.iter().map(|(name, roles)| (ProcessName::new(*name), process(roles))).collect()
}

fn shown(processes: &Processes, name: &str) -> Vec<String> {
    processes.parts(Some(&role(name))).iter().map(Part::to_string).collect()
}

#[test]
fn without_processes_every_role_runs_the_run_command() {
    let none = Processes::default();
    assert_eq!(shown(&none, "web"), ["run"]);
    assert_eq!(none.parts(None), [Part::Run]);
}

#[test]
fn a_role_that_a_process_names_runs_that_and_not_the_run_command() {
    let processes = Processes { run_in: None, named: named(&[("worker", &["jobs"])]) };
    assert_eq!(shown(&processes, "jobs"), ["worker"]);
    assert_eq!(shown(&processes, "web"), ["run"]);
}

#[test]
fn run_comes_first_where_it_is_named_beside_processes() {
    let run_in = Some(BTreeSet::from([role("web")]));
    let list: &[(&str, &[&str])] = &[("a", &["web", "jobs"]), ("b", &["web"])];
    let processes = Processes { run_in, named: named(list) };
    assert_eq!(shown(&processes, "web"), ["run", "a", "b"]);
    assert_eq!(shown(&processes, "jobs"), ["a"]);
    assert_eq!(shown(&processes, "static"), ["files"]);
}

#[test]
fn a_processs_environment_is_laid_over_the_releases() {
    let run = run(Processes { run_in: None, named: named(&[("worker", &["jobs"])]) });
    let worker = Part::Process(ProcessName::new("worker"));
    assert_eq!(run.env_of(&worker)["QUEUE"], "mail");
    assert_eq!(run.env_of(&worker)["LOG"], "info");
    assert_eq!(run.env_of(&Part::Run)["QUEUE"], "all");
    assert_eq!(run.command_of(&worker), Some("./work"));
    assert_eq!(run.command_of(&Part::Files), None);
}

/// The identity of a release without processes may never change: hosts hold it under that hash.
#[test]
fn a_release_without_processes_has_the_bytes_it_always_had() {
    let manifest = Manifest { tree: Vec::new(), run: run(Processes::default()) };
    let bytes = String::from_utf8(manifest.identity_bytes()).expect("JSON");
    let golden = concat!(
        r#"{"tree":[],"run":{"command":"./serve","env":{"LOG":"info","QUEUE":"all"},"health":{"http":null,"#,
        r#""tcp":false,"command":null,"interval_first_ms":1000,"interval_later_ms":5000,"timeout_ms":5000,"#,
        r#""passes":3,"steady_ms":10000,"failures":3},"shared":[]}}"#
    );
    assert_eq!(bytes, golden);
    let read: Manifest = serde_json::from_str(golden).expect("an old manifest loads");
    assert_eq!(read, manifest);
}

#[test]
fn a_release_with_processes_has_another_identity_and_comes_back_as_it_was() {
    let mut list = named(&[("worker", &["jobs"])]);
    list.values_mut().for_each(|spec| spec.spread = Spread::Once);
    let manifest = Manifest { tree: Vec::new(), run: run(Processes { run_in: None, named: list }) };
    let bytes = manifest.identity_bytes();
    let read: Manifest = serde_json::from_slice(&bytes).expect("reads back");
    assert_eq!(read, manifest);
    assert!(String::from_utf8_lossy(&bytes).contains(r#""spread":"once""#));
}

#[test]
fn names_stand_in_paths_and_arguments() {
    for name in ["", "-x", "a/b", "a b", "..", "ä", &"a".repeat(65)] {
        let processes = Processes { run_in: None, named: named(&[(name, &["jobs"])]) };
        assert_eq!(processes.check(), Err(ManifestError::Name(name.to_owned())), "{name}");
    }
    let fine = Processes { run_in: None, named: named(&[("mail-worker_2", &["jobs"])]) };
    assert_eq!(fine.check(), Ok(()));
}

#[test]
fn a_job_is_part_of_the_identity_and_never_leads() {
    let list: &[(&str, &[&str])] = &[("a", &["jobs"]), ("b", &["jobs", "night"])];
    let plain = Processes { run_in: None, named: named(list) };
    let mut jobs = plain.clone();
    let table = Timetable { at: "15 3 * * *".to_owned(), timezone: None, deadline_ms: 1_000 };
    for (name, spec) in &mut jobs.named {
        if name.as_str() == "b" {
            spec.timetable = Some(table.clone());
        }
    }
    assert_eq!(shown(&jobs, "jobs"), ["a", "b"]);
    assert_eq!(shown(&jobs, "night"), ["files", "b"], "it follows the files");
    let bytes = |processes: &Processes| {
        Manifest { tree: Vec::new(), run: run(processes.clone()) }.identity_bytes()
    };
    assert_ne!(bytes(&plain), bytes(&jobs));
    let back: Manifest = serde_json::from_slice(&bytes(&jobs)).expect("JSON");
    assert_eq!(back.identity_bytes(), bytes(&jobs));
    assert_eq!(jobs.check(), Ok(()));
    if let Some(spec) = jobs.named.get_mut(&ProcessName::new("b")) {
        spec.timetable = Some(Timetable { at: "0 25 * * *".to_owned(), ..table });
    }
    assert!(matches!(jobs.check(), Err(ManifestError::Timetable(..))));
}
