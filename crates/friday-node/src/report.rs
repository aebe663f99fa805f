//! The host as others see it.

use friday_wire::{Head, HostFacts, Observation, ReleaseId, RunningApp, RunningProcess, StepKey};

use crate::durable::Certainty;
use crate::node::Node;

impl Node {
    /// The head with the lease as it is now.
    pub(crate) fn head_at(&self, now_ms: u64) -> Head {
        let mut head = self.durable.head.clone();
        head.lease = self.living_lease(now_ms);
        head
    }

    /// The host as it is now; the shell fills in `facts` but for `boot_hook`.
    pub fn observation(&self, now_ms: u64) -> Observation {
        self.observation_of(now_ms, None)
    }

    /// As [`Node::observation`]; `last` is the operation that is named.
    pub(crate) fn observation_of(&self, now_ms: u64, named: Option<&StepKey>) -> Observation {
        let operation = self.durable.operation.as_ref();
        let at_work =
            operation.and_then(|op| op.key()).or(self.durable.task.as_ref().map(|task| &task.key));
        let last = match named.or(at_work) {
            Some(key) => Some(self.report(key, now_ms)),
            None => self.durable.last.clone(),
        };
        Observation {
            head: self.head_at(now_ms),
            app: self.running_of_current(now_ms),
            warm: self.warm(),
            last,
            armed: operation.is_some_and(|op| op.armed().is_some()),
            boot_default: self.boot_default(),
            facts: HostFacts { boot_hook: self.boot_hook, ..HostFacts::default() },
        }
    }

    fn warm(&self) -> Option<ReleaseId> {
        let warm = self.durable.warm.filter(|warm| self.runs(*warm))?;
        self.durable.placed(warm).map(|placed| placed.app.release)
    }

    fn running_of_current(&self, now_ms: u64) -> Option<RunningApp> {
        let placed = self.durable.placed(self.durable.serving?)?;
        let generation = placed.app.generation;
        let in_rotation = self.durable.entered.as_ref().is_some_and(|entered| {
            entered.app == placed.app && entered.certainty == Certainty::Sure
        });
        Some(RunningApp {
            release: placed.app.release,
            port: placed.port,
            running: self.runs(generation),
            health: self.unit_health(generation, now_ms),
            in_rotation,
            restarts: placed.restarts,
            processes: self.processes(generation, now_ms),
        })
    }

    /// The processes of a unit, where they are more than the release's `run` command.
    fn processes(&self, leader: u64, now_ms: u64) -> Vec<RunningProcess> {
        let apps = self.unit(leader).map(|placed| RunningProcess {
            part: placed.part.clone(),
            port: placed.port,
            running: self.runs(placed.app.generation),
            health: self.health(placed.app.generation, now_ms),
            restarts: placed.restarts,
            // The shell's to say: it keeps the records.
            job: None,
        });
        let processes: Vec<RunningProcess> = apps.collect();
        if processes.iter().all(|process| process.part.is_run()) { Vec::new() } else { processes }
    }
}
