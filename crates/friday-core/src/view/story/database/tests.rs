//! Exactly what is said of what happens beside databases.

use friday_wire::data::{
    Backup, Blocked, DataPhase, DrillReport, InvariantResult, Judged, LockSeen, Position,
    RehearsalReport, RehearsalStep, RehearsedStep, RestorePoint, SchemaChange, ScratchFacts,
    StepResult, VerifyReport,
};
use friday_wire::{BackupId, DataActId, DatabaseName, Digest, ReleaseId, RolloutId};

use super::told;
use crate::database::{DataAct, DataOutcome};
use crate::journal::event::Event;
use crate::view::Tone;

fn database() -> DatabaseName {
    DatabaseName::new("shop")
}

fn position() -> Position {
    Position::Postgres { system: "7".to_owned(), timeline: 1, lsn: "0/16B3740".to_owned() }
}

fn says(event: &Event) -> (Tone, String) {
    let (tone, text, below) = told(event);
    (tone, [vec![text], below].concat().join("\n"))
}

fn ended(outcome: DataOutcome) -> (Tone, String) {
    says(&Event::DataActEnded { act: DataActId::new("a"), database: database(), outcome })
}

fn drilled(invariants: Vec<(&str, InvariantResult)>) -> DataOutcome {
    let judged =
        |(name, result): (&str, InvariantResult)| Judged { name: name.to_owned(), result, ms: 1 };
    DataOutcome::Drilled {
        report: Box::new(DrillReport {
            backup: BackupId::new("b"),
            target: position(),
            reached: position(),
            phases: Vec::new(),
            rto_ms: 95_000,
            rpo_ms: Some(0),
            checks: Vec::new(),
            invariants: invariants.into_iter().map(judged).collect(),
            scratch: ScratchFacts { path: "s".to_owned(), bytes: 1, warm_bytes: 0, kept: false },
            masked: None,
        }),
    }
}

#[test]
fn acts_begin_and_end() {
    let begun = |what| Event::DataActBegun {
        act: DataActId::new("a"),
        person: "anna".to_owned(),
        database: database(),
        what,
    };
    assert_eq!(
        says(&begun(DataAct::Drill)),
        (Tone::Plain, "anna begins a drill of `shop`".to_owned())
    );
    let backup = Backup {
        id: BackupId::new("20260102T030405Z"),
        point: None,
        began_at_ms: 0,
        took_ms: 8_100,
        bytes: 120_000_000,
        stored: 31_000_000,
        position: position(),
        engine_version: "17".to_owned(),
        encrypted: true,
    };
    let pruned = vec![BackupId::new("x")];
    assert_eq!(
        ended(DataOutcome::BackedUp { backup, pruned }),
        (
            Tone::Good,
            "`shop` is backed up as 20260102T030405Z: 120 MB as 31 MB, in 8.1 s; 1 older backup put away"
                .to_owned()
        )
    );
    let failed = DataOutcome::Failed { phase: DataPhase::Replay, why: "a gap".to_owned() };
    assert_eq!(
        ended(failed),
        (Tone::Bad, "it failed beside `shop` while replaying: a gap".to_owned())
    );
}

#[test]
fn backups_are_whole_or_damaged() {
    let verified = |damage: &[&str]| DataOutcome::Verified {
        report: VerifyReport {
            backups: 7,
            bytes: 217_000_000,
            damage: damage.iter().map(|one| (*one).to_owned()).collect(),
        },
    };
    assert_eq!(
        ended(verified(&[])),
        (Tone::Good, "7 backups of `shop` are whole (217 MB read)".to_owned())
    );
    assert_eq!(
        ended(verified(&["b: piece 3 is not what it was"])),
        (Tone::Bad, "backups of `shop` are damaged\nb: piece 3 is not what it was".to_owned())
    );
}

#[test]
fn a_drill_proves_or_says_what_does_not_hold() {
    let holds = InvariantResult::Holds { value: Some("0".to_owned()) };
    assert_eq!(
        ended(drilled(vec![("sum", holds.clone())])),
        (
            Tone::Good,
            "`shop` can be restored, as of 0/16B3740 on timeline 1: in 95 s, and checked"
                .to_owned()
        )
    );
    let broken = |value: Option<&str>| InvariantResult::Broken {
        rows: 2,
        value: value.map(str::to_owned),
        listed: None,
    };
    let failed = InvariantResult::Failed { why: "it took too long".to_owned() };
    let all = vec![
        ("sum", holds),
        ("rows", broken(None)),
        ("number", broken(Some("9"))),
        ("late", failed),
    ];
    assert_eq!(
        ended(drilled(all)),
        (
            Tone::Bad,
            "`shop` was restored in 95 s, and what must hold in it does not\n`rows` does not hold: 2 rows\n`number` does not hold: 9\n`late` could not be asked: it took too long"
                .to_owned()
        )
    );
}

#[test]
fn restore_points_are_made_or_not() {
    let (rollout, why) = (RolloutId::new("push-1"), "its disk is full".to_owned());
    let copy = Position::Sqlite { digest: Digest([0xab; 32]) };
    let point = RestorePoint {
        name: "push-1".to_owned(),
        at_ms: 0,
        position: copy,
        backup: BackupId::new("b"),
        durable_ms: 310,
    };
    assert_eq!(
        says(&Event::RestorePointMade { rollout: rollout.clone(), database: database(), point }),
        (
            Tone::Plain,
            "`shop` has a restore point: copy abababababab, safe within 0.3 s".to_owned()
        )
    );
    let failed = Event::RestorePointFailed {
        rollout: rollout.clone(),
        database: database(),
        why: why.clone(),
    };
    assert_eq!(
        says(&failed),
        (Tone::Bad, "`shop` got no restore point: its disk is full".to_owned())
    );
    let unknown = Event::RestorePointUnknown { rollout, database: database(), why };
    assert_eq!(
        says(&unknown),
        (
            Tone::Warn,
            "not known whether `shop` got a restore point (its disk is full); asking again"
                .to_owned()
        )
    );
}

#[test]
fn a_rehearsal_tells_its_verdict_and_what_the_migration_costs() {
    let step = |step, ms, result| RehearsedStep { step, ms, result };
    let report = RehearsalReport {
        release: ReleaseId(Digest([2; 32])),
        old: Some(ReleaseId(Digest([1; 32]))),
        migration: Some("bin/up".to_owned()),
        back: None,
        backup: BackupId::new("b"),
        reached: position(),
        steps: vec![
            step(RehearsalStep::Migrate, 41_000, StepResult::Passed),
            step(RehearsalStep::NewHealth, 900, StepResult::Passed),
            step(RehearsalStep::NewWrite, 60, StepResult::Passed),
            step(RehearsalStep::NewInvariants, 60, StepResult::Passed),
            step(
                RehearsalStep::OldHealth,
                60,
                StepResult::Failed { why: "no column `paid`".to_owned() },
            ),
        ],
        schema: SchemaChange::Changed,
        locks: vec![LockSeen {
            on: "orders".to_owned(),
            mode: "AccessExclusiveLock".to_owned(),
            blocks: Blocked::Everybody,
            held_ms: 40_000,
        }],
    };
    let (tone, text) = ended(DataOutcome::Rehearsed { report: Box::new(report) });
    assert_eq!(
        text,
        "the push of 020202020202 was rehearsed on a copy of `shop`: one-way\n\
         the old release's health on the new data failed: no column `paid`\n\
         the migration took 41 s\n\
         it would have blocked readers and writers of orders for 40 s"
    );
    assert_eq!(tone, Tone::Warn);
}
