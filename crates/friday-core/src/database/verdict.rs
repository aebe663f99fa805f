//! What a rehearsal means for a push: whether it works, and whether the old release can run again on what it
//! leaves. Judged from the report alone.
//!
//! What was not tried proves nothing and is named. A step that must be tried counts as failed where it was
//! not; one that the team need not configure does not.

use std::fmt;

use friday_wire::data::{RehearsalReport, RehearsalStep, SchemaChange, StepResult};
use serde::Serialize;

use crate::rollout::plan::MigrationBack;
use crate::view::words::duration;

/// How far the way back is open, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The push changes nothing that the old release could mind.
    CodeOnly,
    /// The data is changed, and the old release works with it, or after the migration back.
    Reversible,
    /// The old release runs, but not rightly on what the new one left.
    NeedsDataRevert,
    /// The old release does not run any more.
    OneWay,
    /// The push itself does not work.
    Fails,
}

impl Verdict {
    /// Whether a rollback is right without a person's word.
    pub fn lets_back(self) -> bool {
        match self {
            Self::CodeOnly | Self::Reversible => true,
            Self::NeedsDataRevert | Self::OneWay | Self::Fails => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeOnly => "code-only",
            Self::Reversible => "reversible",
            Self::NeedsDataRevert => "needs data revert",
            Self::OneWay => "one-way",
            Self::Fails => "fails",
        })
    }
}

/// A verdict, and what proved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// It.
    pub verdict: Verdict,
    /// What decided it, each a clause.
    pub proved: Vec<String>,
    /// What was not tried, each a clause.
    pub untried: Vec<String>,
    /// The old release works with what the new one left.
    back_as_it_is: bool,
    /// It works after the migration back.
    back_by_command: bool,
}

impl Judgement {
    /// Judges a report.
    pub fn of(report: &RehearsalReport) -> Self {
        let tried = Tried(report);
        let new = tried.new_release();
        let as_it_is = tried.side(OLD);
        let by_command = tried.back();
        let changes = report.migration.is_some() || report.schema == SchemaChange::Changed;
        let mut judgement = Self {
            verdict: Verdict::CodeOnly,
            proved: Vec::new(),
            untried: tried.untried(),
            back_as_it_is: report.old.is_none() || as_it_is == Side::Works,
            back_by_command: by_command == Some(Side::Works),
        };
        (judgement.verdict, judgement.proved) = match (new, &report.old) {
            (Err(why), _) => (Verdict::Fails, vec![why]),
            (Ok(()), None) => {
                let verdict = if changes { Verdict::Reversible } else { Verdict::CodeOnly };
                (verdict, vec!["there is no old release that must work with it".to_owned()])
            }
            (Ok(()), Some(_)) => tried.way_back(as_it_is, by_command, changes),
        };
        judgement
    }

    /// Whether the rehearsal proved that this way back is open; a one-way migration promises none.
    pub fn proves(&self, back: &MigrationBack) -> bool {
        match back {
            _ if self.verdict == Verdict::Fails => false,
            MigrationBack::Safe => self.back_as_it_is,
            MigrationBack::Command { .. } => self.back_by_command,
            MigrationBack::OneWay => true,
        }
    }

    /// The verdict and what decided it, without what was not tried, as a sentence's end.
    pub fn says_why(&self) -> String {
        format!("{}: {}", self.verdict, self.proved.join("; "))
    }

    /// The verdict, what proved it and what was not tried, as a sentence's end.
    pub fn says(&self) -> String {
        let clauses: Vec<&str> =
            self.proved.iter().chain(&self.untried).map(String::as_str).collect();
        format!("{}: {}", self.verdict, clauses.join("; "))
    }
}

/// How the old release fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// It is healthy, and all that was asked passed.
    Works,
    /// It is healthy, and this failed.
    Runs(RehearsalStep),
    /// It did not come to that, at this.
    Down(RehearsalStep),
}

/// The steps of one side: health, then what the team may configure.
type Steps = (RehearsalStep, [RehearsalStep; 2]);

const OLD: Steps =
    (RehearsalStep::OldHealth, [RehearsalStep::OldRead, RehearsalStep::OldInvariants]);

const BACK: Steps =
    (RehearsalStep::BackHealth, [RehearsalStep::BackRead, RehearsalStep::BackInvariants]);

struct Tried<'a>(&'a RehearsalReport);

impl Tried<'_> {
    fn passed(&self, step: RehearsalStep) -> bool {
        matches!(self.0.result(step), Some(StepResult::Passed))
    }

    fn failed(&self, step: RehearsalStep) -> bool {
        matches!(self.0.result(step), Some(StepResult::Failed { .. }))
    }

    /// A step that did not pass, as a clause.
    fn clause(&self, step: RehearsalStep) -> String {
        match self.0.result(step) {
            Some(StepResult::Failed { why }) => format!("{step} failed: {why}"),
            Some(StepResult::Skipped | StepResult::Passed) | None => {
                format!("{step} was not tried")
            }
        }
    }

    /// Whether the push works at all.
    fn new_release(&self) -> Result<(), String> {
        let migrates = self.0.migration.is_some();
        let needed = [(RehearsalStep::Migrate, migrates), (RehearsalStep::NewHealth, true)];
        for (step, needed) in needed {
            if self.failed(step) || needed && !self.passed(step) {
                return Err(self.clause(step));
            }
        }
        let asked = [RehearsalStep::NewWrite, RehearsalStep::NewInvariants];
        match asked.into_iter().find(|step| self.failed(*step)) {
            Some(step) => Err(self.clause(step)),
            None => Ok(()),
        }
    }

    fn side(&self, (health, asked): Steps) -> Side {
        if !self.passed(health) {
            return Side::Down(health);
        }
        asked.into_iter().find(|step| self.failed(*step)).map_or(Side::Works, Side::Runs)
    }

    /// How the old release fared after the migration back; `None`: there is none.
    fn back(&self) -> Option<Side> {
        self.0.back.as_ref()?;
        if !self.passed(RehearsalStep::MigrateBack) {
            return Some(Side::Down(RehearsalStep::MigrateBack));
        }
        Some(self.side(BACK))
    }

    fn way_back(
        &self,
        as_it_is: Side,
        by_command: Option<Side>,
        changes: bool,
    ) -> (Verdict, Vec<String>) {
        let works = "the old release is healthy on what the new one left";
        let mut proved = Vec::new();
        let verdict = match (as_it_is, by_command) {
            (Side::Works, Some(Side::Runs(step) | Side::Down(step))) => {
                proved.push(works.to_owned());
                proved.push(self.clause(step));
                Verdict::Reversible
            }
            (Side::Works, None | Some(Side::Works)) if !changes => {
                let unchanged = "nothing migrates, and the schema is as it was".to_owned();
                proved.extend([unchanged, works.to_owned()]);
                Verdict::CodeOnly
            }
            (Side::Works, None | Some(Side::Works)) => {
                proved.push(works.to_owned());
                Verdict::Reversible
            }
            (Side::Runs(step) | Side::Down(step), Some(Side::Works)) => {
                proved.push(self.clause(step));
                proved.push("the old release is healthy after the migration back".to_owned());
                Verdict::Reversible
            }
            (Side::Runs(step), None | Some(Side::Runs(_) | Side::Down(_)))
            | (Side::Down(step), Some(Side::Runs(_))) => {
                proved.push(self.clause(step));
                Verdict::NeedsDataRevert
            }
            (Side::Down(step), None | Some(Side::Down(_))) => {
                proved.push(self.clause(step));
                Verdict::OneWay
            }
        };
        // What the command was good for, where it mends nothing.
        if !verdict.lets_back()
            && let Some(Side::Runs(step) | Side::Down(step)) = by_command
        {
            proved.push(self.clause(step));
        }
        (verdict, proved)
    }

    /// What the team may configure and did not.
    fn untried(&self) -> Vec<String> {
        let lacks = |step| !self.passed(step) && !self.failed(step);
        let mut untried = Vec::new();
        if lacks(RehearsalStep::NewWrite) {
            untried.push("no command wrote with the new release".to_owned());
        }
        // What an old release that did not start could not be asked is no choice of the team.
        let starts = |(health, _): Steps| self.passed(health);
        if self.0.old.is_some()
            && (starts(OLD) || starts(BACK))
            && [RehearsalStep::OldRead, RehearsalStep::BackRead].into_iter().all(lacks)
        {
            untried.push("no command read with the old one".to_owned());
        }
        let invariants = [
            RehearsalStep::NewInvariants,
            RehearsalStep::OldInvariants,
            RehearsalStep::BackInvariants,
        ];
        if invariants.into_iter().all(lacks) {
            untried.push("no invariant was asked".to_owned());
        }
        untried
    }
}

/// A lock held for less is not told: nobody notices it, milliseconds.
const LOCK_TOLD_MS: u64 = 1_000;

/// What a rehearsal measured of what a push costs the live database: how long the migration takes, and whom
/// it would keep waiting. Each a clause.
pub fn measured(report: &RehearsalReport) -> Vec<String> {
    let migrated = report.steps.iter().find(|tried| tried.step == RehearsalStep::Migrate);
    let migrated = migrated.filter(|tried| tried.result == StepResult::Passed);
    let mut measured = Vec::new();
    measured.extend(migrated.map(|tried| format!("the migration took {}", duration(tried.ms))));
    let longest = report.locks.iter().max_by_key(|lock| lock.held_ms);
    if let Some(lock) = longest.filter(|lock| lock.held_ms >= LOCK_TOLD_MS) {
        let (blocks, held) = (lock.blocks, duration(lock.held_ms));
        measured.push(format!("it would have blocked {blocks} of {} for {held}", lock.on));
    }
    measured
}

#[cfg(test)]
mod tests;
