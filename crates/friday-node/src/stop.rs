//! The stop for a migration beside which the old release cannot even run.
//!
//! The rule. A stop is armed like a switch, and confirmed by nothing: once nothing runs it is done, and
//! *holds*. Its timer is settle + drain + stop + the time the driver gave for the migration. The host
//! then starts its old release again, alone; also after a reboot, and as soon as it stores that the
//! migration ended. So a fleet whose driver died comes back by itself.
//!
//! Once a one-way migration began, the old release must not start any more: the host stays stopped,
//! through reboots too, and says so, until a switch or a back takes the stop's place. These replace
//! a stop in any case; they need not wait while the old release is being started again.
//!
//! A migration for which this host was stopped is begun only while it is, and for as long as the migration
//! may take: what a driver sends late does not run beside an old release that is back. The driver
//! lets the other hosts hold longer than the one that migrates.
//!
//! `current`, the open release and every task stay as they are.

use friday_wire::{Fence, Migration, Nonce, Refusal, RolloutId, Step, StepKey, StepName, Undo};

use crate::attempts::Seen;
use crate::durable::Manner;
use crate::node::Node;
use crate::operation::drawing::Event;
use crate::operation::{Armed, Course, NO_TIMER, Operation, Phase, Route};

impl Node {
    pub(crate) fn begin_stop(&mut self, now_ms: u64, fence: Fence, key: StepKey, step: Step) {
        let Step::Stop { hold_ms, clocks, ports, rotation } = step else {
            return;
        };
        self.note_begun(&key);
        // What a reboot would start: of a switch that this replaces, what its undo says.
        let old = self.boot_release();
        let undo = old.map_or(Undo::Nothing, |release| Undo::To { release });
        let ways = [clocks.settle_ms, clocks.drain_ms, clocks.stop_ms, hold_ms];
        let armed = Armed {
            key,
            fence,
            release: None,
            undo: if self.durable.forbids_return() { Undo::Stay } else { undo },
            undo_secrets: old.and_then(|old| self.secrets_of(&old)),
            nonce: Nonce::new(""),
            deadline_ms: ways.into_iter().fold(now_ms, u64::saturating_add),
        };
        let left_rotation = self.left_rotation();
        let replaces = self.durable.operation.is_some();
        self.give_way();
        let event = if replaces { Event::Replaced } else { Event::Begun };
        let manner = Manner { clocks, ports, rotation };
        self.begin_operation(now_ms, event, stopping(armed, manner, left_rotation));
    }

    /// Nothing runs any more.
    pub(crate) fn drive_holding(&mut self, op: &Operation) -> bool {
        let Some(key) = op.key().filter(|key| self.durable.attempts.seen(key) == Seen::Begun)
        else {
            return false;
        };
        self.record(key, friday_wire::StepState::Done);
        true
    }

    /// Whether this is a stop after which nothing may be started again.
    pub(crate) fn stays_stopped(&self, armed: &Armed) -> bool {
        armed.release.is_none() && self.durable.forbids_return()
    }

    /// The time of a stop is over, and nothing may be started again.
    pub(crate) fn keep_stopped(&mut self, key: &StepKey) {
        let why = "its time was over, and it stays stopped: a one-way migration began".to_owned();
        let fault = friday_wire::Fault::Release;
        self.record(key, friday_wire::StepState::Failed { why, log: Vec::new(), fault });
        if let Some(Operation { course: Course::Stop(armed) | Course::Ended(armed), .. }) =
            &mut self.durable.operation
        {
            armed.undo = Undo::Stay;
            armed.deadline_ms = NO_TIMER;
        }
    }

    /// A reboot stopped everything; what a balancer still points here is taken out again.
    pub(crate) fn stop_again(&mut self, now_ms: u64, mut armed: Armed, manner: Manner) {
        armed.undo = Undo::Stay;
        armed.deadline_ms = NO_TIMER;
        self.begin_operation(now_ms, Event::Rebooted, stopping(armed, manner, false));
    }

    /// The migration ended, and the old release can run again: the stop's time is over.
    pub(crate) fn end_hold(&mut self, rollout: &RolloutId, migration: Migration) {
        if !matches!(migration, Migration::Done { .. }) || self.durable.forbids_return() {
            return;
        }
        if let Some(Operation { course: Course::Stop(armed) | Course::Ended(armed), .. }) =
            &mut self.durable.operation
            && armed.release.is_none()
            && armed.key.rollout == *rollout
        {
            armed.deadline_ms = 0;
        }
    }

    /// A migration for which this host was stopped needs it stopped for as long as it may take.
    pub(crate) fn refuse_not_stopped(
        &self,
        now_ms: u64,
        key: &StepKey,
        timeout_ms: u64,
    ) -> Result<(), Refusal> {
        let stop = StepKey { step: StepName::Stop, ..key.clone() };
        if self.durable.attempts.highest(&stop) == 0 {
            return Ok(());
        }
        let holds = self.durable.operation.as_ref().is_some_and(|op| match &op.course {
            Course::Stop(armed) => {
                let long_enough = now_ms.saturating_add(timeout_ms) <= armed.deadline_ms;
                op.phase == Phase::Holding
                    && armed.key.rollout == key.rollout
                    && (long_enough || self.stays_stopped(armed))
            }
            Course::Switch(_)
            | Course::Ended(_)
            | Course::Undo(_)
            | Course::Back { .. }
            | Course::Boot => false,
        });
        if holds { Ok(()) } else { Err(Refusal::NotStopped) }
    }
}

fn stopping(armed: Armed, manner: Manner, left_rotation: bool) -> Operation {
    Operation {
        course: Course::Stop(armed),
        to: None,
        target: None,
        secrets: None,
        manner,
        pace: friday_wire::BackPace::Drained,
        route: Route::Stopped,
        phase: Phase::Leaving,
        left_rotation,
    }
}
