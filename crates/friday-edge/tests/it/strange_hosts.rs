//! Hosts that are not what they should be: shell scripts in friday-host's place.

use std::time::Duration;

use friday_edge::fleet::{AskError, ConnectError, Fleet, HostProgram};
use friday_wire::frame::{Reply, json_frame};
use friday_wire::{Answer, HostName, Request};
use tokio::time::Instant;

use crate::bench::{Bench, soon};

const PREAMBLE: &str = r"printf '\000friday-host/1\r\n'";

/// A fleet of one host that runs this script as its friday-host.
fn fleet(bench: &Bench, script: &str) -> Fleet {
    let program = HostProgram::new(format!("#!/bin/sh\n{script}\n").into_bytes());
    Fleet::new(bench.setup(&["a"], program))
}

/// A shell command that answers the hello.
fn hello(wire: u32) -> String {
    let version = "9.9.9".to_owned();
    let program = friday_wire::Digest([7; 32]);
    reply(0, Answer::Hello { wire, version, program })
}

/// A shell command that answers a call.
fn reply(number: u64, answer: Answer) -> String {
    let frame = json_frame(&Reply { number, answer }).expect("short");
    let octal: String = frame.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{octal}'")
}

async fn fails(script: &str) -> ConnectError {
    let bench = Bench::new();
    match fleet(&bench, script).connect(&HostName::new("a"), soon()).await {
        Err(error) => error,
        Ok(connection) => panic!("{:?}", connection.hello()),
    }
}

#[tokio::test]
async fn a_talkative_profile_is_skipped() {
    let bench = Bench::new();
    let noise = r"echo Welcome; printf '\000\000friday-what/1\r\n'; head -c 40000 /dev/zero";
    let script = format!("{noise}; {PREAMBLE}; {}; cat >/dev/null", hello(1));
    let fleet = fleet(&bench, &script);
    let connection = fleet.connect(&HostName::new("a"), soon()).await.expect("open");
    assert_eq!(connection.hello().version, "9.9.9");
    assert_eq!(connection.hello().printed.as_deref(), Some("Welcome"));
}

#[tokio::test]
async fn a_silent_profile_printed_nothing() {
    let bench = Bench::new();
    let fleet = fleet(&bench, &format!("{PREAMBLE}; {}; cat >/dev/null", hello(1)));
    let connection = fleet.connect(&HostName::new("a"), soon()).await.expect("open");
    assert_eq!(connection.hello().printed, None);
}

#[tokio::test]
async fn garbage_is_shown_and_not_waited_for() {
    let error = fails("yes \"$(printf '\\033[31mhi')\"").await;
    let ConnectError::Garbage { got } = &error else { panic!("{error:?}") };
    assert!(got.contains("hi") && !got.contains('\x1b'), "{got}");
    let error = fails(&format!("{PREAMBLE}; echo nonsense; cat >/dev/null")).await;
    assert!(matches!(error, ConnectError::Garbage { .. }), "{error:?}");
    let error = fails("echo this is a restricted shell").await;
    assert!(matches!(error, ConnectError::Garbage { .. }), "{error:?}");
}

#[tokio::test]
async fn what_it_complains_of_is_told() {
    let error = fails("echo no such luck >&2; exit 3").await;
    let ConnectError::Ended { why } = &error else { panic!("{error:?}") };
    assert!(why.contains('3') && why.contains("no such luck"), "{why}");
    let error = fails("echo 'friday-host: not as root' >&2; exit 1").await;
    assert_eq!(error, ConnectError::Refused { why: "not as root".to_owned() });
}

#[tokio::test]
async fn another_protocol_is_told_apart() {
    let error = fails(&format!("{PREAMBLE}; {}; cat >/dev/null", hello(7))).await;
    assert!(matches!(error, ConnectError::Incompatible { wire: 7, .. }), "{error:?}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_was_not_sent() {
    let bench = Bench::new();
    let fleet = fleet(&bench, "exec cat >/dev/null");
    let deadline = Instant::now() + Duration::from_millis(800);
    let error = fleet.ask(&HostName::new("a"), &Request::READ, deadline).await.expect_err("late");
    assert!(matches!(error, AskError::NotSent(ConnectError::TimedOut { .. })), "{error:?}");
}

#[tokio::test]
async fn a_read_that_waits_for_the_connection_travels_with_the_hello() {
    let bench = Bench::new();
    // Says nothing before it has both.
    let both =
        "exec 3<&0; cat <&3 >\"$0.in\" & until grep -q '\"read\"' \"$0.in\"; do sleep 0.05; done";
    let (hello, first) = (hello(1), reply(1, Answer::Error { why: "both".to_owned() }));
    let fleet = fleet(&bench, &format!("{PREAMBLE}; {both}; {hello}; {first}; wait"));
    let answer = fleet.ask(&HostName::new("a"), &Request::READ, soon()).await.expect("answered");
    assert_eq!(answer, Answer::Error { why: "both".to_owned() });
    // Its answer is nobody else's: this one is asked anew, and here nobody answers.
    let deadline = Instant::now() + Duration::from_millis(500);
    let error = fleet.ask(&HostName::new("a"), &Request::READ, deadline).await.expect_err("late");
    assert!(matches!(error, AskError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn no_answer_in_time_or_a_lost_connection_is_unknown() {
    let host = HostName::new("a");
    let bench = Bench::new();
    let silent = fleet(&bench, &format!("{PREAMBLE}; {}; exec cat >/dev/null", hello(1)));
    silent.connect(&host, soon()).await.expect("open");
    let deadline = Instant::now() + Duration::from_millis(500);
    let error = silent.ask(&host, &Request::READ, deadline).await.expect_err("late");
    assert!(matches!(error, AskError::Unknown { .. }), "{error:?}");
    let bench = Bench::new();
    // Takes the hello and one byte of the next call, then dies.
    let dies = format!(
        "{PREAMBLE}; {}; l=$(head -c 5 | od -An -tu1 | (read a b c d e; echo $((d * 256 + e)))); \
         head -c $l >/dev/null; head -c 1 >/dev/null; echo gone >&2",
        hello(1)
    );
    let error = fleet(&bench, &dies).ask(&host, &Request::READ, soon()).await.expect_err("gone");
    let AskError::Unknown { why } = &error else { panic!("{error:?}") };
    assert!(why.contains("gone"), "{why}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_told() {
    let bench = Bench::new();
    std::fs::write(bench.path().join("hosts"), "a file in the way").expect("written");
    let error = bench.fleet(&["a"]).connect(&HostName::new("a"), soon()).await.expect_err("no");
    let ConnectError::Denied { directory, why } = &error else { panic!("{error:?}") };
    assert!(directory.ends_with("hosts/a") && !why.is_empty(), "{error}");
}

#[tokio::test]
async fn a_host_that_failed_is_tried_again_after_a_pause() {
    let bench = Bench::new();
    let fleet = fleet(&bench, "exit 1");
    let host = HostName::new("a");
    let before = Instant::now();
    for _ in 0..3 {
        fleet.connect(&host, soon()).await.expect_err("fails");
    }
    assert!(before.elapsed() >= Duration::from_millis(750));
    let unknown = fleet.connect(&HostName::new("b"), soon()).await.expect_err("unknown");
    assert!(matches!(unknown, ConnectError::UnknownHost { .. }));
}

#[tokio::test]
async fn hosts_that_accept_and_never_speak_delay_nobody_else() {
    let bench = Bench::new();
    let silent: Vec<String> = (0..64).map(|number| format!("silent-{number}")).collect();
    let names: Vec<&str> = silent.iter().map(String::as_str).chain(["well"]).collect();
    let script = format!(
        "case \"$*\" in *silent*) exec cat >/dev/null;; esac; {PREAMBLE}; {}; exec cat >/dev/null",
        hello(1)
    );
    let program = HostProgram::new(format!("#!/bin/sh\n{script}\n").into_bytes());
    let fleet = Fleet::new(bench.setup(&names, program));
    let far = Instant::now() + Duration::from_secs(600);
    let waiting: Vec<_> = silent
        .iter()
        .map(|name| {
            let (fleet, host) = (fleet.clone(), HostName::new(name));
            tokio::spawn(async move { fleet.connect(&host, far).await.map(drop) })
        })
        .collect();
    // All of them have their turn before the one that is well asks for one.
    tokio::time::sleep(Duration::from_millis(100)).await;
    fleet.connect(&HostName::new("well"), soon()).await.expect("not in the way of one another");
    assert!(waiting.iter().all(|task| !task.is_finished()));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
