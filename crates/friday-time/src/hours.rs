//! Hours of duty: `mon-fri 09:00-18:00`, `sat 10:00-12:00`, `fri 22:00-06:00`, `always`; several behind commas.
//!
//! An end before its start is on the next day; `24:00` is midnight. Clocks that change on the way are the zone's affair:
//! a night's shift may have an hour more or less.

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, Weekday};

use crate::Unclear;
use crate::interval::{Interval, Intervals};
use crate::zone::Zone;

/// The days as they are written, from Monday.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const HINT: &str =
    "write \"mon-fri 09:00-18:00\", \"sat 10:00-12:00\", several with commas, or \"always\"";

/// Hours of duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// From Monday.
    days: [bool; 7],
    from: Minute,
    to: Minute,
}

/// Minutes of a day, 0 to 1440.
type Minute = i32;

const DAY: Minute = 1_440;

impl Hours {
    /// Around the clock.
    pub fn always() -> Self {
        Self(vec![Part { days: [true; 7], from: 0, to: DAY }])
    }

    /// Reads them.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        if text.trim() == "always" {
            return Ok(Self::always());
        }
        let mut parts = Vec::new();
        let mut at = 0;
        for part in text.split(',') {
            parts.push(parse_part(part).map_err(|unclear| unclear.moved(at))?);
            at += part.len() + 1;
        }
        Ok(Self(parts))
    }

    /// Those of a zone that meet a range; what touches is one.
    pub fn intervals(&self, zone: &Zone, range: Interval) -> Intervals {
        Intervals::of(self.days(zone, range))
    }

    /// The same, each day's apart.
    pub fn days(&self, zone: &Zone, range: Interval) -> Vec<Interval> {
        let mut found = Vec::new();
        let last = zone.civil(range.end).date();
        // A night's shift of the day before may reach into the range.
        let mut day = zone.civil(range.start).date().saturating_sub(1.day());
        while day <= last {
            found.extend(self.0.iter().filter_map(|part| part.on(day, zone)));
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        found.retain(|interval| interval.common(&range).is_some());
        found
    }
}

impl Part {
    fn on(&self, day: Date, zone: &Zone) -> Option<Interval> {
        let number = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !*self.days.get(number)? {
            return None;
        }
        let moment = |minute: Minute| {
            let (days, minute) = (minute.div_euclid(DAY), minute.rem_euclid(DAY));
            let time =
                Time::new((minute / 60).try_into().ok()?, (minute % 60).try_into().ok()?, 0, 0);
            let date = day.checked_add(days.days()).ok()?;
            Some(zone.at(date.to_datetime(time.ok()?)).0)
        };
        let to = if self.to <= self.from { self.to + DAY } else { self.to };
        Interval::new(moment(self.from)?, moment(to)?)
    }
}

fn parse_part(text: &str) -> Result<Part, Unclear> {
    let start = text.len() - text.trim_start().len();
    let trimmed = text.trim();
    let (days, hours) = trimmed.split_once(char::is_whitespace).ok_or_else(|| {
        let says = format!("`{trimmed}` is not a day and its hours");
        Unclear::new(start..start + trimmed.len().max(1), says, HINT)
    })?;
    let days_at = start..start + days.len();
    let hours_at = text.len() - text.trim_end().len();
    let hours = hours.trim();
    let hours_at = text.len() - hours_at - hours.len()..text.len() - hours_at;
    let (from, to) = hours.split_once('-').ok_or_else(|| {
        Unclear::new(hours_at.clone(), format!("`{hours}` is no span of hours"), HINT)
    })?;
    let minute = |text: &str| {
        minute(text.trim()).ok_or_else(|| {
            let says = format!("`{}` is no time of day", text.trim());
            Unclear::new(hours_at.clone(), says, "write times as 09:00, from 00:00 to 24:00")
        })
    };
    let (from, to) = (minute(from)?, minute(to)?);
    if from == to || from == DAY {
        let says = format!("`{hours}` is no time at all");
        return Err(Unclear::new(hours_at, says, "a whole day is 00:00-24:00"));
    }
    Ok(Part { days: parse_days(days, days_at)?, from, to })
}

fn parse_days(text: &str, at: std::ops::Range<usize>) -> Result<[bool; 7], Unclear> {
    let day = |name: &str| {
        DAYS.iter().position(|day| day.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let says = format!("`{name}` is no day of the week");
            Unclear::new(at.clone(), says, "the days are mon tue wed thu fri sat sun, and daily")
        })
    };
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let mut days = [false; 7];
    // `sat-mon` goes over the end of the week.
    let length = (last + 7 - first) % 7;
    for offset in 0..=length {
        if let Some(day) = days.get_mut((first + offset) % 7) {
            *day = true;
        }
    }
    Ok(days)
}

/// `09:00` as minutes; `None`: it is no time of day.
pub(crate) fn minute(text: &str) -> Option<Minute> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (Minute, Minute) = (hour.parse().ok()?, minute.parse().ok()?);
    let whole = hour * 60 + minute;
    (minute < 60 && whole <= DAY).then_some(whole)
}

/// A day of the week by its three letters.
pub(crate) fn weekday(name: &str) -> Option<Weekday> {
    let number = DAYS.iter().position(|day| day.eq_ignore_ascii_case(name))?;
    Weekday::from_monday_zero_offset(i8::try_from(number).ok()?).ok()
}
