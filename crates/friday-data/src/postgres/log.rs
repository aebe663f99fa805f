//! Where a cluster's write-ahead log is kept: in friday's own repository, or in a stanza of pgBackRest.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::error::PostgresError;
use super::pgbackrest::Archive;
use crate::course::Course;
use crate::failure::Failure;
use crate::repository::wal::Wal;

/// How often a stanza is asked for a segment that is to come: each look is a program.
const LOOK: Duration = Duration::from_millis(50);

/// The log of one cluster.
#[derive(Clone)]
pub enum Log {
    /// In friday's own repository.
    Repository(Wal),
    /// In a stanza.
    Stanza(Archive),
}

impl Log {
    /// Whether a file is there, and stays when the host is lost.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Repository(wal) => wal.has(name),
            Self::Stanza(archive) => archive.has(name),
        }
    }

    /// How often to look for a file that is to come.
    pub fn look(&self) -> Duration {
        match self {
            Self::Repository(wal) => wal.look(),
            Self::Stanza(_) => LOOK,
        }
    }

    /// Whether it gives its files only to who has a copy of the cluster already.
    pub fn asks_for_a_copy(&self) -> bool {
        matches!(self, Self::Stanza(_))
    }

    /// Fetches a file that is there, and proves that it is what was put there.
    ///
    /// # Errors
    /// When it is not there, or is damaged.
    pub fn fetch(&self, name: &str, target: &Path, course: &Course) -> Result<(), PostgresError> {
        match self {
            Self::Repository(wal) => {
                let mut options = OpenOptions::new();
                let options = options.write(true).create(true).truncate(true).mode(0o600);
                let file = options.open(target);
                let mut file = file.map_err(PostgresError::file("fetching WAL"))?;
                Ok(wal.fetch(name, &mut file, course).map_err(Failure::from)?)
            }
            Self::Stanza(archive) => archive.fetch(name, target, course.watch()),
        }
    }
}
