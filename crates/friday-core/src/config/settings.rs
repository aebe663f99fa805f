//! Settings: a configuration that was found to be right, and the plans made from it.

mod calendar;
mod database;

use std::collections::BTreeMap;

use friday_wire::{
    Clocks, FleetName, HealthSpec, HostName, Part, Ports, ProcessName, Processes, ReleaseId,
    RoleName, Rotation, RunSpec, SecretsVersion, Spread, TreeId, UnitSpec,
};

use crate::rollout::plan::{
    FleetPlan, Hooks, MigrationBack, MigrationPlan, OutsideProbe, Plan, PlannedHost, Traffic,
};
use crate::rollout::wave::{WaveSize, waves};

pub use calendar::{
    AbsenceSettings, CalendarSettings, FreezeKind, FreezeSettings, HolidaySettings,
    OverrideSettings, RotaSettings, WindowEffect, WindowSettings,
};
pub use database::{
    DatabaseSettings, DrillSettings, EngineSettings, RehearseSettings, RepositoryPlaceSettings,
    RepositorySettings,
};

/// The keeper's lease, milliseconds. Not a choice: two configurations that differ here would not
/// agree on who may push.
const LEASE_MS: u64 = 60_000;

/// Between renewals of the lease, milliseconds.
const HEARTBEAT_MS: u64 = 15_000;

/// How long a host gets to answer a short question, milliseconds.
const ANSWER_DEADLINE_MS: u64 = 20_000;

/// What friday acts on. Only [`parse`](super::parse) makes one, so whoever holds one need not check
/// anything again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `name`, or `name-env` where an environment is chosen.
    pub fleet: FleetName,
    /// The chosen environment.
    pub env: Option<String>,
    /// A zone's name as written; this version only keeps it.
    pub timezone: Option<String>,
    /// Run by a push before anything else, where friday runs; for `/bin/sh -c`.
    pub build: Option<String>,
    /// What is shipped: file, directory or archive; relative to the configuration, or absolute.
    pub path: String,
    /// For `/bin/sh -c` in the release's directory; `None`: files only.
    pub run: Option<String>,
    /// What else runs, and where.
    pub processes: Processes,
    /// The application's environment, without secrets.
    pub variables: BTreeMap<String, String>,
    /// Secrets by the name the application sees.
    pub secrets: BTreeMap<String, SecretSource>,
    /// A change of secrets is a rotation: the new ones stay when the release goes back.
    pub secrets_rotate: bool,
    /// Paths in the release that are directories of the host and outlive releases.
    pub shared: Vec<String>,
    /// The key that releases are signed with, as written.
    pub sign_key: Option<String>,
    /// The migration, where there is one.
    pub migration: Option<MigrationSettings>,
    /// How a release proves itself on its host.
    pub health: HealthSpec,
    /// Who runs its processes on hosts, and what they may use there.
    pub unit: UnitSpec,
    /// How it is asked from where friday runs.
    pub outside: Option<OutsideSettings>,
    /// Guarded databases, in the configuration's order, each name once.
    pub databases: Vec<DatabaseSettings>,
    /// Rotas, freezes and windows.
    pub calendar: CalendarSettings,
    /// Every host, in the configuration's order; at least one, each name and address once.
    pub hosts: Vec<HostSettings>,
    /// One of the hosts.
    pub keeper: HostName,
    /// What all SSH hosts have in common.
    pub login: LoginSettings,
    /// How applications go into and out of rotation.
    pub rotation: Rotation,
    /// Waves; a last one of the rest is always added.
    pub waves: Vec<WaveSize>,
    /// After each wave but the last, milliseconds; at least one value, the last holds on.
    pub soak_ms: Vec<u64>,
    /// After the last wave, milliseconds.
    pub bake_ms: u64,
    /// Hosts out of rotation at once, percent, 1 to 100.
    pub out_at_once_percent: u32,
    /// Clocks of a switch.
    pub clocks: Clocks,
    /// A rollout that stands still this long holds, milliseconds.
    pub progress_deadline_ms: u64,
    /// How long staging one host may take, milliseconds.
    pub stage_deadline_ms: u64,
    /// What friday sends to all hosts together, bytes in a second; `None`: no limit.
    pub bandwidth: Option<u64>,
    /// Between observations of a host in soak and bake, milliseconds.
    pub observe_ms: u64,
    /// Releases kept on hosts: good ones, failed ones.
    pub keep: (u32, u32),
    /// Commands around a push.
    pub hooks: Hooks,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSettings {
    /// For SSH hosts what stands between user and port, for `local:1` the name `local-1`.
    pub name: HostName,
    /// The role it was listed under.
    pub role: String,
    /// How it is reached.
    pub address: Address,
    /// Its ports for releases: the i-th local host, counted from 0, has `port + i`, or the i-th
    /// equal part of `ports`, because local hosts share one machine.
    pub ports: Ports,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A directory that plays a host on this machine.
    Local {
        /// Relative to the configuration: `.friday/hosts/local-1`, in an environment
        /// `.friday/hosts-staging/local-1`.
        dir: String,
    },
    /// Over the system's OpenSSH client.
    Ssh {
        /// The login user.
        user: String,
        /// A name, an alias of the user's ssh_config, or an address (IPv6 without brackets). Never
        /// begins with a dash.
        host: String,
        /// `None`: what ssh_config says, else 22.
        port: Option<u16>,
    },
}

impl Address {
    /// As `{host}` in a URL: `127.0.0.1` for local hosts, IPv6 in brackets.
    pub fn in_url(&self) -> String {
        match self {
            Self::Local { .. } => "127.0.0.1".to_owned(),
            Self::Ssh { host, .. } if host.contains(':') => format!("[{host}]"),
            Self::Ssh { host, .. } => host.clone(),
        }
    }
}

/// What all SSH hosts have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginSettings {
    /// A file for `ssh -F`, relative to the configuration, or absolute.
    pub ssh_config: Option<String>,
    /// friday-host's directory on SSH hosts, relative to the login's home, or absolute. `None`: the
    /// edge's own choice.
    pub directory: Option<String>,
    /// What `ssh -oKexAlgorithms` is told; `None`: ssh's own choice.
    pub key_exchange: Option<String>,
    /// What `ssh -oCiphers` is told; `None`: ssh's own choice.
    pub ciphers: Option<String>,
}

/// Where a secret's value comes from. The value itself never enters the journal, an argument or a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of friday's own environment.
    Env {
        /// Its name.
        variable: String,
    },
    /// A file where friday runs, without its last line break.
    File {
        /// Relative to the configuration, or absolute.
        path: String,
    },
    /// What a command prints, without its last line break; for `/bin/sh -c`.
    Command {
        /// The command.
        command: String,
    },
}

/// A migration as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationSettings {
    /// For `/bin/sh -c` in the new release's tree.
    pub command: String,
    /// Whether the way back stays open.
    pub back: MigrationBack,
    /// Nothing is declared about that, and it counts as one-way.
    pub back_undeclared: bool,
    /// One of the hosts; the first one unless set.
    pub host: HostName,
    /// All hosts are stopped before it.
    pub stop_all: bool,
    /// Milliseconds.
    pub timeout_ms: u64,
}

/// The probe from where friday runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideSettings {
    /// A URL with `{host}` and `{port}` still in it.
    pub url: String,
    /// The status that passes; `None`: any 2xx.
    pub expect: Option<u16>,
}

/// What is known of a release once it is built: what [`Settings::plan`] needs beside the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFacts {
    /// Bytes of its files.
    pub bytes: u64,
    /// Entries of its tree.
    pub files: u64,
    /// Its identity.
    pub release: ReleaseId,
    /// Its files' identity.
    pub tree: TreeId,
    /// What people call it.
    pub label: String,
    /// The set of secrets it runs with.
    pub secrets: Option<SecretsVersion>,
    /// A person's word that a quarantined tree was fixed by other means (its reason).
    pub quarantine_override: Option<String>,
    /// The hosts that take it; empty: all.
    pub only: Vec<HostName>,
}

impl Settings {
    /// The hosts and how they are treated.
    pub fn fleet_plan(&self) -> FleetPlan {
        FleetPlan {
            hosts: self.hosts.iter().map(|host| self.planned(host)).collect(),
            keeper: self.keeper.clone(),
            clocks: self.clocks,
            rotation: self.rotation.clone(),
            out_at_once_percent: self.out_at_once_percent,
            outside: self.outside.as_ref().map(|outside| OutsideProbe {
                expect: outside.expect,
                // The host's numbers, and none of its checks: the URL is the check.
                health: HealthSpec {
                    http: None,
                    tcp: false,
                    command: None,
                    notify: false,
                    ..self.health.clone()
                },
            }),
            progress_deadline_ms: self.progress_deadline_ms,
            answer_deadline_ms: ANSWER_DEADLINE_MS,
            stage_deadline_ms: self.stage_deadline_ms,
            lease_ms: LEASE_MS,
            heartbeat_ms: HEARTBEAT_MS,
            observe_ms: self.observe_ms,
            keep: self.keep,
        }
    }

    /// A push of a release.
    pub fn plan(&self, facts: ReleaseFacts) -> Plan {
        let fleet = self.fleet_plan();
        Plan {
            release: facts.release,
            tree: facts.tree,
            label: facts.label,
            only: facts.only.clone(),
            waves: self.waves_of(&fleet, &facts.only),
            fleet,
            soak_ms: self.soak_ms.clone(),
            bake_ms: self.bake_ms,
            hooks: self.hooks.clone(),
            migration: self.migration.as_ref().map(|migration| MigrationPlan {
                command: migration.command.clone(),
                host: migration.host.clone(),
                back: migration.back.clone(),
                back_undeclared: migration.back_undeclared,
                stop_all: migration.stop_all,
                timeout_ms: migration.timeout_ms,
            }),
            secrets: facts.secrets,
            secrets_stay: self.secrets_rotate,
            quarantine_override: facts.quarantine_override,
            bytes: facts.bytes,
            files: facts.files,
            supervisor: self.unit.supervisor,
            once: self.once(),
            databases: self.databases.iter().map(DatabaseSettings::planned).collect(),
            recovery_override: None,
            rehearsal_override: None,
            override_signature: None,
            invariants_override: None,
            hour: None,
        }
    }

    /// The waves of hosts that take a release; all where none are named.
    fn waves_of(&self, fleet: &FleetPlan, only: &[HostName]) -> Vec<Vec<HostName>> {
        let takes = |host: &&PlannedHost| only.is_empty() || only.contains(&host.name);
        let hosts: Vec<PlannedHost> = fleet.hosts.iter().filter(takes).cloned().collect();
        waves(&hosts, &self.waves, &self.keeper)
    }

    /// How a release of this configuration runs: a part of its identity.
    pub fn run_spec(&self) -> RunSpec {
        RunSpec {
            command: self.run.clone(),
            env: self.variables.clone(),
            health: self.health.clone(),
            shared: self.shared.clone(),
            unit: self.unit,
            processes: self.processes.clone(),
        }
    }

    /// Where a rehearsal tries the releases: the host that is named for it, else the migration's, else the
    /// first.
    pub fn rehearsal_host<'a>(&'a self, rehearse: &'a RehearseSettings) -> Option<&'a HostName> {
        let migrates = self.migration.as_ref().map(|migration| &migration.host);
        let first = self.hosts.first().map(|host| &host.name);
        rehearse.host.as_ref().or(migrates).or(first)
    }

    /// A host's settings by its name.
    pub fn host(&self, name: &HostName) -> Option<&HostSettings> {
        self.hosts.iter().find(|host| host.name == *name)
    }

    /// What a host of a role runs.
    pub fn parts(&self, host: &HostSettings) -> Vec<Part> {
        self.processes.parts(Some(&RoleName::new(host.role.clone())))
    }

    fn traffic(&self, host: &HostSettings) -> Traffic {
        match self.parts(host).first() {
            Some(Part::Run) | None => Traffic::Taken,
            Some(Part::Process(_) | Part::Files) => Traffic::None,
        }
    }

    /// The hosts on which each once process may run, in the configuration's order.
    fn once(&self) -> BTreeMap<ProcessName, Vec<HostName>> {
        let once = self.processes.named.iter().filter(|(_, spec)| spec.spread == Spread::Once);
        once.map(|(name, spec)| {
            let of_roles =
                |host: &&HostSettings| spec.roles.contains(&RoleName::new(host.role.clone()));
            let hosts = self.hosts.iter().filter(of_roles).map(|host| host.name.clone());
            (name.clone(), hosts.collect())
        })
        .collect()
    }

    fn planned(&self, host: &HostSettings) -> PlannedHost {
        let outside = match self.traffic(host) {
            Traffic::Taken => self.outside.as_ref(),
            Traffic::None => None,
        };
        PlannedHost {
            name: host.name.clone(),
            role: host.role.clone(),
            traffic: self.traffic(host),
            ports: host.ports,
            outside_url: outside.map(|outside| {
                let url = outside.url.replace("{host}", &host.address.in_url());
                match host.ports {
                    Ports::Fixed { port } => url.replace("{port}", &port.to_string()),
                    // No `{port}` stands in a URL where there is none to fill in.
                    Ports::None | Ports::PerRelease { .. } => url,
                }
            }),
        }
    }
}
