//! Reading a rule.

use jiff::civil::Weekday;

use super::{Ends, Every, OnDay, Recurrence};
use crate::Unclear;

const HINT: &str = "for example \"FREQ=WEEKLY;BYDAY=SA\" or \"FREQ=MONTHLY;BYDAY=-1FR\"";

const DAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// A part of the rule and where it stands.
struct Part<'a> {
    value: &'a str,
    at: std::ops::Range<usize>,
}

impl Part<'_> {
    fn unclear(&self, says: impl Into<String>) -> Unclear {
        Unclear::new(self.at.clone(), says, HINT)
    }

    /// A list of numbers, each within a range and none of them zero.
    fn numbers(&self, most: i32) -> Result<Vec<i32>, Unclear> {
        let one = |word: &str| {
            let number: Option<i32> = word.parse().ok();
            number.filter(|number| *number != 0 && number.abs() <= most).ok_or_else(|| {
                self.unclear(format!(
                    "`{word}` is no number from 1 to {most}, or from -1 to -{most}"
                ))
            })
        };
        self.value.split(',').map(one).collect()
    }

    fn positive(&self, most: i32) -> Result<i32, Unclear> {
        let number: Option<i32> = self.value.parse().ok();
        let fits = number.filter(|number| (1..=most).contains(number));
        fits.ok_or_else(|| self.unclear(format!("`{}` is no number from 1 to {most}", self.value)))
    }
}

/// Reads a rule.
pub fn parse(text: &str) -> Result<Recurrence, Unclear> {
    let bare = text.strip_prefix("RRULE:").unwrap_or(text);
    let mut at = text.len() - bare.len();
    let mut rule = Recurrence {
        every: Every::Day,
        interval: 1,
        ends: Ends::Never,
        week_start: Weekday::Monday,
        days: Vec::new(),
        month_days: Vec::new(),
        months: Vec::new(),
        positions: Vec::new(),
    };
    let mut seen: Vec<String> = Vec::new();
    for word in bare.split(';') {
        let span = at..at + word.len();
        at += word.len() + 1;
        if word.is_empty() && !seen.is_empty() {
            continue;
        }
        let (name, value) = word.split_once('=').ok_or_else(|| {
            Unclear::new(span.clone(), format!("`{word}` is no part of a rule"), HINT)
        })?;
        let name = name.trim().to_ascii_uppercase();
        let part = Part { value: value.trim(), at: span };
        if seen.contains(&name) {
            return Err(part.unclear(format!("`{name}` stands twice")));
        }
        take(&mut rule, &name, &part)?;
        seen.push(name);
    }
    let whole = Part { value: text, at: 0..text.len() };
    together(&rule, &seen, &whole)?;
    Ok(rule)
}

fn take(rule: &mut Recurrence, name: &str, part: &Part<'_>) -> Result<(), Unclear> {
    match name {
        "FREQ" => rule.every = every(part)?,
        "INTERVAL" => rule.interval = part.positive(10_000)?,
        "COUNT" => {
            rule.ends = Ends::After(part.positive(1_000_000)?.unsigned_abs());
        }
        "UNTIL" => rule.ends = until(part)?,
        "WKST" => rule.week_start = day(part.value, part)?,
        "BYDAY" => {
            rule.days =
                part.value.split(',').map(|word| on_day(word, part)).collect::<Result<_, _>>()?;
        }
        "BYMONTHDAY" => rule.month_days = narrow(&part.numbers(31)?),
        "BYMONTH" => {
            rule.months = narrow(&part.numbers(12)?);
            if rule.months.iter().any(|month| *month < 0) {
                return Err(part.unclear("months are counted from 1 to 12"));
            }
        }
        "BYSETPOS" => rule.positions = part.numbers(366)?,
        "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
            return Err(
                part.unclear(format!("`{name}` is not taken: the time of day is the start's"))
            );
        }
        "BYWEEKNO" | "BYYEARDAY" => {
            return Err(
                part.unclear(format!("`{name}` is not taken: say it with BYMONTH and BYDAY"))
            );
        }
        other => return Err(part.unclear(format!("`{other}` is no part of a rule"))),
    }
    Ok(())
}

/// The library counts months and days in small numbers; both were found to fit.
fn narrow(numbers: &[i32]) -> Vec<i8> {
    numbers.iter().filter_map(|number| i8::try_from(*number).ok()).collect()
}

fn every(part: &Part<'_>) -> Result<Every, Unclear> {
    match part.value.to_ascii_uppercase().as_str() {
        "DAILY" => Ok(Every::Day),
        "WEEKLY" => Ok(Every::Week),
        "MONTHLY" => Ok(Every::Month),
        "YEARLY" => Ok(Every::Year),
        word @ ("HOURLY" | "MINUTELY" | "SECONDLY") => Err(part.unclear(format!(
            "`{word}` is not taken: what recurs within a day means something else when clocks change"
        ))),
        word => Err(part.unclear(format!("`{word}` is none of DAILY, WEEKLY, MONTHLY and YEARLY"))),
    }
}

/// `20261231`, `20261231T225959Z`; a time without `Z` counts as its whole day.
fn until(part: &Part<'_>) -> Result<Ends, Unclear> {
    let wrong = || part.unclear(format!("`{}` is no end such as 20261231T235959Z", part.value));
    let date = part.value.get(..8).ok_or_else(wrong)?;
    let dashed = |date: &str| {
        let (year, rest) = date.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        Some(format!("{year}-{month}-{day}"))
    };
    let date = dashed(date).ok_or_else(wrong)?;
    match part.value.get(8..) {
        Some("") | None => date.parse().map(Ends::On).map_err(|_| wrong()),
        Some(time) if time.ends_with('Z') => {
            format!("{date}{time}").parse().map(Ends::At).map_err(|_| wrong())
        }
        Some(time) if time.starts_with('T') => date.parse().map(Ends::On).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

fn day(word: &str, part: &Part<'_>) -> Result<Weekday, Unclear> {
    let found = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    let wrong = || part.unclear(format!("`{word}` is none of MO TU WE TH FR SA SU"));
    found.map(|(_, day)| *day).ok_or_else(wrong)
}

fn on_day(word: &str, part: &Part<'_>) -> Result<OnDay, Unclear> {
    let split = word.len().saturating_sub(2);
    let (nth, name) = word.split_at_checked(split).unwrap_or(("", word));
    let day = day(name, part)?;
    if nth.is_empty() {
        return Ok(OnDay { nth: None, day });
    }
    let number: Option<i8> = nth.parse().ok();
    let number = number.filter(|number| *number != 0 && number.abs() <= 53);
    let wrong = || part.unclear(format!("`{word}` is no day such as MO, 1MO or -1FR"));
    Ok(OnDay { nth: Some(number.ok_or_else(wrong)?), day })
}

/// What does not go together (RFC 5545, 3.3.10).
fn together(rule: &Recurrence, seen: &[String], whole: &Part<'_>) -> Result<(), Unclear> {
    let has = |name: &str| seen.iter().any(|known| known == name);
    if !has("FREQ") {
        return Err(whole.unclear("the rule says not how often: FREQ is missing"));
    }
    if has("COUNT") && has("UNTIL") {
        return Err(whole.unclear("COUNT and UNTIL are two ends"));
    }
    let numbered = rule.days.iter().any(|day| day.nth.is_some());
    match rule.every {
        Every::Day | Every::Week if numbered => {
            Err(whole.unclear("a numbered day is one of a month or a year: FREQ=MONTHLY"))
        }
        Every::Week if !rule.month_days.is_empty() => {
            Err(whole.unclear("BYMONTHDAY means nothing in a weekly rule"))
        }
        _ if has("BYSETPOS")
            && rule.days.is_empty()
            && rule.month_days.is_empty()
            && rule.months.is_empty() =>
        {
            Err(whole.unclear("BYSETPOS chooses among days, and the rule names none"))
        }
        _ => Ok(()),
    }
}
