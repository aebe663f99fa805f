//! When in a push the invariants of guarded databases are judged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When in a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Moment {
    /// Before anything is switched or migrated.
    Before,
    /// The migration has ended, and no host runs the release.
    Migrated,
    /// Hosts of a wave are switched, or it soaks.
    Wave {
        /// Its number.
        wave: u32,
    },
    /// All hosts are switched.
    Bake,
    /// The bake is over, and the push would count as done.
    After,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => f.write_str("before the push"),
            Self::Migrated => f.write_str("after the migration"),
            Self::Wave { wave } => write!(f, "in wave {wave}"),
            Self::Bake => f.write_str("in the bake"),
            Self::After => f.write_str("after the bake"),
        }
    }
}
