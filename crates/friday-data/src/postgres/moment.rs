//! A time as a place in the write-ahead log: the last commit up to then.
//!
//! What PostgreSQL itself would do with a time as its target, but known beforehand, as a place that the copy can be
//! asked for when it has arrived. It is no later than it must be: a copy that stops in the midst of what was committed
//! later, a `DROP TABLE` above all, holds its locks, and nobody could look at the table that is to be saved.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr as _;

use super::base::Base;
use super::error::PostgresError;
use super::feed::Source;
use super::lsn::Lsn;
use super::newest::{is_there, lay};
use super::programs::{Programs, Running};
use crate::clock;
use crate::course::Course;

/// Lines read between two looks whether to stop.
const LINES: u32 = 1_000;

/// What a look through some of the log found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The first record that may be stopped at.
    first: Option<Lsn>,
    /// The last commit up to the time.
    last: Option<Lsn>,
    /// Whether a transaction was committed after the time.
    later: bool,
}

/// The last place that shows the database as it was at a time. `work` is an empty directory.
///
/// # Errors
/// When no record lies between the backup and that time; what cannot be read.
pub fn last_before(
    at_ms: u64,
    base: &Base,
    source: &Source,
    (programs, work): (&Programs, &Path),
    course: &Course,
) -> Result<Lsn, PostgresError> {
    let at = timestamp(at_ms);
    let mut segment = base.first();
    let (mut first, mut found) = (None, None);
    let mut laid = lay(segment, source, work, course)?;
    loop {
        course.poll()?;
        // A record may reach into the next segment: the two are looked at together.
        let next = segment.next();
        let beside =
            is_there(source, next)?.then(|| lay(next, source, work, course)).transpose()?;
        let seen = look(&segment.name(source.size), (&at, base.end), (programs, work), course)?;
        found = seen.last.or(found);
        first = first.or(seen.first);
        let Some(beside) = beside.filter(|_| !seen.later) else { break };
        fs::remove_file(&laid).map_err(PostgresError::file("looking for a time in the WAL"))?;
        (segment, laid) = (next, beside);
    }
    // Nobody committed anything: any place shows the same.
    found.or(first).ok_or_else(|| {
        PostgresError::NotReached(format!(
            "nothing was written between the backup and {}",
            clock::shown(at_ms)
        ))
    })
}

fn look(
    from: &str,
    (at, end): (&str, Lsn),
    (programs, work): (&Programs, &Path),
    course: &Course,
) -> Result<Seen, PostgresError> {
    let mut command = programs.command("pg_waldump", None);
    // It writes times in the zone of its environment.
    command.env("TZ", "UTC").arg("--path").arg(work).arg(from);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(command)?;
    let Some(pipe) = running.child.stdout.take() else { return Ok(Seen::default()) };
    let mut seen = Seen::default();
    // Where the log ends it ends badly: what it said before that counts.
    for (number, line) in (0_u32..).zip(BufReader::new(pipe).lines()) {
        let line = line.map_err(PostgresError::file("reading what pg_waldump says"))?;
        let committed = committed(&line);
        if committed.is_some_and(|committed| committed > at) {
            seen.later = true;
            break;
        }
        // What ends where the copy becomes consistent begins before that.
        let begins = begins(&line).filter(|lsn| *lsn >= end);
        seen.first = seen.first.or(begins);
        if committed.is_some() {
            seen.last = begins.or(seen.last);
        }
        if number % LINES == 0 {
            course.poll()?;
        }
    }
    Ok(seen)
}

/// Where a record begins.
fn begins(line: &str) -> Option<Lsn> {
    let (_, rest) = line.split_once(" lsn: ")?;
    Lsn::from_str(rest.split(',').next()?.trim()).ok()
}

/// When a transaction was committed, where the record says that one was: also one that was prepared before.
fn committed(line: &str) -> Option<&str> {
    let (head, said) = line.split_once(" desc: COMMIT")?;
    if !head.contains("Transaction") {
        return None;
    }
    let said = said.strip_prefix("_PREPARED").unwrap_or(said);
    // `COMMIT_PREPARED 731: 2026-11-23 …`
    let from =
        said.find("20").filter(|at| said[*at..].len() >= 19 && said.is_char_boundary(*at))?;
    let mut from = from;
    while !said.get(from..).is_some_and(is_a_time) {
        from += 1;
        if from >= said.len() {
            return None;
        }
    }
    said.get(from..from + said[from..].find(" UTC")?)
}

fn is_a_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 19
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[10] == b' '
        && bytes[13] == b':'
}

/// As PostgreSQL's programs write it: such texts are in the order of time.
fn timestamp(at_ms: u64) -> String {
    let seconds = clock::shown(at_ms);
    format!("{}.{:03}999", seconds.trim_end_matches(" UTC"), at_ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::{begins, committed, timestamp};

    const COMMIT: &str = "rmgr: Transaction len (rec/tot):     34/    34, tx:        734, lsn: 0/0152C3F8, prev 0/0152C3B8, \
                          desc: COMMIT 2026-11-23 20:31:00.123456 UTC";

    #[test]
    fn a_commit_tells_its_time_and_its_place() {
        assert_eq!(committed(COMMIT), Some("2026-11-23 20:31:00.123456"));
        assert_eq!(begins(COMMIT).map(|lsn| lsn.to_string()).as_deref(), Some("0/152C3F8"));
        let prepared = "rmgr: Transaction len: 1, tx: 0, lsn: 0/1, desc: COMMIT_PREPARED 2020: 2026-11-23 20:31:00.5 UTC; x";
        assert_eq!(committed(prepared), Some("2026-11-23 20:31:00.5"));
        assert_eq!(
            committed("rmgr: Heap len: 1, lsn: 0/1, desc: COMMIT 2026-11-23 20:31:00 UTC"),
            None
        );
    }

    #[test]
    fn a_time_includes_what_was_committed_in_its_millisecond() {
        let at = timestamp(1_795_465_860_123);
        assert_eq!(at.len(), "2026-11-23 20:31:00.123999".len());
        assert!(at.ends_with(".123999"), "{at}");
    }
}
