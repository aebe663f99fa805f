//! Where clocks change: times that are not there, times that are there twice, days that are no 24 hours.

use friday_time::zone::Fit;
use friday_time::{Handoff, Hours, Interval, Recurrence, Schedule, Timestamp, When, Zone};

fn zone(name: &str) -> Zone {
    Zone::named(name).expect("a zone")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

#[test]
fn a_time_in_a_gap_moves_forward_and_a_doubled_one_is_the_first() {
    let table = [
        ("America/New_York", "2026-03-08 02:30", Fit::Moved, "2026-03-08T07:30:00Z"),
        ("America/New_York", "2026-11-01 01:30", Fit::First, "2026-11-01T05:30:00Z"),
        ("Europe/London", "2026-03-29 01:15", Fit::Moved, "2026-03-29T01:15:00Z"),
        // Half an hour.
        ("Australia/Lord_Howe", "2026-10-04 02:15", Fit::Moved, "2026-10-03T15:45:00Z"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", Fit::First, "2026-04-04T14:45:00Z"),
        // At midnight: the day begins at one.
        ("Africa/Cairo", "2026-04-24", Fit::Moved, "2026-04-23T22:00:00Z"),
        // No change of clocks any more.
        ("America/Sao_Paulo", "2026-11-01 00:30", Fit::Exact, "2026-11-01T03:30:00Z"),
    ];
    for (name, text, fit, expected) in table {
        let when = When::parse(text).expect("a time");
        assert_eq!(when.moment(&zone(name)), (at(expected), fit), "{name} {text}");
    }
}

#[test]
fn a_weekend_over_a_change_has_an_hour_less() {
    let start = When::parse("2026-03-27 17:00").expect("a time");
    let end = When::parse("2026-03-30 09:00").expect("a time");
    let weekly = Recurrence::parse("FREQ=WEEKLY").expect("a rule");
    let freeze =
        Schedule::between(start, end, Some(weekly), zone("Europe/Berlin")).expect("a schedule");
    let range = Interval::new(at("2026-03-01T00:00Z"), at("2026-04-10T00:00Z")).expect("a range");
    let hours: Vec<i64> = freeze
        .occurrences(range)
        .iter()
        .map(|one| one.start.duration_until(one.end).as_hours())
        .collect();
    assert_eq!(hours, [63, 64]);
}

#[test]
fn a_window_of_two_hours_is_two_hours_long() {
    let start = When::parse("2026-10-25 01:30").expect("a time");
    let two = jiff_hours(2);
    let window =
        Schedule::lasting(start, Some(two), None, zone("Europe/Berlin")).expect("a schedule");
    let range = Interval::new(at("2026-10-24T00:00Z"), at("2026-10-26T00:00Z")).expect("a range");
    assert_eq!(
        window.occurrences(range)[0].end,
        at("2026-10-25T01:30Z"),
        "02:30 for the second time"
    );
}

fn jiff_hours(hours: i64) -> friday_time::schedule::SignedDuration {
    friday_time::schedule::SignedDuration::from_hours(hours)
}

#[test]
fn turns_are_weeks_of_the_calendar() {
    let handoff = Handoff::parse("mon 09:00").expect("a handover");
    let first = "2026-03-18".parse().expect("a date");
    let range = Interval::new(at("2026-03-20T00:00Z"), at("2026-04-08T00:00Z")).expect("a range");
    let turns = handoff.turns(first, 1, &zone("Europe/Berlin"), range);
    let told: Vec<(i64, i64)> = turns
        .iter()
        .map(|turn| (turn.number, turn.interval.start.duration_until(turn.interval.end).as_hours()))
        .collect();
    // The rota's first turn began on the Monday before its first day.
    assert_eq!(told, [(0, 168), (1, 167), (2, 168), (3, 168)]);
    for pair in turns.windows(2) {
        assert_eq!(pair[0].interval.end, pair[1].interval.start);
    }
}

#[test]
fn turns_before_the_first_count_backwards() {
    let handoff = Handoff::parse("daily 08:00").expect("a handover");
    let first = "2026-06-10".parse().expect("a date");
    let range = Interval::new(at("2026-06-07T00:00Z"), at("2026-06-08T12:00Z")).expect("a range");
    let numbers: Vec<i64> =
        handoff.turns(first, 2, &Zone::utc(), range).iter().map(|turn| turn.number).collect();
    assert_eq!(numbers, [-2, -1]);
}

#[test]
fn a_night_has_an_hour_more_or_less() {
    let hours = Hours::parse("daily 22:00-06:00").expect("hours");
    let range = Interval::new(at("2026-10-24T12:00Z"), at("2026-10-26T12:00Z")).expect("a range");
    let long: Vec<i64> = hours
        .intervals(&zone("Europe/Berlin"), range)
        .iter()
        .map(|one| one.start.duration_until(one.end).as_hours())
        .collect();
    assert_eq!(long, [9, 8]);
}
