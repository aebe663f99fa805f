use proptest::prelude::*;

use super::*;

const MINUTE_MS: i64 = 60_000;

/// The zone's rules, as the zone database of these tests' machine has them: the footer holds for ever.
fn berlin() -> Vec<u8> {
    // A file of the second version with no transition of its own and the rule in its footer.
    let mut file = Vec::new();
    for _ in 0..2 {
        file.extend(b"TZif2");
        file.extend([0; 15]);
        // Counts: UT/local, standard/wall, leap, times, types, letters.
        for count in [0_u32, 0, 0, 0, 1, 4] {
            file.extend(count.to_be_bytes());
        }
        file.extend(3_600_i32.to_be_bytes());
        file.extend([0, 0]);
        file.extend(b"CET\0");
    }
    file.extend(b"\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    file
}

fn table(at: &str) -> Timetable {
    let timezone = Some("Europe/Berlin".to_owned());
    Timetable { at: at.to_owned(), timezone, deadline_ms: DEADLINE_MS }
}

fn times(at: &str) -> Times {
    table(at).times(Some(&berlin())).expect("well written")
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a moment").as_millisecond()
}

/// The next times after a moment, in UTC.
fn after(at: &str, from: &str, count: usize) -> Vec<String> {
    let times = times(at);
    let mut now = ms(from);
    (0..count)
        .map(|_| {
            now = times.next(now).expect("there is one");
            Timestamp::from_millisecond(now).expect("a moment").to_string()
        })
        .collect()
}

#[test]
fn five_fields_say_when() {
    let rows: [(&str, &[&str]); 8] = [
        ("15 3 * * *", &["2026-11-24T02:15:00Z", "2026-11-25T02:15:00Z"]),
        ("*/20 8-9 * * MON-FRI", &["2026-11-24T07:00:00Z", "2026-11-24T07:20:00Z"]),
        ("0 0 1,15 JAN,jul *", &["2026-12-31T23:00:00Z", "2027-01-14T23:00:00Z"]),
        ("30 12 * * 7", &["2026-11-29T11:30:00Z", "2026-12-06T11:30:00Z"]),
        ("0 12 * * SAT-SUN", &["2026-11-28T11:00:00Z", "2026-11-29T11:00:00Z"]),
        ("0 0 L * *", &["2026-11-29T23:00:00Z", "2026-12-30T23:00:00Z"]),
        ("10-30/10 23 * * *", &["2026-11-23T22:10:00Z", "2026-11-23T22:20:00Z"]),
        // As every crontab: with both days named, either suffices.
        ("0 12 1 * FRI", &["2026-11-27T11:00:00Z", "2026-12-01T11:00:00Z"]),
    ];
    for (at, wanted) in rows {
        assert_eq!(after(at, "2026-11-23T14:00:00Z", 2), wanted, "{at}");
    }
    assert_eq!(times("15 3 * * *").show(ms("2026-11-24T02:15:00Z")), "Tue 24 Nov 03:15");
}

#[test]
fn without_a_zone_it_is_utc() {
    let table = Timetable { timezone: None, ..table("15 3 * * *") };
    let times = table.times(None).expect("needs no rules");
    assert_eq!(times.next(ms("2026-11-24T02:15:00Z")), Some(ms("2026-11-24T03:15:00Z")));
}

/// 2026-03-29, 02:00 becomes 03:00.
#[test]
fn a_time_that_a_spring_night_leaves_out_is_moved_to_the_end_of_the_gap() {
    let from = "2026-03-28T12:00:00Z";
    assert_eq!(
        after("30 2 * * *", from, 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        "at 03:00, then at 02:30 again"
    );
    assert_eq!(
        after("*/30 * * * *", "2026-03-29T00:00:00Z", 3),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        "an interval goes on"
    );
}

/// 2026-10-25, 03:00 becomes 02:00.
#[test]
fn a_time_that_an_autumn_night_has_twice_is_its_first() {
    let from = "2026-10-24T12:00:00Z";
    assert_eq!(after("30 2 * * *", from, 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    assert_eq!(
        after("*/30 2 * * *", "2026-10-24T23:59:00Z", 5),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:00:00Z"
        ],
        "an interval is kept in both hours"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let rows = [
        ("0 25 * * *", "25", "`25` is no hour: it goes from 0 to 23"),
        ("60 3 * * *", "60", "`60` is no minute: it goes from 0 to 59"),
        ("0 3 0 * *", "0", "`0` is no day of the month: it goes from 1 to 31"),
        ("0 3 * 13 *", "13", "`13` is no month: it goes from 1 to 12, or JAN to DEC"),
        ("0 3 * * MOM", "MOM", "`MOM` is no day of the week: it goes from 0 to 7, or SUN to SAT"),
        ("MON 3 * * *", "MON", "`MON` is no minute: it goes from 0 to 59"),
        ("0 3,,4 * * *", "", "a value is missing here"),
        ("*/0 3 * * *", "0", "a step of the minute goes from 1 to 59"),
        ("5/10 3 * * *", "5/10", "a step needs a range: `*/5`, or `10-30/5`"),
        ("0 5-3 * * *", "5-3", "`5-3` goes backwards"),
        ("@daily", "@daily", "`@daily` is not known here"),
        ("0 3 ? * *", "?", "`?` is no day of the month: it goes from 1 to 31"),
        ("0 3 * * 5#2", "5#2", "`5#2` is no day of the week: it goes from 0 to 7, or SUN to SAT"),
    ];
    for (at, part, wanted) in rows {
        match check_at(at) {
            Err(TimetableError::Part { at: place, why }) => {
                assert_eq!((&at[place], why.as_str()), (part, wanted), "{at}");
            }
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(check_at("0 3 * *"), Err(TimetableError::Fields(4)));
    assert_eq!(check_at("0 0 3 * * *"), Err(TimetableError::Fields(6)));
    for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        assert_eq!(check_at(never), Err(TimetableError::Never));
    }
    assert_eq!(check_at("0 0 29 FEB *"), Ok(()));
}

#[test]
fn a_zone_is_a_name_that_leads_nowhere_else() {
    for name in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
        assert!(is_zone_name(name), "{name}");
    }
    for name in ["", "/etc/passwd", "../../etc/passwd", "Europe/", "a b", "Europe//Berlin"] {
        assert!(!is_zone_name(name), "{name}");
        let table = Timetable { timezone: Some(name.to_owned()), ..table("0 3 * * *") };
        assert_eq!(table.check(), Err(TimetableError::Zone(name.to_owned())));
    }
    let rules = table("0 3 * * *").times(Some(b"TZif"));
    assert!(matches!(rules, Err(TimetableError::ZoneRules(_))), "{rules:?}");
}

/// Fields of which something fits.
fn field(range: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = String> {
    let (first, last) = (*range.start(), *range.end());
    prop_oneof![
        Just("*".to_owned()),
        (1..=last - first).prop_map(|step| format!("*/{step}")),
        (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        proptest::collection::vec((first..=last).prop_map(|n| n.to_string()), 1..4)
            .prop_map(|list| list.join(",")),
    ]
}

proptest! {
    #[test]
    fn the_next_time_is_after_now_and_fits_and_none_lies_between(
        (minute, hour) in (field(0..=59), field(0..=23)),
        (day, month, weekday) in (field(1..=28), field(1..=12), field(0..=7)),
        now in 0_i64..4_102_444_800,
    ) {
        let at = format!("{minute} {hour} {day} {month} {weekday}");
        let times = Timetable { timezone: None, ..table(&at) }.times(None).expect("well written");
        let now_ms = now * 1_000;
        let next = times.next(now_ms).expect("days up to 28 are in every month");
        prop_assert!(next > now_ms, "{at}");
        prop_assert_eq!(next % MINUTE_MS, 0);
        // Asked from just before, it is the same one: it fits. From itself, it is another.
        prop_assert_eq!(times.next(next - 1), Some(next));
        prop_assert!(times.next(next).expect("and one after it") > next);
        // From anywhere between, too: none was left out.
        let between = now_ms + (next - now_ms) / 2;
        prop_assert_eq!(times.next(between.min(next - 1)), Some(next));
    }

    #[test]
    fn any_text_is_taken_or_refused(at in "\\PC{0,40}", fields in "[0-9A-Z*,/#?@ -]{0,40}") {
        let _ = check_at(&at);
        let _ = check_at(&fields);
    }
}
