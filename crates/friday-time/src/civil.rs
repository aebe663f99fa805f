//! Dates and times as people write them: `2026-11-28`, `2026-11-28 06:00`, `2026-11-28T06:00Z`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::Unclear;
use crate::zone::{Fit, Zone};

/// When something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A whole day; it has no zone.
    Date(Date),
    /// On somebody's clock.
    Local(DateTime),
    /// A moment, the same everywhere.
    Moment(Timestamp),
}

const HINT: &str = "write \"2026-11-28 06:00\", \"2026-11-28\", or \"2026-11-28T06:00Z\"";

impl When {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        let unclear = |says: String| Unclear::new(0..text.len(), says, HINT);
        let trimmed = text.trim();
        let digits = trimmed.chars().next().is_some_and(|first| first.is_ascii_digit());
        if !digits {
            return Err(unclear(format!("`{text}` is no date")));
        }
        if trimmed.len() <= 10 {
            let date: Result<Date, _> = trimmed.parse();
            return date.map(Self::Date).map_err(|error| unclear(said(&error)));
        }
        let spaced = trimmed.replacen(' ', "T", 1);
        let behind = spaced.get(10..).unwrap_or_default();
        if behind.contains('[') {
            return Err(unclear(format!("`{text}` names a zone of its own")));
        }
        if behind.ends_with(['Z', 'z']) || behind.contains(['+', '-']) {
            let moment: Result<Timestamp, _> = spaced.parse();
            return moment.map(Self::Moment).map_err(|error| unclear(said(&error)));
        }
        let local: Result<DateTime, _> = spaced.parse();
        local.map(Self::Local).map_err(|error| unclear(said(&error)))
    }

    /// As a moment, in a zone where it names none; a day begins at midnight, or when it does there.
    pub fn moment(self, zone: &Zone) -> (Timestamp, Fit) {
        match self {
            Self::Date(date) => zone.at(date.to_datetime(jiff::civil::Time::midnight())),
            Self::Local(local) => zone.at(local),
            Self::Moment(moment) => (moment, Fit::Exact),
        }
    }

    /// On a zone's clocks.
    pub fn civil(self, zone: &Zone) -> DateTime {
        match self {
            Self::Date(date) => date.to_datetime(jiff::civil::Time::midnight()),
            Self::Local(local) => local,
            Self::Moment(moment) => zone.civil(moment),
        }
    }
}

/// The library's words end with their reason.
fn said(error: &jiff::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit(": ").next().unwrap_or(&text).to_owned();
    format!("it is no date and time: {reason}")
}
