//! What came of an effect, as an event.

use friday_wire::{
    Answer, Fault, HealthState, HostName, Observation, Refusal, ReleaseId, StepReport, StepState,
};

use super::View;
use crate::controller::input::Outcome;
use crate::journal::Event;
use crate::journal::event::Watcher;
use crate::journal::round::{HostAnswer, StepAnswer};
use crate::reason::unsigned;
use crate::rollout::run::WatcherKey;

/// Looks in a row without an answer after which a host counts as not answering.
const SILENT_MAX: u32 = 3;

/// An outcome as an answer to a round.
pub fn of_round(outcome: Outcome) -> HostAnswer {
    match outcome {
        Outcome::Answered(answer) => match *answer {
            Answer::Raised(head) => HostAnswer::Head { head },
            Answer::Observed(observation) => HostAnswer::Seen { observation },
            Answer::Ok => HostAnswer::Ok,
            Answer::Refused(refusal) => HostAnswer::Refused { refusal },
            Answer::Step(report) => of_stage(report),
            Answer::Error { why } => HostAnswer::Failed { why, fault: Fault::Release },
            Answer::Hello { .. }
            | Answer::Missing { .. }
            | Answer::Lacks(_)
            | Answer::NoBase { .. }
            | Answer::Recipe { .. }
            | Answer::Verified(_)
            | Answer::Log { .. }
            | Answer::Manifest(_)
            | Answer::Examined(_) => HostAnswer::Failed {
                why: "answered something else than was asked".to_owned(),
                fault: Fault::Release,
            },
        },
        Outcome::Done | Outcome::Pointed(_) | Outcome::Judged(_) => HostAnswer::Ok,
        Outcome::Failed { why } => HostAnswer::Unreachable { why },
        Outcome::Unknown { why } => HostAnswer::Unknown { why },
    }
}

fn of_stage(report: StepReport) -> HostAnswer {
    match report.state {
        StepState::Done => HostAnswer::Ok,
        StepState::Failed { why, fault, .. } => HostAnswer::Failed { why, fault },
        other => HostAnswer::Failed { why: state_says(&other), fault: Fault::Release },
    }
}

/// An outcome as an answer to an order.
pub fn of_order(outcome: Outcome) -> StepAnswer {
    match outcome {
        Outcome::Answered(answer) => match *answer {
            Answer::Step(report) => StepAnswer::Report { report },
            Answer::Refused(refusal) => StepAnswer::Refused { refusal },
            Answer::Error { why } => StepAnswer::Unknown { why },
            Answer::Hello { .. }
            | Answer::Observed(_)
            | Answer::Raised(_)
            | Answer::Ok
            | Answer::Missing { .. }
            | Answer::Lacks(_)
            | Answer::NoBase { .. }
            | Answer::Recipe { .. }
            | Answer::Verified(_)
            | Answer::Log { .. }
            | Answer::Manifest(_)
            | Answer::Examined(_) => {
                StepAnswer::Unknown { why: "answered something else than was asked".to_owned() }
            }
        },
        Outcome::Done | Outcome::Pointed(_) | Outcome::Judged(_) => {
            StepAnswer::Unknown { why: "ended without a report".to_owned() }
        }
        Outcome::Failed { why } => StepAnswer::NotSent { why },
        Outcome::Unknown { why } => StepAnswer::Unknown { why },
    }
}

/// What an observation says about an order that was looked after. `None`: keep looking.
pub fn of_look(outcome: Outcome, key: &friday_wire::StepKey) -> Option<StepAnswer> {
    match outcome {
        Outcome::Answered(answer) => match *answer {
            Answer::Observed(observation) => {
                let report = observation.last.filter(|report| report.key == *key)?;
                match report.state {
                    StepState::Running { .. } => None,
                    _ => Some(StepAnswer::Report { report }),
                }
            }
            Answer::Refused(refusal) => Some(StepAnswer::Refused { refusal }),
            _ => None,
        },
        Outcome::Done
        | Outcome::Pointed(_)
        | Outcome::Judged(_)
        | Outcome::Failed { .. }
        | Outcome::Unknown { .. } => None,
    }
}

/// What an observation in wave, soak and bake changes. `silent`: looks without an answer before it.
pub fn of_guard(view: View<'_>, host: &HostName, outcome: &Outcome, silent: u32) -> Option<Event> {
    let run = view.rollout.hosts.get(host)?;
    let known = run.sick.get(&WatcherKey::Host);
    let now = match outcome {
        Outcome::Answered(answer) => match &**answer {
            Answer::Observed(observation) => sickness(view, observation),
            _ => return None,
        },
        Outcome::Done | Outcome::Pointed(_) | Outcome::Judged(_) => return None,
        Outcome::Failed { why } | Outcome::Unknown { why } => {
            if silent < SILENT_MAX {
                return None;
            }
            Some(format!("does not answer: {why}"))
        }
    };
    (known.is_some() != now.is_some()).then(|| Event::HealthChanged {
        rollout: view.id(),
        host: host.clone(),
        by: Watcher::Host,
        sick: now,
    })
}

/// Why a host that should run the rollout's release does not run it well.
pub fn sickness(view: View<'_>, seen: &Observation) -> Option<String> {
    sickness_of(view.rollout.release(), seen)
}

fn sickness_of(wanted: Option<ReleaseId>, seen: &Observation) -> Option<String> {
    if seen.head.current != wanted {
        return Some(match seen.head.current {
            Some(current) => format!("runs {} again", current.short()),
            None => "runs nothing".to_owned(),
        });
    }
    wanted?;
    let Some(app) = &seen.app else { return Some("runs nothing".to_owned()) };
    if let HealthState::Sick { why } = &app.health {
        return Some(why.clone());
    }
    if !app.running {
        return Some("its application is not running".to_owned());
    }
    None
}

/// Why an observation does not prove that a host is as it should be. `None`: it is.
pub fn unproven(view: View<'_>, seen: &Observation) -> Option<String> {
    unproven_of(view.rollout.release(), seen)
}

/// The same of a host that should run this release.
pub fn unproven_of(wanted: Option<ReleaseId>, seen: &Observation) -> Option<String> {
    if let Some(why) = sickness_of(wanted, seen) {
        return Some(why);
    }
    if seen.armed {
        return Some("a switch is still armed".to_owned());
    }
    let Some(app) = &seen.app else {
        return wanted.map(|_| "runs nothing".to_owned());
    };
    if wanted.is_none() {
        return app.running.then(|| "still runs something".to_owned());
    }
    if app.health != HealthState::Healthy {
        return Some("is not healthy yet".to_owned());
    }
    if !app.in_rotation {
        return Some("is out of rotation".to_owned());
    }
    None
}

/// A refusal in words.
pub fn refusal_says(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Fenced { highest } => format!("a higher fence was raised for a {}", highest.kind),
        Refusal::Leased { lease } => format!("{} holds the lease", lease.holder),
        Refusal::LeaseLost => "the lease is not this driver's any more".to_owned(),
        Refusal::Keeper { keeper } => format!("its keeper is `{keeper}`"),
        Refusal::NotOpen { open: Some(open) } => format!("the rollout {open} is open there"),
        Refusal::NotOpen { open: None } => "no rollout is open there".to_owned(),
        Refusal::RollbackOpen { rollout } => format!("the rollback {rollout} is open there"),
        Refusal::Quarantined { release, reason } => {
            format!("release {} is quarantined there: {reason}", release.short())
        }
        Refusal::Stale { attempt } => format!("attempt {attempt} was seen there"),
        Refusal::Busy { with } => format!("it is busy with {}", with.key),
        Refusal::OneWay => "a one-way migration began".to_owned(),
        Refusal::NotStopped => "it is not stopped for the migration any more".to_owned(),
        Refusal::NotHeld { release } => format!("it does not hold release {}", release.short()),
        Refusal::Locked { person, reason } => format!("{person} locked the fleet: {reason}"),
        Refusal::Unsigned { release, signers, key, why } => {
            format!(
                "release {} is not taken{}",
                release.short(),
                unsigned(signers, key.as_deref(), why)
            )
        }
    }
}

/// A step's state in words.
pub fn state_says(state: &StepState) -> String {
    match state {
        StepState::Running { doing } => format!("still {doing}"),
        StepState::AwaitingConfirm { .. } => "awaits its confirm".to_owned(),
        StepState::Done => "done".to_owned(),
        StepState::Failed { why, .. } | StepState::Undone { why } | StepState::Lost { why, .. } => {
            why.clone()
        }
        StepState::Ended { doing } => format!("was ended by a higher fence while {doing}"),
        StepState::Sealed => "the order never arrived".to_owned(),
        StepState::NeverSeen => "the order is not known there".to_owned(),
    }
}
