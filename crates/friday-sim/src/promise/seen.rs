//! Promise 6: what is called done was seen so, by the one who says it, and was true when it was seen.

use friday_node::CallId;
use friday_wire::{ReleaseId, RolloutId};

use super::Known;
use crate::failure::FailureClass;
use crate::world::World;

/// How long a host may not notice that its application fails: three probes and their timeouts.
const NOTICE_MS: u64 = 25_000;

impl World {
    /// A host answers an observation: what it truly serves now. What another journal's driver sees later
    /// takes nothing from what this one saw: it may go on, and take back what was done here.
    pub(crate) fn remember_what_was_seen(&mut self, host: usize, call: CallId) {
        let now = self.now;
        let rotation = self.options.rotation;
        let process = self.hosts[host].process.as_ref();
        let caller = process.and_then(|process| process.calls.get(&call));
        let asked = caller.map(|caller| (caller.laptop, caller.epoch));
        let driver = asked.and_then(|(laptop, epoch)| self.process_of(laptop, epoch));
        let Some(ledger) = driver.map(|driver| driver.ledger) else { return };
        let machine = &mut self.hosts[host];
        let running = machine.in_rotation(rotation);
        let well = match running {
            None => machine.apps.is_empty().then_some(None),
            Some(app) => (app.passes(now) || app.passes(now.saturating_sub(NOTICE_MS)))
                .then_some(Some(app.app.release)),
        };
        if let Some(release) = well {
            machine.watch.seen_well.insert(ledger, (now, release));
        }
    }

    /// Promise 6.
    pub(super) fn done_means_every_host_was_seen_well(
        &mut self,
        ledger: usize,
        rollout: &RolloutId,
        known: &Known,
    ) {
        for host in &known.hosts {
            let Some(number) = self.numbers.get(host) else { continue };
            let seen = self.hosts[*number].watch.seen_well.get(&ledger).copied();
            // What runs apart on purpose a sweep leaves as it is.
            let apart = self.hosts[*number].durable.head.runs_apart();
            let is_meant = |release: Option<ReleaseId>| {
                release == known.release || (!known.is_push && apart.is_some() && release == apart)
            };
            if seen.is_some_and(|(at, release)| at >= known.observed_since && is_meant(release)) {
                continue;
            }
            let what = format!(
                "{rollout} is called done with {} on every host, and {host} was not seen so: {}",
                self.catalog.label(known.release.as_ref()),
                self.describe(*number)
            );
            return self.fail(FailureClass::Safety, what);
        }
    }
}
