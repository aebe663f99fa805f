//! What must not happen twice at once, kept apart by locked files on the host.
//!
//! The lock is the system's, so it ends with its process, however that ends. What the file says is for people only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::course::{Stopped, Watch};
use crate::failure::Failure;
use crate::place::Place;

/// Who waits for a lock looks so often.
const PAUSE: Duration = Duration::from_millis(50);

/// What happens once at a time, for each database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// A backup.
    Backup,
    /// A restore point.
    Point,
    /// A drill, or putting away what drills left.
    Drill,
    /// A restore for a person.
    Restore,
    /// A rehearsal's copy, as long as it is open.
    Rehearsal,
}

impl LockKind {
    /// As it stands in names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Point => "point",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::Rehearsal => "rehearsal",
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Self::Backup => "a backup",
            Self::Point => "a restore point",
            Self::Drill => "a drill",
            Self::Restore => "a restore",
            Self::Rehearsal => "a rehearsal",
        }
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    since_ms: u64,
}

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else does the same.
    #[error("{what} of this database is at work already{holder}")]
    Held {
        /// What.
        what: &'static str,
        /// Who, and since when, as far as is known.
        holder: String,
    },
    /// Not even asked.
    #[error("the lock `{0}` cannot be used")]
    Io(String, #[source] io::Error),
    /// While it waited.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let help = match &error {
            LockError::Held { .. } => {
                Some("wait until it has ended, or end the command that runs it".to_owned())
            }
            LockError::Io(..) => None,
            LockError::Stopped(stopped) => return (*stopped).into(),
        };
        Self::of(&error, help)
    }
}

/// A lock, as long as this lives.
#[derive(Debug)]
pub struct Held {
    #[expect(dead_code, reason = "the lock ends when the file is closed")]
    file: File,
}

/// Takes a lock, or says at once who has it.
///
/// # Errors
/// See [`LockError`].
pub fn take(place: &Place, kind: LockKind) -> Result<Held, LockError> {
    try_file(&place.dir().join(format!("{}.lock", kind.name())), kind)
}

/// Takes a lock, and waits for it as long as the work may take.
///
/// # Errors
/// See [`LockError`].
pub fn wait(place: &Place, kind: LockKind, watch: &Watch) -> Result<Held, LockError> {
    loop {
        match take(place, kind) {
            Err(held @ LockError::Held { .. }) => match watch.pause(PAUSE) {
                Ok(()) => {}
                // Who was waited for says more than that time is over.
                Err(Stopped::Late(_)) => return Err(held),
                Err(stopped) => return Err(stopped.into()),
            },
            other => return other,
        }
    }
}

fn try_file(path: &Path, kind: LockKind) -> Result<Held, LockError> {
    let failed = |error: io::Error| LockError::Io(path.display().to_string(), error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(LockError::Held { what: kind.shown(), holder: holder(&mut file) });
        }
        Err(error) => return Err(failed(error.into())),
    }
    let us = Holder { pid: std::process::id(), since_ms: clock::now_ms() };
    // For people only: a full disk does not keep the lock from being held.
    let _ = serde_json::to_vec(&us).map_err(io::Error::from).and_then(|text| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&text)
    });
    Ok(Held { file })
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(4_096).read_to_string(&mut text);
    read.ok()
        .and_then(|_| serde_json::from_str::<Holder>(&text).ok())
        .map_or_else(String::new, |holder| {
            format!(" (process {}, since {})", holder.pid, clock::shown(holder.since_ms))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first_and_follows_when_that_one_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("drill.lock");
        let first = try_file(&path, LockKind::Drill).unwrap();
        let refused = try_file(&path, LockKind::Drill).unwrap_err().to_string();
        let us =
            format!("a drill of this database is at work already (process {},", std::process::id());
        assert!(refused.starts_with(&us), "{refused}");
        drop(first);
        try_file(&path, LockKind::Drill).unwrap();
    }
}
