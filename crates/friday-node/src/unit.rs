//! What one release runs on this host: one app that leads, and others that follow it.
//!
//! The leader is what an operation moves: it serves, is warm, is in rotation. A follower is a process
//! that has a name. It is started after its leader and ends with it, and it never runs beside another
//! of its name: the old one is stopped before the new one starts, on every route. So a leader may
//! stay warm while its followers are gone; they are started again when it is returned to.
//!
//! A process that runs *once* in the fleet always follows, and only where the head says *here*.

use friday_wire::{HealthState, Holder, Part, ProcessName, ReleaseId};

use crate::action::{Action, App};
use crate::durable::Placed;
use crate::ending::Cause;
use crate::lane::{Lane, Owner};
use crate::node::Node;
use crate::operation::Operation;
use crate::operation::drawing::Event;

impl Node {
    /// The generation of the leader of an app: its own, where it leads.
    pub(crate) fn leader_of(&self, generation: u64) -> u64 {
        self.durable.placed(generation).and_then(|placed| placed.leader).unwrap_or(generation)
    }

    /// The apps that a leader and its followers are, the leader first.
    pub(crate) fn unit(&self, leader: u64) -> impl Iterator<Item = &Placed> {
        let follows = move |placed: &&Placed| placed.leader == Some(leader);
        let leads = self.durable.placed(leader);
        leads.into_iter().chain(self.durable.apps.iter().filter(follows))
    }

    /// What a release runs here now, the leader first. Never empty.
    pub(crate) fn parts_of(&self, release: &ReleaseId) -> Vec<Part> {
        let Some(held) = self.durable.releases.get(release) else {
            return vec![Part::Run];
        };
        let mut parts = held.run.processes.parts(held.role.as_ref());
        parts.retain(|part| self.may_run(release, part));
        parts
    }

    /// Whether a part may run here as far as *once* goes.
    pub(crate) fn may_run(&self, release: &ReleaseId, part: &Part) -> bool {
        let once = self.durable.releases.get(release).is_some_and(|held| held.run.is_once(part));
        !once || part.name().is_some_and(|name| self.is_holder(name))
    }

    /// Whether this host is the one for a once process.
    pub(crate) fn is_holder(&self, process: &ProcessName) -> bool {
        self.durable.head.once.get(process).is_some_and(|known| known.value == Holder::Here)
    }

    /// Whether an app has something to start.
    pub(crate) fn has_process(&self, placed: &Placed) -> bool {
        self.starts_something(&placed.app.release, &placed.part)
    }

    /// As [`Node::has_process`], of an app that is not placed yet.
    pub(crate) fn starts_something(&self, release: &ReleaseId, part: &Part) -> bool {
        // A leftover of an unknown release does have one: that is how it was found.
        let held = self.durable.releases.get(release);
        held.is_none_or(|held| held.run.command_of(part).is_some())
    }

    /// The health of a leader and its followers together: as bad as the worst of them.
    pub(crate) fn unit_health(&self, leader: u64, now_ms: u64) -> HealthState {
        let Some(placed) = self.durable.placed(leader) else {
            return self.health(leader, now_ms);
        };
        let mut worst = match self.missing_part(placed) {
            Some(_) => HealthState::Unproven,
            None => HealthState::Healthy,
        };
        for placed in self.unit(leader) {
            match self.health(placed.app.generation, now_ms) {
                HealthState::Sick { why } => {
                    return HealthState::Sick { why: named(&placed.part, why) };
                }
                HealthState::Unproven => worst = HealthState::Unproven,
                HealthState::Healthy => {}
            }
        }
        worst
    }

    /// Why a unit is not healthy; the first of its apps that is not.
    pub(crate) fn why_unit_is_not_healthy(
        &self,
        leader: u64,
        now_ms: u64,
        deadline_ms: u64,
    ) -> String {
        let sick = self
            .unit(leader)
            .find(|placed| self.health(placed.app.generation, now_ms) != HealthState::Healthy);
        match sick {
            Some(placed) => {
                let why = self.why_not_healthy(placed.app.generation, deadline_ms);
                named(&placed.part, why)
            }
            None => self.why_not_healthy(leader, deadline_ms),
        }
    }

    /// A part of the leader's release that should run here and was not placed.
    fn missing_part(&self, leader: &Placed) -> Option<Part> {
        let generation = leader.app.generation;
        self.parts_of(&leader.app.release)
            .into_iter()
            .skip(1)
            .find(|part| self.unit(generation).all(|placed| placed.part != *part))
    }

    /// Whether something that should run here with this leader was not placed.
    pub(crate) fn misses_part(&self, leader: u64) -> bool {
        self.durable.placed(leader).is_some_and(|leader| self.missing_part(leader).is_some())
    }

    /// Whether something of the leader's release is still to be started here, after its leader was.
    pub(crate) fn has_unstarted(&self, leader: &Placed) -> bool {
        let begun = |placed: &Placed| self.watches.contains_key(&placed.app.generation);
        self.missing_part(leader).is_some()
            || self.unit(leader.app.generation).skip(1).any(|placed| !begun(placed))
    }

    /// The port of a part that has a name.
    pub(crate) fn own_port(&self, release: &ReleaseId, part: &Part) -> Option<u16> {
        let held = self.durable.releases.get(release)?;
        held.run.processes.named.get(part.name()?)?.port
    }

    /// Gives a follower its generation: durable before it is started.
    fn place_follower(&mut self, leader: &Placed, part: Part) -> App {
        self.durable.generation = self.durable.generation.saturating_add(1);
        let app = App { release: leader.app.release, generation: self.durable.generation };
        let port = self.own_port(&app.release, &part);
        let secrets = leader.secrets.clone();
        let leader = Some(leader.app.generation);
        self.durable.apps.push(Placed { app, part, leader, port, secrets, restarts: 0 });
        self.dirty = true;
        app
    }

    /// An app that has to end before the target's followers start: one of another leader's, or another
    /// leader of a name that the target runs.
    fn to_make_room(&self, target: &Placed) -> Option<App> {
        let parts = self.parts_of(&target.app.release);
        let goes = |placed: &&Placed| {
            let generation = placed.app.generation;
            placed.part.name().is_some()
                && self.leader_of(generation) != target.app.generation
                && (placed.leader.is_some() || parts.contains(&placed.part))
                && !self.stuck.contains(&generation)
        };
        self.durable.apps.iter().find(goes).map(|placed| placed.app)
    }

    /// The followers of the target, once its leader was started. Says whether anything happened;
    /// `None`: there is nothing left to do.
    pub(crate) fn drive_followers(
        &mut self,
        now_ms: u64,
        op: &Operation,
        target: &Placed,
    ) -> Option<bool> {
        if let Some(app) = self.to_make_room(target) {
            let grace_ms = op.manner.clocks.stop_ms;
            return Some(self.phase_action(now_ms, Action::Stop { app, grace_ms }));
        }
        if let Some(part) = self.missing_part(target) {
            if let Some(why) = self.not_beside(&target.app.release, &part) {
                self.phase_failed(now_ms, why, Vec::new(), Cause::Other);
                return Some(true);
            }
            self.place_follower(target, part);
            return Some(true);
        }
        let generation = target.app.generation;
        let begun = |placed: &&Placed| self.watches.contains_key(&placed.app.generation);
        let follower = self.unit(generation).skip(1).find(|placed| !begun(placed)).cloned()?;
        Some(self.phase_action(now_ms, start_of(&follower)))
    }

    /// Why a once process must not start here yet: one of its name could not be ended.
    fn not_beside(&self, release: &ReleaseId, part: &Part) -> Option<String> {
        let once = self.durable.releases.get(release).is_some_and(|held| held.run.is_once(part));
        let another = self.durable.apps.iter().any(|placed| placed.part == *part);
        (once && another).then(|| format!("another `{part}` still runs here and cannot be ended"))
    }

    /// Between operations: what the serving release should run here and does not is started.
    pub(crate) fn drive_missing(&mut self, now_ms: u64) -> bool {
        let serving = self.durable.serving.filter(|_| self.durable.operation.is_none());
        serving.is_some_and(|leader| self.start_missing(now_ms, leader))
    }

    /// Starts what the leader's release should run here and does not: a host may be told to be the one that
    /// runs a once process after its other processes were started. Says whether it did.
    pub(crate) fn start_missing(&mut self, now_ms: u64, leader: u64) -> bool {
        if self.flight(Lane::App).is_some() {
            return false;
        }
        let Some(leader) = self.durable.placed(leader).cloned() else {
            return false;
        };
        let Some(part) = self.missing_part(&leader) else {
            return false;
        };
        if !self.may_restart(&leader.app.release)
            || self.not_beside(&leader.app.release, &part).is_some()
        {
            return false;
        }
        let app = self.place_follower(&leader, part);
        if let Some(placed) = self.durable.placed(app.generation).cloned() {
            self.issue(now_ms, start_of(&placed), Owner::Restart(app.generation));
        }
        true
    }

    /// A once process that this host does not hold any more is ended, whatever is at work.
    pub(crate) fn drive_yield(&mut self, now_ms: u64) -> bool {
        if self.flight(Lane::App).is_some() || now_ms < self.strays_after_ms {
            return false;
        }
        let goes = |placed: &&Placed| !self.may_run(&placed.app.release, &placed.part);
        let Some(app) = self.durable.apps.iter().find(goes).map(|placed| placed.app) else {
            return false;
        };
        let grace_ms = self.durable.manner.as_ref().map_or(10_000, |manner| manner.clocks.stop_ms);
        self.issue(now_ms, Action::Stop { app, grace_ms }, Owner::Nobody);
        true
    }

    /// The leader was started, or tried: the operation goes on once its followers were, too, and those of
    /// another leader have ended.
    pub(crate) fn leader_started(&mut self, now_ms: u64, event: Event) {
        let target = self.durable.operation.as_ref().and_then(|op| op.target);
        let alone = target.and_then(|target| self.durable.placed(target)).is_none_or(|placed| {
            self.parts_of(&placed.app.release).len() <= 1 && self.to_make_room(placed).is_none()
        });
        if alone {
            self.advance(now_ms, event);
        }
    }
}

/// The action that starts an app.
pub(crate) fn start_of(placed: &Placed) -> Action {
    Action::Start {
        app: placed.app,
        part: placed.part.clone(),
        port: placed.port,
        secrets: placed.secrets.clone(),
    }
}

/// A sentence about an app that has a name.
pub(crate) fn named(part: &Part, why: String) -> String {
    match part {
        Part::Process(name) => format!("{name}: {why}"),
        Part::Run | Part::Files => why,
    }
}
