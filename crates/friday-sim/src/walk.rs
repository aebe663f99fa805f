//! A walk: a scenario told step by step, in a world without random faults. The same core, node and
//! checks as in every run; only what goes wrong is written down instead of drawn.

use friday_core::controller::effect::Effect;
use friday_core::controller::input::{BackTo, Command, Way};
use friday_node::operation::Operation;
use friday_wire::ReleaseId;

use crate::catalog::{Behaviour, Catalog, ONCE};
use crate::guarded::PointFate;
use crate::judging::JudgeFate;
use crate::ledger::AppendFault;
use crate::meddling::{Deed, Meddling, Message};
use crate::options::Options;
use crate::rehearsed::Showing;
use crate::switch::Switch;
use crate::world::{Happening, World};

/// How long a step of a walk may take: virtual milliseconds.
const STEP_MS_MAX: u64 = 2 * 3_600_000;

/// How much may happen in a step: beyond it, something goes round in circles.
const STEP_HAPPENINGS_MAX: u64 = 100_000;

/// A laptop, by number: the first one's journal made the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laptop(pub usize);

/// A scenario under way. A step that does not happen within two hours of virtual time, or anything the
/// simulator's own checks find, panics with the story so far.
#[derive(Debug)]
pub struct Walk {
    world: World,
}

impl Walk {
    /// In a new world.
    pub fn over(options: Options) -> Self {
        Self::without(None, options)
    }

    /// In a new world, perhaps without one safeguard.
    pub fn without(safeguard: Option<Switch>, options: Options) -> Self {
        let mut world = World::new(options, safeguard);
        world.catalog = Catalog::empty();
        world.keep_trace();
        world.run_for(5_000);
        Self { world }
    }

    /// A release that starts and stays well.
    pub fn good_release(&mut self) -> ReleaseId {
        self.release(Behaviour::Good, 1)
    }

    /// A release that is well by its own account and answers users with errors.
    pub fn release_bad_outside(&mut self) -> ReleaseId {
        self.release(Behaviour::BadOutside, 1)
    }

    /// A release that ends as soon as it starts, on every second host only: the first, the third, ….
    pub fn release_that_exits_on_every(&mut self, nth: usize) -> ReleaseId {
        self.release(Behaviour::ExitsAtOnce, nth)
    }

    /// A release that is well, and damages rows of guarded databases so long after it starts.
    pub fn release_that_damages(&mut self, after_seconds: u64) -> ReleaseId {
        self.release(Behaviour::Damages { after_ms: after_seconds * 1_000 }, 1)
    }

    /// From here on this comes of asking databases for what must hold in them; `None`: what is so.
    pub fn invariants_come_to(&mut self, fate: Option<JudgeFate>) {
        self.world.judging.told = fate;
    }

    /// A person mends what a release damaged.
    pub fn puts_data_right(&mut self) {
        self.world.puts_data_right();
    }

    /// Whoever pushes from here on vouches for what is broken before.
    pub fn vouches_for_data(&mut self) {
        self.world.judging.vouches = true;
    }

    fn release(&mut self, behaviour: Behaviour, bad_every: usize) -> ReleaseId {
        let options = self.world.options.clone();
        self.world.catalog.add(&options, behaviour, bad_every)
    }

    /// `friday push`, begun; it runs on.
    pub fn begins_push(&mut self, laptop: Laptop, release: ReleaseId) {
        let command = self.world.push_command(laptop.0, &release);
        self.world.start_friday(laptop.0, command.expect("the release was made by this walk"));
        self.nothing_is_wrong();
    }

    /// `friday push --override rehearsal`, to its end.
    pub fn pushes_unrehearsed(&mut self, laptop: Laptop, release: ReleaseId) {
        let mut command = self.world.push_command(laptop.0, &release);
        if let Some(Command::Push { plan, .. }) = &mut command {
            plan.rehearsal_override = Some("nobody writes at night".to_owned());
        }
        self.world.start_friday(laptop.0, command.expect("the release was made by this walk"));
        self.waits_for(laptop);
    }

    /// `friday push`, to its end.
    pub fn pushes(&mut self, laptop: Laptop, release: ReleaseId) {
        self.begins_push(laptop, release);
        self.waits_for(laptop);
    }

    /// `friday push --only`, to its end.
    pub fn pushes_only(&mut self, laptop: Laptop, release: ReleaseId, hosts: &[usize]) {
        self.begins_push_only(laptop, release, hosts);
        self.waits_for(laptop);
    }

    /// `friday push --only`, begun.
    pub fn begins_push_only(&mut self, laptop: Laptop, release: ReleaseId, hosts: &[usize]) {
        let hosts: Vec<usize> = hosts.iter().map(|host| host - 1).collect();
        let command = self.world.push_only_command(laptop.0, &release, &hosts);
        self.world.start_friday(laptop.0, command.expect("the release was made by this walk"));
        self.nothing_is_wrong();
    }

    /// `friday drill` of every database, from this laptop; it goes well.
    pub fn drills(&mut self, laptop: Laptop) {
        self.world.drills_all(laptop.0);
        self.nothing_is_wrong();
    }

    /// `friday rehearse` of a release, from this laptop, against what is stable now.
    pub fn rehearses(&mut self, laptop: Laptop, release: ReleaseId, showing: Showing) {
        self.world.rehearses(laptop.0, release, showing);
        self.nothing_is_wrong();
    }

    /// From here on this comes of asking for a restore point; `None`: it is made.
    pub fn restore_points_come_to(&mut self, fate: Option<PointFate>) {
        self.world.guarded.told = fate;
    }

    /// A laptop's push makes restore points now.
    pub fn is_making_restore_points(&self, laptop: Laptop) -> bool {
        let driver = self.world.laptops[laptop.0].process.as_ref();
        driver.is_some_and(|driver| {
            let mut owed = driver.controller.owed().values();
            owed.any(|owed| matches!(owed.effect, Effect::Point { .. }))
        })
    }

    /// `friday rollback`, begun.
    pub fn begins_rollback(&mut self, laptop: Laptop) {
        let command = self.world.rollback_command(laptop.0, BackTo::LastStable, false);
        self.world.start_friday(laptop.0, command);
        self.nothing_is_wrong();
    }

    /// `friday rollback`, to its end.
    pub fn rolls_back(&mut self, laptop: Laptop) {
        self.begins_rollback(laptop);
        self.waits_for(laptop);
    }

    /// `friday sweep`, to its end.
    pub fn sweeps(&mut self, laptop: Laptop) {
        let command = self.world.sweep_command(laptop.0);
        self.world.start_friday(laptop.0, command);
        self.waits_for(laptop);
    }

    /// `friday hosts once`, to its end. Hosts count from 1.
    pub fn moves_once(&mut self, laptop: Laptop, host: usize) {
        let host = self.world.hosts[host - 1].name.clone();
        let command = self.world.once_command(laptop.0, host);
        self.world.start_friday(laptop.0, command);
        self.waits_for(laptop);
    }

    /// Hosts on which the once process lives.
    pub fn running_once(&self) -> Vec<usize> {
        self.hosts_where(|walk, host| {
            let living = walk.world.hosts[host].processes.values();
            living.filter(|part| part.name().is_some_and(|name| name.as_str() == ONCE)).count() > 0
        })
    }

    /// `friday resume --forward`, to its end.
    pub fn resumes_forward(&mut self, laptop: Laptop) {
        self.resumes(laptop, Way::Forward);
    }

    /// `friday resume --back`, to its end.
    pub fn resumes_back(&mut self, laptop: Laptop) {
        self.resumes(laptop, Way::Back);
    }

    fn resumes(&mut self, laptop: Laptop, way: Way) {
        let command = self.world.resume_command(laptop.0, way);
        self.world.start_friday(laptop.0, command);
        self.waits_for(laptop);
    }

    /// Until the process on this laptop has ended by itself.
    pub fn waits_for(&mut self, laptop: Laptop) {
        self.until("friday ends", |walk| walk.world.laptops[laptop.0].process.is_none());
    }

    /// Until it is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let end = self.world.now + STEP_MS_MAX;
        let most = self.world.happened() + STEP_HAPPENINGS_MAX;
        while !is_so(self) {
            let goes_on = self.world.schedule.next_at().is_some_and(|at| at <= end)
                && self.world.happened() < most
                && self.world.step();
            self.nothing_is_wrong();
            assert!(goes_on || is_so(self), "never: {what}\n{}", self.story());
            if !goes_on {
                break;
            }
        }
    }

    /// Time passes.
    pub fn after_seconds(&mut self, seconds: u64) {
        self.world.run_for(seconds * 1_000);
        self.nothing_is_wrong();
    }

    /// `kill -9` of friday.
    pub fn kills_friday(&mut self, laptop: Laptop) {
        self.world.kill_friday(laptop.0, "killed");
    }

    /// The machine goes down for so long. Hosts count from 1.
    pub fn reboots(&mut self, host: usize, down_seconds: u64) {
        self.world.reboot(host - 1, down_seconds * 1_000);
    }

    /// Another program has the port on a host for so long.
    pub fn takes_the_port(&mut self, host: usize, seconds: u64) {
        let until = self.world.now + seconds * 1_000;
        self.world.take_ports(host - 1, until);
    }

    /// A laptop and a host do not hear each other for so long.
    pub fn cuts_off(&mut self, laptop: Laptop, host: usize, seconds: u64) {
        let until = self.world.now + seconds * 1_000;
        self.world.cut(laptop.0, host - 1, until);
    }

    /// From here on a host hears and says nothing, without end; no connection breaks.
    pub fn falls_silent(&mut self, host: usize) {
        self.world.silent.insert(host - 1);
    }

    /// Virtual time so far, seconds.
    pub fn seconds(&self) -> u64 {
        self.world.now / 1_000
    }

    /// The lid closes for so long: nothing that arrives is taken in.
    pub fn closes_lid(&mut self, laptop: Laptop, seconds: u64) {
        let until = self.world.now + seconds * 1_000;
        self.world.laptops[laptop.0].sleeps_until = until;
        self.world.schedule.put(until, Happening::LaptopWakes { laptop: laptop.0 });
    }

    /// From here on these messages are stuck on their way.
    pub fn holds_back(&mut self, laptop: Laptop, host: usize, message: Message) {
        self.meddles(laptop, host, message, Deed::Hold);
    }

    /// From here on these messages arrive, and copies of them are stuck on their way.
    pub fn holds_back_copies(&mut self, laptop: Laptop, host: usize, message: Message) {
        self.meddles(laptop, host, message, Deed::Copy);
    }

    /// From here on the answers to these orders are lost.
    pub fn loses_answers(&mut self, laptop: Laptop, host: usize, message: Message) {
        self.meddles(laptop, host, message, Deed::LoseAnswer);
    }

    fn meddles(&mut self, laptop: Laptop, host: usize, message: Message, deed: Deed) {
        let meddling = Meddling { laptop: laptop.0, host: host - 1, message, deed };
        self.world.meddlings.push(meddling);
    }

    /// What is stuck arrives, however long ago it was sent.
    pub fn lets_through(&mut self) {
        self.world.let_through();
    }

    /// How many messages are stuck.
    pub fn stuck(&self) -> usize {
        self.world.stuck.len()
    }

    /// The next append with a record of this kind is written, and nobody says so.
    pub fn leaves_unanswered(&mut self, laptop: Laptop, kind: &'static str) {
        let ledger = self.world.laptops[laptop.0].ledger;
        self.world.ledgers[ledger].meddling = Some((kind, AppendFault::UnknownWritten));
    }

    /// Friday is killed in the next append with a record of this kind, just when that is written.
    pub fn kills_friday_in_append(&mut self, laptop: Laptop, kind: &'static str) {
        let ledger = self.world.laptops[laptop.0].ledger;
        self.world.ledgers[ledger].meddling = Some((kind, AppendFault::Torn { kept: 0 }));
    }

    /// How often this release was started so far, anywhere.
    pub fn times_started(&self, release: ReleaseId) -> usize {
        self.world.starts.get(&release).copied().unwrap_or(0)
    }

    /// How many migrations were begun so far.
    pub fn migrations(&self) -> usize {
        self.world.migrations
    }

    /// Hosts that hold a rollout open.
    pub fn open(&self) -> Vec<usize> {
        self.hosts_where(|walk, host| walk.world.hosts[host].durable.head.rollout.is_some())
    }

    /// Hosts on which this release truly serves.
    pub fn serving(&self, release: ReleaseId) -> Vec<usize> {
        self.hosts_where(|walk, host| {
            let rotation = walk.world.options.rotation;
            walk.world.hosts[host].serves(rotation, walk.world.now) == Some(release)
        })
    }

    /// Hosts on which a process of this release runs.
    pub fn running(&self, release: ReleaseId) -> Vec<usize> {
        self.hosts_where(|walk, host| {
            walk.world.hosts[host].apps.values().any(|app| app.app.release == release)
        })
    }

    /// Hosts with a switch that waits for its confirm.
    pub fn armed(&self) -> Vec<usize> {
        self.hosts_where(|walk, host| {
            let operation = walk.world.hosts[host].durable.operation.as_ref();
            operation.and_then(Operation::armed).is_some()
        })
    }

    fn hosts_where(&self, test: impl Fn(&Self, usize) -> bool) -> Vec<usize> {
        (0..self.world.hosts.len()).filter(|host| test(self, *host)).map(|host| host + 1).collect()
    }

    /// Every host serves this release and nothing is left open.
    pub fn expect_at_rest_with(&self, release: ReleaseId) {
        self.expect_at_rest(Some(release));
    }

    /// No host runs anything and nothing is left open.
    pub fn expect_at_rest_with_nothing(&self) {
        self.expect_at_rest(None);
    }

    fn expect_at_rest(&self, release: Option<ReleaseId>) {
        assert_eq!(self.world.is_at_rest(), Ok(release), "\n{}", self.story());
    }

    /// Every host refuses this release.
    pub fn expect_quarantined_everywhere(&self, release: ReleaseId) {
        let without =
            self.hosts_where(|walk, host| !walk.world.hosts[host].durable.head.refuses(&release));
        assert!(without.is_empty(), "not quarantined on {without:?}\n{}", self.story());
    }

    /// The end of a rollout as the last journal record says: its JSON holds this.
    pub fn expect_last_end(&self, laptop: Laptop, word: &str) {
        let ledger = &self.world.ledgers[self.world.laptops[laptop.0].ledger];
        let last = ledger.records().iter().rev().find(|record| record.kind == "rollout_ended");
        let body = last.map_or("no rollout ended", |record| record.body.as_str());
        assert!(
            body.contains(&format!("\"end\":\"{word}\"")),
            "expected {word}: {body}\n{}",
            self.story()
        );
    }

    /// A push waits for a person, on this laptop.
    pub fn expect_held(&self, laptop: Laptop) {
        let summary = &self.world.summaries[self.world.laptops[laptop.0].ledger];
        assert!(!summary.held.is_empty(), "nothing is held\n{}", self.story());
    }

    fn nothing_is_wrong(&self) {
        if let Some(failure) = self.world.failure() {
            panic!("{failure}\n{}", self.story());
        }
    }

    fn story(&self) -> String {
        let hosts: Vec<String> =
            (0..self.world.hosts.len()).map(|host| self.world.describe(host)).collect();
        let trace = self.world.trace();
        let from = trace.len().saturating_sub(120);
        format!("{}\n{}", trace[from..].join("\n"), hosts.join("\n"))
    }
}
