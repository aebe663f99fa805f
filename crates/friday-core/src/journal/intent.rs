//! Intents: what a rollout is to do, as its first record says it. Written for ever, like events.

use friday_wire::{HostName, Lock, ProcessName, ReleaseId, RolloutKind};
use serde::{Deserialize, Serialize};

use crate::controller::input::BackTo;
use crate::rollout::plan::{FleetPlan, MigrationPlan, Plan};

/// What a rollout is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a rollout has one, behind a shared pointer")]
pub enum Intent {
    /// Ship.
    Push {
        /// Every choice.
        plan: Plan,
    },
    /// Take off.
    Rollback {
        /// Where to.
        to: BackTo,
        /// Whatever the budget.
        now: bool,
        /// Quarantine what it leaves.
        quarantine: bool,
        /// A person's or friday's reason.
        reason: String,
        /// friday decided it, no person.
        automatic: bool,
        /// The push's migration, where it has a way back.
        migration: Option<MigrationPlan>,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Put right.
    Sweep {
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Lock or unlock.
    Lock {
        /// `None` lifts.
        lock: Option<Lock>,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Quarantine or lift.
    Quarantine {
        /// Which.
        release: ReleaseId,
        /// Set or lifted.
        active: bool,
        /// Why.
        reason: String,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Another keeper.
    Keeper {
        /// Which.
        keeper: HostName,
        /// A proven person.
        proven: Option<String>,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Another host runs a once process.
    Once {
        /// Which process.
        process: ProcessName,
        /// The host that runs it from then on.
        host: HostName,
        /// Hosts that are off for good, by a person's word.
        dead: Vec<HostName>,
        /// That person.
        person: String,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Replace friday-host by the program that this friday carries.
    Upgrade {
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Only look.
    Look {
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Change who belongs to the fleet.
    Members {
        /// How.
        change: MemberChange,
        /// The hosts.
        fleet: FleetPlan,
    },
}

/// How the fleet's membership changes. A host that is added needs none: the next sweep or push finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum MemberChange {
    /// What runs there is stopped, and friday is taken off it.
    Remove {
        /// Which.
        host: HostName,
    },
    /// The same server under another name; nothing is restarted.
    Rename {
        /// The name it knows.
        from: HostName,
        /// The configuration's name.
        to: HostName,
    },
    /// It is not asked any more; whatever runs there goes on, if the server exists at all.
    Forget {
        /// Which.
        host: HostName,
        /// A person's word.
        reason: String,
    },
}

impl Intent {
    /// The hosts and how to treat them.
    pub fn fleet(&self) -> &FleetPlan {
        match self {
            Self::Push { plan } => &plan.fleet,
            Self::Rollback { fleet, .. }
            | Self::Sweep { fleet }
            | Self::Lock { fleet, .. }
            | Self::Quarantine { fleet, .. }
            | Self::Keeper { fleet, .. }
            | Self::Once { fleet, .. }
            | Self::Upgrade { fleet }
            | Self::Look { fleet }
            | Self::Members { fleet, .. } => fleet,
        }
    }

    /// As hosts know it; `None` where hosts store no open rollout.
    pub fn rollout_kind(&self) -> Option<RolloutKind> {
        match self {
            Self::Push { .. } => Some(RolloutKind::Push),
            Self::Rollback { .. } => Some(RolloutKind::Rollback),
            Self::Sweep { .. } => Some(RolloutKind::Sweep),
            Self::Lock { .. }
            | Self::Quarantine { .. }
            | Self::Keeper { .. }
            | Self::Once { .. }
            | Self::Upgrade { .. }
            | Self::Look { .. }
            | Self::Members { .. } => None,
        }
    }
}
