//! What can happen to a host.

use friday_wire::{BootIdentity, Request, Sample};

use crate::action::{ActionId, App};

/// Names a call that waits for its answer. Given by the shell, unique while the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Everything that reaches the state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "inputs are handed over one at a time, never stored")]
pub enum Input {
    /// The first input after every start of the process, with what is found. A changed `boot` means
    /// the machine was rebooted, and nothing of `alive` is believed.
    Started {
        /// This boot.
        boot: BootIdentity,
        /// Applications whose processes still run, started by an earlier process of the host program.
        alive: Vec<App>,
        /// Something starts the host program after a boot.
        boot_hook: bool,
    },
    /// A request. The shell itself answers `Hello`, `Missing`, `Put`, `PutSecrets`, `Log`,
    /// `GetManifest`, `Upgrade` and `ConfirmUpgrade`; it hands on all others. It writes the manifest
    /// of a `PutManifest` to disk first.
    Asked {
        /// To be named in the answer.
        call: CallId,
        /// What.
        request: Request,
        /// Random, made by the shell for each request: the nonce if this one arms a switch.
        random: String,
    },
    /// An action ended.
    Finished {
        /// Which.
        action: ActionId,
        /// How.
        result: ActionResult,
    },
    /// An application's last process ended without being asked to.
    Exited {
        /// Which.
        app: App,
        /// `exit status 1`, `signal 9`.
        status: String,
        /// The last lines of its output, control characters shown.
        log: Vec<String>,
    },
    /// The time that `next_wakeup` named has come. Harmless at any other time.
    Woke,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionResult {
    /// Well.
    Done,
    /// Badly.
    Failed {
        /// One sentence.
        why: String,
        /// Last lines of output, where there is output.
        log: Vec<String>,
    },
    /// Badly, and any release would fail so here: the port is taken by another program, the disk is full.
    Hindered {
        /// One sentence.
        why: String,
    },
    /// A probe's sample.
    Sampled(Sample),
}
