//! Civil time: zones, texts, recurrence, hours of duty and turns; what is stored are rules, and intervals are derived.
//!
//! Pure: no clock, no file, no zone database but the one this program was built with. It fails closed: a zone that is
//! not known, a rule that cannot be read or that never gives anything, is an error with its place and never a guess.

pub mod civil;
pub mod handoff;
pub mod hours;
pub mod ical;
pub mod interval;
pub mod recurrence;
pub mod schedule;
pub mod zone;

pub use civil::When;
pub use handoff::{Handoff, Turn};
pub use hours::Hours;
pub use interval::{Interval, Intervals};
pub use jiff::Timestamp;
pub use jiff::civil::{Date, DateTime};
pub use recurrence::Recurrence;
pub use schedule::Schedule;
pub use zone::Zone;

/// What is wrong with a text, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Unclear {
    /// Bytes of the text.
    pub at: std::ops::Range<usize>,
    /// What is wrong.
    pub says: String,
    /// What to write.
    pub hint: String,
}

impl Unclear {
    pub(crate) fn new(
        at: std::ops::Range<usize>,
        says: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { at, says: says.into(), hint: hint.into() }
    }

    /// The same in a longer text that has this one from a byte on.
    pub(crate) fn moved(self, by: usize) -> Self {
        Self { at: self.at.start + by..self.at.end + by, ..self }
    }
}

/// So many days, for arithmetic with dates; as many as there can be where that is more.
pub fn days(days: i64) -> jiff::Span {
    let most = jiff::Span::new().days(DAYS_MAX.min(days.abs()));
    if days < 0 { -most } else { most }
}

/// From the first to the last day of the calendar, and no more than a span holds.
const DAYS_MAX: i64 = 7_300_000;

/// A time of day; midnight for one that is none.
pub fn time(hour: i8, minute: i8) -> jiff::civil::Time {
    jiff::civil::Time::new(hour, minute, 0, 0).unwrap_or_default()
}
