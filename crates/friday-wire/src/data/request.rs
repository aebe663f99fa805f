//! What is asked of the program beside a database, and what it answers.

use serde::{Deserialize, Serialize};

use super::guarded::{Guarded, Hidden};
use super::invariant::{Invariant, Judged};
use super::mask::Mask;
use super::rehearsal::{CopySeen, OpenedCopy};
use super::report::{
    Backup, DataPhase, DrillReport, Finding, Position, RestorePoint, RestoreStep, VerifyReport,
};
use crate::id::{BackupId, FleetName};

/// A request. Each but `Hello` says which database it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum DataRequest {
    /// The first on a connection. Answer: `Hello`.
    Hello {
        /// Spoken here.
        wire: u32,
        /// The oldest understood here.
        wire_min: u32,
        /// friday's version.
        friday: String,
        /// Whose databases.
        fleet: FleetName,
    },
    /// Looks what is possible as the database is set up. Changes nothing. Answer: `Examined`.
    Examine {
        /// Which database.
        database: Guarded,
    },
    /// Marks the present as a place to return to, and waits until it is safe. Answer: `Pointed`.
    Point {
        /// Which database.
        database: Guarded,
        /// After the rollout.
        name: String,
        /// How long it may take, milliseconds.
        timeout_ms: u64,
    },
    /// Makes a backup, then prunes. Answer: `BackedUp`.
    Backup {
        /// Which database.
        database: Guarded,
    },
    /// Lists what is in the repository. Answer: `Backups`.
    List {
        /// Which database.
        database: Guarded,
    },
    /// Reads backups to their last byte. Answer: `Verified`.
    Verify {
        /// Which database.
        database: Guarded,
        /// Only this one; `None`: all.
        backup: Option<BackupId>,
    },
    /// Restores beside the live database, and checks. Answer: `Drilled`.
    Drill {
        /// Which database.
        database: Guarded,
        /// Where to arrive.
        target: DrillTarget,
        /// What must hold on the copy.
        invariants: Vec<Invariant>,
        /// Keep the scratch for the next drill.
        keep_scratch: bool,
        /// How long it may take, milliseconds.
        timeout_ms: u64,
        /// What is run on a copy that is kept, once it was proven; where it fails, the copy goes. Since version 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask: Option<Mask>,
    },
    /// Asks the live database. Answer: `Judged`.
    Judge {
        /// Which database.
        database: Guarded,
        /// What must hold.
        invariants: Vec<Invariant>,
        /// A connection string of PostgreSQL, seen from the database's host: a replica that is asked in the
        /// live one's place, once it has everything that the live one had when this came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replica: Option<Hidden>,
    },
    /// Restores beside the live database, and leaves the copy to a person. Answer: `Restored`.
    Restore {
        /// Which database.
        database: Guarded,
        /// Where to arrive.
        target: DrillTarget,
        /// A new or empty directory on the host.
        directory: String,
        /// How long it may take, milliseconds.
        timeout_ms: u64,
    },
    /// Restores a copy that a release may write to: never the copy that a drill left, which stays as it is. It lives
    /// until `Shut`, or until the connection closes. One at a time. Answer: `Opened`.
    Open {
        /// Which database.
        database: Guarded,
        /// Where to arrive.
        target: DrillTarget,
        /// How long it may take, milliseconds.
        timeout_ms: u64,
        /// What is run on the copy before anybody else sees it. Since version 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask: Option<Mask>,
    },
    /// What was seen of the opened copy since the last look. Answer: `Seen`.
    Watched {
        /// Which database.
        database: Guarded,
    },
    /// Asks the opened copy. Answer: `Judged`.
    JudgeOpen {
        /// Which database.
        database: Guarded,
        /// What must hold.
        invariants: Vec<Invariant>,
    },
    /// Puts the opened copy away. Answer: `Ok`, also when none is open.
    Shut {
        /// Which database.
        database: Guarded,
    },
    /// Puts away what drills left, and ends what runs on it. Answer: `Ok`.
    Clean {
        /// Which database.
        database: Guarded,
    },
    /// Ends what goes on without a connection: receiving PostgreSQL's log, and the replication slot for it. Backups
    /// stay. Answer: `Ok`, also where nothing goes on.
    Forget {
        /// Which database.
        database: Guarded,
    },
}

impl DataRequest {
    /// The version that must be spoken for it: an older program would take it for something else.
    pub fn needs_version(&self) -> u32 {
        match self {
            Self::Drill { mask: Some(_), .. } | Self::Open { mask: Some(_), .. } => 2,
            _ => 1,
        }
    }
}

/// Where a drill is to arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum DrillTarget {
    /// The newest that the repository can give.
    Newest,
    /// A restore point.
    Point {
        /// As it was made.
        position: Position,
        /// The backup to begin from.
        backup: BackupId,
    },
    /// As it was at a time: everything that was committed by then, as far as the repository can tell. Where only
    /// whole copies are kept, the newest from before it.
    Time {
        /// Milliseconds since 1970, by the clock of the database's host.
        at_ms: u64,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum DataAnswer {
    /// To `Hello`.
    Hello {
        /// The version that both speak from now on.
        wire: u32,
        /// The program's version.
        version: String,
    },
    /// Not the answer yet: how far it is.
    Progress {
        /// At what.
        phase: DataPhase,
        /// Bytes, or what else is counted.
        done: u64,
        /// Of so many; `None`: not known.
        of: Option<u64>,
    },
    /// To `Examine`.
    Examined {
        /// What was found.
        findings: Vec<Finding>,
    },
    /// To `Point`.
    Pointed {
        /// The place, which is safe.
        point: RestorePoint,
    },
    /// To `Backup`.
    BackedUp {
        /// It.
        backup: Backup,
        /// Those put away.
        pruned: Vec<BackupId>,
    },
    /// To `List`.
    Backups {
        /// The oldest first.
        backups: Vec<Backup>,
    },
    /// To `Verify`.
    Verified {
        /// What was found.
        report: VerifyReport,
    },
    /// To `Restore`: the target was reached, and what was restored passed its checks.
    Restored {
        /// What was proved.
        report: Box<DrillReport>,
        /// What a person can do with the copy.
        steps: Vec<RestoreStep>,
    },
    /// To `Drill`: the target was reached, and what was restored passed its checks.
    Drilled {
        /// What was proved.
        report: Box<DrillReport>,
    },
    /// To `Open`.
    Opened {
        /// It.
        copy: OpenedCopy,
    },
    /// To `Watched`.
    Seen {
        /// What was seen.
        seen: CopySeen,
    },
    /// To `Judge` and `JudgeOpen`.
    Judged {
        /// Each, in the order asked.
        invariants: Vec<Judged>,
    },
    /// Done.
    Ok,
    /// It could not be done. The live database is as it was.
    Failed {
        /// At what.
        phase: DataPhase,
        /// What happened.
        why: String,
        /// What to do; `None`: nothing more is known.
        help: Option<String>,
    },
}
