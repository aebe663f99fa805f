//! The processes of a release: one release may run as several, and which of them a host runs follows
//! from the host's role. Which host runs a *once* process is the host's to know, not here: it is no
//! part of a release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::health::HealthSpec;
use crate::id::{ProcessName, RoleName};
use crate::manifest::{ManifestError, RunSpec};
use crate::timetable::Timetable;

/// The most processes of one release. A host starts them one after another.
pub const PROCESSES_MAX: usize = 32;

/// The longest name of a process or a role, bytes.
const NAME_LEN_MAX: usize = 64;

/// What a release runs beside its `run` command. Part of its identity; left out of it where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Processes {
    /// The roles in which the release's `run` command runs; `None`: in each that no process names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_in: Option<BTreeSet<RoleName>>,
    /// The processes that have a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<ProcessName, ProcessSpec>,
}

/// One process of a release. Of a name, one at most runs on a host: the old one ends before the new one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Where it runs.
    pub roles: BTreeSet<RoleName>,
    /// Given to `/bin/sh -c` in the release's directory.
    pub command: String,
    /// Laid over the release's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How it proves that it works.
    pub health: HealthSpec,
    /// Given to it as `PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// On how many hosts of its roles it runs.
    #[serde(default, skip_serializing_if = "Spread::is_each")]
    pub spread: Spread,
    /// When it runs; `None`: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timetable: Option<Timetable>,
}

/// On how many hosts of its roles a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// On each.
    #[default]
    Each,
    /// On one, and never on two at the same time.
    Once,
}

impl Spread {
    fn is_each(&self) -> bool {
        *self == Self::Each
    }
}

/// What of a release one start on a host is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its `run` command; where it has none, its files are all there is.
    #[default]
    Run,
    /// A process that has a name.
    Process(ProcessName),
    /// Its files alone: nothing of it runs in this role.
    Files,
}

impl Part {
    /// Whether it is the `run` command: what releases without processes consist of.
    pub fn is_run(&self) -> bool {
        *self == Self::Run
    }

    /// The name, where it has one.
    pub fn name(&self) -> Option<&ProcessName> {
        match self {
            Self::Process(name) => Some(name),
            Self::Run | Self::Files => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("run"),
            Self::Process(name) => name.fmt(f),
            Self::Files => f.write_str("files"),
        }
    }
}

impl ProcessSpec {
    fn may_lead(&self) -> bool {
        self.spread == Spread::Each && self.timetable.is_none()
    }
}

impl Processes {
    /// Whether the `run` command is all there is, on every host.
    pub fn is_none(&self) -> bool {
        self.run_in.is_none() && self.named.is_empty()
    }

    /// What a host of this role runs, once processes included. The first of them leads: it serves traffic
    /// where something does, and it is never a once process nor a job: a leader may be kept warm after its
    /// release was replaced, and those may not. Never empty.
    pub fn parts(&self, role: Option<&RoleName>) -> Vec<Part> {
        let run = match (role, &self.run_in) {
            (Some(role), Some(run_in)) => run_in.contains(role),
            (Some(role), None) => !self.named.values().any(|spec| spec.roles.contains(role)),
            (None, _) => true,
        };
        let named = |leads: bool| {
            self.named
                .iter()
                .filter(move |(_, spec)| spec.may_lead() == leads)
                .filter(|(_, spec)| role.is_some_and(|role| spec.roles.contains(role)))
                .map(|(name, _)| Part::Process(name.clone()))
        };
        let mut parts: Vec<Part> = run.then_some(Part::Run).into_iter().collect();
        parts.extend(named(true));
        if parts.is_empty() {
            parts.push(Part::Files);
        }
        parts.extend(named(false));
        parts
    }

    /// Checks names and numbers.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.named.len() > PROCESSES_MAX {
            return Err(ManifestError::Processes(self.named.len()));
        }
        let roles =
            self.named.values().flat_map(|spec| &spec.roles).chain(self.run_in.iter().flatten());
        let names = self.named.keys().map(ProcessName::as_str).chain(roles.map(RoleName::as_str));
        for name in names {
            if !is_name(name) {
                return Err(ManifestError::Name(name.to_owned()));
            }
        }
        let tables =
            self.named.iter().filter_map(|(name, spec)| Some((name, spec.timetable.as_ref()?)));
        for (process, table) in tables {
            table.check().map_err(|error| ManifestError::Timetable(process.clone(), error))?;
        }
        Ok(())
    }
}

impl RunSpec {
    /// The command of a part; `None`: nothing to start.
    pub fn command_of(&self, part: &Part) -> Option<&str> {
        match part {
            Part::Run => self.command.as_deref(),
            Part::Process(name) => self.processes.named.get(name).map(|spec| spec.command.as_str()),
            Part::Files => None,
        }
    }

    /// How a part proves that it works.
    pub fn health_of(&self, part: &Part) -> HealthSpec {
        match part {
            Part::Run => self.health.clone(),
            Part::Process(name) => {
                self.processes.named.get(name).map(|spec| spec.health.clone()).unwrap_or_default()
            }
            Part::Files => HealthSpec::default(),
        }
    }

    /// The environment of a part, without secrets.
    pub fn env_of(&self, part: &Part) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        if let Some(spec) = part.name().and_then(|name| self.processes.named.get(name)) {
            env.extend(spec.env.clone());
        }
        env
    }

    /// When a part runs; `None`: always.
    pub fn timetable_of(&self, part: &Part) -> Option<&Timetable> {
        self.processes.named.get(part.name()?)?.timetable.as_ref()
    }

    /// Whether a process may run on one host only.
    pub fn is_once(&self, part: &Part) -> bool {
        part.name()
            .and_then(|name| self.processes.named.get(name))
            .is_some_and(|spec| spec.spread == Spread::Once)
    }
}

/// Whether a name can stand in a path, an argument and a line of a log.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        && name.chars().all(allowed)
        && !name.starts_with('-')
}

#[cfg(test)]
mod tests;
