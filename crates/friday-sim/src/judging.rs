//! What must hold in guarded databases: releases that damage it, people who put it right or vouch, and what a
//! database says when it is asked.

use std::collections::BTreeMap;

use friday_core::controller::input::Outcome;
use friday_core::journal::event::Event;
use friday_wire::DatabaseName;
use friday_wire::data::{Invariant, InvariantResult, Judged, Rule};

use crate::catalog::Behaviour;
use crate::failure::FailureClass;
use crate::world::World;

/// Between two judgements of a wave or a bake.
pub(crate) const EVERY_MS: u64 = 5_000;

/// A statement may take so much.
const TIMEOUT_MS: u64 = 3_000;

/// Longer than any question is waited for.
const FOR_EVER_MS: u64 = 10_000_000;

/// What is true, and what people do about it.
#[derive(Debug, Default)]
pub(crate) struct Judging {
    /// Rows are damaged, in every database, until somebody puts them right.
    damaged: bool,
    /// When each database last said that all holds, and that was heard or may have been.
    held_at: BTreeMap<DatabaseName, u64>,
    /// Whoever pushes vouches for what is broken before.
    pub(crate) vouches: bool,
    /// What comes of asking, where a walk says so.
    pub(crate) told: Option<JudgeFate>,
}

/// What comes of asking for invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgeFate {
    /// One is broken.
    Broken,
    /// The statement fails.
    Fails,
    /// Nobody hears what comes of it.
    Lost,
    /// Nothing comes, ever.
    Hangs,
}

/// The one invariant of each database; in every third world there is none.
pub(crate) fn invariants(seed: u64) -> Vec<Invariant> {
    if seed % 3 == 2 {
        return Vec::new();
    }
    vec![Invariant {
        name: "sum".to_owned(),
        sql: "SELECT 1".to_owned(),
        rule: Rule::NoRows,
        timeout_ms: TIMEOUT_MS,
    }]
}

fn judged(result: InvariantResult) -> Outcome {
    Outcome::Judged(vec![Judged { name: "sum".to_owned(), result, ms: 1 }])
}

impl World {
    /// A database is asked for its invariants: when the answer comes, and what it is.
    pub(crate) fn judges(&mut self, database: &DatabaseName) -> (u64, Outcome) {
        let after = self.rng.u64(10..3_000);
        let lost = || Outcome::Unknown { why: "the connection was lost".to_owned() };
        let fails = || judged(InvariantResult::Failed { why: "it took too long".to_owned() });
        let broken = || InvariantResult::Broken { rows: 3, value: None, listed: None };
        match self.judging.told {
            Some(JudgeFate::Broken) => return (after, judged(broken())),
            Some(JudgeFate::Fails) => return (after, fails()),
            Some(JudgeFate::Lost) => return (after, lost()),
            Some(JudgeFate::Hangs) => return (FOR_EVER_MS, lost()),
            None => {}
        }
        if self.chance(self.faults.failed_actions) {
            return (after, fails());
        }
        if self.chance(self.faults.slow_disks / 20.0) {
            return (FOR_EVER_MS, lost());
        }
        if self.chance(self.faults.lost_requests) || self.chance(self.faults.lost_answers) {
            return (after, lost());
        }
        if self.is_damaged() {
            return (after, judged(broken()));
        }
        self.judging.held_at.insert(database.clone(), self.now);
        (after, judged(InvariantResult::Holds { value: None }))
    }

    /// What a release has damaged stays so when it is gone.
    fn is_damaged(&mut self) -> bool {
        let now = self.now;
        let apps = self.hosts.iter().flat_map(|host| host.apps.values());
        let damages = apps.into_iter().any(|app| match app.behaviour {
            Behaviour::Damages { after_ms } => now.saturating_sub(app.started_at) >= after_ms,
            _ => false,
        });
        if damages && !self.judging.damaged {
            self.note(|_| "rows are damaged".to_owned());
        }
        self.judging.damaged |= damages;
        self.judging.damaged
    }

    /// A person mends the rows.
    pub(crate) fn puts_data_right(&mut self) {
        if self.judging.damaged {
            self.note(|_| "a person puts the rows right".to_owned());
        }
        self.judging.damaged = false;
        self.judging.vouches = false;
    }

    /// At odd moments somebody mends the rows, or begins to push past them.
    pub(crate) fn draw_mending(&mut self) {
        if self.options.databases == 0 {
            return;
        }
        match self.rng.u32(..5) {
            0 | 1 => self.puts_data_right(),
            2 => self.judging.vouches = true,
            _ => {}
        }
    }

    /// Promise 3, for data: a push that waits for verdicts goes on when every database was truly asked since,
    /// and said that all holds.
    pub(crate) fn a_push_goes_on_when_data_holds(&mut self, event: &Event) {
        let (rollout, must) = match event {
            Event::WorkBegun { rollout, work, .. } if work.judges() => {
                let now = self.now;
                if let Some(known) = self.known.get_mut(rollout) {
                    known.judging_since = Some(now);
                }
                return;
            }
            Event::Resumed { rollout, .. } => {
                if let Some(known) = self.known.get_mut(rollout) {
                    known.judging_since = None;
                }
                return;
            }
            Event::WaveBegun { rollout, .. } => (rollout, false),
            Event::BakeEnded { rollout } => (rollout, true),
            _ => return,
        };
        let Some(known) = self.known.get_mut(rollout) else { return };
        let since = known.judging_since.take();
        if !known.judged || known.vouched || (since.is_none() && !must) {
            return;
        }
        let held = |database: &&DatabaseName| {
            let held_at = self.judging.held_at.get(*database);
            since.is_some_and(|since| held_at.is_some_and(|held_at| *held_at >= since))
        };
        let Some(database) = known.databases.iter().find(|database| !held(database)) else {
            return;
        };
        let what = format!("{rollout} goes on, and {database} has not said that all holds");
        self.fail(FailureClass::Safety, what);
    }
}
