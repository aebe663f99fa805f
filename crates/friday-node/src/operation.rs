//! The operation that moves an application: a switch, a stop, its undo, a back, a start after a reboot.
//!
//! One list of phases per route; a phase that has nothing to do is skipped. [`drawing`] tells every
//! transition there is, and a test proves that no other is ever taken.

use friday_wire::{BackPace, Fence, Nonce, ReleaseId, SecretsVersion, StepKey, StepState, Undo};
use serde::{Deserialize, Serialize};

use crate::durable::Manner;

pub mod drawing;

/// An operation at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What it is.
    pub course: Course,
    /// What shall run in the end; `None`: nothing.
    pub to: Option<ReleaseId>,
    /// The generation of its app, once there is one.
    pub target: Option<u64>,
    /// Secrets for its start.
    pub secrets: Option<SecretsVersion>,
    /// Clocks, ports, rotation.
    pub manner: Manner,
    /// With or without drain.
    pub pace: BackPace,
    /// In which order.
    pub route: Route,
    /// How far.
    pub phase: Phase,
    /// Something was taken out of rotation by this operation, so there is something to wait for.
    pub left_rotation: bool,
}

/// What an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// A switch on its way to be confirmed.
    Switch(Armed),
    /// A stop for a migration, and the time it holds. Its rule is in `stop.rs`.
    Stop(Armed),
    /// A switch or stop that a higher fence ended. It does nothing more; its timer still runs.
    Ended(Armed),
    /// A switch or stop being undone. Its report stands already.
    Undo(Armed),
    /// A back. Never armed.
    Back {
        /// Which.
        key: StepKey,
        /// The fence it began under.
        fence: Fence,
    },
    /// A start after a reboot. Nobody asked for it, so nobody is told, and everything may replace it.
    Boot,
}

/// What a switch or stop stored before it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// Which.
    pub key: StepKey,
    /// The fence it began under.
    pub fence: Fence,
    /// The new release; `None`: a stop.
    pub release: Option<ReleaseId>,
    /// What to do unconfirmed.
    pub undo: Undo,
    /// The secrets that the undo restores.
    pub undo_secrets: Option<SecretsVersion>,
    /// Whoever confirms names it.
    pub nonce: Nonce,
    /// The timer, boot clock: when it has passed, the undo is performed. [`NO_TIMER`]: it stays.
    pub deadline_ms: u64,
}

/// The timer of what stays stopped until somebody comes.
pub const NO_TIMER: u64 = u64::MAX;

/// In which order an operation goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Releases take the host in turn: the old one stops before the new one starts.
    InTurn,
    /// The new one starts beside the old one, and traffic is pointed to it.
    Beside,
    /// What is wanted runs already.
    Kept,
    /// What was wanted is not healthy: it stays out of rotation, and what it replaces is gone.
    GivenUp,
    /// Nothing shall run for a while, and `current` stays as it is.
    Stopped,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Taking the old one out of rotation.
    Leaving,
    /// Waiting until balancers noticed.
    Settling {
        /// Until when.
        until_ms: u64,
    },
    /// Waiting for requests in flight.
    Draining {
        /// Until when.
        until_ms: u64,
    },
    /// Stopping what belongs neither to the old nor to the new one.
    Clearing,
    /// Stopping everything but the new one.
    Stopping,
    /// Starting the new one.
    Starting,
    /// Pointing `current` to it.
    Pointing,
    /// Waiting for its health.
    Proving {
        /// Until when.
        until_ms: u64,
    },
    /// Putting it into rotation.
    Entering,
    /// A switch: waiting for somebody to confirm.
    Confirming {
        /// Until when.
        until_ms: u64,
    },
    /// Taking what is not healthy out of rotation.
    Shunning,
    /// A stop: nothing runs until something takes its place, or its time is over.
    Holding,
}

/// A phase without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented at `Phase`")]
pub enum PhaseName {
    Leaving,
    Settling,
    Draining,
    Clearing,
    Stopping,
    Starting,
    Pointing,
    Proving,
    Entering,
    Confirming,
    Shunning,
    Holding,
}

impl Operation {
    /// A phase that begins now, with the end of its wait.
    pub(crate) fn phase_begun(&self, now_ms: u64, name: PhaseName) -> Phase {
        let clocks = self.manner.clocks;
        let after = |wait_ms: u64| now_ms.saturating_add(wait_ms);
        match name {
            PhaseName::Leaving => Phase::Leaving,
            PhaseName::Settling => Phase::Settling { until_ms: after(clocks.settle_ms) },
            PhaseName::Draining => Phase::Draining { until_ms: after(clocks.drain_ms) },
            PhaseName::Clearing => Phase::Clearing,
            PhaseName::Stopping => Phase::Stopping,
            PhaseName::Starting => Phase::Starting,
            PhaseName::Pointing => Phase::Pointing,
            PhaseName::Proving => Phase::Proving {
                until_ms: match &self.course {
                    Course::Switch(armed) | Course::Stop(armed) | Course::Ended(armed) => {
                        after(clocks.health_deadline_ms).min(armed.deadline_ms)
                    }
                    Course::Undo(_) | Course::Back { .. } => after(clocks.health_deadline_ms),
                    // Nobody waits for it; it is put into rotation whenever it is healthy.
                    Course::Boot => u64::MAX,
                },
            },
            PhaseName::Entering => Phase::Entering,
            PhaseName::Confirming => Phase::Confirming { until_ms: after(clocks.confirm_ms) },
            PhaseName::Shunning => Phase::Shunning,
            PhaseName::Holding => Phase::Holding,
        }
    }
}

impl Phase {
    /// Its name.
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Leaving => PhaseName::Leaving,
            Self::Settling { .. } => PhaseName::Settling,
            Self::Draining { .. } => PhaseName::Draining,
            Self::Clearing => PhaseName::Clearing,
            Self::Stopping => PhaseName::Stopping,
            Self::Starting => PhaseName::Starting,
            Self::Pointing => PhaseName::Pointing,
            Self::Proving { .. } => PhaseName::Proving,
            Self::Entering => PhaseName::Entering,
            Self::Confirming { .. } => PhaseName::Confirming,
            Self::Shunning => PhaseName::Shunning,
            Self::Holding => PhaseName::Holding,
        }
    }

    /// When it ends by itself.
    pub fn until_ms(&self) -> Option<u64> {
        match self {
            Self::Settling { until_ms }
            | Self::Draining { until_ms }
            | Self::Proving { until_ms }
            | Self::Confirming { until_ms } => Some(*until_ms),
            Self::Leaving
            | Self::Clearing
            | Self::Stopping
            | Self::Starting
            | Self::Pointing
            | Self::Entering
            | Self::Shunning
            | Self::Holding => None,
        }
    }
}

impl PhaseName {
    /// One word or two for people.
    pub fn doing(self) -> &'static str {
        match self {
            Self::Leaving => "leaving rotation",
            Self::Settling => "settling",
            Self::Draining => "draining",
            Self::Clearing | Self::Stopping => "stopping",
            Self::Starting => "starting",
            Self::Pointing => "switching",
            Self::Proving => "proving health",
            Self::Entering => "entering rotation",
            Self::Confirming => "awaiting confirm",
            Self::Shunning => "taking out of rotation",
            Self::Holding => "stopped",
        }
    }
}

impl Route {
    /// Its phases, in order. A switch that reaches the end awaits its confirm.
    pub fn phases(self) -> &'static [PhaseName] {
        use PhaseName::{
            Clearing, Draining, Entering, Holding, Leaving, Pointing, Proving, Settling, Shunning,
            Starting, Stopping,
        };
        match self {
            Self::InTurn => {
                &[Leaving, Settling, Draining, Stopping, Starting, Pointing, Proving, Entering]
            }
            Self::Beside => &[Clearing, Starting, Proving, Entering, Pointing, Stopping],
            // Its followers may have to be started again.
            Self::Kept => &[Leaving, Starting, Proving, Entering, Pointing, Stopping],
            Self::GivenUp => &[Shunning, Stopping, Pointing],
            Self::Stopped => &[Leaving, Settling, Draining, Stopping, Holding],
        }
    }

    /// The phase after this one; `None` at the end.
    pub fn after(self, phase: PhaseName) -> Option<PhaseName> {
        let phases = self.phases();
        let at = phases.iter().position(|each| *each == phase)?;
        phases.get(at + 1).copied()
    }
}

impl Operation {
    /// Its key, where somebody asked for it.
    pub fn key(&self) -> Option<&StepKey> {
        match &self.course {
            Course::Switch(armed)
            | Course::Stop(armed)
            | Course::Ended(armed)
            | Course::Undo(armed) => Some(&armed.key),
            Course::Back { key, .. } => Some(key),
            Course::Boot => None,
        }
    }

    /// The armed timer, where it still runs.
    pub fn armed(&self) -> Option<&Armed> {
        match &self.course {
            Course::Switch(armed) | Course::Stop(armed) | Course::Ended(armed) => {
                Some(armed).filter(|armed| armed.deadline_ms != NO_TIMER)
            }
            Course::Undo(_) | Course::Back { .. } | Course::Boot => None,
        }
    }

    /// How far it came, for whoever asked for it. What is recorded already goes before this.
    pub fn state(&self, now_ms: u64) -> StepState {
        match (&self.course, &self.phase) {
            (Course::Switch(armed), Phase::Confirming { until_ms }) => StepState::AwaitingConfirm {
                nonce: armed.nonce.clone(),
                remaining_ms: until_ms.saturating_sub(now_ms),
            },
            (Course::Undo(_), _) => StepState::Running { doing: "undoing".to_owned() },
            (_, phase) => StepState::Running { doing: phase.name().doing().to_owned() },
        }
    }
}
