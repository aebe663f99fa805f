//! What drills, backups and looks through backups make of what is known, and when that is a proof.

use friday_wire::data::{
    Backup, DataPhase, DrillReport, InvariantResult, Judged, PhaseTime, Position, RehearsalReport,
    RehearsalStep, RehearsedStep, RestorePoint, SchemaChange, ScratchFacts, StepResult,
    VerifyReport,
};
use friday_wire::{BackupId, DataActId, Digest, ReleaseId, RolloutId};

use super::{ActBegun, DataAct, DataOutcome, DatabaseKnown, Demand, Forecast, Proof};
use crate::time::Timestamp;

const MB: u64 = 1_000_000;
const DAY: u64 = 86_400_000;

const DEMAND: Demand = Demand { max_age_ms: 7 * DAY, recovery_time_ms: None };

fn position() -> Position {
    Position::Sqlite { digest: Digest([7; 32]) }
}

fn backup(id: &str, bytes: u64) -> Backup {
    Backup {
        id: BackupId::new(id),
        point: None,
        began_at_ms: id.len() as u64,
        took_ms: 10,
        bytes,
        stored: bytes / 2,
        position: position(),
        engine_version: "3.51.3".to_owned(),
        encrypted: false,
    }
}

/// Fetched so much in a second, half a second of checks, 1.7 s in all.
fn report(fetched: u64, warm_bytes: u64) -> DrillReport {
    let time = |phase, ms, bytes| PhaseTime { phase, ms, bytes };
    DrillReport {
        backup: BackupId::new("b"),
        target: position(),
        reached: position(),
        phases: vec![
            time(DataPhase::Find, 100, 0),
            time(DataPhase::Fetch, 1_000, fetched),
            time(DataPhase::Replay, 100, 0),
            time(DataPhase::Check, 500, 0),
            time(DataPhase::Invariants, 40, 0),
        ],
        rto_ms: 1_700,
        rpo_ms: Some(5),
        checks: Vec::new(),
        invariants: Vec::new(),
        scratch: ScratchFacts {
            path: "scratch".to_owned(),
            bytes: 100 * MB,
            warm_bytes,
            kept: true,
        },
        masked: None,
    }
}

struct Desk {
    known: DatabaseKnown,
    acts: u32,
}

impl Desk {
    fn new() -> Self {
        Self { known: DatabaseKnown::default(), acts: 0 }
    }

    fn act(&mut self, what: DataAct, at: u64, outcome: &DataOutcome) {
        self.acts += 1;
        let act = DataActId::new(format!("act-{}", self.acts));
        let at = Timestamp(0).plus_ms(at);
        self.known.begins(&act, ActBegun { what, person: "ada".to_owned(), at });
        self.known.ends(at, &act, outcome);
    }

    fn drill(&mut self, at: u64, report: DrillReport) {
        self.act(DataAct::Drill, at, &DataOutcome::Drilled { report: Box::new(report) });
    }

    fn says(&self, demand: Demand, now: u64) -> String {
        match Proof::judge(Some(&self.known), demand, Timestamp(0).plus_ms(now)) {
            Ok(proof) => proof.says(),
            Err(why) => format!("no: {why}"),
        }
    }
}

fn failed(phase: DataPhase) -> DataOutcome {
    DataOutcome::Failed { phase, why: "a gap".to_owned() }
}

#[test]
fn nothing_known_is_no_proof() {
    let never = "no: no drill has proved that it can be restored";
    assert_eq!(Desk::new().says(DEMAND, 0), never);
    assert!(Proof::judge(None, DEMAND, Timestamp(0)).is_err());
    let mut desk = Desk::new();
    desk.act(DataAct::Drill, 0, &failed(DataPhase::Find));
    assert_eq!(desk.says(DEMAND, 0), never);
}

#[test]
fn a_drill_proves_until_it_is_too_old() {
    let mut desk = Desk::new();
    desk.drill(0, report(50 * MB, 0));
    let proven = "drilled 7 d ago, a recovery takes 1.7 s: 1 s fetching 50 MB, 0.5 s checking, 0.2 s replaying and all else";
    assert_eq!(desk.says(DEMAND, 7 * DAY), proven);
    assert_eq!(
        desk.says(DEMAND, 7 * DAY + 1),
        "no: its last drill was 7 d ago, and the limit is 7 d"
    );
}

#[test]
fn a_forecast_grows_with_the_newest_backup_and_fetches_all_of_it() {
    let mut desk = Desk::new();
    desk.drill(0, report(50 * MB, 0));
    // The second drill found most of it there.
    desk.drill(1, report(5 * MB, 45 * MB));
    desk.act(
        DataAct::Backup,
        2,
        &DataOutcome::BackedUp { backup: backup("bb", 300 * MB), pruned: Vec::new() },
    );
    let forecast = Forecast::of(&desk.known).expect("a forecast");
    let terms: Vec<(&str, u64)> =
        forecast.terms.iter().map(|term| (term.what.as_str(), term.ms)).collect();
    // 50 MB a second, as it went when it fetched all: most of the second drill's time was no fetching.
    assert_eq!(
        terms,
        [("fetching 150 MB", 3_000), ("checking", 1_500), ("replaying and all else", 200)]
    );
    let slow = Demand { recovery_time_ms: Some(4_000), ..DEMAND };
    assert_eq!(
        desk.says(slow, 2),
        "no: a recovery would take 4.7 s: 3 s fetching 150 MB, 1.5 s checking, 0.2 s replaying and all else, and the team gives it 4 s"
    );
    assert!(
        desk.says(Demand { recovery_time_ms: Some(4_700), ..DEMAND }, 2).starts_with("drilled")
    );
}

#[test]
fn a_drill_that_fetched_nothing_goes_by_the_rate_of_an_earlier_one() {
    let mut desk = Desk::new();
    desk.drill(0, report(50 * MB, 0));
    let mut warm = report(0, 50 * MB);
    warm.phases.retain(|time| time.phase != DataPhase::Fetch);
    warm.rto_ms = 700;
    desk.drill(1, warm);
    assert_eq!(Forecast::of(&desk.known).expect("a forecast").ms, 1_700);
}

#[test]
fn a_drill_that_fetched_little_does_not_tell_how_fast_all_would_come() {
    let mut desk = Desk::new();
    desk.drill(0, report(50 * MB, 0));
    // 1 MB in a second, most of which it looked at what lay there.
    desk.drill(1, report(MB, 49 * MB));
    assert_eq!(Forecast::of(&desk.known).expect("a forecast").ms, 1_700);
}

/// In the log of a cluster, so many bytes from its beginning.
fn at_lsn(bytes: u64) -> Position {
    let lsn = format!("{:X}/{:X}", bytes >> 32, bytes & 0xffff_ffff);
    Position::Postgres { system: "7".to_owned(), timeline: 1, lsn }
}

#[test]
fn a_forecast_grows_with_the_log_that_is_to_be_replayed() {
    let mut desk = Desk::new();
    // Across a boundary of the two halves in which a place is printed.
    let start = 0xffff_0000;
    let first = Backup { position: at_lsn(start), ..backup("b", 100 * MB) };
    desk.act(DataAct::Backup, 0, &DataOutcome::BackedUp { backup: first, pruned: Vec::new() });
    let mut drilled = report(50 * MB, 0);
    drilled.reached = at_lsn(start + 100 * MB);
    // 100 ms for a server to start, then the log.
    let replay = PhaseTime { phase: DataPhase::Replay, ms: 1_000, bytes: 100 * MB };
    drilled.phases.insert(3, replay);
    drilled.rto_ms += 1_000;
    desk.drill(1, drilled);
    let took = |desk: &Desk| Forecast::of(&desk.known).expect("a forecast").ms;
    assert_eq!(took(&desk), 2_700);
    let mut point = |name: &str, at| {
        let point = RestorePoint {
            name: name.to_owned(),
            at_ms: 0,
            position: at,
            backup: BackupId::new("b"),
            durable_ms: 1,
        };
        desk.known.points.insert(RolloutId::new(name), point);
        took(&desk)
    };
    assert_eq!(point("R-1", at_lsn(start + 500 * MB)), 6_700);
    let other = Position::Postgres { system: "8".to_owned(), timeline: 1, lsn: "FF/0".to_owned() };
    assert_eq!(point("R-2", other), 6_700, "a place of another cluster says nothing");
    let newer = Backup { position: at_lsn(start + 490 * MB), ..backup("bb", 100 * MB) };
    desk.act(DataAct::Backup, 2, &DataOutcome::BackedUp { backup: newer, pruned: Vec::new() });
    assert_eq!(took(&desk), 1_800, "a newer backup leaves little, and a server still has to start");
}

#[test]
fn a_newer_drill_that_failed_proves_the_contrary_until_one_ends_well() {
    let mut desk = Desk::new();
    desk.drill(0, report(50 * MB, 0));
    // What ended before it tried proves nothing, nor does what was no drill.
    desk.act(DataAct::Drill, 1, &failed(DataPhase::Find));
    desk.act(DataAct::Restore, 1, &failed(DataPhase::Fetch));
    desk.act(DataAct::Backup, 1, &failed(DataPhase::Copy));
    assert!(desk.says(DEMAND, 2).starts_with("drilled"));
    desk.act(DataAct::Drill, 2_000, &failed(DataPhase::Replay));
    assert_eq!(
        desk.says(DEMAND, 5_000),
        "no: the last drill failed 3 s ago while replaying: a gap"
    );
    desk.drill(6_000, report(50 * MB, 0));
    assert!(desk.says(DEMAND, 6_000).starts_with("drilled"));
}

#[test]
fn a_copy_that_breaks_an_invariant_is_no_proof() {
    let mut desk = Desk::new();
    let mut broken = report(50 * MB, 0);
    let result = InvariantResult::Broken { rows: 1, value: Some("3".to_owned()), listed: None };
    broken.invariants = vec![Judged { name: "sum".to_owned(), result, ms: 1 }];
    desk.drill(0, broken);
    assert_eq!(
        desk.says(DEMAND, 0),
        "no: the last drill failed 0 s ago while invariants: the invariant `sum` does not hold on the copy"
    );
}

#[test]
fn damaged_backups_are_no_proof_until_they_are_found_good() {
    let mut desk = Desk::new();
    desk.drill(0, report(50 * MB, 0));
    let verified = |damage: &[&str]| DataOutcome::Verified {
        report: VerifyReport {
            backups: 1,
            bytes: 1,
            damage: damage.iter().map(|one| (*one).to_owned()).collect(),
        },
    };
    desk.act(DataAct::Verify, 0, &verified(&["b: piece 3 is not what it was"]));
    assert_eq!(
        desk.says(DEMAND, 2_000),
        "no: its backups are damaged, as was found 2 s ago: b: piece 3 is not what it was"
    );
    desk.act(DataAct::Verify, 3_000, &verified(&[]));
    assert!(desk.says(DEMAND, 3_000).starts_with("drilled"));
}

#[test]
fn backups_come_and_go() {
    let mut desk = Desk::new();
    let made = |id: &str, pruned: &[&str]| DataOutcome::BackedUp {
        backup: backup(id, MB),
        pruned: pruned.iter().map(|id| BackupId::new(*id)).collect(),
    };
    desk.act(DataAct::Backup, 0, &made("b", &[]));
    desk.act(DataAct::Backup, 1, &made("bb", &[]));
    desk.act(DataAct::Backup, 2, &made("bbb", &["b"]));
    let ids: Vec<&str> = desk.known.backups.keys().map(BackupId::as_str).collect();
    assert_eq!(ids, ["bb", "bbb"]);
    assert_eq!(desk.known.newest_backup().map(|backup| backup.id.as_str()), Some("bbb"));
}

#[test]
fn beginnings_without_an_end_are_forgotten_at_last() {
    let mut known = DatabaseKnown::default();
    for number in 0..200_u32 {
        let begun = ActBegun {
            what: DataAct::Drill,
            person: "ada".to_owned(),
            at: Timestamp(i64::from(number)),
        };
        known.begins(&DataActId::new(format!("{number}")), begun);
    }
    assert_eq!(known.begun.len(), super::BEGUN_MAX);
    assert!(known.begun.contains_key(&DataActId::new("199")));
}

#[test]
fn the_newest_rehearsals_are_remembered_each_of_another_release() {
    let mut desk = Desk::new();
    let rehearsed = |number: u8, ms| DataOutcome::Rehearsed {
        report: Box::new(RehearsalReport {
            release: ReleaseId(Digest([number; 32])),
            old: None,
            migration: None,
            back: None,
            backup: BackupId::new("b"),
            reached: position(),
            steps: vec![RehearsedStep {
                step: RehearsalStep::NewHealth,
                ms,
                result: StepResult::Passed,
            }],
            schema: SchemaChange::None,
            locks: Vec::new(),
        }),
    };
    for number in 0..40_u8 {
        desk.act(DataAct::Rehearsal, u64::from(number), &rehearsed(number, 1));
    }
    desk.act(DataAct::Rehearsal, 100, &rehearsed(39, 7));
    desk.act(DataAct::Rehearsal, 101, &failed(DataPhase::Fetch));
    let known = &desk.known.rehearsals;
    assert_eq!(known.len(), 32);
    let last = known.get(&ReleaseId(Digest([39; 32]))).expect("the last one");
    assert_eq!((last.at, last.report.steps[0].ms), (Timestamp(0).plus_ms(100), 7));
    assert!(!known.contains_key(&ReleaseId(Digest([7; 32]))), "the oldest go");
    assert!(
        desk.known.failed.is_none(),
        "a rehearsal that could not be made says nothing of drills"
    );
}
