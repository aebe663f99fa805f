//! Takes personal data out of a copy: the team's statements in one transaction, then the file is written anew, so
//! that nothing of what they replaced is left between its rows.
//!
//! The statements get at this one file and at nothing else. What of it went wrong is told by SQLite's own words about
//! tables and columns; rows are never among them.

use std::fs;
use std::path::Path;
use std::time::Instant;

use friday_wire::data::{DataPhase, Mask, Masked};
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags};

use super::{SqliteError, check};
use crate::course::{Course, ms};
use crate::room;

/// What a file is called that takes the copy's place.
const ANEW: &str = "masked.sqlite";

/// Pragmas that a mask may use; all others reach further than a row.
const PRAGMAS: [&str; 4] =
    ["defer_foreign_keys", "foreign_key_check", "recursive_triggers", "table_info"];

/// Masks a copy that nobody else has open. Where it fails the copy is no good any more, and must go.
///
/// # Errors
/// Which statement could not be run, and why; or that there is no room for the file that is written anew.
pub fn mask(file: &Path, mask: &Mask, course: &Course) -> Result<Masked, SqliteError> {
    let began = Instant::now();
    course.enter(DataPhase::Mask);
    let dir = file.parent().unwrap_or(file);
    let bytes = fs::metadata(file).map_err(|error| of(file, error))?.len();
    // A journal of all that is changed, and after that the new file.
    room::ask(dir, bytes)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection =
        Connection::open_with_flags(file, flags).map_err(|error| sqlite(file, error))?;
    check::heed(&mut connection, course.watch()).map_err(|error| sqlite(file, error))?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|error| check::stopped_or(file, error, course))?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;",
        )
        .map_err(|error| check::stopped_or(file, error, course))?;
    let statements = run(&mut connection, file, mask, course)?;
    let anew = dir.join(ANEW);
    let shown = anew.to_string_lossy();
    connection
        .execute("VACUUM INTO ?1", [&*shown])
        .map_err(|error| check::stopped_or(&anew, error, course))?;
    connection.close().map_err(|(_, error)| sqlite(file, error))?;
    take_its_place(file, &anew, &mode)?;
    Ok(Masked { statements, ms: ms(began.elapsed()) })
}

/// All of it in one transaction; how many statements that were.
fn run(
    connection: &mut Connection,
    file: &Path,
    mask: &Mask,
    course: &Course,
) -> Result<u64, SqliteError> {
    let failed = |error| check::stopped_or(file, error, course);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    connection.authorizer(Some(only_this_file)).map_err(failed)?;
    let mut statements = 0;
    let mut batch = Batch::new(connection, &mask.sql);
    loop {
        let ran = batch.next().and_then(|statement| {
            let Some(mut statement) = statement else { return Ok(None) };
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(Some(()))
        });
        match ran {
            Ok(Some(())) => statements += 1,
            Ok(None) => break,
            Err(error) => return Err(refused(statements + 1, error, file, course)),
        }
        course.tell(statements, None);
    }
    if statements == 0 {
        return Err(SqliteError::Mask("there is no statement in it".to_owned()));
    }
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(failed)?;
    // What the planner was told to expect are values of rows.
    for table in ["sqlite_stat3", "sqlite_stat4"] {
        let asked = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
        let there: i64 = connection.query_row(asked, [table], |row| row.get(0)).map_err(failed)?;
        if there > 0 {
            connection.execute(&format!("DELETE FROM {table}"), []).map_err(failed)?;
        }
    }
    match connection.execute_batch("COMMIT") {
        Ok(()) => Ok(statements),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(SqliteError::Mask("in the end, rows refer to others that are not there".to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Everything within the file; nothing that reaches another one, or ends the transaction.
fn only_this_file(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Unknown { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } if !PRAGMAS.contains(&pragma_name) => {
            Authorization::Deny
        }
        AuthAction::Function { function_name: "load_extension" } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn refused(number: u64, error: rusqlite::Error, file: &Path, course: &Course) -> SqliteError {
    let says = match &error {
        rusqlite::Error::SqlInputError { msg, .. } => check::said(msg),
        other => match other.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                return check::stopped_or(file, error, course);
            }
            Some(ErrorCode::AuthorizationForStatementDenied) => {
                "it reaches beyond the rows of the copy, or ends the transaction".to_owned()
            }
            _ if of_a_trigger(other) => "a trigger refused it".to_owned(),
            _ => check::said(&error.to_string()),
        },
    };
    SqliteError::Mask(format!("statement {number}: {says}"))
}

/// What a trigger says may be made of the row's values.
fn of_a_trigger(error: &rusqlite::Error) -> bool {
    error.sqlite_extended_error_code() == Some(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER)
}

/// The new file instead of the old one, with the journal's mode that the application chose.
fn take_its_place(file: &Path, anew: &Path, mode: &str) -> Result<(), SqliteError> {
    use std::os::unix::fs::PermissionsExt as _;
    let private = fs::set_permissions(anew, fs::Permissions::from_mode(0o600));
    private.and_then(|()| fs::rename(anew, file)).map_err(|error| of(file, error))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    let connection = Connection::open(file).map_err(|error| sqlite(file, error))?;
    connection.execute_batch("PRAGMA journal_mode = WAL").map_err(|error| sqlite(file, error))
}

fn of(path: &Path, error: std::io::Error) -> SqliteError {
    SqliteError::File(path.display().to_string(), error)
}

fn sqlite(path: &Path, error: rusqlite::Error) -> SqliteError {
    SqliteError::Sqlite(path.display().to_string(), error)
}
