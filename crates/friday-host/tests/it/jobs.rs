//! Jobs, for real: a minute is waited for, runs end well and badly, and a release that goes takes its
//! jobs with it.

use std::collections::BTreeMap;
use std::time::Duration;

use friday_wire::{
    Answer, FenceKind, HealthSpec, HealthState, JobFacts, JobOutcome, ProcessName, ProcessSpec,
    Processes, ReleaseId, Request, RoleName, Spread, Step, StepState, Timetable, Undo,
};

use crate::support::connection::{fence, switch};
use crate::support::release::{Made, digest, serving};
use crate::support::{Connection, Server, until, until_within};

fn job(command: &str, timezone: Option<&str>) -> ProcessSpec {
    ProcessSpec {
        roles: [RoleName::new("web")].into(),
        command: command.to_owned(),
        env: BTreeMap::from([("QUEUE".to_owned(), "night".to_owned())]),
        health: HealthSpec { steady_ms: 0, ..HealthSpec::default() },
        port: None,
        spread: Spread::Each,
        timetable: Some(Timetable {
            at: "* * * * *".to_owned(),
            timezone: timezone.map(str::to_owned),
            deadline_ms: 2_000,
        }),
    }
}

fn with_jobs(version: &str, jobs: &[(&str, ProcessSpec)]) -> Made {
    let mut made = serving(version);
    let named = jobs.iter().map(|(name, spec)| (ProcessName::new(*name), spec.clone()));
    made.manifest.run.processes =
        Processes { run_in: Some([RoleName::new("web")].into()), named: named.collect() };
    made.id = ReleaseId(digest(&made.manifest.identity_bytes()));
    made
}

fn stage(connection: &mut Connection, number: u64, made: &Made) -> StepState {
    let (push, rollout) = (fence(number, FenceKind::Push), format!("r{number}"));
    connection.open(&push, &rollout, Some(made.id));
    connection.send_release(made);
    connection.step(&push, &rollout, Step::Stage { release: made.id })
}

fn push(connection: &mut Connection, server: &Server, number: u64, made: &Made) {
    let (push, rollout) = (fence(number, FenceKind::Push), format!("r{number}"));
    assert_eq!(stage(connection, number, made), StepState::Done);
    let mut step = switch(made.id, server.port, Undo::Nothing);
    if let Step::Switch { role, .. } = &mut step {
        *role = Some(RoleName::new("web"));
    }
    match connection.step(&push, &rollout, step) {
        StepState::AwaitingConfirm { nonce, .. } => {
            assert_eq!(connection.confirm(&push, &rollout, nonce), StepState::Done);
        }
        other => panic!("does not await its confirm: {other:?}"),
    }
    connection.close_stable(&push, &rollout, Some(made.id));
}

fn facts(connection: &mut Connection, name: &str) -> JobFacts {
    let app = connection.read().app.expect("one runs");
    let is = |part: &friday_wire::Part| part.name().is_some_and(|known| known.as_str() == name);
    let found = app.processes.into_iter().find(|one| is(&one.part)).expect("it is there");
    found.job.expect("it is a job")
}

fn log(connection: &mut Connection, release: ReleaseId, name: &str) -> String {
    let process = Some(ProcessName::new(name));
    match connection.ask(Request::Log { release: Some(release), process, lines: 50 }) {
        Answer::Log { lines } => lines.join("\n"),
        other => panic!("no log: {other:?}"),
    }
}

#[test]
fn jobs_run_at_their_minute_and_end_with_their_release() {
    let server = Server::new();
    let mut connection = server.connect();
    let failing = job("echo \"$FRIDAY_PROCESS of $QUEUE\"; (sleep 0.5; echo later) & exit 3", None);
    let late = job("echo begun; sleep 100003", Some("Europe/Berlin"));
    let one = with_jobs("1", &[("failing", failing), ("late", late)]);
    push(&mut connection, &server, 1, &one);
    let waits = facts(&mut connection, "late");
    assert_eq!(waits.timezone.as_deref(), Some("Europe/Berlin"));
    assert!(waits.next_ms.is_some_and(|next| next % 60_000 == 0), "{waits:?}");

    let ended = |name: &'static str, connection: &mut Connection| {
        until_within(Duration::from_secs(150), "a minute, and the end of a run", || {
            std::thread::sleep(Duration::from_millis(100));
            let last = facts(connection, name).last?;
            last.ended.clone().map(|ended| (last, ended))
        })
    };
    let (run, end) = ended("failing", &mut connection);
    assert_eq!((end.outcome, end.status.as_str()), (JobOutcome::Failed, "exit status 3"));
    assert!(run.due_ms % 60_000 == 0 && run.began_ms >= run.due_ms && run.release == one.id);
    assert!(end.at_ms - run.began_ms >= 400, "a run is over when nothing of it is left: {end:?}");
    let (_, end) = ended("late", &mut connection);
    assert_eq!(end.outcome, JobOutcome::Late, "{end:?}");
    until("how a run ends is no matter of health", || {
        let app = connection.read().app.expect("one runs");
        (app.health == HealthState::Healthy).then_some(())
    });
    let text = log(&mut connection, one.id, "failing");
    for wanted in ["friday: run of ", "failing of night", "later", "friday: ended after"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }

    // The next release has one of them; nothing is left that could run the other.
    let two = with_jobs("2", &[("failing", job("echo two", None))]);
    push(&mut connection, &server, 2, &two);
    let last = facts(&mut connection, "failing").last.expect("it is kept by name");
    // On a slow machine the next minute has come meanwhile.
    assert!([one.id, two.id].contains(&last.release));
    let mark = format!("FRIDAY_RELEASE={}", one.id).into_bytes();
    let lives = |pid: &std::path::Path| {
        let env = std::fs::read(pid.join("environ")).unwrap_or_default();
        env.split(|byte| *byte == 0).any(|entry| entry == mark)
    };
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let left: Vec<_> = processes.map(|entry| entry.path()).filter(|pid| lives(pid)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_zone_that_the_host_does_not_know_is_told_before_anything_is_switched() {
    let server = Server::new();
    let mut connection = server.connect();
    let made = with_jobs("1", &[("moon", job("true", Some("Moon/Tycho")))]);
    match stage(&mut connection, 1, &made) {
        StepState::Failed { why, .. } => {
            assert!(why.contains("`Moon/Tycho`") && why.contains("tzdata"), "{why}");
        }
        other => panic!("staged: {other:?}"),
    }
}
