//! A host leaves its fleet, or is called something else.

use friday_wire::{Answer, FenceKind, HostName, Request, RolloutId, StepKey, Undo};

use crate::support::connection::{fence, hello, migrate};
use crate::support::release::serving;
use crate::support::{Server, until};

fn leave(number: u64) -> Request {
    Request::Leave { fence: fence(number, FenceKind::Push), drain_ms: 0, stop_ms: 2_000 }
}

#[test]
fn a_host_that_leaves_stops_what_runs_and_removes_what_is_fridays() {
    let server = Server::new();
    let mut connection = server.connect();
    let one = serving("1");
    connection.push(1, server.port, &one, Undo::Nothing);
    assert!(!server.processes("run").is_empty());
    std::fs::write(server.dir.join("shared/orders.db"), "orders").expect("it is our directory");

    let answer = connection.ask(leave(9));
    assert_eq!(answer, Answer::Ok);
    assert_eq!(server.processes("run"), Vec::<i32>::new(), "nothing runs when it is answered");
    until("friday-host ends", || server.serving().is_none().then_some(()));
    let left: Vec<_> = std::fs::read_dir(&server.dir).expect("it is there").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(server.dir.join("shared/orders.db").exists(), "people's data stay");

    // A later contact is a first one.
    let mut again = server.connect();
    let Answer::Observed(seen) = again.ask(Request::READ) else { panic!("it is observed") };
    assert_eq!((seen.head.current, seen.head.stable), (None, None));
    assert!(seen.head.held.is_empty());
}

#[test]
fn who_leaves_waits_for_small_work_and_is_refused_for_long_work() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = serving("1");
    connection.stage(&made);
    let (started, end) = (server.dir.join("started"), server.dir.join("end"));
    let (touch, wait_for) = (started.display(), end.display());
    let command = format!("touch {touch}; until [ -e {wait_for} ]; do sleep 0.05; done");
    let step = migrate(&made, &command, 60_000);
    let key = StepKey { rollout: RolloutId::new("r1"), step: step.name(), attempt: 1 };
    connection.send(Request::Do { fence: fence(1, FenceKind::Push), key, step });
    until("it runs", || started.exists().then_some(()));

    let mut other = server.connect();
    match other.ask(leave(9)) {
        Answer::Error { why } => assert!(why.contains("at work"), "{why}"),
        answer => panic!("it leaves in the middle of a migration: {answer:?}"),
    }
    assert!(server.dir.join("state.json").exists(), "nothing has changed");

    // It ends while somebody asks.
    let asked = other.send(leave(9));
    std::fs::write(&end, "").expect("it is our directory");
    assert_eq!(other.answer_to(asked), Answer::Ok);
}

#[test]
fn a_lower_fence_makes_nobody_leave() {
    let server = Server::new();
    let mut connection = server.connect();
    connection.push(1, server.port, &serving("1"), Undo::Nothing);
    let before = server.processes("run");
    assert!(matches!(connection.raise(&fence(9, FenceKind::Push)), Answer::Raised(_)));
    assert!(matches!(connection.ask(leave(8)), Answer::Refused(_)));
    assert_eq!(server.processes("run"), before);
}

#[test]
fn a_renamed_host_answers_to_its_new_name_and_restarts_nothing() {
    let server = Server::new();
    let mut connection = server.connect();
    connection.push(1, server.port, &serving("1"), Undo::Nothing);
    let (before, serving) = (server.processes("run"), server.serving());
    let rename = |number, to: &str| Request::Rename {
        fence: fence(number, FenceKind::Push),
        to: HostName::new(to),
    };
    assert!(matches!(connection.ask(rename(0, "b")), Answer::Refused(_)), "not under a low fence");
    assert_eq!(connection.ask(rename(9, "b")), Answer::Ok);
    assert_eq!((server.processes("run"), server.serving()), (before, serving));

    assert!(matches!(connection.ask(hello("shop", "b")), Answer::Hello { .. }));
    match connection.ask(hello("shop", "a")) {
        Answer::Error { why } => assert!(why.contains("is host `b`"), "{why}"),
        other => panic!("the old name is still answered to: {other:?}"),
    }
}
