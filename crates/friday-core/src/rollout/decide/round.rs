//! Rounds: all hosts are asked the same, and what follows from the answers.

use friday_wire::{Answer, Fault, Fence, FenceKind, HostName, Migration, Refusal};

use super::{View, act, push, rollback, sweep, wave};
use crate::controller::input::Outcome;
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::intent::Intent;
use crate::journal::round::{HostAnswer, RoundAsk};
use crate::reason::Reason;
use crate::rollout::run::Round;

/// What a host may need to kill a process that does not end by itself, milliseconds.
const KILL_MS: u64 = 15_000;

/// A driver that was fenced off this often while rolling back gives up.
const RAISES_MAX: u32 = 20;

/// Begins a round.
pub fn begin(view: View<'_>, ask: RoundAsk, hosts: Vec<HostName>) -> Event {
    let fleet = view.rollout.fleet();
    let allowance = match ask {
        RoundAsk::Stage => fleet.stage_deadline_ms.saturating_add(earlier_work_ms(view)),
        RoundAsk::Ship | RoundAsk::Upgrade | RoundAsk::Leave => fleet.stage_deadline_ms,
        RoundAsk::Read
        | RoundAsk::Raise
        | RoundAsk::RaiseWave
        | RoundAsk::Open
        | RoundAsk::MigrationBegins
        | RoundAsk::MigrationEnds
        | RoundAsk::Look
        | RoundAsk::Quarantine
        | RoundAsk::Observe
        | RoundAsk::Close
        | RoundAsk::Release
        | RoundAsk::Rename => fleet.answer_deadline_ms,
        // A host that gives a once process up answers when it ended.
        RoundAsk::Act => fleet.answer_deadline_ms.saturating_add(match &*view.rollout.intent {
            Intent::Once { .. } => fleet.clocks.stop_ms.saturating_add(KILL_MS),
            _ => 0,
        }),
    };
    Event::RoundBegun {
        rollout: view.id(),
        round: view.rollout.rounds + 1,
        ask,
        hosts,
        deadline: view.now.plus_ms(allowance),
    }
}

/// How long a host may still be at what an earlier driver of this push ordered: the switch that nobody
/// confirms, its undo, the migration. Nothing in a push that has ordered nothing.
fn earlier_work_ms(view: View<'_>) -> u64 {
    let Intent::Push { plan } = &*view.rollout.intent else { return 0 };
    let clocks = &view.rollout.fleet().clocks;
    // A switch takes its way once more in its undo, and may have to kill both times.
    let way = clocks.first_deadline_ms().saturating_add(KILL_MS);
    let switch = clocks.confirm_ms.saturating_add(way.saturating_mul(2));
    let begun = view.rollout.migration != Migration::NotBegun;
    let migration = plan.migration.as_ref().filter(|_| begun).map_or(0, |plan| plan.timeout_ms);
    if view.rollout.has_switched() || begun { switch.max(migration) } else { 0 }
}

/// Whether a host that answers so is asked again: it is still at work for this push, by order of a driver
/// that is gone. Its timer ends a switch that nobody confirms, and nothing is wrong with the release.
pub fn is_to_be_asked_again(view: View<'_>, outcome: &Outcome) -> bool {
    let Outcome::Answered(answer) = outcome else { return false };
    let Answer::Refused(Refusal::Busy { with }) = &**answer else { return false };
    with.key.rollout == view.rollout.id
        && view.now.since_ms(view.rollout.phase_since) < earlier_work_ms(view)
}

/// Ends a round whose time is up, and concludes one that is complete.
pub fn advance(view: View<'_>) -> Vec<Event> {
    let Some(round) = &view.rollout.round else { return Vec::new() };
    if !round.is_complete() {
        if view.now < round.deadline {
            return Vec::new();
        }
        let why = || "no answer in time".to_owned();
        return round
            .silent()
            .map(|host| Event::HostAnswered {
                rollout: view.id(),
                round: round.number,
                host: host.clone(),
                answer: HostAnswer::Unknown { why: why() },
            })
            .collect();
    }
    conclude(view, round)
}

fn conclude(view: View<'_>, round: &Round) -> Vec<Event> {
    match round.ask {
        RoundAsk::Read => read(view, round),
        RoundAsk::Raise => raised(view, round),
        RoundAsk::RaiseWave => wave::raised(view, round),
        RoundAsk::Open
        | RoundAsk::Ship
        | RoundAsk::Stage
        | RoundAsk::Look
        | RoundAsk::Quarantine => match &*view.rollout.intent {
            Intent::Push { plan } => push::prepared(view, plan, round),
            Intent::Rollback { .. } => rollback::prepared(view, round),
            Intent::Sweep { .. } => sweep::prepared(view, round),
            Intent::Lock { .. }
            | Intent::Quarantine { .. }
            | Intent::Keeper { .. }
            | Intent::Once { .. }
            | Intent::Upgrade { .. }
            | Intent::Look { .. }
            | Intent::Members { .. } => Vec::new(),
        },
        RoundAsk::MigrationBegins | RoundAsk::MigrationEnds => push::migration_stored(view, round),
        RoundAsk::Act => act::acted(view, round),
        RoundAsk::Upgrade => act::upgraded(view, round),
        RoundAsk::Leave | RoundAsk::Rename => act::member_changed(view, round),
        RoundAsk::Observe => match &*view.rollout.intent {
            Intent::Push { plan } => push::observed(view, plan, round),
            _ => rollback::observed(view, round),
        },
        RoundAsk::Close => closed(view, round),
        RoundAsk::Release => released(view),
    }
}

/// Chooses the fence: 1 + the highest number read.
fn read(view: View<'_>, round: &Round) -> Vec<Event> {
    if view.rollout.reads.is_empty() {
        return nobody(view, round);
    }
    if let Intent::Look { .. } = &*view.rollout.intent {
        return act::looked(view);
    }
    if let Some(reason) = act::too_old(view) {
        return vec![view.end(End::Refused { reasons: vec![reason] })];
    }
    let highest = view.rollout.reads.values().map(|head| head.fence.number).max().unwrap_or(0);
    raise(view, highest + 1)
}

/// Nobody answers: nothing was changed, unless the rollout is open on hosts from before.
fn nobody(view: View<'_>, round: &Round) -> Vec<Event> {
    let reasons = unreachable(round);
    if view.rollout.bound.is_some() {
        return view.hold(reasons);
    }
    vec![view.end(End::Unreachable { reasons })]
}

/// Chooses a fence and raises it on every host.
pub fn raise(view: View<'_>, number: u64) -> Vec<Event> {
    let kind = match &*view.rollout.intent {
        Intent::Rollback { .. } => FenceKind::Rollback,
        Intent::Sweep { .. } => FenceKind::Sweep,
        Intent::Push { .. }
        | Intent::Lock { .. }
        | Intent::Quarantine { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => FenceKind::Push,
    };
    let fence = Fence { number, start: view.rollout.start.clone(), kind };
    vec![Event::FenceChosen { rollout: view.id(), fence }, begin(view, RoundAsk::Raise, view.all())]
}

/// After the raise: fenced off, or decide.
fn raised(view: View<'_>, round: &Round) -> Vec<Event> {
    if let Some(highest) = fenced_by(round) {
        return fenced_off(view, &highest);
    }
    if answers(round).next().is_none() && silent(round).count() == round.asked() {
        return nobody(view, round);
    }
    match &*view.rollout.intent {
        Intent::Push { plan } => push::raised(view, plan, round),
        Intent::Rollback { .. } => rollback::raised(view, round),
        Intent::Sweep { .. } => sweep::raised(view, round),
        Intent::Lock { .. }
        | Intent::Quarantine { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => act::raised(view, round),
    }
}

/// A rollback raises again over a push or a sweep, and yields to a higher rollback. All others stop.
fn fenced_off(view: View<'_>, highest: &Fence) -> Vec<Event> {
    let is_rollback = matches!(*view.rollout.intent, Intent::Rollback { .. });
    if is_rollback && highest.kind != FenceKind::Rollback && view.rollout.rounds < RAISES_MAX {
        return raise(view, highest.number + 1);
    }
    let nothing_done = view.rollout.bound.is_none();
    if nothing_done && !is_rollback {
        let reasons = vec![Reason::Fenced { by: highest.kind.to_string() }];
        return vec![view.end(End::Refused { reasons })];
    }
    vec![view.end(End::Fenced { by: highest.clone() })]
}

/// After the close, the lease goes back.
fn closed(view: View<'_>, round: &Round) -> Vec<Event> {
    let ending = view.rollout.ending.as_deref();
    let everywhere = matches!(ending, Some(End::Stable));
    let left: Vec<(&HostName, String)> =
        not_ok(round).filter(|(host, _)| everywhere || view.rollout.takes(host)).collect();
    if everywhere && !left.is_empty() {
        let untold =
            |(host, why): (&HostName, String)| Reason::NotToldStable { host: host.clone(), why };
        return view.hold(left.into_iter().map(untold).collect());
    }
    if let (Some(End::Apart { .. }), false) = (ending, left.is_empty()) {
        let hosts = left.into_iter().map(|(host, _)| host.clone()).collect();
        return view.hold(vec![Reason::SweepOwed { hosts }]);
    }
    if view.answers_keeper() {
        return vec![begin(view, RoundAsk::Release, vec![view.rollout.keeper_host()])];
    }
    released(view)
}

fn released(view: View<'_>) -> Vec<Event> {
    let end = view.rollout.ending.as_deref().cloned().unwrap_or(End::Dropped);
    if let (Intent::Push { plan }, End::Stable | End::Apart { .. }) = (&*view.rollout.intent, &end)
    {
        return push::after_hook(view, plan);
    }
    vec![view.end(end)]
}

/// The highest fence that refused, if one did.
pub fn fenced_by(round: &Round) -> Option<Fence> {
    round
        .answers()
        .filter_map(|(_, answer)| match answer {
            Some(HostAnswer::Refused { refusal: Refusal::Fenced { highest } }) => {
                Some(highest.clone())
            }
            _ => None,
        })
        .max()
}

/// Hosts that did what was asked.
pub fn answers(round: &Round) -> impl Iterator<Item = &HostName> {
    round.answers().filter(|(_, answer)| is_ok(*answer)).map(|(host, _)| host)
}

/// Hosts that did not, and why.
pub fn not_ok(round: &Round) -> impl Iterator<Item = (&HostName, String)> {
    round.answers().filter(|(_, answer)| !is_ok(*answer)).map(|(host, answer)| (host, says(answer)))
}

/// Hosts that could not be reached, or were not heard.
pub fn silent(round: &Round) -> impl Iterator<Item = (&HostName, String)> {
    round.answers().filter_map(|(host, answer)| match answer {
        Some(
            HostAnswer::Unreachable { why }
            | HostAnswer::Unknown { why }
            | HostAnswer::Failed { why, .. },
        ) => Some((host, why.clone())),
        Some(
            HostAnswer::Head { .. }
            | HostAnswer::Seen { .. }
            | HostAnswer::Ok
            | HostAnswer::Refused { .. },
        )
        | None => None,
    })
}

/// Whose fault it is that a host did not do what was asked. One that is still busy with what it was told
/// before has waited for itself.
pub fn fault(round: &Round, host: &HostName) -> Fault {
    match round.answer(host) {
        Some(HostAnswer::Failed { fault, .. }) => *fault,
        Some(HostAnswer::Refused { refusal: Refusal::Busy { .. } }) => Fault::Host,
        _ => Fault::Release,
    }
}

fn is_ok(answer: Option<&HostAnswer>) -> bool {
    matches!(answer, Some(HostAnswer::Ok | HostAnswer::Head { .. } | HostAnswer::Seen { .. }))
}

fn says(answer: Option<&HostAnswer>) -> String {
    match answer {
        Some(HostAnswer::Refused { refusal }) => super::outcome::refusal_says(refusal),
        Some(
            HostAnswer::Failed { why, .. }
            | HostAnswer::Unreachable { why }
            | HostAnswer::Unknown { why },
        ) => why.clone(),
        Some(HostAnswer::Ok | HostAnswer::Head { .. } | HostAnswer::Seen { .. }) | None => {
            String::new()
        }
    }
}

/// Why nobody was reached.
pub fn unreachable(round: &Round) -> Vec<Reason> {
    not_ok(round).map(|(host, why)| Reason::Unreachable { host: host.clone(), why }).collect()
}
