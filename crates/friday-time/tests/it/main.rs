//! friday-time's tests from outside: one binary.

mod clocks;
mod every_zone;
mod icalendar;
mod oracle;
mod rules;
mod texts;
