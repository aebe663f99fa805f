//! The host's clock, and how moments are written in names.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; 0 for a clock before that.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// `20261123T175930Z`: sorts as time does, and stands in a file's name.
pub fn stamp(ms: u64) -> String {
    let (year, month, day, seconds) = civil(ms);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// `2026-11-23 17:59:30 UTC`, for people.
pub fn shown(ms: u64) -> String {
    let (year, month, day, seconds) = civil(ms);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month, day and the second of the day, by the Gregorian rule (days counted from a 1 March, so that
/// the leap day comes last).
fn civil(ms: u64) -> (u64, u64, u64, u64) {
    let seconds = ms / 1_000;
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day, seconds % 86_400)
}

#[cfg(test)]
mod tests {
    use super::{shown, stamp};

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        assert_eq!(stamp(0), "19700101T000000Z");
        assert_eq!(stamp(951_827_696_999), "20000229T123456Z");
        assert_eq!(shown(1_795_456_770_000), "2026-11-23 17:59:30 UTC");
        assert_eq!(stamp(4_107_542_400_000), "21000301T000000Z");
    }
}
