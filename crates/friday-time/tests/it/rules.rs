//! Rules: the examples of RFC 5545 (3.8.5.3), what is refused, and rules that give nothing.

use friday_time::schedule::Senseless;
use friday_time::{Date, Recurrence, Schedule, When, Zone};

fn days(rule: &str, start: &str, to: &str) -> String {
    let date = |text: &str| text.parse::<Date>().expect("a date");
    let rule = Recurrence::parse(rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
    let found = rule.dates(date(start), date(start), date(to));
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_standards_own_examples() {
    let table = [
        ("FREQ=DAILY;COUNT=3", "1997-09-02", "1998-01-01", "1997-09-02 1997-09-03 1997-09-04"),
        (
            "FREQ=DAILY;INTERVAL=10;COUNT=3",
            "1997-09-02",
            "1998-01-01",
            "1997-09-02 1997-09-12 1997-09-22",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            "1997-08-05",
            "1998-01-01",
            "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            "1997-08-05",
            "1998-01-01",
            "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
            "1997-09-05",
            "1998-01-01",
            "1997-09-05 1997-10-03 1997-11-07",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=-2MO",
            "1997-09-22",
            "1998-01-01",
            "1997-09-22 1997-10-20 1997-11-17",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            "1997-09-28",
            "1997-12-01",
            "1997-09-28 1997-10-29 1997-11-28",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "1997-09-02",
            "1998-12-31",
            "1998-02-13 1998-03-13 1998-11-13",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
            "1997-09-04",
            "1998-01-01",
            "1997-09-04 1997-10-07 1997-11-06",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "2007-01-15",
            "2007-12-31",
            "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30",
        ),
        ("FREQ=YEARLY;BYDAY=20MO", "1997-05-19", "1999-12-31", "1997-05-19 1998-05-18 1999-05-17"),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "1996-11-05",
            "2005-01-01",
            "1996-11-05 2000-11-07 2004-11-02",
        ),
        ("FREQ=YEARLY", "2024-02-29", "2033-01-01", "2024-02-29 2028-02-29 2032-02-29"),
    ];
    for (rule, start, to, expected) in table {
        assert_eq!(days(rule, start, to), expected, "{rule}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let table = [
        ("FREQ=HOURLY", 0..11, "`HOURLY` is not taken"),
        ("FREQ=DAILY;BYHOUR=9", 11..19, "`BYHOUR` is not taken"),
        ("FREQ=DAILY;INTERVAL=0", 11..21, "`0` is no number from 1 to 10000"),
        ("FREQ=WEEKLY;BYDAY=XX", 12..20, "`XX` is none of MO"),
        ("FREQ=WEEKLY;BYDAY=1MO", 0..21, "a numbered day is one of a month"),
        ("INTERVAL=2", 0..10, "FREQ is missing"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20261231", 0..33, "two ends"),
        ("FREQ=DAILY;FREQ=DAILY", 11..21, "stands twice"),
        ("FREQ=DAILY;UNTIL=tomorrow", 11..25, "is no end such as"),
        ("FREQ=DAILY;BYSETPOS=1", 0..21, "the rule names none"),
        ("FREQ=DAILY;COLOUR=RED", 11..21, "`COLOUR` is no part of a rule"),
        ("", 0..0, "is no part of a rule"),
    ];
    for (text, at, says) in table {
        let error = Recurrence::parse(text).expect_err(text);
        assert!(error.says.contains(says), "{text}: {}", error.says);
        assert_eq!(error.at, at, "{text}");
    }
}

#[test]
fn a_rule_that_never_gives_anything_is_an_error_and_burns_no_time() {
    let start = When::parse("2026-01-01 09:00").expect("a time");
    let end = When::parse("2026-01-01 10:00").expect("a time");
    let never = Recurrence::parse("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30").expect("a rule");
    let made = Schedule::between(start, end, Some(never), Zone::utc());
    assert_eq!(made, Err(Senseless::Never));
    assert_eq!(Schedule::between(end, start, None, Zone::utc()), Err(Senseless::Backwards));
}
