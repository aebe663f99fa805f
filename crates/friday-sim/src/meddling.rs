//! What a walk does to single messages and appends. Drawn faults are in `fault` and `network`; these
//! are named, so that a story can be told exactly.

use friday_wire::{Answer, Request, Step, StepName};

use crate::laptop::Caller;
use crate::world::{Happening, World};

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A fence is raised.
    Raise,
    /// A rollout is opened.
    Open,
    /// A switch is ordered.
    Switch,
    /// A way back is ordered.
    Back,
}

impl Message {
    fn is(self, request: &Request) -> bool {
        match request {
            Request::Raise { .. } => self == Self::Raise,
            Request::Open { .. } => self == Self::Open,
            Request::Do { step: Step::Switch { .. }, .. } => self == Self::Switch,
            Request::Do { step: Step::Back { .. }, .. } => self == Self::Back,
            _ => false,
        }
    }
}

/// What is done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It is stuck on its way until the walk lets it through, whatever becomes of its sender.
    Hold,
    /// It arrives, and a copy of it is stuck.
    Copy,
    /// It arrives, and its answer is lost.
    LoseAnswer,
}

/// One thing done to all messages of a kind from a laptop to a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meddling {
    pub(crate) laptop: usize,
    pub(crate) host: usize,
    pub(crate) message: Message,
    pub(crate) deed: Deed,
}

/// A message that is stuck on its way.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) caller: Caller,
    pub(crate) host: usize,
    pub(crate) request: Request,
}

impl World {
    /// What a walk does to this message.
    pub(crate) fn deed(&self, caller: &Caller, host: usize, request: &Request) -> Option<Deed> {
        let found = self.meddlings.iter().find(|meddling| {
            meddling.laptop == caller.laptop
                && meddling.host == host
                && meddling.message.is(request)
                && meddling.deed != Deed::LoseAnswer
        });
        found.map(|meddling| meddling.deed)
    }

    /// Whether a walk loses the answer to an order.
    pub(crate) fn loses_answer(&self, caller: &Caller, host: usize, answer: &Answer) -> bool {
        let Answer::Step(report) = answer else { return false };
        let message = match report.key.step {
            StepName::Switch => Message::Switch,
            StepName::Back => Message::Back,
            StepName::Stage | StepName::Stop | StepName::Migrate | StepName::MigrateBack => {
                return false;
            }
        };
        self.meddlings.iter().any(|meddling| {
            meddling.laptop == caller.laptop
                && meddling.host == host
                && meddling.message == message
                && meddling.deed == Deed::LoseAnswer
        })
    }

    /// Everything stuck arrives, in the order in which it was sent, and nothing is held any more.
    pub(crate) fn let_through(&mut self) {
        self.meddlings.clear();
        for (number, stuck) in std::mem::take(&mut self.stuck).into_iter().enumerate() {
            let Stuck { caller, host, request } = stuck;
            let at = self.now + 1 + 100 * number as u64;
            self.schedule.put(at, Happening::Arrives { caller, host, request });
        }
    }
}
