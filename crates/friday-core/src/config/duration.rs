//! Durations as people write them: `5m`, `90s`, `1h30m`, `250ms`.

use std::fmt::Write as _;

/// The longest duration that is taken, milliseconds: a year. Longer ones are mistakes.
pub const DURATION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

/// Units from large to small, milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Other words for the units, which people try first.
const WORDS: [(&str, &str); 14] = [
    ("day", "d"),
    ("days", "d"),
    ("hour", "h"),
    ("hours", "h"),
    ("hr", "h"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("msec", "ms"),
];

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// A number without its unit.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// A unit without its number, a sign, a space.
    #[error("a number is missing before `{0}`")]
    NoNumber(String),
    /// A fraction.
    #[error("`{0}` is a fraction")]
    Fraction(String),
    /// Not a unit.
    #[error("`{unit}` is not a unit")]
    Unit {
        /// What stands there.
        unit: String,
        /// The whole with the unit that was probably meant.
        meant: Option<String>,
    },
    /// `30m1h`, `5m5m`.
    #[error("`{0}` stands too late")]
    Order(String),
    /// More than [`DURATION_MS_MAX`].
    #[error("it is longer than a year")]
    TooLong,
}

impl DurationError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoUnit(number) => {
                format!("write \"{number}s\" for seconds or \"{number}m\" for minutes")
            }
            Self::Unit { meant: Some(meant), .. } => format!("write \"{meant}\""),
            Self::Fraction(_) => "write whole numbers: \"1h30m\", \"1s500ms\"".to_owned(),
            Self::Order(_) => "large units first, each once: \"1h30m\"".to_owned(),
            Self::Empty | Self::NoNumber(_) | Self::Unit { meant: None, .. } => {
                "write numbers with d, h, m, s or ms: \"5m\", \"90s\", \"1h30m\", \"250ms\""
                    .to_owned()
            }
            Self::TooLong => "the longest is \"366d\"".to_owned(),
        }
    }
}

/// Milliseconds of a duration.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse_duration(text: &str) -> Result<u64, DurationError> {
    if text.trim().is_empty() {
        return Err(DurationError::Empty);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (digits, behind) = split(rest, |character| character.is_ascii_digit());
        let (unit, next) = split(behind, |character| !character.is_ascii_digit());
        if digits.is_empty() {
            return Err(DurationError::NoNumber(unit.to_owned()));
        }
        if unit.is_empty() {
            return Err(DurationError::NoUnit(digits.to_owned()));
        }
        if unit.starts_with(['.', ',']) {
            return Err(DurationError::Fraction(text.to_owned()));
        }
        let (_, size) = *UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| {
            DurationError::Unit { unit: unit.trim().to_owned(), meant: meant(text) }
        })?;
        if size >= smallest {
            return Err(DurationError::Order(format!("{digits}{unit}")));
        }
        smallest = size;
        total = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(size))
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= DURATION_MS_MAX)
            .ok_or(DurationError::TooLong)?;
        rest = next;
    }
    Ok(total)
}

/// A duration as it would be written: `1h30m`; `0s` for none.
pub fn show_duration(ms: u64) -> String {
    let mut shown = String::new();
    let mut rest = ms;
    for (name, size) in UNITS {
        if rest >= size {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}{name}", rest / size);
            rest %= size;
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|character| !belongs(character)).unwrap_or(text.len()))
}

/// The text with other words for units replaced and spaces left out, if that makes it a duration.
fn meant(text: &str) -> Option<String> {
    let compact: String = text.split_whitespace().collect::<String>().to_ascii_lowercase();
    let mut rest = compact.as_str();
    let mut written = String::new();
    while !rest.is_empty() {
        let (digits, behind) = split(rest, |character| character.is_ascii_digit());
        let (unit, next) = split(behind, |character| !character.is_ascii_digit());
        let short = WORDS.iter().find(|(word, _)| *word == unit).map_or(unit, |(_, short)| short);
        written.push_str(digits);
        written.push_str(short);
        rest = next;
    }
    // Only if it differs: else this would ask itself for ever.
    (written != text && parse_duration(&written).is_ok()).then_some(written)
}

#[cfg(test)]
mod tests;
