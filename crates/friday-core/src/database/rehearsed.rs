//! Whether a push was rehearsed as it will be done, and which way back that leaves open.
//!
//! A rehearsal counts for the very release, commands and stable release that it tried. Where it is about
//! something else, it says nothing.

use friday_wire::ReleaseId;

use super::{DatabaseKnown, Judgement, Rehearsed, Verdict};
use crate::rollout::plan::{MigrationBack, MigrationPlan, Plan, PlannedDatabase};
use crate::time::Timestamp;
use crate::view::words::duration;

/// What a push demands of a rehearsal on one database.
#[derive(Debug, Clone, Copy)]
pub struct RehearsalDemand<'a> {
    /// What is pushed.
    release: ReleaseId,
    migration: Option<&'a MigrationPlan>,
    /// What is stable, and would be gone back to.
    old: Option<ReleaseId>,
    /// The oldest that it may be, milliseconds.
    max_age_ms: u64,
    asked_for: bool,
}

/// A rehearsal of this very push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearsalFound<'a> {
    /// It.
    pub rehearsed: &'a Rehearsed,
    /// Its age, milliseconds.
    pub age_ms: u64,
    /// What it came to.
    pub judgement: Judgement,
}

/// Why a push does not count as rehearsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrehearsed {
    /// This release was never tried.
    #[error("this release was not tried on a copy")]
    Never,
    /// Against another stable release.
    #[error(
        "it was tried as a push over {}, and {} is stable now",
        says_release(*then),
        says_release(*now)
    )]
    OtherStable {
        /// When it was tried.
        then: Option<ReleaseId>,
        /// Now.
        now: Option<ReleaseId>,
    },
    /// The migration's commands are others now.
    #[error("the commands of the migration are others than those that were tried")]
    OtherCommands,
    /// It is too old.
    #[error("it was tried {} ago, and the limit is {}", duration(*age_ms), duration(*max_age_ms))]
    Old {
        /// Its age, milliseconds.
        age_ms: u64,
        /// The limit, milliseconds.
        max_age_ms: u64,
    },
    /// The verdict is worse than what is declared.
    #[error("{says}; {declared}")]
    Against {
        /// The verdict and what proved it.
        says: String,
        /// What is declared, against that.
        declared: &'static str,
    },
}

fn says_release(release: Option<ReleaseId>) -> String {
    release.map_or_else(|| "nothing".to_owned(), |release| release.short())
}

/// Whether a push of this plan is rehearsed on that database first.
pub fn is_asked_for(plan: &Plan, database: &PlannedDatabase) -> bool {
    database.rehearse && plan.migration.is_some()
}

impl<'a> RehearsalDemand<'a> {
    /// What a plan demands on one of its databases, with this release stable.
    pub fn of(plan: &'a Plan, database: &PlannedDatabase, stable: Option<ReleaseId>) -> Self {
        Self {
            release: plan.release,
            migration: plan.migration.as_ref(),
            old: stable,
            max_age_ms: database.drill_max_age_ms,
            // Pushed over itself, a release changes nothing that could be gone back from.
            asked_for: is_asked_for(plan, database) && stable != Some(plan.release),
        }
    }

    /// The last rehearsal of this very push, however old; nothing known is none.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find<'k>(
        &self,
        known: Option<&'k DatabaseKnown>,
        now: Timestamp,
    ) -> Result<RehearsalFound<'k>, Unrehearsed> {
        let rehearsed = known.and_then(|known| known.rehearsals.get(&self.release));
        let rehearsed = rehearsed.ok_or(Unrehearsed::Never)?;
        let report = &rehearsed.report;
        if report.old != self.old {
            return Err(Unrehearsed::OtherStable { then: report.old, now: self.old });
        }
        let command = self.migration.map(|migration| &migration.command);
        let back = self.migration.and_then(|migration| match &migration.back {
            MigrationBack::Command { command } => Some(command),
            MigrationBack::Safe | MigrationBack::OneWay => None,
        });
        if report.migration.as_ref() != command || report.back.as_ref() != back {
            return Err(Unrehearsed::OtherCommands);
        }
        let age_ms = now.since_ms(rehearsed.at);
        Ok(RehearsalFound { rehearsed, age_ms, judgement: Judgement::of(report) })
    }

    /// Judges whether the push may be done. `None`: nothing is asked of it, and nothing is known against it.
    ///
    /// # Errors
    /// Why not.
    pub fn judge<'k>(
        &self,
        known: Option<&'k DatabaseKnown>,
        now: Timestamp,
    ) -> Result<Option<RehearsalFound<'k>>, Unrehearsed> {
        let found = match self.find(known, now) {
            Ok(found) => found,
            Err(why) if self.asked_for => return Err(why),
            Err(_) => return Ok(None),
        };
        if let Some(declared) = self.against(&found.judgement) {
            return Err(Unrehearsed::Against { says: found.judgement.says(), declared });
        }
        if self.asked_for && found.age_ms > self.max_age_ms {
            return Err(Unrehearsed::Old { age_ms: found.age_ms, max_age_ms: self.max_age_ms });
        }
        Ok(Some(found))
    }

    /// What is declared that a verdict stands against.
    fn against(&self, judgement: &Judgement) -> Option<&'static str> {
        match (judgement.verdict, self.migration) {
            (Verdict::Fails, _) => Some("it would fail so on the live database"),
            (Verdict::CodeOnly | Verdict::Reversible, None) => None,
            (Verdict::NeedsDataRevert | Verdict::OneWay, None) => {
                Some("a push without a migration goes back by itself")
            }
            (_, Some(migration)) if migration.back_undeclared => None,
            (_, Some(migration)) if judgement.proves(&migration.back) => None,
            (_, Some(migration)) => Some(match migration.back {
                MigrationBack::Command { .. } => {
                    "`migrate_back` declares that its command opens the way back"
                }
                MigrationBack::Safe | MigrationBack::OneWay => {
                    "`migrate_back` declares that going back is safe"
                }
            }),
        }
    }

    /// The way back as the rehearsal leaves it, where it decides one: never a wider one than is declared.
    /// One that is too old can close the way, and not open it.
    pub fn way_back(&self, found: &RehearsalFound<'_>) -> Option<MigrationBack> {
        let judgement = &found.judgement;
        if judgement.verdict == Verdict::Fails {
            return None;
        }
        let Some(migration) = self.migration else {
            return (!judgement.verdict.lets_back()).then_some(MigrationBack::OneWay);
        };
        if migration.back_undeclared {
            let opens = judgement.proves(&MigrationBack::Safe) && found.age_ms <= self.max_age_ms;
            return Some(if opens { MigrationBack::Safe } else { MigrationBack::OneWay });
        }
        let proven = judgement.proves(&migration.back);
        Some(if proven { migration.back.clone() } else { MigrationBack::OneWay })
    }
}

#[cfg(test)]
mod tests;
