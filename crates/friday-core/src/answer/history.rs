//! The chances of a push, from the pushes of the journal.
//!
//! Harmful is a push that was taken back, and one whose release a person rolled back later. Old ones count less: half
//! after 180 days. Seven pushes in eight of most journals say nothing of how well harm is seen, so the share that checks
//! see by themselves starts from a prior, too: 6 in 10, as heavy as five harmful pushes.

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
    /// From what the journal knows.
    pub fn of_history(chronicle: &Chronicle, now: Timestamp) -> Self {
        let (mut pushes, mut harmful, mut seen) = (0.0, 0.0, 0.0);
        for push in chronicle.rollouts.iter().filter(|rollout| rollout.word == RolloutWord::Push) {
            let Some(ended) = push.ended else { continue };
            let weight = weight(now.since_ms(ended));
            match fate(chronicle, push) {
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
enum Fate {
    /// It is or was stable, and nobody took it off.
    Fine,
    /// A check saw the harm, and it was taken back.
    Seen,
    /// A person took it off.
    Late,
    /// It never reached anybody.
    Nothing,
}

fn fate(chronicle: &Chronicle, push: &RolloutView) -> Fate {
    let back = |by: &RolloutView| by.word == RolloutWord::Rollback;
    match &push.end {
        Some(End::TakenBack { by }) => {
            let by = chronicle.rollouts.iter().find(|rollout| rollout.rollout == *by);
            if by.is_some_and(|by| by.automatic) { Fate::Seen } else { Fate::Late }
        }
        Some(End::Stable | End::Apart { .. }) => {
            let takes_off = |later: &&RolloutView| {
                back(later) && later.began >= push.began && later.other == push.release
            };
            if chronicle.rollouts.iter().any(|later| takes_off(&later)) {
                Fate::Late
            } else {
                Fate::Fine
            }
        }
        _ => Fate::Nothing,
    }
}

/// What a push of so long ago counts.
fn weight(age_ms: u64) -> f64 {
    let days = u32::try_from(age_ms / DAY_MS).unwrap_or(u32::MAX);
    0.5_f64.powf(f64::from(days) / HALF_LIFE_DAYS)
}
