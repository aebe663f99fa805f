//! A rule as it is stored: a start, a length, and when it is again. Intervals are derived from it for a range.

pub use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan as _};

use crate::civil::When;
use crate::interval::Interval;
use crate::recurrence::Recurrence;
use crate::zone::Zone;

/// How long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Exactly so long, whatever clocks do (RFC 5545, 3.3.6: hours, minutes, seconds).
    Exact(SignedDuration),
    /// Up to a time on the wall's clock, so many days later: an hour more or less when clocks change.
    Until {
        /// Days after the start's day.
        days: i32,
        /// The end's time of day.
        time: jiff::civil::Time,
    },
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    start: When,
    length: Length,
    recurrence: Option<Recurrence>,
    zone: Zone,
    except: Vec<Date>,
}

/// Why a schedule cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Senseless {
    /// It ends before it starts, or as it starts.
    #[error("it ends before it starts")]
    Backwards,
    /// Its rule gives nothing at all in the years after its start.
    #[error("its rule gives no day in the {YEARS} years after its start")]
    Never,
}

/// How far is looked before a rule counts as one that never gives anything: leap days are at most 8 years apart.
const YEARS: i16 = 10;

impl Schedule {
    /// From a start to an end, again by a rule.
    ///
    /// # Errors
    /// See [`Senseless`].
    pub fn between(
        start: When,
        end: When,
        recurrence: Option<Recurrence>,
        zone: Zone,
    ) -> Result<Self, Senseless> {
        let (from, to) = (start.moment(&zone).0, end.moment(&zone).0);
        if to <= from {
            return Err(Senseless::Backwards);
        }
        let (first, last) = (start.civil(&zone), end.civil(&zone));
        let days = first.date().until(last.date()).map_or(0, |span| span.get_days());
        let length = match (start, end) {
            (When::Moment(_), When::Moment(_)) => Length::Exact(from.duration_until(to)),
            _ => Length::Until { days, time: last.time() },
        };
        Self { start, length, recurrence, zone, except: Vec::new() }.sensible()
    }

    /// From a start, so long, again by a rule. A date without an end is its whole day.
    ///
    /// # Errors
    /// See [`Senseless`].
    pub fn lasting(
        start: When,
        length: Option<SignedDuration>,
        recurrence: Option<Recurrence>,
        zone: Zone,
    ) -> Result<Self, Senseless> {
        let length = match (length, start) {
            (Some(length), _) if length <= SignedDuration::ZERO => {
                return Err(Senseless::Backwards);
            }
            (Some(length), _) => Length::Exact(length),
            (None, When::Date(_)) => Length::Until { days: 1, time: jiff::civil::Time::midnight() },
            (None, When::Local(_) | When::Moment(_)) => return Err(Senseless::Backwards),
        };
        Self { start, length, recurrence, zone, except: Vec::new() }.sensible()
    }

    /// Without the occurrences that begin on these days.
    #[must_use]
    pub fn except(mut self, days: Vec<Date>) -> Self {
        self.except = days;
        self
    }

    /// Its zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    fn sensible(self) -> Result<Self, Senseless> {
        let start = self.start.civil(&self.zone).date();
        let horizon = start.saturating_add(YEARS.years());
        let gives = self
            .recurrence
            .as_ref()
            .is_none_or(|rule| !rule.dates(start, start, horizon).is_empty());
        if gives { Ok(self) } else { Err(Senseless::Never) }
    }

    /// Every occurrence that meets a range, whole, in order.
    pub fn occurrences(&self, range: Interval) -> Vec<Interval> {
        let start = self.start.civil(&self.zone);
        let Some(rule) = &self.recurrence else {
            return self
                .occurrence(start)
                .filter(|one| one.common(&range).is_some())
                .into_iter()
                .collect();
        };
        // One that began before the range may last into it.
        let back = match self.length {
            Length::Exact(length) => length.as_hours() / 24 + 2,
            Length::Until { days, .. } => i64::from(days) + 2,
        };
        let from = self.zone.civil(range.start).date().saturating_sub(crate::days(back));
        let to = self.zone.civil(range.end).date();
        let days = rule.dates(start.date(), from, to);
        let begins = days.into_iter().filter(|day| !self.except.contains(day));
        let all = begins.filter_map(|day| self.occurrence(day.to_datetime(start.time())));
        let until = rule.until().unwrap_or(Timestamp::MAX);
        all.filter(|one| one.start <= until && one.common(&range).is_some()).collect()
    }

    fn occurrence(&self, begins: DateTime) -> Option<Interval> {
        let start = match (self.start, &self.recurrence) {
            (When::Moment(moment), None) => moment,
            _ => self.zone.at(begins).0,
        };
        let end = match self.length {
            Length::Exact(length) => start.checked_add(length).ok()?,
            Length::Until { days, time } => {
                let day = begins.date().checked_add(i64::from(days).days()).ok()?;
                self.zone.at(day.to_datetime(time)).0
            }
        };
        Interval::new(start, end)
    }
}
