//! One host as it was just seen, or why it was not.

use std::collections::BTreeMap;

use friday_wire::{
    BootDefault, BootHook, HealthState, Holder, HostName, Observation, ProcessName, ReleaseId,
    RolloutId, RunningProcess, Supervisor,
};
use serde::Serialize;

use super::chronicle::Chronicle;
use crate::time::Timestamp;

/// A clock that is off by less than this many milliseconds is not worth a word.
const SKEW_WORTH_A_WORD_MS: u64 = 5_000;

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostView {
    /// Its name.
    pub host: HostName,
    /// Its role.
    pub role: String,
    /// It keeps the lease.
    pub keeper: bool,
    /// What was seen, or why nothing was.
    #[serde(flatten)]
    pub sight: Sight,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "sight", rename_all = "snake_case")]
pub enum Sight {
    /// It answered.
    Seen(Box<Seen>),
    /// It did not.
    Unreachable {
        /// Why.
        why: String,
    },
}

/// How a host stands to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// It is known, and it knows the fleet.
    Member,
    /// friday has never put anything on it.
    New,
    /// It knows nothing, and did once: it was set up anew, or its disk was lost.
    Wiped,
    /// It was removed or forgotten, and the configuration still names it.
    Parted,
}

/// An answering host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// friday-host's version.
    pub version: String,
    /// What `current` points to.
    pub current: Option<ReleaseId>,
    /// The release's label, where the journal knows it.
    pub label: Option<String>,
    /// It runs its current release apart from the fleet, on purpose.
    pub apart: bool,
    /// How it stands to the fleet, as far as the journal knows.
    pub membership: Membership,
    /// Its stable release.
    pub stable: Option<ReleaseId>,
    /// Where the release listens.
    pub port: Option<u16>,
    /// A process runs.
    pub running: bool,
    /// By its own probes.
    pub health: Option<HealthState>,
    /// Takes traffic.
    pub in_rotation: bool,
    /// Restarts since the switch.
    pub restarts: u32,
    /// Its processes, where it is more than the release's `run` command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<RunningProcess>,
    /// The once processes of which it is the one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub once: Vec<ProcessName>,
    /// A rollout is open there.
    pub open: Option<RolloutId>,
    /// A timer is armed: unless confirmed, the host undoes its switch.
    pub armed: bool,
    /// The highest fence's number.
    pub fence: u64,
    /// Bytes free, and in all.
    pub disk_free: u64,
    /// See above.
    pub disk_total: u64,
    /// What a reboot would start; `None`: nothing.
    pub after_reboot: Option<ReleaseId>,
    /// Something starts friday-host after a boot; else what should run waits for the next contact.
    pub starts_at_boot: bool,
    /// What starts it there.
    pub boot: BootHook,
    /// Who runs the application; `None`: nothing runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<Supervisor>,
    /// Why a supervisor cannot be used there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unusable: BTreeMap<Supervisor, String>,
    /// Its clock against ours, milliseconds; positive: ahead.
    pub clock_skew_ms: i64,
    /// Differences from what should be there, one sentence each.
    pub drift: Vec<String>,
}

impl HostView {
    /// From an observation made at `now` by our clock.
    pub fn seen(
        host: HostName,
        role: String,
        keeper: bool,
        observation: &Observation,
        chronicle: &Chronicle,
        now: Timestamp,
    ) -> Self {
        let head = &observation.head;
        let app = observation.app.as_ref();
        let label = head
            .current
            .and_then(|release| chronicle.releases.get(&release))
            .and_then(|known| known.label.clone());
        let membership = membership(&host, observation, chronicle);
        let seen = Seen {
            apart: head.runs_apart().is_some(),
            membership,
            version: observation.facts.version.clone(),
            current: head.current,
            label,
            stable: head.stable,
            port: app.and_then(|app| app.port),
            running: app.is_some_and(|app| app.running),
            health: app.map(|app| app.health.clone()),
            in_rotation: app.is_some_and(|app| app.in_rotation),
            restarts: app.map_or(0, |app| app.restarts),
            processes: app.map(|app| app.processes.clone()).unwrap_or_default(),
            once: head
                .once
                .iter()
                .filter(|(_, known)| known.value == Holder::Here)
                .map(|(process, _)| process.clone())
                .collect(),
            open: head.rollout.as_ref().map(|open| open.value.id.clone()),
            armed: observation.armed,
            fence: head.fence.number,
            disk_free: observation.facts.disk_free,
            disk_total: observation.facts.disk_total,
            after_reboot: match observation.boot_default {
                BootDefault::Start { release } => Some(release),
                BootDefault::Nothing => None,
            },
            starts_at_boot: observation.facts.boot_hook,
            boot: observation.facts.boot,
            supervisor: observation.facts.supervisor,
            unusable: observation.facts.unusable.clone(),
            clock_skew_ms: observation.facts.clock_ms.saturating_sub(now.0),
            drift: drift(&host, membership, observation, chronicle),
        };
        Self { host, role, keeper, sight: Sight::Seen(Box::new(seen)) }
    }

    /// One that does not answer.
    pub fn unreachable(host: HostName, role: String, keeper: bool, why: String) -> Self {
        Self { host, role, keeper, sight: Sight::Unreachable { why } }
    }
}

impl Seen {
    /// The clock's difference, where it is worth a word.
    pub fn notable_skew_ms(&self) -> Option<i64> {
        (self.clock_skew_ms.unsigned_abs() >= SKEW_WORTH_A_WORD_MS).then_some(self.clock_skew_ms)
    }
}

fn membership(host: &HostName, observation: &Observation, chronicle: &Chronicle) -> Membership {
    let head = &observation.head;
    let knows = head.current.is_some() || head.stable.is_some() || !head.witnesses.is_empty();
    match chronicle.members.get(host) {
        _ if chronicle.parted.contains_key(host) => Membership::Parted,
        Some(Some(_)) if !knows => Membership::Wiped,
        None if !knows => Membership::New,
        Some(_) | None => Membership::Member,
    }
}

/// Why a host that has nothing has nothing.
fn empty(host: &HostName, membership: Membership, chronicle: &Chronicle) -> Option<String> {
    let stable = chronicle.target_says(chronicle.stable.as_ref());
    match membership {
        Membership::Member => None,
        Membership::New if chronicle.stable.is_none() => None,
        Membership::New => Some(format!(
            "new: nothing is there yet; `friday sweep` brings {stable}, and the next push includes it"
        )),
        Membership::Wiped => {
            let ran = chronicle.members.get(host).copied().flatten();
            Some(format!(
                "it ran {} and knows nothing of it any more: was it set up anew? `friday sweep` brings {stable}",
                chronicle.target_says(ran.as_ref())
            ))
        }
        Membership::Parted => Some(
            "it was taken out of the fleet; delete it from `[hosts]`, or a push takes it in again"
                .to_owned(),
        ),
    }
}

fn drift(
    host: &HostName,
    membership: Membership,
    observation: &Observation,
    chronicle: &Chronicle,
) -> Vec<String> {
    let head = &observation.head;
    let mut drift: Vec<String> = observation.facts.drift.iter().cloned().collect();
    if let Some(says) = empty(host, membership, chronicle) {
        drift.push(says);
        return drift;
    }
    let settled = head.rollout.is_none() && chronicle.open().next().is_none();
    let expected = head.runs_apart().or(chronicle.stable);
    if settled && chronicle.stable.is_some() && head.current != expected {
        drift.push(format!(
            "runs {}, and {} is stable",
            chronicle.target_says(head.current.as_ref()),
            chronicle.target_says(chronicle.stable.as_ref()),
        ));
    }
    if let Some(current) = head.current
        && head.refuses(&current)
    {
        drift.push(format!("runs {}, which is quarantined", chronicle.release_says(&current)));
    }
    match &observation.app {
        Some(app) if !app.running => drift.push("its process does not run".to_owned()),
        Some(app) if !app.in_rotation => drift.push("it is out of rotation".to_owned()),
        _ => {}
    }
    drift
}
