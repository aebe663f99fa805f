//! Another world: somebody is there who is not yet, a window is moved, a freeze is lifted.

use std::str::FromStr;

use friday_time::{Hours, Unclear, Zone};

use crate::calendar::{interval, span};
use crate::config::CalendarSettings;
use crate::cover::{Duty, Shift, Who};
use crate::time::Span;

/// A change of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhatIf {
    /// Somebody is there: `cover sat 10:00-12:00 anna`.
    Cover {
        /// When, each week of those that are looked at.
        hours: Hours,
        /// Who.
        person: String,
    },
    /// A window is not: `no maintenance storage firmware`.
    NoWindow {
        /// Its name.
        name: String,
    },
    /// A freeze is not: `no freeze black friday`.
    NoFreeze {
        /// Its name.
        name: String,
    },
}

const HINT: &str =
    "write \"cover sat 10:00-12:00 anna\", \"no maintenance NAME\" or \"no freeze NAME\"";

impl FromStr for WhatIf {
    type Err = Unclear;

    fn from_str(text: &str) -> Result<Self, Unclear> {
        let unclear = || Unclear {
            at: 0..text.len(),
            says: format!("`{text}` is no other world"),
            hint: HINT.to_owned(),
        };
        let name = |rest: &str| Some(rest.trim().to_owned()).filter(|name| !name.is_empty());
        if let Some(rest) = text.strip_prefix("no maintenance ") {
            return name(rest).map(|name| Self::NoWindow { name }).ok_or_else(unclear);
        }
        if let Some(rest) = text.strip_prefix("no freeze ") {
            return name(rest).map(|name| Self::NoFreeze { name }).ok_or_else(unclear);
        }
        let rest = text.strip_prefix("cover ").ok_or_else(unclear)?;
        let (hours, person) = rest.trim_end().rsplit_once(' ').ok_or_else(unclear)?;
        let is_person = person.chars().any(char::is_alphabetic) && !person.contains(':');
        if !is_person {
            return Err(unclear());
        }
        let hours =
            Hours::parse(hours).map_err(|error| Unclear { hint: HINT.to_owned(), ..error })?;
        Ok(Self::Cover { hours, person: person.to_owned() })
    }
}

impl WhatIf {
    /// The shifts that it adds.
    pub(super) fn shifts(&self, calendar: &CalendarSettings, range: Span) -> Vec<Shift> {
        let Self::Cover { hours, person } = self else { return Vec::new() };
        let zone = calendar.zone.clone().or(calendar.rotas.first().map(|rota| rota.zone.clone()));
        check_ins(hours, &zone.unwrap_or_else(Zone::utc), person, range)
    }

    pub(super) fn lifts_window(&self, window: &str) -> bool {
        matches!(self, Self::NoWindow { name } if name == window)
    }

    pub(super) fn lifts_freeze(&self, freeze: &str) -> bool {
        matches!(self, Self::NoFreeze { name } if name == freeze)
    }
}

/// Somebody is there at these hours.
pub(super) fn check_ins(hours: &Hours, zone: &Zone, person: &str, range: Span) -> Vec<Shift> {
    let Some(range) = interval(range) else { return Vec::new() };
    let intervals = hours.intervals(zone, range);
    let shift = |one: &friday_time::Interval| Shift {
        rota: "what if".to_owned(),
        who: Who::Person { name: person.to_owned() },
        span: span(*one),
        duty: Duty::OnCall,
        rule: format!("{person} is there"),
        depth: 1,
    };
    intervals.iter().map(shift).collect()
}
