//! Reasons of calendars and rotas, in words.

use std::fmt;

use super::Reason;
use crate::zone;

impl Reason {
    /// Those of calendars and rotas.
    pub(super) fn fmt_of_the_hour(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow { why, .. } => f.write_str(why),
            Self::Closed { what, until } => {
                let until = zone::show(until.0, None);
                write!(f, "{what} lasts until {until}, and no wave begins in it")
            }
            _ => Ok(()),
        }
    }

    /// What a person can do about those of calendars and rotas.
    pub(super) fn hint_of_the_hour(&self) -> &'static str {
        match self {
            Self::NotNow { .. } => {
                "`friday check` names the terms, what helps most and the next good hours; or `friday push --override GATE --reason …`"
            }
            Self::Closed { .. } => {
                "`friday resume --forward` when it is over; `friday resume --back` goes back now, which nothing bars"
            }
            _ => "",
        }
    }
}
