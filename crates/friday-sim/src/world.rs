//! The world of one run: virtual time, hosts, laptops, and everything that is going to happen.
//!
//! Nothing here decides anything about a rollout. Reading order: `schedule`, `host`, `shell` (the
//! host program's shell), `laptop` (friday's shell), `network`, `fault`, `operator`, `promise`.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use friday_core::controller::effect::{Effect, EffectId};
use friday_core::controller::input::{Input, Outcome};
use friday_core::database::DataOutcome;
use friday_core::reason::Reason;
use friday_node::{ActionId, App};
use friday_wire::{
    DatabaseName, FleetName, Head, HostName, JournalId, ReleaseId, Request, RolloutId, StepKey,
};

use crate::catalog::Catalog;
use crate::cost::Meter;
use crate::failure::{Failure, FailureClass};
use crate::guarded::Guarded;
use crate::host::Host;
use crate::judging::Judging;
use crate::laptop::{Caller, Laptop};
use crate::ledger::{Ledger, Summary};
use crate::meddling::{Meddling, Stuck};
use crate::options::{Faults, Options};
use crate::promise::Known;
use crate::rehearsed::Rehearsals;
use crate::rough::Rough;
use crate::switch::Switch;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A ship has its files across and puts the manifest.
    Sends { caller: Caller, host: HostName, request: Request },
    /// A request reaches a host.
    Arrives { caller: Caller, host: usize, request: Request },
    /// An outcome reaches a laptop.
    Answered { caller: Caller, outcome: Outcome },
    /// An effect's deadline.
    EffectDue { laptop: usize, epoch: u64, effect: EffectId },
    /// One question of a standing effect has run out.
    QuestionDue { laptop: usize, epoch: u64, effect: EffectId, asked: u64 },
    /// A standing effect asks again.
    QuestionAgain { laptop: usize, epoch: u64, effect: EffectId, asked: u64 },
    /// An outside probe.
    OutsideProbe { laptop: usize, epoch: u64, effect: EffectId, asked: u64 },
    /// The controller wanted to be woken.
    DriverWakes { laptop: usize, epoch: u64, at: u64 },
    /// A driver has synced its turn, and takes what came meanwhile.
    DriverReady { laptop: usize, epoch: u64 },
    /// A lid opens.
    LaptopWakes { laptop: usize },
    /// The node wanted to be woken.
    NodeWakes { host: usize, epoch: u64, at: u64 },
    /// A persist is on the disk.
    Persisted { host: usize, epoch: u64 },
    /// An action ends.
    ActionEnds { host: usize, epoch: u64, action: ActionId },
    /// A host has left the fleet.
    Leaves { host: usize, epoch: u64, caller: Caller },
    /// An application ends by itself.
    AppExits { host: usize, boots: u64, app: App },
    /// The host program is started again.
    ProgramStarts { host: usize, epoch: u64 },
    /// The machine is up again.
    Boots { host: usize, boots: u64 },
    /// A disk is well again.
    DiskHeals { host: usize },
    /// The next fault.
    Fault,
    /// An operator looks up.
    Operator,
    /// A drill ends; without an outcome, its process dies.
    DrillEnds { laptop: usize, database: DatabaseName, outcome: Option<DataOutcome> },
}

/// One run.
#[derive(Debug)]
pub struct World {
    pub(crate) options: Options,
    pub(crate) faults: Faults,
    pub(crate) switch: Option<Switch>,
    pub(crate) rng: Rng,
    pub(crate) now: u64,
    pub(crate) schedule: Schedule,
    pub(crate) catalog: Catalog,
    pub(crate) fleet: FleetName,
    pub(crate) keeper: HostName,
    pub(crate) hosts: Vec<Host>,
    pub(crate) numbers: BTreeMap<HostName, usize>,
    pub(crate) laptops: Vec<Laptop>,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) summaries: Vec<Summary>,
    /// Until when a laptop and a host do not hear each other.
    pub(crate) cuts: BTreeMap<(usize, usize), u64>,
    /// Hosts that hear and say nothing any more.
    pub(crate) silent: BTreeSet<usize>,
    /// The last arrival on each connection: a connection keeps its order.
    pub(crate) arrivals: BTreeMap<(usize, usize), u64>,
    /// Why something was refused or is held, since a person last read it.
    pub(crate) reasons: Vec<Reason>,
    /// How the last rollout ended, for messages.
    pub(crate) last_end: String,
    /// The driver of a world without friday.
    pub(crate) rough: Rough,
    /// What the checks know of each rollout, from the journals.
    pub(crate) known: BTreeMap<RolloutId, Known>,
    /// With deciding from the own raise switched off: what each laptop read first.
    pub(crate) first_reads: BTreeMap<(usize, HostName), Head>,
    /// Attempts of which a host said that they were not executed.
    pub(crate) told_unexecuted: BTreeSet<(usize, StepKey)>,
    /// Releases that nobody signed, where hosts ask for that.
    pub(crate) unsigned: BTreeSet<ReleaseId>,
    /// How often each release was started.
    pub(crate) starts: BTreeMap<ReleaseId, usize>,
    /// Guarded databases.
    pub(crate) guarded: Guarded,
    /// Rehearsals of pushes.
    pub(crate) rehearsed: Rehearsals,
    /// What must hold in them.
    pub(crate) judging: Judging,
    /// How often a migration was begun.
    pub(crate) migrations: usize,
    /// What a walk does to messages, and the messages it holds.
    pub(crate) meddlings: Vec<Meddling>,
    pub(crate) stuck: Vec<Stuck>,
    pub(crate) next_id: u64,
    pub(crate) questions: u64,
    pub(crate) failure: Option<Failure>,
    pub(crate) trace: Option<Vec<String>>,
    pub(crate) happened: u64,
    /// What the driver's own work takes, where that is measured.
    pub(crate) meter: Option<Meter>,
}

/// More than a run of 200 hosts ever needs.
const HAPPENINGS_MAX: u64 = 20_000_000;

type Schedule = crate::schedule::Schedule<Happening>;

impl World {
    /// A world with its hosts up and empty.
    pub fn new(options: Options, switch: Option<Switch>) -> Self {
        let mut rng = Rng::with_seed(options.seed);
        let fleet = FleetName::new("shop");
        let catalog = Catalog::drawn(&options, &mut rng);
        let hosts: Vec<Host> = (0..options.hosts)
            .map(|number| {
                Host::new(number, &fleet, options.boot_hooks, rng.i64(-86_400_000..86_400_000))
            })
            .collect();
        let numbers = hosts.iter().map(|host| (host.name.clone(), host.number)).collect();
        let mut world = Self {
            faults: options.faults,
            switch,
            now: 0,
            schedule: Schedule::new(),
            catalog,
            keeper: hosts[0].name.clone(),
            fleet,
            hosts,
            numbers,
            laptops: Vec::new(),
            ledgers: Vec::new(),
            summaries: Vec::new(),
            cuts: BTreeMap::new(),
            silent: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            reasons: Vec::new(),
            last_end: String::new(),
            rough: Rough::default(),
            known: BTreeMap::new(),
            first_reads: BTreeMap::new(),
            told_unexecuted: BTreeSet::new(),
            unsigned: BTreeSet::new(),
            starts: BTreeMap::new(),
            guarded: Guarded::default(),
            rehearsed: Rehearsals::default(),
            judging: Judging::default(),
            migrations: 0,
            meddlings: Vec::new(),
            stuck: Vec::new(),
            next_id: 0,
            questions: 0,
            failure: None,
            trace: None,
            happened: 0,
            meter: None,
            rng,
            options,
        };
        world.furnish();
        world
    }

    fn furnish(&mut self) {
        if self.options.signing {
            let all = self.catalog.all().iter().enumerate();
            self.unsigned = all.filter(|(at, _)| at % 3 == 1).map(|(_, one)| one.id).collect();
        }
        if self.options.old_programs {
            self.hosts.iter_mut().step_by(3).for_each(|host| host.wire = 1);
        }
        for number in 0..self.options.laptops {
            let clock_ms = self.rng.i64(-120_000..120_000);
            self.laptops.push(Laptop {
                name: ["anna", "bela"][number % 2].to_owned(),
                ledger: 0,
                process: None,
                epoch: 0,
                clock_ms,
                sleeps_until: 0,
            });
            self.laptops[number].ledger =
                if number > 0 && self.options.shared_journal { 0 } else { self.new_ledger(number) };
        }
        for host in 0..self.hosts.len() {
            self.boot(host);
        }
    }

    /// Keeps a line per happening, for people.
    pub fn keep_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// The lines kept.
    pub fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// What was found wrong first, if anything.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// How much happened.
    pub fn happened(&self) -> u64 {
        self.happened
    }

    /// The journals of the run, as JSON lines.
    pub fn journals(&self) -> Vec<String> {
        self.ledgers
            .iter()
            .map(|ledger| {
                let lines = ledger.records().iter().map(|record| {
                    format!(
                        r#"{{"seq":{},"at":{},"prev":"{}","kind":"{}","body":{}}}"#,
                        record.seq, record.at.0, record.prev, record.kind, record.body
                    )
                });
                lines.collect::<Vec<_>>().join("\n")
            })
            .collect()
    }

    pub(crate) fn is_off(&self, switch: Switch) -> bool {
        self.switch == Some(switch)
    }

    pub(crate) fn chance(&mut self, likely: f64) -> bool {
        // No draw where there is no chance: a world without faults draws fewer numbers, and is faster.
        likely > 0.0 && self.rng.f64() < likely
    }

    pub(crate) fn note(&mut self, say: impl Fn(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>9.3} {}", self.now as f64 / 1000.0, say(self));
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    pub(crate) fn fail(&mut self, class: FailureClass, what: String) {
        if self.failure.is_none() {
            self.note(|_| format!("FAILED {class}: {what}"));
            self.failure = Some(Failure { class, at_ms: self.now, what });
        }
    }

    pub(crate) fn new_rollout(&mut self, word: &str) -> RolloutId {
        self.next_id += 1;
        RolloutId::new(format!("{word}-{}", self.next_id))
    }

    /// A new, empty journal.
    pub(crate) fn new_ledger(&mut self, laptop: usize) -> usize {
        self.next_id += 1;
        let at = self.wall_clock(laptop);
        let mut ledger = Ledger::created(
            JournalId::new(format!("journal-{}", self.next_id)),
            self.fleet.as_str(),
            at,
        );
        ledger.syncs = !self.is_off(Switch::Append);
        ledger.tears = self.is_off(Switch::Turn);
        self.ledgers.push(ledger);
        self.summaries.push(Summary::default());
        self.ledgers.len() - 1
    }

    /// Lets the next thing happen. `false`: nothing is left, or something is wrong.
    pub fn step(&mut self) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let Some((at, happening)) = self.schedule.pop() else { return false };
        self.now = self.now.max(at);
        self.happened += 1;
        if self.happened > HAPPENINGS_MAX {
            self.fail(FailureClass::Liveness, "the world goes round in circles".to_owned());
        }
        self.happen(happening);
        true
    }

    /// Lets everything happen that happens in so many milliseconds.
    pub fn run_for(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.schedule.next_at().is_some_and(|at| at <= end) && self.step() {}
        self.now = self.now.max(end);
    }

    /// Steps until it is so. `false`: it was not so in that many milliseconds.
    pub(crate) fn run_until(
        &mut self,
        within_ms: u64,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> bool {
        let end = self.now + within_ms;
        loop {
            if is_so(self) {
                return true;
            }
            if self.schedule.next_at().is_none_or(|at| at > end) || !self.step() {
                return is_so(self);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Sends { caller, host, request } => self.send(caller, &host, request),
            Happening::Arrives { caller, host, request } => self.arrives(caller, host, request),
            Happening::Answered { caller, outcome } => self.take_outcome(&caller, outcome),
            Happening::EffectDue { laptop, epoch, effect } => {
                self.effect_due(laptop, epoch, effect)
            }
            Happening::QuestionDue { laptop, epoch, effect, asked } => {
                self.question_due(laptop, epoch, effect, asked);
            }
            Happening::QuestionAgain { laptop, epoch, effect, asked } => {
                let is_next = self
                    .process_of(laptop, epoch)
                    .and_then(|driver| driver.in_flight.get(&effect))
                    .is_some_and(|flight| flight.asked == asked);
                if is_next {
                    self.ask_again(laptop, epoch, &effect);
                }
            }
            Happening::OutsideProbe { laptop, epoch, effect, asked } => {
                self.outside_probe(laptop, epoch, effect, asked)
            }
            Happening::DriverWakes { laptop, epoch, at } => self.driver_wakes(laptop, epoch, at),
            Happening::DriverReady { laptop, epoch } => self.driver_ready(laptop, epoch),
            Happening::LaptopWakes { laptop } => self.laptop_wakes(laptop),
            Happening::NodeWakes { host, epoch, at } => self.node_wakes(host, epoch, at),
            Happening::Persisted { host, epoch } => self.persisted(host, epoch),
            Happening::ActionEnds { host, epoch, action } => self.action_ends(host, epoch, action),
            Happening::Leaves { host, epoch, caller } => self.leaves(host, epoch, caller),
            Happening::AppExits { host, boots, app } => self.app_exits(host, boots, app),
            Happening::ProgramStarts { host, epoch } => self.program_starts(host, epoch),
            Happening::Boots { host, boots } => {
                if self.hosts[host].boots == boots && self.hosts[host].booted_at.is_none() {
                    self.boot(host);
                }
            }
            Happening::DiskHeals { host } => self.hosts[host].disk = crate::host::Disk::Fine,
            Happening::Fault => self.next_fault(),
            Happening::Operator => self.operator_looks_up(),
            Happening::DrillEnds { laptop, database, outcome } => {
                self.drill_ends(laptop, &database, outcome.as_ref());
            }
        }
    }

    fn effect_due(&mut self, laptop: usize, epoch: u64, effect: EffectId) {
        let Some(driver) = self.process_of(laptop, epoch) else { return };
        let standing = driver
            .in_flight
            .get(&effect)
            .map(|flight| matches!(flight.effect, Effect::Follow { .. } | Effect::Watch { .. }));
        if standing == Some(false) {
            let caller =
                Caller { laptop, epoch, effect, purpose: crate::laptop::Purpose::Ask, asked: 0 };
            self.take_outcome(&caller, Outcome::Unknown { why: "no answer in time".to_owned() });
        }
    }

    fn question_due(&mut self, laptop: usize, epoch: u64, effect: EffectId, asked: u64) {
        let Some(driver) = self.process_of(laptop, epoch) else { return };
        if driver
            .in_flight
            .get(&effect)
            .is_some_and(|flight| flight.asked == asked && !flight.answered)
        {
            let caller =
                Caller { laptop, epoch, effect, purpose: crate::laptop::Purpose::Follow, asked };
            self.take_outcome(&caller, Outcome::Unknown { why: "no answer in time".to_owned() });
        }
    }

    fn outside_probe(&mut self, laptop: usize, epoch: u64, effect: EffectId, asked: u64) {
        let Some(driver) = self.process_of(laptop, epoch) else { return };
        let Some(flight) = driver.in_flight.get(&effect) else { return };
        if flight.asked != asked {
            return;
        }
        let Effect::Watch { host, health, .. } = flight.effect.clone() else { return };
        let Some(number) = self.numbers.get(&host).copied() else { return };
        let cut = self.is_cut(laptop, number);
        let serves = self.hosts[number].serves(self.options.rotation, self.now).is_some();
        let sample = if cut {
            friday_wire::Sample::Fail { why: "timed out".to_owned() }
        } else if serves {
            friday_wire::Sample::Pass
        } else {
            friday_wire::Sample::Fail { why: "status 502".to_owned() }
        };
        let at = self.now + health.interval_first_ms;
        self.schedule.put(at, Happening::OutsideProbe { laptop, epoch, effect, asked });
        self.drive(laptop, Input::Sampled { host, sample });
    }
}
