//! The newest place that can be returned to, without asking the live server: it may be gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::SystemTime;

use super::base::Base;
use super::error::PostgresError;
use super::feed::Source;
use super::lsn::{Lsn, Segment};
use super::programs::Programs;
use crate::course::{Course, Watch, ms};

/// In complaints.
const LOOKING: &str = "looking into the newest WAL";

/// The last complete record of the WAL that follows a backup without a gap. `work` is an empty directory.
///
/// # Errors
/// [`PostgresError::Gap`] when not even the backup's own WAL is there; what cannot be read.
pub fn newest(
    base: &Base,
    source: &Source,
    programs: &Programs,
    work: &Path,
    course: &Course,
) -> Result<Lsn, PostgresError> {
    let mut segments = Vec::new();
    let mut segment = base.first();
    while is_there(source, segment)? {
        course.poll()?;
        segments.push(segment);
        segment = segment.next();
    }
    if segments.last().is_none_or(|last| last.number < base.last().number) {
        return Err(PostgresError::Gap {
            segment: segment.name(source.size),
            why: "the backup itself needs it".to_owned(),
        });
    }
    for segment in segments.into_iter().rev() {
        let found = last_record(segment, source, programs, work, course)?;
        // What ends where the copy becomes consistent begins before that.
        if let Some(lsn) = found.filter(|lsn| *lsn >= base.end) {
            return Ok(lsn);
        }
        if segment.start(source.size) <= base.end {
            break;
        }
    }
    // Nothing was written after the backup: its end is the newest, and something begins there.
    Err(PostgresError::NotReached("no WAL came after the newest backup".to_owned()))
}

/// How old the newest is that was received, milliseconds; `None`: nothing was.
pub fn age_ms(source: &Source) -> Option<u64> {
    let partial = source.received.partial(source.size).ok().flatten().map(|(_, at)| at);
    let whole = source.received.whole(source.size).ok()?;
    let path = whole.last().map(|segment| source.received.path(*segment, source.size));
    let whole = path.and_then(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok());
    let at = partial.into_iter().chain(whole).max()?;
    Some(ms(SystemTime::now().duration_since(at).unwrap_or_default()))
}

/// Whether a segment can be had, from whichever place.
///
/// # Errors
/// The system's.
pub fn is_there(source: &Source, segment: Segment) -> Result<bool, PostgresError> {
    let received = &source.received;
    let size = source.size;
    if source.log.has(&segment.name(size)) || received.path(segment, size).exists() {
        return Ok(true);
    }
    let partial = received.partial(size)?;
    // It may become whole in this moment, and is then in one of the other places.
    let found = partial.is_some_and(|(one, _)| one == segment);
    Ok(found || source.log.has(&segment.name(size)) || received.path(segment, size).exists())
}

/// Where the last complete record begins that begins in a segment.
fn last_record(
    segment: Segment,
    source: &Source,
    programs: &Programs,
    work: &Path,
    course: &Course,
) -> Result<Option<Lsn>, PostgresError> {
    let copy = lay(segment, source, work, course)?;
    let mut command = programs.command("pg_waldump", None);
    command.arg("--path").arg(work).arg(segment.name(source.size));
    let found = said(command, course.watch());
    fs::remove_file(&copy).map_err(PostgresError::file(LOOKING))?;
    found
}

/// Lays a segment into a directory, for a program to look into it.
///
/// # Errors
/// When it is nowhere, or is not what it was.
pub fn lay(
    segment: Segment,
    source: &Source,
    work: &Path,
    course: &Course,
) -> Result<PathBuf, PostgresError> {
    let name = segment.name(source.size);
    let copy = work.join(&name);
    let (received, size) = (&source.received, source.size);
    let near = [received.path(segment, size), received.partial_path(segment, size)];
    let copied = near.iter().find_map(|path| fs::copy(path, &copy).ok());
    if copied.is_none() {
        // What is damaged in the repository is found here, too.
        source.log.fetch(&name, &copy, course)?;
    }
    Ok(copy)
}

/// `pg_waldump` ends badly where the log ends: what it said before that counts.
fn said(command: std::process::Command, watch: &Watch) -> Result<Option<Lsn>, PostgresError> {
    let text = match Programs::run_for_text(command, watch)? {
        (text, Ok(()) | Err(PostgresError::Ended { .. })) => text,
        (_, Err(error)) => return Err(error),
    };
    let of_line = |line: &str| {
        let (_, rest) = line.split_once(" lsn: ")?;
        Lsn::from_str(rest.split(',').next()?.trim()).ok()
    };
    Ok(text.lines().rev().find_map(of_line))
}
