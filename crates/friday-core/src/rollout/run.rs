//! A rollout as the fold knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use friday_wire::{
    Fence, Head, HostName, Migration, Nonce, Observation, OpenRollout, ReleaseId, RolloutId,
    StartId, Witness,
};

use super::plan::{FleetPlan, PlannedHost};
use crate::journal::event::{End, Gate, GateResult, HostAnswer, Intent, RoundAsk, Watcher, Work};
use crate::reason::Reason;
use crate::time::Timestamp;

/// One rollout, or a lesser act on the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// What it is to do.
    pub intent: Arc<Intent>,
    /// The push it takes back or puts hosts right for.
    pub because_of: Option<RolloutId>,
    /// When it was asked for.
    pub begun_at: Timestamp,
    /// The start of the driver that drives it. Nothing is owed under another.
    pub start: StartId,
    /// Where it is.
    pub phase: Phase,
    /// When the phase began.
    pub phase_since: Timestamp,
    /// The round of this phase, if it has one.
    pub round: Option<Round>,
    /// Rounds begun so far.
    pub rounds: u32,
    /// The fence, once chosen.
    pub fence: Option<Fence>,
    /// Heads as read before the raise.
    pub reads: BTreeMap<HostName, Arc<Head>>,
    /// Heads as answered to the own raise: what decisions are made from.
    pub heads: BTreeMap<HostName, Arc<Head>>,
    /// Observations under the own fence.
    pub seen: BTreeMap<HostName, Arc<Observation>>,
    /// Hosts that built the release in this rollout.
    pub refilled: BTreeSet<HostName>,
    /// As hosts store it.
    pub bound: Option<OpenRollout>,
    /// How far the migration came.
    pub migration: Migration,
    /// Hosts were put right for this push already.
    pub swept: Swept,
    /// The command that undoes the migration.
    pub migrated_back: HookState,
    /// The hook before the first wave ended well.
    pub hook_before: HookState,
    /// The hook after the bake ended.
    pub hook_after: HookState,
    /// The wave at work or last done; 0 before the first.
    pub wave: u32,
    /// Whether that wave soaks (again) before the next one begins.
    pub soaked: Soaked,
    /// The hosts of that wave.
    pub wave_hosts: Vec<HostName>,
    /// The bake has ended well: a resumed push need not bake again.
    pub baked: Baked,
    /// Per host.
    pub hosts: BTreeMap<HostName, HostRun>,
    /// Gates as judged.
    pub gates: Vec<(Gate, GateResult, String)>,
    /// Why it holds, or what it failed of.
    pub reasons: Vec<Reason>,
    /// How it will end, once what is left is put away.
    pub ending: Option<End>,
    /// The last thing that moved it.
    pub moved_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Whether the sweep before a push was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// Not yet.
    No,
    /// Yes.
    Yes,
}

/// Whether the last wave has soaked to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soaked {
    /// Not yet, or a driver died in it.
    No,
    /// Yes.
    Yes,
}

/// Whether the bake has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baked {
    /// Not yet.
    No,
    /// Yes.
    Yes,
}

/// How far a hook came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookState {
    /// Not run.
    Waiting,
    /// Ran and ended well.
    Done,
    /// Ran and failed.
    Failed(String),
}

/// Where a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Asked for; the first round comes next.
    Begun,
    /// All hosts are asked the same; the round says what.
    Asking(RoundAsk),
    /// At work on something that is no round.
    Working {
        /// What.
        work: Work,
        /// When it must have ended.
        deadline: Timestamp,
    },
    /// A wave's hosts are switched.
    Wave,
    /// Nothing new starts.
    Soak {
        /// Until when.
        until: Timestamp,
    },
    /// All are switched.
    Bake {
        /// Until when.
        until: Timestamp,
    },
    /// A rollback takes the push back.
    GoingBack {
        /// Which.
        by: RolloutId,
    },
    /// Waits for a person.
    Held,
    /// Over.
    Ended {
        /// How.
        end: End,
    },
}

/// All hosts are asked the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Counts from 1 within the rollout.
    pub number: u32,
    /// What.
    pub ask: RoundAsk,
    /// Whom, and what they answered.
    pub answers: BTreeMap<HostName, Option<HostAnswer>>,
    /// When the silent ones count as unreachable.
    pub deadline: Timestamp,
    /// The journal when it was begun, for hosts to keep.
    pub witness: Option<Witness>,
    /// The keeper as known when it was begun, and its fence: every host of a round is asked the same,
    /// whatever the first answers say.
    pub keeper: (HostName, Option<Fence>),
}

impl Phase {
    /// Its name, as in the drawing of the state machine.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Asking(ask) => match ask {
                RoundAsk::Read => "reading",
                RoundAsk::Raise => "raising",
                RoundAsk::RaiseWave => "raising before a wave",
                RoundAsk::Open => "opening",
                RoundAsk::Ship => "shipping",
                RoundAsk::Stage => "staging",
                RoundAsk::MigrationBegins => "storing that the migration begins",
                RoundAsk::MigrationEnds => "storing how the migration ended",
                RoundAsk::Look => "looking",
                RoundAsk::Quarantine => "quarantining",
                RoundAsk::Act => "acting",
                RoundAsk::Upgrade => "upgrading friday-host",
                RoundAsk::Observe => "observing",
                RoundAsk::Close => "closing",
                RoundAsk::Release => "releasing the lease",
            },
            Self::Working { work, .. } => match work {
                Work::Sweep => "sweeping first",
                Work::HookBefore => "hook before",
                Work::StopAll => "stopping every host",
                Work::Migrate => "migrating",
                Work::MigrateBack => "migrating back",
                Work::Back => "hosts go back",
                Work::HookAfter => "hook after",
            },
            Self::Wave => "wave",
            Self::Soak { .. } => "soak",
            Self::Bake { .. } => "bake",
            Self::GoingBack { .. } => "going back",
            Self::Held => "held",
            Self::Ended { .. } => "ended",
        }
    }
}

impl Round {
    /// Whether every host answered.
    pub fn is_complete(&self) -> bool {
        self.answers.values().all(Option::is_some)
    }

    /// Hosts that have not.
    pub fn silent(&self) -> impl Iterator<Item = &HostName> {
        self.answers.iter().filter(|(_, answer)| answer.is_none()).map(|(host, _)| host)
    }
}

/// One host in a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRun {
    /// Where it is.
    pub at: HostState,
    /// Switches or backs ordered so far: the attempt of the last one.
    pub attempts: u32,
    /// Stops ordered so far: the attempt of the last one.
    pub stops: u32,
    /// Whether it was stopped for the migration and not switched since.
    pub stopped: Stopped,
    /// Health as watched: who found it sick, and why.
    pub sick: BTreeMap<WatcherKey, String>,
}

/// Whether a host was stopped for the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// No.
    No,
    /// Nothing was left running. It starts its old release again by itself, unless the migration is
    /// one-way.
    Yes,
}

/// [`Watcher`], ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatcherKey {
    /// The host.
    Host,
    /// The outside probe.
    Outside,
}

impl From<Watcher> for WatcherKey {
    fn from(watcher: Watcher) -> Self {
        match watcher {
            Watcher::Host => Self::Host,
            Watcher::Outside => Self::Outside,
        }
    }
}

/// Where a host is in its rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostState {
    /// Not its turn yet.
    Waiting,
    /// A switch, a back or a stop was ordered.
    Ordered {
        /// When it must have ended.
        deadline: Timestamp,
        /// A back without drain: costs nobody's budget.
        pace: Pace,
    },
    /// Nobody knows what came of the order: it is observed, and sealed.
    Looking {
        /// When friday stops looking.
        deadline: Timestamp,
        /// As ordered.
        pace: Pace,
    },
    /// Switched, awaiting its confirm: the outside probe runs.
    Proving {
        /// For the confirm.
        nonce: Nonce,
        /// When the host will have undone it alone.
        deadline: Timestamp,
    },
    /// The confirm is under way.
    Confirming {
        /// For the confirm.
        nonce: Nonce,
        /// As above.
        deadline: Timestamp,
    },
    /// As it should be.
    Done,
    /// It failed, and why.
    Failed {
        /// One sentence.
        why: String,
    },
    /// It cannot be reached.
    Gone {
        /// One sentence.
        why: String,
    },
}

/// Whether an order takes a serving host out of rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It does, and counts against the budget.
    Drained,
    /// It does not matter: it did not serve, or need not be drained.
    AtOnce,
}

impl HostState {
    /// Whether an order is under way.
    pub fn is_in_flight(&self) -> bool {
        match self {
            Self::Ordered { .. }
            | Self::Looking { .. }
            | Self::Proving { .. }
            | Self::Confirming { .. } => true,
            Self::Waiting | Self::Done | Self::Failed { .. } | Self::Gone { .. } => false,
        }
    }
}

impl Rollout {
    /// The hosts and how they are treated.
    pub fn fleet(&self) -> &FleetPlan {
        self.intent.fleet()
    }

    /// The keeper to raise with, and the fence it was found written under. A push and the lesser acts
    /// name the configuration's, and are refused if hosts know another; a sweep, and the act that
    /// names another keeper, go by what hosts know.
    pub fn keeper(&self) -> (HostName, Option<Fence>) {
        let configured = &self.fleet().keeper;
        let heads = self.reads.values().chain(self.heads.values());
        let known =
            heads.filter_map(|head| head.keeper.as_ref()).max_by(|a, b| a.fence.cmp(&b.fence));
        match (known, &*self.intent) {
            (Some(known), Intent::Sweep { .. } | Intent::Keeper { .. }) => {
                (known.value.clone(), Some(known.fence.clone()))
            }
            (Some(known), _) if known.value == *configured => {
                (configured.clone(), Some(known.fence.clone()))
            }
            (Some(_) | None, _) => (configured.clone(), None),
        }
    }

    /// One planned host.
    pub fn planned(&self, host: &HostName) -> Option<&PlannedHost> {
        self.fleet().hosts.iter().find(|planned| planned.name == *host)
    }

    /// Whether it is over.
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Ended { end } => Some(end),
            _ => None,
        }
    }

    /// The release it ships or goes back to.
    pub fn release(&self) -> Option<ReleaseId> {
        match &*self.intent {
            Intent::Push { plan } => Some(plan.release),
            _ => self.bound.as_ref().and_then(|open| open.release),
        }
    }

    /// Hosts that are in a state.
    pub fn hosts_where(&self, test: impl Fn(&HostState) -> bool) -> Vec<HostName> {
        self.hosts.iter().filter(|(_, run)| test(&run.at)).map(|(host, _)| host.clone()).collect()
    }

    /// Whether any host was ever ordered to switch or stop.
    pub fn has_switched(&self) -> bool {
        self.hosts
            .values()
            .any(|run| run.attempts > 0 || run.stops > 0 || run.at == HostState::Done)
    }

    /// Whether every host is being stopped now.
    pub fn stops_all(&self) -> bool {
        matches!(self.phase, Phase::Working { work: Work::StopAll, .. })
    }

    /// Whether a host stays stopped until it is switched: taking it out of rotation costs nothing.
    pub fn is_down(&self, host: &HostName) -> bool {
        let stopped = self.hosts.get(host).is_some_and(|run| run.stopped == Stopped::Yes);
        stopped && self.migration.forbids_automatic_return()
    }
}
