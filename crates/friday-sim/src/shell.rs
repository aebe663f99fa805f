//! The host program's shell: takes the real node's turns. Persist first, then act and answer.

use std::collections::{BTreeMap, VecDeque};

use friday_core::controller::input::Outcome;
use friday_core::release::release_id;
use friday_node::attempts::Seen;
use friday_node::{Action, ActionId, ActionResult, App, CallId, Direction, Input, Node, Turn};
use friday_wire::{Answer, HostFacts, Part, Request, Rotation, Sample, StepReport, StepState};

use crate::application::Application;
use crate::catalog::Behaviour;
use crate::host::{Disk, Process};
use crate::laptop::Caller;
use crate::options::RotationChoice;
use crate::switch::Switch;
use crate::world::{Happening, World};

impl World {
    /// The machine comes up.
    pub(crate) fn boot(&mut self, host: usize) {
        if self.hosts[host].given_back {
            return;
        }
        let now = self.now;
        let machine = &mut self.hosts[host];
        machine.boots += 1;
        machine.booted_at = Some(now);
        self.note(|world| format!("{} boots", world.hosts[host].name));
        if self.hosts[host].boot_hook || self.hosts[host].boots == 1 {
            let epoch = self.hosts[host].process_epoch;
            let at = now + self.rng.u64(1..2_000);
            self.schedule.put(at, Happening::ProgramStarts { host, epoch });
        }
    }

    /// The machine goes down, and everything that runs on it.
    pub(crate) fn power_off(&mut self, host: usize) {
        self.note(|world| format!("{} goes down", world.hosts[host].name));
        self.crash_program(host);
        let machine = &mut self.hosts[host];
        machine.booted_at = None;
        machine.apps.clear();
        machine.processes.clear();
        self.look_at(host);
    }

    /// The host program dies: what it had in memory is gone, applications live on.
    pub(crate) fn crash_program(&mut self, host: usize) {
        let machine = &mut self.hosts[host];
        machine.page = false;
        machine.process_epoch += 1;
        let Some(process) = machine.process.take() else { return };
        self.note(|world| format!("the host program on {} dies", world.hosts[host].name));
        if let Some(turn) = process.persisting
            && let Some(persist) = turn.persist
            && self.rng.bool()
        {
            // The disk had it already; only nobody was told.
            self.hosts[host].durable = *persist;
        }
        if process.leaving {
            // It had come so far.
            let stopped: Vec<App> =
                self.hosts[host].apps.keys().filter(|_| self.rng.bool()).copied().collect();
            self.hosts[host].apps.retain(|app, _| !stopped.contains(app));
        }
        let unfinished: Vec<Action> = process.actions.into_values().collect();
        for action in unfinished {
            if self.rng.bool() {
                self.take_effect(host, &action);
            }
        }
        for caller in process.calls.into_values() {
            self.breaks(caller);
        }
        self.look_at(host);
    }

    pub(crate) fn crash_and_restart(&mut self, host: usize) {
        self.crash_program(host);
        let epoch = self.hosts[host].process_epoch;
        let at = self.now + self.rng.u64(50..3_000);
        self.schedule.put(at, Happening::ProgramStarts { host, epoch });
    }

    pub(crate) fn program_starts(&mut self, host: usize, epoch: u64) {
        let machine = &mut self.hosts[host];
        if machine.booted_at.is_none()
            || machine.process.is_some()
            || machine.process_epoch != epoch
        {
            return;
        }
        machine.process = Some(Process {
            epoch,
            node: Node::new(machine.durable.clone()),
            calls: BTreeMap::new(),
            next_call: 0,
            actions: BTreeMap::new(),
            persisting: None,
            waiting: VecDeque::new(),
            leaving: false,
            wakes_at: None,
            unsealed: BTreeMap::new(),
            unsaved: None,
        });
        machine.page = false;
        let input = Input::Started {
            boot: machine.boot_identity(),
            alive: machine.apps.keys().chain(machine.processes.keys()).copied().collect(),
            boot_hook: machine.boot_hook,
        };
        self.note(|world| format!("the host program on {} starts", world.hosts[host].name));
        self.feed(host, input);
    }

    /// A request for the node, or for its shell.
    pub(crate) fn ask(&mut self, host: usize, caller: Caller, request: Request) {
        self.note(|world| {
            format!(
                "{} is asked by {}: {}",
                world.hosts[host].name,
                world.laptops[caller.laptop].name,
                tell(&request)
            )
        });
        if let Request::PutManifest { release, manifest } = &request
            && (release_id(manifest) != *release || manifest.check().is_err())
        {
            return self.reply(
                host,
                caller,
                Answer::Error { why: "not that release's manifest".to_owned() },
            );
        }
        if let Request::PutManifest { release, .. } = &request
            && let Some(answer) = self.does_not_take(host, *release)
        {
            return self.reply(host, caller, answer);
        }
        match request {
            Request::Leave { fence, .. } => return self.begins_to_leave(host, caller, &fence),
            Request::Rename { fence, to } => return self.takes_a_name(host, caller, &fence, to),
            _ => {}
        }
        if let Request::GetManifest { release } = &request {
            let answer = match self.catalog.find(release) {
                Some(found) if self.hosts[host].trees.contains(release) => {
                    Answer::Manifest(Box::new(found.manifest.clone()))
                }
                _ => Answer::Error { why: "not held here".to_owned() },
            };
            return self.reply(host, caller, answer);
        }
        if let Request::Raise { fence, lease: None, .. } = &request
            && self.is_off(Switch::Raise)
            && let Some(process) = self.hosts[host].process.as_ref()
        {
            let mut head = process.node.durable().head.clone();
            head.fence = fence.clone();
            return self.reply(host, caller, Answer::Raised(Box::new(head)));
        }
        let random = format!("{:016x}", self.rng.u64(..));
        let seals_nothing = self.is_off(Switch::Seal);
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        process.next_call += 1;
        let request = match request {
            Request::Observe { fence, seal: Some(key) }
                if seals_nothing && process.node.durable().attempts.seen(&key) == Seen::New =>
            {
                process.unsealed.insert(CallId(process.next_call), key);
                Request::Observe { fence, seal: None }
            }
            request => request,
        };
        let call = CallId(process.next_call);
        process.calls.insert(call, caller);
        self.feed(host, Input::Asked { call, request, random });
    }

    /// Hands an input to the node and takes its turn.
    pub(crate) fn feed(&mut self, host: usize, input: Input) {
        let now = self.now;
        let clock = self.hosts[host].boot_clock(now);
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        if process.leaving {
            return;
        }
        if process.persisting.is_some() {
            process.waiting.push_back(input);
            return;
        }
        process.node.handle(clock, input);
        let turn = process.node.take_turn();
        self.take_turn_of(host, turn);
    }

    fn take_turn_of(&mut self, host: usize, turn: Turn) {
        if self.is_off(Switch::Persist) {
            return self.act_before_persist(host, turn);
        }
        let crashes = self.chance(self.faults.crash_turns);
        if turn.persist.is_some() {
            if crashes && self.rng.bool() {
                return self.crash_and_restart(host);
            }
            match self.hosts[host].disk {
                Disk::Fine => {}
                Disk::Full => return self.crash_and_restart(host),
                Disk::Slow => {
                    let at = self.now + self.rng.u64(1..4_000);
                    let Some(process) = self.hosts[host].process.as_mut() else { return };
                    let epoch = process.epoch;
                    process.persisting = Some(turn);
                    return self.schedule.put(at, Happening::Persisted { host, epoch });
                }
            }
        }
        self.carry_out(host, turn, crashes);
    }

    pub(crate) fn persisted(&mut self, host: usize, epoch: u64) {
        if self.is_off(Switch::Persist) {
            return self.save_late(host, epoch);
        }
        let Some(process) =
            self.hosts[host].process.as_mut().filter(|process| process.epoch == epoch)
        else {
            return;
        };
        let Some(turn) = process.persisting.take() else { return };
        self.carry_out(host, turn, false);
        loop {
            let Some(process) =
                self.hosts[host].process.as_mut().filter(|process| process.epoch == epoch)
            else {
                return;
            };
            if process.persisting.is_some() {
                return;
            }
            let Some(input) = process.waiting.pop_front() else { return };
            self.feed(host, input);
        }
    }

    /// The state is on the disk; now everything that depends on it.
    fn carry_out(&mut self, host: usize, turn: Turn, crashes: bool) {
        if let Some(persist) = turn.persist {
            self.hosts[host].durable = *persist;
        }
        let mut left = if crashes {
            self.rng.usize(0..=turn.actions.len() + turn.answers.len())
        } else {
            usize::MAX
        };
        for (id, action) in turn.actions {
            if left == 0 {
                return self.crash_and_restart(host);
            }
            left -= 1;
            self.begin_action(host, id, action);
        }
        for (call, answer) in turn.answers {
            if left == 0 {
                return self.crash_and_restart(host);
            }
            left -= 1;
            self.answer(host, call, answer);
        }
        if crashes {
            return self.crash_and_restart(host);
        }
        self.plan_node_wakeup(host);
        self.look_at(host);
    }

    fn act_before_persist(&mut self, host: usize, turn: Turn) {
        let Turn { persist, actions, answers } = turn;
        if let Some(persist) = persist {
            let at = self.now + self.rng.u64(1..3_000);
            if let Some(process) = self.hosts[host].process.as_mut() {
                process.unsaved = Some(persist);
                let epoch = process.epoch;
                self.schedule.put(at, Happening::Persisted { host, epoch });
            }
        }
        self.carry_out(host, Turn { persist: None, actions, answers }, false);
    }

    fn save_late(&mut self, host: usize, epoch: u64) {
        if let Some(process) = self.hosts[host].process.as_mut()
            && process.epoch == epoch
            && let Some(unsaved) = process.unsaved.take()
        {
            self.hosts[host].durable = *unsaved;
        }
    }

    fn answer(&mut self, host: usize, call: CallId, mut answer: Answer) {
        if let Answer::Observed(seen) = &mut answer {
            let machine = &self.hosts[host];
            seen.facts = HostFacts {
                version: "0.1.0".to_owned(),
                program: String::new(),
                wire: machine.wire,
                disk_free: if machine.disk == Disk::Full { 0 } else { 1 << 40 },
                disk_total: 1 << 41,
                boot_hook: machine.boot_hook,
                clock_ms: i64::try_from(self.now).unwrap_or(0) + machine.skew_ms,
                drift: None,
                ..HostFacts::default()
            };
            let unsealed = self.hosts[host]
                .process
                .as_mut()
                .and_then(|process| process.unsealed.remove(&call));
            if let Some(key) = unsealed {
                seen.last = Some(StepReport { key, state: StepState::NeverSeen });
            }
            self.remember_what_was_seen(host, call);
            self.remember_what_was_not_executed(host, seen.last.as_ref());
        }
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        let Some(caller) = process.calls.remove(&call) else { return };
        self.note(|world| format!("{} answers: {}", world.hosts[host].name, tell_answer(&answer)));
        self.reply(host, caller, answer);
    }

    fn plan_node_wakeup(&mut self, host: usize) {
        let booted_at = self.hosts[host].booted_at.unwrap_or(0);
        let now = self.now;
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        let epoch = process.epoch;
        let at = process.node.next_wakeup().map(|at| (booted_at.saturating_add(at)).max(now + 1));
        if at != process.wakes_at {
            process.wakes_at = at;
            if let Some(at) = at {
                self.schedule.put(at, Happening::NodeWakes { host, epoch, at });
            }
        }
    }

    pub(crate) fn node_wakes(&mut self, host: usize, epoch: u64, at: u64) {
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        if process.epoch == epoch && process.wakes_at == Some(at) {
            process.wakes_at = None;
            self.feed(host, Input::Woke);
        }
    }

    fn begin_action(&mut self, host: usize, id: ActionId, action: Action) {
        self.note(|world| {
            format!("{} begins {}", world.hosts[host].name, world.tell_action(&action))
        });
        let takes = match &action {
            Action::Build { .. } => self.rng.u64(20..1_500),
            Action::Command { timeout_ms, .. } => self.rng.u64(50..5_000).min(*timeout_ms),
            Action::Start { .. } => self.rng.u64(1..300),
            Action::Stop { app, grace_ms } => self.stopping_takes(host, *app, *grace_ms),
            Action::Rotate { rotation: Rotation::Commands { .. }, .. } => self.rng.u64(1..300),
            Action::Rotate { .. } | Action::Point { .. } => self.rng.u64(0..3),
            Action::Probe { health, .. } => {
                if self.rng.u32(..20) == 0 {
                    health.timeout_ms
                } else {
                    self.rng.u64(1..50)
                }
            }
            Action::Prune { .. } => self.rng.u64(1..200),
        };
        self.check_action(host, &action);
        if let Action::Command { .. } = &action {
            self.migrations += 1;
        }
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        let epoch = process.epoch;
        process.actions.insert(id, action);
        let at = self.now + takes;
        self.schedule.put(at, Happening::ActionEnds { host, epoch, action: id });
    }

    fn stopping_takes(&mut self, host: usize, app: App, grace_ms: u64) -> u64 {
        match self.hosts[host].apps.get(&app) {
            None if self.hosts[host].processes.contains_key(&app) => {
                self.rng.u64(1..2_000).min(grace_ms)
            }
            None => 0,
            Some(running) if running.behaviour == Behaviour::Deaf => grace_ms,
            Some(_) => self.rng.u64(1..500).min(grace_ms),
        }
    }

    pub(crate) fn action_ends(&mut self, host: usize, epoch: u64, action: ActionId) {
        if self.hosts[host].process.as_ref().is_none_or(|process| process.epoch != epoch) {
            return;
        }
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        let Some(what) = process.actions.remove(&action) else { return };
        let result = match &what {
            Action::Probe { app, .. } => ActionResult::Sampled(self.probe(host, *app)),
            Action::Rotate { rotation: Rotation::Commands { .. }, .. } | Action::Command { .. }
                if self.chance(self.faults.failed_actions) =>
            {
                failed("exit status 1")
            }
            Action::Build { .. } if self.hosts[host].disk == Disk::Full => {
                hindered("no space left on device")
            }
            Action::Start { app, port: Some(_), .. }
                if self.now < self.hosts[host].ports_taken_until
                    && !self.hosts[host].apps.contains_key(app) =>
            {
                hindered("the port is taken by another program")
            }
            Action::Start { app, .. } if !self.hosts[host].trees.contains(&app.release) => {
                failed("no such tree")
            }
            _ => {
                self.take_effect(host, &what);
                ActionResult::Done
            }
        };
        self.feed(host, Input::Finished { action, result });
    }

    fn probe(&mut self, host: usize, app: App) -> Sample {
        let machine = &self.hosts[host];
        let passes = machine.apps.get(&app).is_some_and(|running| running.passes(self.now));
        if passes && self.now >= machine.sick_until {
            Sample::Pass
        } else {
            Sample::Fail { why: "status 503".to_owned() }
        }
    }

    /// What an action changes in the world.
    fn take_effect(&mut self, host: usize, action: &Action) {
        match action {
            Action::Build { release } => {
                self.hosts[host].trees.insert(*release);
            }
            Action::Command { .. } | Action::Probe { .. } => {}
            Action::Start { app, part: part @ Part::Process(_), .. } => {
                if self.hosts[host].trees.contains(&app.release) {
                    self.hosts[host].processes.insert(*app, part.clone());
                    self.of_a_process_one_runs_at_most(host, part);
                }
            }
            Action::Start { app, port, .. } => self.start_app(host, *app, *port),
            Action::Stop { app, .. } => {
                self.hosts[host].apps.remove(app);
                self.hosts[host].processes.remove(app);
            }
            Action::Rotate { direction, release, port, .. } => {
                let machine = &mut self.hosts[host];
                match (self.options.rotation, direction) {
                    (RotationChoice::None, _) => {}
                    (RotationChoice::Page, Direction::Into) => machine.page = true,
                    (RotationChoice::Page, Direction::Out) => machine.page = false,
                    (RotationChoice::Commands, Direction::Into) => {
                        machine.balancer = Some((*release, *port))
                    }
                    (RotationChoice::Commands, Direction::Out) => machine.balancer = None,
                }
            }
            Action::Point { to } => self.hosts[host].pointed = *to,
            Action::Prune { keep } => self.hosts[host].trees.retain(|tree| keep.contains(tree)),
        }
    }

    fn start_app(&mut self, host: usize, app: App, port: Option<u16>) {
        let now = self.now;
        let machine = &self.hosts[host];
        if machine.apps.contains_key(&app) || !machine.trees.contains(&app.release) {
            return;
        }
        let taken = port.is_some() && machine.apps.values().any(|other| other.port == port);
        let behaviour = match self.catalog.find(&app.release) {
            Some(_) if taken => Behaviour::ExitsAtOnce,
            Some(release) => release.behaviour_on(host),
            None => Behaviour::ExitsAtOnce,
        };
        *self.starts.entry(app.release).or_default() += 1;
        let boots = machine.boots;
        let warm_up_ms = self.rng.u64(0..4_000);
        if let Some(after) = Application::exits_after(behaviour) {
            self.schedule.put(now + after, Happening::AppExits { host, boots, app });
        }
        self.hosts[host]
            .apps
            .insert(app, Application { app, behaviour, port, started_at: now, warm_up_ms });
    }

    pub(crate) fn app_exits(&mut self, host: usize, boots: u64, app: App) {
        if self.hosts[host].boots != boots || self.hosts[host].apps.remove(&app).is_none() {
            return;
        }
        self.note(|world| {
            format!(
                "{} on {} exits",
                world.catalog.label(Some(&app.release)),
                world.hosts[host].name
            )
        });
        self.feed(host, Input::Exited { app, status: "exit status 1".to_owned(), log: Vec::new() });
        self.look_at(host);
    }
}

fn hindered(why: &str) -> ActionResult {
    ActionResult::Hindered { why: why.to_owned() }
}

fn failed(why: &str) -> ActionResult {
    ActionResult::Failed { why: why.to_owned(), log: vec![why.to_owned()] }
}

/// A request in one line.
fn tell(request: &Request) -> String {
    shorten(format!("{request:?}"))
}

/// An answer in one line.
fn tell_answer(answer: &Answer) -> String {
    shorten(format!("{answer:?}"))
}

pub(crate) fn tell_outcome(outcome: &Outcome) -> String {
    shorten(format!("{outcome:?}"))
}

pub(crate) fn shorten(mut text: String) -> String {
    if text.len() > 600 {
        let cut = (0..=600).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}
