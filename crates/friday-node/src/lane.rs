//! What the shell was asked to do and has not ended yet.
//!
//! Two lanes, one action in each: one for what touches the application, one for building, commands
//! and pruning. So an operation that takes another's place never overlaps it. Probes run beside.

use friday_wire::{Rotation, StepKey};

use crate::action::{Action, ActionId};
use crate::input::ActionResult;
use crate::node::Node;

/// Beyond an action's own limit: over it, the shell is taken to have lost the action.
const MARGIN_MS: u64 = 30_000;

/// For building and pruning: a large tree on a slow disk.
const BUILD_MS: u64 = 30 * 60_000;

/// Overdue actions whose end is still believed should it come.
const FORGOTTEN_MAX: usize = 16;

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Start, stop, rotate, point.
    App,
    /// Build, command, prune.
    Side,
}

/// Who waits for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The phase of the operation with this serial number; an older one's waits no longer.
    Phase(u64),
    /// The task with this key.
    Task(StepKey),
    /// Supervision: a start of this generation.
    Restart(u64),
    /// Nobody: the state follows the action's own effect.
    Nobody,
}

/// An action under way.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) id: ActionId,
    pub(crate) action: Action,
    pub(crate) owner: Owner,
    pub(crate) overdue_ms: u64,
}

fn lane_of(action: &Action) -> Lane {
    match action {
        Action::Build { .. } | Action::Command { .. } | Action::Prune { .. } => Lane::Side,
        Action::Start { .. }
        | Action::Stop { .. }
        | Action::Rotate { .. }
        | Action::Point { .. }
        | Action::Probe { .. } => Lane::App,
    }
}

fn limit_ms(action: &Action) -> u64 {
    let own = match action {
        Action::Build { .. } | Action::Prune { .. } => BUILD_MS,
        Action::Command { timeout_ms, .. } => *timeout_ms,
        Action::Stop { grace_ms, .. } => *grace_ms,
        Action::Rotate { rotation: Rotation::Commands { timeout_ms, .. }, .. } => *timeout_ms,
        Action::Probe { health, .. } => health.timeout_ms,
        Action::Rotate { .. } | Action::Start { .. } | Action::Point { .. } => 0,
    };
    own.saturating_add(MARGIN_MS)
}

impl Node {
    pub(crate) fn flight(&self, lane: Lane) -> Option<&Flight> {
        match lane {
            Lane::App => self.app_lane.as_ref(),
            Lane::Side => self.side_lane.as_ref(),
        }
    }

    /// Puts an action into its lane, which is empty, and into the turn.
    pub(crate) fn issue(&mut self, now_ms: u64, action: Action, owner: Owner) {
        let id = self.name_action();
        let overdue_ms = now_ms.saturating_add(limit_ms(&action));
        let lane = lane_of(&action);
        let flight = Flight { id, action: action.clone(), owner, overdue_ms };
        match lane {
            Lane::App => self.app_lane = Some(flight),
            Lane::Side => self.side_lane = Some(flight),
        }
        self.actions.push((id, action));
    }

    /// An action that takes no lane: a probe. Gives its id and when it is overdue.
    pub(crate) fn issue_beside(&mut self, now_ms: u64, action: Action) -> (ActionId, u64) {
        let id = self.name_action();
        let overdue_ms = now_ms.saturating_add(limit_ms(&action));
        self.actions.push((id, action));
        (id, overdue_ms)
    }

    fn name_action(&mut self) -> ActionId {
        self.next_action = self.next_action.saturating_add(1);
        ActionId(self.next_action)
    }

    /// Takes back the phase's action where the shell has not taken it yet: the phase it is for never
    /// reaches the disk.
    pub(crate) fn withdraw_phase(&mut self) {
        let Some(flight) = self.app_lane.as_ref().filter(|f| matches!(f.owner, Owner::Phase(_)))
        else {
            return;
        };
        let (id, before) = (flight.id, self.actions.len());
        self.actions.retain(|(issued, _)| *issued != id);
        if self.actions.len() < before {
            self.app_lane = None;
        }
    }

    /// An action ended: its effect is noted, and whoever waits goes on.
    pub(crate) fn action_finished(&mut self, now_ms: u64, id: ActionId, result: ActionResult) {
        if let ActionResult::Sampled(sample) = result {
            self.sampled(now_ms, id, &sample);
            return;
        }
        let flight = if self.app_lane.as_ref().is_some_and(|flight| flight.id == id) {
            self.app_lane.take()
        } else if self.side_lane.as_ref().is_some_and(|flight| flight.id == id) {
            self.side_lane.take()
        } else {
            None
        };
        match flight {
            Some(flight) => self.land(now_ms, &flight, result),
            None => self.finished_late(now_ms, id, result),
        }
    }

    /// An action ended that nobody waits for any more; what it did is done all the same.
    fn finished_late(&mut self, now_ms: u64, id: ActionId, result: ActionResult) {
        match self.forgotten.iter().position(|flight| flight.id == id) {
            Some(at) => {
                let flight = self.forgotten.remove(at);
                self.take_effect(now_ms, &flight, &result);
                self.built(&flight, &result);
            }
            None => self.probe_failed(now_ms, id, result),
        }
    }

    fn land(&mut self, now_ms: u64, flight: &Flight, result: ActionResult) {
        self.take_effect(now_ms, flight, &result);
        self.built(flight, &result);
        match &flight.owner {
            Owner::Phase(serial) if *serial == self.serial => {
                self.phase_finished(now_ms, &flight.action, result);
            }
            Owner::Phase(_) | Owner::Nobody => self.pruned(flight, &result),
            Owner::Task(key) => self.task_finished(key, result),
            Owner::Restart(generation) => self.restarted(now_ms, *generation, result),
        }
    }

    /// Gives up on actions that the shell should have ended long ago. Says whether there were any.
    pub(crate) fn drive_overdue(&mut self, now_ms: u64) -> bool {
        let late = |flight: &Flight| now_ms >= flight.overdue_ms;
        let flight = if self.app_lane.as_ref().is_some_and(late) {
            self.app_lane.take()
        } else if self.side_lane.as_ref().is_some_and(late) {
            self.side_lane.take()
        } else {
            None
        };
        let Some(flight) = flight else {
            return false;
        };
        let why = "the host program did not end it in time".to_owned();
        self.land(now_ms, &flight, ActionResult::Failed { why, log: Vec::new() });
        if self.forgotten.len() >= FORGOTTEN_MAX {
            self.forgotten.remove(0);
        }
        if let Action::Point { .. } = flight.action {
            self.durable.pointer_unsure = true;
            self.dirty = true;
        }
        self.forgotten.push(flight);
        true
    }

    pub(crate) fn lanes_wakeup(&self) -> Option<u64> {
        [&self.app_lane, &self.side_lane].into_iter().flatten().map(|f| f.overdue_ms).min()
    }
}
