//! The effects still owed, kept up to date event by event. A test holds it equal to the full
//! derivation.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{HostName, RolloutId};

use super::effect::{EffectId, Owed};
use crate::journal::Event;
use crate::rollout::owed;
use crate::state::State;

/// Effects still owed.
#[derive(Debug, Clone, Default)]
pub struct Index {
    owed: BTreeMap<EffectId, Owed>,
    /// Ids that came or went since somebody last asked.
    touched: BTreeSet<EffectId>,
}

/// What an event can change of what is owed.
enum Scope<'a> {
    Nothing,
    Host(&'a RolloutId, &'a HostName),
    Everything,
}

impl Index {
    /// Derived from scratch: what is owed is a function of the state.
    pub fn derive(state: &State) -> Self {
        let mut index = Self::default();
        for rollout in state.driven() {
            index.owed.extend(owed::of_rollout(rollout));
            for host in rollout.hosts.keys() {
                index.owed.extend(owed::of_host(state, rollout, host));
            }
        }
        index
    }

    /// After events were applied, all of them: what is owed is asked of the state as it is now.
    pub fn follow<'a>(&mut self, state: &State, events: impl IntoIterator<Item = &'a Event>) {
        let mut hosts: BTreeSet<(&RolloutId, &HostName)> = BTreeSet::new();
        for event in events {
            match scope(event) {
                Scope::Nothing => {}
                Scope::Host(rollout, host) => drop(hosts.insert((rollout, host))),
                Scope::Everything => return self.become_all(Self::derive(state).owed),
            }
        }
        hosts.into_iter().for_each(|(rollout, host)| self.follow_host(state, rollout, host));
    }

    /// Ids of effects that may have come to be owed, or ceased to be, since this was last asked. Whether
    /// each is owed now, [`Self::owed`] says.
    pub fn take_touched(&mut self) -> BTreeSet<EffectId> {
        std::mem::take(&mut self.touched)
    }

    fn become_all(&mut self, owed: BTreeMap<EffectId, Owed>) {
        let gone = self.owed.keys().filter(|id| !owed.contains_key(*id));
        let come = owed.keys().filter(|id| !self.owed.contains_key(*id));
        self.touched.extend(gone.chain(come).cloned());
        self.owed = owed;
    }

    /// What is owed.
    pub fn owed(&self) -> &BTreeMap<EffectId, Owed> {
        &self.owed
    }

    fn follow_host(&mut self, state: &State, id: &RolloutId, host: &HostName) {
        let prefix = owed::host_prefix(id, host);
        let stale: Vec<EffectId> = self
            .owed
            .range(EffectId(prefix.clone())..)
            .map(|(effect, _)| effect)
            .take_while(|effect| effect.0.starts_with(&prefix))
            .cloned()
            .collect();
        let rollout = state.driven().find(|rollout| rollout.id == *id);
        let owed: BTreeMap<EffectId, Owed> = rollout
            .map(|rollout| owed::of_host(state, rollout, host))
            .into_iter()
            .flatten()
            .collect();
        for effect in stale.into_iter().filter(|effect| !owed.contains_key(effect)) {
            self.owed.remove(&effect);
            self.touched.insert(effect);
        }
        for (effect, what) in owed {
            if self.owed.insert(effect.clone(), what).is_none() {
                self.touched.insert(effect);
            }
        }
    }
}

fn scope(event: &Event) -> Scope<'_> {
    match event {
        Event::HostAnswered { rollout, host, .. }
        | Event::StepBegun { rollout, host, .. }
        | Event::StepAnswered { rollout, host, .. }
        | Event::OutsideProved { rollout, host }
        | Event::HostDone { rollout, host }
        | Event::HostStopped { rollout, host }
        | Event::HostFailed { rollout, host, .. }
        | Event::HostLeft { rollout, host, .. } => Scope::Host(rollout, host),
        Event::GateJudged { .. }
        | Event::WayBackDecided { .. }
        | Event::HealthChanged { .. }
        | Event::LeaseRenewed { .. }
        | Event::DataActBegun { .. }
        | Event::DataActEnded { .. } => Scope::Nothing,
        Event::JournalCreated { .. }
        | Event::DriverStarted { .. }
        | Event::RolloutBegun { .. }
        | Event::RoundBegun { .. }
        | Event::FenceChosen { .. }
        | Event::Observed { .. }
        | Event::RolloutBound { .. }
        | Event::WorkBegun { .. }
        | Event::MigrationMoved { .. }
        | Event::MigrationWentBack { .. }
        | Event::HookEnded { .. }
        | Event::WaveBegun { .. }
        | Event::SoakBegun { .. }
        | Event::BakeBegun { .. }
        | Event::BakeEnded { .. }
        | Event::Held { .. }
        | Event::EndDecided { .. }
        | Event::RolloutEnded { .. }
        | Event::Requested { .. }
        | Event::RestorePointMade { .. }
        | Event::RestorePointFailed { .. }
        | Event::RestorePointUnknown { .. }
        | Event::InvariantsJudged { .. }
        | Event::InvariantsUnknown { .. }
        | Event::Resumed { .. } => Scope::Everything,
    }
}
