//! How an operation goes from phase to phase. What it comes to is in [`crate::ending`].

use friday_wire::{BackPace, HealthState, Part, Ports, ReleaseId, Rotation, SecretsVersion, Undo};

use crate::action::{Action, App, Direction};
use crate::durable::{Certainty, Entered, Manner, Placed};
use crate::ending::Cause;
use crate::input::ActionResult;
use crate::lane::{Flight, Lane, Owner};
use crate::node::Node;
use crate::operation::drawing::{Event, State, Transition};
use crate::operation::{Course, Operation, Phase, PhaseName, Route};
use crate::unit::start_of;

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

    fn drive_leaving(&mut self, now_ms: u64, op: &Operation) -> bool {
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
    fn to_stop(&self, op: &Operation) -> Option<App> {
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

    fn drive_stopping(&mut self, now_ms: u64, op: &Operation) -> bool {
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

    fn drive_starting(&mut self, now_ms: u64, op: &Operation) -> bool {
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

    fn drive_proving(&mut self, now_ms: u64, op: &Operation, until_ms: u64) -> bool {
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

    fn drive_entering(&mut self, now_ms: u64, op: &Operation) -> bool {
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

    fn drive_confirming(&mut self, now_ms: u64, op: &Operation) -> bool {
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
    fn drive_shunning(&mut self, now_ms: u64, op: &Operation) -> bool {
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
    fn to_shun(&self, op: &Operation) -> Option<App> {
        let runs = |placed: &&Placed| self.has_process(placed);
        op.target.and_then(|target| self.unit(target).find(runs)).map(|placed| placed.app)
    }

    /// The action of the present phase ended.
    pub(crate) fn phase_finished(&mut self, now_ms: u64, action: &Action, result: ActionResult) {
        let Some(op) = self.durable.operation.clone() else {
            return;
        };
        self.phase_issued = false;
        let forward = matches!(op.course, Course::Switch(_) | Course::Stop(_));
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
