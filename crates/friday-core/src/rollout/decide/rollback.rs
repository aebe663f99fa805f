//! A rollback: raises over pushes, goes back on every host it can reach, and says what is left.

use friday_wire::{
    Fault, HostName, OpenRollout, Quarantined, Refusal, ReleaseId, RolloutId, RolloutKind,
    StepState,
};

use super::gate::facts;
use super::{View, outcome, round, wave};
use crate::controller::input::{BackTo, Outcome};
use crate::fleet::Truth;
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::finding::Fact;
use crate::journal::intent::Intent;
use crate::journal::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use crate::reason::Reason;
use crate::rollout::budget::serves_well;
use crate::rollout::plan::MigrationBack;
use crate::rollout::run::{Drained, HookState, HostState, Pace, Phase, Round};

/// Orders that never arrived are given again this often.
const ATTEMPTS_MAX: u32 = 3;

/// The next step of a rollback that is not in a round.
pub fn advance(view: View<'_>) -> Vec<Event> {
    match &view.rollout.phase {
        Phase::Begun => begin(view),
        Phase::Working { work: Work::MigrateBack, deadline } => migrating_back(view, *deadline),
        Phase::Working { work: Work::Back, .. } => back(view),
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

/// friday's own rollback knows the highest fence: its push's. A person's reads first.
fn begin(view: View<'_>) -> Vec<Event> {
    let push = view.rollout.because_of.as_ref().and_then(|id| view.state.rollout(id));
    match push.filter(|push| push.start == view.rollout.start).and_then(|push| push.fence.as_ref())
    {
        Some(fence) => round::raise(view, fence.number + 1),
        None => vec![round::begin(view, RoundAsk::Read, view.all())],
    }
}

/// What a rollback will do, from the answers to its raise.
struct Bound {
    to: Option<ReleaseId>,
    leaves: Option<ReleaseId>,
    returns_to: Option<ReleaseId>,
}

/// Decides from the answers to the own raise.
pub fn raised(view: View<'_>, raised: &Round) -> Vec<Event> {
    let Intent::Rollback { to, automatic, quarantine, reason, .. } = &*view.rollout.intent else {
        return Vec::new();
    };
    let truth = view.truth();
    let mut events = facts(view, &truth);
    events.extend(superseded(view, &truth));
    if !still_open(view, &truth) {
        let by = truth.fence.unwrap_or_else(friday_wire::Fence::zero);
        events.push(view.end(End::Fenced { by }));
        return events;
    }
    let migration = truth.open.as_ref().map(|found| found.open.migration);
    let one_way = migration.is_some_and(friday_wire::Migration::forbids_automatic_return);
    let named = matches!(to, BackTo::Release { .. });
    // Going back to nothing leaves no old release that could not use the data, and an open rollback
    // was named by a person already.
    let begun = truth.open.as_ref().is_some_and(|found| found.open.kind == RolloutKind::Rollback);
    let needs_a_name =
        |bound: &Bound| one_way && (*automatic || (!named && !begun && bound.to.is_some()));
    let bound = bind(view, &truth, *to)
        .and_then(|bound| if needs_a_name(&bound) { Err(Reason::OneWay) } else { Ok(bound) });
    let bound = match bound {
        Ok(bound) => bound,
        Err(reason) => {
            events.extend(view.wind_up(End::Refused { reasons: vec![reason] }));
            return events;
        }
    };
    let open = OpenRollout {
        id: view.id(),
        kind: RolloutKind::Rollback,
        release: bound.to,
        returns_to: bound.returns_to,
        leaves: bound.leaves,
        migration: migration.unwrap_or(friday_wire::Migration::NotBegun),
    };
    events.push(Event::RolloutBound { rollout: view.id(), open, once: Default::default() });
    if let (Some(leaves), true) = (bound.leaves, *quarantine) {
        events.extend(quarantined(view, leaves, reason));
    }
    events.extend(round::not_ok(raised).map(|(host, why)| gone(view, host, why)));
    events.push(round::begin(view, RoundAsk::Open, view.answering()));
    events
}

/// The rollback of a push is bound to it: it ends if that is no longer the one open. Somebody else
/// has taken it back, or finished it; going back once more would take off what is stable.
fn still_open(view: View<'_>, truth: &Truth) -> bool {
    let Some(push) = &view.rollout.because_of else { return true };
    let earlier = |id: &RolloutId| {
        view.state.rollout(id).is_some_and(|other| other.because_of.as_ref() == Some(push))
    };
    let is_it = |id: &RolloutId| id == push || earlier(id);
    // Its driver died while closing it: it is stable, and a person wants it off all the same.
    let is_manual = matches!(*view.rollout.intent, Intent::Rollback { automatic: false, .. });
    let release = view.state.rollout(push).and_then(crate::rollout::run::Rollout::release);
    if is_manual && truth.open.is_none() && truth.stable.is_some() && truth.stable == release {
        return true;
    }
    truth.open.as_ref().is_some_and(|found| is_it(&found.open.id))
}

/// Own rollouts that hosts do not hold open any more.
fn superseded(view: View<'_>, truth: &Truth) -> Vec<Event> {
    let open = truth.open.as_ref().map(|found| &found.open.id);
    let Some(by) = truth.fence.clone() else { return Vec::new() };
    view.state
        .abandoned()
        .filter(|other| {
            other.bound.is_some() && Some(&other.id) != open && other.id != view.rollout.id
        })
        .filter(|other| Some(&other.id) != view.rollout.because_of.as_ref())
        .flat_map(|other| {
            [
                Event::Observed {
                    fact: Fact::Superseded { rollout: other.id.clone(), by: by.clone() },
                },
                Event::RolloutEnded {
                    rollout: other.id.clone(),
                    end: End::Fenced { by: by.clone() },
                },
            ]
        })
        .collect()
}

/// Where it goes, what it leaves, and where to if that fails.
fn bind(view: View<'_>, truth: &Truth, to: BackTo) -> Result<Bound, Reason> {
    let open = truth.open.as_ref().map(|found| &found.open);
    let mut bound = match open {
        Some(open) if open.id == view.rollout.id => {
            return Ok(Bound {
                to: open.release,
                leaves: open.leaves,
                returns_to: open.returns_to,
            });
        }
        Some(open) if open.kind == RolloutKind::Push => {
            Bound { to: open.returns_to, leaves: open.release, returns_to: truth.previous_stable }
        }
        Some(open) if open.kind == RolloutKind::Rollback && target_fails(view, open.release) => {
            Bound { to: open.returns_to, leaves: open.release, returns_to: None }
        }
        Some(open) if open.kind == RolloutKind::Rollback => {
            Bound { to: open.release, leaves: open.leaves, returns_to: open.returns_to }
        }
        Some(_) | None if leaves_apart(view, truth, to).is_some() => {
            Bound { to: truth.stable, leaves: leaves_apart(view, truth, to), returns_to: None }
        }
        Some(_) | None => match (to, truth.previous_stable) {
            (BackTo::LastStable, None) => {
                return Err(Reason::NoWayBack {
                    why: "no release was stable before this one".to_owned(),
                });
            }
            (BackTo::LastStable | BackTo::Release { .. }, previous) => {
                Bound { to: previous, leaves: truth.stable, returns_to: None }
            }
        },
    };
    if let BackTo::Release { release } = to {
        bound.to = Some(release);
    }
    // A release that was pushed again over itself is not left, and not to blame.
    bound.leaves = bound.leaves.filter(|leaves| Some(*leaves) != bound.to);
    let Some(target) = bound.to else { return Ok(bound) };
    if let Some(entry) = truth.refuses(&target) {
        return Err(Reason::Quarantined { release: target, why: entry.reason.clone() });
    }
    if !view.rollout.heads.values().any(|head| head.held.contains(&target)) {
        let host = view.rollout.heads.keys().next().cloned().unwrap_or_else(|| HostName::new("?"));
        return Err(Reason::NotHeld { host, release: target });
    }
    Ok(bound)
}

/// With nothing open, the release that some hosts run apart is the last that was put anywhere: it goes
/// first, and the fleet's stable release comes back there.
fn leaves_apart(view: View<'_>, truth: &Truth, to: BackTo) -> Option<ReleaseId> {
    let to_stable = match to {
        BackTo::LastStable => true,
        BackTo::Release { release } => truth.stable == Some(release),
    };
    // Of hosts that do not answer, the journal knows.
    let silent = view.state.apart.iter().filter(|(host, _)| {
        view.rollout.planned(host).is_some() && !view.rollout.heads.contains_key(*host)
    });
    let apart = truth.apart.first().copied().or(silent.map(|(_, release)| *release).next());
    apart.filter(|apart| to_stable && Some(*apart) != truth.stable)
}

/// Whether an open rollback's target is sick on a host that runs it.
fn target_fails(view: View<'_>, target: Option<ReleaseId>) -> bool {
    target.is_some()
        && view.rollout.seen.values().any(|seen| seen.head.current == target && !serves_well(seen))
}

fn quarantined(view: View<'_>, leaves: ReleaseId, reason: &str) -> Option<Event> {
    let fence = view.rollout.fence.clone()?;
    let tree = view.state.releases.get(&leaves).map(|known| known.tree);
    let entry = Quarantined { fence, tree, reason: reason.to_owned(), active: true };
    Some(Event::Observed { fact: Fact::Quarantine { entries: [(leaves, entry)].into() } })
}

/// A host that cannot be put right now, and is owed a sweep.
pub fn gone(view: View<'_>, host: &HostName, why: String) -> Event {
    Event::HostLeft { rollout: view.id(), host: host.clone(), why }
}

/// After open and look.
pub fn prepared(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return taken_over(view, &highest);
    }
    let mut events: Vec<Event> =
        round::not_ok(done).map(|(host, why)| gone(view, host, why)).collect();
    if done.ask == RoundAsk::Open {
        let on: Vec<HostName> = round::answers(done).cloned().collect();
        // An older host only says that it stored it.
        let was_seen = |host| matches!(done.answer(host), Some(HostAnswer::Seen { .. }));
        if on.is_empty() {
            events.extend(finish(view, view.all()));
            return events;
        }
        if !on.iter().all(was_seen) {
            events.push(round::begin(view, RoundAsk::Look, on));
            return events;
        }
    }
    events.push(begin_back(view));
    events
}

/// Fenced off in mid-rollback: over a push it raises again, to a rollback it yields.
fn taken_over(view: View<'_>, highest: &friday_wire::Fence) -> Vec<Event> {
    match highest.kind {
        friday_wire::FenceKind::Rollback => vec![view.end(End::Fenced { by: highest.clone() })],
        friday_wire::FenceKind::Push | friday_wire::FenceKind::Sweep
            if matches!(*view.rollout.intent, Intent::Rollback { .. }) =>
        {
            round::raise(view, highest.number + 1)
        }
        friday_wire::FenceKind::Push | friday_wire::FenceKind::Sweep => {
            vec![view.end(End::Fenced { by: highest.clone() })]
        }
    }
}

/// The way back of the migration first, where it has one and was begun; then the hosts.
fn begin_back(view: View<'_>) -> Event {
    let Intent::Rollback { migration, .. } = &*view.rollout.intent else {
        return begin_work(view, Work::Back);
    };
    let undoes =
        matches!(migration, Some(plan) if matches!(plan.back, MigrationBack::Command { .. }));
    if undoes
        && view.rollout.migration != friday_wire::Migration::NotBegun
        && view.rollout.migrated_back == HookState::Waiting
    {
        return begin_work(view, Work::MigrateBack);
    }
    begin_work(view, Work::Back)
}

fn begin_work(view: View<'_>, work: Work) -> Event {
    let allowance = view.rollout.fleet().progress_deadline_ms;
    Event::WorkBegun { rollout: view.id(), work, deadline: view.now.plus_ms(allowance) }
}

fn migrating_back(view: View<'_>, deadline: crate::time::Timestamp) -> Vec<Event> {
    match &view.rollout.migrated_back {
        HookState::Done => vec![begin_work(view, Work::Back)],
        HookState::Failed(why) => view.hold(vec![Reason::MigrationFailed { why: why.clone() }]),
        HookState::Waiting if view.now >= deadline => view.hold(vec![Reason::MigrationUnknown]),
        HookState::Waiting => Vec::new(),
    }
}

/// What came of the command that undoes the migration.
pub fn migrated_back(view: View<'_>, outcome: Outcome) -> Vec<Event> {
    let Outcome::Answered(answer) = outcome else { return Vec::new() };
    let friday_wire::Answer::Step(report) = *answer else { return Vec::new() };
    let failed = match &report.state {
        StepState::Done => None,
        StepState::Running { .. } => return Vec::new(),
        other => Some(outcome::state_says(other)),
    };
    vec![Event::MigrationWentBack { rollout: view.id(), failed }]
}

/// Hosts going back: sick ones at once, quiet ones at once, healthy ones within the budget.
pub fn back(view: View<'_>) -> Vec<Event> {
    let late = late_hosts(view);
    if !late.is_empty() {
        return late;
    }
    if view.rollout.drained == Drained::No {
        let events = free_hosts(view);
        if !events.is_empty() {
            return events;
        }
    }
    let hosts = &view.rollout.hosts;
    if hosts.waiting_len() > 0 {
        let next = hosts.waiting().take(view.rollout.room_to_go_back());
        return next.map(|host| wave::order(view, host, false)).collect();
    }
    if hosts.any_in_flight() { Vec::new() } else { over(view) }
}

/// Waiting hosts that cost no budget: those that may go at once, and those that cannot go at all.
fn free_hosts(view: View<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    for host in view.rollout.hosts.waiting() {
        match view.rollout.seen.get(host) {
            None => events.push(gone(view, host, "it was not observed".to_owned())),
            Some(seen) if lacks_target(view, seen) && !was_refilled(view, host) => {
                events.push(gone(
                    view,
                    host,
                    "it does not hold the release to go back to".to_owned(),
                ));
            }
            Some(_) if is_free(view, host) => events.push(wave::order(view, host, true)),
            Some(_) => {}
        }
    }
    events
}

fn lacks_target(view: View<'_>, seen: &friday_wire::Observation) -> bool {
    let target = view.rollout.bound.as_ref().and_then(|open| open.release);
    target.is_some_and(|target| !seen.head.held.contains(&target))
}

/// Whether a sweep brought the release to a host after it looked.
fn was_refilled(view: View<'_>, host: &HostName) -> bool {
    view.rollout.refilled.contains(host)
}

/// Whether a host may go at once: it goes back to nothing, `--now`, it does not serve well, runs the
/// target already, or has it warm.
fn is_free(view: View<'_>, host: &HostName) -> bool {
    let target = view.rollout.bound.as_ref().and_then(|open| open.release);
    let now = matches!(&*view.rollout.intent, Intent::Rollback { now: true, .. });
    let Some(seen) = view.rollout.seen.get(host) else { return false };
    let outside_sick = view
        .rollout
        .because_of
        .as_ref()
        .and_then(|push| view.state.rollout(push))
        .and_then(|push| push.hosts.get(host))
        .is_some_and(|run| matches!(run.at, HostState::Failed { .. }));
    now || target.is_none()
        || outside_sick
        || !serves_well(seen)
        || seen.head.current == target
        || (target.is_some() && seen.warm == target)
}

fn late_hosts(view: View<'_>) -> Vec<Event> {
    let is_looking = |host| matches!(view.rollout.hosts[host].at, HostState::Looking { .. });
    let late = view.rollout.hosts.late(view.now).into_iter();
    late.map(|host| {
        if is_looking(host) {
            return gone(view, host, "nobody knows whether it went back".to_owned());
        }
        Event::StepAnswered {
            rollout: view.id(),
            host: host.clone(),
            answer: StepAnswer::Unknown { why: "no answer in time".to_owned() },
        }
    })
    .collect()
}

/// Orders a back once more, at the pace it had: a healthy host is drained, and counts, again.
fn again(view: View<'_>, host: &HostName) -> Event {
    let pace = view.rollout.hosts.get(host).map(|run| &run.at);
    let drained = matches!(
        pace,
        Some(
            HostState::Ordered { pace: Pace::Drained, .. }
                | HostState::Looking { pace: Pace::Drained, .. }
        )
    );
    wave::order(view, host, !drained)
}

/// What follows from an answer to a back's order or look.
pub fn answered(view: View<'_>, host: &HostName, answer: &StepAnswer) -> Vec<Event> {
    let attempts = view.rollout.hosts.get(host).map_or(0, |run| run.attempts);
    match answer {
        StepAnswer::Report { report } => match &report.state {
            StepState::Done => vec![Event::HostDone { rollout: view.id(), host: host.clone() }],
            StepState::Failed { why, log, fault } => vec![Event::HostFailed {
                rollout: view.id(),
                host: host.clone(),
                why: why.clone(),
                log: log.clone(),
                fault: *fault,
            }],
            StepState::Running { .. } | StepState::AwaitingConfirm { .. } => Vec::new(),
            _ if attempts < ATTEMPTS_MAX => vec![again(view, host)],
            other => vec![gone(view, host, outcome::state_says(other))],
        },
        StepAnswer::Refused { refusal: Refusal::Fenced { highest } } => taken_over(view, highest),
        StepAnswer::Refused { refusal: Refusal::Busy { .. } } if attempts < ATTEMPTS_MAX => {
            vec![again(view, host)]
        }
        StepAnswer::Refused { refusal } => vec![gone(view, host, outcome::refusal_says(refusal))],
        StepAnswer::NotSent { .. } if attempts < ATTEMPTS_MAX => {
            vec![again(view, host)]
        }
        StepAnswer::NotSent { why } => vec![gone(view, host, why.clone())],
        StepAnswer::Unknown { .. } => Vec::new(),
    }
}

/// Every host has gone back, failed or is left: see what is true.
fn over(view: View<'_>) -> Vec<Event> {
    let on = view.rollout.hosts_where(|at| !matches!(at, HostState::Gone { .. }));
    if on.is_empty() {
        finish(view, view.all())
    } else {
        vec![round::begin(view, RoundAsk::Observe, on)]
    }
}

/// Closes on every host that answers; the others are owed a sweep.
fn finish(view: View<'_>, left: Vec<HostName>) -> Vec<Event> {
    let end = if left.is_empty() { End::Converged } else { End::Owed { hosts: left } };
    vec![
        Event::EndDecided { rollout: view.id(), end },
        round::begin(view, RoundAsk::Close, view.answering()),
    ]
}

/// The convergence sweep at the end of a rollback or sweep.
pub fn observed(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return taken_over(view, &highest);
    }
    let mut events = Vec::new();
    let mut wrong = Vec::new();
    let mut left: Vec<HostName> =
        view.rollout.hosts_where(|at| matches!(at, HostState::Gone { .. }));
    for (host, answer) in done.answers() {
        match (answer, view.rollout.seen.get(host)) {
            (Some(HostAnswer::Seen { .. }), Some(seen)) => {
                // What a sweep left alone on purpose is right as it is.
                let apart = match &*view.rollout.intent {
                    Intent::Sweep { .. } => seen.head.runs_apart(),
                    _ => None,
                };
                let wanted = apart.or(view.rollout.release());
                if let Some(why) = outcome::unproven_of(wanted, seen) {
                    wrong.push(Reason::HostFailed {
                        host: host.clone(),
                        why,
                        fault: Fault::Release,
                    });
                }
            }
            _ => {
                events.push(gone(view, host, "it was not observed at the end".to_owned()));
                left.push(host.clone());
            }
        }
    }
    if !wrong.is_empty() {
        events.extend(view.hold(wrong));
        return events;
    }
    events.extend(finish(view, left));
    events
}
