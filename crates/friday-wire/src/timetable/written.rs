//! What may be written in the five fields, and what is said of anything else. Decides no time.

use std::ops::{Range, RangeInclusive};

use super::{AT_LEN_MAX, TimetableError};

/// One of the five fields.
struct Field {
    name: &'static str,
    range: RangeInclusive<u32>,
    /// Names for its numbers, the first of them for the first number.
    names: &'static [&'static str],
    /// It may be `L`.
    has_last: bool,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", range: 0..=59, names: &[], has_last: false },
    Field { name: "hour", range: 0..=23, names: &[], has_last: false },
    Field { name: "day of the month", range: 1..=31, names: &[], has_last: true },
    Field {
        name: "month",
        range: 1..=12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        has_last: false,
    },
    Field {
        name: "day of the week",
        range: 0..=7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        has_last: false,
    },
];

/// A part of an expression, and where it stands.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Part<'a> {
    fn range(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    fn wrong(self, why: String) -> TimetableError {
        TimetableError::Part { at: self.range(), why }
    }

    fn split_once(self, by: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(by)?;
        let behind = Self { text: after, at: self.at + before.len() + by.len_utf8() };
        Some((Self { text: before, at: self.at }, behind))
    }

    fn split(self, by: char) -> impl Iterator<Item = Part<'a>> {
        let mut at = self.at;
        self.text.split(by).map(move |text| {
            let part = Part { text, at };
            at += text.len() + by.len_utf8();
            part
        })
    }
}

/// Checks all five fields.
///
/// # Errors
/// The first part that is wrong.
pub(super) fn check(at: &str) -> Result<(), TimetableError> {
    let whole = Part { text: at, at: 0 };
    if at.len() > AT_LEN_MAX {
        return Err(whole.wrong(format!("it is longer than {AT_LEN_MAX} bytes")));
    }
    if let Some(name) = at.trim().strip_prefix('@') {
        return Err(whole.wrong(format!("`@{name}` is not known here")));
    }
    let parts: Vec<Part<'_>> = whole.split(' ').filter(|part| !part.text.is_empty()).collect();
    if parts.len() != FIELDS.len() {
        return Err(TimetableError::Fields(parts.len()));
    }
    for (field, part) in FIELDS.iter().zip(parts) {
        for item in part.split(',') {
            field.check(item)?;
        }
    }
    Ok(())
}

impl Field {
    /// One entry of a field's list: `*`, a value or a range, with a step or without.
    fn check(&self, item: Part<'_>) -> Result<(), TimetableError> {
        if self.has_last && item.text.eq_ignore_ascii_case("L") {
            return Ok(());
        }
        let (span, step) = match item.split_once('/') {
            Some((span, step)) => (span, Some(step)),
            None => (item, None),
        };
        if let Some(step) = step {
            let most = self.range.end() - self.range.start();
            match number(step.text) {
                Some(by) if (1..=most).contains(&by) => {}
                _ => {
                    let why = format!("a step of the {} goes from 1 to {most}", self.name);
                    return Err(step.wrong(why));
                }
            }
        }
        if span.text == "*" {
            return Ok(());
        }
        match span.split_once('-') {
            Some((from, to)) => {
                let (first, mut last) = (self.value(from)?, self.value(to)?);
                // Sunday ends the week as well as it begins it.
                if last == 0 && to.text.eq_ignore_ascii_case("SUN") {
                    last = 7;
                }
                if first > last {
                    let why = format!("`{}` goes backwards", span.text);
                    return Err(span.wrong(why));
                }
                Ok(())
            }
            None if step.is_some() => {
                Err(item.wrong("a step needs a range: `*/5`, or `10-30/5`".to_owned()))
            }
            None => self.value(span).map(drop),
        }
    }

    fn value(&self, part: Part<'_>) -> Result<u32, TimetableError> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(part.text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + self.range.start());
        match named.or_else(|| number(part.text)) {
            Some(value) if self.range.contains(&value) => Ok(value),
            _ => Err(part.wrong(self.none(part.text))),
        }
    }

    fn none(&self, text: &str) -> String {
        let (first, last) = (self.range.start(), self.range.end());
        let or = match self.names {
            [first, .., last] => format!(", or {first} to {last}"),
            _ => String::new(),
        };
        let name = self.name;
        match text {
            "" => "a value is missing here".to_owned(),
            text => format!("`{text}` is no {name}: it goes from {first} to {last}{or}"),
        }
    }
}

/// A plain number of at most two digits.
fn number(text: &str) -> Option<u32> {
    let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
