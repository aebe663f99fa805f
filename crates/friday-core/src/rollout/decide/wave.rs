//! Waves, soak and bake of a push.

use friday_wire::{Fault, HealthState, HostName, Migration, Refusal, StepState};

use super::push::{self, stop};
use super::{View, judge, outcome, round};
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::round::{RoundAsk, StepAnswer, Work};
use crate::reason::Reason;
use crate::rollout::budget::failures_allowed;
use crate::rollout::plan::Plan;
use crate::rollout::run::{Drained, HookState, HostState, Phase, Rollout, Round, Soaked};
use crate::time::Timestamp;

/// Orders that never arrived are given again this often.
const ATTEMPTS_MAX: u32 = 3;

/// Added to what a host may take by its own clocks, for the network.
const SLACK_MS: u64 = 15_000;

/// When a push whose renewals are not heard must start no further switch: after three quarters of the
/// lease's period (45 s of 60).
pub fn lease_ends(view: View<'_>) -> Option<Timestamp> {
    let renewed = view.memory.renewed.get(&view.rollout.id)?;
    matches!(view.rollout.phase, Phase::Wave)
        .then(|| renewed.plus_ms(view.rollout.fleet().lease_ms / 4 * 3))
}

fn lease_is_lost(view: View<'_>) -> bool {
    lease_ends(view).is_some_and(|ends| view.now >= ends)
}

/// After the raise before a wave.
pub fn raised(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let lease = super::gate::lease(view, done);
    if let Some(reason) = lease.refuses {
        return view.hold(vec![reason, Reason::LeaseLost]);
    }
    let mut events: Vec<Event> = round::silent(done)
        .filter(|(host, _)| {
            view.rollout.hosts.get(host).is_some_and(|run| run.at == HostState::Done)
        })
        .map(|(host, why)| fail(view, host, format!("does not answer: {why}")))
        .collect();
    if !events.is_empty() {
        let reasons = round::silent(done)
            .map(|(host, why)| Reason::Unreachable { host: host.clone(), why })
            .collect();
        events.extend(stop(view, reasons));
        return events;
    }
    let crate::journal::intent::Intent::Push { plan } = &*view.rollout.intent else {
        return events;
    };
    if push::has_baked(view) && view.rollout.hosts.tally().done >= view.rollout.size() {
        return vec![round::begin(view, RoundAsk::Observe, push::to_be_observed(view, plan))];
    }
    if let Some(closed) = closed_now(view, plan) {
        events.extend(closed);
        return events;
    }
    events.push(next_wave(view, plan));
    events
}

fn next_wave(view: View<'_>, plan: &Plan) -> Event {
    let (wave, hosts) = upcoming(view.rollout, plan);
    Event::WaveBegun { rollout: view.id(), wave, hosts }
}

/// The first wave with a host that is not done, or whose soak was cut off by its driver's death; a last one of those that failed.
pub fn upcoming(rollout: &Rollout, plan: &Plan) -> (u32, Vec<HostName>) {
    let is_open = |host: &HostName| {
        rollout.hosts.get(host).is_some_and(|run| matches!(run.at, HostState::Waiting))
    };
    let numbered = plan.waves.iter().enumerate().map(|(index, hosts)| (index + 1, hosts));
    let unsoaked = (rollout.soaked == Soaked::No).then_some(rollout.wave as usize);
    let found =
        numbered.clone().find(|(wave, hosts)| hosts.iter().any(is_open) || Some(*wave) == unsoaked);
    let (wave, hosts) = found.map_or_else(
        || (plan.waves.len() + 1, rollout.failed()),
        |(wave, hosts)| (wave, hosts.clone()),
    );
    (u32::try_from(wave).unwrap_or(u32::MAX), hosts)
}

/// On the way to the next wave: its hook where there is one, and then the raise, which is fresh when the
/// first host switches. Where a freeze or a window has begun, it holds instead: a person chooses between
/// waiting and going back.
pub fn approach(view: View<'_>, plan: &Plan) -> Vec<Event> {
    if let Some(events) = closed_now(view, plan) {
        return events;
    }
    match plan.hooks.before_wave {
        Some(_) => vec![hook(view, plan, Work::HookBeforeWave)],
        None => vec![round::begin(view, RoundAsk::RaiseWave, view.all())],
    }
}

/// What a freeze or a window that has begun makes of a push: it goes no further, and nothing that was done is taken
/// back. Where every host has switched, what is left is seen through; where hosts stand still for a migration, they
/// are not left so.
fn closed_now(view: View<'_>, plan: &Plan) -> Option<Vec<Event>> {
    let tally = view.rollout.hosts.tally();
    if tally.done >= view.rollout.size() || tally.stopped_waiting > 0 {
        return None;
    }
    let closed = plan.hour.iter().flat_map(|hour| &hour.closed);
    let now = closed.filter(|closed| closed.span.holds(view.now));
    let last = now.max_by_key(|closed| closed.span.to)?;
    let reasons = vec![Reason::Closed { what: last.what.clone(), until: last.span.to }];
    let untouched = !view.rollout.has_switched() && view.rollout.migration == Migration::NotBegun;
    Some(if untouched { view.wind_up(End::NotSwitched { reasons }) } else { view.hold(reasons) })
}

fn hook(view: View<'_>, plan: &Plan, work: Work) -> Event {
    let deadline = view.now.plus_ms(plan.hooks.timeout_ms);
    Event::WorkBegun { rollout: view.id(), work, deadline }
}

/// While a hook of a wave runs, hosts are watched as in a soak.
pub fn hooked(view: View<'_>, plan: &Plan, work: Work, deadline: Timestamp) -> Vec<Event> {
    if let Some(events) = beyond_budget(view) {
        return events;
    }
    let name = if work == Work::HookBeforeWave { "before_wave" } else { "after_wave" };
    match (&view.rollout.hook_wave, work) {
        (HookState::Waiting, _) => push::hook_overdue(view, name, deadline),
        (HookState::Failed(why), _) => {
            let (name, why) = (name.to_owned(), why.clone());
            stop(view, vec![Reason::HookFailed { name, why }])
        }
        (HookState::Done, Work::HookBeforeWave) => {
            vec![round::begin(view, RoundAsk::RaiseWave, view.all())]
        }
        (HookState::Done, _) => watch(view, plan),
    }
}

/// A wave at work: deadlines, failures, the next hosts, the end of the wave.
pub fn advance(view: View<'_>, plan: &Plan) -> Vec<Event> {
    let late = late_hosts(view);
    if !late.is_empty() {
        return late;
    }
    let proved = proved_hosts(view);
    if !proved.is_empty() {
        return proved;
    }
    if let Some(events) = beyond_budget(view) {
        return events;
    }
    let in_flight = view.rollout.hosts.any_in_flight();
    if lease_is_lost(view) {
        return if in_flight { Vec::new() } else { lost_lease(view) };
    }
    if view.hold_is_asked() {
        // Without a host in flight it is held before anybody asks what comes next.
        return stood_still(view);
    }
    if view.rollout.wave_next < view.rollout.wave_hosts.len() {
        // Hosts in flight finish, and no other starts.
        return match closed_now(view, plan) {
            Some(_) if in_flight => stood_still(view),
            Some(events) => events,
            None => next_hosts(view),
        };
    }
    if in_flight { stood_still(view) } else { wave_over(view, plan) }
}

/// Orders to those whose turn it is: hosts that are down at once, the others within the budget.
fn next_hosts(view: View<'_>) -> Vec<Event> {
    // Those that are down are ordered before any other, and all at once: nobody need look for them again.
    if view.rollout.drained == Drained::No && view.rollout.hosts.tally().stopped_waiting > 0 {
        let down = view.rollout.waiting_in_wave().filter(|host| view.rollout.is_down(host));
        let orders: Vec<Event> = down.map(|host| order(view, host, false)).collect();
        if !orders.is_empty() {
            return orders;
        }
    }
    let room = view.rollout.room_to_take_out();
    if room == 0 {
        return stood_still(view);
    }
    view.rollout.waiting_in_wave().take(room).map(|host| order(view, host, false)).collect()
}

/// Switched hosts that the outside probe finds well; where there is no outside probe, the host's own
/// health suffices.
fn proved_hosts(view: View<'_>) -> Vec<Event> {
    let is_proving = |host: &&HostName| {
        let run = view.rollout.hosts.get(host);
        run.is_some_and(|run| matches!(run.at, HostState::Proving { .. }))
    };
    let passed = view.memory.passed_in(&view.rollout.id).filter(is_proving);
    let mut proved: Vec<&HostName> = passed.chain(view.rollout.hosts.unprobed()).collect();
    proved.sort();
    proved
        .into_iter()
        .map(|host| Event::OutsideProved { rollout: view.id(), host: host.clone() })
        .collect()
}

fn lost_lease(view: View<'_>) -> Vec<Event> {
    let mut events = vec![Event::LeaseRenewed { rollout: view.id(), ok: false }];
    events.extend(view.hold(vec![Reason::LeaseLost]));
    events
}

fn stood_still(view: View<'_>) -> Vec<Event> {
    let allowance = view.rollout.fleet().progress_deadline_ms;
    if view.now.since_ms(view.rollout.moved_at) < allowance {
        return Vec::new();
    }
    view.hold(vec![Reason::StoodStill {
        secs: allowance / 1_000,
        waiting: format!("wave {}", view.rollout.wave),
    }])
}

/// Orders a host's switch or back.
pub fn order(view: View<'_>, host: &HostName, at_once: bool) -> Event {
    let clocks = &view.rollout.fleet().clocks;
    let allowance =
        clocks.first_deadline_ms().saturating_add(clocks.stop_ms).saturating_add(SLACK_MS);
    Event::StepBegun {
        rollout: view.id(),
        host: host.clone(),
        attempt: view.rollout.hosts.get(host).map_or(0, |run| run.attempts) + 1,
        at_once,
        deadline: view.now.plus_ms(allowance),
    }
}

/// Hosts whose time is up. An order without an answer, and an unconfirmed switch, are looked at
/// first; a host that then still does not tell has failed.
pub fn late_hosts(view: View<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    for host in view.rollout.hosts.late(view.now) {
        events.push(match &view.rollout.hosts[host].at {
            HostState::Looking { .. } => {
                fail(view, host, "nobody knows what became of the order".to_owned())
            }
            HostState::Proving { .. } => {
                unknown(view, host, "the outside probe did not pass in time")
            }
            HostState::Ordered { .. }
            | HostState::Confirming { .. }
            | HostState::Waiting
            | HostState::Done
            | HostState::Failed { .. }
            | HostState::Gone { .. } => unknown(view, host, "no answer in time"),
        });
    }
    events
}

fn unknown(view: View<'_>, host: &HostName, why: &str) -> Event {
    Event::StepAnswered {
        rollout: view.id(),
        host: host.clone(),
        answer: StepAnswer::Unknown { why: why.to_owned() },
    }
}

/// A host failed.
pub fn fail(view: View<'_>, host: &HostName, why: String) -> Event {
    failed_by(view, host, why, Fault::Release)
}

/// A host failed, and it is known whose fault that is.
pub fn failed_by(view: View<'_>, host: &HostName, why: String, fault: Fault) -> Event {
    Event::HostFailed { rollout: view.id(), host: host.clone(), why, log: Vec::new(), fault }
}

/// What follows from an answer to a switch's order, confirm or look.
pub fn answered(view: View<'_>, host: &HostName, answer: &StepAnswer) -> Vec<Event> {
    let done = || Event::HostDone { rollout: view.id(), host: host.clone() };
    let attempts = view.rollout.hosts.get(host).map_or(0, |run| run.attempts);
    match answer {
        StepAnswer::Report { report } => match &report.state {
            StepState::Done => vec![done()],
            StepState::AwaitingConfirm { .. } => Vec::new(),
            StepState::Failed { why, log, fault } => vec![Event::HostFailed {
                rollout: view.id(),
                host: host.clone(),
                why: why.clone(),
                log: log.clone(),
                fault: *fault,
            }],
            StepState::Sealed | StepState::NeverSeen if attempts < ATTEMPTS_MAX => {
                vec![order(view, host, false)]
            }
            StepState::Undone { why } => vec![fail(view, host, undone(view, host, why))],
            StepState::Ended { .. }
            | StepState::Sealed
            | StepState::NeverSeen
            | StepState::Lost { .. }
            | StepState::Running { .. } => {
                vec![fail(view, host, outcome::state_says(&report.state))]
            }
        },
        StepAnswer::Refused { refusal: Refusal::Fenced { highest } } => {
            vec![view.end(End::Fenced { by: highest.clone() })]
        }
        StepAnswer::Refused { refusal } => vec![fail(view, host, outcome::refusal_says(refusal))],
        StepAnswer::NotSent { .. } if attempts < ATTEMPTS_MAX => vec![order(view, host, false)],
        StepAnswer::NotSent { why } => vec![fail(view, host, format!("does not answer: {why}"))],
        StepAnswer::Unknown { .. } => Vec::new(),
    }
}

/// Why a host undid its switch: where the outside probe kept it from being confirmed, what that saw.
fn undone(view: View<'_>, host: &HostName, why: &str) -> String {
    let streak = view.memory.streaks.get(&(view.id(), host.clone()));
    let seen = streak
        .filter(|streak| *streak.state() != HealthState::Healthy)
        .and_then(|streak| streak.last_failure());
    match (seen, view.rollout.planned(host).and_then(|planned| planned.outside_url.as_ref())) {
        (Some(seen), Some(url)) => format!("the outside probe of {url} did not pass: {seen}"),
        _ => why.to_owned(),
    }
}

/// Done hosts that are sick have failed; more failures than allowed end the push, and so does what must
/// hold in a database and does not.
pub fn beyond_budget(view: View<'_>) -> Option<Vec<Event>> {
    if let Some(events) = judge::trouble(view) {
        return Some(events);
    }
    let why = |host| view.rollout.hosts.get(host).and_then(|run| run.sick.values().next());
    let sick = view.rollout.hosts.sick().filter_map(|host| Some((host, why(host)?)));
    let sick: Vec<Event> = sick.map(|(host, why)| fail(view, host, why.clone())).collect();
    if !sick.is_empty() {
        return Some(sick);
    }
    let allowed = failures_allowed(view.rollout.size(), view.rollout.wave);
    if view.rollout.hosts.failed_len() <= allowed {
        return None;
    }
    let failed = view.rollout.failed();
    let mut reasons: Vec<Reason> = failed.iter().filter_map(|host| reason_of(view, host)).collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    reasons.push(Reason::BudgetSpent { failed: count(failed.len()), allowed: count(allowed) });
    Some(stop(view, reasons))
}

/// Why a host counts as failed, where it does.
pub fn reason_of(view: View<'_>, host: &HostName) -> Option<Reason> {
    match &view.rollout.hosts.get(host)?.at {
        HostState::Failed { why, fault } => {
            Some(Reason::HostFailed { host: host.clone(), why: why.clone(), fault: *fault })
        }
        HostState::Gone { why } => {
            Some(Reason::Unreachable { host: host.clone(), why: why.clone() })
        }
        HostState::Waiting
        | HostState::Ordered { .. }
        | HostState::Looking { .. }
        | HostState::Proving { .. }
        | HostState::Confirming { .. }
        | HostState::Done => None,
    }
}

/// All hosts of the wave are switched, or failed within the budget.
fn wave_over(view: View<'_>, plan: &Plan) -> Vec<Event> {
    match plan.hooks.after_wave {
        Some(_) => vec![hook(view, plan, Work::HookAfterWave)],
        None => watch(view, plan),
    }
}

/// What follows a wave: its soak, the bake, or a last try of the hosts that failed.
fn watch(view: View<'_>, plan: &Plan) -> Vec<Event> {
    let wave = view.rollout.wave as usize;
    let failed = view.rollout.failed();
    if wave < plan.waves.len() {
        let soak = plan.soak_ms.get(wave - 1).or(plan.soak_ms.last()).copied().unwrap_or(0);
        let until = view.now.plus_ms(soak);
        return vec![Event::SoakBegun { rollout: view.id(), wave: view.rollout.wave, until }];
    }
    if failed.is_empty() {
        return vec![Event::BakeBegun {
            rollout: view.id(),
            until: view.now.plus_ms(plan.bake_ms),
        }];
    }
    if wave == plan.waves.len() {
        return approach(view, plan);
    }
    view.hold(failed.iter().filter_map(|host| reason_of(view, host)).collect())
}

/// The soak after a wave.
pub fn soak(view: View<'_>, plan: &Plan, until: Timestamp) -> Vec<Event> {
    if let Some(events) = beyond_budget(view) {
        return events;
    }
    if view.now < until {
        return Vec::new();
    }
    if judge::asked(plan).next().is_some() {
        return vec![judge::begin(view, plan, Work::JudgeWave)];
    }
    approach(view, plan)
}

/// The bake after the last wave.
pub fn bake(view: View<'_>, plan: &Plan, until: Timestamp) -> Vec<Event> {
    if let Some(events) = beyond_budget(view) {
        return events;
    }
    if view.now < until {
        return Vec::new();
    }
    if judge::asked(plan).next().is_some() {
        return vec![judge::begin(view, plan, Work::JudgeAfter)];
    }
    baked(view, plan)
}

/// The bake ended well.
pub fn baked(view: View<'_>, plan: &Plan) -> Vec<Event> {
    let on = push::to_be_observed(view, plan);
    vec![Event::BakeEnded { rollout: view.id() }, round::begin(view, RoundAsk::Observe, on)]
}
