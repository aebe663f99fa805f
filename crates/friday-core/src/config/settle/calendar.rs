//! Rotas, freezes, windows and holidays: what their keys mean together.

use std::collections::BTreeSet;

use friday_time::schedule::{Senseless, SignedDuration};
use friday_time::{Schedule, Timestamp, When, Zone};
use friday_wire::{DatabaseName, HostName};

use super::Settler;
use super::database::parts;
use crate::config::problem::Fault;
use crate::config::settings::{
    AbsenceSettings, CalendarSettings, DatabaseSettings, FreezeKind, FreezeSettings,
    HolidaySettings, HostSettings, OverrideSettings, RotaSettings, WindowEffect, WindowSettings,
};
use crate::cover::Duty;

const ZONE: &str = "write timezone = \"Europe/Berlin\" at the top of the file";

impl Settler<'_> {
    /// Everything about hours.
    pub(super) fn calendar(
        &mut self,
        hosts: &[HostSettings],
        databases: &[DatabaseSettings],
    ) -> CalendarSettings {
        let zone = self.team_zone();
        let rotas = self.each("rota", |one| one.rota(zone.as_ref()));
        let team = zone.as_ref();
        CalendarSettings {
            absences: self.each("absence", |one| one.absence(team)),
            holidays: self.each("holiday", |one| one.holiday()),
            freezes: self.each("freeze", |one| one.freeze(team)),
            windows: self.each("maintenance", |one| one.window(team, hosts, databases)),
            unattended_ms: self.ms("check.unattended"),
            signers: self.text("check.signers"),
            rotas: self.named_once("rota", rotas, |rota| &rota.name),
            zone,
        }
    }

    /// The team's zone where anything stands that has hours; a slip in it is told once, by who reads it first.
    fn team_zone(&mut self) -> Option<Zone> {
        let asks = ["rota", "absence", "freeze", "maintenance"];
        if !asks.iter().any(|section| self.draft.has(section)) || !self.draft.has("timezone") {
            return None;
        }
        let name = self.value("timezone", |read, node| read.zone(node))?;
        Zone::named(&name).ok()
    }

    /// Reads every part of a section.
    fn each<T>(&mut self, section: &str, read: impl Fn(&mut Settler<'_>) -> Option<T>) -> Vec<T> {
        let parts = parts(self.draft, section);
        let read = parts.iter().filter_map(|part| {
            let mut one = Settler { draft: part, faults: self.faults };
            read(&mut one)
        });
        read.collect()
    }

    fn named_once<T>(
        &mut self,
        section: &str,
        all: Vec<T>,
        name: impl Fn(&T) -> &String,
    ) -> Vec<T> {
        let mut seen = BTreeSet::new();
        for one in &all {
            if !seen.insert(name(one).clone()) {
                let message = format!("the {section} `{}` stands twice", name(one));
                self.fault(section, &message, "name each once");
            }
        }
        all
    }

    /// A zone of its own, or the team's.
    fn zone_at(&mut self, section: &str, team: Option<&Zone>) -> Option<Zone> {
        let key = format!("{section}.timezone");
        if self.draft.has(&key) {
            let name = self.value(&key, |read, node| read.zone(node))?;
            return Zone::named(&name).ok();
        }
        if team.is_none() {
            self.fault(
                section,
                &format!("this `{section}` has no time zone, and none is guessed"),
                ZONE,
            );
        }
        team.cloned()
    }

    fn when(&mut self, path: &str, write: &str) -> Option<When> {
        if !self.draft.has(path) && !self.draft.is_told(path) {
            self.fault(path, &format!("`{path}` is missing"), &format!("write {write}"));
        }
        self.value(path, |read, node| read.when(node))
    }

    fn rota(&mut self, team: Option<&Zone>) -> Option<RotaSettings> {
        let name = self.needed("rota.name", "name = \"primary\" under `[[rota]]`");
        if !self.draft.has("rota.members") && !self.draft.is_told("rota.members") {
            self.fault(
                "rota.members",
                "`rota.members` is missing: a rota without members has nobody",
                "write members = [\"anna\", \"bela\"]",
            );
        }
        let members = self.list("rota.members", |read, node| read.names(node));
        let zone = self.zone_at("rota", team);
        let duty = self.value("rota.duty", |read, node| read.choice(node));
        let duty = match duty.as_deref() {
            Some("attended") => Duty::Attended,
            Some(_) => Duty::OnCall,
            None if self.draft.has("rota.hours") => Duty::Attended,
            None => Duty::OnCall,
        };
        let start = self.value("rota.start", |read, node| read.when(node));
        let handoff = self.value("rota.handoff", |read, node| read.handoff(node));
        let hours = self.value("rota.hours", |read, node| read.hours(node));
        let zone = zone?;
        let overrides = self.each("rota.override", |one| one.instead());
        self.overlaps(&overrides, &zone);
        Some(RotaSettings {
            name: name?,
            members: Some(members).filter(|members| !members.is_empty())?,
            handoff: handoff?,
            every: self.count("rota.every"),
            start: start?.civil(&zone).date(),
            hours: hours?,
            duty,
            people: self.count("rota.people"),
            overrides,
            zone,
        })
    }

    fn instead(&mut self) -> Option<OverrideSettings> {
        let from = self.when("rota.override.from", "from = \"2026-12-24 09:00\"");
        let to = self.when("rota.override.to", "to = \"2026-12-27\"");
        let person = self.needed("rota.override.person", "person = \"dora\"");
        Some(OverrideSettings { from: from?, to: to?, person: person? })
    }

    /// Two people in the same place at once, or a span that ends before it starts.
    fn overlaps(&mut self, overrides: &[OverrideSettings], zone: &Zone) {
        let at = |when: When| when.moment(zone).0;
        let mut spans: Vec<(Timestamp, Timestamp, &str)> = Vec::new();
        for one in overrides {
            if at(one.to) <= at(one.from) {
                let message = format!("the override by {} ends before it starts", one.person);
                self.fault("rota.override", &message, "put `from` before `to`");
                continue;
            }
            spans.push((at(one.from), at(one.to), &one.person));
        }
        spans.sort();
        for pair in spans.windows(2) {
            let [(_, end, one), (start, _, other)] = pair else { continue };
            if start < end {
                let message = format!("the overrides by {one} and by {other} overlap");
                self.fault("rota.override", &message, "let one end where the other begins");
            }
        }
    }

    fn absence(&mut self, team: Option<&Zone>) -> Option<AbsenceSettings> {
        let zone = self.zone_at("absence", team);
        let person = self.needed("absence.person", "person = \"anna\" under `[[absence]]`");
        let from = self.when("absence.from", "from = \"2026-12-21\"")?;
        let to = self.when("absence.to", "to = \"2027-01-04\"")?;
        let zone = zone?;
        if to.moment(&zone).0 <= from.moment(&zone).0 {
            self.fault("absence.to", "it ends before it starts", "put `from` before `to`");
        }
        Some(AbsenceSettings { person: person?, from, to })
    }

    fn holiday(&mut self) -> Option<HolidaySettings> {
        let name = self.needed("holiday.name", "name = \"Christmas\" under `[[holiday]]`");
        let date = self.when("holiday.date", "date = \"2026-12-25\"")?;
        let When::Date(date) = date else {
            self.fault(
                "holiday.date",
                "a holiday is a whole day",
                "write the date alone: \"2026-12-25\"",
            );
            return None;
        };
        let repeat = self.value("holiday.repeat", |read, node| read.repeat(node));
        let people = self.list("holiday.people", |read, node| read.names(node));
        Some(HolidaySettings { name: name?, date, repeat, people })
    }

    fn freeze(&mut self, team: Option<&Zone>) -> Option<FreezeSettings> {
        let name = self.needed("freeze.name", "name = \"black friday\" under `[[freeze]]`");
        let schedule = self.schedule("freeze", team);
        let kind = self.value("freeze.kind", |read, node| read.choice(node));
        let (before_ms, after_ms) = (self.ms("freeze.before"), self.ms("freeze.after"));
        Some(FreezeSettings {
            name: name?,
            schedule: schedule?,
            kind: match kind?.as_str() {
                "soft" => FreezeKind::Soft,
                _ => FreezeKind::Hard,
            },
            before_ms,
            after_ms,
            reason: self.text("freeze.reason"),
        })
    }

    fn window(
        &mut self,
        team: Option<&Zone>,
        hosts: &[HostSettings],
        databases: &[DatabaseSettings],
    ) -> Option<WindowSettings> {
        let name =
            self.needed("maintenance.name", "name = \"storage firmware\" under `[[maintenance]]`");
        let schedule = self.schedule("maintenance", team);
        let mut met: Vec<HostName> = Vec::new();
        let known: BTreeSet<&HostName> = hosts
            .iter()
            .map(|host| &host.name)
            .chain(databases.iter().map(|one| &one.host))
            .collect();
        for host in self.list("maintenance.hosts", |read, node| read.names(node)) {
            let host = HostName::new(host);
            if !known.contains(&host) {
                let message =
                    format!("`{host}` is no host of the fleet, and no database stands on it");
                self.fault("maintenance.hosts", &message, "name hosts as `friday hosts` does");
            }
            met.push(host);
        }
        let mut of: Vec<DatabaseName> = Vec::new();
        for name in self.list("maintenance.databases", |read, node| read.names(node)) {
            match databases.iter().find(|one| one.name.as_str() == name) {
                Some(database) => {
                    met.push(database.host.clone());
                    of.push(database.name.clone());
                }
                None => self.fault(
                    "maintenance.databases",
                    &format!("there is no guarded database `{name}`"),
                    "name one of `[[database]]`",
                ),
            }
        }
        let effect = self.value("maintenance.effect", |read, node| read.choice(node));
        Some(WindowSettings {
            name: name?,
            schedule: schedule?,
            hosts: met,
            databases: of,
            effect: effect.as_deref().and_then(WindowEffect::from_word)?,
        })
    }

    /// A start with an end or a duration, and when it is again.
    fn schedule(&mut self, section: &str, team: Option<&Zone>) -> Option<Schedule> {
        let path = |key: &str| format!("{section}.{key}");
        let zone = self.zone_at(section, team);
        let start = self.when(&path("start"), "start = \"2026-11-28 06:00\"");
        let repeat = self.value(&path("repeat"), |read, node| read.repeat(node));
        let (ends, lasts) = (self.draft.has(&path("end")), self.draft.has(&path("duration")));
        let end = self.value(&path("end"), |read, node| read.when(node));
        let duration = self.value(&path("duration"), |read, node| read.duration(node));
        let (start, zone) = (start?, zone?);
        let made = match (ends, lasts) {
            (true, true) => {
                self.fault(
                    &path("duration"),
                    "`end` and `duration` are two ends",
                    "keep one of them",
                );
                return None;
            }
            (true, false) => Schedule::between(start, end?, repeat, zone),
            (false, true) => {
                let length = SignedDuration::from_millis(i64::try_from(duration?).ok()?);
                Schedule::lasting(start, Some(length), repeat, zone)
            }
            (false, false) if matches!(start, When::Date(_)) => {
                Schedule::lasting(start, None, repeat, zone)
            }
            (false, false) => {
                self.fault(
                    section,
                    "it is not said how long it lasts",
                    "write duration = \"2h\", or end = \"…\"",
                );
                return None;
            }
        };
        made.map_err(|senseless| self.senseless(section, senseless)).ok()
    }

    fn senseless(&mut self, section: &str, senseless: Senseless) {
        let (key, hint) = match senseless {
            Senseless::Backwards => ("end", "put `start` before `end`"),
            Senseless::Never => {
                ("repeat", "look at the rule: a day that no month has, for instance")
            }
        };
        let place = self.draft.place(&format!("{section}.{key}"));
        self.faults.push(Fault::at(place, senseless.to_string()).hint(hint));
    }
}
