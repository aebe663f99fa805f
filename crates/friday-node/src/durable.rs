//! What a host keeps on disk. Written whole, atomically, before anything that depends on it.

use friday_wire::{FleetName, Head};
use serde::{Deserialize, Serialize};

/// The format of the state file. A newer one is refused, never guessed at.
pub const DURABLE_FORMAT: u32 = 1;

/// The durable state. (To be completed: operations, attempts, ports, apps, secrets.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// [`DURABLE_FORMAT`] when written.
    pub format: u32,
    /// The head.
    pub head: Head,
}

impl Durable {
    /// The state of a host that no friday has spoken to.
    pub fn new(fleet: FleetName, user: String) -> Self {
        let _ = (fleet, user);
        unreachable!("to be written with the node")
    }
}
