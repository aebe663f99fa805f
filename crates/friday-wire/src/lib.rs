//! What `friday` and its host program say to each other.
//!
//! Nouns only: identities, the manifest of a release, the head a host durably knows, requests and
//! answers, and the frame that carries them. Nothing here decides anything, reads a clock or does
//! I/O. Start with [`request`] and [`answer`], then [`head`].

pub mod adopted;
pub mod answer;
pub mod data;
pub mod examination;
pub mod fence;
pub mod frame;
#[cfg(any(test, fuzzing, feature = "fuzz"))]
pub mod fuzz;
pub mod head;
pub mod health;
pub mod id;
pub mod manifest;
pub mod pack;
pub mod process;
pub mod recipe;
pub mod request;
pub mod rotation;
pub mod signature;
pub mod step;
pub mod supervisor;
pub mod timetable;
pub mod trial;
pub mod undo;

pub use adopted::Adopted;
pub use answer::{
    Answer, BootDefault, HostFacts, Lacks, Observation, Refusal, RunningApp, RunningProcess,
    Verified,
};
pub use examination::{BootHook, Examination, FoundDisk, FoundUnit};
pub use fence::{Fence, FenceKind};
pub use head::{
    BootIdentity, Head, Holder, Lease, Lock, Migration, OpenRollout, Quarantined, RolloutKind,
    Stamped, Witness,
};
pub use health::{Clocks, HealthSpec, HealthState, HttpCheck, Sample, Streak};
pub use id::{
    BackupId, DataActId, DatabaseName, Digest, FleetName, HostName, JournalId, Nonce, ProcessName,
    ReleaseId, RoleName, RolloutId, SecretsVersion, StartId, TreeId,
};
pub use manifest::{Entry, EntryKind, Manifest, ManifestError, Ports, RunSpec};
pub use process::{Part, ProcessSpec, Processes, Spread};
pub use recipe::{Chunk, Chunker, Recipe, RecipeError};
pub use request::{LeaseAsk, Request, Scrutiny};
pub use rotation::Rotation;
pub use step::{BackPace, Fault, Step, StepKey, StepName, StepReport, StepState};
pub use supervisor::{Limits, StopSignal, Supervisor, UnitSpec};
pub use timetable::{JobEnd, JobFacts, JobOutcome, JobRun, Times, Timetable, TimetableError};
pub use undo::Undo;

/// The version of the protocol this build speaks. Raised when an old peer could misread a message.
pub const WIRE_VERSION: u32 = 2;

/// From this protocol version on, releases are offered and travel as packs.
pub const WIRE_PACKS: u32 = 2;

/// From this protocol version on, a host can run a release apart from the fleet, leave, and be renamed.
pub const WIRE_MEMBERS: u32 = 2;

/// From this protocol version on, hosts take signatures of releases.
pub const WIRE_SIGNATURES: u32 = 2;

/// From this protocol version on, a release may have processes.
pub const WIRE_PROCESSES: u32 = 2;

/// The oldest protocol version this build still understands.
pub const WIRE_VERSION_MIN: u32 = 1;
