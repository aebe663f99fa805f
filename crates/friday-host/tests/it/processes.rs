//! Several processes of one release, for real: side by side, by role, and one that a host gives up.

use std::collections::BTreeMap;

use friday_wire::{
    Answer, FenceKind, HealthSpec, HealthState, Holder, HostName, ProcessName, ProcessSpec,
    Processes, ReleaseId, Request, RoleName, Spread, Step, StepState, Undo,
};

use crate::support::connection::{fence, switch};
use crate::support::release::{Made, digest, serving};
use crate::support::{Connection, Server, until};

/// Says who it is, until it is ended.
const WORK: &str = "echo \"$FRIDAY_PROCESS of $QUEUE\"; exec sleep 1000";

fn with_processes(version: &str) -> Made {
    let mut made = serving(version);
    let web = RoleName::new("web");
    let spec = |spread| ProcessSpec {
        roles: [web.clone()].into(),
        command: WORK.to_owned(),
        env: BTreeMap::from([("QUEUE".to_owned(), format!("queue {version}"))]),
        health: HealthSpec { steady_ms: 200, ..HealthSpec::default() },
        port: None,
        spread,
        timetable: None,
    };
    made.manifest.run.processes = Processes {
        run_in: Some([web.clone()].into()),
        named: [("worker", Spread::Each), ("mailer", Spread::Once)]
            .map(|(name, spread)| (ProcessName::new(name), spec(spread)))
            .into(),
    };
    made.id = ReleaseId(digest(&made.manifest.identity_bytes()));
    made
}

fn push(connection: &mut Connection, server: &Server, number: u64, made: &Made, once: &[&str]) {
    let (push, rollout) = (fence(number, FenceKind::Push), format!("r{number}"));
    connection.open(&push, &rollout, Some(made.id));
    connection.send_release(made);
    let staged = connection.step(&push, &rollout, Step::Stage { release: made.id });
    assert_eq!(staged, StepState::Done);
    let mut step = switch(made.id, server.port, Undo::Nothing);
    if let Step::Switch { role, once: told, .. } = &mut step {
        *role = Some(RoleName::new("web"));
        *told = once.iter().map(|name| ProcessName::new(*name)).collect();
    }
    match connection.step(&push, &rollout, step) {
        StepState::AwaitingConfirm { nonce, .. } => {
            assert_eq!(connection.confirm(&push, &rollout, nonce), StepState::Done);
        }
        other => panic!("does not await its confirm: {other:?}"),
    }
    connection.close_stable(&push, &rollout, Some(made.id));
}

fn parts(connection: &mut Connection) -> Vec<String> {
    let app = connection.read().app.expect("one runs");
    let healthy = |health: &HealthState| *health == HealthState::Healthy;
    let well = app.processes.iter().filter(|one| one.running && healthy(&one.health));
    well.map(|one| one.part.to_string()).collect()
}

#[test]
fn a_host_runs_the_processes_of_its_role_side_by_side() {
    let server = Server::new();
    let mut connection = server.connect();
    let one = with_processes("1");
    push(&mut connection, &server, 1, &one, &[]);
    assert_eq!(server.version().as_deref(), Some("1"));
    assert_eq!(parts(&mut connection), ["run", "worker"], "nobody told it to run the mailer");
    let ask = |process: Option<&str>| Request::Log {
        release: None,
        process: process.map(ProcessName::new),
        lines: 5,
    };
    let told = until("the worker's output", || match connection.ask(ask(Some("worker"))) {
        Answer::Log { lines } if !lines.is_empty() => Some(lines),
        _ => None,
    });
    assert_eq!(told, ["worker of queue 1"]);
    let Answer::Log { lines } = connection.ask(ask(None)) else { panic!("no log") };
    assert_eq!(lines, [format!("listening on {}", server.port)]);
    assert!(matches!(connection.ask(ask(Some("../x"))), Answer::Error { .. }));
}

#[test]
fn a_once_process_is_given_up_before_the_host_says_so() {
    let server = Server::new();
    let mut connection = server.connect();
    push(&mut connection, &server, 1, &with_processes("1"), &["mailer"]);
    assert_eq!(parts(&mut connection), ["run", "worker", "mailer"]);
    // The next release: the mailer stays here though nobody says so again.
    push(&mut connection, &server, 2, &with_processes("2"), &[]);
    assert_eq!(parts(&mut connection), ["run", "worker", "mailer"]);
    let mut move_to = |number, holder| {
        let fence = fence(number, FenceKind::Push);
        assert!(matches!(connection.raise(&fence), Answer::Raised(_)));
        let process = ProcessName::new("mailer");
        assert_eq!(connection.ask(Request::Once { fence, process, holder }), Answer::Ok);
        connection.read().app.expect("one runs").processes
    };
    let left = move_to(3, Holder::Host { host: HostName::new("b") });
    assert!(left.iter().all(|one| one.part.to_string() != "mailer"), "{left:?}");
    move_to(4, Holder::Here);
    until("the mailer runs again", || (parts(&mut connection).len() == 3).then_some(()));
    assert_eq!(server.version().as_deref(), Some("2"), "nothing else was touched");
}
