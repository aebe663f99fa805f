//! What is planned: from rules to spans. Everything about civil time is asked of friday-time, and only here.

mod duty;

use friday_time::{Interval, Timestamp as Moment, Zone};
use friday_wire::{DatabaseName, HostName};
use serde::{Deserialize, Serialize};

use crate::config::{CalendarSettings, WindowEffect};
use crate::cover::Shift;
use crate::time::{Span, Timestamp};

/// A freeze, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// The freeze's name.
    pub name: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A maintenance window, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// Its name.
    pub name: String,
    /// Hosts that it is done on; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostName>,
    /// Databases that it meets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<DatabaseName>,
    /// What it does.
    pub effect: WindowEffect,
}

impl CalendarSettings {
    /// Whether anything stands in it that a push is judged by.
    pub fn judges(&self) -> bool {
        !(self.rotas.is_empty() && self.freezes.is_empty() && self.windows.is_empty())
    }

    /// The zone that moments are shown in.
    pub fn shown_in(&self) -> Option<&'static str> {
        let zone = self.zone.as_ref().or(self.rotas.first().map(|rota| &rota.zone));
        zone.map(Zone::name)
    }

    /// Every turn that meets a range.
    pub fn shifts(&self, range: Span) -> Vec<Shift> {
        let Some(range) = interval(range) else { return Vec::new() };
        self.rotas.iter().flat_map(|rota| duty::shifts(self, rota, range)).collect()
    }

    /// Every freeze that meets a range, by its beginning.
    pub fn freezes(&self, range: Span) -> Vec<Frozen> {
        let Some(range) = interval(range) else { return Vec::new() };
        let frozen = self.freezes.iter().flat_map(|freeze| {
            freeze.schedule.occurrences(range).into_iter().map(|one| Frozen {
                span: span(one),
                name: freeze.name.clone(),
                reason: freeze.reason.clone(),
            })
        });
        let mut frozen: Vec<Frozen> = frozen.collect();
        frozen.sort_by_key(|one| one.span);
        frozen
    }

    /// Every window that meets a range, by its beginning.
    pub fn windows(&self, range: Span) -> Vec<Window> {
        let Some(range) = interval(range) else { return Vec::new() };
        let windows = self.windows.iter().flat_map(|window| {
            window.schedule.occurrences(range).into_iter().map(|one| Window {
                span: span(one),
                name: window.name.clone(),
                hosts: window.hosts.clone(),
                databases: window.databases.clone(),
                effect: window.effect,
            })
        });
        let mut windows: Vec<Window> = windows.collect();
        windows.sort_by_key(|one| one.span);
        windows
    }
}

/// As friday-time has it; `None`: it is empty.
pub(crate) fn interval(span: Span) -> Option<Interval> {
    let moment = |at: Timestamp| Moment::from_millisecond(at.0).ok();
    Interval::new(moment(span.from)?, moment(span.to)?)
}

/// As the journal has it.
pub(crate) fn span(interval: Interval) -> Span {
    let at = |moment: Moment| Timestamp(moment.as_millisecond());
    Span { from: at(interval.start), to: at(interval.end) }
}

#[cfg(test)]
mod tests;
