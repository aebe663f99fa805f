//! How friday ends: the same for every command, fit for scripts.

use serde::Serialize;

/// An exit status. The doc comments are the reference page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// An error inside friday or in the machine it runs on: a bug, a damaged journal, a full disk.
    Internal = 1,
    /// Wrong usage: an unknown option, a missing argument, a name that does not exist.
    Usage = 2,
    /// The configuration is invalid. Every mistake is shown.
    Configuration = 3,
    /// Refused by a gate, a lock, a lease, a quarantine or a host's signers, or stopped before it began. Nothing
    /// was changed.
    Refused = 4,
    /// The push failed and was taken back. The fleet is converged and safe.
    TakenBack = 5,
    /// A person is needed. What and where is said.
    Person = 6,
    /// A server or service could not be reached. Nothing was changed.
    Unreachable = 7,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::Configuration,
        Self::Refused,
        Self::TakenBack,
        Self::Person,
        Self::Unreachable,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for the reference page and for `friday help`.
    pub fn means(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Internal => {
                "an error inside friday or in the machine it runs on: a bug, a damaged journal, a full disk"
            }
            Self::Usage => {
                "wrong usage: an unknown option, a missing argument, a name that does not exist"
            }
            Self::Configuration => "the configuration is invalid; every mistake is shown",
            Self::Refused => {
                "refused by a gate, a lock, a lease, a quarantine or a host's signers, or stopped before it began; nothing was changed"
            }
            Self::TakenBack => {
                "the push failed and was taken back; the fleet is converged and safe"
            }
            Self::Person => "a person is needed; what and where is said",
            Self::Unreachable => "a server or service could not be reached; nothing was changed",
        }
    }

    /// What a script best does with it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Done => "go on",
            Self::Internal => "stop; if friday says that it is a bug, report it",
            Self::Usage => "mend the script",
            Self::Configuration => "mend `friday.toml`",
            Self::Refused => "read the reason; try again when it is gone",
            Self::TakenBack => "the build is bad: tell its authors; no hurry",
            Self::Person => "call somebody; `friday why` says for what",
            Self::Unreachable => "try again later, or see `friday hosts`",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
