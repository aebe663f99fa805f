//! Looking after applications: probes, what they add up to, and starting again what exited.

use std::collections::VecDeque;

use friday_wire::{HealthSpec, HealthState, Part, ReleaseId, Rotation, Sample, Streak};

use crate::action::{Action, ActionId, App};
use crate::durable::Placed;
use crate::ending::Cause;
use crate::input::ActionResult;
use crate::lane::{Lane, Owner};
use crate::node::Node;
use crate::operation::{Course, Phase, Route};
use crate::unit::{named, start_of};

/// The first pause before a restart; it doubles with each exit.
const BACK_OFF_FIRST_MS: u64 = 1_000;

/// The longest pause before a restart. Running this long makes it short again.
const BACK_OFF_LAST_MS: u64 = 60_000;

/// So many exits within the window are a crash loop.
const CRASHES_MAX: usize = 5;

/// See above.
const CRASH_WINDOW_MS: u64 = 60_000;

/// What is known of one app since this process looks after it. Not durable: health is proven anew.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    running: bool,
    since_ms: u64,
    streak: Streak,
    probe: Option<(ActionId, u64)>,
    next_probe_ms: u64,
    /// It ran for as long as one without checks must, and this was noticed.
    steady: bool,
    exits: VecDeque<u64>,
    restart_at_ms: Option<u64>,
    back_off_ms: u64,
    /// How it exited last.
    status: Option<String>,
    /// Why the last probe failed.
    failure: Option<String>,
}

impl Node {
    /// Whether a process of it is there, as far as is known.
    pub(crate) fn runs(&self, generation: u64) -> bool {
        self.watches.get(&generation).is_some_and(|watch| watch.running)
    }

    fn health_spec(&self, release: &ReleaseId, part: &Part) -> HealthSpec {
        let held = self.durable.releases.get(release);
        held.map(|held| held.run.health_of(part)).unwrap_or_default()
    }

    /// An app was started, or found running.
    pub(crate) fn begin_watch(&mut self, now_ms: u64, generation: u64) {
        let watch = self.watches.entry(generation).or_default();
        watch.running = true;
        watch.since_ms = now_ms;
        watch.streak = Streak::default();
        watch.probe = None;
        watch.next_probe_ms = now_ms;
        watch.steady = false;
        watch.restart_at_ms = None;
        watch.failure = None;
    }

    /// The health of an app by the host's own probes.
    pub(crate) fn health(&self, generation: u64, now_ms: u64) -> HealthState {
        let Some(watch) = self.watches.get(&generation) else {
            return HealthState::Unproven;
        };
        let status = watch.status.clone().unwrap_or_else(|| "not started".to_owned());
        if !watch.running {
            return HealthState::Sick { why: format!("exited: {status}") };
        }
        let recent = watch.exits.iter().filter(|at| at.saturating_add(CRASH_WINDOW_MS) > now_ms);
        let crashes = recent.count();
        if crashes >= CRASHES_MAX {
            let why = format!("crash loop: {crashes} exits within a minute, the last: {status}");
            return HealthState::Sick { why };
        }
        let Some(placed) = self.durable.placed(generation) else {
            return HealthState::Unproven;
        };
        let spec = self.health_spec(&placed.app.release, &placed.part);
        if has_checks(&spec) {
            return watch.streak.state().clone();
        }
        let steady = now_ms.saturating_sub(watch.since_ms) >= spec.steady_ms;
        if steady || !self.has_process(placed) {
            HealthState::Healthy
        } else {
            HealthState::Unproven
        }
    }

    pub(crate) fn why_not_healthy(&self, generation: u64, deadline_ms: u64) -> String {
        let seen = self.watches.get(&generation).and_then(|watch| {
            let exited = (!watch.running).then_some(watch.status.as_ref()).flatten();
            exited.or(watch.failure.as_ref()).cloned()
        });
        let seconds = deadline_ms / 1_000;
        match seen {
            Some(why) => format!("not healthy within {seconds} s: {why}"),
            None => format!("not healthy within {seconds} s"),
        }
    }

    /// Whether an app that exits is started again.
    fn supervised(&self, generation: u64) -> bool {
        let leader = self.leader_of(generation);
        let serves = self.durable.serving == Some(leader);
        match &self.durable.operation {
            None => serves,
            Some(op) => match op.course {
                // The old one still serves beside the new one; in turn, it is about to be stopped.
                Course::Switch(_) | Course::Stop(_) | Course::Ended(_) => {
                    serves && op.route == Route::Beside && op.target != Some(leader)
                }
                Course::Undo(_) | Course::Back { .. } | Course::Boot => op.target == Some(leader),
            },
        }
    }

    /// An app's last process ended by itself.
    pub(crate) fn exited(&mut self, now_ms: u64, app: App, status: String, log: Vec<String>) {
        let generation = app.generation;
        if self.durable.placed(generation).is_none() {
            return;
        }
        let starting = self.flight(Lane::App).is_some_and(
            |flight| matches!(&flight.action, Action::Start { app: started, .. } if *started == app),
        );
        if starting && let Some(id) = self.flight(Lane::App).map(|flight| flight.id) {
            // Heard before the start was said to be done: that word comes too late now.
            let why = format!("exited: {status}");
            self.action_finished(now_ms, id, ActionResult::Failed { why, log });
            return;
        }
        let (leader, part) = (self.leader_of(generation), self.part_of(generation));
        self.note_exit(now_ms, generation, status.clone());
        if self.durable.warm == Some(generation) {
            self.remove_app(generation);
            return;
        }
        let fails =
            self.durable.operation.as_ref().is_some_and(|op| {
                matches!(op.course, Course::Switch(_)) && op.target == Some(leader)
            });
        if fails {
            let why = named(&part, format!("exited: {status}"));
            self.phase_failed(now_ms, why, log, Cause::Health);
        }
    }

    /// Notes an exit and when to start again, should the app be supervised then.
    pub(crate) fn note_exit(&mut self, now_ms: u64, generation: u64, status: String) {
        let watch = self.watches.entry(generation).or_default();
        let lasted = watch.running && now_ms.saturating_sub(watch.since_ms) >= BACK_OFF_LAST_MS;
        watch.back_off_ms = if lasted || watch.back_off_ms == 0 {
            BACK_OFF_FIRST_MS
        } else {
            watch.back_off_ms.saturating_mul(2).min(BACK_OFF_LAST_MS)
        };
        watch.running = false;
        watch.probe = None;
        watch.streak = Streak::default();
        watch.status = Some(status);
        watch.exits.push_back(now_ms);
        while watch.exits.len() > CRASHES_MAX {
            watch.exits.pop_front();
        }
        watch.restart_at_ms = Some(now_ms.saturating_add(watch.back_off_ms));
    }

    /// A start by supervision ended.
    pub(crate) fn restarted(&mut self, now_ms: u64, generation: u64, result: ActionResult) {
        if let ActionResult::Failed { why, .. } = result
            && self.durable.placed(generation).is_some()
        {
            self.note_exit(now_ms, generation, why);
        }
    }

    /// Probes, restarts and leftovers that are due. Says whether there were any.
    pub(crate) fn drive_supervision(&mut self, now_ms: u64) -> bool {
        let placed = self.durable.apps.clone();
        let mut progress = false;
        for placed in &placed {
            progress |= self.drive_probe(now_ms, placed);
            progress |= self.drive_restart(now_ms, placed);
        }
        progress | self.drive_pointer(now_ms) | self.drive_strays(now_ms)
            || self.drive_missing(now_ms)
    }

    fn drive_probe(&mut self, now_ms: u64, placed: &Placed) -> bool {
        let health = self.health_spec(&placed.app.release, &placed.part);
        if !has_checks(&health) {
            return self.note_steady(now_ms, placed.app.generation, &health);
        }
        let Some(watch) = self.watches.get_mut(&placed.app.generation) else {
            return false;
        };
        if let Some((_, overdue_ms)) = watch.probe {
            if now_ms < overdue_ms {
                return false;
            }
            watch.probe = None;
            let why = "the probe did not end".to_owned();
            watch.take(now_ms, &Sample::Fail { why }, &health);
            return true;
        }
        if !watch.running || now_ms < watch.next_probe_ms {
            return false;
        }
        let (app, part, port) = (placed.app, placed.part.clone(), placed.port);
        let action = Action::Probe { app, part, port, health };
        let probe = self.issue_beside(now_ms, action);
        if let Some(watch) = self.watches.get_mut(&placed.app.generation) {
            watch.probe = Some(probe);
        }
        true
    }

    /// An app without checks has proven itself by running; whoever waits for it goes on.
    fn note_steady(&mut self, now_ms: u64, generation: u64, health: &HealthSpec) -> bool {
        let Some(watch) = self.watches.get_mut(&generation) else {
            return false;
        };
        let is_steady = watch.running && now_ms >= watch.steady_at_ms(health);
        let news = is_steady && !watch.steady;
        watch.steady |= is_steady;
        news
    }

    /// A sample came in.
    pub(crate) fn sampled(&mut self, now_ms: u64, id: ActionId, sample: &Sample) {
        let asked = |watch: &Watch| watch.probe.is_some_and(|(asked, _)| asked == id);
        let generation =
            self.watches.iter().find(|(_, watch)| asked(watch)).map(|(generation, _)| *generation);
        let Some(placed) = generation.and_then(|generation| self.durable.placed(generation)) else {
            return;
        };
        let generation = placed.app.generation;
        let spec = self.health_spec(&placed.app.release, &placed.part);
        if let Some(watch) = self.watches.get_mut(&generation) {
            watch.probe = None;
            watch.take(now_ms, sample, &spec);
        }
    }

    /// A probe that ended without a sample could not be made.
    pub(crate) fn probe_failed(&mut self, now_ms: u64, id: ActionId, result: ActionResult) {
        if let ActionResult::Failed { why, .. } = result {
            self.sampled(now_ms, id, &Sample::Fail { why });
        }
    }

    fn drive_restart(&mut self, now_ms: u64, placed: &Placed) -> bool {
        let old = placed.app;
        let due = self.watches.get(&old.generation).is_some_and(|watch| {
            !watch.running && watch.restart_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
        });
        let wanted = due && self.supervised(old.generation) && self.may_start_again(placed);
        if !wanted || self.flight(Lane::App).is_some() {
            return false;
        }
        self.durable.generation = self.durable.generation.saturating_add(1);
        let generation = self.durable.generation;
        let app = App { release: old.release, generation };
        self.rename_app(old, app);
        if let Some(watch) = self.watches.get_mut(&generation) {
            watch.restart_at_ms = None;
        }
        // The leader may have been started again, too, since this was read.
        let again = self.durable.placed(generation).cloned();
        let action = start_of(&Placed { app, ..again.unwrap_or_else(|| placed.clone()) });
        self.issue(now_ms, action, Owner::Restart(generation));
        true
    }

    fn may_start_again(&self, placed: &Placed) -> bool {
        self.may_restart(&placed.app.release)
            && self.has_process(placed)
            && self.may_run(&placed.app.release, &placed.part)
    }

    /// A quarantined release is not started again, unless nothing else may run here.
    pub(crate) fn may_restart(&self, release: &ReleaseId) -> bool {
        self.durable.holds(release)
            && (self.stays_open(release) || !self.durable.head.refuses(release))
    }

    /// The same app, started once more: everything that names it names the new start.
    fn rename_app(&mut self, old: App, new: App) {
        for placed in &mut self.durable.apps {
            if placed.app == old {
                placed.app = new;
                placed.restarts = placed.restarts.saturating_add(1);
            } else if placed.leader == Some(old.generation) {
                placed.leader = Some(new.generation);
            }
        }
        if let Some(watch) = self.watches.remove(&old.generation) {
            self.watches.insert(new.generation, watch);
        }
        let target = self.durable.operation.as_mut().map(|op| &mut op.target);
        for slot in [Some(&mut self.durable.serving), Some(&mut self.durable.warm), target]
            .into_iter()
            .flatten()
        {
            if *slot == Some(old.generation) {
                *slot = Some(new.generation);
            }
        }
        if let Some(entered) = &mut self.durable.entered
            && entered.app == old
        {
            entered.app = new;
        }
        self.dirty = true;
    }

    fn part_of(&self, generation: u64) -> Part {
        self.durable.placed(generation).map(|placed| placed.part.clone()).unwrap_or_default()
    }

    /// When a probe, a restart or a proof of health is due.
    pub(crate) fn supervision_wakeup(&self) -> Option<u64> {
        let of_apps = self.durable.apps.iter().filter_map(|placed| {
            let generation = placed.app.generation;
            let watch = self.watches.get(&generation)?;
            let spec = self.health_spec(&placed.app.release, &placed.part);
            if !watch.running {
                // While the lane is busy, its end is what wakes.
                let wanted = self.flight(Lane::App).is_none()
                    && self.supervised(generation)
                    && self.may_start_again(placed);
                return watch.restart_at_ms.filter(|_| wanted);
            }
            if has_checks(&spec) {
                return Some(watch.probe.map_or(watch.next_probe_ms, |(_, overdue)| overdue));
            }
            let proving = self.durable.operation.as_ref().is_some_and(|op| {
                op.target == Some(self.leader_of(generation))
                    && matches!(op.phase, Phase::Proving { .. })
            });
            (proving && !watch.steady).then(|| watch.steady_at_ms(&spec))
        });
        of_apps.chain(self.strays_wakeup()).min()
    }

    /// The host's own page shows what a new process cannot remember.
    pub(crate) fn restore_page(&mut self, now_ms: u64) {
        let Some(entered) = self.durable.entered.clone() else {
            return;
        };
        if let Rotation::Page { .. } = entered.rotation {
            let action = Action::Rotate {
                direction: crate::action::Direction::Into,
                rotation: entered.rotation,
                release: entered.app.release,
                port: entered.port,
            };
            self.issue(now_ms, action, Owner::Nobody);
        }
    }
}

impl Watch {
    /// When one without checks has proven itself: it ran long enough, and is in no crash loop any more.
    fn steady_at_ms(&self, spec: &HealthSpec) -> u64 {
        let loops = self.exits.front().filter(|_| self.exits.len() >= CRASHES_MAX);
        let calm_ms = loops.map_or(0, |first| first.saturating_add(CRASH_WINDOW_MS));
        self.since_ms.saturating_add(spec.steady_ms).max(calm_ms)
    }

    fn take(&mut self, now_ms: u64, sample: &Sample, spec: &HealthSpec) {
        if let Sample::Fail { why } = sample {
            self.failure = Some(why.clone());
        }
        self.streak.add(now_ms, sample, spec);
        let passed = self.streak.has_passed();
        let pause = if passed { spec.interval_later_ms } else { spec.interval_first_ms };
        // A pause of nothing would never let the world move on.
        self.next_probe_ms = now_ms.saturating_add(pause.max(1));
    }
}

fn has_checks(spec: &HealthSpec) -> bool {
    spec.http.is_some() || spec.tcp || spec.command.is_some() || spec.notify
}
