//! What can be switched off, one at a time, to show that the simulator sees.
//!
//! All of it is done in the simulated shell, disk and network: the core and the node that run are
//! the real ones, unchanged.

use std::fmt;
use std::str::FromStr;

/// A safeguard of the protocol that a run goes without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// Law 3: effects begin before the turn's records are on the disk.
    Append,
    /// Law 5: effects begin only where they were decided, not where they are found owed.
    Effects,
    /// Law 6: an unknown outcome is taken for a failed one.
    UnknownFails,
    /// Law 6: an unknown outcome is taken for success.
    UnknownSucceeds,
    /// Law 7: hosts let every fence in.
    Fence,
    /// A crash may keep only the first events of a turn.
    Turn,
    /// A host acts and answers before its state is on the disk.
    Persist,
    /// The timer of an armed switch never runs out.
    Timer,
    /// Hosts do not keep quarantine.
    Quarantine,
    /// The fence is raised on the keeper alone.
    Raise,
    /// An observation seals nothing.
    Seal,
    /// What is decided is decided from the first read, not from the answer to the own raise.
    OwnRaise,
    /// A host says that it gave a once process up, and goes on running it.
    Yield,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Append,
        Self::Effects,
        Self::UnknownFails,
        Self::UnknownSucceeds,
        Self::Fence,
        Self::Turn,
        Self::Persist,
        Self::Timer,
        Self::Quarantine,
        Self::Raise,
        Self::Seal,
        Self::OwnRaise,
        Self::Yield,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Effects => "effects",
            Self::UnknownFails => "unknown-fails",
            Self::UnknownSucceeds => "unknown-succeeds",
            Self::Fence => "fence",
            Self::Turn => "turn",
            Self::Persist => "persist",
            Self::Timer => "timer",
            Self::Quarantine => "quarantine",
            Self::Raise => "raise",
            Self::Seal => "seal",
            Self::OwnRaise => "own-raise",
            Self::Yield => "yield",
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no safeguard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchSwitch(pub String);

impl fmt::Display for NoSuchSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is none of:", self.0)?;
        Switch::ALL.iter().try_for_each(|switch| write!(f, " {switch}"))
    }
}

impl std::error::Error for NoSuchSwitch {}

impl FromStr for Switch {
    type Err = NoSuchSwitch;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|switch| switch.word() == text)
            .ok_or_else(|| NoSuchSwitch(text.to_owned()))
    }
}
