//! A state that cannot be written, commands that hang or are cut off, rotation by commands, prune.

use std::fs;
use std::path::Path;
use std::process::Command;

use friday_wire::{Answer, FenceKind, HealthSpec, Request, Rotation, Step, StepState, Undo};

use crate::support::connection::{fence, migrate, switch};
use crate::support::release::{Made, http_health, running, serving};
use crate::support::server::PROGRAM;
use crate::support::{Server, until};

#[test]
fn a_state_that_cannot_be_written_is_no_state() {
    let server = Server::new();
    let mut connection = server.connect();
    assert!(matches!(connection.raise(&fence(1, FenceKind::Push)), Answer::Raised(_)));
    // Directories where the temporary files would be written.
    let pid = server.serving().expect("serves");
    let in_the_way: Vec<_> = (0..100)
        .map(|turn| server.dir.join(format!("state.json.{pid}-{turn}.new")))
        .filter(|path| fs::create_dir(path).is_ok())
        .collect();
    let Answer::Error { why } = connection.raise(&fence(2, FenceKind::Push)) else {
        panic!("answered from memory");
    };
    assert!(why.contains("cannot be written"), "{why}");
    in_the_way.iter().for_each(|path| fs::remove_dir(path).expect("removes"));
    assert!(connection.is_closed());
    let mut connection = server.connect();
    assert_eq!(connection.read().head.fence.number, 1, "what was not stored never was");
    assert!(matches!(connection.raise(&fence(3, FenceKind::Push)), Answer::Raised(_)));
    // It starts over by itself, unless a connection's start came before it: then it leaves.
    until("one serves", || (server.processes("serve").len() == 1).then_some(()));
}

#[test]
fn a_migration_runs_in_its_tree_and_its_failure_is_told() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("1");
    connection.stage(&made);
    let command = "echo $FRIDAY_HOST $GREETING; cat version; sleep 600";
    let state = connection.step(&fence(1, FenceKind::Push), "r1", migrate(&made, command, 2_000));
    let StepState::Failed { why, log, .. } = state else { panic!("no failure: {state:?}") };
    assert!(why.contains("killed after"), "{why}");
    assert_eq!(log, ["a hello", "1"]);
}

#[test]
fn a_migration_that_nobody_saw_end_is_lost_and_not_run_again() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("1");
    connection.stage(&made);
    let runs = server.dir.join("runs");
    let command = format!("echo $$ >>{}; exec sleep 600", runs.display());
    let (push, step) = (fence(1, FenceKind::Push), migrate(&made, &command, 5_000));
    let key = friday_wire::StepKey {
        rollout: friday_wire::RolloutId::new("r1"),
        step: step.name(),
        attempt: 1,
    };
    connection.send(Request::Do { fence: push.clone(), key, step: step.clone() });
    let pid: i32 = until("it runs", || fs::read_to_string(&runs).ok()?.trim().parse().ok());
    server.kill_serving();
    let mut connection = server.connect();
    let state = connection.step(&push, "r1", step);
    assert!(matches!(state, StepState::Lost { .. }), "{state:?}");
    until("its deadline ends it", || (!crate::support::server::is_alive(pid)).then_some(()));
    assert_eq!(fs::read_to_string(runs).expect("reads"), format!("{pid}\n"), "it ran once");
}

#[test]
fn rotation_commands_are_told_what_to_point_to() {
    let server = Server::new();
    let mut connection = server.connect();
    let health = HealthSpec { http: None, tcp: true, ..http_health() };
    let made = running("1", "exec ./server", health);
    connection.stage(&made);
    let told = server.dir.join("told");
    let command = |way: &str| {
        format!("echo {way} $FRIDAY_PORT $FRIDAY_RELEASE $FRIDAY_HOST >>{}", told.display())
    };
    let mut step = switch(made.id, server.port, Undo::Nothing);
    if let Step::Switch { rotation, .. } = &mut step {
        *rotation =
            Rotation::Commands { into: command("into"), out: command("out"), timeout_ms: 30_000 };
    }
    let state = connection.step(&fence(1, FenceKind::Push), "r1", step);
    assert!(matches!(state, StepState::AwaitingConfirm { .. }), "{state:?}");
    let lines = fs::read_to_string(told).expect("reads");
    let into = format!("into {} {} a", server.port, made.id);
    assert!(lines.lines().any(|line| line == into), "{lines}");
}

#[test]
fn prune_keeps_what_can_be_gone_back_to() {
    let server = Server::new();
    let mut connection = server.connect();
    let made: Vec<Made> = ["1", "2", "3"].into_iter().map(serving).collect();
    connection.push(1, server.port, &made[0], Undo::Nothing);
    connection.push(2, server.port, &made[1], Undo::To { release: made[0].id });
    connection.push(3, server.port, &made[2], Undo::To { release: made[1].id });
    let prune = Request::Prune { fence: fence(3, FenceKind::Push), keep: (1, 1) };
    assert_eq!(connection.ask(prune), Answer::Ok);
    let tree = |made: &Made| server.dir.join("releases").join(made.id.to_string());
    // The close asked for a prune too; its end may answer this one's call.
    until("the oldest is gone", || (!tree(&made[0]).exists()).then_some(()));
    assert!(tree(&made[2]).exists());
    until("its manifest is gone", || {
        let answer = connection.ask(Request::GetManifest { release: made[0].id });
        matches!(answer, Answer::Error { .. }).then_some(())
    });
    assert!(!connection.read().head.held.contains(&made[0].id));
    assert_eq!(server.version().as_deref(), Some("3"));
    assert_eq!(connection.read().facts.drift, None);
}

#[test]
fn root_is_refused_unless_somebody_insists() {
    let server = Server::new();
    let mut connect = Command::new(PROGRAM);
    connect.args(["connect", "--fleet", "shop", "--host", "a", "--dir"]).arg(&server.dir);
    let output = connect.output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if is_root() {
        assert!(told.contains("does not work as root"), "{told}");
        assert!(!server.dir.exists(), "nothing was made");
        connect.arg("--as-root");
        assert!(connect.output().expect("runs").status.success());
    } else {
        assert!(output.status.success(), "{told}");
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(Path::new("/proc/self")).expect("is there").uid() == 0
}
