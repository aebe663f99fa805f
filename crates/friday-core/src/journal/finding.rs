//! Findings: what hosts knew and the journal did not, and how gates were judged. Written for ever, like
//! events.

use std::collections::BTreeMap;

use friday_wire::{Fence, HostName, Lock, OpenRollout, Quarantined, ReleaseId, RolloutId};
use serde::{Deserialize, Serialize};

/// What hosts knew and this journal did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The fleet's stable release.
    Stable {
        /// It; `None`: nothing runs.
        release: Option<ReleaseId>,
        /// The one before.
        previous: Option<ReleaseId>,
    },
    /// A rollout of another journal, or of this one before it was lost, is open.
    OpenRollout {
        /// It.
        open: OpenRollout,
        /// Under this fence.
        fence: Fence,
    },
    /// A rollout that this journal holds open was superseded: closed as fenced.
    Superseded {
        /// Which.
        rollout: RolloutId,
        /// By this fence.
        by: Fence,
    },
    /// Quarantine entries.
    Quarantine {
        /// They.
        entries: BTreeMap<ReleaseId, Quarantined>,
    },
    /// The human lock.
    Lock {
        /// It.
        lock: Option<Lock>,
    },
    /// The keeper.
    Keeper {
        /// It.
        keeper: HostName,
    },
    /// Hosts that run a release apart from the fleet, on purpose: all there are.
    Apart {
        /// They, and what they run.
        hosts: BTreeMap<HostName, ReleaseId>,
    },
}

/// What is judged before a rollout acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Every host answered the raise.
    Reachable,
    /// No human lock.
    Unlocked,
    /// The keeper gave the lease, and is the one configured.
    Lease,
    /// Neither release nor tree is quarantined.
    Quarantine,
    /// Nobody else's rollout is open.
    NothingOpen,
    /// There is something to return to.
    WayBack,
    /// Disk space, and the release is held where it must be.
    Room,
    /// Every host can run it under the supervisor that is asked for.
    Supervisor,
    /// A push to some hosts only: no other release runs apart from the fleet, and those hosts can.
    Apart,
    /// It is known which host runs each once process.
    Once,
    /// Each guarded database can be recovered, as a drill proved, in the time that the team gives it.
    Recovery,
    /// The push was tried on a copy of its database, and nothing that it showed stands against it.
    Rehearsed,
    /// Somebody can act while the push can do harm.
    Cover,
    /// No freeze bars it.
    Freeze,
    /// No maintenance window meets what it stands on while it can do harm.
    Maintenance,
}

/// How a gate was judged. An inconclusive gate refuses, unless a person vouched and says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    /// Go.
    Pass,
    /// Not known.
    Inconclusive,
    /// No.
    Fail,
}
