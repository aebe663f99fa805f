//! Applications that behave badly, and what they may know.

use std::collections::BTreeMap;

use friday_wire::{
    Answer, Fault, FenceKind, HealthSpec, Request, SecretsVersion, Step, StepState, Undo,
};

use crate::support::connection::{fence, switch, switch_with};
use crate::support::release::{Made, http_health, running, serving};
use crate::support::server::{all_processes, command_line, descendants, is_alive, kill};
use crate::support::{Connection, Server, until};

/// Stages a release as a first push and switches to it.
fn switch_to(connection: &mut Connection, made: &Made, step: Step) -> StepState {
    let push = fence(1, FenceKind::Push);
    connection.open(&push, "r1", Some(made.id));
    connection.send_release(made);
    assert_eq!(connection.step(&push, "r1", Step::Stage { release: made.id }), StepState::Done);
    connection.step(&push, "r1", step)
}

fn short(mut step: Step, health_deadline_ms: u64) -> Step {
    if let Step::Switch { clocks, .. } = &mut step {
        clocks.health_deadline_ms = health_deadline_ms;
        clocks.stop_ms = 300;
    }
    step
}

#[test]
fn one_that_exits_at_once_fails_with_its_last_words() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = running("1", "echo no database; exit 3", http_health());
    let step = short(switch(made.id, server.port, Undo::Nothing), 3_000);
    let state = switch_to(&mut connection, &made, step);
    let StepState::Failed { why, .. } = &state else { panic!("no failure: {state:?}") };
    assert!(why.contains("exit status 3") || why.contains("not run"), "{why}");
    let Answer::Log { lines } =
        connection.ask(Request::Log { release: Some(made.id), process: None, lines: 5 })
    else {
        panic!("no log");
    };
    assert!(lines.iter().all(|line| line == "no database") && !lines.is_empty(), "{lines:?}");
    until("nothing is left", || server.processes("run").is_empty().then_some(()));
}

#[test]
fn one_that_never_gets_healthy_is_stopped_again() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = running("1", "exec sleep 1000", http_health());
    let step = short(switch(made.id, server.port, Undo::Nothing), 1_000);
    let state = switch_to(&mut connection, &made, step);
    assert!(matches!(state, StepState::Failed { .. }), "{state:?}");
    until("nothing is left", || server.processes("run").is_empty().then_some(()));
}

#[test]
fn one_that_ignores_sigterm_is_killed() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = running("1", "trap '' TERM; ./server & wait; wait", http_health());
    connection.push(1, server.port, &made, Undo::Nothing);
    let shim = server.processes("run")[0];
    let family = descendants(shim);
    assert!(family.len() >= 2, "{family:?}");
    let two = serving("2");
    connection.push(2, server.port, &two, Undo::To { release: made.id });
    assert_eq!(server.version().as_deref(), Some("2"));
    assert!(family.iter().all(|pid| !is_alive(*pid)), "something of it lives");
}

#[test]
fn one_that_forks_into_the_background_is_still_ours() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = running("1", "./server --daemon", http_health());
    connection.push(1, server.port, &made, Undo::Nothing);
    assert_eq!(server.version().as_deref(), Some("1"));
    let shim = server.processes("run")[0];
    let family = until("the first process is gone", || {
        let family = descendants(shim);
        (family.len() == 1).then_some(family)
    });
    let two = serving("2");
    connection.push(2, server.port, &two, Undo::To { release: made.id });
    assert_eq!(server.version().as_deref(), Some("2"));
    assert!(family.iter().all(|pid| !is_alive(*pid)), "the daemon lives");
}

#[test]
fn one_that_dies_is_started_again() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("1");
    connection.push(1, server.port, &made, Undo::Nothing);
    let first = descendants(server.processes("run")[0]);
    first.into_iter().for_each(kill);
    until("it serves again", || {
        let app = connection.read().app?;
        (app.running && app.restarts >= 1 && server.version().is_some()).then_some(())
    });
}

#[test]
fn a_killed_shim_leaves_no_orphan() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("1");
    connection.push(1, server.port, &made, Undo::Nothing);
    let shim = server.processes("run")[0];
    let family = descendants(shim);
    kill(shim);
    until("the orphans are gone", || family.iter().all(|pid| !is_alive(*pid)).then_some(()));
    until("it serves again", || {
        let shims = server.processes("run");
        (shims.iter().any(|pid| *pid != shim) && server.version().is_some()).then_some(())
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    let server = Server::new();
    let mut connection = server.connect();
    let _other = std::net::TcpListener::bind(("127.0.0.1", server.port)).expect("listens");
    let made = serving("1");
    let step = short(switch(made.id, server.port, Undo::Nothing), 2_000);
    let state = switch_to(&mut connection, &made, step);
    let StepState::Failed { why, fault, .. } = &state else { panic!("no failure: {state:?}") };
    assert_eq!(*fault, Fault::Host);
    assert!(why.contains(&format!("port {} is taken by `", server.port)), "{why}");
    assert!(why.contains(&format!("pid {}", std::process::id())), "{why}");
}

#[test]
fn the_environment_is_made_and_secrets_stand_nowhere_else() {
    let server = Server::new();
    let mut command = server.command(std::path::Path::new(crate::support::server::PROGRAM));
    command.env("FROM_THE_LOGIN", "1");
    let mut connection = Connection::over(command);
    connection.hello();
    let secret = "hunter2-hunter2";
    let set = SecretsVersion::new("set-1");
    let values = BTreeMap::from([("DATABASE_PASSWORD".to_owned(), secret.to_owned())]);
    let put = Request::PutSecrets { version: set, values: values.clone() };
    assert_eq!(connection.ask(put), Answer::Ok);
    let climbing = Request::PutSecrets { version: SecretsVersion::new("../x"), values };
    assert!(matches!(connection.ask(climbing), Answer::Error { .. }));

    let made = serving("1");
    let step = switch_with(switch(made.id, server.port, Undo::Nothing), "set-1");
    let state = switch_to(&mut connection, &made, step);
    assert!(matches!(state, StepState::AwaitingConfirm { .. }), "{state:?}");
    let (_, env) = server.get("/env").expect("answers");
    let has = |line: &str| env.lines().any(|found| found == line);
    assert!(has(&format!("DATABASE_PASSWORD={secret}")), "{env}");
    assert!(has("GREETING=hello") && has("FRIDAY_HOST=a"), "{env}");
    assert!(has(&format!("PORT={}", server.port)), "{env}");
    assert!(has(&format!("FRIDAY_RELEASE={}", made.id)), "{env}");
    assert!(has(&format!("FRIDAY_SHARED={}", server.dir.join("shared").display())), "{env}");
    assert!(!env.contains("FROM_THE_LOGIN"), "{env}");

    let told = all_processes().into_iter().any(|pid| command_line(pid).join(" ").contains(secret));
    assert!(!told, "a secret stands in a command line");
    for (path, text) in files_under(&server.dir) {
        let may = path.contains("/secrets/");
        assert!(may || !text.contains(secret), "the secret stands in {path}");
    }
}

fn files_under(dir: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("reads").flatten() {
        let kind = entry.file_type().expect("has one");
        if kind.is_dir() {
            found.extend(files_under(&entry.path()));
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            found.push((
                entry.path().display().to_string(),
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
    }
    found
}

#[test]
fn output_is_shown_without_control_characters() {
    let server = Server::new();
    let mut connection = server.connect();
    let command = "printf 'one\\033[2Jtwo\\n'; echo three >&2; exec ./server";
    let health = HealthSpec { command: Some("test -f version".to_owned()), ..http_health() };
    let made = running("1", command, health);
    connection.push(1, server.port, &made, Undo::Nothing);
    let Answer::Log { lines } =
        connection.ask(Request::Log { release: None, process: None, lines: 3 })
    else {
        panic!("no log");
    };
    assert_eq!(lines[..2], ["one\\u{1b}[2Jtwo".to_owned(), "three".to_owned()]);
}
