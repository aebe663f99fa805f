//! Calendars as they are written.

use friday_time::ical::{Entry, write};
use friday_time::{Interval, Timestamp};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn entry(summary: &str) -> Entry {
    let interval = Interval::new(at("2026-11-27T16:00Z"), at("2026-11-30T08:00Z"));
    Entry {
        uid: "1@shop".to_owned(),
        summary: summary.to_owned(),
        description: Some("two\nlines".to_owned()),
        interval: interval.expect("an interval"),
    }
}

#[test]
fn a_calendar_is_written_as_the_standard_says() {
    let text = write("shop", at("2026-11-24T10:00Z"), &[entry("sale; all, of\\it")]);
    let expected = "BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//friday//friday//EN|X-WR-CALNAME:shop|BEGIN:VEVENT|UID:1@shop|DTSTAMP:20261124T100000Z|DTSTART:20261127T160000Z|DTEND:20261130T080000Z|SUMMARY:sale\\; all\\, of\\\\it|DESCRIPTION:two\\nlines|END:VEVENT|END:VCALENDAR|";
    assert_eq!(text, expected.replace('|', "\r\n"));
}

proptest! {
    /// No line is longer than the standard lets it be, none is cut within a character, and unfolded it is whole.
    #[test]
    fn lines_are_folded(summary in "[a-zÄ€𝄞 ]{0,200}") {
        let text = write("shop", at("2026-11-24T10:00Z"), &[entry(&summary)]);
        for line in text.split("\r\n") {
            prop_assert!(line.len() <= 75, "{}", line);
        }
        let whole = format!("SUMMARY:{summary}\r\n");
        prop_assert!(text.replace("\r\n ", "").contains(&whole));
    }
}
