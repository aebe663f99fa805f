//! Lesser acts on a fleet: look, lock, quarantine, name the keeper.

use std::sync::Arc;

use friday_wire::{Fault, HostName, Quarantined};

use super::gate::{facts, lease};
use super::{View, once, round};
use crate::fleet::Truth;
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::finding::Fact;
use crate::journal::intent::{Intent, MemberChange};
use crate::journal::round::RoundAsk;
use crate::reason::Reason;
use crate::rollout::plan::PlannedHost;
use crate::rollout::run::{Phase, Rollout, Round};

/// The next step of an act that is not in a round.
pub fn advance(view: View<'_>) -> Vec<Event> {
    match view.rollout.phase {
        // Nobody is asked: that is what it says.
        Phase::Begun if matches!(change(view), Some(MemberChange::Forget { .. })) => {
            vec![view.end(End::Done)]
        }
        Phase::Begun => vec![round::begin(view, RoundAsk::Read, view.all())],
        Phase::Asking(_)
        | Phase::Working { .. }
        | Phase::Wave
        | Phase::Soak { .. }
        | Phase::Bake { .. }
        | Phase::GoingBack { .. }
        | Phase::Held
        | Phase::Ended { .. } => Vec::new(),
    }
}

/// Only looked: notes what the journal lacks.
pub fn looked(view: View<'_>) -> Vec<Event> {
    let truth = Truth::merge(view.rollout.reads.values().map(Arc::as_ref));
    let mut events = facts(view, &truth);
    events.extend(over_elsewhere(view, &truth));
    events.push(view.end(End::Done));
    events
}

/// Rollouts that this journal still holds open and that hosts say are closed: another laptop took
/// them back, or went on with them; or this one closed them everywhere, and died before it noted that.
/// One that its own driver closed on some hosts only is not over: it has to finish that, and a host
/// that was not heard may be the one that was not told.
fn over_elsewhere(view: View<'_>, truth: &Truth) -> Vec<Event> {
    let heads = || view.rollout.reads.values();
    let is_over = |other: &Rollout| {
        let open = truth.open.as_ref().is_some_and(|found| found.open.id == other.id);
        let told = |host: &PlannedHost| {
            let head = view.rollout.reads.get(&host.name);
            head.is_some_and(|head| {
                head.rollout.as_ref().is_none_or(|stamped| stamped.value.id != other.id)
            })
        };
        let told_all = || other.fleet().hosts.iter().all(told);
        let closed = heads().filter_map(|head| head.closed.as_ref()).any(|closed| {
            other.fence.as_ref().is_some_and(|fence| closed.fence > *fence)
                || (closed.value == other.id && told_all())
        });
        other.bound.is_some() && !open && closed
    };
    let Some(by) = truth.fence.clone() else { return Vec::new() };
    view.state
        .abandoned()
        .filter(|other| is_over(other))
        .flat_map(|other| {
            let rollout = other.id.clone();
            [
                Event::Observed {
                    fact: Fact::Superseded { rollout: rollout.clone(), by: by.clone() },
                },
                Event::RolloutEnded { rollout, end: End::Fenced { by: by.clone() } },
            ]
        })
        .collect()
}

/// Decides from the answers to the own raise. The lease keeps it from cutting into a running push.
pub fn raised(view: View<'_>, raised: &Round) -> Vec<Event> {
    let truth = Truth::merge(view.rollout.heads.values().map(Arc::as_ref));
    let mut events = facts(view, &truth);
    if let Some(reason) = rivalry(view) {
        events.extend(view.wind_up(End::Refused { reasons: vec![reason] }));
        return events;
    }
    if let Some(reason) = lease(view, raised).refuses
        && !may_pass(view, &reason)
    {
        let end = match reason {
            Reason::Unreachable { .. } => End::Unreachable { reasons: vec![reason] },
            _ => End::Refused { reasons: vec![reason] },
        };
        events.push(view.end(end));
        return events;
    }
    if let Intent::Once { process, host, dead, .. } = &*view.rollout.intent {
        events.extend(once::moves(view, process, host, dead));
        return events;
    }
    if let Intent::Quarantine { release, active: true, .. } = &*view.rollout.intent
        && truth.stable == Some(*release)
    {
        let reasons = vec![Reason::IsStable { release: *release }];
        events.extend(view.wind_up(End::Refused { reasons }));
        return events;
    }
    if let Intent::Quarantine { release, active, reason, .. } = &*view.rollout.intent
        && let Some(fence) = view.rollout.fence.clone()
    {
        let tree = view.state.releases.get(release).map(|known| known.tree);
        let entry = Quarantined { fence, tree, reason: reason.clone(), active: *active };
        events.push(Event::Observed {
            fact: Fact::Quarantine { entries: [(*release, entry)].into() },
        });
    }
    if let Some(change) = change(view) {
        events.extend(change_member(view, &truth, change));
        return events;
    }
    events.push(match &*view.rollout.intent {
        // One host goes first: what keeps it from answering keeps the others from being tried.
        Intent::Upgrade { .. } => round::begin(view, RoundAsk::Upgrade, first_of(view.answering())),
        _ => round::begin(view, RoundAsk::Act, view.answering()),
    });
    events
}

fn change(view: View<'_>) -> Option<&MemberChange> {
    match &*view.rollout.intent {
        Intent::Members { change, .. } => Some(change),
        _ => None,
    }
}

/// Only where nothing is under way: a rollout knows its hosts from its beginning to its end.
fn change_member(view: View<'_>, truth: &Truth, change: &MemberChange) -> Vec<Event> {
    let refuse = |reason| view.wind_up(End::Refused { reasons: vec![reason] });
    if let Some(found) = &truth.open {
        let kind = super::gate::kind_of(found).to_owned();
        return refuse(Reason::RolloutOpen { rollout: found.open.id.clone(), kind });
    }
    let (host, ask) = match change {
        MemberChange::Remove { host } if view.rollout.keeper_host() == *host => {
            return refuse(Reason::IsKeeper { host: host.clone() });
        }
        MemberChange::Remove { host } => (host, RoundAsk::Leave),
        MemberChange::Rename { to, .. } => (to, RoundAsk::Rename),
        MemberChange::Forget { .. } => return Vec::new(),
    };
    if let Some(reason) = too_old(view) {
        return refuse(reason);
    }
    if !view.rollout.heads.contains_key(host) {
        let why = "it did not answer the raise".to_owned();
        let reasons = vec![Reason::Unreachable { host: host.clone(), why }];
        return view.wind_up(End::Unreachable { reasons });
    }
    vec![round::begin(view, ask, vec![host.clone()])]
}

/// What the read says of a host whose program knows no members: nothing is raised then, for a raise under
/// a name that no host takes would leave that name, as the keeper's, on hosts that know none.
pub fn too_old(view: View<'_>) -> Option<Reason> {
    let host = match change(view)? {
        MemberChange::Remove { host } => host,
        MemberChange::Rename { to, .. } => to,
        MemberChange::Forget { .. } => return None,
    };
    let version = view.rollout.seen.get(host)?.facts.wire;
    (version < friday_wire::WIRE_MEMBERS).then(|| Reason::HostProgramOld { host: host.clone() })
}

/// It left, or has its new name; a keeper's new name is told to all.
pub fn member_changed(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let failed: Vec<Reason> = round::not_ok(done)
        .map(|(host, why)| Reason::HostFailed { host: host.clone(), why, fault: Fault::Release })
        .collect();
    if !failed.is_empty() {
        return view.wind_up(End::NotSwitched { reasons: failed });
    }
    match change(view) {
        Some(MemberChange::Rename { from, .. }) if view.rollout.keeper().0 == *from => {
            vec![round::begin(view, RoundAsk::Act, view.answering())]
        }
        _ => view.wind_up(End::Done),
    }
}

fn first_of(hosts: Vec<HostName>) -> Vec<HostName> {
    hosts.into_iter().rev().take(1).collect()
}

/// friday-host was replaced on one host, or on all.
pub fn upgraded(view: View<'_>, done: &Round) -> Vec<Event> {
    let failed: Vec<Reason> = round::not_ok(done)
        .map(|(host, why)| Reason::HostFailed { host: host.clone(), why, fault: Fault::Release })
        .collect();
    if !failed.is_empty() {
        return view.wind_up(End::NotSwitched { reasons: failed });
    }
    let left: Vec<HostName> =
        view.answering().into_iter().filter(|host| !done.asks(host)).collect();
    let was_first = first_of(view.answering()).iter().all(|host| done.asks(host));
    if was_first && !left.is_empty() {
        return vec![round::begin(view, RoundAsk::Upgrade, left)];
    }
    view.wind_up(End::Done)
}

/// Naming a keeper where hosts know two of equal standing needs a proven person: only one of them can be asked
/// for the lease, and a push may run under the other's.
fn rivalry(view: View<'_>) -> Option<Reason> {
    let Intent::Keeper { proven: None, .. } = &*view.rollout.intent else { return None };
    let rival = view.rollout.rival_keeper()?;
    Some(Reason::TwoKeepers { one: view.rollout.keeper().0, other: rival })
}

/// Naming another keeper where the old one does not answer needs a proven person.
fn may_pass(view: View<'_>, reason: &Reason) -> bool {
    let Intent::Keeper { proven, .. } = &*view.rollout.intent else { return false };
    match reason {
        Reason::Unreachable { .. } => proven.is_some() && !view.rollout.heads.is_empty(),
        _ => false,
    }
}

/// Stored by those who answered; of fleet-wide values the highest fence's holds, so one is enough.
pub fn acted(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    if let Intent::Once { host, .. } = &*view.rollout.intent {
        return once::moved(view, host, done);
    }
    let stored: Vec<HostName> = round::answers(done).cloned().collect();
    if stored.is_empty() {
        return vec![view.end(End::Unreachable { reasons: round::unreachable(done) })];
    }
    view.wind_up(End::Done)
}
