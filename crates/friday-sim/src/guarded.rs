//! Guarded databases: what truly was marked, and the drills that people make beside the driver.
//!
//! A database here is a name. What a drill finds is drawn, or told by a walk; nothing is restored.

use std::collections::{BTreeMap, BTreeSet};

use friday_core::controller::input::Outcome;
use friday_core::database::{DataAct, DataOutcome};
use friday_core::journal::event::Event;
use friday_core::rollout::plan::PlannedDatabase;
use friday_core::time::Timestamp;
use friday_wire::data::{
    DataPhase, DrillReport, InvariantResult, Judged, Position, RestorePoint, ScratchFacts,
};
use friday_wire::{BackupId, DataActId, DatabaseName, Digest};

use crate::judging::{EVERY_MS, invariants};
use crate::rehearsed::REHEARSED_ON;
use crate::world::{Happening, World};

/// A drill proves for so long.
pub(crate) const MAX_AGE_MS: u64 = 600_000;

/// The team gives a recovery so much.
const RECOVERY_MS: u64 = 30_000;

/// A restore point may take so much.
const POINT_MS: u64 = 20_000;

/// Longer than any restore point may take.
const FOR_EVER_MS: u64 = 10_000_000;

/// What is true of the databases.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    /// Restore points that there are: name and database.
    points: BTreeSet<(String, DatabaseName)>,
    /// The last drill that tried the way back, by journal.
    drills: BTreeMap<(usize, DatabaseName), LastDrill>,
    /// What comes of asking for a restore point, where a walk says so.
    pub(crate) told: Option<PointFate>,
}

/// What comes of asking for a restore point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointFate {
    /// It fails.
    Fails,
    /// It is made, and nobody hears of it.
    Unheard,
    /// It is not made, and nobody hears of that.
    Lost,
    /// Nothing comes, ever.
    Hangs,
}

/// A drill, and what it showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastDrill {
    at: Timestamp,
    /// How long the recovery took; `None`: it failed.
    recovery_ms: Option<u64>,
}

impl World {
    /// The databases of this world's configuration.
    pub(crate) fn planned_databases(&self) -> Vec<PlannedDatabase> {
        let names = ["notes", "shop"].into_iter().take(self.options.databases);
        let planned = |name: &str| PlannedDatabase {
            name: DatabaseName::new(name),
            point_timeout_ms: POINT_MS,
            drill_max_age_ms: MAX_AGE_MS,
            recovery_time_ms: Some(RECOVERY_MS),
            rehearse: self.options.rehearsing && name == REHEARSED_ON,
            invariants: invariants(self.options.seed),
            invariants_every_ms: EVERY_MS,
        };
        names.map(planned).collect()
    }

    /// A restore point is asked for: when the answer comes, and what it is.
    pub(crate) fn points(&mut self, database: &DatabaseName, name: String) -> (u64, Outcome) {
        let unknown = || Outcome::Unknown { why: "the connection was lost".to_owned() };
        let fails = Outcome::Failed { why: "its disk is full".to_owned() };
        let after = self.rng.u64(10..5_000);
        match self.guarded.told {
            Some(PointFate::Fails) => return (after, fails),
            Some(PointFate::Lost) => return (after, unknown()),
            Some(PointFate::Hangs) => return (FOR_EVER_MS, unknown()),
            Some(PointFate::Unheard) => {
                self.guarded.points.insert((name, database.clone()));
                return (after, unknown());
            }
            None => {}
        }
        if self.chance(self.faults.failed_actions) {
            return (after, fails);
        }
        if self.chance(self.faults.slow_disks / 100.0) {
            return (FOR_EVER_MS, unknown());
        }
        if self.chance(self.faults.lost_requests) {
            return (after, unknown());
        }
        // Whoever asked may be gone when it is made.
        self.guarded.points.insert((name.clone(), database.clone()));
        if self.chance(self.faults.lost_answers) {
            return (after, unknown());
        }
        (after, Outcome::Pointed(Box::new(point(name))))
    }

    /// Whether there is a restore point.
    pub(crate) fn has_point(&self, name: &str, database: &DatabaseName) -> bool {
        self.guarded.points.contains(&(name.to_owned(), database.clone()))
    }

    /// Somebody drills every database, from a laptop; it goes well.
    pub(crate) fn drills_all(&mut self, laptop: usize) {
        for database in self.planned_databases() {
            let outcome = drilled(5_000);
            self.drill_ends(laptop, &database.name, Some(&outcome));
        }
    }

    /// Somebody drills a database at an odd moment; what comes of it is drawn.
    pub(crate) fn draw_drill(&mut self, laptop: usize) {
        let databases = self.planned_databases();
        if databases.is_empty() || self.rng.bool() {
            return;
        }
        let database = databases[self.rng.usize(..databases.len())].name.clone();
        let outcome = match self.rng.u32(..20) {
            0..13 => Some(drilled(self.rng.u64(1_000..RECOVERY_MS))),
            13 => Some(drilled(RECOVERY_MS + 1)),
            14 => Some(broken()),
            15 | 16 => Some(failed(DataPhase::Replay)),
            17 => Some(failed(DataPhase::Find)),
            // Its process dies.
            _ => None,
        };
        let at = self.now + self.rng.u64(10..60_000);
        self.schedule.put(at, Happening::DrillEnds { laptop, database, outcome });
    }

    /// A drill ends, and is written into the journal by a process of its own.
    pub(crate) fn drill_ends(
        &mut self,
        laptop: usize,
        database: &DatabaseName,
        outcome: Option<&DataOutcome>,
    ) {
        self.next_id += 1;
        let act = DataActId::new(format!("act-{}", self.next_id));
        let (at, ledger) = (self.wall_clock(laptop), self.laptops[laptop].ledger);
        let person = self.laptops[laptop].name.clone();
        let (what, name) = (DataAct::Drill, database.clone());
        let begun = Event::DataActBegun { act: act.clone(), person, database: name.clone(), what };
        self.ledgers[ledger].write_beside(at, &begun);
        let Some(outcome) = outcome else { return };
        self.note(|_| format!("a drill of {database} ends: {outcome:?}"));
        let ended = Event::DataActEnded { act, database: name.clone(), outcome: outcome.clone() };
        self.ledgers[ledger].write_beside(at, &ended);
        let recovery_ms = match outcome {
            DataOutcome::Drilled { report } => {
                report.invariants.is_empty().then_some(report.rto_ms)
            }
            DataOutcome::Failed { phase: DataPhase::Find, .. } => return,
            DataOutcome::Failed { .. }
            | DataOutcome::BackedUp { .. }
            | DataOutcome::Rehearsed { .. }
            | DataOutcome::Verified { .. } => None,
        };
        self.guarded.drills.insert((ledger, name), LastDrill { at, recovery_ms });
    }

    /// Whether each database's recovery is proven in a journal, by the clock of a laptop.
    pub(crate) fn is_recovery_proven(&self, laptop: usize, ledger: usize) -> bool {
        let now = self.wall_clock(laptop);
        self.planned_databases().iter().all(|database| {
            let last = self.guarded.drills.get(&(ledger, database.name.clone()));
            last.is_some_and(|last| {
                now.since_ms(last.at) <= MAX_AGE_MS
                    && last.recovery_ms.is_some_and(|took| took <= RECOVERY_MS)
            })
        })
    }
}

/// A restore point, as its maker tells it.
pub(crate) fn point(name: String) -> RestorePoint {
    let position = Position::Sqlite { digest: Digest([5; 32]) };
    RestorePoint { name, at_ms: 0, position, backup: BackupId::new("b"), durable_ms: 40 }
}

/// A drill that went well.
pub(crate) fn drilled(rto_ms: u64) -> DataOutcome {
    DataOutcome::Drilled { report: Box::new(report(rto_ms)) }
}

/// A drill whose copy breaks an invariant.
fn broken() -> DataOutcome {
    let result = InvariantResult::Broken { rows: 1, value: None, listed: None };
    let invariants = vec![Judged { name: "sum".to_owned(), result, ms: 1 }];
    DataOutcome::Drilled { report: Box::new(DrillReport { invariants, ..report(1_000) }) }
}

fn failed(phase: DataPhase) -> DataOutcome {
    DataOutcome::Failed { phase, why: "a gap".to_owned() }
}

fn report(rto_ms: u64) -> DrillReport {
    let position = Position::Sqlite { digest: Digest([5; 32]) };
    DrillReport {
        backup: BackupId::new("b"),
        target: position.clone(),
        reached: position,
        phases: Vec::new(),
        rto_ms,
        rpo_ms: Some(0),
        checks: Vec::new(),
        invariants: Vec::new(),
        scratch: ScratchFacts { path: "s".to_owned(), bytes: 1, warm_bytes: 0, kept: false },
        masked: None,
    }
}
