//! The state machine.

use friday_wire::{Fence, Observation, Refusal};

use crate::action::Turn;
use crate::durable::Durable;
use crate::input::Input;

/// One host. Call order: [`Node::new`], `handle(Started)`, [`Node::take_turn`]; then for each thing
/// that happens `handle` and `take_turn`; wake it at [`Node::next_wakeup`]. All times are the boot
/// clock's, milliseconds, and never go back while the process lives.
#[derive(Debug, Clone)]
pub struct Node {
    durable: Durable,
}

impl Node {
    /// From what the disk holds.
    pub fn new(durable: Durable) -> Self {
        Self { durable }
    }

    /// Takes in one input. Changes memory only; what must be durable and done is in the next turn.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        let _ = (now_ms, input);
    }

    /// What the inputs so far ask for.
    pub fn take_turn(&mut self) -> Turn {
        Turn::default()
    }

    /// When to hand in [`Input::Woke`].
    pub fn next_wakeup(&self) -> Option<u64> {
        None
    }

    /// The durable state, as the next persist would write it.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Whether a request with this fence would be let in; for what the shell does itself.
    ///
    /// # Errors
    /// `Fenced`, with the highest fence seen.
    pub fn admits(&self, fence: &Fence) -> Result<(), Refusal> {
        if *fence < self.durable.head.fence {
            return Err(Refusal::Fenced { highest: self.durable.head.fence.clone() });
        }
        Ok(())
    }

    /// The host as it is now; the shell fills in `facts`.
    pub fn observation(&self, now_ms: u64) -> Observation {
        let _ = now_ms;
        unreachable!("to be written with the node")
    }
}
