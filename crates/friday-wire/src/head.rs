//! The head: what a host durably knows. The heads together are the common truth of a fleet, because
//! several laptops may hold different journals, or none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fence::Fence;
use crate::id::{
    Digest, FleetName, HostName, JournalId, ProcessName, ReleaseId, RolloutId, StartId, TreeId,
};
use crate::undo::Undo;

/// A fleet-wide value with the fence it was written under. Of two, the higher fence's one holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped<T> {
    /// The fence of whoever wrote it.
    pub fence: Fence,
    /// What was written.
    pub value: T,
}

/// What a rollout does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutKind {
    /// Ships a release.
    Push,
    /// Takes one off.
    Rollback,
    /// Makes every host what the fleet's truth says. Names no release to leave.
    Sweep,
}

/// How far a rollout's migration came. Later states never go back to earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Migration {
    /// No migration, or not begun.
    NotBegun,
    /// Stored on every host before the command runs. `one_way`: the old release cannot use what the
    /// new one wrote, so nothing goes back by itself from here on.
    Begun {
        /// See above.
        one_way: bool,
    },
    /// It was run and nobody saw how it ended: hold for a person.
    Unknown {
        /// As in `Begun`.
        one_way: bool,
    },
    /// It ended well.
    Done {
        /// As in `Begun`.
        one_way: bool,
    },
}

impl Migration {
    /// Whether the old release must not be started again without a person's word.
    pub fn forbids_automatic_return(self) -> bool {
        match self {
            Self::NotBegun => false,
            Self::Begun { one_way } | Self::Unknown { one_way } | Self::Done { one_way } => one_way,
        }
    }
}

/// A rollout as hosts know it: written before its first effect, closed after its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRollout {
    /// Which.
    pub id: RolloutId,
    /// Push, rollback or sweep.
    pub kind: RolloutKind,
    /// What it ships; for a rollback, what it goes back to. `None`: nothing runs (a first push taken back).
    pub release: Option<ReleaseId>,
    /// Where a failure returns to. For a rollback: the target before, should this one's fail.
    pub returns_to: Option<ReleaseId>,
    /// For a rollback: the release it takes off. `None` for a push and for a sweep.
    pub leaves: Option<ReleaseId>,
    /// How far the migration came.
    pub migration: Migration,
}

/// Why a release is refused by hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The fence it was written under; only a higher one lifts it.
    pub fence: Fence,
    /// Its files: a push of the same files needs a person to name the fix.
    pub tree: Option<TreeId>,
    /// What it did, one sentence.
    pub reason: String,
    /// `false`: lifted, kept as a tombstone so that merging heads cannot bring the entry back.
    pub active: bool,
}

/// Which host runs a once process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holder", rename_all = "snake_case")]
pub enum Holder {
    /// The one that says so.
    Here,
    /// Another, as far as this one was told.
    Host {
        /// Its name.
        host: HostName,
    },
}

/// A human stop. Refuses pushes, never a rollback. No expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who.
    pub person: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since 1970 by the clock of who locked.
    pub at_ms: i64,
}

/// A machine's claim to push; only on the keeper; by the keeper's boot clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The start of the driver that holds it.
    pub start: StartId,
    /// Person and machine, for messages.
    pub holder: String,
    /// Milliseconds until it ends, when this was said.
    pub remaining_ms: u64,
}

/// The last record of a journal that this host was shown: tampering is evident up to here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The record's number.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

/// Which boot of the machine this is. Both parts: a container keeps its host's boot id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootIdentity {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Start time of PID 1, clock ticks since boot.
    pub init_start: u64,
}

/// What a host durably knows of its fleet and itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The fleet this directory belongs to.
    pub fleet: FleetName,
    /// The user that owns the state.
    pub user: String,
    /// The host that keeps the lease. `None` on a host that no driver has raised yet.
    pub keeper: Option<Stamped<HostName>>,
    /// The highest fence seen.
    pub fence: Fence,
    /// What `current` points to.
    pub current: Option<ReleaseId>,
    /// The release of the open push here, from its first switch until it is stable or taken off.
    pub open: Option<ReleaseId>,
    /// The last release that baked to the end, or that a `back` made stable.
    pub stable: Option<ReleaseId>,
    /// The fence under which `stable` was written: of two hosts, the higher one's tells the fleet's truth.
    pub stable_fence: Fence,
    /// The stable one before.
    pub previous_stable: Option<ReleaseId>,
    /// What the host does by itself if the open switch is not confirmed.
    pub undo: Option<Undo>,
    /// The open rollout.
    pub rollout: Option<Stamped<OpenRollout>>,
    /// The last rollout that was closed here, under the fence of the close: of an open and a closed
    /// one in different heads, the higher fence tells which holds; at the same fence, the close.
    #[serde(default)]
    pub closed: Option<Stamped<RolloutId>>,
    /// A push to some hosts only left this release here. While it is the current one, the host runs
    /// apart from the fleet on purpose; a release that becomes stable here ends that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<ReleaseId>,
    /// Every entry ever made, lifted ones too.
    pub quarantine: BTreeMap<ReleaseId, Quarantined>,
    /// Which host runs each once process; the one that does knows itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub once: BTreeMap<ProcessName, Stamped<Holder>>,
    /// The human lock; a lifted one stays as `None` with its fence.
    pub lock: Option<Stamped<Option<Lock>>>,
    /// The lease, on the keeper.
    pub lease: Option<Lease>,
    /// One per journal.
    pub witnesses: BTreeMap<JournalId, Witness>,
    /// This boot.
    pub boot: Option<BootIdentity>,
    /// Releases whose trees this host holds and can start.
    pub held: Vec<ReleaseId>,
}

impl Head {
    /// Whether hosts refuse this release.
    pub fn refuses(&self, release: &ReleaseId) -> bool {
        self.quarantine.get(release).is_some_and(|entry| entry.active)
    }

    /// The release that this host runs apart from the fleet, on purpose; `None`: it goes with the fleet.
    pub fn runs_apart(&self) -> Option<ReleaseId> {
        self.apart.filter(|apart| self.current == Some(*apart) && self.stable != Some(*apart))
    }
}
