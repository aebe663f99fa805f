//! A round: all its hosts are asked the same, and what they answered.

use std::sync::Arc;

use friday_wire::{Fence, HostName, Witness};

use crate::journal::round::{HostAnswer, RoundAsk};
use crate::shared::SharedMap;
use crate::time::Timestamp;

/// All hosts are asked the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Counts from 1 within the rollout.
    pub number: u32,
    /// What.
    pub ask: RoundAsk,
    /// When the silent ones count as unreachable.
    pub deadline: Timestamp,
    /// The journal when it was begun, for hosts to keep.
    pub witness: Option<Witness>,
    /// The keeper as known when it was begun, and its fence: every host of a round is asked the same,
    /// whatever the first answers say.
    pub keeper: (HostName, Option<Fence>),
    /// Whom, and what they answered.
    answers: SharedMap<HostName, Option<Arc<HostAnswer>>>,
    /// How many have not answered; counted here, because every answer asks.
    awaited: usize,
}

impl Round {
    /// A round that nobody has answered.
    pub(crate) fn begun(
        number: u32,
        ask: RoundAsk,
        hosts: &[HostName],
        deadline: Timestamp,
        keeper: (HostName, Option<Fence>),
    ) -> Self {
        let answers: SharedMap<_, _> = hosts.iter().map(|host| (host.clone(), None)).collect();
        let awaited = answers.len();
        Self { number, ask, deadline, witness: None, keeper, answers, awaited }
    }

    /// Notes an answer.
    ///
    /// # Errors
    /// When the host was not asked, or has answered.
    pub(crate) fn answered(&mut self, host: &HostName, answer: &HostAnswer) -> Result<(), String> {
        match self.answers.get(host) {
            None => Err(format!("`{host}` was not asked")),
            Some(Some(_)) => Err(format!("`{host}` has answered round {}", self.number)),
            Some(None) => {
                self.answers.insert(host.clone(), Some(Arc::new(answer.clone())));
                self.awaited -= 1;
                Ok(())
            }
        }
    }

    /// Whether every host answered.
    pub fn is_complete(&self) -> bool {
        self.awaited == 0
    }

    /// How many were asked.
    pub fn asked(&self) -> usize {
        self.answers.len()
    }

    /// Whether a host was asked.
    pub fn asks(&self, host: &HostName) -> bool {
        self.answers.contains_key(host)
    }

    /// Whether a host was asked and has not answered.
    pub fn awaits(&self, host: &HostName) -> bool {
        matches!(self.answers.get(host), Some(None))
    }

    /// What a host answered, if it did.
    pub fn answer(&self, host: &HostName) -> Option<&HostAnswer> {
        self.answers.get(host).and_then(Option::as_deref)
    }

    /// Everybody who was asked, and the answer where there is one.
    pub fn answers(&self) -> impl Iterator<Item = (&HostName, Option<&HostAnswer>)> {
        self.answers.iter().map(|(host, answer)| (host, answer.as_deref()))
    }

    /// Hosts that have not answered.
    pub fn silent(&self) -> impl Iterator<Item = &HostName> {
        self.answers().filter(|(_, answer)| answer.is_none()).map(|(host, _)| host)
    }
}
