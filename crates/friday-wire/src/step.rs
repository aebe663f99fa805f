//! Steps: the operations on a host that belong to a rollout.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::health::Clocks;
use crate::id::{Nonce, ProcessName, ReleaseId, RoleName, RolloutId, SecretsVersion};
use crate::manifest::Ports;
use crate::rotation::Rotation;
use crate::undo::Undo;

/// Which step. With rollout and attempt it names one operation for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Build the release's tree from the store and verify it.
    Stage,
    /// Run the migration, on one host.
    Migrate,
    /// Undo the migration, on one host.
    MigrateBack,
    /// Replace what runs, commit-confirmed.
    Switch,
    /// Go back, at once and unarmed.
    Back,
    /// Stop what runs while a migration runs that it cannot run beside.
    Stop,
}

/// Names one operation. A host remembers the highest attempt per (rollout, step): a repeated key
/// answers with the present state, a lower attempt is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepKey {
    /// The rollout.
    pub rollout: RolloutId,
    /// The step.
    pub step: StepName,
    /// Counts from 1.
    pub attempt: u32,
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}/{}", self.rollout, self.step, self.attempt)
    }
}

/// How fast a `back` may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackPace {
    /// Out of rotation, settle, drain: the host serves well and others may be busy.
    Drained,
    /// At once: the host fails health, or `--now`.
    AtOnce,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// The manifest must have been put before, and every file of it stored. Files only.
    Stage {
        /// Which.
        release: ReleaseId,
    },
    /// Runs in the release's staged tree with its environment and secrets.
    Migrate {
        /// Whose tree and environment.
        release: ReleaseId,
        /// Given to `/bin/sh -c`.
        command: String,
        /// Then it is killed, and the outcome is a failure that says so.
        timeout_ms: u64,
        /// Secrets it sees.
        secrets: Option<SecretsVersion>,
    },
    /// As `Migrate`, for the way back.
    MigrateBack {
        /// Whose tree and environment: the release that knows how to go back.
        release: ReleaseId,
        /// Given to `/bin/sh -c`.
        command: String,
        /// As above.
        timeout_ms: u64,
        /// As above.
        secrets: Option<SecretsVersion>,
    },
    /// Arm; out of rotation; settle; drain; stop and start; own health; into rotation; then wait for
    /// a confirm. See PROTOCOL 3.
    Switch {
        /// The new release; staged.
        release: ReleaseId,
        /// What to do unconfirmed.
        undo: Undo,
        /// The clocks.
        clocks: Clocks,
        /// Ports for releases on this host.
        ports: Ports,
        /// How it goes into and out of rotation.
        rotation: Rotation,
        /// Secrets it runs with.
        secrets: Option<SecretsVersion>,
        /// The new secrets stay when the release goes back.
        secrets_stay: bool,
        /// The host's role: which of the release's processes run here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleName>,
        /// The once processes that this host is to run from here on; never more than one host is told so.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        once: Vec<ProcessName>,
    },
    /// Never armed. Replaces a running timer and makes its target stable, in one persist.
    Back {
        /// What to run; `None`: nothing, stopped and removed.
        to: Option<ReleaseId>,
        /// The release that is taken off, quarantined with this reason in the same persist.
        quarantine: Option<(ReleaseId, String)>,
        /// With or without drain.
        pace: BackPace,
        /// The clocks.
        clocks: Clocks,
        /// Ports, as in `Switch`.
        ports: Ports,
        /// Rotation, as in `Switch`.
        rotation: Rotation,
        /// As in `Switch`; for a release that ran here before, its role then holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleName>,
    },
    /// Armed: out of rotation; settle; drain; stop. `current` and all else stay as they are. Done when
    /// nothing runs; confirmed by nothing. The host starts its old release again, alone, when the time
    /// is over, after a reboot, and when it stores that the migration ended; but not once a one-way
    /// migration began. A later switch or back takes its place.
    Stop {
        /// How long it stays stopped at most, milliseconds, beyond settle, drain and stop.
        hold_ms: u64,
        /// The clocks.
        clocks: Clocks,
        /// Ports, as in `Switch`: the old release may be started again.
        ports: Ports,
        /// Rotation, as in `Switch`.
        rotation: Rotation,
    },
}

impl Step {
    /// Its name.
    pub fn name(&self) -> StepName {
        match self {
            Self::Stage { .. } => StepName::Stage,
            Self::Migrate { .. } => StepName::Migrate,
            Self::MigrateBack { .. } => StepName::MigrateBack,
            Self::Switch { .. } => StepName::Switch,
            Self::Back { .. } => StepName::Back,
            Self::Stop { .. } => StepName::Stop,
        }
    }
}

/// Whose fault a failure is. What does not say is the release's: a hindrance must be known to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The release's, or nobody knows: it is taken off, and quarantined.
    #[default]
    Release,
    /// The host's own: its port is taken by another program, its disk is full. Any release would fail there.
    Host,
}

impl Fault {
    /// Whether it is the release's, which is not written.
    pub fn is_the_releases(&self) -> bool {
        *self == Self::Release
    }
}

/// How far an operation came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    /// At work; `doing` is one word or two for people: `draining`, `starting`, `proving health`.
    Running {
        /// See above.
        doing: String,
    },
    /// A switch: in rotation and healthy by its own account; confirm with the nonce.
    AwaitingConfirm {
        /// Made by the host.
        nonce: Nonce,
        /// Milliseconds left.
        remaining_ms: u64,
    },
    /// Ended well: staged; migrated; confirmed; stopped; back and healthy in rotation (or nothing runs,
    /// as asked).
    Done,
    /// Ended badly. After a failed switch the undo was performed or is being performed. After a failed
    /// back the host stays out of rotation.
    Failed {
        /// What failed, one sentence.
        why: String,
        /// The last lines of the application's output, control characters shown.
        log: Vec<String>,
        /// Whose fault it is, as far as the host knows.
        #[serde(default, skip_serializing_if = "Fault::is_the_releases")]
        fault: Fault,
    },
    /// A migration that was begun, and then the host program or the machine died, or a `back` took
    /// its place: it may have ended well, badly or not at all. Never run again by itself.
    Lost {
        /// What happened, one sentence.
        why: String,
    },
    /// A switch that was not confirmed in time, or rebooted: undone by the host alone. A stop whose
    /// time is over: the old release is started again.
    Undone {
        /// Why.
        why: String,
    },
    /// A higher fence ended it before its next step.
    Ended {
        /// What it was doing.
        doing: String,
    },
    /// Observed before it was begun: it never will be.
    Sealed,
    /// The host has never heard of it (only in answer to an observation that does not seal).
    NeverSeen,
}

impl StepState {
    /// Whether it will not change any more by itself.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Running { .. } | Self::AwaitingConfirm { .. } | Self::NeverSeen => false,
            Self::Done
            | Self::Failed { .. }
            | Self::Lost { .. }
            | Self::Undone { .. }
            | Self::Ended { .. }
            | Self::Sealed => true,
        }
    }
}

/// An operation and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Which.
    pub key: StepKey,
    /// How far.
    pub state: StepState,
}
