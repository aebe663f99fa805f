//! One rollout as people see it: what it is, where it stands, and each host's part in it.

use std::collections::BTreeMap;

use friday_wire::data::{Judged, RestorePoint};
use friday_wire::{DatabaseName, HostName, Refusal, ReleaseId, RolloutId, StepState};
use serde::Serialize;

use super::Predicted;
use crate::controller::input::{BackTo, Way};
use crate::journal::event::{End, Event};
use crate::journal::intent::Intent;
use crate::journal::moment::Moment;
use crate::journal::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use crate::reason::Reason;
use crate::rollout::decide::outcome::refusal_says;
use crate::rollout::plan::PlannedHost;
use crate::time::Timestamp;

mod stage;
mod word;

pub use stage::HostStage;
pub use word::RolloutWord;

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// Nothing on hosts yet: reading, raising, gates, staging.
    Preparing {
        /// A few words: `reading the hosts`, `staging`.
        doing: String,
    },
    /// A wave is under way.
    Wave {
        /// Counts from 1.
        wave: u32,
    },
    /// After a wave.
    Soak {
        /// Which.
        wave: u32,
        /// Until when.
        until: Timestamp,
    },
    /// After the last wave.
    Bake {
        /// Until when.
        until: Timestamp,
    },
    /// A rollback or sweep at work, or the last checks of a push.
    Finishing {
        /// A few words.
        doing: String,
    },
    /// Waits for a person.
    Held,
    /// Over.
    Ended,
}

/// One host's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolloutHost {
    /// Which.
    pub host: HostName,
    /// In which wave of a push, counting from 1.
    pub wave: Option<u32>,
    /// How far.
    #[serde(flatten)]
    pub stage: HostStage,
    /// Since when.
    pub since: Timestamp,
    /// The last lines of the application's output, where it failed by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// One rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolloutView {
    /// Its id.
    pub rollout: RolloutId,
    /// What it is.
    pub word: RolloutWord,
    /// What it ships or goes to, where that is known.
    pub release: Option<ReleaseId>,
    /// What people call the release.
    pub label: Option<String>,
    /// What it takes off, or what a push returns to.
    pub other: Option<ReleaseId>,
    /// The push it takes back.
    pub because_of: Option<RolloutId>,
    /// Who asked.
    pub person: String,
    /// Where friday ran.
    pub machine: String,
    /// The reason given, for a rollback, a lock, a quarantine.
    pub reason: Option<String>,
    /// friday decided it, no person.
    pub automatic: bool,
    /// A rollback: what it takes off is quarantined.
    pub quarantines: bool,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Waves planned, and a last one of hosts tried again.
    pub waves: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub at: Standing,
    /// How it ended.
    pub end: Option<End>,
    /// Why it is held.
    pub held: Vec<Reason>,
    /// Why a host would not go where it was told to, where that is not a failure of its own.
    #[serde(skip)]
    refused: Vec<Reason>,
    /// The restore points of guarded databases.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<DatabaseName, RestorePoint>,
    /// How the invariants of guarded databases were last found.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invariants: BTreeMap<DatabaseName, JudgedView>,
    /// What the answer of its hour expected of a push, where it carries one.
    #[serde(skip)]
    pub predicted: Option<Predicted>,
    /// Each host's part, in the configuration's order.
    pub hosts: Vec<RolloutHost>,
    /// Where each host stands among them.
    #[serde(skip)]
    places: BTreeMap<HostName, usize>,
}

/// How the invariants of a guarded database were last found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedView {
    /// When in the push.
    pub moment: Moment,
    /// When.
    pub at: Timestamp,
    /// How each is.
    pub invariants: Vec<Judged>,
}

/// What an intent says of its release, the release's label and the reason, and whether nobody asked for it.
fn said(intent: &Intent) -> (Option<ReleaseId>, Option<String>, Option<String>, bool) {
    match intent {
        Intent::Push { plan } => (Some(plan.release), Some(plan.label.clone()), None, false),
        Intent::Rollback { to, reason, automatic, .. } => {
            let release = match to {
                BackTo::LastStable => None,
                BackTo::Release { release } => Some(*release),
            };
            (release, None, Some(reason.clone()), *automatic)
        }
        Intent::Lock { lock, .. } => {
            (None, None, lock.as_ref().map(|lock| lock.reason.clone()), false)
        }
        Intent::Quarantine { release, reason, .. } => {
            (Some(*release), None, Some(reason.clone()), false)
        }
        Intent::Sweep { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => (None, None, None, false),
    }
}

fn predicted(intent: &Intent) -> Option<Predicted> {
    let Intent::Push { plan } = intent else { return None };
    plan.hour.as_deref().and_then(Predicted::of)
}

impl RolloutView {
    /// From its first event.
    pub fn begun(
        rollout: RolloutId,
        intent: &Intent,
        because_of: Option<RolloutId>,
        at: Timestamp,
    ) -> Self {
        let waves: &[Vec<HostName>] =
            if let Intent::Push { plan } = intent { &plan.waves } else { &[] };
        let numbered = (1..).zip(waves);
        let waves_of: BTreeMap<&HostName, u32> =
            numbered.flat_map(|(wave, hosts)| hosts.iter().map(move |host| (host, wave))).collect();
        let takes = |host: &&PlannedHost| match intent {
            Intent::Push { plan } => plan.takes(&host.name),
            _ => true,
        };
        let planned = || intent.fleet().hosts.iter().filter(takes);
        let names = planned().map(|host| &host.name);
        let hosts = planned().map(|host| RolloutHost {
            host: host.name.clone(),
            wave: waves_of.get(&host.name).copied(),
            stage: HostStage::Waiting,
            since: at,
            log: Vec::new(),
        });
        let (release, label, reason, automatic) = said(intent);
        Self {
            rollout,
            word: RolloutWord::of(intent),
            release,
            label,
            other: None,
            because_of,
            person: String::new(),
            machine: String::new(),
            reason,
            automatic,
            quarantines: matches!(intent, Intent::Rollback { quarantine: true, .. }),
            began: at,
            ended: None,
            waves: u32::try_from(waves.len()).unwrap_or(u32::MAX),
            at: Standing::Preparing { doing: "beginning".to_owned() },
            end: None,
            held: Vec::new(),
            refused: Vec::new(),
            points: BTreeMap::new(),
            invariants: BTreeMap::new(),
            predicted: predicted(intent),
            places: names.enumerate().map(|(place, host)| (host.clone(), place)).collect(),
            hosts: hosts.collect(),
        }
    }

    /// Whether it is neither over nor waiting for a person.
    pub fn is_running(&self) -> bool {
        !matches!(self.at, Standing::Held | Standing::Ended)
    }

    /// Whether it is not over.
    pub fn is_open(&self) -> bool {
        self.at != Standing::Ended
    }

    /// How long it took, or takes up to now, milliseconds.
    pub fn lasted_ms(&self, now: Timestamp) -> u64 {
        self.ended.unwrap_or(now).since_ms(self.began)
    }

    /// Why it was refused, held, or ended without doing what was asked.
    pub fn reasons(&self) -> &[Reason] {
        match &self.end {
            Some(
                End::Refused { reasons }
                | End::Unreachable { reasons }
                | End::NotSwitched { reasons },
            ) => reasons,
            Some(End::Owed { .. }) => &self.refused,
            Some(
                End::Stable
                | End::Apart { .. }
                | End::TakenBack { .. }
                | End::Converged
                | End::TakenOver { .. }
                | End::Fenced { .. }
                | End::Done
                | End::Dropped,
            )
            | None => &self.held,
        }
    }

    /// One host's part.
    pub fn host(&self, host: &HostName) -> Option<&RolloutHost> {
        self.hosts.get(*self.places.get(host)?)
    }

    /// Hosts that failed or are unreachable.
    pub fn troubled(&self) -> impl Iterator<Item = &RolloutHost> {
        self.hosts.iter().filter(|host| host.stage.why().is_some())
    }

    /// Takes in an event that is about this rollout.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::RoundBegun { ask, hosts, .. } => self.round(at, *ask, hosts),
            Event::HostAnswered { host, answer, .. } => self.answered(at, host, answer),
            Event::RolloutBound { open, .. } => {
                self.release = open.release;
                self.other = open.leaves.or(open.returns_to);
            }
            Event::RestorePointMade { database, point, .. } => {
                self.points.insert(database.clone(), point.clone());
            }
            Event::InvariantsJudged { database, moment, judged, .. } => {
                self.judged(at, database, *moment, judged);
            }
            Event::WaveBegun { wave, .. } => {
                self.waves = self.waves.max(*wave);
                self.at = Standing::Wave { wave: *wave };
            }
            Event::StepBegun { host, .. } => {
                let stage = self.ordered();
                self.set(at, host, stage);
            }
            Event::StepAnswered { host, answer, .. } => self.stepped(at, host, answer),
            Event::OutsideProved { host, .. } => self.set(at, host, HostStage::Confirming),
            Event::HostDone { host, .. } => self.set(at, host, HostStage::Done),
            Event::HostStopped { host, .. } => self.set(at, host, HostStage::Stopped),
            Event::HostFailed { host, why, log, .. } => self.failed(at, host, why, log),
            Event::HealthChanged { host, sick, .. } => {
                let stage = match sick {
                    Some(why) => HostStage::Sick { why: why.clone() },
                    None => HostStage::Done,
                };
                self.set(at, host, stage);
            }
            Event::SoakBegun { wave, until, .. } => {
                self.at = Standing::Soak { wave: *wave, until: *until };
            }
            Event::BakeBegun { until, .. } => self.at = Standing::Bake { until: *until },
            Event::BakeEnded { .. } => {
                self.at = Standing::Finishing { doing: "observing every host".to_owned() };
            }
            Event::Held { reasons, .. } => {
                self.at = Standing::Held;
                self.held.clone_from(reasons);
            }
            Event::RolloutEnded { end, .. } => self.ends(at, end),
            Event::Resumed { way, .. } => self.resumed(*way),
            Event::WorkBegun { work, .. } => self.work(work),
            Event::HostLeft { host, why, .. } => {
                self.set(at, host, HostStage::Failed { why: why.clone() });
            }
            Event::MigrationMoved { .. }
            | Event::MigrationWentBack { .. }
            | Event::EndDecided { .. }
            | Event::HookEnded { .. }
            | Event::FenceChosen { .. }
            | Event::GateJudged { .. }
            | Event::WayBackDecided { .. }
            | Event::LeaseRenewed { .. }
            | Event::JournalCreated { .. }
            | Event::DriverStarted { .. }
            | Event::RolloutBegun { .. }
            | Event::Observed { .. }
            | Event::DataActBegun { .. }
            | Event::DataActEnded { .. }
            | Event::RestorePointFailed { .. }
            | Event::RestorePointUnknown { .. }
            | Event::InvariantsUnknown { .. }
            | Event::Requested { .. } => {}
        }
    }

    fn judged(
        &mut self,
        at: Timestamp,
        database: &DatabaseName,
        moment: Moment,
        judged: &[Judged],
    ) {
        let last = JudgedView { moment, at, invariants: judged.to_vec() };
        self.invariants.insert(database.clone(), last);
    }

    fn ends(&mut self, at: Timestamp, end: &End) {
        self.at = Standing::Ended;
        self.ended = Some(at);
        self.end = Some(end.clone());
    }

    fn failed(&mut self, at: Timestamp, host: &HostName, why: &str, log: &[String]) {
        self.set(at, host, HostStage::Failed { why: why.to_owned() });
        if let Some(part) = self.part(host) {
            part.log = log.to_vec();
        }
    }

    fn resumed(&mut self, way: Way) {
        let doing = match way {
            Way::Forward => "going on",
            Way::Back => "going back",
        };
        self.at = Standing::Preparing { doing: doing.to_owned() };
        self.held.clear();
    }

    /// What an order is about. Before the first wave a push orders nothing but stops.
    fn ordered(&self) -> HostStage {
        match (self.word, &self.at) {
            (RolloutWord::Push, Standing::Preparing { .. }) => HostStage::Stopping,
            (RolloutWord::Push, _) => HostStage::Switching,
            (_, _) => HostStage::GoingBack,
        }
    }

    fn work(&mut self, work: &Work) {
        let doing = match work {
            Work::Sweep => "putting hosts right first",
            Work::HookBefore => "running the hook before the first wave",
            Work::StopAll => "stopping every host for the migration",
            Work::Migrate => "running the migration",
            Work::MigrateBack => "undoing the migration",
            Work::Back => "going back",
            Work::HookAfter => "running the hook after the bake",
            Work::HookBeforeWave => "running the hook before the next wave",
            Work::HookAfterWave => "running the hook after the wave",
            Work::RestorePoints => "making restore points of the databases",
            Work::JudgeBefore | Work::JudgeMigrated | Work::JudgeWave | Work::JudgeAfter => {
                "asking the databases for what must hold in them"
            }
        };
        self.at = match self.at {
            Standing::Preparing { .. } => Standing::Preparing { doing: doing.to_owned() },
            _ => Standing::Finishing { doing: doing.to_owned() },
        };
    }

    fn round(&mut self, at: Timestamp, ask: RoundAsk, hosts: &[HostName]) {
        let doing = match ask {
            RoundAsk::Read => "reading the hosts",
            RoundAsk::Raise | RoundAsk::RaiseWave => "raising the fence",
            RoundAsk::Open => "opening the rollout on the hosts",
            RoundAsk::Ship => "shipping files",
            RoundAsk::Stage => "staging",
            RoundAsk::MigrationBegins | RoundAsk::MigrationEnds => "storing the migration's state",
            RoundAsk::Look => "looking at the hosts",
            RoundAsk::Quarantine => "storing the quarantine",
            RoundAsk::Act => "storing it on the hosts",
            RoundAsk::Upgrade => "replacing friday-host",
            RoundAsk::Observe => "observing every host",
            RoundAsk::Close => "closing the rollout on the hosts",
            RoundAsk::Release => "giving the lease back",
            RoundAsk::Leave => "leaving",
            RoundAsk::Rename => "taking another name",
        };
        if ask == RoundAsk::Upgrade {
            hosts.iter().for_each(|host| self.set(at, host, HostStage::Switching));
        }
        match (ask, &self.at) {
            (RoundAsk::Ship | RoundAsk::Stage, _) => {
                hosts.iter().for_each(|host| self.set(at, host, HostStage::Staging));
                self.at = Standing::Preparing { doing: doing.to_owned() };
            }
            (_, Standing::Preparing { .. }) => {
                self.at = Standing::Preparing { doing: doing.to_owned() };
            }
            (
                RoundAsk::Observe | RoundAsk::Close | RoundAsk::Release,
                Standing::Finishing { .. },
            ) => {
                self.at = Standing::Finishing { doing: doing.to_owned() };
            }
            _ => {}
        }
    }

    fn answered(&mut self, at: Timestamp, host: &HostName, answer: &HostAnswer) {
        let staging = self.part(host).is_some_and(|part| part.stage == HostStage::Staging);
        let replacing = self.word == RolloutWord::Upgrade
            && self.part(host).is_some_and(|part| part.stage == HostStage::Switching);
        match answer {
            HostAnswer::Ok if replacing => self.set(at, host, HostStage::Done),
            // What is asked of it later says nothing of its program.
            HostAnswer::Ok if self.word == RolloutWord::Upgrade => {}
            HostAnswer::Refused { refusal } if replacing => {
                let why = refusal_says(refusal);
                self.set(at, host, HostStage::Failed { why });
            }
            HostAnswer::Ok if staging => self.set(at, host, HostStage::Staged),
            HostAnswer::Head { .. } | HostAnswer::Seen { .. } | HostAnswer::Ok => {
                let came_back = self
                    .part(host)
                    .is_some_and(|part| matches!(part.stage, HostStage::Unreachable { .. }));
                if came_back {
                    self.set(at, host, HostStage::Waiting);
                }
            }
            HostAnswer::Refused { .. } => {}
            HostAnswer::Failed { why, .. } => {
                self.set(at, host, HostStage::Failed { why: why.clone() });
            }
            HostAnswer::Unreachable { why } | HostAnswer::Unknown { why } => {
                self.set(at, host, HostStage::Unreachable { why: why.clone() });
            }
        }
    }

    fn stepped(&mut self, at: Timestamp, host: &HostName, answer: &StepAnswer) {
        let report = match answer {
            StepAnswer::Report { report } => report,
            StepAnswer::Refused { refusal } => return self.refused(refusal),
            StepAnswer::NotSent { .. } | StepAnswer::Unknown { .. } => return,
        };
        match &report.state {
            StepState::AwaitingConfirm { .. } => self.set(at, host, HostStage::Proving),
            StepState::Failed { why, log, .. } => {
                self.set(at, host, HostStage::Failed { why: why.clone() });
                if let Some(part) = self.part(host) {
                    part.log.clone_from(log);
                }
            }
            StepState::Undone { why } | StepState::Lost { why } => {
                self.set(at, host, HostStage::Failed { why: why.clone() });
            }
            // The events that follow say what these amount to.
            StepState::Running { .. }
            | StepState::Done
            | StepState::Ended { .. }
            | StepState::Sealed
            | StepState::NeverSeen => {}
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        let Refusal::Quarantined { release, reason } = refusal else { return };
        let reason = Reason::Quarantined { release: *release, why: reason.clone() };
        if !self.refused.contains(&reason) {
            self.refused.push(reason);
        }
    }

    fn part(&mut self, host: &HostName) -> Option<&mut RolloutHost> {
        self.hosts.get_mut(*self.places.get(host)?)
    }

    fn set(&mut self, at: Timestamp, host: &HostName, stage: HostStage) {
        if let Some(part) = self.part(host) {
            part.stage = stage;
            part.since = at;
        }
    }
}
