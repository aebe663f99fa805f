//! Commands as a person would give them in this world.

use friday_core::controller::input::{BackTo, Command, Driver, Input, Way};
use friday_core::journal::finding::Gate;
use friday_core::rollout::plan::{
    Closed, FleetPlan, Hooks, Hour, MigrationBack, MigrationPlan, OutsideProbe, Plan, PlannedHost,
};
use friday_core::rollout::wave::{WaveSize, waves};
use friday_core::time::Span;
use friday_node::Action;
use std::collections::BTreeMap;

use friday_wire::{Clocks, HostName, Lock, Ports, ProcessName, ReleaseId, Rotation, StartId};

use crate::catalog::{ONCE, Release, health};
use crate::options::{MigrationChoice, RotationChoice};
use crate::shell::{shorten, tell_outcome};
use crate::world::World;

/// How long after a push began a freeze does, milliseconds: in most worlds while its waves go on.
const FROZEN_AFTER_MS: u64 = 20_000;

/// What a migration may take.
const MIGRATION_MS: u64 = 30_000;

impl World {
    pub(crate) fn new_driver(&mut self, laptop: usize) -> Driver {
        self.next_id += 1;
        Driver {
            // Random first, so that of two fences with one number either start may be the higher.
            start: StartId::new(format!("{:04x}-{}", self.rng.u16(..), self.next_id)),
            person: self.laptops[laptop].name.clone(),
            machine: format!("{}-laptop", self.laptops[laptop].name),
            version: "0.1.0".to_owned(),
        }
    }

    pub(crate) fn clocks(&self) -> Clocks {
        Clocks {
            settle_ms: self.options.settle_ms,
            drain_ms: self.options.drain_ms,
            stop_ms: 2_000,
            health_deadline_ms: self.options.health_deadline_ms,
            confirm_ms: self.options.confirm_ms,
        }
    }

    pub(crate) fn fleet_plan(&self) -> FleetPlan {
        let options = &self.options;
        let (rotation, ports) = match options.rotation {
            RotationChoice::None => (Rotation::None, Ports::Fixed { port: 8000 }),
            RotationChoice::Page => {
                (Rotation::Page { listen: "0.0.0.0:9090".to_owned() }, Ports::Fixed { port: 8000 })
            }
            RotationChoice::Commands => (
                Rotation::Commands {
                    into: "balancer in".to_owned(),
                    out: "balancer out".to_owned(),
                    timeout_ms: 5_000,
                },
                Ports::PerRelease { first: 8000, last: 8003 },
            ),
        };
        FleetPlan {
            hosts: self
                .member_names()
                .into_iter()
                .map(|name| PlannedHost {
                    role: "web".to_owned(),
                    ports,
                    outside_url: options.outside.then(|| format!("http://{name}:8080/")),
                    traffic: Default::default(),
                    name,
                })
                .collect(),
            keeper: self.keeper.clone(),
            clocks: self.clocks(),
            rotation,
            out_at_once_percent: options.out_at_once_percent,
            outside: options
                .outside
                .then(|| OutsideProbe { expect: None, health: health(options) }),
            progress_deadline_ms: 600_000,
            answer_deadline_ms: 20_000,
            stage_deadline_ms: 60_000,
            lease_ms: 60_000,
            heartbeat_ms: 15_000,
            observe_ms: 5_000,
            keep: (5, 3),
        }
    }

    /// How long a host that was stopped for a migration stays so without anybody, at most.
    pub(crate) fn hold_ms(&self) -> u64 {
        let fleet = self.fleet_plan();
        let stopping = fleet.stop_all_ms();
        MIGRATION_MS + 3 * fleet.answer_deadline_ms + 2 * stopping
    }

    pub(crate) fn plan(&self, release: &Release) -> Plan {
        let options = &self.options;
        let fleet = self.fleet_plan();
        let sizes = [WaveSize::Hosts(1), WaveSize::Percent(10), WaveSize::Percent(33)];
        let last =
            fleet.hosts.last().map_or_else(|| fleet.keeper.clone(), |host| host.name.clone());
        let migration = |back| {
            Some(MigrationPlan {
                command: "./app migrate".to_owned(),
                host: last.clone(),
                back,
                // Declared one-way, or not declared at all.
                back_undeclared: options.rehearsing
                    && options.migration == MigrationChoice::OneWay
                    && options.seed.is_multiple_of(2),
                stop_all: options.stop_all,
                timeout_ms: MIGRATION_MS,
            })
        };
        // Without a draw of its own: seeds that found something keep their worlds. Told stories have none.
        let hooked = options.seed % 4 == 1 || (options.databases > 0 && options.seed % 3 != 1);
        let wave_hooks = hooked && options.commands_every_ms != u64::MAX;
        // Where databases are guarded, their restore points lead to all that can come after a hook.
        let before = options.databases == 0 || options.seed.is_multiple_of(2);
        Plan {
            release: release.id,
            tree: release.tree,
            label: release.label.clone(),
            only: Vec::new(),
            waves: waves(&fleet.hosts, &sizes, &fleet.keeper),
            fleet,
            soak_ms: vec![options.soak_ms],
            bake_ms: options.bake_ms,
            hooks: Hooks {
                before: before.then(|| "true".to_owned()),
                after: Some("true".to_owned()),
                before_wave: wave_hooks.then(|| "true".to_owned()),
                after_wave: wave_hooks.then(|| "true".to_owned()),
                timeout_ms: 10_000,
            },
            migration: match options.migration {
                MigrationChoice::None => None,
                MigrationChoice::Safe => migration(MigrationBack::Safe),
                MigrationChoice::Command => {
                    migration(MigrationBack::Command { command: "./app migrate-back".to_owned() })
                }
                MigrationChoice::OneWay => migration(MigrationBack::OneWay),
            },
            secrets: None,
            secrets_stay: false,
            quarantine_override: None,
            bytes: 0,
            files: 0,
            supervisor: friday_wire::Supervisor::Own,
            once: self.once(),
            databases: self.planned_databases(),
            recovery_override: None,
            rehearsal_override: None,
            override_signature: None,
            invariants_override: self.judging.vouches.then(|| "it is known".to_owned()),
            hour: None,
        }
    }

    /// In one world of five a freeze begins while the push runs, and a second one after it. Without a draw of its own.
    fn hour(&self, laptop: usize) -> Option<Box<Hour>> {
        let frozen = self.options.seed % 5 == 2 && self.options.commands_every_ms != u64::MAX;
        let now = self.wall_clock(laptop);
        let closed = |after_ms, lasts_ms| Closed {
            span: Span::after(now.plus_ms(after_ms), lasts_ms),
            gate: Gate::Freeze,
            what: "a freeze".to_owned(),
        };
        frozen.then(|| {
            Box::new(Hour {
                asked_at: now,
                gates: Vec::new(),
                closed: vec![closed(FROZEN_AFTER_MS, 60_000), closed(3 * FROZEN_AFTER_MS, 60_000)],
                unattended_s: None,
                harmful_ppm: None,
            })
        })
    }

    /// The once process may run on every host.
    fn once(&self) -> BTreeMap<ProcessName, Vec<HostName>> {
        let once = self.options.processes.then(|| (ProcessName::new(ONCE), self.member_names()));
        once.into_iter().collect()
    }

    pub(crate) fn once_command(&mut self, laptop: usize, host: HostName) -> Command {
        Command::SetOnce {
            rollout: self.new_rollout("once"),
            driver: self.new_driver(laptop),
            process: ProcessName::new(ONCE),
            host,
            dead: self.former_names(),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    pub(crate) fn push_command(&mut self, laptop: usize, release: &ReleaseId) -> Option<Command> {
        let mut plan = Box::new(self.plan(self.catalog.find(release)?));
        self.draw_rehearsal(laptop, *release, &mut plan);
        plan.hour = self.hour(laptop);
        Some(Command::Push {
            rollout: self.new_rollout("push"),
            driver: self.new_driver(laptop),
            plan,
        })
    }

    /// A push to some hosts only, one after the other.
    pub(crate) fn push_only_command(
        &mut self,
        laptop: usize,
        release: &ReleaseId,
        hosts: &[usize],
    ) -> Option<Command> {
        let mut plan = Box::new(self.plan(self.catalog.find(release)?));
        plan.only = hosts.iter().filter_map(|host| self.hosts[*host].configured.clone()).collect();
        plan.waves = plan.only.iter().map(|host| vec![host.clone()]).collect();
        Some(Command::Push {
            rollout: self.new_rollout("push"),
            driver: self.new_driver(laptop),
            plan,
        })
    }

    pub(crate) fn rollback_command(&mut self, laptop: usize, to: BackTo, now: bool) -> Command {
        Command::Rollback {
            rollout: self.new_rollout("rollback"),
            driver: self.new_driver(laptop),
            to,
            now,
            quarantine: true,
            reason: "users complain".to_owned(),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    pub(crate) fn sweep_command(&mut self, laptop: usize) -> Command {
        Command::Sweep {
            rollout: self.new_rollout("sweep"),
            driver: self.new_driver(laptop),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    pub(crate) fn resume_command(&mut self, laptop: usize, way: Way) -> Command {
        Command::Resume {
            rollout: self.new_rollout("rollback"),
            driver: self.new_driver(laptop),
            way,
        }
    }

    pub(crate) fn lock_command(&mut self, laptop: usize, locked: bool) -> Command {
        let lock = locked.then(|| Lock {
            person: self.laptops[laptop].name.clone(),
            reason: "an incident".to_owned(),
            at_ms: self.wall_clock(laptop).0,
        });
        Command::SetLock {
            rollout: self.new_rollout("lock"),
            driver: self.new_driver(laptop),
            lock,
            fleet: Box::new(self.fleet_plan()),
        }
    }

    pub(crate) fn quarantine_command(
        &mut self,
        laptop: usize,
        release: ReleaseId,
        active: bool,
    ) -> Command {
        Command::SetQuarantine {
            rollout: self.new_rollout("quarantine"),
            driver: self.new_driver(laptop),
            release,
            active,
            reason: "a person's word".to_owned(),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    pub(crate) fn keeper_command(&mut self, laptop: usize, keeper: HostName) -> Command {
        Command::SetKeeper {
            rollout: self.new_rollout("keeper"),
            driver: self.new_driver(laptop),
            keeper,
            proven: Some(self.laptops[laptop].name.clone()),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    pub(crate) fn look_command(&mut self, laptop: usize) -> Command {
        Command::Look {
            rollout: self.new_rollout("look"),
            driver: self.new_driver(laptop),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    /// A command in one line.
    pub(crate) fn tell_command(&self, command: &Command) -> String {
        match command {
            Command::Push { rollout, plan, .. } if !plan.only.is_empty() => {
                format!("push {} as {rollout} only to {:?}", plan.label, plan.only)
            }
            Command::Push { rollout, plan, .. } => format!("push {} as {rollout}", plan.label),
            Command::Rollback { rollout, to, now, .. } => {
                let to = match to {
                    BackTo::LastStable => "the last stable".to_owned(),
                    BackTo::Release { release } => self.catalog.label(Some(release)),
                };
                format!("rollback to {to} as {rollout}{}", if *now { " --now" } else { "" })
            }
            Command::Sweep { rollout, .. } => format!("sweep as {rollout}"),
            Command::Resume { rollout, way, .. } => format!("resume {way:?} as {rollout}"),
            Command::Abort { rollout, .. } => format!("abort as {rollout}"),
            Command::Hold { rollout, .. } => format!("hold as {rollout}"),
            Command::SetLock { rollout, lock, .. } => {
                format!("{} as {rollout}", if lock.is_some() { "lock" } else { "unlock" })
            }
            Command::SetQuarantine { rollout, release, active, .. } => format!(
                "{} {} as {rollout}",
                if *active { "quarantine" } else { "quarantine --lift" },
                self.catalog.label(Some(release))
            ),
            Command::Upgrade { rollout, .. } => format!("hosts upgrade as {rollout}"),
            Command::SetOnce { rollout, process, host, .. } => {
                format!("hosts once {process} {host} as {rollout}")
            }
            Command::SetKeeper { rollout, keeper, .. } => {
                format!("hosts keeper {keeper} as {rollout}")
            }
            Command::Look { rollout, .. } => format!("status as {rollout}"),
            Command::ChangeMembers { rollout, change, .. } => format!("{change:?} as {rollout}"),
        }
    }

    pub(crate) fn tell_input(&self, input: &Input) -> String {
        match input {
            Input::Command(command) => self.tell_command(command),
            Input::Finished { effect, outcome } => format!("{effect}: {}", tell_outcome(outcome)),
            Input::Followed { effect, outcome } => {
                format!("{effect} again: {}", tell_outcome(outcome))
            }
            Input::Sampled { host, sample } => format!("the outside probe of {host}: {sample:?}"),
            Input::Woke => "the time".to_owned(),
        }
    }

    pub(crate) fn tell_action(&self, action: &Action) -> String {
        match action {
            Action::Start { app, .. } => {
                format!("start {}#{}", self.catalog.label(Some(&app.release)), app.generation)
            }
            Action::Stop { app, .. } => {
                format!("stop {}#{}", self.catalog.label(Some(&app.release)), app.generation)
            }
            Action::Probe { app, .. } => {
                format!("probe {}#{}", self.catalog.label(Some(&app.release)), app.generation)
            }
            Action::Rotate { direction, release, .. } => {
                format!("rotate {} {direction:?}", self.catalog.label(Some(release)))
            }
            Action::Point { to } => format!("point to {}", self.catalog.label(to.as_ref())),
            Action::Build { release } => format!("build {}", self.catalog.label(Some(release))),
            Action::Command { .. } | Action::Prune { .. } => shorten(format!("{action:?}")),
        }
    }
}
