//! Events: facts, past tense, journalled. A variant, once written by a release of friday, is never
//! changed or removed; golden files under `tests/golden/` hold one of each for ever.

use std::collections::BTreeMap;

use friday_wire::data::{Judged, RestorePoint};
use friday_wire::{
    DataActId, DatabaseName, Fault, Fence, HostName, JournalId, Migration, OpenRollout,
    ProcessName, RolloutId, StartId,
};
use serde::{Deserialize, Serialize};

use super::finding::{Fact, Gate, GateResult};
use super::intent::Intent;
use super::moment::Moment;
use super::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use crate::controller::input::{BackTo, Way};
use crate::database::{DataAct, DataOutcome};
use crate::reason::Reason;
use crate::rollout::plan::MigrationBack;
use crate::time::Timestamp;

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
        /// Whose fault it is, as far as anybody knows.
        #[serde(default, skip_serializing_if = "Fault::is_the_releases")]
        fault: Fault,
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
    /// Something was begun beside a guarded database, by a process that drives nothing.
    DataActBegun {
        /// Names it.
        act: DataActId,
        /// Who.
        person: String,
        /// Beside which.
        database: DatabaseName,
        /// What.
        what: DataAct,
    },
    /// It ended.
    DataActEnded {
        /// Which.
        act: DataActId,
        /// Beside which.
        database: DatabaseName,
        /// How.
        outcome: DataOutcome,
    },
    /// What a rehearsal left of the way back, decided before the push's first effect: the rollback goes by
    /// this, not by what is declared.
    WayBackDecided {
        /// The push.
        rollout: RolloutId,
        /// The database that it was rehearsed on.
        database: DatabaseName,
        /// As it is now.
        back: MigrationBack,
        /// The verdict and what proved it.
        says: String,
    },
    /// A guarded database has a place that this push can return its data to.
    RestorePointMade {
        /// The push.
        rollout: RolloutId,
        /// Which.
        database: DatabaseName,
        /// The place, which is safe.
        point: RestorePoint,
    },
    /// A guarded database got none.
    RestorePointFailed {
        /// The push.
        rollout: RolloutId,
        /// Which.
        database: DatabaseName,
        /// Why.
        why: String,
    },
    /// Nobody knows whether a guarded database got one: it is asked again, under the same name.
    RestorePointUnknown {
        /// The push.
        rollout: RolloutId,
        /// Which.
        database: DatabaseName,
        /// Why.
        why: String,
    },
    /// A guarded database said how its invariants are. Written where the push waits for it, and whenever
    /// one is broken.
    InvariantsJudged {
        /// The push.
        rollout: RolloutId,
        /// Which.
        database: DatabaseName,
        /// When.
        moment: Moment,
        /// How each is.
        judged: Vec<Judged>,
    },
    /// It was asked again and again, and there is no verdict.
    InvariantsUnknown {
        /// The push.
        rollout: RolloutId,
        /// Which.
        database: DatabaseName,
        /// When.
        moment: Moment,
        /// Why.
        why: String,
    },
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
            Self::DataActBegun { .. } => "data_act_begun",
            Self::DataActEnded { .. } => "data_act_ended",
            Self::WayBackDecided { .. } => "way_back_decided",
            Self::RestorePointMade { .. } => "restore_point_made",
            Self::RestorePointFailed { .. } => "restore_point_failed",
            Self::RestorePointUnknown { .. } => "restore_point_unknown",
            Self::InvariantsJudged { .. } => "invariants_judged",
            Self::InvariantsUnknown { .. } => "invariants_unknown",
        }
        .to_owned()
    }
}
