//! What a push of a whole fleet costs: the real controller and real nodes in a quiet world, one process.
//!
//! Times are those of this machine and decide nothing: a run depends on its options alone.

use std::fmt;
use std::time::{Duration, Instant};

use friday_core::controller::input::{BackTo, Command};

use crate::catalog::{Behaviour, Catalog};
use crate::options::Options;
use crate::world::World;

/// Virtual time that one command may take.
const COMMAND_MS_MAX: u64 = 48 * 3_600_000;

/// What a driver took for its own work so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    /// Inputs taken.
    pub(crate) inputs: u64,
    /// Deciding, appending, applying.
    pub(crate) turns: Duration,
    /// Finding what is owed, and when to wake.
    pub(crate) settling: Duration,
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
    /// The controller: deciding, appending, applying; and what is owed.
    pub turns: Duration,
    /// Handing on what is owed.
    pub settling: Duration,
    /// All of it, with the simulated hosts.
    pub wall: Duration,
    /// Virtual time.
    pub virtual_ms: u64,
    /// Everything that happened in the world.
    pub happened: u64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.inputs.max(1) as f64;
        write!(
            f,
            "{:>8} inputs {:>8} records {:>6.1} MB  {:>7.2} us a turn {:>7.2} us to settle  {:>7.1} s wall {:>6.1} s virtual",
            self.inputs,
            self.records,
            self.bytes as f64 / 1e6,
            each(self.turns),
            each(self.settling),
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
        world.meter = Some(Meter::default());
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

    fn give(&mut self, command: Command) -> Result<Cost, String> {
        let ledger = self.world.laptops[0].ledger;
        let size = |world: &World| {
            let records = world.ledgers[ledger].records();
            (records.len(), records.iter().map(|record| record.body.len()).sum::<usize>())
        };
        let (records, bytes) = size(&self.world);
        let (began_ms, happened) = (self.world.now, self.world.happened);
        self.world.meter = Some(Meter::default());
        let began = Instant::now();
        self.world.start_friday(0, command);
        let ended = self.world.run_until(COMMAND_MS_MAX, |world| {
            world.failure.is_some() || world.laptops[0].process.is_none()
        });
        if let Some(failure) = self.world.failure() {
            return Err(failure.to_string());
        }
        if !ended {
            return Err("it does not come to an end".to_owned());
        }
        let meter = self.world.meter.unwrap_or_default();
        let (records_now, bytes_now) = size(&self.world);
        Ok(Cost {
            inputs: meter.inputs,
            records: records_now - records,
            bytes: bytes_now - bytes,
            turns: meter.turns,
            settling: meter.settling,
            wall: began.elapsed(),
            virtual_ms: self.world.now - began_ms,
            happened: self.world.happened - happened,
        })
    }
}
