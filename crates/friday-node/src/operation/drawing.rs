//! The state machine as a table, for the drawing in the documents.

use std::collections::BTreeSet;

use super::{PhaseName, Route};

/// What makes an operation go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// It was asked for, or a reboot asks for it.
    Begun,
    /// The phase ended well, or its time is over.
    Done,
    /// The phase has nothing to do.
    Skipped,
    /// The phase failed, the application exited, or health was not reached in time.
    Failed,
    /// The timer ran out.
    TimedOut,
    /// Somebody confirmed.
    Confirmed,
    /// A higher fence was raised.
    Raised,
    /// The machine was rebooted.
    Rebooted,
    /// Another operation takes its place.
    Replaced,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No operation.
    Idle,
    /// A switch.
    Switch(PhaseName),
    /// A stop for a migration.
    Stop(PhaseName),
    /// A switch or stop that a higher fence ended; its timer runs.
    Ended,
    /// An undo, a back, or a start after a reboot: the same phases.
    Return(PhaseName),
}

/// One arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transition {
    /// From here,
    pub from: State,
    /// when this happens,
    pub event: Event,
    /// to there.
    pub to: State,
}

/// Phases in which a switch can be.
fn switch_phases() -> BTreeSet<PhaseName> {
    let routes = [Route::InTurn, Route::Beside];
    let mut phases: BTreeSet<PhaseName> =
        routes.iter().flat_map(|route| route.phases().iter().copied()).collect();
    phases.insert(PhaseName::Confirming);
    phases
}

/// Phases in which an undo, a back or a start after a reboot can be.
fn return_phases() -> BTreeSet<PhaseName> {
    let routes = [Route::InTurn, Route::Beside, Route::Kept, Route::GivenUp];
    routes.iter().flat_map(|route| route.phases().iter().copied()).collect()
}

/// Every transition of an operation, sorted.
pub fn transitions() -> Vec<Transition> {
    let mut all = BTreeSet::new();
    let mut add = |from, event, to| {
        all.insert(Transition { from, event, to });
    };
    let first = |route: Route| route.phases().first().copied();
    for route in [Route::InTurn, Route::Beside] {
        along(route, PhaseName::Confirming, |from, to| {
            for event in [Event::Done, Event::Skipped] {
                add(State::Switch(from), event, State::Switch(to));
            }
        });
        if let Some(phase) = first(route) {
            add(State::Idle, Event::Begun, State::Switch(phase));
            add(State::Ended, Event::Replaced, State::Switch(phase));
            add(State::Stop(PhaseName::Holding), Event::Replaced, State::Switch(phase));
            for old in return_phases() {
                add(State::Return(old), Event::Replaced, State::Switch(phase));
            }
        }
    }
    for route in [Route::InTurn, Route::Beside, Route::Kept, Route::GivenUp] {
        for pair in route.phases().windows(2) {
            for event in [Event::Done, Event::Skipped, Event::Failed] {
                add(State::Return(pair[0]), event, State::Return(pair[1]));
            }
        }
        if let Some(last) = route.phases().last() {
            for event in [Event::Done, Event::Skipped, Event::Failed] {
                add(State::Return(*last), event, State::Idle);
            }
        }
        if let Some(phase) = first(route) {
            returns_begin(phase, &mut add);
        }
    }
    for phase in switch_phases() {
        if phase != PhaseName::Confirming {
            add(State::Switch(phase), Event::Raised, State::Ended);
        }
    }
    stops(&mut add);
    add(State::Switch(PhaseName::Confirming), Event::Confirmed, State::Idle);
    // After the reboot nothing is left to start.
    for phase in return_phases() {
        add(State::Return(phase), Event::Rebooted, State::Idle);
    }
    all.into_iter().collect()
}

/// A stop. What takes its place while it holds, and how it goes on where nothing may go back.
fn stops(add: &mut impl FnMut(State, Event, State)) {
    let stop = State::Stop;
    for pair in Route::Stopped.phases().windows(2) {
        for event in [Event::Done, Event::Skipped] {
            add(stop(pair[0]), event, stop(pair[1]));
        }
        for event in [Event::Raised, Event::Failed] {
            add(stop(pair[0]), event, State::Ended);
        }
    }
    let Some(first) = Route::Stopped.phases().first().copied().map(stop) else { return };
    add(State::Idle, Event::Begun, first);
    add(State::Ended, Event::Replaced, first);
    add(stop(PhaseName::Holding), Event::Replaced, first);
    for old in return_phases() {
        for event in [Event::Replaced, Event::Rebooted] {
            add(State::Return(old), event, first);
        }
    }
    for old in Route::Stopped.phases() {
        add(stop(*old), Event::Rebooted, first);
    }
}

fn returns_begin(phase: PhaseName, add: &mut impl FnMut(State, Event, State)) {
    let to = State::Return(phase);
    add(State::Idle, Event::Begun, to);
    add(State::Idle, Event::Rebooted, to);
    for event in [Event::TimedOut, Event::Failed, Event::Rebooted, Event::Replaced] {
        add(State::Ended, event, to);
        for old in switch_phases() {
            add(State::Switch(old), event, to);
        }
        for old in Route::Stopped.phases() {
            add(State::Stop(*old), event, to);
        }
    }
    for event in [Event::Failed, Event::Rebooted, Event::Replaced] {
        for old in return_phases() {
            add(State::Return(old), event, to);
        }
    }
}

/// Walks a route, and from its last phase to where it ends.
fn along(route: Route, end: PhaseName, mut each: impl FnMut(PhaseName, PhaseName)) {
    for pair in route.phases().windows(2) {
        each(pair[0], pair[1]);
    }
    if let Some(last) = route.phases().last() {
        each(*last, end);
    }
}
