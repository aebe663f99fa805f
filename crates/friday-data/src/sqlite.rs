//! The engine for SQLite: whole copies, made by SQLite itself while the application writes.
//!
//! It must never copy a live file by its bytes, never write to it, and never take a copy for good that was not
//! proven: a copy is checked when it is made, and again when it is restored.

mod check;
mod copy;
mod drill;
mod examine;
mod judge;
mod live;
mod mask;
mod opened;
mod save;
mod schema;
mod steps;
mod watching;
mod written_by;

use std::io;
use std::time::Duration;

use friday_wire::data::{DataAnswer, DataPhase, DataRequest};

use crate::course::Stopped;
use crate::failure::Failure;
use crate::place::{self, PlaceError};
use crate::repository::RepositoryError;
use crate::request::Setting;
use crate::room::RoomError;
use drill::Aim;

pub use opened::SqliteCopy;

/// The object that is the database.
const OBJECT: &str = "database.sqlite";

/// Why SQLite's part could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// No such file.
    #[error("there is no database at `{0}`")]
    Missing(String),
    /// It may not be read.
    #[error("the database `{0}` may not be read by the login user")]
    Denied(String),
    /// A file, but no database.
    #[error("`{path}` is not an SQLite database ({why})")]
    NotADatabase {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// Its log cannot be opened beside it.
    #[error("the log beside the database `{0}` cannot be opened by the login user")]
    Log(String),
    /// Its last writer ended in mid-write, and who only reads cannot mend that.
    #[error("the last writer of `{0}` ended in mid-write, and the file was not opened since")]
    Unmended(String),
    /// Somebody holds it.
    #[error("the database `{path}` was locked by another program for longer than {seconds} s")]
    Busy {
        /// Which.
        path: String,
        /// So long it was waited for.
        seconds: u64,
    },
    /// What was copied or restored is damaged.
    #[error("{check} found {count} in the copy, first: {first}")]
    Damaged {
        /// Which check.
        check: &'static str,
        /// `1 error`, `more than 99 errors`.
        count: String,
        /// As SQLite says it.
        first: String,
    },
    /// The backup is no SQLite database's.
    #[error("backup {0} is not of an SQLite database")]
    OtherEngine(String),
    /// The backup does not hold the target.
    #[error("backup {backup} holds {holds}, and not the target {target}")]
    OtherTarget {
        /// Which.
        backup: String,
        /// What it holds.
        holds: String,
        /// What was asked.
        target: String,
    },
    /// Where a person wants the copy, something lies.
    #[error("the directory `{0}` is not empty")]
    NotEmpty(String),
    /// A file of our own.
    #[error("`{0}` cannot be used")]
    File(String, #[source] io::Error),
    /// Anything else SQLite says. Its own source would only repeat it as a number.
    #[error("SQLite could not go on with `{0}`: {1}")]
    Sqlite(String, rusqlite::Error),
    /// The team's statements.
    #[error("the mask failed: {0}")]
    Mask(String),
    /// No place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// No room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// It shall stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<SqliteError> for Failure {
    fn from(error: SqliteError) -> Self {
        let help = match error {
            SqliteError::Place(error) => return error.into(),
            SqliteError::Room(error) => return error.into(),
            SqliteError::Repository(error) => return error.into(),
            SqliteError::Stopped(stopped) => return stopped.into(),
            SqliteError::Missing(_) => {
                "name the file as it is on the database's host; an application makes it when it first runs"
            }
            SqliteError::Denied(_) => {
                "log in as the application's user, or let the login user read the file and its directory"
            }
            SqliteError::Log(_) => {
                "log in as the application's user, or let the login user write to the file's directory"
            }
            SqliteError::Unmended(_) => {
                "start the application, or open the file once as its user: that mends it"
            }
            SqliteError::NotADatabase { .. } => {
                "name another file; an encrypted one cannot be guarded, and a damaged one comes back from a backup"
            }
            SqliteError::Busy { .. } => {
                "look which program holds it (fuser, lsof); in WAL mode writers hold up nobody"
            }
            SqliteError::Damaged { .. } => {
                "the file itself may be damaged: see PRAGMA integrity_check on the live database, and which earlier backup passes a drill"
            }
            SqliteError::OtherEngine(_) => "give each database a directory of its own",
            SqliteError::OtherTarget { .. } => "see which backups there are: friday backup list",
            SqliteError::Mask(_) => "try it on a copy of your own (friday restore)",
            SqliteError::NotEmpty(_) => "name a new or an empty directory",
            SqliteError::File(_, ref cause)
                if cause.kind() == io::ErrorKind::StorageFull
                    || cause.kind() == io::ErrorKind::FileTooLarge =>
            {
                "make room there, or name another directory"
            }
            SqliteError::Sqlite(_, ref cause) if is_full(cause) => {
                "make room there, or name another directory"
            }
            SqliteError::File(..) | SqliteError::Sqlite(..) => return Self::of(&error, None),
        };
        Self::of(&error, Some(help.to_owned()))
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    // A file that may not grow is refused as any other write that fails.
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        || error.sqlite_extended_error_code() == Some(rusqlite::ffi::SQLITE_IOERR_WRITE)
}

/// How long a lock of another program is waited for, where the request has more time: no honest transaction is longer.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Does what is asked of the file at `path`.
///
/// # Errors
/// See [`SqliteError`].
pub fn perform(
    request: &DataRequest,
    path: &str,
    setting: &Setting<'_>,
) -> Result<DataAnswer, Failure> {
    let path = place::from_home(path);
    match request {
        DataRequest::Examine { .. } => {
            Ok(DataAnswer::Examined { findings: examine::examine(&path, setting) })
        }
        DataRequest::Point { name, .. } => {
            Ok(DataAnswer::Pointed { point: save::point(&path, name, setting)? })
        }
        DataRequest::Backup { .. } => {
            let (backup, pruned) = save::backup(&path, setting)?;
            Ok(DataAnswer::BackedUp { backup, pruned })
        }
        DataRequest::Drill { target, invariants, keep_scratch, mask, .. } => {
            let after = match (keep_scratch, mask) {
                (false, _) => drill::After::Remove,
                (true, None) => drill::After::Keep,
                (true, Some(mask)) => drill::After::KeepMasked(mask),
            };
            let report = drill::drill(&path, Aim { target, invariants }, after, setting)?;
            Ok(DataAnswer::Drilled { report: Box::new(report) })
        }
        DataRequest::Restore { target, directory, .. } => {
            let aim = Aim { target, invariants: &[] };
            let (report, steps) = drill::restore(&path, aim, directory, setting)?;
            Ok(DataAnswer::Restored { report: Box::new(report), steps })
        }
        DataRequest::Judge { invariants, .. } => {
            setting.course.enter(DataPhase::Invariants);
            let invariants = judge::live(&path, invariants, setting)?;
            Ok(DataAnswer::Judged { invariants })
        }
        // Nothing goes on beside a file.
        DataRequest::Forget { .. } => Ok(DataAnswer::Ok),
        DataRequest::Hello { .. }
        | DataRequest::List { .. }
        | DataRequest::Verify { .. }
        | DataRequest::Open { .. }
        | DataRequest::Watched { .. }
        | DataRequest::JudgeOpen { .. }
        | DataRequest::Shut { .. }
        | DataRequest::Clean { .. } => Err(Failure::new("this is not asked of an engine")),
    }
}
