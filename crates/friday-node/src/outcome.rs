//! What an action came to: for the phase that waited for it, and for the host.

use crate::action::{Action, Direction};
use crate::durable::{Certainty, Placed};
use crate::ending::Cause;
use crate::input::ActionResult;
use crate::lane::Flight;
use crate::node::Node;
use crate::operation::drawing::Event;
use crate::operation::{Course, Operation, PhaseName, Route};

impl Node {
    /// The action of the present phase ended.
    pub(crate) fn phase_finished(&mut self, now_ms: u64, action: &Action, result: ActionResult) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        self.phase_issued = false;
        let forward = matches!(op.course, Course::Switch(_) | Course::Stop(_));
        let result = match result {
            ActionResult::Hindered { why } if forward => {
                let why = format!("{}: {why}", op.phase.name().doing());
                return self.phase_failed(now_ms, why, Vec::new(), Cause::Host);
            }
            // A way back has failed, whoever is to blame.
            ActionResult::Hindered { why } => ActionResult::Failed { why, log: Vec::new() },
            other => other,
        };
        match (op.phase.name(), result) {
            (PhaseName::Leaving, ActionResult::Done) => {
                let served = self.durable.serving.is_some_and(|serving| self.runs(serving));
                if let Some(op) = &mut self.durable.operation {
                    op.left_rotation = served;
                }
                self.advance(now_ms, Event::Done);
            }
            (PhaseName::Clearing | PhaseName::Stopping, ActionResult::Done) => {}
            (PhaseName::Pointing, ActionResult::Done) => self.pointed(now_ms, &op),
            (PhaseName::Starting, ActionResult::Done) => {
                if matches!(action, Action::Start { .. }) {
                    self.leader_started(now_ms, Event::Done);
                }
            }
            (PhaseName::Shunning, ActionResult::Done)
                if matches!(action, Action::Stop { .. }) && self.to_shun(&op).is_some() => {}
            (_, ActionResult::Done | ActionResult::Sampled(_)) => self.advance(now_ms, Event::Done),
            (_, ActionResult::Failed { why, log }) if forward => {
                let cause = match op.phase.name() {
                    PhaseName::Starting => Cause::Health,
                    _ => Cause::Other,
                };
                let why = format!("{}: {why}", op.phase.name().doing());
                self.phase_failed(now_ms, why, log, cause);
            }
            // A return goes on past what it leaves: only what it returns to can make it fail.
            (PhaseName::Leaving | PhaseName::Shunning, ActionResult::Failed { .. }) => {
                self.advance(now_ms, Event::Failed);
            }
            (PhaseName::Clearing | PhaseName::Stopping, ActionResult::Failed { .. }) => {
                // Tried again as a leftover, once the operation is over.
                if let Some(app) = self.to_stop(&op) {
                    self.stuck.insert(app.generation);
                }
            }
            (PhaseName::Starting, ActionResult::Failed { why, .. }) => match action {
                Action::Start { app, .. } => {
                    self.note_exit(now_ms, app.generation, why);
                    self.leader_started(now_ms, Event::Failed);
                }
                Action::Stop { app, .. } => {
                    self.stuck.insert(app.generation);
                }
                _ => self.advance(now_ms, Event::Failed),
            },
            (_, ActionResult::Failed { why, log }) => {
                let why = format!("{}: {why}", op.phase.name().doing());
                self.phase_failed(now_ms, why, log, Cause::Other);
            }
            // Taken for a failure above.
            (_, ActionResult::Hindered { .. }) => {}
        }
    }

    fn pointed(&mut self, now_ms: u64, op: &Operation) {
        let before = self.durable.serving;
        self.durable.serving = op.target.filter(|target| self.durable.placed(*target).is_some());
        self.durable.warm = match op.course {
            Course::Switch(_) if op.route == Route::Beside => {
                before.filter(|before| Some(*before) != op.target && self.runs(*before))
            }
            _ => None,
        };
        self.advance(now_ms, Event::Done);
    }

    /// What an ended action did to the host, whoever waits for it.
    pub(crate) fn take_effect(&mut self, now_ms: u64, flight: &Flight, result: &ActionResult) {
        if *result != ActionResult::Done {
            self.pause_strays(now_ms, flight);
            return;
        }
        match &flight.action {
            Action::Rotate { direction, release, port, .. } => {
                let meant = self.durable.entered.as_ref().is_some_and(|entered| {
                    entered.app.release == *release && entered.port == *port
                });
                match direction {
                    Direction::Out if meant => self.durable.entered = None,
                    Direction::Into if meant => {
                        if let Some(entered) = &mut self.durable.entered {
                            entered.certainty = Certainty::Sure;
                        }
                    }
                    Direction::Out | Direction::Into => return,
                }
                self.dirty = true;
            }
            Action::Stop { app, .. } => self.remove_app(app.generation),
            Action::Start { app, part, .. } => {
                if self.durable.placed(app.generation).is_none() {
                    // Started after it was given up: it has to be stopped again.
                    let part = part.clone();
                    self.durable.apps.push(Placed { part, ..Placed::unknown(*app) });
                    self.dirty = true;
                }
                self.begin_watch(now_ms, app.generation);
            }
            Action::Point { to } => {
                self.durable.head.current = *to;
                self.durable.pointer_unsure &= self.points_late();
                self.dirty = true;
            }
            Action::Build { .. }
            | Action::Command { .. }
            | Action::Probe { .. }
            | Action::Prune { .. } => {}
        }
    }

    /// Forgets an app of which nothing runs any more.
    pub(crate) fn remove_app(&mut self, generation: u64) {
        self.durable.apps.retain(|placed| placed.app.generation != generation);
        self.watches.remove(&generation);
        for slot in [&mut self.durable.serving, &mut self.durable.warm] {
            if *slot == Some(generation) {
                *slot = None;
            }
        }
        self.dirty = true;
    }
}
