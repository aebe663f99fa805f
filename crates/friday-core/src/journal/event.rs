//! Events: facts, past tense, journalled. A variant, once written by a release of friday, is never
//! changed or removed; golden files under `tests/golden/` hold one of each for ever.
//!
//! Long because every event stands in one enum, and a reader wants them in one place.

use std::collections::BTreeMap;

use friday_wire::{
    Head, HostName, JournalId, Lock, Migration, Observation, OpenRollout, ProcessName, Quarantined,
    Refusal, ReleaseId, RolloutId, RolloutKind, StartId, StepReport,
};
use serde::{Deserialize, Serialize};

use crate::controller::input::{BackTo, Way};
use crate::reason::Reason;
use crate::rollout::plan::{FleetPlan, MigrationPlan, Plan};
use crate::time::Timestamp;
use friday_wire::Fence;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The first record: which journal this is.
    JournalCreated {
        /// Random.
        journal: JournalId,
        /// [`super::record::JOURNAL_FORMAT`] when it was made.
        format: u32,
        /// The fleet.
        fleet: String,
    },
    /// A process became the driver for a purpose.
    DriverStarted {
        /// Its start.
        start: StartId,
        /// Who.
        person: String,
        /// Where.
        machine: String,
        /// friday's version.
        version: String,
    },
    /// A rollout (or a lesser act on the fleet) was asked for. Nothing was done yet.
    RolloutBegun {
        /// Its id.
        rollout: RolloutId,
        /// What it is to do.
        intent: Box<Intent>,
        /// The push it takes back, or that waits for it.
        because_of: Option<RolloutId>,
    },
    /// All hosts of a round are asked the same thing.
    RoundBegun {
        /// Of this rollout.
        rollout: RolloutId,
        /// Counts from 1 within the rollout.
        round: u32,
        /// What is asked.
        ask: RoundAsk,
        /// Whom.
        hosts: Vec<HostName>,
        /// When those who have not answered count as unreachable.
        deadline: Timestamp,
    },
    /// A host answered a round, or is not going to.
    HostAnswered {
        /// Of this rollout.
        rollout: RolloutId,
        /// To this round.
        round: u32,
        /// Who.
        host: HostName,
        /// What.
        answer: HostAnswer,
    },
    /// The number for the rollout's raises was chosen: 1 + the highest read.
    FenceChosen {
        /// Of this rollout.
        rollout: RolloutId,
        /// The fence.
        fence: Fence,
    },
    /// Something was found on hosts that this journal did not know.
    Observed {
        /// What, from the head with the highest fence.
        fact: Fact,
    },
    /// A gate was judged.
    GateJudged {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which gate.
        gate: Gate,
        /// How.
        result: GateResult,
        /// One sentence with the evidence.
        says: String,
    },
    /// What the rollout will write on hosts was decided from the answers to its raise.
    RolloutBound {
        /// Of this rollout.
        rollout: RolloutId,
        /// As hosts will store it.
        open: OpenRollout,
        /// The hosts that run the once processes of a push.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        once: BTreeMap<ProcessName, HostName>,
    },
    /// Work other than a round began.
    WorkBegun {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which.
        work: Work,
        /// When it must have ended.
        deadline: Timestamp,
    },
    /// How far the migration came, stored on hosts next.
    MigrationMoved {
        /// Of this rollout.
        rollout: RolloutId,
        /// Where it is now.
        migration: Migration,
    },
    /// The command that undoes the migration ended.
    MigrationWentBack {
        /// Of this rollout.
        rollout: RolloutId,
        /// Why it failed, if it did.
        failed: Option<String>,
    },
    /// A hook on friday's side ended.
    HookEnded {
        /// Of this rollout.
        rollout: RolloutId,
        /// As in the configuration: `before`, `after_wave`.
        name: String,
        /// Why it failed, if it did.
        failed: Option<String>,
    },
    /// A wave began.
    WaveBegun {
        /// Of this rollout.
        rollout: RolloutId,
        /// Counts from 1.
        wave: u32,
        /// Its hosts; a last wave of failed hosts tried again too.
        hosts: Vec<HostName>,
    },
    /// A host's switch or back was ordered; its stop, while every host is stopped.
    StepBegun {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
        /// Counts from 1 for this host; stops apart.
        attempt: u32,
        /// For a back: without drain.
        at_once: bool,
        /// When it must have ended.
        deadline: Timestamp,
    },
    /// What came of an order: a report of the host, or that nobody knows and it must be observed.
    StepAnswered {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
        /// What.
        answer: StepAnswer,
    },
    /// A switched host passed the outside probe; its confirm was ordered.
    OutsideProved {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
    },
    /// A host runs the rollout's release, healthy, in rotation, confirmed.
    HostDone {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
    },
    /// Nothing runs on a host any more, for the migration.
    HostStopped {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
    },
    /// A host failed in this rollout.
    HostFailed {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
        /// What happened.
        why: String,
        /// The last lines of the application's output, where it failed by itself.
        log: Vec<String>,
    },
    /// A host could not be put right; it is owed a sweep.
    HostLeft {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
        /// Why.
        why: String,
    },
    /// A host's health as watched in soak and bake changed.
    HealthChanged {
        /// Of this rollout.
        rollout: RolloutId,
        /// Which host.
        host: HostName,
        /// Who looked.
        by: Watcher,
        /// Why it is sick; `None`: well again.
        sick: Option<String>,
    },
    /// A wave is switched; nothing new starts until this time.
    SoakBegun {
        /// Of this rollout.
        rollout: RolloutId,
        /// After this wave.
        wave: u32,
        /// Until when.
        until: Timestamp,
    },
    /// All waves are switched; at this time the release is stable.
    BakeBegun {
        /// Of this rollout.
        rollout: RolloutId,
        /// Until when.
        until: Timestamp,
    },
    /// The bake ended well.
    BakeEnded {
        /// Of this rollout.
        rollout: RolloutId,
    },
    /// The lease was prolonged (`ok`), or could not be.
    LeaseRenewed {
        /// Of this rollout.
        rollout: RolloutId,
        /// Whether.
        ok: bool,
    },
    /// The rollout stopped and waits for a person.
    Held {
        /// Which.
        rollout: RolloutId,
        /// Why, and what can be done.
        reasons: Vec<Reason>,
    },
    /// It is decided how the rollout ends; what is still to be put away follows, then the end.
    EndDecided {
        /// Which.
        rollout: RolloutId,
        /// How.
        end: End,
    },
    /// The rollout ended.
    RolloutEnded {
        /// Which.
        rollout: RolloutId,
        /// How.
        end: End,
    },
    /// A person asked, in another process than the driver's, for something; the driver answers by
    /// doing it.
    Requested {
        /// Names the request; the rollback that it leads to bears it.
        rollout: RolloutId,
        /// Who.
        person: String,
        /// What.
        request: Requested,
    },
    /// A person said how a held or interrupted push goes on.
    Resumed {
        /// Which.
        rollout: RolloutId,
        /// Under this start from now on.
        start: StartId,
        /// Which way.
        way: Way,
    },
}

/// What a rollout is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a rollout has one, behind a shared pointer")]
pub enum Intent {
    /// Ship.
    Push {
        /// Every choice.
        plan: Plan,
    },
    /// Take off.
    Rollback {
        /// Where to.
        to: BackTo,
        /// Whatever the budget.
        now: bool,
        /// Quarantine what it leaves.
        quarantine: bool,
        /// A person's or friday's reason.
        reason: String,
        /// friday decided it, no person.
        automatic: bool,
        /// The push's migration, where it has a way back.
        migration: Option<MigrationPlan>,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Put right.
    Sweep {
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Lock or unlock.
    Lock {
        /// `None` lifts.
        lock: Option<Lock>,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Quarantine or lift.
    Quarantine {
        /// Which.
        release: ReleaseId,
        /// Set or lifted.
        active: bool,
        /// Why.
        reason: String,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Another keeper.
    Keeper {
        /// Which.
        keeper: HostName,
        /// A proven person.
        proven: Option<String>,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Another host runs a once process.
    Once {
        /// Which process.
        process: ProcessName,
        /// The host that runs it from then on.
        host: HostName,
        /// Hosts that are off for good, by a person's word.
        dead: Vec<HostName>,
        /// That person.
        person: String,
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Replace friday-host by the program that this friday carries.
    Upgrade {
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Only look.
    Look {
        /// The hosts.
        fleet: FleetPlan,
    },
    /// Change who belongs to the fleet.
    Members {
        /// How.
        change: MemberChange,
        /// The hosts.
        fleet: FleetPlan,
    },
}

/// How the fleet's membership changes. A host that is added needs none: the next sweep or push finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum MemberChange {
    /// What runs there is stopped, and friday is taken off it.
    Remove {
        /// Which.
        host: HostName,
    },
    /// The same server under another name; nothing is restarted.
    Rename {
        /// The name it knows.
        from: HostName,
        /// The configuration's name.
        to: HostName,
    },
    /// It is not asked any more; whatever runs there goes on, if the server exists at all.
    Forget {
        /// Which.
        host: HostName,
        /// A person's word.
        reason: String,
    },
}

impl Intent {
    /// The hosts and how to treat them.
    pub fn fleet(&self) -> &FleetPlan {
        match self {
            Self::Push { plan } => &plan.fleet,
            Self::Rollback { fleet, .. }
            | Self::Sweep { fleet }
            | Self::Lock { fleet, .. }
            | Self::Quarantine { fleet, .. }
            | Self::Keeper { fleet, .. }
            | Self::Once { fleet, .. }
            | Self::Upgrade { fleet }
            | Self::Look { fleet }
            | Self::Members { fleet, .. } => fleet,
        }
    }

    /// As hosts know it; `None` where hosts store no open rollout.
    pub fn rollout_kind(&self) -> Option<RolloutKind> {
        match self {
            Self::Push { .. } => Some(RolloutKind::Push),
            Self::Rollback { .. } => Some(RolloutKind::Rollback),
            Self::Sweep { .. } => Some(RolloutKind::Sweep),
            Self::Lock { .. }
            | Self::Quarantine { .. }
            | Self::Keeper { .. }
            | Self::Once { .. }
            | Self::Upgrade { .. }
            | Self::Look { .. }
            | Self::Members { .. } => None,
        }
    }
}

/// What all hosts of a round are asked, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundAsk {
    /// The head, nothing raised.
    Read,
    /// The raise from whose answers the rollout is decided.
    Raise,
    /// The raise before a wave.
    RaiseWave,
    /// Store the open rollout.
    Open,
    /// Take files, manifest and secrets.
    Ship,
    /// The stage step: build the tree and verify it.
    Stage,
    /// Store that the migration begins.
    MigrationBegins,
    /// Store how it ended.
    MigrationEnds,
    /// Be observed before a rollback or sweep acts.
    Look,
    /// Merge quarantine.
    Quarantine,
    /// Store the lock or the keeper.
    Act,
    /// Replace friday-host, commit-confirmed: one host first, then the others.
    Upgrade,
    /// Be observed under the own fence: the convergence sweep.
    Observe,
    /// Close the rollout.
    Close,
    /// Give the lease back; only the keeper is asked.
    Release,
    /// Leave the fleet; only the host that goes is asked.
    Leave,
    /// Take another name; only that host is asked.
    Rename,
}

/// Work that is not a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The sweep that a push waits for.
    Sweep,
    /// The hook before the first wave.
    HookBefore,
    /// Every host is stopped: the old release cannot run beside the migration.
    StopAll,
    /// The migration, on one host.
    Migrate,
    /// Its way back, on one host.
    MigrateBack,
    /// Hosts go back.
    Back,
    /// The hook after the bake.
    HookAfter,
    /// The hook before a wave.
    HookBeforeWave,
    /// The hook after a wave's hosts are switched.
    HookAfterWave,
}

/// What a host answered to a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum HostAnswer {
    /// Its head: to a raise.
    Head {
        /// It.
        head: Box<Head>,
    },
    /// To a read or an observe.
    Seen {
        /// It.
        observation: Box<Observation>,
    },
    /// Done.
    Ok,
    /// The protocol says no.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The host tried and could not.
    Failed {
        /// Why.
        why: String,
    },
    /// Not reached, certainly not done.
    Unreachable {
        /// Why.
        why: String,
    },
    /// Sent, and nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What came of an order to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum StepAnswer {
    /// The host's report.
    Report {
        /// It.
        report: StepReport,
    },
    /// The protocol says no.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// Nobody knows: observe, and seal the attempt.
    Unknown {
        /// Why.
        why: String,
    },
    /// Certainly not sent.
    NotSent {
        /// Why.
        why: String,
    },
}

/// What hosts knew and this journal did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The fleet's stable release.
    Stable {
        /// It; `None`: nothing runs.
        release: Option<ReleaseId>,
        /// The one before.
        previous: Option<ReleaseId>,
    },
    /// A rollout of another journal, or of this one before it was lost, is open.
    OpenRollout {
        /// It.
        open: OpenRollout,
        /// Under this fence.
        fence: Fence,
    },
    /// A rollout that this journal holds open was superseded: closed as fenced.
    Superseded {
        /// Which.
        rollout: RolloutId,
        /// By this fence.
        by: Fence,
    },
    /// Quarantine entries.
    Quarantine {
        /// They.
        entries: BTreeMap<ReleaseId, Quarantined>,
    },
    /// The human lock.
    Lock {
        /// It.
        lock: Option<Lock>,
    },
    /// The keeper.
    Keeper {
        /// It.
        keeper: HostName,
    },
    /// Hosts that run a release apart from the fleet, on purpose: all there are.
    Apart {
        /// They, and what they run.
        hosts: BTreeMap<HostName, ReleaseId>,
    },
}

/// What is judged before a rollout acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Every host answered the raise.
    Reachable,
    /// No human lock.
    Unlocked,
    /// The keeper gave the lease, and is the one configured.
    Lease,
    /// Neither release nor tree is quarantined.
    Quarantine,
    /// Nobody else's rollout is open.
    NothingOpen,
    /// There is something to return to.
    WayBack,
    /// Disk space, and the release is held where it must be.
    Room,
    /// Every host can run it under the supervisor that is asked for.
    Supervisor,
    /// A push to some hosts only: no other release runs apart from the fleet, and those hosts can.
    Apart,
    /// It is known which host runs each once process.
    Once,
}

/// How a gate was judged. An inconclusive gate refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    /// Go.
    Pass,
    /// Not known.
    Inconclusive,
    /// No.
    Fail,
}

/// Who looked at a host's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watcher {
    /// The host itself.
    Host,
    /// friday's outside probe.
    Outside,
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// A push: baked, every host observed.
    Stable,
    /// A push to some hosts only: baked, each of them observed. The fleet's stable release stays what it was.
    Apart {
        /// They.
        hosts: Vec<HostName>,
    },
    /// A push: taken back by this rollback.
    TakenBack {
        /// Which.
        by: RolloutId,
    },
    /// A push that failed before any host was switched; nothing to take back.
    NotSwitched {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// A rollback or sweep: every host observed as it should be.
    Converged,
    /// A rollback or sweep: done where it could be; these hosts are owed a sweep.
    Owed {
        /// They.
        hosts: Vec<HostName>,
    },
    /// Refused before the first effect. Nothing was changed.
    Refused {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// Hosts could not be reached before the first effect. Nothing was changed.
    Unreachable {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// A higher fence took over.
    Fenced {
        /// It.
        by: Fence,
    },
    /// Another rollback of this journal goes on in its place.
    TakenOver {
        /// Which.
        by: RolloutId,
    },
    /// A lesser act: done.
    Done,
    /// Its driver ended before it had changed anything that remains.
    Dropped,
}

/// What another process asked of the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Requested {
    /// Stop and go back.
    Abort {
        /// Why.
        reason: String,
    },
    /// Roll back.
    Rollback {
        /// Where to.
        to: BackTo,
        /// Whatever the budget.
        now: bool,
        /// Why.
        reason: String,
    },
    /// Start nothing further, and hold the push once no host is in flight.
    Hold {
        /// Why.
        reason: String,
    },
}

impl Event {
    /// Its kind, as in the JSON.
    pub fn kind(&self) -> String {
        match self {
            Self::JournalCreated { .. } => "journal_created",
            Self::DriverStarted { .. } => "driver_started",
            Self::RolloutBegun { .. } => "rollout_begun",
            Self::RoundBegun { .. } => "round_begun",
            Self::HostAnswered { .. } => "host_answered",
            Self::FenceChosen { .. } => "fence_chosen",
            Self::Observed { .. } => "observed",
            Self::GateJudged { .. } => "gate_judged",
            Self::RolloutBound { .. } => "rollout_bound",
            Self::WorkBegun { .. } => "work_begun",
            Self::MigrationMoved { .. } => "migration_moved",
            Self::MigrationWentBack { .. } => "migration_went_back",
            Self::HookEnded { .. } => "hook_ended",
            Self::WaveBegun { .. } => "wave_begun",
            Self::StepBegun { .. } => "step_begun",
            Self::StepAnswered { .. } => "step_answered",
            Self::OutsideProved { .. } => "outside_proved",
            Self::HostDone { .. } => "host_done",
            Self::HostStopped { .. } => "host_stopped",
            Self::HostFailed { .. } => "host_failed",
            Self::HostLeft { .. } => "host_left",
            Self::HealthChanged { .. } => "health_changed",
            Self::SoakBegun { .. } => "soak_begun",
            Self::BakeBegun { .. } => "bake_begun",
            Self::BakeEnded { .. } => "bake_ended",
            Self::LeaseRenewed { .. } => "lease_renewed",
            Self::Held { .. } => "held",
            Self::EndDecided { .. } => "end_decided",
            Self::RolloutEnded { .. } => "rollout_ended",
            Self::Requested { .. } => "requested",
            Self::Resumed { .. } => "resumed",
        }
        .to_owned()
    }
}
