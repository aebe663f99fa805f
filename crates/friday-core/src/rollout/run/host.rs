//! One host in a rollout.

use std::collections::BTreeMap;

use friday_wire::{Fault, Head, Nonce, Observation};

use crate::journal::event::Watcher;
use crate::rollout::budget::serves_well;
use crate::time::Timestamp;

/// One host in a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRun {
    /// Where it is.
    pub at: HostState,
    /// Where it stands in the plan's list of hosts.
    pub place: usize,
    /// Whether the outside probe asks it.
    pub probed: Probed,
    /// Whether it takes part.
    pub part: Part,
    /// What was found of it before anything was ordered, as far as budgets ask.
    pub found: Found,
    /// Switches or backs ordered so far: the attempt of the last one.
    pub attempts: u32,
    /// Stops ordered so far: the attempt of the last one.
    pub stops: u32,
    /// Whether it was stopped for the migration and not switched since.
    pub stopped: Stopped,
    /// Health as watched: who found it sick, and why.
    pub sick: BTreeMap<WatcherKey, String>,
}

impl HostRun {
    /// A host that waits for its turn.
    pub(crate) fn waiting(place: usize, probed: Probed, part: Part) -> Self {
        Self {
            at: HostState::Waiting,
            place,
            probed,
            part,
            found: Found::default(),
            attempts: 0,
            stops: 0,
            stopped: Stopped::No,
            sick: BTreeMap::new(),
        }
    }
}

/// Whether a host is asked from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// The plan has no outside probe, or none of this host.
    No,
    /// It is.
    Yes,
}

/// Whether a host takes part in the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It does.
    Takes,
    /// A push that names others leaves it as it is.
    Aside,
}

/// What heads and observations say that budgets ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whether the own raise was answered.
    pub heard: Heard,
    /// By its head: what it ran. Until it answered, that is something.
    pub ran: Ran,
    /// By its observation: whether it serves and is well. Until it answered, it does not.
    pub serves: Serves,
}

impl Default for Found {
    fn default() -> Self {
        Self { heard: Heard::No, ran: Ran::Something, serves: Serves::No }
    }
}

impl Found {
    /// By a head.
    pub(crate) fn by_head(&mut self, head: &Head) {
        self.heard = Heard::Yes;
        self.ran = if head.current.is_some() { Ran::Something } else { Ran::Nothing };
    }

    /// By an observation.
    pub(crate) fn by_observation(&mut self, seen: &Observation) {
        self.serves = if serves_well(seen) { Serves::Well } else { Serves::No };
    }
}

/// Whether a host answered the own raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Not yet.
    No,
    /// It did.
    Yes,
}

/// What a host ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// A release, or nobody knows.
    Something,
    /// Nothing: it serves nobody.
    Nothing,
}

/// Whether a host served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// No, or not well, or nobody knows.
    No,
    /// In rotation, and not sick.
    Well,
}

/// Whether a host was stopped for the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// No.
    No,
    /// Nothing was left running. It starts its old release again by itself, unless the migration is
    /// one-way.
    Yes,
}

/// [`Watcher`], ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatcherKey {
    /// The host.
    Host,
    /// The outside probe.
    Outside,
}

impl From<Watcher> for WatcherKey {
    fn from(watcher: Watcher) -> Self {
        match watcher {
            Watcher::Host => Self::Host,
            Watcher::Outside => Self::Outside,
        }
    }
}

/// Where a host is in its rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostState {
    /// Not its turn yet.
    Waiting,
    /// A switch, a back or a stop was ordered.
    Ordered {
        /// When it must have ended.
        deadline: Timestamp,
        /// A back without drain: costs nobody's budget.
        pace: Pace,
    },
    /// Nobody knows what came of the order: it is observed, and sealed.
    Looking {
        /// When friday stops looking.
        deadline: Timestamp,
        /// As ordered.
        pace: Pace,
    },
    /// Switched, awaiting its confirm: the outside probe runs.
    Proving {
        /// For the confirm.
        nonce: Nonce,
        /// When the host will have undone it alone.
        deadline: Timestamp,
    },
    /// The confirm is under way.
    Confirming {
        /// For the confirm.
        nonce: Nonce,
        /// As above.
        deadline: Timestamp,
    },
    /// As it should be.
    Done,
    /// It failed, and why.
    Failed {
        /// One sentence.
        why: String,
        /// Whose fault it is, as far as anybody knows.
        fault: Fault,
    },
    /// It cannot be reached.
    Gone {
        /// One sentence.
        why: String,
    },
}

/// Whether an order takes a serving host out of rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It does, and counts against the budget.
    Drained,
    /// It does not matter: it did not serve, or need not be drained.
    AtOnce,
}

impl HostState {
    /// When the order under way must have ended.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Ordered { deadline, .. }
            | Self::Looking { deadline, .. }
            | Self::Proving { deadline, .. }
            | Self::Confirming { deadline, .. } => Some(*deadline),
            Self::Waiting | Self::Done | Self::Failed { .. } | Self::Gone { .. } => None,
        }
    }

    /// Whether an order is under way.
    pub fn is_in_flight(&self) -> bool {
        match self {
            Self::Ordered { .. }
            | Self::Looking { .. }
            | Self::Proving { .. }
            | Self::Confirming { .. } => true,
            Self::Waiting | Self::Done | Self::Failed { .. } | Self::Gone { .. } => false,
        }
    }
}
