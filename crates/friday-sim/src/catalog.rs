//! The releases of a run, and how their applications behave.

use std::collections::BTreeMap;

use fastrand::Rng;
use friday_core::release::{digest, release_id, tree_id};
use friday_wire::{
    Entry, EntryKind, HealthSpec, HttpCheck, Manifest, ProcessName, ProcessSpec, Processes,
    ReleaseId, RoleName, RunSpec, Spread, TreeId, UnitSpec,
};

use crate::options::Options;

/// How an application behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Starts, is well, stays well.
    Good,
    /// Well, and deaf to SIGTERM.
    Deaf,
    /// Runs, and never passes its own health check.
    NeverHealthy,
    /// Passes its own health check and answers users with errors.
    BadOutside,
    /// Ends as soon as it starts.
    ExitsAtOnce,
    /// Ends some time after each start.
    CrashesLate { after_ms: u64 },
    /// Fails its own health check some time after each start.
    SickLate { after_ms: u64 },
    /// Well, and damages rows of guarded databases some time after each start.
    Damages { after_ms: u64 },
}

impl Behaviour {
    /// Nobody would want it back: good releases are what the world must end on.
    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Deaf)
    }
}

/// One release.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) id: ReleaseId,
    pub(crate) tree: TreeId,
    pub(crate) label: String,
    pub(crate) manifest: Manifest,
    /// How it behaves on the hosts it is bad on.
    pub(crate) behaviour: Behaviour,
    /// It is bad only on hosts whose number is a multiple of this.
    pub(crate) bad_every: usize,
}

impl Release {
    pub(crate) fn behaviour_on(&self, host: usize) -> Behaviour {
        if host.is_multiple_of(self.bad_every) { self.behaviour } else { Behaviour::Good }
    }
}

/// All releases of a run.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    releases: Vec<Release>,
    numbers: BTreeMap<ReleaseId, usize>,
}

impl Catalog {
    /// Releases as the options say; the first is good.
    pub(crate) fn drawn(options: &Options, rng: &mut Rng) -> Self {
        let mut catalog = Self { releases: Vec::new(), numbers: BTreeMap::new() };
        let count = rng.usize(3..=7);
        for number in 0..count {
            let bad = number > 0 && rng.u32(..100) < options.bad_releases_percent;
            let behaviour = if bad && options.databases > 0 && rng.bool() {
                Behaviour::Damages { after_ms: rng.u64(500..60_000) }
            } else if bad {
                match rng.u32(..6) {
                    0 | 1 => Behaviour::BadOutside,
                    2 => Behaviour::ExitsAtOnce,
                    3 => Behaviour::CrashesLate { after_ms: rng.u64(500..120_000) },
                    4 => Behaviour::SickLate { after_ms: rng.u64(500..120_000) },
                    _ => Behaviour::NeverHealthy,
                }
            } else if rng.u32(..5) == 0 {
                Behaviour::Deaf
            } else {
                Behaviour::Good
            };
            let bad_every = if rng.bool() { 1 } else { rng.usize(1..=options.hosts) };
            catalog.add(options, behaviour, bad_every);
        }
        catalog
    }

    /// No releases yet.
    pub(crate) fn empty() -> Self {
        Self { releases: Vec::new(), numbers: BTreeMap::new() }
    }

    /// Adds one more.
    pub(crate) fn add(
        &mut self,
        options: &Options,
        behaviour: Behaviour,
        bad_every: usize,
    ) -> ReleaseId {
        let number = self.releases.len();
        let label = format!("v{}", number + 1);
        let manifest = Manifest {
            tree: vec![Entry {
                path: "app".to_owned(),
                kind: EntryKind::File {
                    digest: digest(label.as_bytes()),
                    size: 1,
                    executable: true,
                },
            }],
            run: RunSpec {
                command: Some("./app".to_owned()),
                env: BTreeMap::new(),
                health: health(options),
                shared: Vec::new(),
                unit: UnitSpec::default(),
                processes: processes(options),
            },
        };
        let id = release_id(&manifest);
        let tree = tree_id(&manifest);
        self.numbers.insert(id, number);
        self.releases.push(Release { id, tree, label, manifest, behaviour, bad_every });
        id
    }

    pub(crate) fn all(&self) -> &[Release] {
        &self.releases
    }

    pub(crate) fn find(&self, id: &ReleaseId) -> Option<&Release> {
        self.numbers.get(id).map(|number| &self.releases[*number])
    }

    /// Its label, for people.
    pub(crate) fn label(&self, id: Option<&ReleaseId>) -> String {
        match id {
            None => "nothing".to_owned(),
            Some(id) => self.find(id).map_or_else(|| id.short(), |release| release.label.clone()),
        }
    }
}

/// The health spec of a run's releases and of its outside probe.
pub(crate) fn health(options: &Options) -> HealthSpec {
    HealthSpec {
        http: Some(HttpCheck { path: "/healthz".to_owned(), expect: None }),
        tcp: false,
        command: None,
        notify: false,
        interval_first_ms: 1_000,
        interval_later_ms: 5_000,
        timeout_ms: 2_000,
        passes: options.passes,
        steady_ms: options.steady_ms,
        failures: 3,
    }
}

/// The process of which the fleet runs one.
pub(crate) const ONCE: &str = "tick";

/// What runs beside the application of each release.
fn processes(options: &Options) -> Processes {
    if !options.processes {
        return Processes::default();
    }
    let web = RoleName::new("web");
    let spec = |spread| ProcessSpec {
        roles: [web.clone()].into(),
        command: "./app work".to_owned(),
        env: BTreeMap::new(),
        health: HealthSpec { steady_ms: 1_000, ..HealthSpec::default() },
        port: None,
        spread,
        timetable: None,
    };
    let named = [("worker", Spread::Each), (ONCE, Spread::Once)];
    Processes {
        run_in: Some([web.clone()].into()),
        named: named.map(|(name, spread)| (ProcessName::new(name), spec(spread))).into(),
    }
}
