//! What friday asks of a host. Every request but `Hello`, `Read` and the reads of files carries a
//! fence, and is refused if the host has seen a higher one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::fence::Fence;
use crate::head::{Holder, Lock, Migration, OpenRollout, Quarantined, Witness};
use crate::id::{
    Digest, FleetName, HostName, JournalId, Nonce, ProcessName, ReleaseId, RolloutId,
    SecretsVersion, StartId,
};
use crate::manifest::Manifest;
use crate::step::{Step, StepKey};

/// What a push asks for beside a raise on the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseAsk {
    /// Person and machine, for messages to others.
    pub holder: String,
    /// Default 60 000.
    pub period_ms: u64,
    /// Earlier starts of the same journal. The file lock beside the journal proves that they are dead,
    /// so their lease need not be waited out.
    #[serde(default)]
    pub supersedes: Vec<StartId>,
}

/// How closely a host looks at itself for an observation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scrutiny {
    /// For a person, and for a push's gates: every file of the current release, and whom systemd obeys.
    #[default]
    Close,
    /// For a rollout that goes by none of that. On fifty hosts such looks cost a rollback more than its
    /// switch.
    Brief,
}

impl Scrutiny {
    fn is_close(&self) -> bool {
        *self == Self::Close
    }
}

/// One request; exactly one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// First on every connection. Answer: `Hello`, or `Error` if the versions have nothing in common
    /// or the directory belongs to another fleet.
    Hello {
        /// The highest protocol version friday speaks.
        wire: u32,
        /// The lowest.
        wire_min: u32,
        /// friday's version, for messages.
        friday: String,
        /// The fleet the caller means.
        fleet: FleetName,
        /// The host the caller means: a wrong address is noticed.
        host: HostName,
    },
    /// The head and the facts, nothing raised. Answer: `Observed`.
    Read {
        /// How closely the host looks at itself. An older host looks closely, whatever is asked.
        #[serde(default, skip_serializing_if = "Scrutiny::is_close")]
        scrutiny: Scrutiny,
    },
    /// Raises the fence; takes the lease in the same persist where asked. Answer: `Raised` with the
    /// head as it is after the raise, or `Refused`. The same fence again is answered the same.
    Raise {
        /// The fence.
        fence: Fence,
        /// A push asks the keeper for the lease: refused while another start's lease lives. A later
        /// raise by the same start keeps it. A raise for a rollback ends it.
        lease: Option<LeaseAsk>,
        /// The keeper the caller's configuration names; stored where none is yet, else compared.
        keeper: HostName,
        /// The highest fence under which the caller found that keeper written on a host: a host that
        /// missed a change of keeper believes a higher one than its own.
        #[serde(default)]
        keeper_fence: Option<Fence>,
        /// The caller's journal so far.
        witness: Option<(JournalId, Witness)>,
    },
    /// Prolongs the lease. Answer: `Ok` or `Refused`.
    Renew {
        /// The holder's fence.
        fence: Fence,
    },
    /// Gives the lease back. Answer: `Ok`, also when it was not held.
    Release {
        /// The holder's fence.
        fence: Fence,
    },
    /// Stores the open rollout; steps are accepted only for it. A rollback replaces whatever is open,
    /// a push never replaces an open rollback. A migration that began is kept whatever is written
    /// later. Answer: `Ok`, or to a rollback `Observed` with what it finds, which spares it a question (an
    /// older host says `Ok`); or `Refused`.
    Open {
        /// The fence.
        fence: Fence,
        /// What to store.
        rollout: OpenRollout,
        /// Which hosts are to run its once processes: known on every host before one of them does.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        once: BTreeMap<ProcessName, HostName>,
    },
    /// Stores how far the migration came. Answer: `Ok` or `Refused`.
    Migration {
        /// The fence.
        fence: Fence,
        /// The open rollout.
        rollout: RolloutId,
        /// The state.
        migration: Migration,
    },
    /// Closes the rollout after its last effect. Answer: `Ok` or `Refused`.
    Close {
        /// The fence.
        fence: Fence,
        /// Which.
        rollout: RolloutId,
        /// A push that baked to the end: this release is stable now. The warm old one may stop.
        stable: Option<ReleaseId>,
        /// A push to some hosts only that baked to the end: this host runs this release apart from the
        /// fleet, whose stable release stays what it was. Since version 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        apart: Option<ReleaseId>,
        /// Releases to keep: good ones, failed ones. Others may be pruned.
        keep: (u32, u32),
        /// The journal so far.
        witness: Option<(JournalId, Witness)>,
    },
    /// Sets or lifts the human lock. Answer: `Ok` or `Refused`.
    Lock {
        /// The fence.
        fence: Fence,
        /// `None` lifts.
        lock: Option<Lock>,
    },
    /// Merges quarantine entries; per release the higher fence holds. Answer: `Ok` or `Refused`.
    Quarantine {
        /// The fence.
        fence: Fence,
        /// What to merge.
        entries: BTreeMap<ReleaseId, Quarantined>,
    },
    /// Names another keeper. Answer: `Ok` or `Refused`.
    Keeper {
        /// The fence.
        fence: Fence,
        /// The new one.
        keeper: HostName,
    },
    /// Says which host runs a once process. *Here*: this one does, and starts it. Another: where this host
    /// ran it, the answer comes when nothing of it is left. Answer: `Ok` or `Refused`.
    Once {
        /// The fence.
        fence: Fence,
        /// Which.
        process: ProcessName,
        /// Where.
        holder: Holder,
    },
    /// Which of these files are not in the store. Answer: `Missing`.
    Missing {
        /// What a release needs.
        files: Vec<Digest>,
    },
    /// One file, zstd-compressed, in the data frames that follow, ended by an empty one. A transfer that was cut goes on
    /// at the offset that `Missing` told. Verified before it counts. Answer: `Ok`, or `Error`.
    Put {
        /// BLAKE3 of the whole, uncompressed.
        digest: Digest,
        /// Bytes of the whole, uncompressed.
        size: u64,
        /// Where these bytes begin (uncompressed): 0, or what `Missing` told.
        offset: u64,
    },
    /// Stores a manifest under its identity. Answer: `Ok`, or `Error` if it does not hash to it or
    /// does not pass [`Manifest::check`].
    PutManifest {
        /// Its identity.
        release: ReleaseId,
        /// The manifest.
        manifest: Manifest,
    },
    /// What a release is, to be asked what is lacking of it. Since wire version 2. In the data frames
    /// that follow, ended by an empty one: the manifest's identity bytes as one zstd frame, with the
    /// base manifest's as its prefix where one is named. The host looks at every file of it.
    /// Answer: `Lacks`; `NoBase` when the base is not known here; when nothing is lacking, as to
    /// `PutManifest`.
    Offer {
        /// Its identity.
        release: ReleaseId,
        /// A release whose manifest the host has.
        base: Option<ReleaseId>,
        /// Bytes of the manifest, unpacked.
        length: u64,
    },
    /// What is lacking of the release that this connection was offered last, as a pack (see
    /// [`crate::pack`]) in the data frames that follow, ended by an empty one. Since wire version 2.
    /// Every file is verified and durable before it counts. Answer: `Lacks` when something is
    /// still lacking; else as to `PutManifest`; or `Error`.
    Pack {
        /// Its identity.
        release: ReleaseId,
    },
    /// The recipe of a file in the store. Since wire version 2. Answer: `Recipe`, or `Error`.
    Recipe {
        /// BLAKE3 of the file.
        file: Digest,
    },
    /// Reads the whole store, removes what is damaged there, and says so. Since wire version 2.
    /// Needs no fence: what is removed is of no use to anybody. Answer: `Verified`, or `Error`.
    Verify,
    /// Stores the signature of a release that comes next. A host that has a list of allowed signers takes
    /// no release without one; what it holds already it took before. Answer: `Ok`, or `Error`.
    PutSignature {
        /// Which release.
        release: ReleaseId,
        /// As `ssh-keygen -Y sign` wrote it, over [`signed_text`](crate::signature::signed_text).
        signature: String,
    },
    /// Stores secrets, 0600. Never part of a release. Answer: `Ok`.
    PutSecrets {
        /// The set's random name.
        version: SecretsVersion,
        /// Names and values.
        values: BTreeMap<String, String>,
    },
    /// Begins an operation, or answers how far it came. Answer: `Step`, when the operation is final
    /// or awaits its confirm; or `Refused`.
    Do {
        /// The fence.
        fence: Fence,
        /// Names it.
        key: StepKey,
        /// What.
        step: Step,
    },
    /// Confirms a switch; under the same or a higher fence, on any connection. Answer: `Step` with
    /// `Done`, or with `Undone` when it came too late.
    Confirm {
        /// The fence.
        fence: Fence,
        /// The switch.
        key: StepKey,
        /// What the host told.
        nonce: Nonce,
    },
    /// The state as it is. With `seal`: if that operation was not begun by now, it never will be.
    /// Answer: `Observed`, or `Refused`.
    Observe {
        /// The fence.
        fence: Fence,
        /// Seals this operation.
        seal: Option<StepKey>,
    },
    /// Verifies the store and removes what no retained release needs. Answer: `Ok`.
    Prune {
        /// The fence.
        fence: Fence,
        /// Releases to keep: good ones, failed ones.
        keep: (u32, u32),
    },
    /// The last lines of the application's output. Answer: `Log`.
    Log {
        /// Which release; `None`: the current one.
        release: Option<ReleaseId>,
        /// Which of its processes; `None`: its `run` command, or the only one that wrote anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<ProcessName>,
        /// How many lines, at most 10 000.
        lines: u32,
    },
    /// The manifest of a release that this host holds. Answer: `Manifest`, or `Error`.
    GetManifest {
        /// Which.
        release: ReleaseId,
    },
    /// What the host finds when it looks at itself. Answer: `Examined`; an older friday-host answers
    /// `Error`, for it does not know the question.
    Examine,
    /// Replaces friday-host by the program with this digest, put into the store before. Commit-confirmed
    /// with 600 s, and only a new connection may confirm. Answer: `Ok` once the new one answers.
    Upgrade {
        /// The fence.
        fence: Fence,
        /// The program's file in the store.
        program: Digest,
        /// The confirm window.
        confirm_ms: u64,
    },
    /// Leaves the fleet: out of rotation, drain, stop, and everything of friday's is removed here but what
    /// lies in `shared`. Answer: `Ok` once nothing is left that friday-host could start. Since version 2.
    Leave {
        /// The fence.
        fence: Fence,
        /// Between out of rotation and the stop, milliseconds.
        drain_ms: u64,
        /// Between the two signals of the stop, milliseconds.
        stop_ms: u64,
    },
    /// The configuration calls this host something else now. Answer: `Ok`; nothing is restarted. Since
    /// version 2.
    Rename {
        /// The fence.
        fence: Fence,
        /// The new name.
        to: HostName,
    },
    /// Confirms an upgrade. Answer: `Ok`, or `Error` when there is none to confirm, or the connection
    /// is older than the new program.
    ConfirmUpgrade {
        /// The fence.
        fence: Fence,
    },
}

impl Request {
    /// A read with the closest look.
    pub const READ: Self = Self::Read { scrutiny: Scrutiny::Close };

    /// Shows the host nothing of the caller's journal: what never came into its file would later look
    /// as if somebody had taken it out.
    pub fn show_no_journal(&mut self) {
        if let Self::Raise { witness, .. } | Self::Close { witness, .. } = self {
            *witness = None;
        }
    }

    /// The fence it carries.
    pub fn fence(&self) -> Option<&Fence> {
        match self {
            Self::Hello { .. }
            | Self::Read { .. }
            | Self::Missing { .. }
            | Self::Put { .. }
            | Self::PutManifest { .. }
            | Self::Offer { .. }
            | Self::Pack { .. }
            | Self::Recipe { .. }
            | Self::Verify
            | Self::PutSecrets { .. }
            | Self::PutSignature { .. }
            | Self::Log { .. }
            | Self::GetManifest { .. }
            | Self::Examine => None,
            Self::Raise { fence, .. }
            | Self::Renew { fence }
            | Self::Release { fence }
            | Self::Open { fence, .. }
            | Self::Migration { fence, .. }
            | Self::Close { fence, .. }
            | Self::Lock { fence, .. }
            | Self::Quarantine { fence, .. }
            | Self::Keeper { fence, .. }
            | Self::Once { fence, .. }
            | Self::Do { fence, .. }
            | Self::Confirm { fence, .. }
            | Self::Observe { fence, .. }
            | Self::Prune { fence, .. }
            | Self::Upgrade { fence, .. }
            | Self::Leave { fence, .. }
            | Self::Rename { fence, .. }
            | Self::ConfirmUpgrade { fence } => Some(fence),
        }
    }
}
