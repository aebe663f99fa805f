//! What people write: hours, handovers, dates and zones; and that no text makes it panic.

use friday_time::{Handoff, Hours, Interval, Recurrence, Schedule, Timestamp, When, Zone};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn shown(hours: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let zone = Zone::named(zone).expect("a zone");
    let range = Interval::new(at(from), at(to)).expect("a range");
    let hours = Hours::parse(hours).unwrap_or_else(|error| panic!("{hours}: {error}"));
    let show = |at| zone.civil(at).strftime("%a %d %H:%M").to_string();
    hours
        .intervals(&zone, range)
        .iter()
        .map(|one| format!("{} - {}", show(one.start), show(one.end)))
        .collect()
}

#[test]
fn hours_of_duty_are_on_the_walls_clock() {
    let week = ("2026-11-27T00:00Z", "2026-12-01T00:00Z");
    assert_eq!(
        shown("mon-fri 09:00-18:00, sat 10:00-12:00", "Europe/Berlin", week.0, week.1),
        [
            "Fri 27 09:00 - Fri 27 18:00",
            "Sat 28 10:00 - Sat 28 12:00",
            "Mon 30 09:00 - Mon 30 18:00"
        ]
    );
    assert_eq!(
        shown("fri 22:00-06:00", "Europe/Berlin", week.0, week.1),
        ["Fri 27 22:00 - Sat 28 06:00"]
    );
    assert_eq!(
        shown("sun-mon 00:00-24:00", "UTC", week.0, week.1),
        ["Sun 29 00:00 - Tue 01 00:00"]
    );
    // A night that began before the range reaches into it.
    assert_eq!(
        shown("thu 22:00-06:00", "UTC", "2026-11-27T01:00Z", "2026-11-27T02:00Z"),
        ["Thu 26 22:00 - Fri 27 06:00"]
    );
}

#[test]
fn hours_that_cannot_be_read_say_where() {
    let table = [
        ("mon 9-18", 4..8, "`9` is no time of day"),
        ("mon-fri 09:00-18:00, sta 10:00-12:00", 21..24, "`sta` is no day of the week"),
        ("mon", 0..3, "is not a day and its hours"),
        ("mon 09:00", 4..9, "is no span of hours"),
        ("mon 09:00-09:00", 4..15, "is no time at all"),
        ("mon 09:00-24:01", 4..15, "`24:01` is no time of day"),
        ("", 0..1, "is not a day and its hours"),
    ];
    for (text, place, says) in table {
        let error = Hours::parse(text).expect_err(text);
        assert!(error.says.contains(says), "{text}: {}", error.says);
        assert_eq!(error.at, place, "{text}");
    }
}

#[test]
fn dates_and_zones() {
    for text in [
        "2026-11-28",
        "2026-11-28 06:00",
        "2026-11-28T06:00",
        "2026-11-28T06:00Z",
        "2026-11-28T06:00+01:00",
    ] {
        assert!(When::parse(text).is_ok(), "{text}");
    }
    for text in [
        "28.11.2026",
        "2026-02-30",
        "2026-11-28 25:00",
        "tomorrow",
        "",
        "2026-11-28T06:00[Europe/Berlin]",
    ] {
        assert!(When::parse(text).is_err(), "{text}");
    }
    let unknown = Zone::named("Europe/Berlni").expect_err("no such zone");
    assert_eq!(unknown.near, Some("Europe/Berlin"));
    assert_eq!(Zone::named("europe/berlin").expect("a zone").name(), "Europe/Berlin");
}

proptest! {
    /// However far it reaches, and from wherever it is looked at.
    #[test]
    fn no_rule_makes_it_panic(
        every in prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        interval in prop::sample::select(vec![1, 2, 999, 10_000]),
        year in prop::sample::select(vec![1, 1970, 2026, 9_998]),
        from in prop::sample::select(vec![-62_000_000_000_i64, 0, 1_790_000_000, 253_000_000_000]),
        hours in prop::sample::select(vec![1_i64, 30, 9_000_000_000]),
    ) {
        let rule = Recurrence::parse(&format!("FREQ={every};INTERVAL={interval}")).expect("a rule");
        let start = When::parse(&format!("{year:04}-12-31 23:30")).expect("a date");
        let length = friday_time::schedule::SignedDuration::from_hours(hours);
        let zone = Zone::named("Europe/Berlin").expect("a zone");
        let from = Timestamp::from_second(from).expect("a moment");
        let to = Timestamp::from_second(from.as_second() + 1_000_000).expect("a moment");
        let range = Interval::new(from, to).expect("a range");
        if let Ok(schedule) = Schedule::lasting(start, Some(length), Some(rule), zone.clone()) {
            let _ = schedule.occurrences(range);
        }
        let handoff = Handoff::parse("mon 09:00").expect("a handover");
        let _ = handoff.turns(start.civil(&zone).date(), interval, &zone, range);
        let _ = Hours::always().intervals(&zone, range);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[A-Za-z0-9=;:,+\\- ÄTZ/]{0,40}") {
        if let Err(error) = Hours::parse(&text) {
            prop_assert!(error.at.end <= text.len() + 1);
        }
        let _ = Handoff::parse(&text);
        let _ = Recurrence::parse(&text);
        let _ = When::parse(&text);
        let _ = Zone::named(&text);
    }
}
