//! The fence: a number that only rises, by which hosts refuse the past.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::StartId;

/// What a driver raised its fence for. It takes no part in the order of fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceKind {
    /// A push: needs the lease, stops when it is refused.
    Push,
    /// A rollback: needs nothing, raises again over a push, yields to a higher rollback.
    Rollback,
    /// A sweep: counts as a rollback, but yields to a push too.
    Sweep,
}

impl fmt::Display for FenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Rollback => "rollback",
            Self::Sweep => "sweep",
        })
    }
}

/// A driver's claim to a fleet. Ordered by number, then by the start's id; two fences with the same
/// number and start are the same fence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fence {
    /// 1 + the highest number the driver read on any host it could reach.
    pub number: u64,
    /// Which start of a driver owns it.
    pub start: StartId,
    /// What for; told to whoever is refused because of it.
    pub kind: FenceKind,
}

impl Fence {
    /// Lower than every fence a driver can raise: what a new host starts with.
    pub fn zero() -> Self {
        Self { number: 0, start: StartId::new(""), kind: FenceKind::Sweep }
    }

    fn rank(&self) -> (u64, &StartId) {
        (self.number, &self.start)
    }
}

impl PartialEq for Fence {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Fence {}

impl Ord for Fence {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Fence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.number, self.kind, self.start)
    }
}

#[cfg(test)]
mod tests;
