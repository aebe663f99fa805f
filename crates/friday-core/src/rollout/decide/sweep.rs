//! A sweep: makes every host what the fleet's truth says, where nobody else is at work.

use friday_wire::{HostName, Migration, OpenRollout, RolloutKind};

use super::gate::{self, facts, kind_of};
use super::{View, outcome, rollback, round};
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::round::{RoundAsk, Work};
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
    let truth = view.truth();
    let mut events = facts(view, &truth);
    if let Some(found) = &truth.open
        && found.open.kind != RolloutKind::Sweep
    {
        let open =
            Reason::RolloutOpen { rollout: found.open.id.clone(), kind: kind_of(found).to_owned() };
        // The keeper's refusal says more: whoever holds the lease is at work on it.
        let reason = gate::lease(view, raised)
            .refuses
            .filter(|reason| matches!(reason, Reason::Leased { .. }))
            .unwrap_or(open);
        events.push(view.end(End::Refused { reasons: vec![reason] }));
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
    events.push(Event::RolloutBound { rollout: view.id(), open, once: Default::default() });
    events.extend(round::not_ok(raised).map(|(host, why)| rollback::gone(view, host, why)));
    events.push(round::begin(view, RoundAsk::Look, view.answering()));
    events
}

/// After look, open, quarantine, ship and stage.
pub fn prepared(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let mut events: Vec<Event> =
        round::not_ok(done).map(|(host, why)| rollback::gone(view, host, why)).collect();
    let on: Vec<HostName> = round::answers(done).cloned().collect();
    events.extend(match done.ask {
        RoundAsk::Look => after_look(view, done, &on),
        _ if on.is_empty() => begin_back(view),
        RoundAsk::Open => vec![round::begin(view, RoundAsk::Quarantine, on)],
        RoundAsk::Quarantine => refill(view, on),
        RoundAsk::Ship => vec![round::begin(view, RoundAsk::Stage, on)],
        _ => begin_back(view),
    });
    events
}

/// Hosts that are as they should be are done; the others are put right.
fn after_look(view: View<'_>, done: &Round, on: &[HostName]) -> Vec<Event> {
    let truth = view.truth();
    let drifts = |host: &&HostName| {
        let seen = view.rollout.seen.get(*host);
        seen.is_none_or(|seen| {
            let expected = seen.head.runs_apart().or(view.rollout.release());
            truth.drift(&seen.head).is_some() || outcome::unproven_of(expected, seen).is_some()
        })
    };
    let (drifting, right): (Vec<&HostName>, Vec<&HostName>) = on.iter().partition(drifts);
    let mut events: Vec<Event> = right
        .into_iter()
        .map(|host| Event::HostDone { rollout: view.id(), host: host.clone() })
        .collect();
    if !drifting.is_empty() {
        events.push(round::begin(view, RoundAsk::Open, drifting.into_iter().cloned().collect()));
        return events;
    }
    let mut left = view.rollout.hosts_where(|at| matches!(at, HostState::Gone { .. }));
    left.extend(round::not_ok(done).map(|(host, _)| host.clone()));
    let end = if left.is_empty() { End::Converged } else { End::Owed { hosts: left } };
    events.push(view.end(end));
    events
}

/// Hosts that lack the release get it first.
fn refill(view: View<'_>, on: Vec<HostName>) -> Vec<Event> {
    let target = view.rollout.bound.as_ref().and_then(|open| open.release);
    let lacks = |host: &HostName| {
        let seen = view.rollout.seen.get(host);
        seen.is_some_and(|seen| target.is_some_and(|target| !seen.head.held.contains(&target)))
    };
    let lacking: Vec<HostName> = on.into_iter().filter(lacks).collect();
    if lacking.is_empty() {
        return begin_back(view);
    }
    vec![round::begin(view, RoundAsk::Ship, lacking)]
}

fn begin_back(view: View<'_>) -> Vec<Event> {
    let allowance = view.rollout.fleet().progress_deadline_ms;
    let deadline = view.now.plus_ms(allowance);
    vec![Event::WorkBegun { rollout: view.id(), work: Work::Back, deadline }]
}
