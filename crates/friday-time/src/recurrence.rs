//! Recurrence: on which days something is again, by the rules of RFC 5545, 3.3.10.
//!
//! DAILY, WEEKLY, MONTHLY and YEARLY with INTERVAL, COUNT, UNTIL, WKST, BYDAY, BYMONTHDAY, BYMONTH and BYSETPOS. Rules
//! below a day are refused: windows and freezes have none, and across a change of clocks nobody agrees what they mean.

mod expand;
mod parse;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};

use crate::Unclear;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    pub(crate) every: Every,
    pub(crate) interval: i32,
    pub(crate) ends: Ends,
    pub(crate) week_start: Weekday,
    pub(crate) days: Vec<OnDay>,
    pub(crate) month_days: Vec<i8>,
    pub(crate) months: Vec<i8>,
    pub(crate) positions: Vec<i32>,
}

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// When it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Never,
    /// After so many.
    After(u32),
    /// With the last one that is not after this moment.
    At(Timestamp),
    /// With the last one that is not after this day, on the rule's own clock.
    On(Date),
}

/// A day of the week; the nth of its period, from the end where negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnDay {
    pub(crate) nth: Option<i8>,
    pub(crate) day: Weekday,
}

impl Recurrence {
    /// Reads a rule: `FREQ=WEEKLY;BYDAY=SA`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        parse::parse(text)
    }

    /// When it ends, where a moment says so.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self.ends {
            Ends::At(moment) => Some(moment),
            Ends::Never | Ends::After(_) | Ends::On(_) => None,
        }
    }
}
