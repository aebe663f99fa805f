//! What is planned: from rules to spans. Everything about civil time is asked of friday-time, and only here.

mod duty;

pub use friday_time::Unclear;
use friday_time::ical;
use friday_time::zone::Fit;
use friday_time::{Hours, Interval, Timestamp as Moment, When, Zone};
use friday_wire::{DatabaseName, HostName};
use serde::{Deserialize, Serialize};

use crate::config::{CalendarSettings, FreezeKind, WindowEffect};
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
    /// What it bars.
    pub kind: FreezeKind,
    /// It, with the time before and after it in which a push goes with care.
    pub shoulders: Span,
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

/// Something in a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// What it is.
    pub kind: ListedKind,
    /// Its name.
    pub name: String,
    /// More, where there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What stands in a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListedKind {
    /// A freeze.
    Freeze,
    /// Planned work.
    Maintenance,
    /// A day off.
    Holiday,
    /// A push that was.
    Push,
    /// Somebody's turn.
    Shift,
}

impl ListedKind {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Maintenance => "maintenance",
            Self::Holiday => "holiday",
            Self::Push => "push",
            Self::Shift => "on duty",
        }
    }
}

impl Listed {
    /// One line.
    pub fn says(&self) -> String {
        format!("{}: {}", self.kind.word(), self.name)
    }
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

    /// A moment as RFC 3339 writes it, with the offset of the team's zone.
    pub fn written(&self, at: Timestamp) -> String {
        let zone = self.zone.clone().or(self.rotas.first().map(|rota| rota.zone.clone()));
        let Ok(moment) = Moment::from_millisecond(at.0) else { return at.0.to_string() };
        zone.unwrap_or_else(Zone::utc).zoned(moment).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// How long harm may wait, hours.
    pub fn limit_hours(&self) -> f64 {
        f64::from(u32::try_from(self.unattended_ms / 1_000).unwrap_or(u32::MAX)) / 3_600.0
    }

    /// A moment on the team's clock: `Fri 27 Nov 18:00 Europe/Berlin`.
    pub fn show(&self, at: Timestamp) -> String {
        crate::zone::show(at.0, self.shown_in())
    }

    /// A moment as somebody writes it, on the team's clock.
    ///
    /// # Errors
    /// What is wrong with it; without a zone of the team's, that a time without one says nothing.
    pub fn moment(&self, text: &str) -> Result<Timestamp, Unclear> {
        let when = When::parse(text)?;
        let zone = self.zone.clone().or(self.rotas.first().map(|rota| rota.zone.clone()));
        let (moment, _) = match (when, zone) {
            (When::Moment(moment), _) => (moment, Fit::Exact),
            (When::Date(_) | When::Local(_), Some(zone)) => when.moment(&zone),
            (When::Date(_) | When::Local(_), None) => {
                return Err(Unclear {
                    at: 0..text.len(),
                    says: format!("`{text}` has no time zone, and the configuration names none"),
                    hint: "write it as \"2026-11-28T06:00Z\", or `timezone` in the configuration"
                        .to_owned(),
                });
            }
        };
        Ok(Timestamp(moment.as_millisecond()))
    }

    /// The days of the team's calendar that meet a range, each whole.
    pub fn days(&self, range: Span) -> Vec<Span> {
        self.days_like("daily 00:00-24:00", range)
    }

    /// Saturdays and Sundays that meet a range.
    pub fn weekends(&self, range: Span) -> Vec<Span> {
        self.days_like("sat-sun 00:00-24:00", range)
    }

    fn days_like(&self, hours: &str, range: Span) -> Vec<Span> {
        let zone = self.zone.clone().or(self.rotas.first().map(|rota| rota.zone.clone()));
        let zone = zone.unwrap_or_else(Zone::utc);
        let (Ok(hours), Some(range)) = (Hours::parse(hours), interval(range)) else {
            return Vec::new();
        };
        hours.days(&zone, range).into_iter().map(span).collect()
    }

    /// `Fri 27 Nov 18:00`: without the zone.
    pub fn show_short(&self, at: Timestamp) -> String {
        let shown = self.show(at);
        shown.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
    }

    /// `Fri 27 Nov`: the day of a moment.
    pub fn show_day(&self, at: Timestamp) -> String {
        let shown = self.show(at);
        shown.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
    }

    /// A calendar as others read it, of named spans.
    pub fn ical(&self, name: &str, stamp: Timestamp, entries: &[Listed]) -> String {
        let written = entries.iter().filter_map(|entry| {
            Some(ical::Entry {
                uid: format!("{}-{}-{}", entry.kind.word(), entry.span.from.0, entry.name),
                summary: entry.says(),
                description: entry.why.clone(),
                interval: interval(entry.span)?,
            })
        });
        let stamp = Moment::from_millisecond(stamp.0).unwrap_or_default();
        ical::write(name, stamp, &written.collect::<Vec<_>>())
    }

    /// What is planned in a range, by its beginning: freezes, windows and holidays.
    pub fn planned(&self, range: Span) -> Vec<Listed> {
        let freezes =
            self.freezes(range).into_iter().filter(|one| one.span.common(range).is_some());
        let freezes = freezes.map(|one| Listed {
            span: one.span,
            kind: ListedKind::Freeze,
            name: one.name,
            why: one.reason,
        });
        let windows = self.windows(range).into_iter().map(|one| Listed {
            span: one.span,
            kind: ListedKind::Maintenance,
            why: Some(match one.hosts.is_empty() {
                true => format!("everything {}", one.effect.says()),
                false => {
                    let hosts: Vec<&str> = one.hosts.iter().map(HostName::as_str).collect();
                    format!("{} {}", hosts.join(", "), one.effect.says())
                }
            }),
            name: one.name,
        });
        let mut planned: Vec<Listed> = freezes.chain(windows).chain(self.days_off(range)).collect();
        planned.sort_by_key(|one| one.span);
        planned
    }

    /// Holidays, on the team's clock.
    fn days_off(&self, range: Span) -> Vec<Listed> {
        let zone = self.zone.clone().or(self.rotas.first().map(|rota| rota.zone.clone()));
        let zone = zone.unwrap_or_else(Zone::utc);
        let Some(whole) = interval(range) else { return Vec::new() };
        let (from, to) = (zone.civil(whole.start).date(), zone.civil(whole.end).date());
        let mut off = Vec::new();
        for holiday in &self.holidays {
            let days = match &holiday.repeat {
                Some(rule) => rule.dates(holiday.date, from, to),
                None => vec![holiday.date],
            };
            off.extend(days.into_iter().filter_map(|day| {
                let end = When::Date(day.tomorrow().ok()?).moment(&zone).0;
                let day = Interval::new(When::Date(day).moment(&zone).0, end)?;
                day.common(&whole)?;
                Some(Listed {
                    span: span(day),
                    kind: ListedKind::Holiday,
                    name: holiday.name.clone(),
                    why: (!holiday.people.is_empty()).then(|| holiday.people.join(", ")),
                })
            }));
        }
        off
    }

    /// Every turn that meets a range.
    pub fn shifts(&self, range: Span) -> Vec<Shift> {
        let Some(range) = interval(range) else { return Vec::new() };
        self.rotas.iter().flat_map(|rota| duty::shifts(self, rota, range)).collect()
    }

    /// Every freeze that meets a range, itself or with its shoulders, by its beginning.
    pub fn freezes(&self, range: Span) -> Vec<Frozen> {
        let frozen = self.freezes.iter().flat_map(|freeze| {
            let wide = Span {
                from: range.from.minus_ms(freeze.after_ms),
                to: range.to.plus_ms(freeze.before_ms),
            };
            let all = interval(wide).map(|wide| freeze.schedule.occurrences(wide));
            all.into_iter().flatten().map(|one| {
                let span = span(one);
                let (from, to) =
                    (span.from.minus_ms(freeze.before_ms), span.to.plus_ms(freeze.after_ms));
                Frozen {
                    span,
                    name: freeze.name.clone(),
                    kind: freeze.kind,
                    shoulders: Span { from, to },
                    reason: freeze.reason.clone(),
                }
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
