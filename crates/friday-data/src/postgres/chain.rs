//! Whether all WAL from one place to another is in the repository.

use std::collections::BTreeSet;

use super::base::Base;
use super::error::PostgresError;
use super::keep;
use super::lsn::{Segment, SegmentSize};
use crate::course::{Stopped, Watch};
use crate::place::Place;
use crate::repository::wal::Wal;

/// The first segment between two, both included, that is not in the repository.
pub fn gap(wal: &Wal, from: Segment, to: Segment, size: SegmentSize) -> Option<Segment> {
    let mut segment = from;
    while segment.number <= to.number {
        if !wal.has(&segment.name(size)) {
            return Some(segment);
        }
        segment = segment.next();
    }
    None
}

/// The first segment that is not among `names`, from a backup's own to the newest there; `None`: none is lacking.
pub fn first_missing(names: &[String], base: &Base) -> Option<Segment> {
    let ours = |segment: &Segment| segment.timeline == base.timeline;
    let there: BTreeSet<Segment> =
        names.iter().filter_map(|name| Segment::parse(name, base.segment)).filter(ours).collect();
    let (mut segment, newest) = (base.first(), *there.last()?);
    while segment.number <= newest.number.max(base.last().number) {
        if !there.contains(&segment) {
            return Some(segment);
        }
        segment = segment.next();
    }
    None
}

/// Waits until all WAL between two segments, both included, is in the repository.
///
/// # Errors
/// [`PostgresError::Late`] with how the receiving process is; [`PostgresError::Gap`] when a segment in the midst
/// is missing.
pub fn wait(
    wal: &Wal,
    (from, to): (Segment, Segment),
    size: SegmentSize,
    place: &Place,
    watch: &Watch,
) -> Result<(), PostgresError> {
    let last = to.name(size);
    while !wal.has(&last) {
        watch.pause(wal.look()).map_err(|stopped| match stopped {
            Stopped::Closed => stopped.into(),
            Stopped::Late(_) => PostgresError::Late(waited(&last, place)),
        })?;
    }
    match gap(wal, from, to, size) {
        None => Ok(()),
        Some(missing) => Err(PostgresError::Gap {
            segment: missing.name(size),
            why: "nothing after it can be reached from the newest backup".to_owned(),
        }),
    }
}

fn waited(segment: &str, place: &Place) -> String {
    let how = match keep::status(place.dir()) {
        None => "the process that receives WAL does not run".to_owned(),
        Some(status) => match (status.receives, status.trouble) {
            (_, Some(trouble)) => format!("receiving WAL has trouble: {trouble}"),
            (true, None) => "it is still being received".to_owned(),
            (false, None) => "pg_receivewal does not run yet".to_owned(),
        },
    };
    format!("waiting for segment {segment} of the write-ahead log: {how}")
}
