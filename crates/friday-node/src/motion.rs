//! How an operation goes from phase to phase. What is done in each is in [`crate::phase`], what the whole
//! comes to in [`crate::ending`].

use friday_wire::{BackPace, HealthState, ReleaseId, SecretsVersion};

use crate::action::Action;
use crate::durable::Manner;
use crate::lane::{Lane, Owner};
use crate::node::Node;
use crate::operation::drawing::{Event, State, Transition};
use crate::operation::{Course, Operation, Phase, PhaseName, Route};

/// How a return is to be done.
pub(crate) struct Return {
    pub(crate) course: Course,
    pub(crate) to: Option<ReleaseId>,
    pub(crate) secrets: Option<SecretsVersion>,
    pub(crate) pace: BackPace,
    pub(crate) manner: Manner,
    /// An app that must not be taken for the one to return to.
    pub(crate) except: Option<u64>,
}

impl Node {
    fn state(&self) -> State {
        match &self.durable.operation {
            None => State::Idle,
            Some(op) => match op.course {
                Course::Switch(_) => State::Switch(op.phase.name()),
                Course::Stop(_) => State::Stop(op.phase.name()),
                Course::Ended(_) => State::Ended,
                Course::Undo(_) | Course::Back { .. } | Course::Boot => {
                    State::Return(op.phase.name())
                }
            },
        }
    }

    /// The only way an operation changes its place in the drawing.
    pub(crate) fn set_operation(&mut self, event: Event, operation: Option<Operation>) {
        let from = self.state();
        self.withdraw_phase();
        self.durable.operation = operation;
        self.serial = self.serial.wrapping_add(1);
        self.phase_issued = false;
        self.dirty = true;
        let to = self.state();
        self.note_transition(Transition { from, event, to });
    }

    pub(crate) fn set_phase(&mut self, now_ms: u64, event: Event, name: PhaseName) {
        let Some(mut op) = self.durable.operation.clone() else {
            return;
        };
        op.phase = op.phase_begun(now_ms, name);
        if let (Course::Switch(armed), Phase::Confirming { until_ms }) = (&mut op.course, &op.phase)
        {
            armed.deadline_ms = *until_ms;
        }
        self.set_operation(event, Some(op));
    }

    /// Begins an operation at its route's first phase.
    pub(crate) fn begin_operation(&mut self, now_ms: u64, event: Event, mut op: Operation) {
        self.durable.manner = Some(op.manner.clone());
        self.stuck.clear();
        if let Some(first) = op.route.phases().first() {
            op.phase = op.phase_begun(now_ms, *first);
        }
        self.set_operation(event, Some(op));
    }

    /// Begins an undo, a back or a start after a reboot: what runs already is used.
    pub(crate) fn begin_return(&mut self, now_ms: u64, event: Event, how: Return) {
        let target = how.to.and_then(|to| self.running_app(&to, how.except, now_ms));
        let route = match (how.to, target, how.pace) {
            (Some(_), Some(_), _) => Route::Kept,
            (Some(_), None, BackPace::Drained)
                if how.manner.beside() && self.durable.entered.is_some() =>
            {
                Route::Beside
            }
            (Some(_), None, _) | (None, _, _) => Route::InTurn,
        };
        let op = Operation {
            course: how.course,
            to: how.to,
            target,
            secrets: how.secrets,
            manner: how.manner,
            pace: how.pace,
            route,
            phase: Phase::Leaving,
            left_rotation: false,
        };
        self.begin_operation(now_ms, event, op);
    }

    /// Whether the shell is stopping this app: what a replaced operation asked for is still done.
    fn is_being_stopped(&self, generation: u64) -> bool {
        self.flight(Lane::App).is_some_and(|flight| {
            let stops =
                matches!(&flight.action, Action::Stop { app, .. } if app.generation == generation);
            let withdrawn = matches!(flight.owner, Owner::Phase(_))
                && self.actions.iter().any(|(issued, _)| *issued == flight.id);
            stops && !withdrawn
        })
    }

    /// An app of this release that runs, is not sick and is not about to be stopped.
    fn running_app(&self, release: &ReleaseId, except: Option<u64>, now_ms: u64) -> Option<u64> {
        let mut generations: Vec<u64> = self
            .durable
            .apps
            .iter()
            .filter(|placed| placed.leader.is_none() && placed.app.release == *release)
            .map(|placed| placed.app.generation)
            .filter(|generation| Some(*generation) != except && self.runs(*generation))
            .filter(|generation| !self.is_being_stopped(*generation))
            .filter(|generation| {
                !matches!(self.health(*generation, now_ms), HealthState::Sick { .. })
            })
            .collect();
        // The one that serves first; there is hardly ever another.
        generations.sort_by_key(|generation| Some(*generation) != self.durable.serving);
        generations.first().copied()
    }

    /// On to the next phase, or to the end.
    pub(crate) fn advance(&mut self, now_ms: u64, event: Event) {
        let Some(op) = &self.durable.operation else {
            return;
        };
        let next = op.route.after(op.phase.name());
        match (next, &op.course) {
            (Some(next), _) => self.set_phase(now_ms, event, next),
            (None, Course::Switch(_)) => self.set_phase(now_ms, event, PhaseName::Confirming),
            // Holding is its last phase, and does not end by itself.
            (None, Course::Stop(_)) => {}
            (None, Course::Ended(_) | Course::Undo(_) | Course::Back { .. } | Course::Boot) => {
                self.end_return(event);
            }
        }
    }

    /// Takes the operation as far as it goes without waiting. Says whether anything happened.
    pub(crate) fn drive_operation(&mut self, now_ms: u64) -> bool {
        let Some(op) = self.durable.operation.clone() else {
            return false;
        };
        if let Some(armed) = op.armed()
            && now_ms >= armed.deadline_ms
        {
            self.timed_out(now_ms, &op);
            return true;
        }
        if matches!(op.course, Course::Ended(_)) {
            return false;
        }
        match op.phase {
            Phase::Leaving => self.drive_leaving(now_ms, &op),
            Phase::Settling { until_ms } | Phase::Draining { until_ms } => {
                let waits = op.left_rotation && op.pace == BackPace::Drained;
                if waits && now_ms < until_ms {
                    return false;
                }
                self.advance(now_ms, if waits { Event::Done } else { Event::Skipped });
                true
            }
            Phase::Clearing | Phase::Stopping => self.drive_stopping(now_ms, &op),
            Phase::Starting => self.drive_starting(now_ms, &op),
            Phase::Pointing => self.phase_action(now_ms, Action::Point { to: op.to }),
            Phase::Proving { until_ms } => self.drive_proving(now_ms, &op, until_ms),
            Phase::Entering => self.drive_entering(now_ms, &op),
            Phase::Confirming { .. } => self.drive_confirming(now_ms, &op),
            Phase::Shunning => self.drive_shunning(now_ms, &op),
            Phase::Holding => self.drive_holding(&op),
        }
    }

    pub(crate) fn phase_action(&mut self, now_ms: u64, action: Action) -> bool {
        if self.phase_issued || self.flight(Lane::App).is_some() {
            return false;
        }
        self.phase_issued = true;
        self.issue(now_ms, action, Owner::Phase(self.serial));
        true
    }
}
