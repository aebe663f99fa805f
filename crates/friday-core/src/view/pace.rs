//! How long pushes took here, and how long the next one is likely to take.
//!
//! Soak and bake are choices and known. What they stand between is taken from the last pushes that became
//! stable without a stop: from the beginning to the first wave, each host's switch, and from the bake's end
//! to the push's. Builds run before a push begins, and are not counted.

use std::collections::BTreeMap;

use friday_wire::{HostName, RolloutId};
use serde::Serialize;

use crate::journal::event::{End, Event};
use crate::journal::intent::Intent;
use crate::rollout::budget::out_allowed;
use crate::rollout::plan::Plan;
use crate::time::Timestamp;

/// So many of the last pushes count: older ones are of another application.
const PUSHES_MAX: usize = 5;

/// The paces of a journal's pushes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paces {
    running: BTreeMap<RolloutId, Running>,
    /// Oldest first.
    done: Vec<Pace>,
}

/// A push that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    began: Timestamp,
    migrates: bool,
    waves_from: Option<Timestamp>,
    switching: BTreeMap<HostName, Timestamp>,
    switches_ms: Vec<u64>,
    baked: Option<Timestamp>,
}

/// How a push went.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pace {
    migrates: bool,
    prepare_ms: u64,
    switch_ms: u64,
    finish_ms: u64,
}

/// How long a push is likely to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Soaks and bake, milliseconds: what no luck can shorten.
    pub waiting_ms: u64,
    /// What the last pushes make of the rest; `None` where none became stable yet.
    pub likely: Option<Likely>,
}

/// What the last pushes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Likely {
    /// In all, milliseconds, by the middle one of them.
    pub about_ms: u64,
    /// At the pace of the fastest.
    pub from_ms: u64,
    /// At the pace of the slowest.
    pub to_ms: u64,
    /// So many pushes.
    pub pushes: usize,
}

impl Paces {
    /// Takes in the next event of the journal.
    pub fn take_in(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::RolloutBegun { rollout, intent, .. } => {
                if let Intent::Push { plan } = &**intent {
                    self.running.insert(rollout.clone(), Running::new(at, plan));
                }
            }
            // A push that waited for a person, or went back, says nothing of the next one.
            Event::Held { rollout, .. } | Event::Resumed { rollout, .. } => {
                self.running.remove(rollout);
            }
            Event::WaveBegun { rollout, .. } => {
                if let Some(push) = self.running.get_mut(rollout) {
                    push.waves_from.get_or_insert(at);
                }
            }
            Event::StepBegun { rollout, host, .. } => {
                if let Some(push) = self.running.get_mut(rollout).filter(|push| push.is_in_waves())
                {
                    push.switching.entry(host.clone()).or_insert(at);
                }
            }
            Event::HostDone { rollout, host } => {
                if let Some(push) = self.running.get_mut(rollout)
                    && let Some(from) = push.switching.remove(host)
                {
                    push.switches_ms.push(at.since_ms(from));
                }
            }
            Event::BakeEnded { rollout } => {
                if let Some(push) = self.running.get_mut(rollout) {
                    push.baked = Some(at);
                }
            }
            Event::RolloutEnded { rollout, end } => {
                let push = self.running.remove(rollout).filter(|_| *end == End::Stable);
                self.done.extend(push.and_then(|push| push.pace(at)));
                let surplus = self.done.len().saturating_sub(PUSHES_MAX);
                self.done.drain(..surplus);
            }
            _ => {}
        }
    }

    /// How long a push of this plan is likely to take.
    pub fn estimate(&self, plan: &Plan) -> Estimate {
        let waiting_ms = waiting_ms(plan);
        let turns: u64 = plan.waves.iter().map(|wave| turns(plan, wave.len())).sum();
        // A migration is most of what comes before the first wave.
        let alike = self.done.iter().filter(|pace| pace.migrates == plan.migration.is_some());
        let mut totals: Vec<u64> = alike
            .map(|pace| {
                let work = pace.switch_ms.saturating_mul(turns);
                [pace.prepare_ms, work, pace.finish_ms]
                    .iter()
                    .fold(waiting_ms, |sum, part| sum.saturating_add(*part))
            })
            .collect();
        totals.sort_unstable();
        let likely = match (totals.first(), totals.get(totals.len() / 2), totals.last()) {
            (Some(from), Some(about), Some(to)) => {
                Some(Likely { about_ms: *about, from_ms: *from, to_ms: *to, pushes: totals.len() })
            }
            _ => None,
        };
        Estimate { waiting_ms, likely }
    }
}

impl Running {
    fn new(began: Timestamp, plan: &Plan) -> Self {
        Self {
            began,
            migrates: plan.migration.is_some(),
            waves_from: None,
            switching: BTreeMap::new(),
            switches_ms: Vec::new(),
            baked: None,
        }
    }

    fn is_in_waves(&self) -> bool {
        self.waves_from.is_some()
    }

    fn pace(mut self, ended: Timestamp) -> Option<Pace> {
        self.switches_ms.sort_unstable();
        Some(Pace {
            migrates: self.migrates,
            prepare_ms: self.waves_from?.since_ms(self.began),
            switch_ms: *self.switches_ms.get(self.switches_ms.len() / 2)?,
            finish_ms: ended.since_ms(self.baked?),
        })
    }
}

/// Soaks and bake.
fn waiting_ms(plan: &Plan) -> u64 {
    let soaks = plan.waves.len().saturating_sub(1);
    let soak = |at: usize| plan.soak_ms.get(at).or(plan.soak_ms.last()).copied().unwrap_or(0);
    (0..soaks).map(soak).fold(plan.bake_ms, u64::saturating_add)
}

/// How many switches follow each other in a wave of so many hosts.
fn turns(plan: &Plan, hosts: usize) -> u64 {
    let at_once = out_allowed(plan.fleet.hosts.len(), plan.fleet.out_at_once_percent);
    u64::try_from(hosts.div_ceil(at_once)).unwrap_or(u64::MAX)
}
