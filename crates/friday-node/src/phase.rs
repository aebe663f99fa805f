//! What is done in each phase of an operation, until it is over. Which phase follows is in
//! [`crate::motion`], what became of an action in [`crate::outcome`].

use friday_wire::{BackPace, HealthState, Part, Ports, ReleaseId, Rotation, Undo};

use crate::action::{Action, App, Direction};
use crate::durable::{Certainty, Entered, Placed};
use crate::ending::Cause;
use crate::node::Node;
use crate::operation::drawing::Event;
use crate::operation::{Course, Operation, Phase, Route};
use crate::unit::start_of;

impl Node {
    fn rotate_out(&mut self, now_ms: u64, entered: &Entered) -> bool {
        let issued = self.phase_action(
            now_ms,
            Action::Rotate {
                direction: Direction::Out,
                rotation: entered.rotation.clone(),
                release: entered.app.release,
                port: entered.port,
            },
        );
        if issued && let Some(entered) = &mut self.durable.entered {
            entered.certainty = Certainty::Unsure;
            self.dirty = true;
        }
        issued
    }

    pub(crate) fn drive_leaving(&mut self, now_ms: u64, op: &Operation) -> bool {
        let Some(entered) = self.durable.entered.clone() else {
            self.advance(now_ms, Event::Skipped);
            return true;
        };
        let stays = op.route == Route::Kept
            && (op.target == Some(entered.app.generation)
                || op.pace == BackPace::Drained
                || op.target.is_some_and(|t| self.health(t, now_ms) == HealthState::Healthy));
        if stays {
            self.advance(now_ms, Event::Skipped);
            return true;
        }
        if entered.rotation == Rotation::None {
            self.durable.entered = None;
            self.advance(now_ms, Event::Skipped);
            return true;
        }
        self.rotate_out(now_ms, &entered)
    }

    /// An app that has to go in this phase.
    pub(crate) fn to_stop(&self, op: &Operation) -> Option<App> {
        let undo_to = match &op.course {
            Course::Switch(armed) => match armed.undo {
                Undo::To { release } => Some(release),
                Undo::Nothing | Undo::Stay => None,
            },
            Course::Stop(_)
            | Course::Ended(_)
            | Course::Undo(_)
            | Course::Back { .. }
            | Course::Boot => None,
        };
        let beside_switch = op.route == Route::Beside && matches!(op.course, Course::Switch(_));
        let entered = self.durable.entered.as_ref().map(|entered| entered.app.generation);
        // Followers end before their leaders: they may need them.
        let followers = self.durable.apps.iter().filter(|placed| placed.leader.is_some());
        let leaders = self.durable.apps.iter().filter(|placed| placed.leader.is_none());
        let mut apps = followers.chain(leaders).map(|placed| placed.app);
        apps.find(|app| {
            if self.stuck.contains(&app.generation) {
                return false;
            }
            let leader = self.leader_of(app.generation);
            let is = |generation: Option<u64>| generation == Some(leader);
            match op.phase {
                Phase::Clearing => {
                    let undone_to = Some(app.release) == undo_to && self.runs(app.generation);
                    !(is(op.target) || is(self.durable.serving) || is(entered) || undone_to)
                }
                _ => !is(op.target) && !beside_switch,
            }
        })
    }

    pub(crate) fn drive_stopping(&mut self, now_ms: u64, op: &Operation) -> bool {
        let Some(app) = self.to_stop(op) else {
            if self.phase_issued {
                return false;
            }
            self.advance(now_ms, Event::Done);
            return true;
        };
        if self.durable.placed(app.generation).is_some_and(|placed| !self.has_process(placed)) {
            self.remove_app(app.generation);
            return true;
        }
        self.phase_action(now_ms, Action::Stop { app, grace_ms: op.manner.clocks.stop_ms })
    }

    pub(crate) fn drive_starting(&mut self, now_ms: u64, op: &Operation) -> bool {
        let Some(to) = op.to else {
            self.advance(now_ms, Event::Skipped);
            return true;
        };
        let target = op.target.and_then(|t| self.durable.placed(t).cloned());
        let begun =
            target.as_ref().filter(|placed| self.watches.contains_key(&placed.app.generation));
        let starts_more = begun.is_none_or(|target| self.has_unstarted(target));
        let stays = matches!(&op.course, Course::Undo(armed) if armed.undo == Undo::Stay);
        if starts_more && self.durable.head.refuses(&to) && !stays && !self.stays_open(&to) {
            // Quarantined since the operation began.
            let why = format!("release {} is quarantined", to.short());
            self.phase_failed(now_ms, why, Vec::new(), Cause::Other);
            return true;
        }
        if let Some(target) = begun {
            return self.drive_followers(now_ms, op, target).unwrap_or_else(|| {
                let event = if self.phase_issued { Event::Done } else { Event::Skipped };
                self.advance(now_ms, event);
                true
            });
        }
        let Some(target) = target else {
            return self.place_target(now_ms, op, to);
        };
        if !self.has_process(&target) {
            self.begin_watch(now_ms, target.app.generation);
            self.leader_started(now_ms, Event::Done);
            return true;
        }
        self.phase_action(now_ms, start_of(&target))
    }

    /// Gives the target its generation and port: durable before it is started.
    fn place_target(&mut self, now_ms: u64, op: &Operation, to: ReleaseId) -> bool {
        let part = self.parts_of(&to).into_iter().next().unwrap_or_default();
        let port = match &part {
            Part::Run => self.choose_port(op.manner.ports),
            Part::Process(_) | Part::Files => Ok(self.own_port(&to, &part)),
        };
        let port = match port {
            Ok(port) => port,
            Err(why) => {
                self.phase_failed(now_ms, why, Vec::new(), Cause::Other);
                return true;
            }
        };
        self.durable.generation = self.durable.generation.saturating_add(1);
        let app = App { release: to, generation: self.durable.generation };
        let secrets = op.secrets.clone();
        self.durable.apps.push(Placed { app, part, leader: None, port, secrets, restarts: 0 });
        if let Some(op) = &mut self.durable.operation {
            op.target = Some(app.generation);
        }
        self.dirty = true;
        true
    }

    fn choose_port(&self, ports: Ports) -> Result<Option<u16>, String> {
        match ports {
            Ports::None => Ok(None),
            Ports::Fixed { port } => Ok(Some(port)),
            Ports::PerRelease { first, last } => (first..=last)
                .find(|port| self.durable.apps.iter().all(|placed| placed.port != Some(*port)))
                .map(Some)
                .ok_or_else(|| format!("no port from {first} to {last} is free")),
        }
    }

    pub(crate) fn drive_proving(&mut self, now_ms: u64, op: &Operation, until_ms: u64) -> bool {
        let (Some(to), Some(target)) = (op.to, op.target) else {
            self.advance(now_ms, Event::Skipped);
            return true;
        };
        if self.unit_health(target, now_ms) == HealthState::Healthy {
            self.advance(now_ms, Event::Done);
            return true;
        }
        if self.start_missing(now_ms, target) {
            return true;
        }
        let all_run = self.runs(target)
            && self.unit(target).all(|placed| self.runs(placed.app.generation))
            && !self.misses_part(target);
        let over = !all_run && !self.may_restart(&to);
        if now_ms < until_ms && !over {
            return false;
        }
        let deadline_ms = op.manner.clocks.health_deadline_ms;
        let why = self.why_unit_is_not_healthy(target, now_ms, deadline_ms);
        self.phase_failed(now_ms, why, Vec::new(), Cause::Health);
        true
    }

    pub(crate) fn drive_entering(&mut self, now_ms: u64, op: &Operation) -> bool {
        let Some(placed) = op.target.and_then(|t| self.durable.placed(t).cloned()) else {
            self.advance(now_ms, Event::Skipped);
            return true;
        };
        let there = self.durable.entered.as_ref().is_some_and(|entered| {
            entered.app == placed.app && entered.certainty == Certainty::Sure
        });
        if there {
            self.advance(now_ms, Event::Skipped);
            return true;
        }
        let mut entered = Entered {
            app: placed.app,
            port: placed.port,
            rotation: op.manner.rotation.clone(),
            certainty: Certainty::Unsure,
        };
        if op.manner.rotation == Rotation::None {
            entered.certainty = Certainty::Sure;
            self.durable.entered = Some(entered);
            self.advance(now_ms, Event::Done);
            return true;
        }
        let issued = self.phase_action(
            now_ms,
            Action::Rotate {
                direction: Direction::Into,
                rotation: op.manner.rotation.clone(),
                release: placed.app.release,
                port: placed.port,
            },
        );
        if issued {
            self.durable.entered = Some(entered);
            self.dirty = true;
        }
        issued
    }

    pub(crate) fn drive_confirming(&mut self, now_ms: u64, op: &Operation) -> bool {
        let Some(target) = op.target else {
            return false;
        };
        let HealthState::Sick { why } = self.unit_health(target, now_ms) else {
            return false;
        };
        self.phase_failed(now_ms, why, Vec::new(), Cause::Health);
        true
    }

    /// Out of rotation with what is not healthy. Where running is serving, a new release that may
    /// not be replaced by the old one is stopped instead.
    pub(crate) fn drive_shunning(&mut self, now_ms: u64, op: &Operation) -> bool {
        let placed = op.target.and_then(|target| self.durable.placed(target).cloned());
        if op.manner.rotation == Rotation::None {
            let stays = matches!(&op.course, Course::Undo(armed) if armed.undo == Undo::Stay);
            if let (Some(app), true) = (self.to_shun(op), stays) {
                let grace_ms = op.manner.clocks.stop_ms;
                return self.phase_action(now_ms, Action::Stop { app, grace_ms });
            }
            self.durable.entered = None;
            self.advance(now_ms, Event::Skipped);
            return true;
        }
        let of_target = placed.map(|placed| Entered {
            app: placed.app,
            port: placed.port,
            rotation: op.manner.rotation.clone(),
            certainty: Certainty::Unsure,
        });
        match self.durable.entered.clone().or(of_target) {
            Some(entered) => self.rotate_out(now_ms, &entered),
            None => {
                self.advance(now_ms, Event::Skipped);
                true
            }
        }
    }

    /// An app of the target that has a process.
    pub(crate) fn to_shun(&self, op: &Operation) -> Option<App> {
        let runs = |placed: &&Placed| self.has_process(placed);
        op.target.and_then(|target| self.unit(target).find(runs)).map(|placed| placed.app)
    }
}
