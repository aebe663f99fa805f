//! Invariants, asked of a live server or of a copy: one snapshot, read-only, each with its time.
//!
//! Rows never leave the host: the first ones are listed in a file there, and the answer has their number.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use friday_wire::data::{Invariant, InvariantResult, Judged, Rule};
use postgres::Client;

use super::address::cause;
use super::error::PostgresError;
use super::server::{Server, rows_of};
use crate::clock;
use crate::course::{Watch, ms};
use crate::place;

/// Rows that are listed of one invariant.
const LISTED: usize = 100;

/// Rows fetched at once.
const BATCH: usize = 500;

/// Rows counted at most: a broken invariant is no more broken with more of them.
const COUNTED: u64 = 1_000_000;

/// Asks all of them in one snapshot. Where the snapshot itself cannot be had, each is `Failed`.
///
/// # Errors
/// Only when the connection was closed, or the whole time is over.
pub fn judge(
    server: &Server,
    invariants: &[Invariant],
    broken: &Path,
    watch: &Watch,
) -> Result<Vec<Judged>, PostgresError> {
    if invariants.is_empty() {
        return Ok(Vec::new());
    }
    let begun = server.ask(watch, "beginning a snapshot", |client| {
        client.batch_execute(
            "SET default_transaction_read_only = on; \
             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET LOCAL lock_timeout = '5s'; SELECT 1",
        )
    });
    if let Err(error @ PostgresError::Sql { .. }) = &begun {
        let failed = |invariant: &Invariant| Judged {
            name: invariant.name.clone(),
            result: InvariantResult::Failed { why: error.to_string() },
            ms: 0,
        };
        return Ok(invariants.iter().map(failed).collect());
    }
    begun?;
    let mut judged = Vec::new();
    for invariant in invariants {
        judged.push(one(server, invariant, broken, watch)?);
    }
    // Read-only: how it ends is all the same.
    let _ = server.ask(watch, "ending the snapshot", |client| client.batch_execute("ROLLBACK"));
    Ok(judged)
}

fn one(
    server: &Server,
    invariant: &Invariant,
    broken: &Path,
    watch: &Watch,
) -> Result<Judged, PostgresError> {
    let began = Instant::now();
    let asked = invariant.clone();
    let answer = server.ask(watch, "asking an invariant", move |client| {
        let answer = ask(client, &asked);
        // Whatever it did is undone, also an error, so that the next one has the same snapshot.
        let _ = client.batch_execute("ROLLBACK TO SAVEPOINT friday; CLOSE ALL");
        Ok(answer)
    })?;
    let result = match answer {
        Err(why) => InvariantResult::Failed { why },
        Ok(Answer::Number(printed)) => invariant.rule.judge_number(&printed),
        Ok(Answer::Rows { count, first }) => {
            let listed = list(broken, &invariant.name, &first);
            Rule::judge_rows(count, listed.map(|path| path.display().to_string()))
        }
    };
    Ok(Judged { name: invariant.name.clone(), result, ms: ms(began.elapsed()) })
}

enum Answer {
    Number(String),
    Rows { count: u64, first: Vec<String> },
}

fn ask(client: &mut Client, invariant: &Invariant) -> Result<Answer, String> {
    let told = |error: postgres::Error| cause(&error);
    let until = Instant::now() + Duration::from_millis(invariant.timeout_ms.max(1));
    client.batch_execute("SAVEPOINT friday").map_err(told)?;
    limit(client, until)?;
    // Prepared on its own: the protocol takes one statement there, and a cursor only one that gives rows.
    let cursor = format!("DECLARE friday_invariant NO SCROLL CURSOR FOR {}", invariant.sql);
    client.execute(&cursor, &[]).map_err(told)?;
    if !invariant.rule.is_of_a_number() {
        return count(client, until);
    }
    let rows = rows_of(client, "FETCH 2 FROM friday_invariant").map_err(told)?;
    match &rows[..] {
        [row] => match &row[..] {
            [Some(value)] => Ok(Answer::Number(value.clone())),
            [None] => Err("it gave NULL instead of a number".to_owned()),
            columns => Err(format!("it gave {} columns instead of one number", columns.len())),
        },
        [] => Err("it gave no row instead of one number".to_owned()),
        _ => Err("it gave several rows instead of one number".to_owned()),
    }
}

fn count(client: &mut Client, until: Instant) -> Result<Answer, String> {
    let (mut count, mut first) = (0, Vec::new());
    let fetch = format!("FETCH {BATCH} FROM friday_invariant");
    while count < COUNTED {
        limit(client, until)?;
        let rows = rows_of(client, &fetch).map_err(|error| cause(&error))?;
        let whole = rows.len() == BATCH;
        count += rows.len() as u64;
        for row in rows.into_iter().take(LISTED - first.len()) {
            let cells: Vec<String> = row.into_iter().map(|cell| shown(cell.as_deref())).collect();
            first.push(cells.join("\t"));
        }
        if !whole {
            break;
        }
    }
    Ok(Answer::Rows { count, first })
}

/// What is left of its time, for its next statement.
fn limit(client: &mut Client, until: Instant) -> Result<(), String> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err("it took longer than its time".to_owned());
    }
    let set = format!("SET LOCAL statement_timeout = {}", left.as_millis().clamp(1, 86_400_000));
    client.batch_execute(&set).map_err(|error| cause(&error))
}

/// One value on one line, not longer than a key is.
fn shown(cell: Option<&str>) -> String {
    let Some(cell) = cell else { return "NULL".to_owned() };
    cell.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A file that only the login user can read. Where it cannot be written, the verdict stands without it.
fn list(directory: &Path, name: &str, rows: &[String]) -> Option<PathBuf> {
    if rows.is_empty() {
        return None;
    }
    let file = format!("{}-{}.tsv", place::plain(name), clock::stamp(clock::now_ms()));
    let path = directory.join(file);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).ok()?;
    file.write_all((rows.join("\n") + "\n").as_bytes()).ok()?;
    Some(path)
}
