//! Moments as people here read them: the machine's own time zone.

use friday_core::time::Timestamp;
use friday_core::view::words::duration;
use jiff::tz::TimeZone;

/// Knows the zone.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// The machine's, or what `TZ` says.
    pub fn system() -> Self {
        Self { zone: TimeZone::system() }
    }

    /// Coordinated Universal Time.
    #[cfg(test)]
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// What a person wrote: a moment with its zone, a date and time here, a time of day (the last one), or so long ago.
    pub fn moment(&self, text: &str, now: Timestamp) -> Option<Timestamp> {
        let text = text.trim();
        let here = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.zone.clone());
        let whole = |moment: jiff::Timestamp| Timestamp(moment.as_millisecond());
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(whole(moment));
        }
        if let Ok(date) = text.parse::<jiff::civil::DateTime>() {
            return Some(whole(date.to_zoned(self.zone.clone()).ok()?.timestamp()));
        }
        if let Ok(time) = text.parse::<jiff::civil::Time>() {
            let today = here.date().to_datetime(time).to_zoned(self.zone.clone()).ok()?;
            let last = if today > here { today.yesterday().ok()? } else { today };
            return Some(whole(last.timestamp()));
        }
        let span = text.ends_with(" ago").then(|| text.parse::<jiff::Span>().ok()).flatten()?;
        Some(whole(here.checked_add(span).ok()?.timestamp()))
    }

    /// `20261127-140307`, for names.
    pub fn stamp(&self, at: Timestamp) -> String {
        self.format(at, "%Y%m%d-%H%M%S")
    }

    /// `14:03:07`, for lines that follow each other.
    pub fn short(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `2026-11-27 14:03:07`.
    pub fn long(&self, at: Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// `Fri 2026-11-27`.
    pub fn day(&self, at: Timestamp) -> String {
        self.format(at, "%a %Y-%m-%d")
    }

    /// `3 min ago`, or `in 3 min`.
    pub fn ago(&self, at: Timestamp, now: Timestamp) -> String {
        if at > now {
            format!("in {}", duration(whole_seconds(at.since_ms(now))))
        } else {
            format!("{} ago", duration(whole_seconds(now.since_ms(at))))
        }
    }

    fn format(&self, at: Timestamp, how: &str) -> String {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(moment) => moment.to_zoned(self.zone.clone()).strftime(how).to_string(),
            // Outside the years -9999 to 9999: a damaged journal; shown as it is.
            Err(_) => format!("{} ms", at.0),
        }
    }
}

fn whole_seconds(ms: u64) -> u64 {
    ms / 1_000 * 1_000
}
