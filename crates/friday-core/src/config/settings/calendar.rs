//! Rotas, freezes, windows and holidays that were found to be right: rules, of which intervals are derived.

use friday_time::{Date, Handoff, Hours, Schedule, When, Zone};
use friday_wire::{DatabaseName, HostName};
use serde::{Deserialize, Serialize};

use crate::cover::Duty;

/// What calendars and rotas say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CalendarSettings {
    /// Who is there.
    pub rotas: Vec<RotaSettings>,
    /// Who is away.
    pub absences: Vec<AbsenceSettings>,
    /// Days on which nobody is at work.
    pub holidays: Vec<HolidaySettings>,
    /// When nothing is pushed.
    pub freezes: Vec<FreezeSettings>,
    /// Planned work.
    pub windows: Vec<WindowSettings>,
    /// How long harm may be expected to wait for somebody, milliseconds.
    pub unattended_ms: u64,
    /// The file of those whose word overrides a gate, as written.
    pub signers: Option<String>,
    /// The team's zone, where it is set.
    pub zone: Option<Zone>,
}

/// A rota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotaSettings {
    /// Its name, each once.
    pub name: String,
    /// Those who take turns, at least one.
    pub members: Vec<String>,
    /// When turns change hands.
    pub handoff: Handoff,
    /// A turn lasts so many of the handoff's periods.
    pub every: u32,
    /// A day in the first member's first turn.
    pub start: Date,
    /// Its zone.
    pub zone: Zone,
    /// Hours of duty.
    pub hours: Hours,
    /// What its people do.
    pub duty: Duty,
    /// How many people must be there at once.
    pub people: u32,
    /// Who takes others' places; none overlaps another.
    pub overrides: Vec<OverrideSettings>,
}

/// Somebody in somebody else's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideSettings {
    /// From.
    pub from: When,
    /// To.
    pub to: When,
    /// Who.
    pub person: String,
}

/// Somebody is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsenceSettings {
    /// Who.
    pub person: String,
    /// From.
    pub from: When,
    /// To.
    pub to: When,
}

/// A holiday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolidaySettings {
    /// Its name.
    pub name: String,
    /// The day.
    pub date: Date,
    /// When it is again.
    pub repeat: Option<friday_time::Recurrence>,
    /// Whose it is; empty: everybody's.
    pub people: Vec<String>,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeSettings {
    /// Its name, each once.
    pub name: String,
    /// When.
    pub schedule: Schedule,
    /// What it bars.
    pub kind: FreezeKind,
    /// How long before it a push goes with care, milliseconds.
    pub before_ms: u64,
    /// How long after it, milliseconds: whatever was held back comes at once then.
    pub after_ms: u64,
    /// Why.
    pub reason: Option<String>,
}

/// What a freeze bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreezeKind {
    /// Every push that would reach into it, and the next wave of one that runs.
    Hard,
    /// The beginning of a push, without a person's word.
    Soft,
}

/// Planned work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSettings {
    /// Its name, each once.
    pub name: String,
    /// When.
    pub schedule: Schedule,
    /// Hosts that it is done on; those of the databases it meets are among them. Empty: all.
    pub hosts: Vec<HostName>,
    /// Databases that it meets.
    pub databases: Vec<DatabaseName>,
    /// What it does.
    pub effect: WindowEffect,
}

/// What planned work does to its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowEffect {
    /// They may restart.
    Restart,
    /// They may not be reached.
    Network,
    /// They can be read and not written.
    ReadOnly,
    /// Another server takes over.
    Failover,
    /// Nobody is told of what breaks.
    MutesAlerts,
}

impl WindowEffect {
    /// By its word in a configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            ("restart", Self::Restart),
            ("network", Self::Network),
            ("read-only", Self::ReadOnly),
            ("failover", Self::Failover),
            ("mutes-alerts", Self::MutesAlerts),
        ];
        all.into_iter().find(|(known, _)| *known == word).map(|(_, effect)| effect)
    }

    /// What it does, as the rest of a sentence: `may restart them`.
    pub fn says(self) -> &'static str {
        match self {
            Self::Restart => "may restart",
            Self::Network => "may not be reached",
            Self::ReadOnly => "is read-only",
            Self::Failover => "fails over",
            Self::MutesAlerts => "tells nobody of what breaks",
        }
    }
}
