//! What can go wrong between this engine and PostgreSQL, and what to do about it.
//!
//! No text here holds a connection string, a password or a row of somebody's data.

use std::io;

use crate::course::Stopped;
use crate::failure::Failure;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The connection string cannot be used.
    #[error("the database's connection string cannot be used: {0}")]
    Url(String),
    /// The server does not answer, or refuses.
    #[error("cannot connect to PostgreSQL: {0}")]
    Connect(String),
    /// A statement failed.
    #[error("{doing}: {says}")]
    Sql {
        /// What it was for.
        doing: String,
        /// PostgreSQL's message.
        says: String,
    },
    /// A program of PostgreSQL is missing or cannot be started.
    #[error("{0}")]
    Program(String),
    /// A program of PostgreSQL ended badly.
    #[error("{program} failed: {says}")]
    Ended {
        /// Its name.
        program: String,
        /// The end of what it wrote.
        says: String,
    },
    /// A file.
    #[error("{doing}")]
    File {
        /// What was being done.
        doing: String,
        /// Why not.
        source: io::Error,
    },
    /// There is no backup to begin from, or none that reaches so far.
    #[error("{0}")]
    NoBackup(String),
    /// WAL is missing.
    #[error("WAL is missing from {segment} on: {why}")]
    Gap {
        /// The first that is not there.
        segment: String,
        /// What that means.
        why: String,
    },
    /// It was not proven that the target was reached.
    #[error("the target was not reached: {0}")]
    NotReached(String),
    /// What was restored is damaged.
    #[error("{check} found damage: {says}")]
    Damaged {
        /// Which check.
        check: String,
        /// What it said.
        says: String,
    },
    /// It took too long.
    #[error("no end in time: {0}")]
    Late(String),
    /// It is not done, for a reason.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
        /// What to do.
        help: Option<String>,
    },
    /// The connection was closed, or the time is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Another room of this program could not do it.
    #[error("{}", .0.why)]
    Elsewhere(Failure),
}

impl PostgresError {
    /// A file's error.
    pub fn file(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::File { doing, source }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoBackup(_) | Self::Gap { .. } => {
                "make a new backup, from which everything later can be returned to: friday backup"
            }
            Self::Connect(_) => {
                "try the same connection string with psql, on the database's host and as the login user"
            }
            Self::Program(_) => {
                "install PostgreSQL's server package of the same major version there, or say in `programs` where it is"
            }
            Self::Refused { help, .. } => return help.clone(),
            Self::Elsewhere(failure) => return failure.help.clone(),
            Self::Url(_)
            | Self::Sql { .. }
            | Self::Ended { .. }
            | Self::File { .. }
            | Self::NotReached(_)
            | Self::Damaged { .. }
            | Self::Late(_)
            | Self::Stopped(_) => return None,
        };
        Some(help.to_owned())
    }
}

impl From<Failure> for PostgresError {
    fn from(failure: Failure) -> Self {
        Self::Elsewhere(failure)
    }
}

impl From<PostgresError> for Failure {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Stopped(stopped) => stopped.into(),
            PostgresError::Elsewhere(failure) => failure,
            error => {
                let help = error.help();
                Self::of(&error, help)
            }
        }
    }
}
