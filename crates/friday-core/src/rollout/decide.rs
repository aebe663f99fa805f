//! What comes next in a rollout. Reads state, produces events, changes nothing.
//!
//! [`advance`] is called again and again until it has nothing to add; each call gives the events of
//! one small decision. The flow of a push is in [`push`], [`stop_all`] and [`wave`], of a rollback in [`rollback`],
//! of a sweep in [`sweep`], of locks and the like in [`act`].

pub mod act;
pub mod gate;
pub mod judge;
mod once;
pub mod outcome;
pub mod push;
pub mod rehearsed;
pub mod restore_point;
pub mod rollback;
pub mod round;
pub mod stop_all;
pub mod sweep;
pub mod wave;

use std::sync::Arc;

use friday_wire::{DatabaseName, HostName, RolloutId, Streak};

use super::run::{Phase, Rollout};
use crate::fleet::Truth;
use crate::fleet::truth::merge_quarantine;
use crate::journal::Event;
use crate::journal::event::{End, Requested};
use crate::journal::intent::Intent;
use crate::journal::round::Work;
use crate::reason::Reason;
use crate::shared::{SharedMap, SharedSet};
use crate::state::State;
use crate::time::Timestamp;

/// What a driver remembers and need not: samples seen, renewals heard. Lost with the process; then
/// health is proven anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Samples of outside probes.
    pub streaks: SharedMap<(RolloutId, HostName), Streak>,
    /// Hosts to be proved whose samples pass: their turn comes with the next decision.
    pub passed: SharedSet<(RolloutId, HostName)>,
    /// Looks at a host that had no answer, in a row.
    pub silent: SharedMap<(RolloutId, HostName), u32>,
    /// Questions for a database's invariants that had no verdict, in a row.
    pub unjudged: SharedMap<(RolloutId, DatabaseName), u32>,
    /// When the lease was last prolonged.
    pub renewed: SharedMap<RolloutId, Timestamp>,
}

impl Memory {
    /// Hosts of a rollout whose samples pass.
    pub fn passed_in(&self, rollout: &RolloutId) -> impl Iterator<Item = &HostName> {
        let of_it = self.passed.iter().filter(move |(id, _)| id == rollout);
        of_it.map(|(_, host)| host)
    }
}

/// What decisions read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The fold.
    pub state: &'a State,
    /// The driver's memory.
    pub memory: &'a Memory,
    /// The rollout in question.
    pub rollout: &'a Rollout,
    /// The time that came in with the input.
    pub now: Timestamp,
}

/// The next small decision about a rollout, as events; none if it only waits.
pub fn advance(view: View<'_>) -> Vec<Event> {
    if let Phase::Asking(_) = view.rollout.phase {
        return round::advance(view);
    }
    match &*view.rollout.intent {
        Intent::Push { plan } => push::advance(view, plan),
        Intent::Rollback { .. } => rollback::advance(view),
        Intent::Sweep { .. } => sweep::advance(view),
        Intent::Lock { .. }
        | Intent::Quarantine { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => act::advance(view),
    }
}

/// When something happens by itself.
pub fn next_wakeup(view: View<'_>) -> Option<Timestamp> {
    let rollout = view.rollout;
    let phase = match &rollout.phase {
        Phase::Asking(_) => {
            rollout.round.as_ref().filter(|round| !round.is_complete()).map(|round| round.deadline)
        }
        // These end with what they wait for; a deadline that nobody looks at would wake for ever.
        Phase::Working { work: Work::Back | Work::Sweep, .. } => None,
        Phase::Working {
            work:
                Work::HookBefore
                | Work::HookAfter
                | Work::HookBeforeWave
                | Work::HookAfterWave
                | Work::RestorePoints,
            deadline,
        } => Some(push::hook_ends(*deadline)),
        Phase::Working { deadline, .. } => Some(*deadline),
        Phase::Soak { until } | Phase::Bake { until } => Some(*until),
        Phase::Wave => Some(rollout.moved_at.plus_ms(rollout.fleet().progress_deadline_ms)),
        Phase::Begun | Phase::GoingBack { .. } | Phase::Held | Phase::Ended { .. } => None,
    };
    // Elsewhere nobody looks at the hosts' deadlines, and a past one would wake the driver for ever.
    let hosts = match &rollout.phase {
        Phase::Wave | Phase::Working { work: Work::Back | Work::StopAll, .. } => {
            rollout.hosts.next_deadline()
        }
        Phase::Working { .. }
        | Phase::Asking(_)
        | Phase::Soak { .. }
        | Phase::Bake { .. }
        | Phase::Begun
        | Phase::GoingBack { .. }
        | Phase::Held
        | Phase::Ended { .. } => None,
    };
    // With a host in flight, a lost lease is looked at when that host has come to its end.
    let lease = wave::lease_ends(view).filter(|_| !rollout.hosts.any_in_flight());
    [phase, hosts, lease].into_iter().flatten().min()
}

impl View<'_> {
    /// The rollout's id, for an event.
    pub fn id(&self) -> RolloutId {
        self.rollout.id.clone()
    }

    /// The end, at once.
    pub fn end(&self, end: End) -> Event {
        Event::RolloutEnded { rollout: self.id(), end }
    }

    /// Holds for a person.
    pub fn hold(&self, reasons: Vec<Reason>) -> Vec<Event> {
        vec![Event::Held { rollout: self.id(), reasons }]
    }

    /// Decides the end, and begins to put away what is left.
    pub fn wind_up(&self, end: End) -> Vec<Event> {
        let hosts = self.answering();
        let mut events = vec![Event::EndDecided { rollout: self.id(), end: end.clone() }];
        if self.rollout.bound.is_some() && !hosts.is_empty() {
            events.push(round::begin(*self, crate::journal::round::RoundAsk::Close, hosts));
        } else if self.answers_keeper() {
            let keeper = vec![self.rollout.keeper_host()];
            events.push(round::begin(*self, crate::journal::round::RoundAsk::Release, keeper));
        } else {
            events.push(self.end(end));
        }
        events
    }

    /// What the heads answered to the own raise say together, and the releases that only this journal
    /// knows to be quarantined because no host could be told.
    pub fn truth(&self) -> Truth {
        let mut truth = Truth::merge(self.rollout.heads.values().map(Arc::as_ref));
        let known = self.state.quarantine_but(truth.stable);
        truth.quarantine = merge_quarantine([&truth.quarantine, &known].into_iter());
        truth
    }

    /// Hosts that answered the own raise.
    pub fn answering(&self) -> Vec<HostName> {
        self.rollout
            .fleet()
            .hosts
            .iter()
            .map(|host| &host.name)
            .filter(|host| self.rollout.heads.contains_key(*host))
            .cloned()
            .collect()
    }

    /// Whether the keeper answered the own raise.
    pub fn answers_keeper(&self) -> bool {
        self.rollout.heads.contains_key(&self.rollout.keeper_host())
    }

    /// Hosts that take part, of those that answered the own raise.
    pub fn answering_part(&self) -> Vec<HostName> {
        self.answering().into_iter().filter(|host| self.rollout.takes(host)).collect()
    }

    /// Whether somebody wants the running push held: then no further host starts.
    pub fn hold_is_asked(&self) -> bool {
        let is_hold = |request: &Requested| matches!(request, Requested::Hold { .. });
        self.state.requests.iter().any(|(_, _, request)| is_hold(request))
    }

    /// Every host of the fleet.
    pub fn all(&self) -> Vec<HostName> {
        self.rollout.fleet().hosts.iter().map(|host| host.name.clone()).collect()
    }
}
