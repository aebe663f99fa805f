//! Which operations this host has heard of, and how they ended: what makes a repeated request
//! harmless, and an observed one impossible.

use std::collections::BTreeMap;

use friday_wire::{RolloutId, StepKey, StepName, StepState};
use serde::{Deserialize, Serialize};

/// Rollouts remembered. Steps are accepted for the open rollout only, so an older one cannot act.
pub const ROLLOUTS_MAX: usize = 8;

/// Reports remembered per rollout and step.
const REPORTS_MAX: usize = 8;

/// All attempts of the last rollouts, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    rollouts: Vec<OfRollout>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OfRollout {
    rollout: RolloutId,
    steps: BTreeMap<StepName, OfStep>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OfStep {
    highest: u32,
    ended: BTreeMap<u32, StepState>,
}

/// How a key stands to what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Higher than everything seen.
    New,
    /// Begun, and not ended as far as is recorded here.
    Begun,
    /// Ended like this.
    Ended(StepState),
    /// Lower than the highest, and nothing is recorded: it never will be begun.
    Stale {
        /// The highest.
        highest: u32,
    },
}

impl Attempts {
    /// How the key stands.
    pub fn seen(&self, key: &StepKey) -> Seen {
        let Some(step) = self.step(key) else {
            return Seen::New;
        };
        match step.ended.get(&key.attempt) {
            Some(state) => Seen::Ended(state.clone()),
            None if key.attempt > step.highest => Seen::New,
            None if key.attempt == step.highest => Seen::Begun,
            None => Seen::Stale { highest: step.highest },
        }
    }

    /// The highest attempt seen of the key's step.
    pub fn highest(&self, key: &StepKey) -> u32 {
        self.step(key).map_or(0, |step| step.highest)
    }

    /// Notes that the operation begins.
    pub fn begin(&mut self, key: &StepKey, open: Option<&RolloutId>) {
        let step = self.step_mut(key, open);
        step.highest = step.highest.max(key.attempt);
    }

    /// Notes how it ended, or that it is sealed.
    pub fn end(&mut self, key: &StepKey, state: StepState, open: Option<&RolloutId>) {
        let step = self.step_mut(key, open);
        step.highest = step.highest.max(key.attempt);
        step.ended.insert(key.attempt, state);
        while step.ended.len() > REPORTS_MAX {
            step.ended.pop_first();
        }
    }

    fn step(&self, key: &StepKey) -> Option<&OfStep> {
        self.rollouts.iter().find(|of| of.rollout == key.rollout)?.steps.get(&key.step)
    }

    fn step_mut(&mut self, key: &StepKey, open: Option<&RolloutId>) -> &mut OfStep {
        let at = match self.rollouts.iter().position(|of| of.rollout == key.rollout) {
            Some(at) => at,
            None => self.add(key.rollout.clone(), open),
        };
        self.rollouts[at].steps.entry(key.step).or_default()
    }

    /// Adds a rollout and forgets the oldest beyond the limit, but never the open one.
    fn add(&mut self, rollout: RolloutId, open: Option<&RolloutId>) -> usize {
        if self.rollouts.len() >= ROLLOUTS_MAX {
            let oldest = self.rollouts.iter().position(|of| Some(&of.rollout) != open).unwrap_or(0);
            self.rollouts.remove(oldest);
        }
        self.rollouts.push(OfRollout { rollout, steps: BTreeMap::new() });
        self.rollouts.len() - 1
    }
}
