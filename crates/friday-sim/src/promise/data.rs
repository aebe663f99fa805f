//! The way back for data: no switch and no migration without it, and no push on an unproven one.

use friday_core::journal::event::Event;
use friday_core::journal::finding::{Gate, GateResult};
use friday_node::operation::Course;
use friday_wire::{DatabaseName, RolloutId};

use crate::failure::FailureClass;
use crate::world::World;

impl World {
    /// Promise 1: what a push does to a host, it does with a restore point of each database behind it.
    pub(super) fn nothing_is_switched_without_its_restore_points(&mut self, host: usize) {
        if self.options.databases == 0 {
            return;
        }
        let machine = &self.hosts[host];
        let switched = machine.durable.operation.as_ref().and_then(|operation| {
            let switches = matches!(operation.course, Course::Switch(_));
            operation.key().filter(|_| switches).map(|key| key.rollout.clone())
        });
        let task = machine.durable.task.as_ref().filter(|_| machine.migrates());
        let rollout = switched.or_else(|| task.map(|task| task.key.rollout.clone()));
        let bare = rollout.and_then(|rollout| Some((self.lacks_a_point(&rollout)?, rollout)));
        if let Some((database, rollout)) = bare {
            let what = format!(
                "{} is changed for {rollout}, and {database} has no restore point",
                self.hosts[host].name
            );
            self.fail(FailureClass::Safety, what);
        }
    }

    fn lacks_a_point(&self, rollout: &RolloutId) -> Option<DatabaseName> {
        let known = self.known.get(rollout).filter(|known| known.is_push)?;
        let lacks = |database: &&DatabaseName| !self.has_point(rollout.as_str(), database);
        known.databases.iter().find(lacks).cloned()
    }

    /// The gate says what is so, by the journal and the clock that it was judged with.
    pub(super) fn the_gate_goes_by_drills(&mut self, laptop: usize, event: &Event) {
        let Event::GateJudged { rollout, gate: Gate::Recovery, result, says } = event else {
            return;
        };
        let Some(driver) = self.laptops[laptop].process.as_ref() else { return };
        let proven = self.is_recovery_proven(laptop, driver.ledger);
        let Some(known) = self.known.get_mut(rollout) else { return };
        // One that has switched a host is not judged again.
        let before = known.recovery_passed;
        let passed = *result == GateResult::Pass;
        known.recovery_passed |= passed;
        if passed != proven && !(passed && before) {
            let what =
                format!("the gate of {rollout} says {result:?} ({says}), and it is {proven}");
            self.fail(FailureClass::Safety, what);
        }
    }
}
