//! What a host keeps on disk. Written whole, atomically, before anything that depends on it.
//!
//! Every time in here is in the boot clock's milliseconds of the boot that `head.boot` names; after
//! a reboot none of them means anything, and [`crate::boot`] replaces them all.

use std::collections::BTreeMap;

use friday_wire::{
    Clocks, Fence, FleetName, Head, Migration, Part, Ports, ReleaseId, RoleName, RolloutId,
    Rotation, RunSpec, SecretsVersion, StartId, StepReport, TreeId,
};
use serde::{Deserialize, Serialize};

use crate::action::App;
use crate::attempts::Attempts;
use crate::operation::Operation;
use crate::task::Task;

/// The format of the state file. A newer one is refused, never guessed at.
pub const DURABLE_FORMAT: u32 = 1;

/// The durable state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// [`DURABLE_FORMAT`] when written.
    pub format: u32,
    /// The head. Its `lease` is empty here: [`Durable::lease`] holds it, and answers fill it in.
    pub head: Head,
    /// The generation given last; it only rises.
    pub generation: u64,
    /// The number given last to a release, so that the older can be told from the newer.
    pub order: u64,
    /// Every release whose manifest was put here.
    pub releases: BTreeMap<ReleaseId, Held>,
    /// Every application that may have a process.
    pub apps: Vec<Placed>,
    /// The generation of the app of the current release.
    pub serving: Option<u64>,
    /// The generation of an app that still runs beside it, out of rotation.
    pub warm: Option<u64>,
    /// What was put into rotation, as far as the host can know.
    pub entered: Option<Entered>,
    /// How the last switch or back was to be done; a start after a reboot does it alike.
    pub manner: Option<Manner>,
    /// The switch or back at work, or the start after a reboot.
    pub operation: Option<Operation>,
    /// The stage or migration at work.
    pub task: Option<Task>,
    /// Every attempt of the last rollouts.
    pub attempts: Attempts,
    /// The operation that ended last.
    pub last: Option<StepReport>,
    /// The lease, on the keeper.
    pub lease: Option<HeldLease>,
    /// A migration that began and whose consequence is not settled yet, whatever was opened since.
    pub migrated: Option<Migrated>,
    /// A pointing was given up: it may have been done all the same, or be done later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pointer_unsure: bool,
}

/// A release that this host was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How it runs.
    pub run: RunSpec,
    /// The hash of its files.
    pub tree: TreeId,
    /// Its tree is built and verified.
    pub staged: bool,
    /// Which counts for how long it is kept.
    pub standing: Standing,
    /// When it came to that standing: higher is later.
    pub order: u64,
    /// The secrets it ran with last; what a `back` to it restores.
    pub secrets: Option<SecretsVersion>,
    /// The host's role when it ran last; a `back` to it runs the same processes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
}

/// What a release has shown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing yet, or nothing good: it is kept with the failed ones.
    Unproven,
    /// It was stable once.
    Good,
}

/// An application that may have a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Which.
    pub app: App,
    /// What of its release.
    #[serde(default, skip_serializing_if = "Part::is_run")]
    pub part: Part,
    /// The generation of the app that it was started beside and ends with; `None`: it leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<u64>,
    /// Its port.
    pub port: Option<u16>,
    /// Its secrets.
    pub secrets: Option<SecretsVersion>,
    /// Starts since it was placed beyond the first.
    pub restarts: u32,
}

/// What was put into rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// Which app.
    pub app: App,
    /// Its port.
    pub port: Option<u16>,
    /// By which rotation; the same one takes it out.
    pub rotation: Rotation,
    /// Whether going in was seen to end well and nothing was begun since.
    pub certainty: Certainty,
}

/// Whether something is known or only asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Seen.
    Sure,
    /// Begun; it may have happened or not.
    Unsure,
}

/// How releases are moved on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// The clocks.
    pub clocks: Clocks,
    /// The ports.
    pub ports: Ports,
    /// The rotation.
    pub rotation: Rotation,
}

impl Manner {
    /// Whether two releases can run side by side: traffic can be re-pointed, and each has its port.
    pub fn beside(&self) -> bool {
        self.rotation.re_points() && matches!(self.ports, Ports::PerRelease { .. })
    }
}

/// The lease as the keeper stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// Whose.
    pub start: StartId,
    /// Person and machine.
    pub holder: String,
    /// How long from each renewal, milliseconds.
    pub period_ms: u64,
    /// Until when, boot clock.
    pub expires_ms: u64,
}

/// A migration that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrated {
    /// The rollout that brought it.
    pub rollout: RolloutId,
    /// How far it came.
    pub migration: Migration,
}

impl Placed {
    /// Of what nothing is known but that it runs.
    pub fn unknown(app: App) -> Self {
        Self { app, part: Part::Run, leader: None, port: None, secrets: None, restarts: 0 }
    }
}

impl Durable {
    /// The state of a host that no friday has spoken to.
    pub fn new(fleet: FleetName, user: String) -> Self {
        let head = Head {
            fleet,
            user,
            keeper: None,
            fence: Fence::zero(),
            current: None,
            open: None,
            stable: None,
            stable_fence: Fence::zero(),
            previous_stable: None,
            undo: None,
            rollout: None,
            closed: None,
            apart: None,
            quarantine: BTreeMap::new(),
            once: BTreeMap::new(),
            lock: None,
            lease: None,
            witnesses: BTreeMap::new(),
            boot: None,
            held: Vec::new(),
        };
        Self {
            format: DURABLE_FORMAT,
            head,
            generation: 0,
            order: 0,
            releases: BTreeMap::new(),
            apps: Vec::new(),
            serving: None,
            warm: None,
            entered: None,
            manner: None,
            operation: None,
            task: None,
            attempts: Attempts::default(),
            last: None,
            lease: None,
            migrated: None,
            pointer_unsure: false,
        }
    }

    /// The app of that generation.
    pub fn placed(&self, generation: u64) -> Option<&Placed> {
        self.apps.iter().find(|placed| placed.app.generation == generation)
    }

    /// Whether the release's tree is here and it can be started.
    pub fn holds(&self, release: &ReleaseId) -> bool {
        self.releases.get(release).is_some_and(|held| held.staged)
    }

    /// The next number for a release's order.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.order = self.order.saturating_add(1);
        self.order
    }

    /// Brings `head.held` in line with the releases.
    pub(crate) fn refresh_held(&mut self) {
        self.head.held =
            self.releases.iter().filter(|(_, held)| held.staged).map(|(id, _)| *id).collect();
    }

    /// Whether a one-way migration began that nobody has settled: nothing goes back by itself.
    pub fn forbids_return(&self) -> bool {
        let open = self.head.rollout.as_ref().map(|open| open.value.migration);
        let kept = self.migrated.as_ref().map(|kept| kept.migration);
        [open, kept].into_iter().flatten().any(Migration::forbids_automatic_return)
    }
}
