//! Who uses a backup: one who writes or removes it, or any number who read it.
//!
//! A lock of the system on the file `in-use`: it ends with its process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::{RepositoryError, name_of};

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
    pub(super) fn begin(dir: &Path) -> Result<Self, RepositoryError> {
        let file = lock(dir, FlockOperation::NonBlockingLockShared)?;
        let file = file.ok_or_else(|| RepositoryError::Busy(name_of(dir)))?;
        Ok(Self { file })
    }
}

impl Alone {
    /// Takes it for oneself; `None`: somebody uses it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn begin(dir: &Path) -> Result<Option<Self>, RepositoryError> {
        let file = lock(dir, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file.map(|file| Self { file }))
    }
}

fn lock(dir: &Path, how: FlockOperation) -> Result<Option<File>, RepositoryError> {
    let path = dir.join("in-use");
    let failed = |error: io::Error| RepositoryError::Write(path.display().to_string(), error);
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
