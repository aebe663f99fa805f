//! Whether all WAL from one place to another is kept.

use std::collections::BTreeSet;

use super::base::Base;
use super::error::PostgresError;
use super::log::Log;
use super::lsn::{Segment, SegmentSize};
use crate::course::{Stopped, Watch};

/// The first segment between two, both included, that is not kept.
pub fn gap(log: &Log, from: Segment, to: Segment, size: SegmentSize) -> Option<Segment> {
    let mut segment = from;
    while segment.number <= to.number {
        if !log.has(&segment.name(size)) {
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

/// Waits until all WAL between two segments, both included, is kept. `how`: how it comes there, for who waited in vain.
///
/// # Errors
/// [`PostgresError::Late`]; [`PostgresError::Gap`] when a segment in the midst
/// is missing.
pub fn wait(
    log: &Log,
    (from, to): (Segment, Segment),
    size: SegmentSize,
    how: impl Fn(&str) -> String,
    watch: &Watch,
) -> Result<(), PostgresError> {
    let last = to.name(size);
    while !log.has(&last) {
        watch.pause(log.look()).map_err(|stopped| match stopped {
            Stopped::Closed => stopped.into(),
            Stopped::Late(_) => PostgresError::Late(format!(
                "waiting for segment {last} of the write-ahead log: {}",
                how(&last)
            )),
        })?;
    }
    match gap(log, from, to, size) {
        None => Ok(()),
        Some(missing) => Err(PostgresError::Gap {
            segment: missing.name(size),
            why: "nothing after it can be reached from the newest backup".to_owned(),
        }),
    }
}
