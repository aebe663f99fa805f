//! A fleet on a stage: the real controller, an in-memory journal, and hosts that answer as a script
//! says. Everything in it happens one after the other, so a story can be told to the letter.
//!
//! After every turn it is checked that the same input twice gives the same records, and that the
//! effects owed are what the state says; at the end of a story, that its journal replays to the same.

pub mod host;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use friday_core::controller::Controller;
use friday_core::controller::effect::{Effect, EffectId, Owed};
use friday_core::controller::index::Index;
use friday_core::controller::input::{Command, Driver, Input, Outcome};
use friday_core::controller::turn::{Reply, turn};
use friday_core::journal::event::End;
use friday_core::journal::record::JOURNAL_FORMAT;
use friday_core::journal::round::RoundAsk;
use friday_core::journal::{AppendError, Event, Position, ReadError, Record, Store};
use friday_core::rollout::plan::{FleetPlan, Hooks, OutsideProbe, Plan, PlannedHost};
use friday_core::rollout::run::Rollout;
use friday_core::time::Timestamp;
use friday_wire::data::{Invariant, InvariantResult, Judged, RestorePoint};
use friday_wire::{
    Answer, BackupId, Clocks, Digest, HealthSpec, HostName, JournalId, Ports, Refusal, ReleaseId,
    Request, RolloutId, Rotation, Sample, StartId, Step, TreeId,
};

use host::ScriptedHost;

/// More answers than any story needs.
const STEPS_MAX: usize = 5_000;

/// The journal of a story.
#[derive(Clone, Default)]
pub struct Records(pub Vec<Record>);

impl Store for Records {
    fn append(&mut self, after: &Position, records: &[Record]) -> Result<(), AppendError> {
        if self.0.last().map_or(Position::START, Record::position) != *after {
            return Err(AppendError::Moved);
        }
        self.0.extend_from_slice(records);
        Ok(())
    }

    fn read_after(&mut self, seq: u64) -> Result<Vec<Record>, ReadError> {
        Ok(self.0.iter().filter(|record| record.seq > seq).cloned().collect())
    }
}

/// A fleet and its driver.
pub struct Scene {
    pub controller: Controller,
    pub journal: Records,
    pub now: Timestamp,
    pub hosts: BTreeMap<HostName, ScriptedHost>,
    /// What was asked, in order: host and word.
    pub asked: Vec<(String, &'static str)>,
    scripts: BTreeMap<(String, &'static str), VecDeque<Outcome>>,
    waits: BTreeSet<(String, &'static str)>,
    cut: BTreeSet<String>,
    answered: BTreeSet<EffectId>,
    starts: u32,
}

impl Scene {
    /// Hosts `web-1`, `web-2`... that all run release 1, stable.
    pub fn with_hosts(count: usize) -> Self {
        let created = Event::JournalCreated {
            journal: JournalId::new("j"),
            format: JOURNAL_FORMAT,
            fleet: "shop".to_owned(),
        };
        let now = Timestamp(1_000_000);
        let journal = Records(vec![Record::after(&Position::START, now, &created)]);
        let hosts = names(count)
            .into_iter()
            .map(|name| (name, ScriptedHost::running(release(1))))
            .collect();
        Self {
            controller: Controller::replay(&journal.0).expect("a new journal replays"),
            journal,
            now,
            hosts,
            asked: Vec::new(),
            scripts: BTreeMap::new(),
            waits: BTreeSet::new(),
            cut: BTreeSet::new(),
            answered: BTreeSet::new(),
            starts: 0,
        }
    }

    /// The plan of a push of release 2: a wave of the second host, then the rest.
    pub fn plan(&self) -> Plan {
        let all = names(self.hosts.len());
        let first = all.get(1).or(all.first()).cloned().expect("there is a host");
        let rest: Vec<HostName> = all.into_iter().filter(|host| *host != first).collect();
        let mut waves = vec![vec![first], rest];
        waves.retain(|wave| !wave.is_empty());
        Plan {
            release: release(2),
            tree: TreeId(Digest([102; 32])),
            label: "two".to_owned(),
            fleet: self.fleet(),
            only: Vec::new(),
            waves,
            soak_ms: vec![30_000],
            bake_ms: 60_000,
            hooks: Hooks::default(),
            migration: None,
            secrets: None,
            secrets_stay: false,
            quarantine_override: None,
            bytes: 0,
            files: 0,
            supervisor: friday_wire::Supervisor::Own,
            once: Default::default(),
            databases: Vec::new(),
            recovery_override: None,
            rehearsal_override: None,
            override_signature: None,
            invariants_override: None,
            hour: None,
        }
    }

    /// Every host; half of them may be out at once.
    pub fn fleet(&self) -> FleetPlan {
        let planned = |name: HostName| PlannedHost {
            outside_url: Some(format!("http://{name}/")),
            traffic: Default::default(),
            role: "web".to_owned(),
            ports: Ports::Fixed { port: 8_000 },
            name,
        };
        let health = HealthSpec { passes: 1, steady_ms: 0, failures: 1, ..HealthSpec::default() };
        FleetPlan {
            hosts: names(self.hosts.len()).into_iter().map(planned).collect(),
            keeper: HostName::new("web-1"),
            clocks: Clocks::default(),
            rotation: Rotation::None,
            out_at_once_percent: 50,
            outside: Some(OutsideProbe { expect: None, health }),
            progress_deadline_ms: 600_000,
            answer_deadline_ms: 20_000,
            stage_deadline_ms: 600_000,
            lease_ms: 600_000_000,
            heartbeat_ms: 15_000,
            observe_ms: 5_000,
            keep: (5, 3),
        }
    }

    /// A new start of friday.
    pub fn driver(&mut self) -> Driver {
        self.starts += 1;
        Driver {
            start: StartId::new(format!("s-{}", self.starts)),
            person: "anna".to_owned(),
            machine: "laptop".to_owned(),
            version: "0".to_owned(),
        }
    }

    /// Gives a command; what comes of it is up to [`run`](Self::run).
    pub fn give(&mut self, command: Command) -> Reply {
        self.take(Input::Command(command))
    }

    /// Begins a push.
    pub fn push(&mut self, id: &str, plan: Plan) -> Reply {
        let driver = self.driver();
        let rollout = RolloutId::new(id);
        self.give(Command::Push { rollout, driver, plan: Box::new(plan) })
    }

    /// One turn, and what must hold after each.
    pub fn take(&mut self, input: Input) -> Reply {
        let (mut twin, mut twins) = (self.controller.clone(), self.journal.clone());
        let again = turn(&mut twin, &mut twins, self.now, input.clone()).expect("a turn");
        let reply = turn(&mut self.controller, &mut self.journal, self.now, input).expect("a turn");
        assert_eq!((&reply, &self.journal.0), (&again, &twins.0), "decided twice, and differently");
        let derived = Index::derive(self.controller.state());
        assert_eq!(self.controller.owed(), derived.owed(), "the index is not what the state owes");
        reply
    }

    /// The next answer to such a request.
    pub fn script(&mut self, host: &str, word: &'static str, outcome: Outcome) {
        self.scripts.entry((host.to_owned(), word)).or_default().push_back(outcome);
    }

    /// Such a request stays without an answer.
    pub fn wait(&mut self, host: &str, word: &'static str) {
        self.waits.insert((host.to_owned(), word));
    }

    /// Such a request is answered again.
    pub fn answer_again(&mut self, host: &str, word: &'static str) {
        self.waits.remove(&(host.to_owned(), word));
    }

    /// The host cannot be reached from now on.
    pub fn cut(&mut self, host: &str) {
        self.cut.insert(host.to_owned());
    }

    /// friday dies and starts again from its journal: what was in flight is asked again.
    pub fn friday_dies(&mut self) {
        self.controller = Controller::replay(&self.journal.0).expect("its journal replays");
        self.answered.clear();
    }

    /// Until nothing happens any more.
    pub fn run(&mut self) {
        self.run_until("it comes to rest", |_| false);
        self.replays();
    }

    /// Until something is so.
    ///
    /// # Panics
    /// When it comes to rest and it is not so, unless nothing can be so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        assert!(self.run_until(what, is_so), "it never came to this: {what}; {:?}", self.asked);
    }

    fn run_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..STEPS_MAX {
            if is_so(self) {
                return true;
            }
            if self.answer_one() {
                continue;
            }
            match self.controller.next_wakeup() {
                Some(at) => {
                    assert!(
                        at > self.now || at.0 == 0 || what.is_empty(),
                        "wakes for ever at {at:?}"
                    );
                    self.now = self.now.max(at);
                    let _ = self.take(Input::Woke);
                }
                None => return false,
            }
        }
        panic!(
            "too long: {what}; the last of {:?}",
            self.asked.iter().rev().take(20).collect::<Vec<_>>()
        );
    }

    /// The journal alone leads to the same state and the same effects.
    pub fn replays(&self) {
        let replayed = Controller::replay(&self.journal.0).expect("it replays");
        assert_eq!(replayed.state(), self.controller.state());
        assert_eq!(replayed.owed(), self.controller.owed());
    }

    /// Answers the first effect that has no answer yet. Standing ones are answered once, and again while
    /// the host is busy.
    fn answer_one(&mut self) -> bool {
        let next = self.controller.owed().iter().find(|(id, owed)| {
            let (host, word) = named(&owed.effect);
            !self.answered.contains(*id) && !self.waits.contains(&(host, word))
        });
        let Some((id, Owed { effect, .. })) = next.map(|(id, owed)| (id.clone(), owed.clone()))
        else {
            return false;
        };
        let (host, word) = named(&effect);
        self.asked.push((host.clone(), word));
        self.answered.insert(id.clone());
        self.now = self.now.plus_ms(10);
        let outcome = self.outcome(&host, word, &effect);
        if let (Effect::Follow { every_ms, .. }, true) = (&effect, is_busy(&outcome)) {
            self.answered.remove(&id);
            self.now = self.now.plus_ms(*every_ms);
        }
        if let (Effect::Judge { again_ms, .. }, Outcome::Failed { .. } | Outcome::Unknown { .. }) =
            (&effect, &outcome)
        {
            self.answered.remove(&id);
            self.now = self.now.plus_ms(*again_ms);
        }
        let input = match effect {
            Effect::Follow { .. } | Effect::Judge { .. } => Input::Followed { effect: id, outcome },
            Effect::Watch { host, .. } => Input::Sampled { host, sample: Sample::Pass },
            Effect::Ask { .. }
            | Effect::Ship { .. }
            | Effect::Hook { .. }
            | Effect::Point { .. }
            | Effect::Upgrade { .. } => Input::Finished { effect: id, outcome },
        };
        let _ = self.take(input);
        true
    }

    fn outcome(&mut self, host: &str, word: &'static str, effect: &Effect) -> Outcome {
        if self.cut.contains(host) {
            return Outcome::Failed { why: "connection refused".to_owned() };
        }
        let scripted = self.scripts.get_mut(&(host.to_owned(), word)).and_then(VecDeque::pop_front);
        if let Some(outcome) = scripted {
            return outcome;
        }
        match effect {
            Effect::Ask { host, request } | Effect::Follow { host, request, .. } => {
                let machine = self.hosts.get_mut(host).expect("the host is there");
                Outcome::Answered(Box::new(machine.answer(request)))
            }
            Effect::Point { name, .. } => Outcome::Pointed(Box::new(point(name))),
            Effect::Judge { invariants, .. } => Outcome::Judged(all_hold(invariants)),
            Effect::Ship { .. }
            | Effect::Hook { .. }
            | Effect::Watch { .. }
            | Effect::Upgrade { .. } => Outcome::Done,
        }
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<Event> {
        self.journal.0.iter().map(|record| record.event().expect("an event")).collect()
    }

    /// The rounds of a rollout.
    pub fn rounds(&self, id: &str) -> Vec<RoundAsk> {
        let of = |event: &Event| match event {
            Event::RoundBegun { rollout, ask, .. } if rollout.as_str() == id => Some(*ask),
            _ => None,
        };
        self.events().iter().filter_map(of).collect()
    }

    /// A rollout as it stands.
    pub fn rollout(&self, id: &str) -> &Rollout {
        self.controller.state().rollout(&RolloutId::new(id)).expect("the rollout is known")
    }

    /// How a rollout ended.
    pub fn end(&self, id: &str) -> &End {
        let rollout = self.rollout(id);
        rollout
            .end()
            .unwrap_or_else(|| panic!("{id} is {}: {:?}", rollout.phase.name(), rollout.reasons))
    }

    /// How often something was asked of a host.
    pub fn count(&self, host: &str, word: &str) -> usize {
        self.asked.iter().filter(|(other, asked)| other == host && *asked == word).count()
    }

    /// How often something was asked of anybody.
    pub fn count_all(&self, word: &str) -> usize {
        self.asked.iter().filter(|(_, asked)| *asked == word).count()
    }

    /// What the hosts run.
    pub fn running(&self) -> BTreeSet<Option<ReleaseId>> {
        self.hosts.values().map(|host| host.head.current).collect()
    }

    /// A host's script.
    pub fn host(&mut self, name: &str) -> &mut ScriptedHost {
        self.hosts.get_mut(&HostName::new(name)).expect("the host is there")
    }
}

fn names(count: usize) -> Vec<HostName> {
    (1..=count).map(|number| HostName::new(format!("web-{number}"))).collect()
}

/// A release by its number.
pub fn release(number: u8) -> ReleaseId {
    ReleaseId(Digest([number; 32]))
}

/// A restore point.
pub fn point(name: &str) -> RestorePoint {
    RestorePoint {
        name: name.to_owned(),
        at_ms: 1_000_000,
        position: friday_wire::data::Position::Sqlite { digest: Digest([5; 32]) },
        backup: BackupId::new("20260101T000000Z"),
        durable_ms: 40,
    }
}

/// Every invariant holds; the number of each that has one is 100.
pub fn all_hold(invariants: &[Invariant]) -> Vec<Judged> {
    let holds = |invariant: &Invariant| {
        let value = invariant.rule.is_of_a_number().then(|| "100".to_owned());
        Judged { name: invariant.name.clone(), result: InvariantResult::Holds { value }, ms: 1 }
    };
    invariants.iter().map(holds).collect()
}

/// An answer, as an outcome.
pub fn answers(answer: Answer) -> Outcome {
    Outcome::Answered(Box::new(answer))
}

fn is_busy(outcome: &Outcome) -> bool {
    let Outcome::Answered(answer) = outcome else { return false };
    matches!(**answer, Answer::Refused(Refusal::Busy { .. }))
}

/// Whom an effect is about, and a word for it.
pub fn named(effect: &Effect) -> (String, &'static str) {
    let host = effect.host().map_or_else(String::new, ToString::to_string);
    let word = match effect {
        Effect::Ship { .. } => "ship",
        Effect::Upgrade { .. } => "upgrade",
        Effect::Hook { .. } => "hook",
        Effect::Point { .. } => "point",
        Effect::Judge { .. } => "judge",
        Effect::Watch { .. } => "watch",
        Effect::Ask { request, .. } | Effect::Follow { request, .. } => match &**request {
            Request::Read { .. } => "read",
            Request::Raise { .. } => "raise",
            Request::Open { .. } => "open",
            Request::Migration { .. } => "migration",
            Request::Do { step: Step::Stage { .. }, .. } => "stage",
            Request::Do { step: Step::Migrate { .. }, .. } => "migrate",
            Request::Do { step: Step::MigrateBack { .. }, .. } => "migrate back",
            Request::Do { step: Step::Switch { .. }, .. } => "switch",
            Request::Do { step: Step::Back { .. }, .. } => "back",
            Request::Do { step: Step::Stop { .. }, .. } => "stop",
            Request::Confirm { .. } => "confirm",
            Request::Observe { seal: Some(_), .. } => "look",
            Request::Observe { seal: None, .. } => "observe",
            Request::Renew { .. } => "renew",
            Request::Release { .. } => "release",
            Request::Close { .. } => "close",
            Request::Quarantine { .. } => "quarantine",
            Request::Lock { .. } => "lock",
            Request::Keeper { .. } => "keeper",
            Request::Leave { .. } => "leave",
            Request::Rename { .. } => "rename",
            _ => "other",
        },
    };
    (host, word)
}
