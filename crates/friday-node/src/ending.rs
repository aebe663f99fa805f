//! What operations come to: confirmed, undone, back, given up.

use friday_wire::{BackPace, Fault, ReleaseId, StepKey, StepReport, StepState, Undo};

use crate::attempts::Seen;
use crate::motion::Return;
use crate::node::Node;
use crate::operation::drawing::Event;
use crate::operation::{Armed, Course, NO_TIMER, Operation, Phase, Route};

/// Why a switch failed: a release that is sick is not tried again by *stay*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The new release does not start, exited, or is not healthy.
    Health,
    /// The host does not let any release start: it is not tried again by *stay* either.
    Host,
    /// Anything else.
    Other,
}

impl Cause {
    fn fault(self) -> Fault {
        match self {
            Self::Host => Fault::Host,
            Self::Health | Self::Other => Fault::Release,
        }
    }
}

impl Node {
    /// Notes that the operation begins, so that no lower attempt ever does.
    pub(crate) fn note_begun(&mut self, key: &StepKey) {
        let open = self.durable.head.rollout.as_ref().map(|open| &open.value.id);
        self.durable.attempts.begin(key, open);
        self.dirty = true;
    }

    /// Notes how it ended. Whoever waits for it is answered at the end of this input.
    pub(crate) fn record(&mut self, key: &StepKey, state: StepState) {
        let open = self.durable.head.rollout.as_ref().map(|open| &open.value.id);
        self.durable.attempts.end(key, state.clone(), open);
        self.durable.last = Some(StepReport { key: key.clone(), state });
        self.dirty = true;
    }

    /// What the host would really do, given the migration as it is known now.
    pub(crate) fn effective_undo(&self, undo: Undo) -> Undo {
        match undo {
            Undo::To { .. } if self.durable.forbids_return() => Undo::Stay,
            undo => undo,
        }
    }

    /// The armed timer ran out.
    pub(crate) fn timed_out(&mut self, now_ms: u64, op: &Operation) {
        if let Some(armed) = op.armed().filter(|armed| self.stays_stopped(armed)) {
            let key = armed.key.clone();
            return self.keep_stopped(&key);
        }
        let outcome = match (&op.course, &op.phase) {
            (Course::Switch(_), Phase::Confirming { .. }) => {
                StepState::Undone { why: "it was not confirmed in time".to_owned() }
            }
            (Course::Stop(_), Phase::Holding) => {
                StepState::Undone { why: "its time was over, or the migration".to_owned() }
            }
            (Course::Ended(_), phase) => StepState::Undone {
                why: format!("a higher fence ended it while {}", phase.name().doing()),
            },
            (_, phase) => StepState::Failed {
                why: format!("it was still {} when its time was over", phase.name().doing()),
                log: Vec::new(),
                fault: Fault::Release,
            },
        };
        self.undo(now_ms, Event::TimedOut, outcome, Cause::Other);
    }

    /// The present phase cannot be finished.
    pub(crate) fn phase_failed(
        &mut self,
        now_ms: u64,
        why: String,
        log: Vec<String>,
        cause: Cause,
    ) {
        match self.durable.operation.as_ref().map(|op| &op.course) {
            Some(Course::Switch(_) | Course::Stop(_)) => {
                let failed = StepState::Failed { why, log, fault: cause.fault() };
                self.undo(now_ms, Event::Failed, failed, cause);
            }
            Some(Course::Undo(_) | Course::Back { .. } | Course::Boot) => {
                self.give_up(now_ms, &why, log);
            }
            Some(Course::Ended(_)) | None => {}
        }
    }

    /// Performs the undo of the armed switch. The outcome is told at once.
    pub(crate) fn undo(&mut self, now_ms: u64, event: Event, outcome: StepState, cause: Cause) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        let (Course::Switch(mut armed) | Course::Stop(mut armed) | Course::Ended(mut armed)) =
            op.course.clone()
        else {
            return;
        };
        armed.undo = self.effective_undo(armed.undo);
        self.record(&armed.key, outcome);
        if self.stays_stopped(&armed) {
            armed.deadline_ms = NO_TIMER;
            self.set_operation(event, Some(Operation { course: Course::Ended(armed), ..op }));
            return;
        }
        if armed.undo == Undo::Stay && cause != Cause::Other {
            let course = Course::Undo(armed);
            let given_up = Operation { course, route: Route::GivenUp, ..op };
            self.begin_operation(now_ms, event, given_up);
            return;
        }
        let except = (armed.undo != Undo::Stay).then_some(op.target).flatten();
        self.return_by(now_ms, event, armed, op.manner, except);
    }

    /// Begins the return that the undo says.
    pub(crate) fn return_by(
        &mut self,
        now_ms: u64,
        event: Event,
        armed: Armed,
        manner: crate::durable::Manner,
        except: Option<u64>,
    ) {
        let to = self.undo_target(&armed);
        let secrets = match armed.undo {
            Undo::To { .. } | Undo::Nothing => armed.undo_secrets.clone(),
            Undo::Stay => to.and_then(|to| self.secrets_of(&to)),
        };
        if let (Undo::To { release }, Some(held)) =
            (armed.undo, to.and_then(|to| self.durable.releases.get_mut(&to)))
            && Some(release) == armed.release
        {
            held.secrets.clone_from(&secrets);
        }
        let course = Course::Undo(armed);
        let pace = BackPace::AtOnce;
        self.begin_return(now_ms, event, Return { course, to, secrets, pace, manner, except });
    }

    /// What runs after the undo. A release that was quarantined meanwhile is not started.
    pub(crate) fn undo_target(&self, armed: &Armed) -> Option<ReleaseId> {
        match armed.undo {
            Undo::To { release } => Some(release).filter(|release| self.may_start(release)),
            Undo::Nothing => None,
            Undo::Stay => armed.release,
        }
    }

    /// Whether the release is held and hosts do not refuse it.
    pub(crate) fn may_start(&self, release: &ReleaseId) -> bool {
        self.durable.holds(release) && !self.durable.head.refuses(release)
    }

    pub(crate) fn secrets_of(&self, release: &ReleaseId) -> Option<friday_wire::SecretsVersion> {
        self.durable.releases.get(release).and_then(|held| held.secrets.clone())
    }

    /// What was returned to is not healthy: it stays out of rotation, and what it replaces is gone
    /// all the same.
    fn give_up(&mut self, now_ms: u64, why: &str, log: Vec<String>) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        match &op.course {
            Course::Back { key, .. } => {
                let key = key.clone();
                let fault = Fault::Release;
                self.record(&key, StepState::Failed { why: why.to_owned(), log, fault });
            }
            Course::Undo(armed) => {
                let key = armed.key.clone();
                if let Seen::Ended(state) = self.durable.attempts.seen(&key) {
                    self.record(&key, with_word(state, &format!("and the undo failed: {why}")));
                }
            }
            Course::Boot | Course::Switch(_) | Course::Stop(_) | Course::Ended(_) => {}
        }
        if op.route == Route::GivenUp {
            self.end_return(Event::Failed);
            return;
        }
        self.begin_operation(now_ms, Event::Failed, Operation { route: Route::GivenUp, ..op });
    }

    /// An undo, a back or a start after a reboot is over.
    pub(crate) fn end_return(&mut self, event: Event) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        match &op.course {
            Course::Undo(armed) => {
                // A stop opened nothing; what is open and not what runs again, was taken off.
                let taken_off = armed.release.is_some() || self.durable.head.open != op.to;
                if armed.undo != Undo::Stay && taken_off {
                    self.durable.head.open = None;
                    self.durable.head.undo = None;
                }
            }
            Course::Back { key, .. } => {
                if op.route != Route::GivenUp {
                    self.record(key, StepState::Done);
                }
            }
            Course::Boot | Course::Switch(_) | Course::Stop(_) | Course::Ended(_) => {}
        }
        self.set_operation(event, None);
    }

    /// The switch was confirmed. The release is open until it is stable or taken off.
    pub(crate) fn confirmed(&mut self, key: &StepKey) {
        self.record(key, StepState::Done);
        self.set_operation(Event::Confirmed, None);
    }

    /// A higher fence was raised: a switch or stop does nothing more, but its timer stays. One that
    /// awaits its confirm, or holds, has no next step and stays as it is; a back is completed.
    pub(crate) fn end_lower_operation(&mut self) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        let (Course::Switch(armed) | Course::Stop(armed)) = &op.course else {
            return;
        };
        let awaits = matches!(op.phase, Phase::Confirming { .. } | Phase::Holding);
        if armed.fence >= self.durable.head.fence || awaits {
            return;
        }
        let armed = armed.clone();
        let doing = op.phase.name().doing().to_owned();
        self.record(&armed.key, StepState::Ended { doing });
        self.set_operation(Event::Raised, Some(Operation { course: Course::Ended(armed), ..op }));
    }

    /// Another operation takes the place of the one at work, whose report is put right first.
    pub(crate) fn give_way(&mut self) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        let doing = op.phase.name().doing().to_owned();
        match &op.course {
            Course::Switch(armed) => self.record(&armed.key, StepState::Ended { doing }),
            Course::Back { key, .. } | Course::Stop(Armed { key, .. }) => {
                if self.durable.attempts.seen(key) == Seen::Begun {
                    self.record(key, StepState::Ended { doing });
                }
            }
            Course::Ended(_) | Course::Undo(_) | Course::Boot => {}
        }
    }
}

/// Adds to a report that stands already.
fn with_word(state: StepState, word: &str) -> StepState {
    match state {
        StepState::Failed { why, log, fault } => {
            StepState::Failed { why: format!("{why}; {word}"), log, fault }
        }
        StepState::Undone { why } => StepState::Undone { why: format!("{why}; {word}") },
        other => other,
    }
}
