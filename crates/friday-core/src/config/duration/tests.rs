//! Durations, and what is said about what is none.

use proptest::prelude::*;

use super::{DURATION_MS_MAX, parse_duration, show_duration};

#[test]
fn durations_as_people_write_them() {
    for (text, ms) in [
        ("5m", 300_000),
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("1s500ms", 1_500),
        ("0s", 0),
        ("2d", 172_800_000),
        ("007s", 7_000),
    ] {
        assert_eq!(parse_duration(text), Ok(ms), "{text}");
    }
}

#[test]
fn each_mistake_says_what_to_write() {
    for (text, message, hint) in [
        ("", "it is empty", "write numbers with d, h, m, s or ms"),
        ("5", "`5` has no unit", "write \"5s\" for seconds or \"5m\" for minutes"),
        ("1h30", "`30` has no unit", "write \"30s\""),
        ("m", "a number is missing before `m`", "write numbers with"),
        ("-5m", "a number is missing before `-`", "write numbers with"),
        ("1.5h", "`1.5h` is a fraction", "write whole numbers"),
        ("5 min", "`min` is not a unit", "write \"5m\""),
        ("2 hours 30 minutes", "`hours` is not a unit", "write \"2h30m\""),
        ("1h 30m", "`h` is not a unit", "write \"1h30m\""),
        ("5M", "`M` is not a unit", "write \"5m\""),
        ("5y", "`y` is not a unit", "write numbers with"),
        ("30m1h", "`1h` stands too late", "large units first"),
        ("5m5m", "`5m` stands too late", "large units first"),
        ("367d", "it is longer than a year", "the longest is"),
        ("99999999999999999999s", "it is longer than a year", "the longest is"),
    ] {
        let error = parse_duration(text).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
        assert!(error.hint().starts_with(hint), "{text}: {}", error.hint());
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(ms in 0..=DURATION_MS_MAX) {
        prop_assert_eq!(parse_duration(&show_duration(ms)), Ok(ms));
    }

    #[test]
    fn no_text_breaks_the_parser(text in ".{0,20}|[0-9dhms .]{0,12}") {
        let _ = parse_duration(&text).map_err(|error| error.hint());
    }
}
