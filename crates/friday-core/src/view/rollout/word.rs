//! What a rollout is, in a word.

use serde::Serialize;

use crate::journal::intent::{Intent, MemberChange};

/// What was asked for, as the command is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutWord {
    /// `friday push`.
    Push,
    /// `friday rollback`, or friday by itself.
    Rollback,
    /// `friday sweep`.
    Sweep,
    /// `friday lock`.
    Lock,
    /// `friday unlock`.
    Unlock,
    /// `friday quarantine`.
    Quarantine,
    /// `friday quarantine --lift`.
    Lift,
    /// `friday hosts keeper`.
    Keeper,
    /// `friday hosts once`.
    Once,
    /// Replaces friday-host.
    Upgrade,
    /// Only looked.
    Look,
    /// `friday hosts remove`.
    Remove,
    /// `friday hosts rename`.
    Rename,
    /// `friday hosts forget`.
    Forget,
}

impl RolloutWord {
    /// The word for a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Rollback => "rollback",
            Self::Sweep => "sweep",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Quarantine => "quarantine",
            Self::Lift => "lift of a quarantine",
            Self::Keeper => "change of keeper",
            Self::Once => "move of a process",
            Self::Upgrade => "upgrade of friday-host",
            Self::Look => "look",
            Self::Remove => "removal of a host",
            Self::Rename => "change of a host's name",
            Self::Forget => "forgetting of a host",
        }
    }

    /// Of what was asked for.
    pub(super) fn of(intent: &Intent) -> Self {
        match intent {
            Intent::Push { .. } => Self::Push,
            Intent::Rollback { .. } => Self::Rollback,
            Intent::Sweep { .. } => Self::Sweep,
            Intent::Lock { lock: Some(_), .. } => Self::Lock,
            Intent::Lock { lock: None, .. } => Self::Unlock,
            Intent::Quarantine { active: true, .. } => Self::Quarantine,
            Intent::Quarantine { active: false, .. } => Self::Lift,
            Intent::Keeper { .. } => Self::Keeper,
            Intent::Once { .. } => Self::Once,
            Intent::Upgrade { .. } => Self::Upgrade,
            Intent::Look { .. } => Self::Look,
            Intent::Members { change: MemberChange::Remove { .. }, .. } => Self::Remove,
            Intent::Members { change: MemberChange::Rename { .. }, .. } => Self::Rename,
            Intent::Members { change: MemberChange::Forget { .. }, .. } => Self::Forget,
        }
    }
}
