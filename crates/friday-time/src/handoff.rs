//! Turns of a rota: one member after the other, handed over at a time on the wall's clock.
//!
//! A turn counts in days of the calendar, not in hours: a week in which clocks change has an hour more or less.

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};

use crate::Unclear;
use crate::hours::{minute, weekday};
use crate::interval::Interval;
use crate::zone::Zone;

/// When turns change hands: `mon 09:00`, `daily 09:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handoff {
    /// The day of the week from Monday; `None`: each day.
    day: Option<i8>,
    at: Time,
}

/// A turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which, counted from the rota's first; negative before it.
    pub number: i64,
    /// When.
    pub interval: Interval,
}

const HINT: &str = "write \"mon 09:00\", or \"daily 09:00\"";

/// Turns of one answer: a rota of days over some years, and no endless loop.
const TURNS_MAX: usize = 100_000;

impl Handoff {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        let unclear = |says: String| Unclear::new(0..text.len(), says, HINT);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [day, time] = words[..] else {
            return Err(unclear(format!("`{text}` is not a day and a time")));
        };
        let at = minute(time).filter(|minute| *minute < 1_440);
        let at = at.and_then(|minute| {
            Time::new((minute / 60).try_into().ok()?, (minute % 60).try_into().ok()?, 0, 0).ok()
        });
        let at = at.ok_or_else(|| unclear(format!("`{time}` is no time of day")))?;
        if day.eq_ignore_ascii_case("daily") {
            return Ok(Self { day: None, at });
        }
        let day = weekday(day).ok_or_else(|| unclear(format!("`{day}` is no day of the week")))?;
        Ok(Self { day: Some(day.to_monday_zero_offset()), at })
    }

    /// Days from one handover to the next.
    pub fn days(&self) -> i32 {
        if self.day.is_some() { 7 } else { 1 }
    }

    /// The turns that meet a range. The first one is the one whose handover is on `first` or the last before it; each
    /// lasts `every` of this handoff's periods, at least one.
    pub fn turns(&self, first: Date, every: i32, zone: &Zone, range: Interval) -> Vec<Turn> {
        let length = self.days().saturating_mul(every.max(1));
        let anchor = self.on_or_before(first);
        let begins = zone.civil(range.start).date().saturating_sub(1.day());
        let apart = days_between(anchor, begins);
        let mut number = apart.div_euclid(i64::from(length));
        let mut turns = Vec::new();
        while turns.len() < TURNS_MAX {
            let Some(start) = self.handover(anchor, length, number, zone) else { break };
            let Some(end) = self.handover(anchor, length, number + 1, zone) else { break };
            if start >= range.end {
                break;
            }
            let interval = Interval::new(start, end);
            let meets = |interval: &Interval| interval.common(&range).is_some();
            turns.extend(interval.filter(meets).map(|interval| Turn { number, interval }));
            number += 1;
        }
        turns
    }

    fn handover(
        &self,
        anchor: Date,
        length: i32,
        number: i64,
        zone: &Zone,
    ) -> Option<jiff::Timestamp> {
        let days = number.checked_mul(i64::from(length))?;
        let date = anchor.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        Some(zone.at(date.to_datetime(self.at)).0)
    }

    fn on_or_before(&self, date: Date) -> Date {
        let Some(day) = self.day else { return date };
        let behind = (date.weekday().to_monday_zero_offset() - day).rem_euclid(7);
        date.saturating_sub(i64::from(behind).days())
    }
}

/// Days from one date to another, negative where it is earlier.
fn days_between(from: Date, to: Date) -> i64 {
    i64::from(from.until(to).map_or(0, |span| span.get_days()))
}
