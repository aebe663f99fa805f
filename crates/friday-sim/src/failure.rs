//! What a run found.

use std::fmt;

/// What kind of promise was broken; each has an exit status of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// Something happened that must never happen.
    Safety,
    /// After the faults stopped, something that must happen did not.
    Liveness,
    /// A journal does not tell what it must.
    Audit,
    /// The core, the node or the simulator itself panicked.
    Crash,
}

impl FailureClass {
    /// The exit status that names it.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Safety => 10,
            Self::Liveness => 11,
            Self::Audit => 12,
            Self::Crash => 13,
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safety => "safety",
            Self::Liveness => "liveness",
            Self::Audit => "audit",
            Self::Crash => "crash",
        })
    }
}

/// The first thing a run found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// Virtual time, milliseconds since the run began.
    pub at_ms: u64,
    /// What, with the names of the hosts and releases.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {}.{:03} s: {}",
            self.class,
            self.at_ms / 1000,
            self.at_ms % 1000,
            self.what
        )
    }
}
