//! What friday and the program beside a guarded database say to each other.
//!
//! Nouns only, as everywhere in this crate: which database ([`guarded`]), what is asked of it
//! ([`request`]), what came of it ([`report`], [`rehearsal`]), what must hold in it ([`invariant`]), and what must not
//! be seen in a copy of it ([`mask`]). A connection
//! has one call at a time; while it is worked on, any number of [`DataAnswer::Progress`] may come before
//! its answer. Whoever closes the connection ends what was asked: the program then puts away what it began.
//!
//! [`DataAnswer::Progress`]: request::DataAnswer::Progress

pub mod guarded;
pub mod invariant;
pub mod mask;
pub mod rehearsal;
pub mod report;
pub mod request;

pub use guarded::{Engine, Guarded, Hidden, PostgresBackup, Repository, RepositoryPlace};
pub use invariant::{Invariant, InvariantResult, Judged, Rule};
pub use mask::{Mask, Masked};
pub use rehearsal::{
    Blocked, CopyAddress, CopySeen, LockSeen, OpenedCopy, RehearsalReport, RehearsalStep,
    RehearsedStep, SchemaChange, StepResult,
};
pub use report::{
    Backup, Check, DataPhase, DrillReport, Finding, FindingState, PhaseTime, Position,
    RestorePoint, RestoreStep, ScratchFacts, VerifyReport,
};
pub use request::{DataAnswer, DataRequest, DrillTarget};

/// The version of this protocol. Raised when an old peer could misread a message.
///
/// 2: a drill and an opened copy can be masked, which a program that speaks 1 would leave out and say nothing.
pub const DATA_WIRE_VERSION: u32 = 2;

/// The oldest version that this build still understands.
pub const DATA_WIRE_VERSION_MIN: u32 = 1;

/// What `friday-data connect` writes before its first frame.
pub const DATA_PREAMBLE: &[u8; 16] = b"\x00friday-data/1\r\n";
