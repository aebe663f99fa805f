//! A rehearsal: a push is tried on a copy of the database before it is done. What it measured enters the
//! journal; nothing of people's data is in it. What it means for a push is judged in core.
//!
//! The copy is opened beside the database ([`OpenedCopy`]), and the releases are tried on a host of the fleet
//! (see [`crate::trial`]). Both end with their connections.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::mask::Masked;
use super::report::Position;
use crate::id::{BackupId, Digest, ReleaseId};

/// A copy that a release may write to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedCopy {
    /// From which backup.
    pub backup: BackupId,
    /// Which place in the database's history it shows.
    pub reached: Position,
    /// How a release on the same host finds it.
    pub address: CopyAddress,
    /// Its size, bytes.
    pub bytes: u64,
    /// What was done so that it holds no personal data; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<Masked>,
}

/// Where a copy is found. Only the login user gets there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum CopyAddress {
    /// A file.
    Sqlite {
        /// Absolute.
        path: String,
    },
    /// A server that listens on a socket in a private directory, and nowhere else.
    Postgres {
        /// The socket's directory, absolute.
        directory: String,
        /// The number in the socket's name.
        port: u16,
        /// A role that may change the schema: the live database's owner.
        role: String,
        /// The database, as the live one is called.
        database: String,
    },
}

/// What was seen of a copy since it was opened, or since the last look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySeen {
    /// BLAKE3 of the schema as it is now: tables, columns, indexes, constraints, in a fixed order.
    pub schema: Digest,
    /// Whether anybody but friday changed anything: a release that is told of the copy and writes to another
    /// database leaves it as it was.
    pub written: bool,
    /// Whether anybody but friday was connected, or had the file open.
    pub visited: bool,
    /// Locks that would have kept others waiting, the longest first, at most 32.
    pub locks: Vec<LockSeen>,
}

/// A lock as it was held on the copy, where nobody else worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockSeen {
    /// What is locked: a table, `the database`.
    pub on: String,
    /// As the engine names it: `AccessExclusiveLock`.
    pub mode: String,
    /// Whom it keeps waiting.
    pub blocks: Blocked,
    /// How long it was held, milliseconds, as far as looking often enough tells.
    pub held_ms: u64,
}

/// Whom a lock keeps waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// Who writes.
    Writers,
    /// Who reads, too.
    Everybody,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writers => "writers",
            Self::Everybody => "readers and writers",
        })
    }
}

/// What a rehearsal measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalReport {
    /// What was to be pushed.
    pub release: ReleaseId,
    /// What ran then, and would be gone back to; `None`: nothing.
    pub old: Option<ReleaseId>,
    /// The migration's command; `None`: there is none.
    pub migration: Option<String>,
    /// The command that undoes it; `None`: none is declared.
    pub back: Option<String>,
    /// From which backup the copy was made.
    pub backup: BackupId,
    /// Which place in the database's history it showed.
    pub reached: Position,
    /// What was tried, in order.
    pub steps: Vec<RehearsedStep>,
    /// What the migration, or the new release's start where there is none, did to the schema.
    pub schema: SchemaChange,
    /// Locks that would have kept others waiting, the longest first.
    pub locks: Vec<LockSeen>,
}

/// What became of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChange {
    /// It is as it was.
    None,
    /// It is another.
    Changed,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsedStep {
    /// What.
    pub step: RehearsalStep,
    /// How long it took, milliseconds.
    pub ms: u64,
    /// What came of it.
    pub result: StepResult,
}

/// What is tried, in the order of a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalStep {
    /// The migration.
    Migrate,
    /// The new release starts and becomes healthy.
    NewHealth,
    /// The team's command writes through the new release.
    NewWrite,
    /// The invariants, after that.
    NewInvariants,
    /// The old release starts against what there is now, and becomes healthy.
    OldHealth,
    /// The team's command reads through the old release what the new one wrote.
    OldRead,
    /// The invariants, after that.
    OldInvariants,
    /// The command that undoes the migration.
    MigrateBack,
    /// The old release starts after it, and becomes healthy.
    BackHealth,
    /// The team's command reads through the old release after it.
    BackRead,
    /// The invariants, after that.
    BackInvariants,
}

impl fmt::Display for RehearsalStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Migrate => "the migration",
            Self::NewHealth => "the new release's health",
            Self::NewWrite => "writing with the new release",
            Self::NewInvariants => "the invariants with the new release",
            Self::OldHealth => "the old release's health on the new data",
            Self::OldRead => "reading with the old release",
            Self::OldInvariants => "the invariants with the old release",
            Self::MigrateBack => "the migration back",
            Self::BackHealth => "the old release's health after the migration back",
            Self::BackRead => "reading with the old release after the migration back",
            Self::BackInvariants => "the invariants after the migration back",
        })
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StepResult {
    /// It did what it should.
    Passed,
    /// It did not.
    Failed {
        /// One sentence.
        why: String,
    },
    /// It was not tried: nothing is configured for it, or what comes before it failed.
    Skipped,
}

impl RehearsalReport {
    /// What came of a step; `None`: it does not stand in the report.
    pub fn result(&self, step: RehearsalStep) -> Option<&StepResult> {
        self.steps
            .iter()
            .find(|rehearsed| rehearsed.step == step)
            .map(|rehearsed| &rehearsed.result)
    }
}
