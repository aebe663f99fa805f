//! Guarded databases as the journal knows them: their backups, their restore points, and whether their
//! recovery is proven.
//!
//! What is done beside a database is not driven: whoever does it writes down that it began and how it
//! ended. What that means for a push is decided here, from the journal alone; nothing here asks a
//! database anything.

mod forecast;
mod proof;
mod rehearsed;
mod verdict;

use std::collections::BTreeMap;

use friday_wire::data::{
    Backup, DataPhase, DrillReport, RehearsalReport, RestorePoint, VerifyReport,
};
use friday_wire::{BackupId, DataActId, ReleaseId, RolloutId};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use forecast::{Forecast, Term};
pub use proof::{Demand, Proof, Unproven};
pub use rehearsed::{RehearsalDemand, RehearsalFound, Unrehearsed, is_asked_for};
pub use verdict::{Judgement, Verdict, measured};

/// Acts remembered whose end never came: those of processes that died.
const BEGUN_MAX: usize = 64;

/// Rehearsals remembered, each of another release: more than anybody tries between two pushes.
const REHEARSALS_MAX: usize = 32;

/// What is done beside a guarded database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataAct {
    /// A backup is made.
    Backup,
    /// Backups are read to their last byte.
    Verify,
    /// A backup is restored beside the database, and checked.
    Drill,
    /// A push is tried on what a drill restored.
    Rehearsal,
    /// A copy is restored for a person.
    Restore,
}

impl DataAct {
    /// A noun.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verification",
            Self::Drill => "drill",
            Self::Rehearsal => "rehearsal",
            Self::Restore => "restore",
        }
    }
}

/// How such an act ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DataOutcome {
    /// A backup was made.
    BackedUp {
        /// It.
        backup: Backup,
        /// Those put away after it.
        pruned: Vec<BackupId>,
    },
    /// Backups were read.
    Verified {
        /// What was found.
        report: VerifyReport,
    },
    /// A drill reached its target, and what it restored passed its checks.
    Drilled {
        /// What it measured.
        report: Box<DrillReport>,
    },
    /// A push was tried on a copy.
    Rehearsed {
        /// What was measured.
        report: Box<RehearsalReport>,
    },
    /// It could not be done. The database is as it was.
    Failed {
        /// At what.
        phase: DataPhase,
        /// Why.
        why: String,
    },
}

/// What the journal knows of one guarded database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseKnown {
    /// Backups that were made and not put away since.
    pub backups: BTreeMap<BackupId, Backup>,
    /// Restore points by the rollout they were made for.
    pub points: BTreeMap<RolloutId, RestorePoint>,
    /// The last drill that ended well.
    pub drilled: Option<Drilled>,
    /// The last drill that did not, where none ended well since.
    pub failed: Option<DrillFailed>,
    /// What the last look through the backups found wrong, where neither a later one nor a later drill
    /// found it right.
    pub damaged: Option<Damaged>,
    /// The last drill that fetched something: how fast that goes.
    pub fetched: Option<Fetched>,
    /// What the last rehearsal of each release measured, the newest so many.
    pub rehearsals: BTreeMap<ReleaseId, Rehearsed>,
    /// Acts that began and have not ended, the newest so many.
    pub begun: BTreeMap<DataActId, ActBegun>,
}

/// A drill that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// When it ended.
    pub at: Timestamp,
    /// What it measured.
    pub report: DrillReport,
}

/// A push that was tried on a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// When that ended.
    pub at: Timestamp,
    /// What it measured.
    pub report: RehearsalReport,
}

/// A drill that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillFailed {
    /// When it ended.
    pub at: Timestamp,
    /// At what.
    pub phase: DataPhase,
    /// Why.
    pub why: String,
}

/// Backups that are damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// When it was found.
    pub at: Timestamp,
    /// What is wrong; not empty.
    pub damage: Vec<String>,
}

/// How fast a drill fetched a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes.
    pub bytes: u64,
    /// In so many milliseconds.
    pub ms: u64,
}

/// An act that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActBegun {
    /// What.
    pub what: DataAct,
    /// Who.
    pub person: String,
    /// When.
    pub at: Timestamp,
}

impl DatabaseKnown {
    /// An act began.
    pub(crate) fn begins(&mut self, act: &DataActId, begun: ActBegun) {
        self.begun.insert(act.clone(), begun);
        while self.begun.len() > BEGUN_MAX {
            let oldest = self.begun.iter().min_by_key(|(_, begun)| begun.at);
            let Some(oldest) = oldest.map(|(act, _)| act.clone()) else { return };
            self.begun.remove(&oldest);
        }
    }

    /// An act ended. Its beginning may be unknown: then its end is taken all the same.
    pub(crate) fn ends(&mut self, at: Timestamp, act: &DataActId, outcome: &DataOutcome) {
        let what = self.begun.remove(act).map(|begun| begun.what);
        self.learns(at, what, outcome);
    }

    /// Takes in how an act ended. `what`: unknown where nobody wrote down that it began.
    pub fn learns(&mut self, at: Timestamp, what: Option<DataAct>, outcome: &DataOutcome) {
        match outcome {
            DataOutcome::BackedUp { backup, pruned } => {
                pruned.iter().for_each(|id| drop(self.backups.remove(id)));
                self.backups.insert(backup.id.clone(), backup.clone());
            }
            DataOutcome::Verified { report } => {
                let damage = report.damage.clone();
                self.damaged = (!damage.is_empty()).then_some(Damaged { at, damage });
            }
            // A restore for a person reaches a target, too, but is no drill of the newest.
            DataOutcome::Drilled { report } if what.is_none_or(|what| what == DataAct::Drill) => {
                self.drill_ended(at, report);
            }
            DataOutcome::Failed { phase, why }
                if what == Some(DataAct::Drill) && says_something(*phase) =>
            {
                self.failed = Some(DrillFailed { at, phase: *phase, why: why.clone() });
            }
            DataOutcome::Rehearsed { report } => self.rehearsal_ended(at, report),
            DataOutcome::Drilled { .. } | DataOutcome::Failed { .. } => {}
        }
    }

    fn drill_ended(&mut self, at: Timestamp, report: &DrillReport) {
        let fetch = report.phases.iter().filter(|time| time.phase == DataPhase::Fetch);
        let (bytes, ms) = fetch.fold((0_u64, 0_u64), |(bytes, ms), time| {
            (bytes.saturating_add(time.bytes), ms.saturating_add(time.ms))
        });
        // A small part of it tells how long it takes to look, not how fast all of it would come.
        let much = bytes >= report.scratch.warm_bytes;
        if bytes > 0 && ms > 0 && (much || self.fetched.is_none()) {
            self.fetched = Some(Fetched { bytes, ms });
        }
        let broken = report.invariants.iter().find(|judged| !judged.holds());
        if let Some(broken) = broken {
            let why = format!("the invariant `{}` does not hold on the copy", broken.name);
            self.failed = Some(DrillFailed { at, phase: DataPhase::Invariants, why });
            return;
        }
        self.failed = None;
        self.damaged = None;
        self.drilled = Some(Drilled { at, report: report.clone() });
    }

    fn rehearsal_ended(&mut self, at: Timestamp, report: &RehearsalReport) {
        self.rehearsals.insert(report.release, Rehearsed { at, report: report.clone() });
        while self.rehearsals.len() > REHEARSALS_MAX {
            let oldest = self.rehearsals.iter().min_by_key(|(_, rehearsed)| rehearsed.at);
            let Some(oldest) = oldest.map(|(release, _)| *release) else { return };
            self.rehearsals.remove(&oldest);
        }
    }

    /// The newest backup.
    pub fn newest_backup(&self) -> Option<&Backup> {
        self.backups.values().max_by_key(|backup| backup.began_at_ms)
    }
}

/// Whether a drill that failed there tried the way back at all. Before that another drill was at work,
/// or there was no room; after it only what becomes of a proven copy failed.
fn says_something(phase: DataPhase) -> bool {
    match phase {
        DataPhase::Find
        | DataPhase::Mark
        | DataPhase::Prune
        | DataPhase::Mask
        | DataPhase::Clean => false,
        DataPhase::Copy
        | DataPhase::Fetch
        | DataPhase::Replay
        | DataPhase::Check
        | DataPhase::Invariants => true,
    }
}

#[cfg(test)]
mod tests;
