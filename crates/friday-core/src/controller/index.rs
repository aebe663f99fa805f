//! The effects still owed, kept up to date event by event. A test holds it equal to the full
//! derivation.

use std::collections::BTreeMap;

use friday_wire::{HostName, RolloutId};

use super::effect::{EffectId, Owed};
use crate::journal::Event;
use crate::rollout::owed;
use crate::state::State;

/// Effects still owed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    owed: BTreeMap<EffectId, Owed>,
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

    /// After several events were applied.
    pub fn follow_all(&mut self, state: &State, events: &[Event]) {
        if events.iter().any(|event| matches!(scope(event), Scope::Everything)) {
            *self = Self::derive(state);
            return;
        }
        events.iter().for_each(|event| self.follow(state, event));
    }

    /// After an event was applied.
    pub fn follow(&mut self, state: &State, event: &Event) {
        match scope(event) {
            Scope::Nothing => {}
            Scope::Host(rollout, host) => self.follow_host(state, rollout, host),
            Scope::Everything => *self = Self::derive(state),
        }
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
        for effect in stale {
            self.owed.remove(&effect);
        }
        if let Some(rollout) = state.driven().find(|rollout| rollout.id == *id) {
            self.owed.extend(owed::of_host(state, rollout, host));
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
        Event::GateJudged { .. } | Event::HealthChanged { .. } | Event::LeaseRenewed { .. } => {
            Scope::Nothing
        }
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
        | Event::Resumed { .. } => Scope::Everything,
    }
}
