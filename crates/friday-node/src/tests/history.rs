//! One host's history, told by a driver without any sense, and what holds all the same.

use std::collections::BTreeMap;

use friday_wire::*;

use super::world::*;
use crate::action::App;
use crate::durable::Durable;
use crate::operation::Course;

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Raise(FenceKind, u64),
    Open(RolloutKind, u8),
    Ship(u8),
    Migration(bool, bool),
    Switch {
        n: u8,
        undo: u8,
        attempt: u32,
    },
    Back {
        to: u8,
        leaves: u8,
        pace: BackPace,
        attempt: u32,
    },
    Stop(u32, u64),
    Migrate(u64),
    Confirm,
    Once(bool),
    Close(bool),
    Quarantine(u8, bool),
    Seal(StepName, u32),
    Wait(u64),
    Crash(u8),
    Sick(u8),
    Falling(u8),
    Failing(usize),
    Hanging(usize),
    Heal,
    Restart,
    Reboot,
    /// The next thing kills the process after so many persists and actions.
    DieWithin(u32, bool),
    /// From now on steps have odd clocks: none at all, or without end.
    Clocks(u64),
    /// An action that nobody asked for, or that ended long ago, ends.
    Finished(u64, bool),
    /// An application that nobody knows exits.
    Exited(u8, u64),
}

/// Actions, as the world writes them, that can be made to fail or hang.
pub const LINES: [&str; 8] =
    ["out", "into", "stop", "start", "point 2", "point 1", "build", "point"];

/// A stop that holds longer is not over when the history is, ms.
const HOLD_MAX: u64 = 300_000;

/// A driver that does anything, and the promises that hold all the same.
pub struct History {
    world: World,
    fence: Fence,
    rollout: RolloutId,
    opened: u32,
    dies_into: bool,
    sealed: Vec<StepKey>,
    /// Clocks are odd: nobody can say when the host must be at rest.
    timeless: bool,
}

impl History {
    pub fn new(setting: Setting) -> Self {
        let mut world = World::settled(setting);
        for n in 2..4 {
            world.ship(n);
        }
        let rollout = RolloutId::new("p1");
        Self {
            world,
            fence: push(1),
            rollout,
            opened: 0,
            dies_into: false,
            sealed: Vec::new(),
            timeless: false,
        }
    }

    fn ask(&mut self, request: Request) -> Option<Answer> {
        let call = self.world.send(request);
        self.world.answers.get(&call).cloned()
    }

    fn key(&self, step: StepName, attempt: u32) -> StepKey {
        StepKey { rollout: self.rollout.clone(), step, attempt }
    }

    pub fn take(&mut self, op: &Op) {
        let fence = self.fence.clone();
        match op.clone() {
            Op::Raise(kind, more) => self.raise(kind, more),
            Op::Open(kind, n) => {
                self.opened += 1;
                let name = format!("r{}", self.opened);
                if self.ask(Request::Open {
                    fence,
                    rollout: open(&name, kind, Some(id(n))),
                    once: Default::default(),
                }) == Some(Answer::Ok)
                {
                    self.rollout = RolloutId::new(name);
                    self.stage(n);
                }
            }
            Op::Ship(n) => self.stage(n),
            Op::Migration(one_way, done) => self.migration(one_way, done),
            Op::Switch { n, undo, attempt } => {
                let undo = match undo {
                    0 => Undo::Nothing,
                    4 => Undo::Stay,
                    release => Undo::To { release: id(release) },
                };
                let step = self.world.switch_step(n, undo);
                let key = self.key(StepName::Switch, attempt);
                self.ask(Request::Do { fence, key, step });
            }
            Op::Back { to, leaves, pace, attempt } => self.back(to, leaves, pace, attempt),
            Op::Stop(attempt, hold_ms) => {
                self.timeless |= hold_ms > HOLD_MAX;
                self.stop(attempt, hold_ms);
            }
            Op::Migrate(timeout_ms) => self.migrate(timeout_ms),
            Op::Confirm => self.confirm(),
            Op::Once(here) => self.once(here),
            Op::Close(stable) => {
                let stable = self.world.disk.head.current.filter(|_| stable);
                let rollout = self.rollout.clone();
                self.ask(Request::Close {
                    fence,
                    rollout,
                    stable,
                    apart: None,
                    keep: (1, 1),
                    witness: None,
                });
            }
            Op::Quarantine(n, active) => {
                let (reason, tree) = ("harm".to_owned(), None);
                let entry = Quarantined { fence: fence.clone(), tree, reason, active };
                let entries = BTreeMap::from([(id(n), entry)]);
                self.ask(Request::Quarantine { fence, entries });
            }
            Op::Seal(name, attempt) => {
                let key = self.key(name, attempt);
                let answer = self.ask(Request::Observe { fence, seal: Some(key.clone()) });
                if let Some(Answer::Observed(seen)) = answer
                    && seen.last.as_ref().is_some_and(|last| last.state == StepState::Sealed)
                {
                    self.sealed.push(key);
                }
            }
            op => self.befall(&op),
        }
    }

    fn raise(&mut self, kind: FenceKind, more: u64) {
        let number = self.world.disk.head.fence.number + more;
        let fence = Fence { number, start: StartId::new("start-1"), kind };
        let request = Request::Raise {
            keeper_fence: None,
            fence: fence.clone(),
            lease: None,
            keeper: HostName::new("web-1"),
            witness: None,
        };
        if let Some(Answer::Raised(_)) = self.ask(request) {
            self.fence = fence;
        }
    }

    fn befall(&mut self, op: &Op) {
        let world = &mut self.world;
        match op {
            Op::Wait(ms) => world.run_for(*ms),
            Op::Crash(n) => {
                if !world.dead() && world.processes.iter().any(|app| app.release == id(*n)) {
                    world.crash(*n);
                }
            }
            Op::Sick(n) => drop(world.sick.insert(id(*n))),
            Op::Falling(n) => drop(world.falling.insert(id(*n))),
            Op::Failing(at) => drop(world.failing.insert(LINES[*at].to_owned())),
            Op::Hanging(at) => drop(world.hanging.insert(LINES[*at].to_owned())),
            Op::Restart => world.kill_host_program(),
            Op::Reboot => world.reboot(),
            Op::DieWithin(steps, reboot) => {
                world.dies_after = Some(*steps);
                self.dies_into = *reboot;
            }
            Op::Clocks(ms) => {
                self.timeless = true;
                world.clocks = Clocks {
                    settle_ms: *ms,
                    drain_ms: *ms,
                    stop_ms: *ms,
                    health_deadline_ms: *ms,
                    confirm_ms: *ms,
                };
            }
            Op::Finished(action, well) => world.finish_unasked(*action, *well),
            Op::Exited(n, generation) => world.exit_unknown(*n, *generation),
            _ => self.heal(),
        }
    }

    fn heal(&mut self) {
        let world = &mut self.world;
        world.sick.clear();
        world.falling.clear();
        world.failing.clear();
        if world.dead() {
            world.hanging.clear();
        } else {
            world.release_hung();
        }
    }

    fn stage(&mut self, n: u8) {
        self.world.send(Request::PutManifest {
            release: id(n),
            manifest: manifest_for(n, self.world.setting.role.as_ref()),
        });
        let step = Step::Stage { release: id(n) };
        let key = self.key(StepName::Stage, u32::from(n));
        self.ask(Request::Do { fence: self.fence.clone(), key, step });
    }

    fn back(&mut self, to: u8, leaves: u8, pace: BackPace, attempt: u32) {
        let step = Step::Back {
            role: self.world.setting.role.clone(),
            to: (to > 0).then(|| id(to)),
            quarantine: (leaves > 0).then(|| (id(leaves), "harm".to_owned())),
            pace,
            clocks: self.world.clocks,
            ports: self.world.setting.ports,
            rotation: self.world.setting.rotation.clone(),
        };
        let key = self.key(StepName::Back, attempt);
        self.ask(Request::Do { fence: self.fence.clone(), key, step });
    }

    fn migration(&mut self, one_way: bool, done: bool) {
        let (fence, rollout) = (self.fence.clone(), self.rollout.clone());
        let migration = match done {
            true => Migration::Done { one_way },
            false => Migration::Begun { one_way },
        };
        self.ask(Request::Migration { fence, rollout, migration });
    }

    fn stop(&mut self, attempt: u32, hold_ms: u64) {
        let step = self.world.stop_step(hold_ms);
        let key = self.key(StepName::Stop, attempt);
        self.ask(Request::Do { fence: self.fence.clone(), key, step });
    }

    /// A migration is begun only on a host that is stopped for it, where it was stopped at all.
    fn migrate(&mut self, timeout_ms: u64) {
        let (release, command) = (id(1), "./app migrate".to_owned());
        let step = Step::Migrate { release, command, timeout_ms, secrets: None };
        let stops = self.world.disk.attempts.highest(&self.key(StepName::Stop, 1));
        let key = self.key(StepName::Migrate, 1);
        let new = self.world.disk.attempts.seen(&key) == crate::attempts::Seen::New;
        self.ask(Request::Do { fence: self.fence.clone(), key: key.clone(), step });
        let begun = self.world.disk.attempts.seen(&key) != crate::attempts::Seen::New;
        if new && begun && stops > 0 {
            assert_eq!(self.world.running(), [], "it migrates beside what runs");
        }
    }

    /// What is answered holds: a host that gave it up runs nothing of it.
    fn once(&mut self, here: bool) {
        let holder = match here {
            true => Holder::Here,
            false => Holder::Host { host: HostName::new("web-2") },
        };
        let process = ProcessName::new("tick");
        let answer = self.ask(Request::Once { fence: self.fence.clone(), process, holder });
        if !here && answer == Some(Answer::Ok) {
            assert_eq!(self.world.living("tick"), [], "{:#?}", self.world.log);
        }
    }

    fn confirm(&mut self) {
        if let Some(StepReport { key, state: StepState::AwaitingConfirm { nonce, .. } }) =
            self.world.observe().last
        {
            let answer = self.ask(Request::Confirm { fence: self.fence.clone(), key, nonce });
            if let Some(Answer::Step(report)) = answer {
                assert!(report.state.is_final(), "{report:?}");
            }
        }
    }

    /// What holds at every moment.
    pub fn check(&mut self) {
        if self.world.dead() {
            if self.dies_into {
                self.world.reboot();
            } else {
                self.world.kill_host_program();
            }
        }
        let disk = &self.world.disk;
        let keys = disk.operation.iter().filter_map(|op| op.key());
        for key in keys.chain(disk.task.iter().map(|task| &task.key)) {
            assert!(!self.sealed.contains(key), "{key} was sealed, and began");
        }
        if matches!(self.world.setting.ports, Ports::Fixed { .. }) {
            let leads =
                |app: &&App| self.world.parts.get(&app.generation).is_none_or(|part| part.is_run());
            let processes = self.world.processes.difference(&self.world.late).filter(leads).count();
            assert!(processes <= 1, "{:?}", self.world.processes);
        }
        if let Some(Course::Switch(armed)) = disk.operation.as_ref().map(|op| &op.course) {
            assert_eq!(disk.head.open, armed.release);
        }
        self.check_processes();
        self.world.observe();
    }

    /// Of a process that has a name one runs at most; a once process only where it may.
    fn check_processes(&self) {
        let world = &self.world;
        if !world.late.is_empty() || world.stop_failed || !world.hung.is_empty() {
            return;
        }
        for name in ["worker", "tick"] {
            let living = world.living(name);
            assert!(living.len() <= 1, "{name}: {living:?} {:#?}", world.log);
        }
        let here = world.disk.head.once.get(&ProcessName::new("tick"));
        if here.is_none_or(|known| known.value != Holder::Here) {
            assert_eq!(world.living("tick"), [], "{:#?}", world.log);
        }
    }

    /// Faults end and everybody is gone: the host comes to rest by itself.
    pub fn settle(&mut self) {
        self.heal();
        self.check();
        self.world.dies_after = None;
        if self.timeless {
            return;
        }
        let armed = self.world.disk.operation.as_ref().and_then(|op| op.armed()).cloned();
        let forbids = self.world.disk.forbids_return();
        self.world.run_for(600_000);
        let seen = self.world.observe();
        let world = &self.world;
        assert!(!seen.armed, "still armed");
        let stays = world.disk.operation.as_ref().is_some_and(|op| {
            let of_stop = match &op.course {
                Course::Stop(armed) | Course::Ended(armed) => armed.release.is_none(),
                _ => false,
            };
            of_stop && world.disk.forbids_return()
        });
        assert!(stays || world.disk.operation.is_none(), "still at work: {:#?}", world.log);
        assert_eq!(world.disk.task, None);
        if let Some(armed) = armed {
            let state = seen.last.expect("a report").state;
            let taken_back = matches!(state, StepState::Undone { .. } | StepState::Failed { .. });
            assert!(taken_back, "{state:?}");
            match armed.undo {
                Undo::To { release } if !forbids && !world.disk.head.refuses(&release) => {
                    // In such a role a release may have nothing that runs.
                    let serves = match world.setting.role.as_ref().map(RoleName::as_str) {
                        Some("jobs") => seen.app.as_ref().map(|app| app.release),
                        _ => world.serves(),
                    };
                    assert_eq!(serves, Some(release), "{:#?}", world.log);
                }
                // A one-way migration that began meanwhile leaves nothing to go back to.
                Undo::Nothing if !forbids => assert_eq!(world.running(), []),
                Undo::Nothing | Undo::To { .. } | Undo::Stay => {}
            }
        }
        assert_eq!(world.pointed, seen.head.current, "{:#?}", world.log);
        let serving = world.disk.serving;
        for app in &world.processes {
            let known = Some(leader_of(&world.disk, app.generation));
            // What could not be stopped for a migration is left alone until somebody comes.
            let kept = known == serving || known == world.disk.warm || stays;
            assert!(kept, "{app:?} is left over");
        }
        if let Some(app) = seen.app {
            assert_eq!(Some(app.release), seen.head.current);
        }
    }
}

fn leader_of(disk: &Durable, generation: u64) -> u64 {
    disk.placed(generation).and_then(|placed| placed.leader).unwrap_or(generation)
}
