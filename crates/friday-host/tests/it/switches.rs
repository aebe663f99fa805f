//! Switches: confirmed, undone, taken back, refused; over a crash of friday-host too.

use friday_wire::{
    Answer, BackPace, FenceKind, HealthSpec, HealthState, Ports, Refusal, Request, RolloutId,
    Rotation, Step, StepKey, StepState, Undo,
};

use crate::support::connection::{clocks, fence, switch};
use crate::support::release::{files_only, serving};
use crate::support::{Connection, Server, until};

fn back(
    to: Option<friday_wire::ReleaseId>,
    leaves: Option<friday_wire::ReleaseId>,
    port: u16,
) -> Step {
    Step::Back {
        role: None,
        to,
        quarantine: leaves.map(|release| (release, "answers with errors".to_owned())),
        pace: BackPace::AtOnce,
        clocks: clocks(),
        ports: Ports::Fixed { port },
        rotation: Rotation::None,
    }
}

#[test]
fn a_first_push_serves_is_stable_and_is_observed() {
    let server = Server::new();
    let mut connection = server.connect();
    let one = serving("1");
    connection.push(1, server.port, &one, Undo::Nothing);
    assert_eq!(server.version().as_deref(), Some("1"));
    let seen = connection.read();
    assert_eq!((seen.head.current, seen.head.stable), (Some(one.id), Some(one.id)));
    let app = seen.app.expect("one runs");
    assert!(app.running && app.in_rotation);
    assert_eq!((app.health, app.port), (HealthState::Healthy, Some(server.port)));
    assert_eq!(seen.facts.drift, None);
    let current = std::fs::read_link(server.dir.join("current")).expect("points");
    assert!(current.ends_with(one.id.to_string()));
    let Answer::Log { lines } =
        connection.ask(Request::Log { release: None, process: None, lines: 10 })
    else {
        panic!("no log");
    };
    assert_eq!(lines, [format!("listening on {}", server.port)]);
}

/// Sends and stages the second release, and switches to it without confirming.
fn begin_second(
    connection: &mut Connection,
    server: &Server,
    confirm_ms: u64,
) -> (Step, StepState) {
    let (one, two) = (serving("1"), serving("2"));
    let push = fence(2, FenceKind::Push);
    connection.open(&push, "r2", Some(two.id));
    connection.send_release(&two);
    assert_eq!(connection.step(&push, "r2", Step::Stage { release: two.id }), StepState::Done);
    let mut step = switch(two.id, server.port, Undo::To { release: one.id });
    if let Step::Switch { clocks, .. } = &mut step {
        clocks.confirm_ms = confirm_ms;
    }
    let state = connection.step(&push, "r2", step.clone());
    (step, state)
}

#[test]
fn an_unconfirmed_switch_is_undone_by_the_host_alone() {
    let server = Server::new();
    let mut connection = server.connect();
    let one = serving("1");
    connection.push(1, server.port, &one, Undo::Nothing);
    let (step, state) = begin_second(&mut connection, &server, 1_000);
    assert!(matches!(state, StepState::AwaitingConfirm { .. }), "{state:?}");
    assert_eq!(server.version().as_deref(), Some("2"));
    drop(connection);
    until("the old one serves again", || (server.version().as_deref() == Some("1")).then_some(()));
    let mut connection = server.connect();
    until("it is over", || {
        let seen = connection.read();
        (!seen.armed && seen.head.current == Some(one.id)).then_some(())
    });
    let key = StepKey { rollout: RolloutId::new("r2"), step: step.name(), attempt: 1 };
    let push = fence(2, FenceKind::Push);
    let again = connection.ask(Request::Do { fence: push, key, step });
    let Answer::Step(report) = again else { panic!("no step: {again:?}") };
    assert!(matches!(report.state, StepState::Undone { .. }), "{report:?}");
}

#[test]
fn an_armed_switch_is_undone_after_a_crash_too_and_applications_survive_it() {
    let server = Server::new();
    let mut connection = server.connect();
    let one = serving("1");
    connection.push(1, server.port, &one, Undo::Nothing);
    server.kill_serving();
    assert_eq!(server.version().as_deref(), Some("1"), "the application does not notice");
    let mut connection = server.connect();
    let app = connection.read().app.expect("is found again");
    assert!(app.running && app.restarts == 0, "{app:?}");

    let (_, state) = begin_second(&mut connection, &server, 5_000);
    assert!(matches!(state, StepState::AwaitingConfirm { .. }), "{state:?}");
    server.kill_serving();
    assert_eq!(server.version().as_deref(), Some("2"));
    let mut connection = server.connect();
    until("the old one serves again", || (server.version().as_deref() == Some("1")).then_some(()));
    until("it is over", || {
        let seen = connection.read();
        (!seen.armed && seen.head.current == Some(one.id)).then_some(())
    });
}

#[test]
fn back_takes_a_release_off_and_the_host_refuses_it_from_then_on() {
    let server = Server::new();
    let mut connection = server.connect();
    let (one, two) = (serving("1"), serving("2"));
    connection.push(1, server.port, &one, Undo::Nothing);
    connection.push(2, server.port, &two, Undo::To { release: one.id });
    assert_eq!(server.version().as_deref(), Some("2"));

    let rollback = fence(3, FenceKind::Rollback);
    connection.open(&rollback, "r3", Some(one.id));
    let state = connection.step(&rollback, "r3", back(Some(one.id), Some(two.id), server.port));
    assert_eq!(state, StepState::Done);
    assert_eq!(server.version().as_deref(), Some("1"));
    let seen = connection.read();
    assert!(seen.head.refuses(&two.id));
    assert_eq!((seen.head.current, seen.head.stable), (Some(one.id), Some(one.id)));
    connection.close_stable(&rollback, "r3", None);

    let push = fence(4, FenceKind::Push);
    assert!(matches!(connection.raise(&push), Answer::Raised(_)));
    let rollout = friday_wire::OpenRollout {
        id: RolloutId::new("r4"),
        kind: friday_wire::RolloutKind::Push,
        release: Some(two.id),
        returns_to: Some(one.id),
        leaves: None,
        migration: friday_wire::Migration::NotBegun,
    };
    let opened =
        connection.ask(Request::Open { fence: push.clone(), rollout, once: Default::default() });
    let step = switch(two.id, server.port, Undo::To { release: one.id });
    let key = StepKey { rollout: RolloutId::new("r4"), step: step.name(), attempt: 1 };
    let refused = [opened, connection.ask(Request::Do { fence: push, key, step })]
        .into_iter()
        .any(|answer| matches!(answer, Answer::Refused(Refusal::Quarantined { .. })));
    assert!(refused);
    assert_eq!(server.version().as_deref(), Some("1"));
}

#[test]
fn a_first_push_goes_back_to_nothing() {
    let server = Server::new();
    let mut connection = server.connect();
    let one = serving("1");
    connection.push(1, server.port, &one, Undo::Nothing);
    let rollback = fence(2, FenceKind::Rollback);
    connection.open(&rollback, "r2", None);
    let state = connection.step(&rollback, "r2", back(None, Some(one.id), server.port));
    assert_eq!(state, StepState::Done);
    assert_eq!(server.version(), None);
    assert!(!server.dir.join("current").exists());
    assert_eq!(connection.read().head.current, None);
    assert!(server.processes("run").is_empty());
}

#[test]
fn health_pages_follow_the_switch() {
    let server = Server::new();
    let mut connection = server.connect();
    let page = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let listen = page.local_addr().expect("has one").to_string();
    drop(page);
    let one = serving("1");
    let push = fence(1, FenceKind::Push);
    connection.open(&push, "r1", Some(one.id));
    connection.send_release(&one);
    assert_eq!(connection.step(&push, "r1", Step::Stage { release: one.id }), StepState::Done);
    let mut step = switch(one.id, server.port, Undo::Nothing);
    if let Step::Switch { rotation, .. } = &mut step {
        *rotation = Rotation::Page { listen: listen.clone() };
    }
    let state = connection.step(&push, "r1", step);
    assert!(matches!(state, StepState::AwaitingConfirm { .. }), "{state:?}");
    let status = || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&listen).ok()?;
        stream.write_all(b"GET /up HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.split(' ').nth(1).map(str::to_owned)
    };
    assert_eq!(status().as_deref(), Some("200"));
    server.kill_serving();
    assert_eq!(status(), None);
    let _ = server.connect().read();
    assert_eq!(status().as_deref(), Some("200"), "it is as it was");
}

#[test]
fn killed_at_any_moment_of_a_switch_the_host_ends_up_with_one_release() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = [serving("0"), serving("1")];
    connection.push(1, server.port, &made[0], Undo::Nothing);
    connection.push(2, server.port, &made[1], Undo::To { release: made[0].id });
    for round in 0..12_u64 {
        let seen = connection.read();
        let from = seen.head.current.expect("one runs");
        let to = if from == made[0].id { made[1].id } else { made[0].id };
        let (push, rollout) = (fence(3 + round, FenceKind::Push), format!("k{round}"));
        connection.open(&push, &rollout, Some(to));
        let step = switch(to, server.port, Undo::To { release: from });
        let key = StepKey { rollout: RolloutId::new(&rollout), step: step.name(), attempt: 1 };
        connection.send(Request::Do { fence: push.clone(), key, step: step.clone() });
        // The moment is the fault's, not a wait for anything.
        std::thread::sleep(std::time::Duration::from_millis(round * 12));
        server.kill_serving();
        connection = server.connect();
        let state = connection.step(&push, &rollout, step);
        let StepState::AwaitingConfirm { nonce, .. } = state else {
            panic!("round {round}: {state:?}");
        };
        assert_eq!(connection.confirm(&push, &rollout, nonce), StepState::Done);
        connection.close_stable(&push, &rollout, Some(to));
        let version = if to == made[0].id { "0" } else { "1" };
        assert_eq!(server.version().as_deref(), Some(version), "round {round}");
        until("one application runs", || (server.processes("run").len() == 1).then_some(()));
        assert_eq!(connection.read().facts.drift, None);
    }
}

#[test]
fn a_release_of_files_only_is_proven_by_its_command() {
    let server = Server::new();
    let mut connection = server.connect();
    let health = HealthSpec {
        command: Some("test \"$(cat version)\" = 1".to_owned()),
        interval_first_ms: 50,
        passes: 1,
        steady_ms: 0,
        ..HealthSpec::default()
    };
    let one = files_only("1", health);
    connection.push(1, server.port, &one, Undo::Nothing);
    let seen = connection.read();
    assert_eq!(seen.head.stable, Some(one.id));
    assert_eq!(seen.app.expect("it counts as running").health, HealthState::Healthy);
}
