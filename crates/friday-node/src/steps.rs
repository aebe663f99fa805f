//! Steps: which are begun, which are answered from memory, which are refused.

use friday_wire::{
    Answer, BackPace, Fence, Nonce, Quarantined, Refusal, ReleaseId, Step, StepKey, StepReport,
    StepState, Undo,
};

use crate::attempts::Seen;
use crate::durable::Manner;
use crate::input::CallId;
use crate::motion::Return;
use crate::node::Node;
use crate::operation::drawing::Event;
use crate::operation::{Armed, Course, Operation, Phase, Route};
use crate::task::{Task, Work};

/// Calls that may wait for operations at once.
const WAITERS_MAX: usize = 256;

impl Node {
    /// A `Do`. What is begun or known is answered when it is final or awaits its confirm.
    pub(crate) fn step(
        &mut self,
        now_ms: u64,
        call: CallId,
        asked: (Fence, StepKey, Step),
        random: String,
    ) -> Result<(), Answer> {
        let (fence, key, step) = asked;
        if key.step != step.name() || key.attempt == 0 {
            return Err(Answer::Error { why: format!("{key} does not name that step") });
        }
        if self.waiters.len() >= WAITERS_MAX {
            return Err(Answer::Error { why: "too many calls wait here".to_owned() });
        }
        match self.durable.attempts.seen(&key) {
            Seen::New => {
                self.may_begin(now_ms, &fence, &key, &step).map_err(Answer::Refused)?;
                self.begin(now_ms, fence, key.clone(), step, random);
            }
            Seen::Begun | Seen::Ended(_) => {}
            Seen::Stale { highest } => {
                return Err(Answer::Refused(Refusal::Stale { attempt: highest }));
            }
        }
        self.waiters.push((call, key));
        Ok(())
    }

    fn may_begin(
        &self,
        now_ms: u64,
        fence: &Fence,
        key: &StepKey,
        step: &Step,
    ) -> Result<(), Refusal> {
        let open = self.durable.head.rollout.as_ref().map(|open| &open.value);
        let Some(open) = open.filter(|open| open.id == key.rollout) else {
            return Err(self.not_open());
        };
        match step {
            Step::Stage { release } => {
                self.refuse_quarantined(release)?;
                if !self.durable.releases.contains_key(release) {
                    return Err(Refusal::NotHeld { release: *release });
                }
            }
            Step::Migrate { release, timeout_ms, .. } => {
                self.refuse_quarantined(release)?;
                self.refuse_not_held(release)?;
                self.refuse_not_stopped(now_ms, key, *timeout_ms)?;
            }
            // The way back of a quarantined release's migration is in that release.
            Step::MigrateBack { release, .. } => self.refuse_not_held(release)?,
            Step::Switch { release, undo, .. } => {
                self.refuse_quarantined(release)?;
                self.refuse_not_held(release)?;
                if let Undo::To { release } = undo {
                    if open.migration.forbids_automatic_return() {
                        return Err(Refusal::OneWay);
                    }
                    self.refuse_not_held(release)?;
                }
            }
            Step::Back { to, .. } => {
                if let Some(to) = to {
                    self.refuse_quarantined(to)?;
                    self.refuse_not_held(to)?;
                }
            }
            Step::Stop { .. } => {}
        }
        match self.blocks(fence, step) {
            Some(key) => Err(Refusal::Busy { with: self.report(&key, now_ms) }),
            None => Ok(()),
        }
    }

    fn refuse_quarantined(&self, release: &ReleaseId) -> Result<(), Refusal> {
        match self.durable.head.quarantine.get(release).filter(|entry| entry.active) {
            Some(entry) => {
                Err(Refusal::Quarantined { release: *release, reason: entry.reason.clone() })
            }
            None => Ok(()),
        }
    }

    fn refuse_not_held(&self, release: &ReleaseId) -> Result<(), Refusal> {
        if self.durable.holds(release) {
            Ok(())
        } else {
            Err(Refusal::NotHeld { release: *release })
        }
    }

    /// The operation that this step would have to wait for.
    fn blocks(&self, fence: &Fence, step: &Step) -> Option<StepKey> {
        if let Step::Back { .. } = step {
            return None;
        }
        // A stop leaves a task alone, and goes beside it.
        let beside = matches!(step, Step::Stop { .. });
        let task = self.durable.task.as_ref().filter(|task| match task.work {
            Work::Stage { .. } => !beside && task.fence >= *fence,
            Work::Command { .. } => !beside,
        });
        let operation = self.durable.operation.as_ref().filter(|op| match &op.course {
            Course::Switch(_) | Course::Back { .. } => true,
            Course::Stop(_) => op.phase != Phase::Holding,
            // What a stop's end starts again may be replaced at once.
            Course::Undo(armed) => armed.release.is_some(),
            Course::Ended(_) | Course::Boot => false,
        });
        task.map(|task| task.key.clone()).or(operation.and_then(|op| op.key().cloned()))
    }

    fn begin(&mut self, now_ms: u64, fence: Fence, key: StepKey, step: Step, random: String) {
        match step {
            Step::Stage { release } => {
                self.drop_task();
                self.begin_task(Task { key, fence, work: Work::Stage { release } });
            }
            Step::Migrate { release, command, timeout_ms, secrets }
            | Step::MigrateBack { release, command, timeout_ms, secrets } => {
                self.drop_task();
                let work = Work::Command { release, command, timeout_ms, secrets };
                self.begin_task(Task { key, fence, work });
            }
            Step::Switch { .. } => self.begin_switch(now_ms, fence, key, step, random),
            Step::Back { .. } => self.begin_back(now_ms, fence, key, step),
            Step::Stop { .. } => self.begin_stop(now_ms, fence, key, step),
        }
    }

    fn begin_switch(
        &mut self,
        now_ms: u64,
        fence: Fence,
        key: StepKey,
        step: Step,
        random: String,
    ) {
        let Step::Switch {
            release,
            undo,
            clocks,
            ports,
            rotation,
            secrets,
            secrets_stay,
            role,
            once,
        } = step
        else {
            return;
        };
        self.drop_task();
        self.note_begun(&key);
        let undo = self.effective_undo(undo);
        let undo_secrets = match undo {
            Undo::To { release } if !secrets_stay => self.secrets_of(&release),
            Undo::To { .. } => secrets.clone(),
            Undo::Nothing | Undo::Stay => None,
        };
        for (id, held) in &mut self.durable.releases {
            if secrets_stay || *id == release {
                held.secrets.clone_from(&secrets);
            }
            if *id == release && role.is_some() {
                held.role.clone_from(&role);
            }
        }
        self.take_once(&fence, once);
        self.durable.head.open = Some(release);
        self.durable.head.undo = Some(undo);
        let manner = Manner { clocks, ports, rotation };
        let route = if manner.beside() { Route::Beside } else { Route::InTurn };
        let armed = Armed {
            key,
            fence,
            release: Some(release),
            undo,
            undo_secrets,
            nonce: Nonce::new(random),
            deadline_ms: now_ms.saturating_add(clocks.first_deadline_ms()),
        };
        let left_rotation = self.left_rotation();
        let replaces = self.durable.operation.is_some();
        self.give_way();
        let op = Operation {
            course: Course::Switch(armed),
            to: Some(release),
            target: None,
            secrets,
            manner,
            pace: BackPace::Drained,
            route,
            phase: Phase::Leaving,
            left_rotation,
        };
        let event = if replaces { Event::Replaced } else { Event::Begun };
        self.begin_operation(now_ms, event, op);
    }

    /// What a replaced operation took out of rotation may still have requests in flight.
    pub(crate) fn left_rotation(&self) -> bool {
        self.durable.operation.as_ref().is_some_and(|op| op.left_rotation)
            && self.durable.serving.is_some_and(|serving| self.runs(serving))
    }

    /// A back: quarantine, the stable release and the end of a timer in the same persist.
    fn begin_back(&mut self, now_ms: u64, fence: Fence, key: StepKey, step: Step) {
        let Step::Back { to, quarantine, pace, clocks, ports, rotation, role } = step else {
            return;
        };
        self.drop_task();
        let replaces = self.durable.operation.is_some();
        self.give_way();
        self.note_begun(&key);
        if let Some((release, reason)) = quarantine.filter(|(release, _)| Some(*release) != to) {
            let entry = Quarantined { fence: fence.clone(), tree: None, reason, active: true };
            self.quarantine_one(release, entry);
        }
        let restored = self.undo_secrets_for(to);
        if let (Some(held), Some(secrets)) =
            (to.and_then(|to| self.durable.releases.get_mut(&to)), restored)
        {
            held.secrets = secrets;
        }
        if let Some(held) = to.and_then(|to| self.durable.releases.get_mut(&to))
            && held.role.is_none()
        {
            held.role = role;
        }
        self.make_stable(to, fence.clone());
        let secrets = to.and_then(|to| self.secrets_of(&to));
        let manner = Manner { clocks, ports, rotation };
        let course = Course::Back { key, fence };
        let event = if replaces { Event::Replaced } else { Event::Begun };
        let how = Return { course, to, secrets, pace, manner, except: None };
        self.begin_return(now_ms, event, how);
    }

    /// The secrets to restore when a back replaces a switch of the same release: only the switch
    /// knows the former ones.
    fn undo_secrets_for(
        &self,
        to: Option<ReleaseId>,
    ) -> Option<Option<friday_wire::SecretsVersion>> {
        match &self.durable.operation.as_ref()?.course {
            Course::Switch(armed) | Course::Ended(armed) | Course::Undo(armed)
                if to.is_some_and(|to| {
                    armed.release == Some(to) && armed.undo == (Undo::To { release: to })
                }) =>
            {
                Some(armed.undo_secrets.clone())
            }
            Course::Switch(_)
            | Course::Stop(_)
            | Course::Ended(_)
            | Course::Undo(_)
            | Course::Back { .. }
            | Course::Boot => None,
        }
    }

    /// A `Confirm`. The host says what became of the switch, never what the caller hoped for.
    pub(crate) fn confirm(&mut self, now_ms: u64, key: &StepKey, nonce: &Nonce) -> Answer {
        let awaiting =
            self.durable.operation.as_ref().and_then(|op| match (&op.course, &op.phase) {
                (Course::Switch(armed), Phase::Confirming { .. }) if armed.key == *key => {
                    Some(armed)
                }
                _ => None,
            });
        if let Some(armed) = awaiting {
            if armed.nonce != *nonce {
                return Answer::Error { why: format!("that is not the nonce of {key}") };
            }
            self.confirmed(key);
        }
        Answer::Step(self.report(key, now_ms))
    }

    /// An `Observe` with a seal: what was not begun by now never will be.
    pub(crate) fn seal(&mut self, key: &StepKey) {
        if self.durable.attempts.seen(key) == Seen::New {
            let open = self.durable.head.rollout.as_ref().map(|open| &open.value.id);
            self.durable.attempts.end(key, StepState::Sealed, open);
            self.dirty = true;
        }
    }

    /// How far an operation came.
    pub(crate) fn report(&self, key: &StepKey, now_ms: u64) -> StepReport {
        let state = match self.durable.attempts.seen(key) {
            Seen::Ended(state) => state,
            Seen::New => StepState::NeverSeen,
            Seen::Begun => self.running_state(key, now_ms),
            Seen::Stale { .. } => match self.running_state(key, now_ms) {
                StepState::Lost { .. } => StepState::Sealed,
                running => running,
            },
        };
        StepReport { key: key.clone(), state }
    }

    fn running_state(&self, key: &StepKey, now_ms: u64) -> StepState {
        if let Some(op) = self.durable.operation.as_ref().filter(|op| op.key() == Some(key)) {
            return op.state(now_ms);
        }
        match self.durable.task.as_ref().filter(|task| task.key == *key) {
            Some(task) => StepState::Running { doing: task.doing().to_owned() },
            None => StepState::Lost { why: "the host has no record of how it ended".to_owned() },
        }
    }

    /// Answers every call whose operation is final or awaits its confirm.
    pub(crate) fn answer_waiters(&mut self, now_ms: u64) {
        let waiters = std::mem::take(&mut self.waiters);
        for (call, key) in waiters {
            let report = self.report(&key, now_ms);
            match report.state {
                StepState::Running { .. } => self.waiters.push((call, key)),
                _ => self.answers.push((call, Answer::Step(report))),
            }
        }
    }
}
