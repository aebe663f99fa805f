//! What came of work on a guarded database. Enters the journal: nothing of people's data is in it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::invariant::Judged;
use super::mask::Masked;
use crate::id::{BackupId, Digest};

/// A place in a database's history that can be returned to and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "position", rename_all = "snake_case")]
pub enum Position {
    /// A whole copy, known by the hash of its bytes.
    Sqlite {
        /// BLAKE3 of the copied file.
        digest: Digest,
    },
    /// A place in the write-ahead log.
    Postgres {
        /// `system_identifier` of the cluster.
        system: String,
        /// Its timeline.
        timeline: u32,
        /// As PostgreSQL prints it, `0/16B3740`.
        lsn: String,
    },
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { digest } => write!(f, "copy {}", digest.short()),
            Self::Postgres { timeline, lsn, .. } => write!(f, "{lsn} on timeline {timeline}"),
        }
    }
}

/// A place that a rollout can return the data to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// After the rollout that it was made for.
    pub name: String,
    /// When, by the host's clock, milliseconds since 1970.
    pub at_ms: u64,
    /// Where.
    pub position: Position,
    /// The backup that a return begins from.
    pub backup: BackupId,
    /// From the mark to its safety in the repository, milliseconds.
    pub durable_ms: u64,
}

/// A backup in its repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Which.
    pub id: BackupId,
    /// The restore point it was made for; `None`: a backup as such.
    pub point: Option<String>,
    /// When it began, milliseconds since 1970, by the host's clock.
    pub began_at_ms: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes in the repository.
    pub stored: u64,
    /// From which place on it can be returned to.
    pub position: Position,
    /// The engine's version.
    pub engine_version: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPhase {
    /// Looking at what there is: the database, its backups, room.
    Find,
    /// Marking a place, and waiting until it is safe.
    Mark,
    /// Copying the database into the repository.
    Copy,
    /// Putting away backups that are not kept.
    Prune,
    /// Fetching a backup into the scratch.
    Fetch,
    /// Starting on the scratch, and replaying up to the target.
    Replay,
    /// Checking what was restored.
    Check,
    /// Running the invariants.
    Invariants,
    /// Taking personal data out of the copy.
    Mask,
    /// Putting away.
    Clean,
}

impl fmt::Display for DataPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Find => "looking",
            Self::Mark => "marking",
            Self::Copy => "copying",
            Self::Prune => "pruning",
            Self::Fetch => "fetching",
            Self::Replay => "replaying",
            Self::Check => "checking",
            Self::Invariants => "invariants",
            Self::Mask => "masking",
            Self::Clean => "cleaning up",
        })
    }
}

/// How long a phase took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// Which.
    pub phase: DataPhase,
    /// Milliseconds.
    pub ms: u64,
    /// Bytes that it moved: fetched, or replayed. 0 where that means nothing, as until a copy's server is consistent:
    /// that is a part of [`DataPhase::Replay`] of its own.
    pub bytes: u64,
}

/// A check of what was restored, which passed: one that fails fails the drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `integrity_check`, `pg_amcheck` and so on.
    pub name: String,
    /// What it looked at: `14 tables`.
    pub says: String,
    /// How long it took, milliseconds.
    pub ms: u64,
}

/// What a drill proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// From which backup.
    pub backup: BackupId,
    /// Where it was to arrive.
    pub target: Position,
    /// Where it did: the target or later, or there is no report.
    pub reached: Position,
    /// In order.
    pub phases: Vec<PhaseTime>,
    /// The recovery time: from the order to a database that answers and was checked, milliseconds.
    pub rto_ms: u64,
    /// How much of the newest history would be lost now, milliseconds: the age of the newest place that is safe.
    /// `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub rpo_ms: Option<u64>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// How each invariant is on the restored copy.
    pub invariants: Vec<Judged>,
    /// The copy.
    pub scratch: ScratchFacts,
    /// What was done so that the copy that stays holds no personal data; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<Masked>,
}

/// Older programs wrote the largest number for what they did not know.
fn known<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.filter(|ms| *ms != u64::MAX))
}

/// The copy that a drill made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScratchFacts {
    /// Its directory on the host; readable by the login user alone.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What was there before and needed no fetching, bytes.
    pub warm_bytes: u64,
    /// Whether it stays for the next drill.
    pub kept: bool,
}

/// One thing that a person can do with a restored copy, in the order in which it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreStep {
    /// What for, one sentence.
    pub what: String,
    /// Commands for a shell of the login user on the database's host. Words in capitals are the person's to fill in.
    pub run: Vec<String>,
}

/// What a look through the repository found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Backups read to their last byte.
    pub backups: u32,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong; empty: nothing.
    pub damage: Vec<String>,
}

/// One thing that was looked at beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `version`, `privileges`, `room` and so on.
    pub subject: String,
    /// How it is.
    pub state: FindingState,
    /// One sentence.
    pub says: String,
    /// What one change would add or mend; `None`: nothing.
    pub help: Option<String>,
}

/// How a thing is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// As it should be.
    Good,
    /// It works; something is missing or risky.
    Warn,
    /// Backups or drills cannot work so.
    Bad,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_the_newest_data_is_no_number() {
        let report = |rpo: &str| {
            let text = format!(
                r#"{{"backup":"b","target":{{"position":"sqlite","digest":"{d}"}},"reached":{{"position":"sqlite","digest":"{d}"}},
                "phases":[],"rto_ms":1,{rpo}"checks":[],"invariants":[],
                "scratch":{{"path":"s","bytes":1,"warm_bytes":0,"kept":false}}}}"#,
                d = "0".repeat(64)
            );
            serde_json::from_str::<DrillReport>(&text).expect("it can be read")
        };
        assert_eq!(report(r#""rpo_ms":7,"#).rpo_ms, Some(7));
        let unknown = report("");
        assert_eq!(unknown.rpo_ms, None);
        assert_eq!(report(&format!(r#""rpo_ms":{},"#, u64::MAX)), unknown);
        let text = serde_json::to_string(&unknown).expect("it can be written");
        assert!(!text.contains("rpo_ms"), "{text}");
    }
}
