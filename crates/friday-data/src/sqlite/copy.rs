//! A copy of the live file at one moment, by SQLite's online backup.
//!
//! The read transaction stays open through all steps. So it is one copy of one moment however many steps it takes, writers
//! in WAL mode go on, and between steps it is asked whether to stop.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::SqliteError;
use super::live::{Live, told};
use crate::course::{Course, Stopped};

/// Copied between two looks whether to stop, bytes.
const STEP: u64 = 4 * 1024 * 1024;

/// Copies into a new file. `of`: so many bytes the whole phase moves, for people.
pub fn copy(
    live: &Live,
    path: &Path,
    into: &Path,
    of: u64,
    course: &Course,
) -> Result<(), SqliteError> {
    let shown = || into.display().to_string();
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(into)
        .map_err(|error| SqliteError::File(shown(), error))?;
    let failed = |error: rusqlite::Error| SqliteError::Sqlite(shown(), error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut target = Connection::open_with_flags(into, flags).map_err(failed)?;
    // Nobody needs this file after a power cut: what is kept is synced where it is kept.
    target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;").map_err(failed)?;
    let backup = Backup::new(&live.connection, &mut target).map_err(failed)?;
    let pages = i32::try_from((STEP / live.page.max(1)).max(1)).unwrap_or(1);
    let patience = course.watch().within(super::LOCK_PATIENCE);
    loop {
        let left = u64::from(backup.progress().remaining.unsigned_abs());
        match backup.step(pages).map_err(|error| reason(path, into, error))? {
            StepResult::Done => break,
            StepResult::More => {
                let now = u64::from(backup.progress().remaining.unsigned_abs());
                let copied = if left == 0 {
                    u64::from(pages.unsigned_abs())
                } else {
                    left.saturating_sub(now)
                };
                course.moved(copied.saturating_mul(live.page), Some(of))?;
            }
            // The moment is held already: only a moment of another's checkpoint or recovery can be in the way.
            _ => match patience.pause(std::time::Duration::from_millis(20)) {
                Err(Stopped::Late(seconds)) => {
                    return Err(SqliteError::Busy { path: path.display().to_string(), seconds });
                }
                other => other?,
            },
        }
    }
    drop(backup);
    target.close().map_err(|(_, error)| failed(error))
}

/// The source's troubles are told of the source.
fn reason(path: &Path, into: &Path, error: rusqlite::Error) -> SqliteError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => told(path, error),
        _ => SqliteError::Sqlite(into.display().to_string(), error),
    }
}
