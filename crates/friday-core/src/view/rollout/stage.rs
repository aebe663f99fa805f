//! How far one host came in a rollout, as people see it.

use serde::Serialize;

/// How far a host came in a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum HostStage {
    /// Nothing asked yet, or answered and waiting for its turn.
    Waiting,
    /// Files are on their way.
    Staging,
    /// The release's files are there, verified.
    Staged,
    /// It is being stopped for the migration.
    Stopping,
    /// Nothing runs there, for the migration.
    Stopped,
    /// The switch is under way.
    Switching,
    /// Healthy by its own account; the outside probe is at work.
    Proving,
    /// Proven; the confirm is on its way.
    Confirming,
    /// Runs the release, healthy, in rotation, confirmed; or went back, as asked.
    Done,
    /// Was done, and is sick now.
    Sick {
        /// What was seen.
        why: String,
    },
    /// A back is under way.
    GoingBack,
    /// Failed.
    Failed {
        /// How.
        why: String,
    },
    /// Does not answer.
    Unreachable {
        /// Why.
        why: String,
    },
}

impl HostStage {
    /// A few words for people.
    pub fn says(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Staging => "staging",
            Self::Staged => "staged",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Switching => "switching",
            Self::Proving => "proving from outside",
            Self::Confirming => "confirming",
            Self::Done => "done",
            Self::Sick { .. } => "sick",
            Self::GoingBack => "going back",
            Self::Failed { .. } => "failed",
            Self::Unreachable { .. } => "unreachable",
        }
    }

    /// What went wrong, where something did.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Sick { why } | Self::Failed { why } | Self::Unreachable { why } => Some(why),
            Self::Waiting
            | Self::Staging
            | Self::Staged
            | Self::Stopping
            | Self::Stopped
            | Self::Switching
            | Self::Proving
            | Self::Confirming
            | Self::Done
            | Self::GoingBack => None,
        }
    }

    /// Something is happening there right now.
    pub fn is_at_work(&self) -> bool {
        match self {
            Self::Staging
            | Self::Stopping
            | Self::Switching
            | Self::Proving
            | Self::Confirming
            | Self::GoingBack => true,
            Self::Waiting
            | Self::Staged
            | Self::Stopped
            | Self::Done
            | Self::Sick { .. }
            | Self::Failed { .. }
            | Self::Unreachable { .. } => false,
        }
    }
}
