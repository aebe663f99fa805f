//! Writing a calendar as others read it: iCalendar, RFC 5545. Times are written in UTC, so that no reader has to know a
//! zone.

use jiff::Timestamp;

use crate::interval::Interval;

/// Bytes of a line, without its end (RFC 5545, 3.1).
const LINE_MAX: usize = 75;

/// Something in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The same for the same thing whenever it is written: readers know it again by it.
    pub uid: String,
    /// One line.
    pub summary: String,
    /// More, where there is more.
    pub description: Option<String>,
    /// When.
    pub interval: Interval,
}

/// A calendar. `stamp`: when it was written.
pub fn write(name: &str, stamp: Timestamp, entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| fold(&mut text, &format!("{key}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//friday//friday//EN");
    line("X-WR-CALNAME", &escaped(name));
    for entry in entries {
        line("BEGIN", "VEVENT");
        line("UID", &escaped(&entry.uid));
        line("DTSTAMP", &utc(stamp));
        line("DTSTART", &utc(entry.interval.start));
        line("DTEND", &utc(entry.interval.end));
        line("SUMMARY", &escaped(&entry.summary));
        if let Some(description) = &entry.description {
            line("DESCRIPTION", &escaped(description));
        }
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    text
}

/// `20261127T160000Z`.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Text as a value of its own (3.3.11). Control characters mean nothing there.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}

/// Adds a line, in pieces that are short enough; a character is never cut.
fn fold(text: &mut String, line: &str) {
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > LINE_MAX {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(character);
        length += character.len_utf8();
    }
    text.push_str("\r\n");
}
