//! The chances of a push, from the pushes of the journal.
//!
//! Harmful is a push that was taken back, and one whose release a person rolled back later. Old ones count less: half
//! after 180 days. Seven pushes in eight of most journals say nothing of how well harm is seen, so the share that checks
//! see by themselves starts from a prior, too: 6 in 10, as heavy as five harmful pushes.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{ReleaseId, RolloutId};

use crate::journal::event::End;
use crate::time::Timestamp;
use crate::view::Chronicle;
use crate::view::rollout::{RolloutView, RolloutWord};

use super::Chances;

/// After so many days a push counts half.
const HALF_LIFE_DAYS: f64 = 180.0;

const DAY_MS: u64 = 86_400_000;

/// The share of harm that checks see by themselves, where nothing is known.
const DETECTED: f64 = 0.6;

/// What that weighs, in harmful pushes.
const DETECTED_WEIGHT: f64 = 5.0;

/// What is seen is taken back by itself so often, where nothing is known.
const TAKEN_BACK: f64 = 0.9;

impl Chances {
    /// Where nothing is known.
    pub fn prior() -> Self {
        Self::of(0.0, 0.0, DETECTED, TAKEN_BACK)
    }

    /// From what the journal knows.
    pub fn of_history(chronicle: &Chronicle, now: Timestamp) -> Self {
        let backs = Backs::of(chronicle);
        let (mut pushes, mut harmful, mut seen) = (0.0, 0.0, 0.0);
        for push in chronicle.rollouts.iter().filter(|rollout| rollout.word == RolloutWord::Push) {
            let Some(ended) = push.ended else { continue };
            let weight = weight(now.since_ms(ended));
            match backs.fate(push) {
                Fate::Fine => pushes += weight,
                Fate::Seen => {
                    pushes += weight;
                    harmful += weight;
                    seen += weight;
                }
                Fate::Late => {
                    pushes += weight;
                    harmful += weight;
                }
                Fate::Nothing => {}
            }
        }
        let detected = (DETECTED * DETECTED_WEIGHT + seen) / (DETECTED_WEIGHT + harmful);
        Self::of(pushes, harmful, detected, TAKEN_BACK)
    }
}

/// What became of a push.
pub(super) enum Fate {
    /// It is or was stable, and nobody took it off.
    Fine,
    /// A check saw the harm, and it was taken back.
    Seen,
    /// A person took it off.
    Late,
    /// It never reached anybody.
    Nothing,
}

/// The rollbacks of a journal: a few among many pushes.
pub(super) struct Backs<'a> {
    automatic: BTreeSet<&'a RolloutId>,
    began: BTreeMap<&'a RolloutId, Timestamp>,
    /// When a release was last taken off.
    taken_off: BTreeMap<ReleaseId, Timestamp>,
}

impl<'a> Backs<'a> {
    pub(super) fn of(chronicle: &'a Chronicle) -> Self {
        let mut backs =
            Self { automatic: BTreeSet::new(), began: BTreeMap::new(), taken_off: BTreeMap::new() };
        let all = chronicle.rollouts.iter().filter(|one| one.word == RolloutWord::Rollback);
        for back in all {
            backs.began.insert(&back.rollout, back.began);
            if back.automatic {
                backs.automatic.insert(&back.rollout);
            }
            if let Some(release) = back.other {
                let last = backs.taken_off.entry(release).or_insert(back.began);
                *last = back.began.max(*last);
            }
        }
        backs
    }

    /// When somebody began to take a push off, where it was.
    pub(super) fn off_at(&self, push: &RolloutView) -> Option<Timestamp> {
        match &push.end {
            Some(End::TakenBack { by }) => self.began.get(by).copied(),
            _ => {
                let off = push.release.and_then(|release| self.taken_off.get(&release)).copied();
                off.filter(|off| *off >= push.began)
            }
        }
    }

    pub(super) fn fate(&self, push: &RolloutView) -> Fate {
        match &push.end {
            Some(End::TakenBack { by }) if self.automatic.contains(by) => Fate::Seen,
            Some(End::TakenBack { .. }) => Fate::Late,
            Some(End::Stable | End::Apart { .. }) => {
                let off = push.release.and_then(|release| self.taken_off.get(&release));
                if off.is_some_and(|off| *off >= push.began) { Fate::Late } else { Fate::Fine }
            }
            _ => Fate::Nothing,
        }
    }
}

/// What a push of so long ago counts.
fn weight(age_ms: u64) -> f64 {
    let days = u32::try_from(age_ms / DAY_MS).unwrap_or(u32::MAX);
    0.5_f64.powf(f64::from(days) / HALF_LIFE_DAYS)
}

#[cfg(test)]
mod tests;
