//! Connections: who is let in, and what happens to nonsense.

use std::path::Path;
use std::process::Command;

use friday_wire::{Answer, FenceKind, Refusal, Request};

use crate::support::connection::{fence, hello};
use crate::support::server::PROGRAM;
use crate::support::{Connection, Server, until};

#[test]
fn hello_tells_the_program_and_a_new_host_knows_nothing() {
    let server = Server::new();
    let mut connection = server.connect();
    let bytes = std::fs::read(PROGRAM).expect("reads");
    assert_eq!(connection.hello(), crate::support::release::digest(&bytes));
    let seen = connection.read();
    assert_eq!(seen.head.current, None);
    assert_eq!(seen.head.fleet.as_str(), "shop");
    assert_eq!(seen.facts.drift, None);
    assert!(seen.facts.disk_total > seen.facts.disk_free && seen.facts.disk_free > 0);
    assert!(seen.head.boot.is_some_and(|boot| !boot.boot_id.is_empty()));
}

#[test]
fn the_wrong_fleet_host_or_version_is_an_error() {
    let server = Server::new();
    let mut connection = server.connect();
    for (request, says) in
        [(hello("bakery", "a"), "belongs to fleet `shop`"), (hello("shop", "b"), "is host `a`")]
    {
        let Answer::Error { why } = connection.ask(request) else { panic!("let in") };
        assert!(why.contains(says), "{why}");
    }
    let newer = Request::Hello {
        wire: 99,
        wire_min: 98,
        friday: "9.0".to_owned(),
        fleet: friday_wire::FleetName::new("shop"),
        host: friday_wire::HostName::new("a"),
    };
    let Answer::Error { why } = connection.ask(newer) else { panic!("let in") };
    assert!(why.contains("speaks protocol"), "{why}");
}

#[test]
fn nothing_is_answered_before_hello() {
    let server = Server::new();
    let mut connection = Connection::over(server.command(Path::new(PROGRAM)));
    let Answer::Error { why } = connection.ask(Request::READ) else { panic!("let in") };
    assert!(why.contains("hello"), "{why}");
}

#[test]
fn garbage_closes_its_connection_and_no_other() {
    let server = Server::new();
    let mut other = server.connect();
    let mut connection = server.connect();
    connection.write(b"GET / HTTP/1.1\r\n\r\n");
    assert!(connection.is_closed());
    assert!(server.log().contains("expected a frame"), "{}", server.log());
    let mut stray = server.connect();
    stray.write(&friday_wire::frame::data_frame(b"bytes of no file"));
    assert!(stray.is_closed());
    let _ = other.read();
}

#[test]
fn a_request_from_the_future_is_answered() {
    let server = Server::new();
    let mut connection = server.connect();
    let call = br#"{"number":77,"request":{"ask":"teleport","to":"mars"}}"#;
    let mut frame = vec![b'J'];
    frame.extend_from_slice(&(call.len() as u32).to_be_bytes());
    frame.extend_from_slice(call);
    connection.write(&frame);
    let Answer::Error { why } = connection.answer_to(77) else { panic!("understood") };
    assert!(why.contains("does not understand"), "{why}");
    let _ = connection.read();
}

#[test]
fn a_hundred_connections_are_bounded_and_the_newest_are_served() {
    let server = Server::new();
    let mut held: Vec<Connection> = (0..70).map(|_| server.connect()).collect();
    let _ = held.last_mut().expect("some").read();
    assert!(server.log().contains("the idlest is closed"));
}

#[test]
fn two_first_connections_start_one_serving_process() {
    let server = Server::new();
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..4).map(|_| scope.spawn(|| server.connect().read())).collect();
        both.into_iter().for_each(|one| {
            let _ = one.join().expect("is served");
        });
    });
    assert_eq!(server.processes("serve").len(), 1);
}

#[test]
fn a_lower_fence_is_refused_by_the_shell_too() {
    let server = Server::new();
    let mut connection = server.connect();
    assert!(matches!(connection.raise(&fence(5, FenceKind::Push)), Answer::Raised(_)));
    let upgrade = Request::Upgrade {
        fence: fence(4, FenceKind::Push),
        program: crate::support::release::digest(b"x"),
        confirm_ms: 1_000,
    };
    assert!(matches!(connection.ask(upgrade), Answer::Refused(Refusal::Fenced { .. })));
}

#[test]
fn the_directory_is_closed_to_others_and_a_strange_one_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::new();
    let _connection = server.connect();
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode();
    assert_eq!(mode(&server.dir) & 0o777, 0o700);
    assert_eq!(mode(&server.dir.join("sock")) & 0o777, 0o600);
    assert_eq!(mode(&server.dir.join("host.json")) & 0o777, 0o600);

    let file = server.dir.join("file");
    std::fs::write(&file, b"").expect("writes");
    let output = Command::new(PROGRAM)
        .args(["connect", "--fleet", "f", "--host", "h", "--local", "--dir"])
        .arg(&file)
        .output()
        .expect("runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be made"));
}

#[test]
fn a_damaged_or_newer_state_is_told_and_kept() {
    let server = Server::new();
    drop(server.connect());
    server.kill_serving();
    let state = server.dir.join("state.json");
    for (text, says) in [("{\"format\":1,", "damaged"), ("{\"format\":99}", "newer friday-host")] {
        std::fs::write(&state, text).expect("writes");
        let output = server.command(Path::new(PROGRAM)).output().expect("runs");
        assert!(!output.status.success());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(says), "{told}");
        assert_eq!(std::fs::read_to_string(&state).expect("reads"), text, "it is kept");
    }
}

#[test]
fn a_boot_hook_starts_what_connect_finds() {
    let server = Server::new();
    let boot =
        || Command::new(PROGRAM).args(["boot", "--dir"]).arg(&server.dir).output().expect("runs");
    assert!(!boot().status.success(), "it belongs to nobody yet");
    drop(server.connect());
    server.kill_serving();
    assert!(boot().status.success());
    let pid = server.serving().expect("serves");
    let _ = server.connect().read();
    assert_eq!(server.serving(), Some(pid));
    let link = std::fs::read_link(server.dir.join("bin/friday-host")).expect("is kept for it");
    assert!(server.dir.join("bin").join(link).is_file());
}

#[test]
fn connect_ends_when_friday_leaves() {
    let server = Server::new();
    let connection = server.connect();
    assert_eq!(connection.exit_code(), Some(0));
    until("the serving process stays", || server.serving().map(drop));
}
