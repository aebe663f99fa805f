//! What a run is like: drawn from its seed. Swarm testing: how likely each fault is, is itself random,
//! and half of all faults are absent from any one run, so that rare mixtures come up too.

use std::fmt;

use fastrand::Rng;

/// How applications go into and out of rotation in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RotationChoice {
    None,
    Page,
    Commands,
}

/// What the releases of this run migrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrationChoice {
    None,
    Safe,
    Command,
    OneWay,
}

/// How likely each fault is. Rates are per minute of virtual time in the whole world; chances are
/// per message, append or turn.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Faults {
    pub(crate) reboots: f64,
    pub(crate) process_crashes: f64,
    pub(crate) partitions: f64,
    pub(crate) slow_disks: f64,
    pub(crate) full_disks: f64,
    pub(crate) sick_hosts: f64,
    pub(crate) taken_ports: f64,
    pub(crate) kills: f64,
    pub(crate) sleeps: f64,
    pub(crate) clock_jumps: f64,
    pub(crate) lost_requests: f64,
    pub(crate) lost_answers: f64,
    pub(crate) orphans: f64,
    pub(crate) duplicates: f64,
    pub(crate) failed_appends: f64,
    pub(crate) unknown_appends: f64,
    pub(crate) kill_turns: f64,
    pub(crate) crash_turns: f64,
    pub(crate) failed_actions: f64,
}

impl Faults {
    fn rates(&self) -> [(&'static str, f64); 19] {
        [
            ("reboots", self.reboots),
            ("process_crashes", self.process_crashes),
            ("partitions", self.partitions),
            ("slow_disks", self.slow_disks),
            ("full_disks", self.full_disks),
            ("sick_hosts", self.sick_hosts),
            ("taken_ports", self.taken_ports),
            ("kills", self.kills),
            ("sleeps", self.sleeps),
            ("clock_jumps", self.clock_jumps),
            ("lost_requests", self.lost_requests),
            ("lost_answers", self.lost_answers),
            ("orphans", self.orphans),
            ("duplicates", self.duplicates),
            ("failed_appends", self.failed_appends),
            ("unknown_appends", self.unknown_appends),
            ("kill_turns", self.kill_turns),
            ("crash_turns", self.crash_turns),
            ("failed_actions", self.failed_actions),
        ]
    }

    fn drawn(rng: &mut Rng) -> Self {
        let calm = rng.u32(..8) == 0;
        let mut draw = |most: f64| {
            // From a thousandth of the most to the most, even on a logarithmic scale.
            let value = most * 10_f64.powf(-3.0 * rng.f64());
            if calm || rng.bool() { 0.0 } else { value }
        };
        Self {
            reboots: draw(3.0),
            process_crashes: draw(6.0),
            partitions: draw(4.0),
            slow_disks: draw(3.0),
            full_disks: draw(1.0),
            sick_hosts: draw(1.5),
            taken_ports: 0.0,
            kills: draw(2.0),
            sleeps: draw(1.0),
            clock_jumps: draw(1.0),
            lost_requests: draw(0.15),
            lost_answers: draw(0.15),
            orphans: draw(0.1),
            duplicates: draw(0.05),
            failed_appends: draw(0.01),
            unknown_appends: draw(0.03),
            kill_turns: draw(0.03),
            crash_turns: draw(0.02),
            failed_actions: draw(0.03),
        }
    }
}

/// The options of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub(crate) seed: u64,
    pub(crate) hosts: usize,
    pub(crate) laptops: usize,
    pub(crate) shared_journal: bool,
    pub(crate) rotation: RotationChoice,
    pub(crate) outside: bool,
    pub(crate) migration: MigrationChoice,
    pub(crate) stop_all: bool,
    pub(crate) boot_hooks: bool,
    pub(crate) soak_ms: u64,
    pub(crate) bake_ms: u64,
    pub(crate) settle_ms: u64,
    pub(crate) drain_ms: u64,
    pub(crate) health_deadline_ms: u64,
    pub(crate) confirm_ms: u64,
    pub(crate) passes: u32,
    pub(crate) steady_ms: u64,
    pub(crate) out_at_once_percent: u32,
    pub(crate) bad_releases_percent: u32,
    pub(crate) commands_every_ms: u64,
    pub(crate) chaos_ms: u64,
    /// How long a driver syncs after each turn; what comes meanwhile makes one turn.
    pub(crate) sync_ms: u64,
    pub(crate) faults: Faults,
    /// Releases have a worker on each host and a process that runs once in the fleet.
    pub(crate) processes: bool,
    /// Hosts leave, are forgotten, take other names, and come back.
    pub(crate) members: bool,
    /// Some hosts take only what is signed, and some releases are not.
    pub(crate) signing: bool,
    /// Some hosts begin with an old friday-host.
    pub(crate) old_programs: bool,
    /// So many databases are guarded.
    pub(crate) databases: usize,
    /// Pushes are rehearsed on one of them.
    pub(crate) rehearsing: bool,
}

/// Some of the worlds with databases.
fn rehearsing(seed: u64) -> bool {
    seed % 11 == 8 && seed / 22 % 2 == 1
}

impl Options {
    /// The options of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed_0f0b_71a5_0fee);
        let large = rng.u32(..100) == 0;
        let hosts =
            if large { rng.usize(17..=200) } else { rng.usize(1..=16).min(rng.usize(1..=16)) };
        Self {
            seed,
            hosts,
            laptops: rng.usize(1..=2),
            shared_journal: rng.u32(..4) == 0,
            rotation: [RotationChoice::None, RotationChoice::Page, RotationChoice::Commands]
                [rng.usize(..3)],
            outside: rng.u32(..4) != 0,
            // Most pushes that are rehearsed migrate; without a draw more.
            migration: match (rng.u32(..8), rehearsing(seed)) {
                (0, _) | (3 | 4, true) => MigrationChoice::Safe,
                (1, _) | (5 | 6, true) => MigrationChoice::Command,
                (2, _) => MigrationChoice::OneWay,
                _ => MigrationChoice::None,
            },
            stop_all: rng.u32(..2) == 0,
            boot_hooks: rng.u32(..4) != 0,
            soak_ms: rng.u64(0..30_000),
            bake_ms: rng.u64(0..60_000),
            settle_ms: rng.u64(0..5_000),
            drain_ms: rng.u64(0..10_000),
            health_deadline_ms: rng.u64(20_000..60_000),
            confirm_ms: rng.u64(10_000..40_000),
            passes: rng.u32(1..=3),
            steady_ms: rng.u64(0..5_000),
            out_at_once_percent: rng.u32(1..=50),
            bad_releases_percent: rng.u32(0..=70),
            commands_every_ms: rng.u64(10_000..120_000),
            // Drawn apart: the other options of a seed stay what they were.
            sync_ms: Rng::with_seed(seed ^ 0x0005_109c).u64(0..40).saturating_sub(20),
            chaos_ms: if large { rng.u64(120_000..300_000) } else { rng.u64(120_000..1_200_000) },
            faults: Faults {
                taken_ports: if seed % 8 == 6 { 0.8 } else { 0.0 },
                ..Faults::drawn(&mut rng)
            },
            processes: rng.u32(..3) == 0,
            // Without a draw: the worlds of the other seeds stay what they were.
            // Not where a person has no way out yet: a keeper that was forgotten, and what runs once.
            members: seed % 5 == 2,
            signing: seed % 7 == 3,
            old_programs: seed % 9 == 4,
            databases: if seed % 11 == 8 { 1 + usize::from(seed % 22 == 8) } else { 0 },
            rehearsing: rehearsing(seed),
        }
    }

    /// A quiet world for a scenario: no faults, no operator, short clocks.
    pub fn quiet(hosts: usize, laptops: usize) -> Self {
        Self {
            seed: 1,
            hosts,
            laptops,
            shared_journal: false,
            rotation: RotationChoice::Page,
            outside: true,
            migration: MigrationChoice::None,
            stop_all: false,
            boot_hooks: true,
            soak_ms: 10_000,
            bake_ms: 20_000,
            settle_ms: 1_000,
            drain_ms: 2_000,
            health_deadline_ms: 30_000,
            confirm_ms: 30_000,
            passes: 2,
            steady_ms: 0,
            out_at_once_percent: 50,
            bad_releases_percent: 0,
            commands_every_ms: u64::MAX,
            chaos_ms: 0,
            sync_ms: 0,
            faults: Faults::default(),
            processes: false,
            members: false,
            signing: false,
            old_programs: false,
            databases: 0,
            rehearsing: false,
        }
    }

    /// With two guarded databases, on one of which pushes are rehearsed.
    #[must_use]
    pub fn rehearsing(mut self) -> Self {
        self.databases = 2;
        self.rehearsing = true;
        self
    }

    /// With a migration in every push that the old release can live with, as is declared.
    #[must_use]
    pub fn migrating_safely(mut self) -> Self {
        self.migration = MigrationChoice::Safe;
        self
    }

    /// With a migration in every push, and a command that undoes it.
    #[must_use]
    pub fn migrating_back_and_forth(mut self) -> Self {
        self.migration = MigrationChoice::Command;
        self
    }

    /// With two guarded databases.
    #[must_use]
    pub fn guarding(mut self) -> Self {
        self.databases = 2;
        self
    }

    /// With releases that have a worker on each host, and a process that runs once in the fleet.
    #[must_use]
    pub fn with_processes(mut self) -> Self {
        self.processes = true;
        self
    }

    /// With a migration in every push for which every host is stopped; the old release can use what it
    /// wrote.
    #[must_use]
    pub fn stopping_all(mut self) -> Self {
        self.migration = MigrationChoice::Safe;
        self.stop_all = true;
        self
    }

    /// With a one-way migration in every push.
    #[must_use]
    pub fn migrating_one_way(mut self) -> Self {
        self.migration = MigrationChoice::OneWay;
        self
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed={} hosts={} laptops={} journal={} rotation={:?} outside={} migration={:?} stop_all={} \
             boot_hooks={} processes={} members={} signing={} old_programs={} databases={} soak={} bake={} confirm={} out={}% bad={}% chaos={} sync={}",
            self.seed,
            self.hosts,
            self.laptops,
            if self.shared_journal { "shared" } else { "own" },
            self.rotation,
            self.outside,
            self.migration,
            self.stop_all,
            self.boot_hooks,
            self.processes,
            self.members,
            self.signing,
            self.old_programs,
            self.databases,
            self.soak_ms,
            self.bake_ms,
            self.confirm_ms,
            self.out_at_once_percent,
            self.bad_releases_percent,
            self.chaos_ms,
            self.sync_ms,
        )?;
        for (name, rate) in self.faults.rates() {
            if rate > 0.0 {
                write!(f, " {name}={rate:.4}")?;
            }
        }
        Ok(())
    }
}
