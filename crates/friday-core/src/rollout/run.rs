//! A rollout as the fold knows it.
//!
//! A copy of it is made for every input, to decide on; so whatever is as long as the fleet is shared.

pub mod host;
pub mod hosts;
pub mod invariants;
pub mod round;

use std::collections::BTreeMap;
use std::sync::Arc;

use friday_wire::data::RestorePoint;
use friday_wire::{
    DatabaseName, Fence, Head, HostName, Migration, Observation, OpenRollout, ProcessName,
    ReleaseId, RolloutId, StartId,
};

use super::plan::{FleetPlan, MigrationBack, MigrationPlan, PlannedHost};
use crate::journal::event::End;
use crate::journal::finding::{Gate, GateResult};
use crate::journal::intent::{Intent, MemberChange};
use crate::journal::round::{RoundAsk, Work};
use crate::reason::Reason;
use crate::shared::{SharedMap, SharedSet, walked};
use crate::time::Timestamp;
pub use host::{HostRun, HostState, Pace, Part, Probed, Stopped, WatcherKey};
pub use hosts::Hosts;
pub use invariants::{InvariantState, InvariantsSaid};
pub use round::Round;

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
    pub reads: SharedMap<HostName, Arc<Head>>,
    /// Heads as answered to the own raise: what decisions are made from.
    pub heads: SharedMap<HostName, Arc<Head>>,
    /// Observations under the own fence.
    pub seen: SharedMap<HostName, Arc<Observation>>,
    /// Hosts that built the release in this rollout.
    pub refilled: SharedSet<HostName>,
    /// As hosts store it.
    pub bound: Option<OpenRollout>,
    /// The hosts that run the once processes of a push.
    pub once: BTreeMap<ProcessName, HostName>,
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
    /// How far the present hook of a wave came.
    pub hook_wave: HookState,
    /// The way back as a rehearsal left it, where one decided.
    pub way_back: Option<Arc<WayBack>>,
    /// The restore points of guarded databases, where any was asked for.
    pub points: BTreeMap<DatabaseName, Point>,
    /// The invariants of guarded databases, where any was judged.
    pub invariants: BTreeMap<DatabaseName, InvariantState>,
    /// The wave at work or last done; 0 before the first.
    pub wave: u32,
    /// Whether that wave soaks (again) before the next one begins.
    pub soaked: Soaked,
    /// The hosts of that wave.
    pub wave_hosts: Arc<Vec<HostName>>,
    /// How many of them, counted from the first, have had their turn.
    pub wave_next: usize,
    /// Whether a host of this phase was ordered within the budget.
    pub drained: Drained,
    /// The bake has ended well: a resumed push need not bake again.
    pub baked: Baked,
    /// Per host.
    pub hosts: Hosts,
    /// Gates as judged.
    pub gates: Vec<(Gate, GateResult, String)>,
    /// Why it holds, what it failed of, or why hosts would not go back.
    pub reasons: Arc<Vec<Reason>>,
    /// How it will end, once what is left is put away.
    pub ending: Option<Arc<End>>,
    /// The last thing that moved it.
    pub moved_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A push's way back, as a rehearsal left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// The database that it was rehearsed on.
    pub database: DatabaseName,
    /// It.
    pub back: MigrationBack,
    /// The verdict and what proved it.
    pub says: String,
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

/// Whether a host was ordered within the budget since its wave began, or since hosts began to go back.
/// Those that need no budget are ordered before, so nobody need look for them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Not yet.
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

/// How far a restore point came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// Asked for, and nobody knows what came of it, so many times.
    Unknown(u32),
    /// Made, and safe.
    Made(RestorePoint),
    /// There is none.
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
                RoundAsk::Leave => "leaving the fleet",
                RoundAsk::Rename => "taking another name",
            },
            Self::Working { work, .. } => match work {
                Work::Sweep => "sweeping first",
                Work::HookBefore => "hook before",
                Work::StopAll => "stopping every host",
                Work::Migrate => "migrating",
                Work::MigrateBack => "migrating back",
                Work::Back => "hosts go back",
                Work::HookAfter => "hook after",
                Work::HookBeforeWave => "hook before a wave",
                Work::HookAfterWave => "hook after a wave",
                Work::RestorePoints => "making restore points",
                Work::JudgeBefore => "judging before",
                Work::JudgeMigrated => "judging after the migration",
                Work::JudgeWave => "judging after a soak",
                Work::JudgeAfter => "judging after the bake",
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
            (
                Some(known),
                Intent::Sweep { .. } | Intent::Keeper { .. } | Intent::Members { .. },
            ) => (known.value.clone(), Some(known.fence.clone())),
            (Some(known), _) if known.value == *configured => {
                (configured.clone(), Some(known.fence.clone()))
            }
            (Some(_) | None, _) => (configured.clone(), None),
        }
    }

    /// The keeper to raise one host with: the rollout's, but where the act that names a keeper finds hosts that
    /// know two of equal standing, each is told the one it knows, or it would refuse the act that mends it.
    pub fn keeper_for(&self, host: &HostName, of_round: &(HostName, Option<Fence>)) -> HostName {
        let own = self.reads.get(host).and_then(|head| head.keeper.as_ref());
        match (&*self.intent, own) {
            (Intent::Keeper { .. }, Some(own)) if Some(&own.fence) == of_round.1.as_ref() => {
                own.value.clone()
            }
            _ => of_round.0.clone(),
        }
    }

    /// Another keeper that hosts know under the very fence of the one that this rollout goes by. Raises
    /// leave such names, where a host that was empty heard of one that the others had not been told.
    pub fn rival_keeper(&self) -> Option<HostName> {
        let (keeper, fence) = self.keeper();
        let known = self.reads.values().chain(self.heads.values());
        let mut rivals = known.filter_map(|head| head.keeper.as_ref());
        rivals
            .find(|known| Some(&known.fence) == fence.as_ref() && known.value != keeper)
            .map(|known| known.value.clone())
    }

    /// The host that the keeper's name means: where that one is being renamed, its new name.
    pub fn host_of_keeper(&self, keeper: &HostName) -> HostName {
        match &*self.intent {
            Intent::Members { change: MemberChange::Rename { from, to }, .. } if from == keeper => {
                to.clone()
            }
            _ => keeper.clone(),
        }
    }

    /// The host that keeps the lease, as the plan names it.
    pub fn keeper_host(&self) -> HostName {
        self.host_of_keeper(&self.keeper().0)
    }

    /// Whether a host takes part: all do, but in a push that names some.
    pub fn takes(&self, host: &HostName) -> bool {
        match &*self.intent {
            Intent::Push { plan } if !plan.only.is_empty() => {
                self.hosts.get(host).is_some_and(|run| run.part == Part::Takes)
            }
            _ => true,
        }
    }

    /// How many hosts take part.
    pub fn size(&self) -> usize {
        match &*self.intent {
            Intent::Push { plan } if !plan.only.is_empty() => plan.only.len(),
            _ => self.hosts.len(),
        }
    }

    /// One planned host.
    pub fn planned(&self, host: &HostName) -> Option<&PlannedHost> {
        self.fleet().hosts.get(self.hosts.get(host)?.place)
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

    /// Hosts that are in a state. Asks all of them: not for what happens with every event.
    pub fn hosts_where(&self, test: impl Fn(&HostState) -> bool) -> Vec<HostName> {
        self.hosts.iter().filter(|(_, run)| test(&run.at)).map(|(host, _)| host.clone()).collect()
    }

    /// Hosts of the wave whose turn has not come, in its order. May go through all that are left of it:
    /// take only as many as there is room for.
    pub fn waiting_in_wave(&self) -> impl Iterator<Item = &HostName> {
        let waits =
            |host: &&HostName| self.hosts.get(host).is_some_and(|run| run.at == HostState::Waiting);
        walked::count(self.wave_hosts.iter().skip(self.wave_next)).filter(waits)
    }

    /// Whether any host was ever ordered to switch or stop.
    pub fn has_switched(&self) -> bool {
        self.hosts
            .values()
            .any(|run| run.attempts > 0 || run.stops > 0 || run.at == HostState::Done)
    }

    /// How often a restore point was asked for in vain since its turn came.
    pub fn asked_for_point(&self, database: &DatabaseName) -> u32 {
        match self.points.get(database) {
            Some(Point::Unknown(times)) => *times,
            Some(Point::Made(_) | Point::Failed(_)) | None => 0,
        }
    }

    /// Whether every host is being stopped now.
    pub fn stops_all(&self) -> bool {
        matches!(self.phase, Phase::Working { work: Work::StopAll, .. })
    }

    /// A push's migration, with the way back that holds: the declared one, or what a rehearsal left of it.
    pub fn migration_plan(&self) -> Option<MigrationPlan> {
        let Intent::Push { plan } = &*self.intent else { return None };
        let mut migration = plan.migration.clone()?;
        if let Some(decided) = &self.way_back {
            migration.back = decided.back.clone();
        }
        Some(migration)
    }

    /// Whether nothing of a push may go back by itself: a one-way migration began, or hosts run a release
    /// that a rehearsal showed to be one-way without a migration.
    pub fn forbids_automatic_return(&self) -> bool {
        let Intent::Push { plan } = &*self.intent else {
            return self.migration.forbids_automatic_return();
        };
        let barred =
            self.way_back.as_ref().is_some_and(|decided| decided.back == MigrationBack::OneWay);
        self.migration.forbids_automatic_return()
            || (barred && plan.migration.is_none() && self.has_switched())
    }

    /// Whether a host stays stopped until it is switched: taking it out of rotation costs nothing.
    pub fn is_down(&self, host: &HostName) -> bool {
        let stopped = self.hosts.get(host).is_some_and(|run| run.stopped == Stopped::Yes);
        stopped && self.migration.forbids_automatic_return()
    }
}
