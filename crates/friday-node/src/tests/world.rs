//! A shell made of data around the real state machine: a disk, processes, a balancer, a clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use friday_wire::*;

use crate::action::{Action, ActionId, App, Direction, Turn};
use crate::durable::Durable;
use crate::input::{ActionResult, CallId, Input};
use crate::node::Node;
use crate::operation::Course;
use crate::operation::drawing::{Transition, transitions};

pub fn id(n: u8) -> ReleaseId {
    ReleaseId(Digest([n; 32]))
}

pub fn fence(number: u64, kind: FenceKind) -> Fence {
    Fence { number, start: StartId::new(format!("start-{number}")), kind }
}

pub fn push(number: u64) -> Fence {
    fence(number, FenceKind::Push)
}

pub fn rollback(number: u64) -> Fence {
    fence(number, FenceKind::Rollback)
}

pub fn key(rollout: &str, step: StepName, attempt: u32) -> StepKey {
    StepKey { rollout: RolloutId::new(rollout), step, attempt }
}

pub fn open(rollout: &str, kind: RolloutKind, release: Option<ReleaseId>) -> OpenRollout {
    OpenRollout {
        id: RolloutId::new(rollout),
        kind,
        release,
        returns_to: None,
        leaves: None,
        migration: Migration::NotBegun,
    }
}

/// Quick enough for stories: settle 5 s, drain 30 s, stop 10 s, health 60 s, confirm 30 s.
pub fn clocks() -> Clocks {
    Clocks { health_deadline_ms: 60_000, ..Clocks::default() }
}

pub fn manifest(n: u8) -> Manifest {
    Manifest {
        tree: vec![Entry {
            path: "app".to_owned(),
            kind: EntryKind::File { digest: Digest([n; 32]), size: 1, executable: true },
        }],
        run: RunSpec {
            command: Some("./app".to_owned()),
            env: BTreeMap::new(),
            health: HealthSpec { tcp: true, ..HealthSpec::default() },
            shared: Vec::new(),
            unit: UnitSpec::default(),
            processes: friday_wire::Processes::default(),
        },
    }
}

/// The same release for a host with a role: `run` and two processes, one of which runs once; and a job for
/// hosts of the night. The third has no worker and no job.
pub fn manifest_for(n: u8, role: Option<&RoleName>) -> Manifest {
    let mut manifest = manifest(n);
    if role.is_none() {
        return manifest;
    }
    let web = RoleName::new("web");
    let spec = |spread| ProcessSpec {
        roles: [web.clone(), RoleName::new("jobs")].into(),
        command: "./work".to_owned(),
        env: BTreeMap::new(),
        health: HealthSpec { steady_ms: 5_000, ..HealthSpec::default() },
        port: None,
        spread,
        timetable: None,
    };
    let mut named = BTreeMap::from([(ProcessName::new("tick"), spec(Spread::Once))]);
    if n != 3 {
        named.insert(ProcessName::new("worker"), spec(Spread::Each));
        let timetable =
            Timetable { at: "15 3 * * *".to_owned(), timezone: None, deadline_ms: 60_000 };
        let report = ProcessSpec {
            roles: [RoleName::new("night")].into(),
            health: HealthSpec { steady_ms: 0, ..HealthSpec::default() },
            timetable: Some(timetable),
            ..spec(Spread::Each)
        };
        named.insert(ProcessName::new("report"), report);
    }
    manifest.run.processes = Processes { run_in: Some([web.clone()].into()), named };
    manifest
}

pub fn part(name: &str) -> Part {
    Part::Process(ProcessName::new(name))
}

/// How a host's releases are moved in a story.
#[derive(Debug, Clone)]
pub struct Setting {
    pub ports: Ports,
    pub rotation: Rotation,
    pub role: Option<RoleName>,
    /// What switches tell the host to run alone in the fleet.
    pub once: Vec<ProcessName>,
}

impl Setting {
    /// The same on a host of a role, whose releases have processes.
    pub fn of_role(self, role: &str) -> Self {
        Self { role: Some(RoleName::new(role)), ..self }
    }

    pub fn once(self) -> Self {
        Self { once: vec![ProcessName::new("tick")], ..self }
    }

    pub fn page() -> Self {
        let rotation = Rotation::Page { listen: "0.0.0.0:9090".to_owned() };
        Self { ports: Ports::Fixed { port: 8000 }, rotation, role: None, once: Vec::new() }
    }

    pub fn plain() -> Self {
        Self {
            ports: Ports::Fixed { port: 8000 },
            rotation: Rotation::None,
            role: None,
            once: Vec::new(),
        }
    }

    pub fn beside() -> Self {
        let (into, out) = ("into".to_owned(), "out".to_owned());
        let rotation = Rotation::Commands { into, out, timeout_ms: 10_000 };
        Self {
            ports: Ports::PerRelease { first: 9000, last: 9002 },
            rotation,
            role: None,
            once: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct World {
    pub node: Node,
    pub now: u64,
    pub boot: BootIdentity,
    pub disk: Durable,
    pub setting: Setting,
    /// Of every step that is asked for.
    pub clocks: Clocks,
    pub processes: BTreeSet<App>,
    /// What takes traffic.
    pub serving: Option<(ReleaseId, Option<u16>)>,
    pub pointed: Option<ReleaseId>,
    /// Releases whose probes fail.
    pub sick: BTreeSet<ReleaseId>,
    /// Releases whose process ends as soon as it started.
    pub falling: BTreeSet<ReleaseId>,
    /// Actions that fail: their line begins with this.
    pub failing: BTreeSet<String>,
    /// As `failing`, and any release would fail so.
    pub hindering: BTreeSet<String>,
    /// Actions that do not end until they are taken off this list.
    pub hanging: BTreeSet<String>,
    pub hung: Vec<(ActionId, Action)>,
    /// What each start of this host was.
    pub parts: BTreeMap<u64, Part>,
    /// Processes that end as soon as they started.
    pub falling_parts: BTreeSet<Part>,
    /// Every action but probes, as lines.
    pub log: Vec<String>,
    pub answers: BTreeMap<u64, Answer>,
    /// The process dies after so many more persists and actions.
    pub dies_after: Option<u32>,
    /// Apps whose start came after everybody had given it up.
    pub late: BTreeSet<App>,
    /// A stop did not end well: from then on a port may be taken, and who finds it so, exits.
    pub stop_failed: bool,
    calls: u64,
}

impl World {
    pub fn new(setting: Setting) -> Self {
        let disk = Durable::new(FleetName::new("shop"), "deploy".to_owned());
        let mut world = Self {
            node: Node::new(disk.clone()),
            now: 1_000,
            boot: BootIdentity { boot_id: "a".to_owned(), init_start: 1 },
            disk,
            setting,
            clocks: clocks(),
            processes: BTreeSet::new(),
            serving: None,
            pointed: None,
            sick: BTreeSet::new(),
            falling: BTreeSet::new(),
            failing: BTreeSet::new(),
            hindering: BTreeSet::new(),
            hanging: BTreeSet::new(),
            hung: Vec::new(),
            parts: BTreeMap::new(),
            falling_parts: BTreeSet::new(),
            log: Vec::new(),
            answers: BTreeMap::new(),
            dies_after: None,
            late: BTreeSet::new(),
            stop_failed: false,
            calls: 0,
        };
        world.start();
        world
    }

    /// A host on which release 1 is stable, in rotation and healthy; the fence is at 1.
    pub fn settled(setting: Setting) -> Self {
        let mut world = Self::new(setting);
        world.ship(1);
        world.begin_push("p1", 1, 1);
        world.switch("p1", 1, 1, Undo::Nothing);
        world.run_for(12_000);
        world.confirm("p1", 1, 1);
        world.close("p1", push(1), Some(id(1)));
        world.log.clear();
        world
    }

    pub fn start(&mut self) {
        let alive = self.processes.iter().copied().collect();
        let boot = self.boot.clone();
        self.input(Input::Started { boot, alive, boot_hook: true });
    }

    pub fn input(&mut self, input: Input) {
        if !self.dead() {
            self.node.handle(self.now, input);
            self.pump();
        }
    }

    pub fn dead(&self) -> bool {
        self.dies_after == Some(0)
    }

    /// One more persist or action; `false` when the process died before it.
    fn lives(&mut self) -> bool {
        match &mut self.dies_after {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                *left > 0
            }
        }
    }

    /// Takes turns until nothing is left to do at this moment.
    pub fn pump(&mut self) {
        for _ in 0..10_000 {
            let turn = self.node.take_turn();
            let idle = turn.persist.is_none() && turn.actions.is_empty() && turn.answers.is_empty();
            if idle {
                return;
            }
            self.perform(turn);
        }
        panic!("the host never comes to rest");
    }

    fn perform(&mut self, turn: Turn) {
        if let Some(durable) = turn.persist {
            if !self.lives() {
                return;
            }
            assert!(durable.head.fence >= self.disk.head.fence, "the fence went down");
            let text = serde_json::to_string(&durable).expect("the state is plain data");
            self.disk = serde_json::from_str(&text).expect("what was written can be read");
            assert_eq!(self.disk, *durable, "the state survives the disk");
        }
        for (call, answer) in turn.answers {
            if self.dead() {
                return;
            }
            assert!(self.answers.insert(call.0, answer).is_none(), "one answer per call");
        }
        let mut todo: VecDeque<(ActionId, Action)> = turn.actions.into();
        while let Some((action_id, action)) = todo.pop_front() {
            if !self.lives() {
                return;
            }
            self.check_persisted(&action);
            let line = line(&action);
            if !matches!(action, Action::Probe { .. }) {
                self.log.push(self.with_part(&action, &line));
            }
            if self.hanging.iter().any(|hanging| line.starts_with(hanging)) {
                self.stop_failed |= line.starts_with("stop");
                self.hung.push((action_id, action));
                continue;
            }
            self.act(action_id, &action, &line);
        }
    }

    /// Nothing is done before the state it depends on is on disk, and nothing that is refused.
    fn check_persisted(&self, action: &Action) {
        let operation = self.disk.operation.as_ref();
        match action {
            Action::Start { app, port, .. } => {
                let placed = self.disk.placed(app.generation);
                let placed = placed.unwrap_or_else(|| panic!("started, and not on disk: {app:?}"));
                assert_eq!((placed.app, placed.port), (*app, *port));
                let stays = operation
                    .and_then(|op| match &op.course {
                        Course::Switch(armed)
                        | Course::Stop(armed)
                        | Course::Ended(armed)
                        | Course::Undo(armed) => Some(armed.undo),
                        Course::Back { .. } | Course::Boot => None,
                    })
                    .or(self.disk.head.undo)
                    .is_some_and(|undo| undo == Undo::Stay || self.disk.forbids_return());
                let refused = self.disk.head.refuses(&app.release);
                assert!(!refused || stays, "a quarantined release is started: {app:?}");
            }
            Action::Rotate { direction: Direction::Into, release, .. } => {
                let entered = self.disk.entered.as_ref().expect("on disk first");
                assert_eq!(entered.app.release, *release);
            }
            Action::Point { to } => {
                // Between operations it is put right.
                let serving = self.disk.serving.and_then(|it| self.disk.placed(it));
                let meant = operation.map_or(serving.map(|it| it.app.release), |op| op.to);
                assert_eq!(meant, *to);
            }
            Action::Build { .. } | Action::Command { .. } => {
                let task = self.disk.task.as_ref().expect("on disk first");
                assert_ne!(self.disk.attempts.seen(&task.key), crate::attempts::Seen::New);
            }
            Action::Stop { .. }
            | Action::Rotate { direction: Direction::Out, .. }
            | Action::Probe { .. }
            | Action::Prune { .. } => {}
        }
    }

    /// What is stopped, with its name.
    fn with_part(&self, action: &Action, line: &str) -> String {
        match action {
            Action::Stop { app, .. } => match self.parts.get(&app.generation) {
                Some(part @ Part::Process(_)) => format!("{line} {part}"),
                _ => line.to_owned(),
            },
            _ => line.to_owned(),
        }
    }

    /// The living starts of a process.
    pub fn living(&self, name: &str) -> Vec<App> {
        let is = |app: &&App| self.parts.get(&app.generation) == Some(&part(name));
        self.processes.iter().filter(is).copied().collect()
    }

    /// A process ends by itself.
    pub fn fall(&mut self, name: &str) {
        let app = self.living(name)[0];
        self.processes.remove(&app);
        self.input(exited(app));
    }

    fn act(&mut self, action_id: ActionId, action: &Action, line: &str) {
        if self.failing.iter().any(|failing| line.starts_with(failing)) {
            self.stop_failed |= line.starts_with("stop");
            let result = ActionResult::Failed { why: "broken".to_owned(), log: Vec::new() };
            self.node.handle(self.now, Input::Finished { action: action_id, result });
            return;
        }
        if self.hindering.iter().any(|hindering| line.starts_with(hindering)) {
            let result = ActionResult::Hindered { why: "the port is taken".to_owned() };
            self.node.handle(self.now, Input::Finished { action: action_id, result });
            return;
        }
        let mut result = ActionResult::Done;
        let mut exit = None;
        match action {
            Action::Start { app, part, port, .. } => {
                self.parts.insert(app.generation, part.clone());
                let taken = port.is_some()
                    && self.processes.iter().any(|other| {
                        other.generation != app.generation
                            && self.disk.placed(other.generation).is_some_and(|o| o.port == *port)
                    });
                let late = self.late.contains(app) || self.stop_failed;
                assert!(!taken || port.is_none() || late, "two releases on port {port:?}");
                let falls =
                    self.falling.contains(&app.release) || self.falling_parts.contains(part);
                if (taken && late) || falls {
                    exit = Some(*app);
                } else {
                    self.processes.insert(*app);
                }
            }
            Action::Stop { app, .. } => {
                self.processes.remove(app);
            }
            Action::Rotate { direction: Direction::Into, release, port, .. } => {
                self.serving = Some((*release, *port));
            }
            Action::Rotate { direction: Direction::Out, .. } => self.serving = None,
            Action::Point { to } => self.pointed = *to,
            Action::Probe { app, .. } => {
                let well = self.processes.contains(app) && !self.sick.contains(&app.release);
                result = ActionResult::Sampled(if well {
                    Sample::Pass
                } else {
                    Sample::Fail { why: "no answer".to_owned() }
                });
            }
            Action::Build { .. } | Action::Command { .. } | Action::Prune { .. } => {}
        }
        self.node.handle(self.now, Input::Finished { action: action_id, result });
        if let Some(app) = exit {
            self.node.handle(self.now, exited(app));
        }
    }

    /// Lets hanging actions end.
    pub fn release_hung(&mut self) {
        self.hanging.clear();
        for (action_id, action) in std::mem::take(&mut self.hung) {
            let line = line(&action);
            if let Action::Start { app, .. } = action {
                self.late.insert(app);
            }
            self.act(action_id, &action, &line);
        }
        self.pump();
    }

    /// Lets time pass, waking the host whenever it asks.
    pub fn run_for(&mut self, ms: u64) {
        let end = self.now + ms;
        self.pump();
        for _ in 0..100_000 {
            if self.dead() {
                return;
            }
            let Some(at) = self.node.next_wakeup().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            assert!(at >= self.now, "a wakeup in the past: {at} at {}", self.now);
            let before = self.now;
            self.now = at.max(self.now);
            self.input(Input::Woke);
            let again = self.node.next_wakeup();
            assert!(again.is_none_or(|again| again > before), "the host spins at {before}");
        }
        panic!("the host wakes without end");
    }

    /// The process dies and starts again in the same boot; the applications live on.
    pub fn kill_host_program(&mut self) {
        self.keep_trace();
        self.dies_after = None;
        self.node = Node::new(self.disk.clone());
        self.hung.clear();
        self.start();
    }

    pub fn reboot(&mut self) {
        self.power_off();
        self.start();
    }

    pub fn power_off(&mut self) {
        self.keep_trace();
        self.dies_after = None;
        self.boot.boot_id.push('x');
        self.processes.clear();
        if !matches!(self.setting.rotation, Rotation::Commands { .. }) {
            self.serving = None;
        }
        self.now = 500;
        self.hung.clear();
        self.node = Node::new(self.disk.clone());
    }

    /// Asks, and gives the call's number.
    pub fn send(&mut self, request: Request) -> u64 {
        self.calls += 1;
        let call = CallId(self.calls);
        let random = format!("nonce-{}", self.calls);
        self.input(Input::Asked { call, request, random });
        self.calls
    }

    /// Asks what is answered at once.
    pub fn ask(&mut self, request: Request) -> Answer {
        let call = self.send(request);
        self.answers.get(&call).cloned().expect("answered at once")
    }

    pub fn raise(&mut self, fence: Fence) -> Answer {
        let keeper = HostName::new("web-1");
        self.ask(Request::Raise { keeper_fence: None, fence, lease: None, keeper, witness: None })
    }

    pub fn lease(&mut self, fence: Fence) -> Answer {
        let lease =
            Some(LeaseAsk { holder: "anna".to_owned(), period_ms: 60_000, supersedes: Vec::new() });
        let keeper = HostName::new("web-1");
        self.ask(Request::Raise { keeper_fence: None, fence, lease, keeper, witness: None })
    }

    pub fn ship(&mut self, n: u8) {
        let answer = self.ask(Request::PutManifest {
            release: id(n),
            manifest: manifest_for(n, self.setting.role.as_ref()),
        });
        assert_eq!(answer, Answer::Ok);
    }

    /// Raises, opens and stages.
    pub fn begin_push(&mut self, rollout: &str, number: u64, n: u8) {
        assert!(matches!(self.raise(push(number)), Answer::Raised(_)));
        let opened = open(rollout, RolloutKind::Push, Some(id(n)));
        let fence = push(number);
        assert_eq!(
            self.ask(Request::Open {
                fence: fence.clone(),
                rollout: opened,
                once: Default::default()
            }),
            Answer::Ok
        );
        let step = Step::Stage { release: id(n) };
        let staged = self.ask(Request::Do { fence, key: key(rollout, StepName::Stage, 1), step });
        assert_eq!(state(&staged), StepState::Done);
    }

    pub fn begin_rollback(&mut self, rollout: &str, number: u64, to: Option<u8>) {
        assert!(matches!(self.raise(rollback(number)), Answer::Raised(_)));
        let opened = open(rollout, RolloutKind::Rollback, to.map(id));
        let fence = rollback(number);
        let open = Request::Open { fence, rollout: opened, once: Default::default() };
        // What runs is told with the answer, and the rollout that was just opened is in its head.
        let Answer::Observed(seen) = self.ask(open) else { panic!("a rollback is not told") };
        assert_eq!(seen.head, self.disk.head);
    }

    pub fn switch_step(&self, n: u8, undo: Undo) -> Step {
        Step::Switch {
            release: id(n),
            undo,
            clocks: self.clocks,
            ports: self.setting.ports,
            rotation: self.setting.rotation.clone(),
            secrets: Some(SecretsVersion::new(format!("secrets-{n}"))),
            secrets_stay: false,
            role: self.setting.role.clone(),
            once: self.setting.once.clone(),
        }
    }

    pub fn switch(&mut self, rollout: &str, number: u64, n: u8, undo: Undo) -> u64 {
        let step = self.switch_step(n, undo);
        let key = key(rollout, StepName::Switch, 1);
        self.send(Request::Do { fence: push(number), key, step })
    }

    pub fn stop_step(&self, hold_ms: u64) -> Step {
        let (ports, rotation) = (self.setting.ports, self.setting.rotation.clone());
        Step::Stop { hold_ms, clocks: self.clocks, ports, rotation }
    }

    pub fn stop(&mut self, rollout: &str, number: u64, attempt: u32, hold_ms: u64) -> u64 {
        let step = self.stop_step(hold_ms);
        self.send(Request::Do {
            fence: push(number),
            key: key(rollout, StepName::Stop, attempt),
            step,
        })
    }

    pub fn migrate(&mut self, rollout: &str, number: u64, n: u8, timeout_ms: u64) -> Answer {
        let (release, command) = (id(n), "./app migrate".to_owned());
        let step = Step::Migrate { release, command, timeout_ms, secrets: None };
        let key = key(rollout, StepName::Migrate, 1);
        let call = self.send(Request::Do { fence: push(number), key, step });
        self.answers.get(&call).cloned().expect("commands of these stories end at once")
    }

    pub fn store_migration(&mut self, rollout: &str, number: u64, migration: Migration) {
        let rollout = RolloutId::new(rollout);
        let answer = self.ask(Request::Migration { fence: push(number), rollout, migration });
        assert_eq!(answer, Answer::Ok);
    }

    pub fn back(&mut self, rollout: &str, number: u64, to: Option<u8>, leaves: Option<u8>) -> u64 {
        self.back_at(rollout, number, to, leaves, BackPace::AtOnce)
    }

    pub fn back_at(
        &mut self,
        rollout: &str,
        number: u64,
        to: Option<u8>,
        leaves: Option<u8>,
        pace: BackPace,
    ) -> u64 {
        let step = Step::Back {
            role: self.setting.role.clone(),
            to: to.map(id),
            quarantine: leaves.map(|n| (id(n), "it answers with errors".to_owned())),
            pace,
            clocks: self.clocks,
            ports: self.setting.ports,
            rotation: self.setting.rotation.clone(),
        };
        let key = key(rollout, StepName::Back, 1);
        self.send(Request::Do { fence: rollback(number), key, step })
    }

    pub fn confirm(&mut self, rollout: &str, number: u64, attempt: u32) -> Answer {
        let key = key(rollout, StepName::Switch, attempt);
        let nonce = match self.observe().last {
            Some(StepReport { state: StepState::AwaitingConfirm { nonce, .. }, .. }) => nonce,
            other => panic!("not awaiting a confirm: {other:?}\n{:#?}", self.log),
        };
        self.ask(Request::Confirm { fence: push(number), key, nonce })
    }

    pub fn close(&mut self, rollout: &str, fence: Fence, stable: Option<ReleaseId>) {
        let rollout = RolloutId::new(rollout);
        let answer = self.ask(Request::Close {
            fence,
            rollout,
            stable,
            apart: None,
            keep: (5, 3),
            witness: None,
        });
        assert_eq!(answer, Answer::Ok);
    }

    pub fn observe(&self) -> Observation {
        self.node.observation(self.now)
    }

    /// The state that a call was answered with; `None` while it waits.
    pub fn came_to(&self, call: u64) -> Option<StepState> {
        self.answers.get(&call).map(state)
    }

    /// The release in rotation, as the world sees it.
    pub fn serves(&self) -> Option<ReleaseId> {
        let running = |release| self.processes.iter().any(|app| app.release == release);
        match self.setting.rotation {
            Rotation::None => self.processes.iter().next().map(|app| app.release),
            _ => self.serving.map(|(release, _)| release).filter(|release| running(*release)),
        }
    }

    pub fn running(&self) -> Vec<ReleaseId> {
        self.processes.iter().map(|app| app.release).collect()
    }

    /// The process of this release ends by itself.
    pub fn crash(&mut self, n: u8) {
        let app = self.processes.iter().find(|app| app.release == id(n)).copied();
        let app = app.expect("it runs");
        self.processes.remove(&app);
        self.input(exited(app));
    }

    /// An action that is not at work ends.
    pub fn finish_unasked(&mut self, action: u64, well: bool) {
        if self.hung.iter().any(|(id, _)| id.0 == action) {
            return;
        }
        let result = match well {
            true => ActionResult::Done,
            false => ActionResult::Failed { why: "long ago".to_owned(), log: Vec::new() },
        };
        self.input(Input::Finished { action: ActionId(action), result });
    }

    /// An application that never ran here ends. Generations are what tells applications apart, and
    /// no history gets as far as these.
    pub fn exit_unknown(&mut self, n: u8, generation: u64) {
        self.input(exited(App { release: id(n), generation: 10_000 + generation }));
    }

    /// Every transition so far is in the drawing.
    fn keep_trace(&self) {
        check_trace(&self.node.trace);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.keep_trace();
        }
    }
}

pub fn check_trace(trace: &[Transition]) {
    let drawn: BTreeSet<Transition> = transitions().into_iter().collect();
    for taken in trace {
        assert!(drawn.contains(taken), "not in the drawing: {taken:?}");
    }
}

fn exited(app: App) -> Input {
    Input::Exited { app, status: "exit status 1".to_owned(), log: vec!["bang".to_owned()] }
}

pub fn state(answer: &Answer) -> StepState {
    match answer {
        Answer::Step(report) => report.state.clone(),
        other => panic!("not a step's answer: {other:?}"),
    }
}

pub fn line(action: &Action) -> String {
    let n = |release: &ReleaseId| release.0.0[0];
    match action {
        Action::Build { release } => format!("build {}", n(release)),
        Action::Command { release, command, .. } => format!("command {} {command}", n(release)),
        Action::Start { app, part: part @ Part::Process(_), .. } => {
            format!("start {} {part}", n(&app.release))
        }
        Action::Start { app, .. } => format!("start {}", n(&app.release)),
        Action::Stop { app, .. } => format!("stop {}", n(&app.release)),
        Action::Rotate { direction: Direction::Into, release, .. } => {
            format!("into {}", n(release))
        }
        Action::Rotate { direction: Direction::Out, release, .. } => format!("out {}", n(release)),
        Action::Point { to: Some(to) } => format!("point {}", n(to)),
        Action::Point { to: None } => "point nothing".to_owned(),
        Action::Probe { app, .. } => format!("probe {}", n(&app.release)),
        Action::Prune { keep } => format!("prune but {}", keep.len()),
    }
}
