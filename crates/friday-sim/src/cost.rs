//! What a push of a whole fleet costs: the real controller and real nodes in a quiet world, one process.
//!
//! Times are those of this machine and decide nothing: a run depends on its options alone.

use std::fmt;
use std::time::{Duration, Instant};

use friday_core::controller::Controller;
use friday_core::controller::input::{BackTo, Command};

use crate::catalog::{Behaviour, Catalog};
use crate::options::Options;
use crate::world::World;

/// Virtual time that one command may take.
const COMMAND_MS_MAX: u64 = 48 * 3_600_000;

/// A turn that goes through so many entries asks what its event is not about.
const FEW: u64 = 32;

/// What a driver took for its own work so far, in processor time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    /// Inputs taken.
    pub(crate) inputs: u64,
    /// Deciding, appending, applying, turn by turn.
    turns: Vec<Duration>,
    /// Entries that were gone through, turn by turn.
    walked: Vec<u64>,
    /// Finding what is owed, and when to wake.
    pub(crate) settling: Duration,
}

impl Meter {
    /// One turn took so long, and went through so many entries.
    pub(crate) fn turn(&mut self, took: Duration, walked: u64) {
        self.turns.push(took);
        self.walked.push(walked);
    }

    /// In the middle, all but one of a hundred, the longest, together.
    fn spread(&self) -> [Duration; 4] {
        let mut turns = self.turns.clone();
        turns.sort_unstable();
        let at = |percent: usize| turns.get(turns.len() * percent / 100).copied();
        let longest = turns.last().copied();
        [at(50), at(99), longest, Some(turns.iter().sum())].map(Option::unwrap_or_default)
    }
}

fn resident_bytes() -> Option<usize> {
    const PAGE: usize = 4_096;
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<usize>().ok()? * PAGE)
}

/// What this thread computed so far: other processes on the machine do not count.
pub(crate) fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// What one command cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Inputs that the driver took.
    pub inputs: u64,
    /// Records that it wrote.
    pub records: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// A turn of the controller in the middle: deciding, appending, applying. Processor time, as all.
    pub turn: Duration,
    /// All but one of a hundred turns are shorter.
    pub turn_99: Duration,
    /// The longest: a round or a wave of the whole fleet begins in it.
    pub turn_longest: Duration,
    /// All turns together.
    pub turns: Duration,
    /// Turns that went through more than a few entries of what is as long as the fleet. Counted in
    /// builds with debug assertions only.
    pub long_walks: usize,
    /// Entries gone through in all turns.
    pub walked: u64,
    /// Handing on what is owed.
    pub settling: Duration,
    /// All of it, with the simulated hosts.
    pub cpu: Duration,
    /// As the clock on the wall says.
    pub wall: Duration,
    /// Virtual time.
    pub virtual_ms: u64,
    /// Everything that happened in the world.
    pub happened: u64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let each = |time: Duration| us(time) / self.inputs.max(1) as f64;
        write!(
            f,
            "{:>8} inputs {:>7} records {:>6.1} MB | turn: half {:>5.1} us, 99 % {:>6.1} us, longest {:>6.1} ms | an input: {:>5.1} us and {:>4.1} us to settle | {:>6.1} s processor, {:>6.1} s wall, {:>6.1} s virtual",
            self.inputs,
            self.records,
            self.bytes as f64 / 1e6,
            us(self.turn),
            us(self.turn_99),
            us(self.turn_longest) / 1e3,
            each(self.turns),
            each(self.settling),
            self.cpu.as_secs_f64(),
            self.wall.as_secs_f64(),
            self.virtual_ms as f64 / 1e3,
        )
    }
}

/// A fleet without faults, and a person with one laptop.
#[derive(Debug)]
pub struct QuietFleet {
    world: World,
}

impl QuietFleet {
    /// So many hosts, up and empty.
    pub fn of(hosts: usize) -> Self {
        let mut world = World::new(Options::quiet(hosts, 1), None);
        world.catalog = Catalog::empty();
        world.run_for(5_000);
        Self { world }
    }

    /// Pushes a new good release to the end.
    ///
    /// # Errors
    /// What was found wrong, or that it did not come to an end.
    pub fn push(&mut self) -> Result<Cost, String> {
        let options = self.world.options.clone();
        let release = self.world.catalog.add(&options, Behaviour::Good, 1);
        let command = self.world.push_command(0, &release).ok_or("no such release")?;
        self.give(command)
    }

    /// Goes back to the release before, to the end.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn roll_back(&mut self) -> Result<Cost, String> {
        let command = self.world.rollback_command(0, BackTo::LastStable, false);
        self.give(command)
    }

    /// Bytes of the controller for each host, as it stood when the last push began to bake: all that is
    /// known of two rollouts, and what is owed. `None` where the system does not say.
    pub fn controller_bytes_per_host(&self) -> Option<usize> {
        let records = self.world.ledgers[self.world.laptops[0].ledger].records();
        let bakes = records.iter().rposition(|record| record.kind == "bake_begun")?;
        // A thread of its own has a heap of its own: nothing that was freed before is used again.
        let measure = || {
            let before = resident_bytes()?;
            let controller = Controller::replay(&records[..=bakes]).ok()?;
            let after = resident_bytes()?;
            let hosts = controller.state().rollouts.values().last()?.hosts.len();
            Some(after.saturating_sub(before) / hosts.max(1))
        };
        std::thread::scope(|scope| scope.spawn(measure).join().ok()?)
    }

    fn give(&mut self, command: Command) -> Result<Cost, String> {
        let ledger = self.world.laptops[0].ledger;
        let size = |world: &World| {
            let records = world.ledgers[ledger].records();
            (records.len(), records.iter().map(|record| record.body.len()).sum::<usize>())
        };
        let (records, bytes) = size(&self.world);
        let (began_ms, happened) = (self.world.now, self.world.happened);
        self.world.meter = Some(Meter::default());
        let (began, began_cpu) = (Instant::now(), cpu_time());
        self.world.start_friday(0, command);
        let ended = self.world.run_until(COMMAND_MS_MAX, |world| {
            world.failure.is_some() || world.laptops[0].process.is_none()
        });
        let (wall, cpu) = (began.elapsed(), cpu_time().saturating_sub(began_cpu));
        if ended {
            self.world.every_journal_bears_an_audit();
        }
        if let Some(failure) = self.world.failure() {
            return Err(failure.to_string());
        }
        if !ended {
            return Err("it does not come to an end".to_owned());
        }
        let meter = self.world.meter.take().unwrap_or_default();
        let [turn, turn_99, turn_longest, turns] = meter.spread();
        let (records_now, bytes_now) = size(&self.world);
        Ok(Cost {
            inputs: meter.inputs,
            records: records_now - records,
            bytes: bytes_now - bytes,
            turn,
            turn_99,
            turn_longest,
            turns,
            long_walks: meter.walked.iter().filter(|walked| **walked > FEW).count(),
            walked: meter.walked.iter().sum(),
            settling: meter.settling,
            cpu,
            wall,
            virtual_ms: self.world.now - began_ms,
            happened: self.world.happened - happened,
        })
    }
}
