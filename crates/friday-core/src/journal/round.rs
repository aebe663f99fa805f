//! Rounds and other work: what hosts are asked for, and what they answered. Written for ever, like events.

use friday_wire::{Fault, Head, Observation, Refusal, StepReport};
use serde::{Deserialize, Serialize};

/// What all hosts of a round are asked, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundAsk {
    /// The head, nothing raised.
    Read,
    /// The raise from whose answers the rollout is decided.
    Raise,
    /// The raise before a wave.
    RaiseWave,
    /// Store the open rollout.
    Open,
    /// Take files, manifest and secrets.
    Ship,
    /// The stage step: build the tree and verify it.
    Stage,
    /// Store that the migration begins.
    MigrationBegins,
    /// Store how it ended.
    MigrationEnds,
    /// Be observed before a rollback or sweep acts.
    Look,
    /// Merge quarantine.
    Quarantine,
    /// Store the lock or the keeper.
    Act,
    /// Replace friday-host, commit-confirmed: one host first, then the others.
    Upgrade,
    /// Be observed under the own fence: the convergence sweep.
    Observe,
    /// Close the rollout.
    Close,
    /// Give the lease back; only the keeper is asked.
    Release,
    /// Leave the fleet; only the host that goes is asked.
    Leave,
    /// Take another name; only that host is asked.
    Rename,
}

/// Work that is not a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The sweep that a push waits for.
    Sweep,
    /// The hook before the first wave.
    HookBefore,
    /// Every host is stopped: the old release cannot run beside the migration.
    StopAll,
    /// The migration, on one host.
    Migrate,
    /// Its way back, on one host.
    MigrateBack,
    /// Hosts go back.
    Back,
    /// The hook after the bake.
    HookAfter,
    /// The hook before a wave.
    HookBeforeWave,
    /// The hook after a wave's hosts are switched.
    HookAfterWave,
    /// Guarded databases get their restore points.
    RestorePoints,
    /// Invariants are judged before anything is switched or migrated.
    JudgeBefore,
    /// Invariants are judged after the migration, before the first wave.
    JudgeMigrated,
    /// Invariants are judged at the end of a wave's soak.
    JudgeWave,
    /// Invariants are judged at the end of the bake.
    JudgeAfter,
}

impl Work {
    /// Whether guarded databases are asked for their invariants, and the push stands until they said.
    pub fn judges(self) -> bool {
        matches!(self, Self::JudgeBefore | Self::JudgeMigrated | Self::JudgeWave | Self::JudgeAfter)
    }
}

/// What a host answered to a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum HostAnswer {
    /// Its head: to a raise.
    Head {
        /// It.
        head: Box<Head>,
    },
    /// To a read or an observe.
    Seen {
        /// It.
        observation: Box<Observation>,
    },
    /// Done.
    Ok,
    /// The protocol says no.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The host tried and could not.
    Failed {
        /// Why.
        why: String,
        /// Whose fault it is, as far as the host knows.
        #[serde(default, skip_serializing_if = "Fault::is_the_releases")]
        fault: Fault,
    },
    /// Not reached, certainly not done.
    Unreachable {
        /// Why.
        why: String,
    },
    /// Sent, and nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What came of an order to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum StepAnswer {
    /// The host's report.
    Report {
        /// It.
        report: StepReport,
    },
    /// The protocol says no.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// Nobody knows: observe, and seal the attempt.
    Unknown {
        /// Why.
        why: String,
    },
    /// Certainly not sent.
    NotSent {
        /// Why.
        why: String,
    },
}
