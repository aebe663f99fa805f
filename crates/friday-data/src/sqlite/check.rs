//! Whether a copy is whole. A copy is opened so that nothing is written beside it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

use friday_wire::data::Check;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::SqliteError;
use crate::course::{self, Course, Watch};

/// Between two looks whether to stop, steps of SQLite's machine: a few milliseconds.
pub const STEPS: i32 = 20_000;

/// Errors listed by SQLite before it stops looking.
const ERRORS_MAX: usize = 99;

/// Of what SQLite says, so much is passed on.
const SAID_MAX: usize = 300;

/// Opens a copy that nobody else has, to read, without locks and without files beside it.
pub fn open_copy(path: &Path) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let opened = Connection::open_with_flags(address(path), flags);
    let connection = opened.map_err(|error| failed(path, error))?;
    connection.execute_batch("PRAGMA query_only = ON").map_err(|error| failed(path, error))?;
    Ok(connection)
}

/// SQLite's address of a file that nobody changes.
fn address(path: &Path) -> String {
    let mut text = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text + "?immutable=1"
}

fn failed(path: &Path, error: rusqlite::Error) -> SqliteError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => SqliteError::Damaged {
            check: "opening it",
            count: "1 error".to_owned(),
            first: said(&error.to_string()),
        },
        _ => SqliteError::Sqlite(path.display().to_string(), error),
    }
}

/// Lets SQLite ask from time to time whether to stop.
pub fn heed(connection: &mut Connection, watch: &Watch) -> rusqlite::Result<()> {
    let watch = watch.clone();
    connection.progress_handler(STEPS, Some(move || watch.poll().is_err()))
}

/// The quick look that each copy gets when it is made.
pub fn quick(path: &Path, course: &Course) -> Result<(), SqliteError> {
    let mut connection = open_copy(path)?;
    heed(&mut connection, course.watch()).map_err(|error| failed(path, error))?;
    look(path, &connection, "quick_check", course)
}

/// What a drill proves of a copy.
pub fn whole(path: &Path, course: &Course) -> Result<Vec<Check>, SqliteError> {
    let mut connection = open_copy(path)?;
    heed(&mut connection, course.watch()).map_err(|error| failed(path, error))?;
    let began = Instant::now();
    look(path, &connection, "integrity_check", course)?;
    let number = |sql: &str| {
        let asked = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        asked.map_err(|error| stopped_or(path, error, course))
    };
    let tables = number(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let pages = number("PRAGMA page_count")?;
    let integrity = Check {
        name: "integrity_check".to_owned(),
        says: format!("tables: {tables}, pages: {pages}"),
        ms: course::ms(began.elapsed()),
    };
    let began = Instant::now();
    let says = foreign_keys(path, &connection, course)?;
    let ms = course::ms(began.elapsed());
    Ok(vec![integrity, Check { name: "foreign_key_check".to_owned(), says, ms }])
}

fn look(
    path: &Path,
    connection: &Connection,
    check: &'static str,
    course: &Course,
) -> Result<(), SqliteError> {
    let lines =
        connection.prepare(&format!("PRAGMA {check}({ERRORS_MAX})")).and_then(|mut asked| {
            asked
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        });
    let lines = match lines {
        // Damage of a kind that ends the look itself.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            let first = said(&error.to_string());
            return Err(SqliteError::Damaged { check, count: "1 error".to_owned(), first });
        }
        lines => lines.map_err(|error| stopped_or(path, error, course))?,
    };
    match lines.first().map(String::as_str) {
        Some("ok") => Ok(()),
        first => {
            let count = match lines.len() {
                1 => "1 error".to_owned(),
                ERRORS_MAX.. => format!("at least {ERRORS_MAX} errors"),
                count => format!("{count} errors"),
            };
            Err(SqliteError::Damaged { check, count, first: said(first.unwrap_or("no answer")) })
        }
    }
}

/// The copy is what the live database was, byte for byte as far as the hash goes. A row that refers to a missing one
/// was so there, too: it is said, and is no damage of the copy.
fn foreign_keys(
    path: &Path,
    connection: &Connection,
    course: &Course,
) -> Result<String, SqliteError> {
    let counted = connection.query_row(
        "SELECT count(*), count(DISTINCT \"table\") FROM pragma_foreign_key_check",
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    );
    match counted {
        Ok((0, _)) => Ok("every reference is met".to_owned()),
        Ok((rows, tables)) => Ok(format!(
            "rows that refer to missing ones: {rows}, in so many tables: {tables}; it was so when it was backed up"
        )),
        Err(error) => match stopped_or(path, error, course) {
            SqliteError::Sqlite(_, error) => {
                Ok(format!("not possible here: {}", said(&error.to_string())))
            }
            other => Err(other),
        },
    }
}

/// An interrupt is ours: why it stops is known by the course.
pub fn stopped_or(path: &Path, error: rusqlite::Error, course: &Course) -> SqliteError {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
        && let Err(stopped) = course.poll()
    {
        return stopped.into();
    }
    failed(path, error)
}

/// Bounded, on one line.
pub fn said(text: &str) -> String {
    text.chars()
        .take(SAID_MAX)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_taken_for_parameters() {
        assert_eq!(address(Path::new("/a b/c?d#e%.db")), "file:/a%20b/c%3fd%23e%25.db?immutable=1");
    }
}
