//! The start of the process: after a reboot, and in the same boot.

use friday_wire::{BackPace, BootDefault, BootIdentity, ReleaseId, Undo};

use crate::action::App;
use crate::attempts::Seen;
use crate::durable::{Certainty, Placed};
use crate::ending::Cause;
use crate::motion::Return;
use crate::node::Node;
use crate::operation::drawing::Event;
use crate::operation::{Course, Operation, PhaseName};

impl Node {
    pub(crate) fn started(&mut self, now_ms: u64, boot: BootIdentity, alive: &[App]) {
        let known = self.durable.head.boot.replace(boot.clone());
        let rebooted = known.as_ref().is_some_and(|known| *known != boot);
        if known.as_ref() != Some(&boot) {
            self.dirty = true;
        }
        self.ready = true;
        self.resume_task();
        if rebooted {
            self.rebooted(now_ms);
        } else {
            self.restarted_process(now_ms, alive);
        }
    }

    /// The same boot, a new process: everything goes on where it stood.
    fn restarted_process(&mut self, now_ms: u64, alive: &[App]) {
        for app in alive {
            if self.durable.placed(app.generation).is_none() {
                // Nobody knows it: it is stopped when the host has nothing else to do.
                self.durable.apps.push(Placed::unknown(*app));
                self.dirty = true;
            }
            self.begin_watch(now_ms, app.generation);
        }
        self.restore_page(now_ms);
        let starting =
            self.durable.operation.as_ref().and_then(|op| {
                (op.phase.name() == PhaseName::Starting).then_some(op.target).flatten()
            });
        for placed in self.durable.apps.clone() {
            let app = placed.app;
            let starts = starting == Some(self.leader_of(app.generation));
            if !self.has_process(&placed) {
                self.begin_watch(now_ms, app.generation);
            } else if !self.runs(app.generation) && !starts {
                let status = "gone when the host program started".to_owned();
                self.exited(now_ms, app, status, Vec::new());
            }
        }
    }

    /// The machine was rebooted: nothing runs, and no stored time means anything.
    fn rebooted(&mut self, now_ms: u64) {
        let default = self.boot_release();
        self.durable.apps.clear();
        self.watches.clear();
        self.durable.serving = None;
        self.durable.warm = None;
        if let Some(entered) = &mut self.durable.entered {
            // A balancer may still point here.
            entered.certainty = Certainty::Unsure;
        }
        if let Some(lease) = &mut self.durable.lease {
            lease.expires_ms = now_ms.saturating_add(lease.period_ms);
        }
        self.dirty = true;
        match self.durable.operation.clone() {
            Some(op) => self.rebooted_within(now_ms, op, default),
            None => self.boot(now_ms, default),
        }
    }

    fn rebooted_within(&mut self, now_ms: u64, op: Operation, default: Option<ReleaseId>) {
        match op.course {
            Course::Stop(armed) | Course::Undo(armed) if self.stays_stopped(&armed) => {
                self.stop_again(now_ms, armed, op.manner);
            }
            Course::Ended(armed) if self.stays_stopped(&armed) => {}
            Course::Switch(_) | Course::Stop(_) | Course::Ended(_) => {
                let why = match &op.course {
                    Course::Stop(_) => "the machine was rebooted while it was stopped",
                    _ => "the machine was rebooted before it was confirmed",
                };
                let why = why.to_owned();
                let outcome = friday_wire::StepState::Undone { why };
                self.undo(now_ms, Event::Rebooted, outcome, Cause::Other);
            }
            Course::Undo(mut armed) => {
                armed.undo = self.effective_undo(armed.undo);
                self.return_by(now_ms, Event::Rebooted, armed, op.manner, None);
            }
            Course::Back { key, fence } => {
                // One that failed already is over; what it went to is still what shall run.
                let course = match self.durable.attempts.seen(&key) {
                    Seen::Ended(_) => Course::Boot,
                    Seen::New | Seen::Begun | Seen::Stale { .. } => Course::Back { key, fence },
                };
                let (to, secrets, manner) = (op.to, op.secrets, op.manner);
                let how =
                    Return { course, to, secrets, pace: BackPace::AtOnce, manner, except: None };
                self.begin_return(now_ms, Event::Rebooted, how);
            }
            Course::Boot => self.boot(now_ms, default),
        }
    }

    /// Starts what shall run after a reboot. What is open and not what starts, was taken off.
    fn boot(&mut self, now_ms: u64, to: Option<ReleaseId>) {
        if self.durable.head.open.is_some() && self.durable.head.open != to {
            self.durable.head.open = None;
            self.durable.head.undo = None;
        }
        let wanted = to.is_some() || self.durable.head.current.is_some();
        let Some(manner) = self.durable.manner.clone().filter(|_| wanted) else {
            if self.durable.operation.is_some() {
                self.set_operation(Event::Rebooted, None);
            }
            return;
        };
        let secrets = to.and_then(|to| self.secrets_of(&to));
        let how = Return {
            course: Course::Boot,
            to,
            secrets,
            pace: BackPace::AtOnce,
            manner,
            except: None,
        };
        self.begin_return(now_ms, Event::Rebooted, how);
    }

    /// What a reboot would start now.
    pub(crate) fn boot_default(&self) -> BootDefault {
        match self.boot_release() {
            Some(release) => BootDefault::Start { release },
            None => BootDefault::Nothing,
        }
    }

    pub(crate) fn boot_release(&self) -> Option<ReleaseId> {
        let head = &self.durable.head;
        match self.durable.operation.as_ref().map(|op| (&op.course, op.to)) {
            Some((Course::Stop(armed) | Course::Ended(armed) | Course::Undo(armed), _))
                if self.stays_stopped(armed) =>
            {
                None
            }
            Some((
                Course::Switch(armed)
                | Course::Stop(armed)
                | Course::Ended(armed)
                | Course::Undo(armed),
                _,
            )) => match self.effective_undo(armed.undo) {
                Undo::To { release } => Some(release).filter(|r| self.may_start(r)),
                Undo::Nothing => None,
                Undo::Stay => armed.release,
            },
            Some((Course::Back { .. } | Course::Boot, to)) => to
                .filter(|to| self.may_start(to) || (self.stays_open(to) && self.durable.holds(to))),
            None => match (head.open, head.undo.map(|undo| self.effective_undo(undo))) {
                (Some(open), Some(Undo::Stay)) => {
                    Some(open).filter(|open| self.durable.holds(open))
                }
                (Some(_), Some(Undo::To { release })) => {
                    self.first_startable([Some(release), head.stable])
                }
                (Some(_), Some(Undo::Nothing)) => None,
                (Some(_), None) => self.first_startable([head.stable, None]),
                (None, _) => self.first_startable([
                    head.current,
                    head.stable.filter(|_| head.current.is_some()),
                ]),
            },
        }
    }

    /// Whether the release is the open one and may not be replaced by the old one.
    pub(crate) fn stays_open(&self, release: &ReleaseId) -> bool {
        let head = &self.durable.head;
        head.open == Some(*release)
            && head.undo.is_some_and(|undo| self.effective_undo(undo) == Undo::Stay)
    }

    fn first_startable(&self, releases: [Option<ReleaseId>; 2]) -> Option<ReleaseId> {
        releases.into_iter().flatten().find(|release| self.may_start(release))
    }
}
