//! Who uses a backup: one who writes or removes it, or any number who read it.
//!
//! A lock of the system on a file of this host, `in-use` beside the backup: it ends with its process. For a bucket that
//! file lies in the database's own place: hosts that share a bucket's name are not kept apart by it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FlockOperation, flock};

use super::RepositoryError;
use super::shelf::Shelf;

/// Keeps a backup where it is, as long as this lives.
#[derive(Debug)]
pub struct Reading {
    #[expect(dead_code, reason = "the lock ends when the file is closed")]
    file: File,
}

/// Keeps everybody else away, as long as this lives.
#[derive(Debug)]
pub struct Alone {
    #[expect(dead_code, reason = "the lock ends when the file is closed")]
    file: File,
}

impl Reading {
    /// Begins to read.
    ///
    /// # Errors
    /// `Busy`, and the system's.
    pub(super) fn begin(dir: &Shelf) -> Result<Self, RepositoryError> {
        let file = lock(dir, FlockOperation::NonBlockingLockShared)?;
        let file = file.ok_or_else(|| RepositoryError::Busy(dir.name()))?;
        Ok(Self { file })
    }
}

impl Alone {
    /// Takes it for oneself; `None`: somebody uses it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn begin(dir: &Shelf) -> Result<Option<Self>, RepositoryError> {
        let file = lock(dir, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file.map(|file| Self { file }))
    }
}

fn lock(dir: &Shelf, how: FlockOperation) -> Result<Option<File>, RepositoryError> {
    let failed = |error: io::Error| RepositoryError::Write(dir.shown("in-use"), error);
    let path = dir.lease().map_err(failed)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match flock(&file, how) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(failed(error.into())),
    }
}
