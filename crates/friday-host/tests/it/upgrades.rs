//! friday-host replaces itself: confirmed, not confirmed, broken.

use std::io::Write;
use std::path::Path;

use friday_wire::{Answer, Digest, FenceKind, Request, Undo};

use crate::support::connection::fence;
use crate::support::release::{digest, serving};
use crate::support::server::PROGRAM;
use crate::support::{Connection, Server, until};

/// The same program with other bytes at its end: another digest.
fn newer_program() -> Vec<u8> {
    let mut bytes = std::fs::read(PROGRAM).expect("reads");
    bytes.write_all(b"newer").expect("appends");
    bytes
}

fn upgrade(connection: &mut Connection, program: &[u8], confirm_ms: u64) -> Answer {
    let name = digest(program);
    assert_eq!(connection.put(name, program, 0), Answer::Ok);
    let fence = fence(9, FenceKind::Push);
    assert!(matches!(connection.raise(&fence), Answer::Raised(_)));
    connection.ask(Request::Upgrade { fence, program: name, confirm_ms })
}

fn program_that_serves(server: &Server) -> Option<Digest> {
    let mut connection = Connection::over(server.command(Path::new(PROGRAM)));
    // While one program gives way to the other, a connection may be closed before its answer.
    match connection.ask_or_closed(crate::support::connection::hello("shop", "a")) {
        Some(Answer::Hello { program, .. }) => Some(program),
        _ => None,
    }
}

fn linked(server: &Server) -> String {
    let link = std::fs::read_link(server.dir.join("bin/friday-host")).expect("is there");
    link.display().to_string()
}

#[test]
fn a_confirmed_upgrade_stays_and_applications_do_not_notice() {
    let server = Server::new();
    let mut connection = server.connect();
    let old = connection.hello();
    let one = serving("1");
    connection.push(1, server.port, &one, Undo::Nothing);
    let shims = server.processes("run");
    let guardian = server.serving().expect("serves");
    let newer = newer_program();
    assert_eq!(upgrade(&mut connection, &newer, 600_000), Answer::Ok);
    assert_eq!(program_that_serves(&server), Some(digest(&newer)));
    assert!(
        linked(&server).ends_with(&old.to_string()),
        "a boot starts the old one until confirmed"
    );

    let confirm = Request::ConfirmUpgrade { fence: fence(9, FenceKind::Push) };
    let mut connection = server.connect();
    assert_eq!(connection.ask(confirm.clone()), Answer::Ok);
    let again = connection.ask(confirm);
    assert!(matches!(again, Answer::Error { .. }), "{again:?}");
    assert!(linked(&server).ends_with(&digest(&newer).to_string()));
    until("the old one ends", || (!crate::support::server::is_alive(guardian)).then_some(()));
    let app = connection.read().app.expect("runs");
    assert!(app.running && app.restarts == 0, "{app:?}");
    assert_eq!(server.processes("run"), shims);
    assert_eq!(server.version().as_deref(), Some("1"));
}

#[test]
fn an_unconfirmed_upgrade_is_undone_and_keeps_what_happened_meanwhile() {
    let server = Server::new();
    let mut connection = server.connect();
    let old = connection.hello();
    let newer = newer_program();
    assert_eq!(upgrade(&mut connection, &newer, 3_000), Answer::Ok);
    let late =
        connection.ask_or_closed(Request::ConfirmUpgrade { fence: fence(9, FenceKind::Push) });
    assert!(!matches!(late, Some(Answer::Ok)), "an old connection confirmed");
    let mut during = server.connect();
    assert!(matches!(during.raise(&fence(11, FenceKind::Push)), Answer::Raised(_)));
    drop(during);
    until("the old one serves again", || (program_that_serves(&server)? == old).then_some(()));
    let mut connection = server.connect();
    assert_eq!(connection.read().head.fence.number, 11);
    let confirm = Request::ConfirmUpgrade { fence: fence(11, FenceKind::Push) };
    assert!(matches!(connection.ask(confirm), Answer::Error { .. }));
}

#[test]
fn a_new_program_that_dies_gives_way_to_the_old_one() {
    let server = Server::new();
    let mut connection = server.connect();
    let old = connection.hello();
    let guardian = server.serving().expect("serves");
    let newer = newer_program();
    assert_eq!(upgrade(&mut connection, &newer, 600_000), Answer::Ok);
    let new =
        until("it is there", || server.processes("serve").into_iter().find(|pid| *pid != guardian));
    crate::support::server::kill(new);
    until("the old one serves again", || (program_that_serves(&server)? == old).then_some(()));
    until("only one serves", || (server.processes("serve").len() == 1).then_some(()));
}

#[test]
fn a_program_that_does_not_run_or_was_not_sent_changes_nothing() {
    let server = Server::new();
    let mut connection = server.connect();
    let Answer::Error { why } = upgrade(&mut connection, b"#!/nowhere\n", 1_000) else {
        panic!("taken");
    };
    assert!(why.contains("does not run"), "{why}");
    let Answer::Error { why } = upgrade(&mut connection, b"#!/bin/sh\nexit 4\n", 1_000) else {
        panic!("taken");
    };
    assert!(why.contains("does not run"), "{why}");
    let absent = Request::Upgrade {
        fence: fence(9, FenceKind::Push),
        program: digest(b"absent"),
        confirm_ms: 1_000,
    };
    let Answer::Error { why } = connection.ask(absent) else { panic!("taken") };
    assert!(why.contains("was not transferred"), "{why}");
    let _ = connection.read();
}
