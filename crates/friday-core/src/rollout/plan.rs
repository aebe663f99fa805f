//! The plan of a rollout: every choice made before the first effect, so that none is left for later.

use std::collections::BTreeMap;

use friday_wire::data::Invariant;
use friday_wire::{
    Clocks, DatabaseName, HealthSpec, HostName, Ports, ProcessName, ReleaseId, Rotation,
    SecretsVersion, Supervisor, TreeId,
};
use serde::{Deserialize, Serialize};

use crate::journal::finding::{Gate, GateResult};
use crate::time::{Span, Timestamp};

/// What a push ships and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is shipped.
    pub release: ReleaseId,
    /// Its files.
    pub tree: TreeId,
    /// What people call it: a tag, a directory's name.
    pub label: String,
    /// The hosts and how they are treated.
    pub fleet: FleetPlan,
    /// The hosts that take the release, where it is not to run on all of them; then it does not become
    /// the fleet's stable release. Empty: every host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<HostName>,
    /// Waves, in order; each host that takes the release in exactly one. See [`waves`](super::wave::waves).
    pub waves: Vec<Vec<HostName>>,
    /// Soak after each wave but the last, milliseconds; the last value holds for further waves.
    pub soak_ms: Vec<u64>,
    /// Bake after the last wave.
    pub bake_ms: u64,
    /// Commands on friday's side around the push.
    pub hooks: Hooks,
    /// The migration, where there is one.
    pub migration: Option<MigrationPlan>,
    /// Secrets that are put on hosts before the switch.
    pub secrets: Option<SecretsVersion>,
    /// The new secrets stay when the release goes back.
    pub secrets_stay: bool,
    /// A person's word that a quarantined tree was fixed by other means (its reason).
    pub quarantine_override: Option<String>,
    /// Bytes of the release's files; 0 in plans from before they were counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Files, directories and links of its tree; 0 as above.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files: u64,
    /// Who runs it on hosts.
    #[serde(default, skip_serializing_if = "is_own")]
    pub supervisor: Supervisor,
    /// The hosts on which each once process may run, in the configuration's order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub once: BTreeMap<ProcessName, Vec<HostName>>,
    /// Guarded databases, in the configuration's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<PlannedDatabase>,
    /// A person's word that the push may go on though a recovery is not proven (the reason).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_override: Option<String>,
    /// A person's word that the push may go on though a rehearsal is lacking, or stands against it (the
    /// reason).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal_override: Option<String>,
    /// A person's word that the push may go on though invariants were broken before it (the reason).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariants_override: Option<String>,
    /// The signature under that word, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_signature: Option<SignedWord>,
    /// What calendars and rotas said when the push was asked for; `None`: the configuration has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<Box<Hour>>,
}

/// A person's word with the signature of a key that proves whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedWord {
    /// What was signed, to the byte: the fleet, the release, the gates, the reason, the person and the time.
    pub text: String,
    /// As `ssh-keygen -Y sign` wrote it, in the namespace `friday-override`.
    pub signature: String,
    /// The key's fingerprint, `SHA256:…`.
    pub key: String,
}

/// The hour of a push: what calendars and rotas say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// When they were asked.
    pub asked_at: Timestamp,
    /// What they said, each gate once.
    pub gates: Vec<HourGate>,
    /// Spans in which no wave begins, by their beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Closed>,
    /// Seconds in which harm is expected to wait for a person; what is scored later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattended_s: Option<u64>,
    /// The chance that the push does harm, millionths; what is scored later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harmful_ppm: Option<u32>,
}

/// What calendars and rotas said of one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourGate {
    /// Which.
    pub gate: Gate,
    /// How it was judged.
    pub result: GateResult,
    /// One sentence with the evidence.
    pub says: String,
    /// A person's word that it may be pushed all the same (the reason).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<String>,
}

/// A span in which no wave begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// The gate that a person would have to vouch for.
    pub gate: Gate,
    /// Why: ``the freeze `black friday` ``.
    pub what: String,
}

/// A guarded database, as a push must know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedDatabase {
    /// Its name.
    pub name: DatabaseName,
    /// How long its restore point may take, milliseconds.
    pub point_timeout_ms: u64,
    /// The oldest that the last drill may be, milliseconds.
    pub drill_max_age_ms: u64,
    /// How long a recovery may take, milliseconds; `None`: any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_time_ms: Option<u64>,
    /// What must hold in it, also while the push runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<Invariant>,
    /// From one judgement to the next question, in waves and the bake, milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub invariants_every_ms: u64,
    /// A push that migrates is rehearsed on it first.
    #[serde(default, skip_serializing_if = "is_not")]
    pub rehearse: bool,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_own(supervisor: &Supervisor) -> bool {
    *supervisor == Supervisor::Own
}

/// Hosts and how to treat them: what a push, a rollback and a sweep have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// Every host of the fleet, in the configuration's order.
    pub hosts: Vec<PlannedHost>,
    /// The host that keeps the lease.
    pub keeper: HostName,
    /// Clocks of a switch.
    pub clocks: Clocks,
    /// How applications go into and out of rotation.
    pub rotation: Rotation,
    /// Hosts out of rotation at once, percent of those that serve; at least one host.
    pub out_at_once_percent: u32,
    /// The outside probe, where there is one.
    pub outside: Option<OutsideProbe>,
    /// Reset by progress: a rollout that stands still this long holds. Default 600 000.
    pub progress_deadline_ms: u64,
    /// How long hosts get to answer a short question. Default 20 000.
    pub answer_deadline_ms: u64,
    /// How long staging one host may take. Default 600 000.
    pub stage_deadline_ms: u64,
    /// The lease's period. Default 60 000.
    pub lease_ms: u64,
    /// Between renewals. Default 15 000.
    pub heartbeat_ms: u64,
    /// Between observations of a host in soak and bake. Default 5 000.
    pub observe_ms: u64,
    /// Releases kept on hosts: good ones, failed ones.
    pub keep: (u32, u32),
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHost {
    /// Its name.
    pub name: HostName,
    /// Its role, `web`.
    pub role: String,
    /// Its ports for releases.
    pub ports: Ports,
    /// What the outside probe asks: a URL with the host filled in.
    pub outside_url: Option<String>,
    /// Whether traffic goes there.
    #[serde(default, skip_serializing_if = "Traffic::is_taken")]
    pub traffic: Traffic,
}

/// Whether a host takes traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// The release's `run` command runs there.
    #[default]
    Taken,
    /// Only other processes do: the host is in no rotation.
    None,
}

impl Traffic {
    fn is_taken(&self) -> bool {
        *self == Self::Taken
    }
}

impl PlannedHost {
    /// How it goes into and out of rotation.
    pub fn rotation(&self, fleet: &FleetPlan) -> Rotation {
        match self.traffic {
            Traffic::Taken => fleet.rotation.clone(),
            Traffic::None => Rotation::None,
        }
    }
}

/// Asked from where friday runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideProbe {
    /// The status that passes; `None`: any 2xx.
    pub expect: Option<u16>,
    /// Intervals, timeout, passes, failures.
    pub health: HealthSpec,
}

/// Commands run where friday runs, with `FRIDAY_RELEASE`, `FRIDAY_LABEL`, `FRIDAY_ROLLOUT`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hooks {
    /// After staging, before the migration and the first wave. A failure ends the push.
    pub before: Option<String>,
    /// After the bake. A failure is told; the release stays.
    pub after: Option<String>,
    /// Before each wave, with its hosts in `FRIDAY_HOSTS`. A failure is one of the push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_wave: Option<String>,
    /// After each wave's hosts are switched, before its soak. A failure is one of the push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_wave: Option<String>,
    /// Then the hook is killed and has failed. Default 300 000.
    pub timeout_ms: u64,
}

/// A migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationPlan {
    /// For `/bin/sh -c` in the new release's tree.
    pub command: String,
    /// The host that runs it.
    pub host: HostName,
    /// Whether the way back is open afterwards.
    pub back: MigrationBack,
    /// Nothing is declared about that: it counts as one-way, unless a rehearsal proves better.
    #[serde(default, skip_serializing_if = "is_not")]
    pub back_undeclared: bool,
    /// All hosts must be stopped first: the old release cannot even run beside it.
    pub stop_all: bool,
    /// Default 600 000.
    pub timeout_ms: u64,
}

impl Plan {
    /// Whether a host takes the release.
    pub fn takes(&self, host: &HostName) -> bool {
        self.only.is_empty() || self.only.contains(host)
    }
}

impl FleetPlan {
    /// How long stopping every host may take, milliseconds.
    pub fn stop_all_ms(&self) -> u64 {
        let clocks = &self.clocks;
        let rotation_ms = match &self.rotation {
            Rotation::None | Rotation::Page { .. } => 0,
            Rotation::Commands { timeout_ms, .. } => *timeout_ms,
        };
        [
            clocks.settle_ms,
            clocks.drain_ms,
            clocks.stop_ms,
            clocks.stop_ms,
            rotation_ms,
            self.answer_deadline_ms,
            self.answer_deadline_ms,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

impl MigrationPlan {
    /// How long a host that was stopped for it stays so without anybody: until the last of them is
    /// stopped, and the migration ran. The host that migrates refuses to once its own time is too short,
    /// so the others hold longer, by as much as they may have been stopped before it.
    pub fn hold_ms(&self, fleet: &FleetPlan, host: &HostName) -> u64 {
        let stopping = fleet.stop_all_ms();
        let answers = fleet.answer_deadline_ms.saturating_mul(3);
        let own = self.timeout_ms.saturating_add(stopping).saturating_add(answers);
        if *host == self.host { own } else { own.saturating_add(stopping) }
    }
}

/// What the team declares about going back after a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "back", rename_all = "snake_case")]
pub enum MigrationBack {
    /// The old release works with what the new one wrote.
    Safe,
    /// This command of the new release makes it so.
    Command {
        /// For `/bin/sh -c` in the new release's tree.
        command: String,
    },
    /// It does not; also when nothing is declared.
    OneWay,
}
