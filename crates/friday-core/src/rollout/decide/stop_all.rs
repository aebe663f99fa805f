//! Every host is stopped before a migration beside which the old release cannot even run.
//!
//! Between the round in which every host stores that the migration begins, and the migration. All at
//! once: no budget holds here, and the plan says so. A host that cannot be stopped ends the push: it
//! goes back, or holds where a one-way migration began. On a first push nothing runs, and it is left out.

use friday_wire::{HostName, Refusal, StepState};

use super::push::{migrate, stop};
use super::{View, outcome, wave};
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::round::{StepAnswer, Work};
use crate::reason::Reason;
use crate::rollout::plan::Plan;
use crate::rollout::run::{HostState, Stopped};
use crate::time::Timestamp;

/// Orders that never arrived are given again this often.
const ATTEMPTS_MAX: u32 = 3;

/// Whether the plan asks for it and anything runs. Then every host is asked, also one on which nothing
/// does: the one that migrates must know how long the others hold.
pub fn is_needed(view: View<'_>, plan: &Plan) -> bool {
    let asked = plan.migration.as_ref().is_some_and(|migration| migration.stop_all);
    asked && view.rollout.heads.values().any(|head| head.current.is_some())
}

/// Whether it is needed and cannot be done, because a host failed already: where failures are tolerated
/// otherwise, here they are not.
pub fn lacks_hosts(view: View<'_>, plan: &Plan) -> bool {
    is_needed(view, plan) && view.rollout.hosts.failed_len() > 0
}

/// Begins it.
pub fn begin(view: View<'_>) -> Event {
    let deadline = view.now.plus_ms(view.rollout.fleet().stop_all_ms());
    Event::WorkBegun { rollout: view.id(), work: Work::StopAll, deadline }
}

/// Hosts that failed, as reasons.
pub fn failures(view: View<'_>) -> Vec<Reason> {
    view.rollout.failed().iter().filter_map(|host| wave::reason_of(view, host)).collect()
}

/// Orders, deadlines, failures, the end.
pub fn advance(view: View<'_>, plan: &Plan, deadline: Timestamp) -> Vec<Event> {
    let failures = failures(view);
    if !failures.is_empty() {
        return stop(view, failures);
    }
    let hosts = &view.rollout.hosts;
    if hosts.tally().stopped == hosts.len() {
        return vec![migrate(view, plan)];
    }
    let runs = || hosts.iter().filter(|(_, run)| run.stopped == Stopped::No);
    if view.now >= deadline {
        let late = |host| wave::fail(view, host, "could not be stopped in time".to_owned());
        return runs().map(|(host, _)| late(host)).collect();
    }
    let late = wave::late_hosts(view);
    if !late.is_empty() {
        return late;
    }
    if hosts.tally().stopped_waiting == hosts.waiting_len() {
        return Vec::new();
    }
    let waiting = runs().filter(|(_, run)| run.at == HostState::Waiting);
    waiting.map(|(host, _)| order(view, host, deadline)).collect()
}

fn order(view: View<'_>, host: &HostName, deadline: Timestamp) -> Event {
    Event::StepBegun {
        rollout: view.id(),
        host: host.clone(),
        attempt: stops(view, host) + 1,
        at_once: false,
        deadline,
    }
}

fn stops(view: View<'_>, host: &HostName) -> u32 {
    view.rollout.hosts.get(host).map_or(0, |run| run.stops)
}

/// What follows from an answer to a stop's order or look.
pub fn answered(view: View<'_>, host: &HostName, answer: &StepAnswer) -> Vec<Event> {
    let again = stops(view, host) < ATTEMPTS_MAX;
    let order = || {
        let deadline = view.rollout.hosts.get(host).and_then(|run| run.at.deadline());
        deadline.map(|deadline| order(view, host, deadline)).into_iter().collect()
    };
    match answer {
        StepAnswer::Report { report } => match &report.state {
            StepState::Done => {
                vec![Event::HostStopped { rollout: view.id(), host: host.clone() }]
            }
            StepState::Running { .. } => Vec::new(),
            StepState::Sealed | StepState::NeverSeen if again => order(),
            StepState::Failed { .. }
            | StepState::AwaitingConfirm { .. }
            | StepState::Undone { .. }
            | StepState::Ended { .. }
            | StepState::Sealed
            | StepState::NeverSeen
            | StepState::Lost { .. } => {
                let why = format!("could not be stopped: {}", outcome::state_says(&report.state));
                vec![wave::fail(view, host, why)]
            }
        },
        StepAnswer::Refused { refusal: Refusal::Fenced { highest } } => {
            vec![view.end(End::Fenced { by: highest.clone() })]
        }
        StepAnswer::Refused { refusal } => {
            vec![wave::fail(view, host, outcome::refusal_says(refusal))]
        }
        StepAnswer::NotSent { .. } if again => order(),
        StepAnswer::NotSent { why } => {
            vec![wave::fail(view, host, format!("does not answer: {why}"))]
        }
        StepAnswer::Unknown { .. } => Vec::new(),
    }
}
