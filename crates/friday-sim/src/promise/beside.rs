//! What may not run beside what: two of a process, and an old release beside a migration. Whoever acts is
//! not asked; the machines are looked at.

use friday_wire::{Part, RolloutId};

use crate::catalog::ONCE;
use crate::failure::FailureClass;
use crate::world::World;

impl World {
    /// Promise 11: of a process that has a name one runs on a host at most; of one that runs once, in the
    /// whole fleet.
    pub(crate) fn of_a_process_one_runs_at_most(&mut self, host: usize, part: &Part) {
        let count = |machine: &crate::host::Host| {
            machine.processes.values().filter(|living| *living == part).count()
        };
        let here = count(&self.hosts[host]);
        let all: usize = self.hosts.iter().map(count).sum();
        let once = part.name().is_some_and(|name| name.as_str() == ONCE);
        if here > 1 || (once && all > 1) {
            let machine = &self.hosts[host].name;
            let what =
                format!("`{part}` is started on {machine}, and {all} of it run, {here} here");
            self.fail(FailureClass::Safety, what);
        }
    }

    /// The host that migrates for a rollout whose plan stops every host, and that rollout.
    fn migrates_alone(&self, host: usize) -> Option<RolloutId> {
        let task = self.hosts[host].durable.task.as_ref().filter(|_| self.hosts[host].migrates());
        let rollout = &task?.key.rollout;
        let stops_all = self.known.get(rollout).is_some_and(|known| known.stops_all);
        stops_all.then(|| rollout.clone())
    }

    /// Whether what runs on a host is excused: a reboot since it was stopped, or a way back.
    fn may_run_beside(&self, host: usize, rollout: &RolloutId) -> bool {
        let machine = &self.hosts[host];
        let open = machine.durable.head.rollout.as_ref();
        let taken_back = open.is_none_or(|open| open.value.id != *rollout);
        let stopped = machine.watch.stopped.as_ref();
        let rebooted = stopped.is_some_and(|(of, boots)| of == rollout && *boots != machine.boots);
        taken_back || rebooted
    }

    /// Protocol 6: no old release runs when it begins.
    pub(super) fn migration_runs_beside_nothing(&mut self, host: usize) {
        let Some(rollout) = self.migrates_alone(host) else { return };
        let beside = (0..self.hosts.len()).find(|other| {
            !self.hosts[*other].apps.is_empty()
                && self.hosts[*other].configured.is_some()
                && self.hosts[*other].watch.has_served
                && !self.may_run_beside(*other, &rollout)
        });
        if let Some(other) = beside {
            let what = format!("{rollout} migrates beside what runs: {}", self.describe(other));
            self.fail(FailureClass::Safety, what);
        }
    }

    /// Protocol 6: and none is started while it runs.
    pub(super) fn nothing_starts_beside_a_migration_that_needs_it_stopped(&mut self, host: usize) {
        let running = (0..self.hosts.len()).find_map(|other| self.migrates_alone(other));
        let Some(rollout) = running.filter(|rollout| !self.may_run_beside(host, rollout)) else {
            return;
        };
        let what = format!("{} starts beside the migration of {rollout}", self.describe(host));
        self.fail(FailureClass::Safety, what);
    }
}
