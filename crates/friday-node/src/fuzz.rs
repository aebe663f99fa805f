//! What must hold for any bytes at all: called by fuzzers, and by the tests, which replay what fuzzers
//! found. Compiled for nobody else. A function here panics where something does not hold.

use friday_wire::{BackPace, FenceKind, RolloutKind, StepName};

use crate::tests::history::{History, LINES, Op};
use crate::tests::world::Setting;

/// As many things happen in one history at most.
const OPS_MAX: usize = 80;

/// A host that is asked anything in any order while anything befalls it keeps its promises, and comes
/// to rest. The bytes are read as a list of what happens; each list of bytes is one.
pub fn operations(input: &[u8]) {
    let mut bytes = Bytes { rest: input };
    let setting = match bytes.below(3) {
        0 => Setting::page(),
        1 => Setting::plain(),
        _ => Setting::beside(),
    };
    let mut history = History::new(setting);
    for _ in 0..OPS_MAX {
        if bytes.rest.is_empty() {
            break;
        }
        history.take(&bytes.op());
        history.check();
    }
    history.settle();
}

/// Bytes as numbers; behind their end all are 0.
struct Bytes<'a> {
    rest: &'a [u8],
}

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Milliseconds of every size, the largest included.
    fn time(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::MAX / 2,
            253 => 0,
            byte => u64::from(byte) * u64::from(byte) * 2,
        }
    }

    fn release(&mut self) -> u8 {
        1 + self.below(3)
    }

    fn attempt(&mut self) -> u32 {
        match self.byte() {
            255 => u32::MAX,
            byte => 1 + u32::from(byte % 3),
        }
    }

    fn line(&mut self) -> usize {
        usize::from(self.byte()) % LINES.len()
    }

    fn step(&mut self) -> StepName {
        match self.below(5) {
            0 => StepName::Switch,
            1 => StepName::Back,
            2 => StepName::Stage,
            3 => StepName::Stop,
            _ => StepName::Migrate,
        }
    }

    fn op(&mut self) -> Op {
        match self.below(25) {
            0 => {
                let kind = match self.below(3) {
                    0 => FenceKind::Push,
                    1 => FenceKind::Rollback,
                    _ => FenceKind::Sweep,
                };
                Op::Raise(kind, u64::from(self.below(3)))
            }
            1 => {
                let kind = match self.below(3) {
                    0 => RolloutKind::Push,
                    1 => RolloutKind::Rollback,
                    _ => RolloutKind::Sweep,
                };
                Op::Open(kind, self.release())
            }
            2 => Op::Ship(self.release()),
            3 => Op::Migration(self.flag(), self.flag()),
            4 | 5 => {
                let (n, undo) = (self.release(), self.below(5));
                Op::Switch { n, undo, attempt: self.attempt() }
            }
            6 => {
                let (to, leaves) = (self.below(4), self.below(4));
                let pace = if self.flag() { BackPace::AtOnce } else { BackPace::Drained };
                Op::Back { to, leaves, pace, attempt: self.attempt() }
            }
            7 => Op::Stop(self.attempt(), self.time()),
            8 => Op::Migrate(self.time()),
            9 => Op::Confirm,
            10 => Op::Close(self.flag()),
            11 => Op::Quarantine(self.release(), self.flag()),
            12 => Op::Seal(self.step(), self.attempt()),
            13 => Op::Wait(u64::from(self.byte()) * u64::from(self.byte()) * 2),
            14 => Op::Crash(self.release()),
            15 => Op::Sick(self.release()),
            16 => Op::Falling(self.release()),
            17 => Op::Failing(self.line()),
            18 => Op::Hanging(self.line()),
            19 => Op::Heal,
            20 => {
                if self.flag() {
                    Op::Restart
                } else {
                    Op::Reboot
                }
            }
            21 => Op::DieWithin(1 + u32::from(self.below(11)), self.flag()),
            22 => Op::Clocks(self.time()),
            23 => Op::Finished(u64::from(self.byte()), self.flag()),
            _ => Op::Exited(self.release(), u64::from(self.byte())),
        }
    }
}

#[cfg(test)]
mod tests;
