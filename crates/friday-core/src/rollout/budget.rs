//! How many hosts may be out, and how many may fail. PROTOCOL 5.

use friday_wire::{HostName, Observation};

use super::run::{HostState, Pace, Rollout};

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
        self.hosts_where(|at| matches!(at, HostState::Failed { .. } | HostState::Gone { .. }))
    }

    /// How many more hosts a push may take out of rotation now. Hosts that never served do not count;
    /// those that do not answer count as out.
    pub fn room_to_take_out(&self) -> usize {
        let ever_served = |host: &HostName| {
            self.heads.get(host).is_none_or(|head| head.current.is_some() || self.bound_returns())
        };
        let serving = self.hosts.keys().filter(|host| ever_served(host)).count();
        if serving == 0 {
            return usize::MAX;
        }
        let out = self
            .hosts
            .iter()
            .filter(|(host, run)| {
                ever_served(host)
                    && (run.at.is_in_flight()
                        || matches!(run.at, HostState::Failed { .. } | HostState::Gone { .. }))
            })
            .count();
        out_allowed(serving, self.fleet().out_at_once_percent).saturating_sub(out)
    }

    /// How many more healthy hosts a rollback may take out now. Sick hosts cost nothing; where some
    /// do not answer, one answering host at a time may still proceed.
    pub fn room_to_go_back(&self) -> usize {
        let well = |host: &HostName| self.seen.get(host).is_some_and(|seen| serves_well(seen));
        let silent = self.hosts_where(|at| matches!(at, HostState::Gone { .. })).len();
        let serving = self.hosts.keys().filter(|host| well(host)).count() + silent;
        let draining = |at: &HostState| {
            matches!(
                at,
                HostState::Ordered { pace: Pace::Drained, .. }
                    | HostState::Looking { pace: Pace::Drained, .. }
            )
        };
        let failed =
            |host: &HostName, at: &HostState| matches!(at, HostState::Failed { .. }) && well(host);
        let in_flight = self.hosts.values().filter(|run| draining(&run.at)).count();
        let out = in_flight
            + silent
            + self.hosts.iter().filter(|(host, run)| failed(host, &run.at)).count();
        let room = out_allowed(serving, self.fleet().out_at_once_percent).saturating_sub(out);
        if room == 0 && in_flight == 0 { 1 } else { room }
    }

    fn bound_returns(&self) -> bool {
        self.bound.as_ref().is_some_and(|open| open.returns_to.is_some())
    }
}

#[cfg(test)]
mod tests;
