//! The live file: opened to read, and held at one moment.
//!
//! It must never be opened to write: a checkpoint, a mended journal or a changed mode is the application's.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::{LOCK_PATIENCE, SqliteError};
use crate::clock;
use crate::course::{Course, Stopped, Watch};

/// SQLite itself waits so long for a lock; between, it is asked whether to stop.
const BUSY: Duration = Duration::from_millis(200);

/// Who waits for a lock tries so often.
const PAUSE: Duration = Duration::from_millis(20);

/// The live file, read at one moment: writers go on, and what they write is not seen.
#[derive(Debug)]
pub struct Live {
    /// In a read transaction.
    pub connection: Connection,
    /// The moment, milliseconds since 1970: nothing older than this is missing.
    pub at_ms: u64,
    /// Its size at that moment, bytes.
    pub bytes: u64,
    /// The size of a page, bytes.
    pub page: u64,
}

impl Live {
    /// Opens the file and takes its present moment. A lock of others is waited for.
    ///
    /// # Errors
    /// See [`SqliteError`].
    pub fn open(path: &Path, course: &Course) -> Result<Self, SqliteError> {
        look(path)?;
        let connection = open(path)?;
        let watch = course.watch().within(LOCK_PATIENCE);
        let at_ms = waiting(path, &watch, course, || {
            let at_ms = clock::now_ms();
            // A transaction begins with its first read.
            let begun = connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;");
            begun.map(|()| at_ms).inspect_err(|_| {
                let _ = connection.execute_batch("ROLLBACK");
            })
        })?;
        let number = |name: &str| {
            let asked =
                connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
            asked.map(i64::unsigned_abs).map_err(|error| told(path, error))
        };
        let page = number("page_size")?;
        let bytes = page.saturating_mul(number("page_count")?);
        Ok(Self { connection, at_ms, bytes, page })
    }
}

/// What can be said without SQLite.
pub fn look(path: &Path) -> Result<fs::Metadata, SqliteError> {
    let shown = || path.display().to_string();
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SqliteError::Missing(shown()),
        io::ErrorKind::PermissionDenied => SqliteError::Denied(shown()),
        _ => SqliteError::File(shown(), error),
    })?;
    let not = |why: &str| SqliteError::NotADatabase { path: shown(), why: why.to_owned() };
    if !found.is_file() {
        return Err(not("it is not a file"));
    }
    if found.len() == 0 {
        return Err(not("it is empty"));
    }
    Ok(found)
}

/// Opens the live file to read.
pub fn open(path: &Path) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| told(path, error))?;
    connection.busy_timeout(BUSY).map_err(|error| told(path, error))?;
    connection.execute_batch("PRAGMA query_only = ON").map_err(|error| told(path, error))?;
    Ok(connection)
}

/// Tries until nobody is in the way.
pub fn waiting<T>(
    path: &Path,
    watch: &Watch,
    course: &Course,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> Result<T, SqliteError> {
    let waited = std::time::Instant::now();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if is_busy(&error) => match watch.pause(PAUSE) {
                Ok(()) => course.tell(0, None),
                Err(Stopped::Late(_)) => {
                    let seconds = waited.elapsed().as_secs();
                    return Err(SqliteError::Busy { path: path.display().to_string(), seconds });
                }
                Err(stopped) => return Err(stopped.into()),
            },
            Err(error) => return Err(told(path, error)),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// What SQLite says, as what it means for the live file.
pub fn told(path: &Path, error: rusqlite::Error) -> SqliteError {
    let shown = path.display().to_string();
    let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            let why = "its head is another, or it is encrypted".to_owned();
            SqliteError::NotADatabase { path: shown, why }
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            SqliteError::NotADatabase { path: shown, why: format!("it is damaged: {error}") }
        }
        Some(ErrorCode::ReadOnly) if extended == ffi::SQLITE_READONLY_ROLLBACK => {
            SqliteError::Unmended(shown)
        }
        Some(ErrorCode::ReadOnly) => SqliteError::Log(shown),
        Some(ErrorCode::CannotOpen) if fs::File::open(path).is_ok() => SqliteError::Log(shown),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => SqliteError::Denied(shown),
        _ => SqliteError::Sqlite(shown, error),
    }
}
