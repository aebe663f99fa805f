//! How many hosts may be out, and how many may fail. PROTOCOL 5.

use friday_wire::{HostName, Observation};

use super::run::Rollout;

/// Below this many hosts none may fail.
const FEW: usize = 20;

/// Hosts that may fail in a fleet of this size.
pub fn failures_allowed(hosts: usize, wave: u32) -> usize {
    if hosts < FEW || wave == 1 { 0 } else { (hosts * 5 / 100).max(1) }
}

/// Hosts that may be out of rotation at once, of those that serve: max(1, percent), rounded down.
pub fn out_allowed(serving: usize, percent: u32) -> usize {
    (serving * percent as usize / 100).max(1)
}

/// Whether a host serves traffic now, by an observation.
pub fn serves(seen: &Observation) -> bool {
    seen.app.as_ref().is_some_and(|app| app.running && app.in_rotation)
}

/// Whether a host serves and is well, by an observation.
pub fn serves_well(seen: &Observation) -> bool {
    seen.app.as_ref().is_some_and(|app| {
        app.running
            && app.in_rotation
            && !matches!(app.health, friday_wire::HealthState::Sick { .. })
    })
}

impl Rollout {
    /// Hosts that failed or are gone.
    pub fn failed(&self) -> Vec<HostName> {
        self.hosts.failed().cloned().collect()
    }

    /// How many more hosts a push may take out of rotation now. Hosts that never served do not count;
    /// those that do not answer count as out.
    pub fn room_to_take_out(&self) -> usize {
        let tally = self.hosts.tally();
        let (idle, out_idle) =
            if self.bound_returns() { (0, 0) } else { (tally.idle, tally.out_idle) };
        let serving = self.hosts.len() - idle;
        if serving == 0 {
            return usize::MAX;
        }
        // A person named these hosts: those that do not answer beside them, and serve nobody knows what,
        // slow it down and do not stop it.
        let aside = tally.silent_aside;
        let out = tally.out - out_idle + aside;
        let room = out_allowed(serving, self.fleet().out_at_once_percent).saturating_sub(out);
        if room == 0 && out == aside && aside > 0 { 1 } else { room }
    }

    /// How many more healthy hosts a rollback may take out now. Sick hosts cost nothing; where some
    /// do not answer, one answering host at a time may still proceed.
    pub fn room_to_go_back(&self) -> usize {
        let tally = self.hosts.tally();
        let serving = tally.well + tally.gone;
        let out = tally.draining + tally.gone + tally.well_failed;
        let room = out_allowed(serving, self.fleet().out_at_once_percent).saturating_sub(out);
        if room == 0 && tally.draining == 0 { 1 } else { room }
    }

    fn bound_returns(&self) -> bool {
        self.bound.as_ref().is_some_and(|open| open.returns_to.is_some())
    }
}

#[cfg(test)]
mod tests;
