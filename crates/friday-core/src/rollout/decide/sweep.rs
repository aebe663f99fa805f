//! A sweep: makes every host what the fleet's truth says, where nobody else is at work.

use std::sync::Arc;

use friday_wire::{Head, HostName, Migration, OpenRollout, RolloutKind};

use super::gate::{facts, kind_of};
use super::{View, rollback, round};
use crate::fleet::Truth;
use crate::journal::Event;
use crate::journal::event::{End, RoundAsk, Work};
use crate::reason::Reason;
use crate::rollout::run::{HostState, Phase, Round};

/// The next step of a sweep that is not in a round.
pub fn advance(view: View<'_>) -> Vec<Event> {
    match &view.rollout.phase {
        Phase::Begun => vec![round::begin(view, RoundAsk::Read, view.all())],
        Phase::Working { work: Work::Back, .. } => rollback::back(view),
        Phase::Working { .. }
        | Phase::Asking(_)
        | Phase::Wave
        | Phase::Soak { .. }
        | Phase::Bake { .. }
        | Phase::GoingBack { .. }
        | Phase::Held
        | Phase::Ended { .. } => Vec::new(),
    }
}

/// Decides from the answers to the own raise.
pub fn raised(view: View<'_>, raised: &Round) -> Vec<Event> {
    let truth = Truth::merge(view.rollout.heads.values().map(Arc::as_ref));
    let mut events = facts(view, &truth);
    if let Some(found) = &truth.open
        && found.open.kind != RolloutKind::Sweep
    {
        let reason =
            Reason::RolloutOpen { rollout: found.open.id.clone(), kind: kind_of(found).to_owned() };
        events.push(view.end(End::Refused { reasons: vec![reason] }));
        return events;
    }
    let drifting: Vec<HostName> = drifting(view, &truth);
    let silent: Vec<(HostName, String)> =
        round::not_ok(raised).map(|(host, why)| (host.clone(), why)).collect();
    if drifting.is_empty() {
        let hosts: Vec<HostName> = silent.into_iter().map(|(host, _)| host).collect();
        events.push(view.end(if hosts.is_empty() { End::Converged } else { End::Owed { hosts } }));
        return events;
    }
    let open = OpenRollout {
        id: view.id(),
        kind: RolloutKind::Sweep,
        release: truth.stable,
        returns_to: truth.stable,
        leaves: None,
        migration: Migration::NotBegun,
    };
    events.push(Event::RolloutBound { rollout: view.id(), open });
    events.extend(silent.into_iter().map(|(host, why)| rollback::gone(view, &host, why)));
    let right = view.answering().into_iter().filter(|host| !drifting.contains(host));
    events.extend(right.map(|host| Event::HostDone { rollout: view.id(), host }));
    events.push(round::begin(view, RoundAsk::Open, drifting));
    events
}

fn drifting(view: View<'_>, truth: &Truth) -> Vec<HostName> {
    let drifts = |head: &Arc<Head>| truth.drift(head).is_some();
    view.answering()
        .into_iter()
        .filter(|host| view.rollout.heads.get(host).is_some_and(drifts))
        .collect()
}

/// After open, quarantine, look, ship and stage.
pub fn prepared(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let mut events: Vec<Event> =
        round::not_ok(done).map(|(host, why)| rollback::gone(view, host, why)).collect();
    let on: Vec<HostName> = round::answers(done).cloned().collect();
    if on.is_empty() {
        events.extend(back_or_close(view));
        return events;
    }
    events.push(match done.ask {
        RoundAsk::Open => round::begin(view, RoundAsk::Quarantine, on),
        RoundAsk::Quarantine => round::begin(view, RoundAsk::Look, on),
        RoundAsk::Ship => round::begin(view, RoundAsk::Stage, on),
        RoundAsk::Stage => round::begin(view, RoundAsk::Look, on),
        _ => return after_look(view, events),
    });
    events
}

/// Hosts that lack the release get it first.
fn after_look(view: View<'_>, mut events: Vec<Event>) -> Vec<Event> {
    let target = view.rollout.bound.as_ref().and_then(|open| open.release);
    let lacks = |host: &HostName| {
        view.rollout
            .seen
            .get(host)
            .is_some_and(|seen| target.is_some_and(|target| !seen.head.held.contains(&target)))
    };
    let waiting = view.rollout.hosts_where(|at| *at == HostState::Waiting);
    let lacking: Vec<HostName> = waiting.into_iter().filter(lacks).collect();
    // A host that still lacks it after it was shipped is left to the next sweep, by `back`.
    let shipped = view.rollout.rounds > ROUNDS_WITHOUT_SHIPPING;
    if lacking.is_empty() || shipped {
        events.extend(back_or_close(view));
    } else {
        events.push(round::begin(view, RoundAsk::Ship, lacking));
    }
    events
}

/// Read, raise, open, quarantine, look.
const ROUNDS_WITHOUT_SHIPPING: u32 = 5;

fn back_or_close(view: View<'_>) -> Vec<Event> {
    let allowance = view.rollout.fleet().progress_deadline_ms;
    let deadline = view.now.plus_ms(allowance);
    vec![Event::WorkBegun { rollout: view.id(), work: Work::Back, deadline }]
}
