//! Invariants: asked of the live file or of a copy, in one read transaction, each with a time of its own.
//!
//! Nothing but reading is let through, whatever the statement says. Rows never leave the host: their first column, which is
//! the key by agreement, goes into a file that the login user alone can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use friday_wire::data::{Invariant, InvariantResult, Judged, Rule};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Statement, ffi};

use super::live::Live;
use super::{SqliteError, check};
use crate::clock;
use crate::course::{self, Course, Stopped, Watch};
use crate::place::{self, Place};
use crate::request::Setting;

/// Keys that are listed: enough to see what the rows have in common.
const KEYS_MAX: usize = 100;

/// Of a key, so many letters.
const KEY_MAX: usize = 200;

/// Lists that are kept; older ones go.
const LISTS_MAX: usize = 50;

/// Pragmas that only tell; an invariant may well ask whether references are met.
const TELLING: [&str; 8] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
];

/// Asks the live file: all of one moment.
pub fn live(
    path: &Path,
    invariants: &[Invariant],
    setting: &Setting<'_>,
) -> Result<Vec<Judged>, SqliteError> {
    let mut live = Live::open(path, setting.course)?;
    judge(path, &mut live.connection, invariants, setting.place, setting.course)
}

/// Asks a copy.
pub fn copy(
    path: &Path,
    invariants: &[Invariant],
    setting: &Setting<'_>,
) -> Result<Vec<Judged>, SqliteError> {
    let mut connection = check::open_copy(path)?;
    judge(path, &mut connection, invariants, setting.place, setting.course)
}

/// Asks a copy that others may write to: all of one moment.
pub fn opened(
    path: &Path,
    connection: &mut Connection,
    invariants: &[Invariant],
    setting: &Setting<'_>,
) -> Result<Vec<Judged>, SqliteError> {
    judge(path, connection, invariants, setting.place, setting.course)
}

fn judge(
    path: &Path,
    connection: &mut Connection,
    invariants: &[Invariant],
    place: &Place,
    course: &Course,
) -> Result<Vec<Judged>, SqliteError> {
    let failed = |error| SqliteError::Sqlite(path.display().to_string(), error);
    connection.authorizer(Some(only_reads)).map_err(failed)?;
    let mut judged = Vec::with_capacity(invariants.len());
    for (index, invariant) in invariants.iter().enumerate() {
        course.tell(index as u64, Some(invariants.len() as u64));
        let began = Instant::now();
        let watch = course.watch().within(Duration::from_millis(invariant.timeout_ms));
        check::heed(connection, &watch).map_err(failed)?;
        let result = ask(connection, invariant, &watch, place);
        course.poll()?;
        let ms = course::ms(began.elapsed());
        judged.push(Judged { name: invariant.name.clone(), result, ms });
    }
    Ok(judged)
}

/// What a statement may do: read tables, call functions, tell about the schema.
fn only_reads(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if function_name != "load_extension" => {
            Authorization::Allow
        }
        AuthAction::Pragma { pragma_name, .. } if TELLING.contains(&pragma_name) => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn ask(
    connection: &Connection,
    invariant: &Invariant,
    watch: &Watch,
    place: &Place,
) -> InvariantResult {
    let asked = if invariant.rule.is_of_a_number() {
        number(connection, &invariant.sql).map(|printed| match printed {
            Ok(printed) => invariant.rule.judge_number(&printed),
            Err(why) => InvariantResult::Failed { why },
        })
    } else {
        rows(connection, &invariant.sql).map(|found| {
            if found.count == 0 {
                return Rule::judge_rows(0, None);
            }
            // The verdict stands, whether or not the list can be written.
            let listed = list(invariant, &found, place).ok();
            Rule::judge_rows(found.count, listed.map(|path| path.display().to_string()))
        })
    };
    asked.unwrap_or_else(|error| InvariantResult::Failed { why: why_not(&error, watch) })
}

/// A statement that answers with rows, and does nothing else.
fn prepare<'c>(connection: &'c Connection, sql: &str) -> rusqlite::Result<Statement<'c>> {
    let statement = connection.prepare(sql)?;
    if statement.readonly() && statement.column_count() > 0 {
        Ok(statement)
    } else {
        // As SQLite itself says it of what `only_reads` denies.
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_AUTH), None))
    }
}

fn why_not(error: &rusqlite::Error, watch: &Watch) -> String {
    match (error, error.sqlite_error_code()) {
        (rusqlite::Error::MultipleStatement, _) => "it is more than one statement".to_owned(),
        (_, Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly)) => {
            "it does something else than reading".to_owned()
        }
        (_, Some(ErrorCode::OperationInterrupted)) => match watch.poll() {
            Err(stopped @ Stopped::Late(_)) => stopped.to_string(),
            _ => "it was interrupted".to_owned(),
        },
        _ => check::said(&error.to_string()),
    }
}

/// The one number of an answer, as text. Text that is no number is not passed on: it may be people's.
fn number(connection: &Connection, sql: &str) -> rusqlite::Result<Result<String, String>> {
    let mut statement = prepare(connection, sql)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else {
        return Ok(Err("it gave no row, and one number is asked for".to_owned()));
    };
    let printed = match row.get_ref(0)? {
        ValueRef::Integer(value) => Ok(value.to_string()),
        ValueRef::Real(value) => Ok(value.to_string()),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .ok()
            .map(str::trim)
            .filter(|text| text.len() <= 64 && text.parse::<f64>().is_ok())
            .map(str::to_owned)
            .ok_or_else(|| "its answer is text and no number".to_owned()),
        ValueRef::Null => Err("its answer is NULL and no number".to_owned()),
        ValueRef::Blob(_) => Err("its answer is bytes and no number".to_owned()),
    };
    if rows.next()?.is_some() {
        return Ok(Err("it gave more than one row, and one number is asked for".to_owned()));
    }
    Ok(printed)
}

struct Found {
    count: u64,
    column: String,
    keys: Vec<String>,
}

fn rows(connection: &Connection, sql: &str) -> rusqlite::Result<Found> {
    let mut statement = prepare(connection, sql)?;
    let column = statement.column_name(0)?.to_owned();
    let mut found = Found { count: 0, column, keys: Vec::new() };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.count += 1;
        if found.keys.len() < KEYS_MAX {
            found.keys.push(shown(row.get_ref(0)?));
        }
    }
    Ok(found)
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text)
            .chars()
            .take(KEY_MAX)
            .flat_map(char::escape_debug)
            .collect(),
        ValueRef::Blob(bytes) => {
            bytes.iter().take(KEY_MAX / 2).map(|byte| format!("{byte:02x}")).collect()
        }
    }
}

fn list(invariant: &Invariant, found: &Found, place: &Place) -> io::Result<PathBuf> {
    let dir = place.broken().map_err(io::Error::other)?;
    forget_old(&dir)?;
    let now = clock::now_ms();
    let name: String = place::plain(&invariant.name).chars().take(80).collect();
    let path = dir.join(format!("{}.{:03}-{name}.txt", clock::stamp(now), now % 1_000));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let Found { count, column, keys } = found;
    let column = column.escape_debug();
    let mut text = format!("# {count} rows, the first {} by their column {column}\n", keys.len());
    for key in keys {
        text.push_str(key);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    Ok(path)
}

fn forget_old(dir: &Path) -> io::Result<()> {
    let mut lists: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    lists.sort();
    let surplus = (lists.len() + 1).saturating_sub(LISTS_MAX);
    lists.iter().take(surplus).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests;
