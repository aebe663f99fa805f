//! What the state machine wants done, and the turn that carries it out.

use friday_wire::{Answer, HealthSpec, Part, ReleaseId, Rotation, SecretsVersion};
use serde::{Deserialize, Serialize};

use crate::durable::Durable;
use crate::input::CallId;

/// Names an action of this process. Rises; a new process begins anew, and an unfinished durable
/// operation issues its action again, so every action is idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionId(pub u64);

/// One started application. The generation rises with each start on this host, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct App {
    /// What runs.
    pub release: ReleaseId,
    /// Which start.
    pub generation: u64,
}

/// Into rotation or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Takes traffic.
    Into,
    /// Takes none.
    Out,
}

/// Something for the shell to do. Ends in one `Finished`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Build the release's tree from the store, verify every file, make it durable.
    Build {
        /// Which.
        release: ReleaseId,
    },
    /// Run a command in a release's tree, with its environment and these secrets.
    Command {
        /// Whose tree.
        release: ReleaseId,
        /// For `/bin/sh -c`.
        command: String,
        /// Then kill its process group and report failure.
        timeout_ms: u64,
        /// Secrets it sees.
        secrets: Option<SecretsVersion>,
    },
    /// Start an application in a process group of its own, output captured. Done when it runs; an
    /// app that already runs is left alone.
    Start {
        /// Which.
        app: App,
        /// What of its release.
        part: Part,
        /// Given as `PORT`.
        port: Option<u16>,
        /// Secrets it sees.
        secrets: Option<SecretsVersion>,
    },
    /// SIGTERM to the process group, SIGKILL after the grace. Done when nothing of it is left, also
    /// when nothing was there. No `Exited` follows.
    Stop {
        /// Which.
        app: App,
        /// Between the two signals.
        grace_ms: u64,
    },
    /// Into or out of rotation. `Rotation::None` is done at once.
    Rotate {
        /// Which way.
        direction: Direction,
        /// How.
        rotation: Rotation,
        /// Given as `FRIDAY_RELEASE`.
        release: ReleaseId,
        /// Given as `FRIDAY_PORT`.
        port: Option<u16>,
    },
    /// Point `current` here, atomically and durably; `None` removes it.
    Point {
        /// Where.
        to: Option<ReleaseId>,
    },
    /// One probe of an application. Ends in `Sampled` within the spec's timeout.
    Probe {
        /// Which.
        app: App,
        /// What of its release.
        part: Part,
        /// Its port.
        port: Option<u16>,
        /// What to ask.
        health: HealthSpec,
    },
    /// Remove the trees of all releases but these, and what only they needed from the store.
    Prune {
        /// To keep.
        keep: Vec<ReleaseId>,
    },
}

/// One turn of the state machine. **Persist first**, then act and answer; if the persist fails,
/// do neither, and restart the process: the state machine in memory is ahead of the disk.
#[derive(Debug, Default)]
#[must_use]
pub struct Turn {
    /// The whole durable state, where it changed.
    pub persist: Option<Box<Durable>>,
    /// What to do, in this order; each may take its time.
    pub actions: Vec<(ActionId, Action)>,
    /// What to answer.
    pub answers: Vec<(CallId, Answer)>,
}
