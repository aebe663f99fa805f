//! Which hosts a rollout takes, and in which order: cumulative, rounded up, empty ones left out.
//!
//! Pure arithmetic over the plan's hosts. It knows nothing of what hosts run or whether they answer.

use std::collections::BTreeMap;

use friday_wire::HostName;
use serde::{Deserialize, Serialize};

use super::plan::PlannedHost;

/// How far a rollout has come when a wave is through: so many hosts of the fleet in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveSize {
    /// This many.
    Hosts(u32),
    /// This percentage of the fleet, rounded up.
    Percent(u32),
}

impl WaveSize {
    /// Hosts that are through after this wave, of a fleet of `total`.
    fn reached(self, total: usize) -> usize {
        match self {
            Self::Hosts(count) => usize::try_from(count).unwrap_or(usize::MAX).min(total),
            Self::Percent(percent) => {
                let percent = usize::try_from(percent.min(100)).unwrap_or(100);
                total.saturating_mul(percent).div_ceil(100)
            }
        }
    }
}

/// Sorts hosts into waves. Each host is in exactly one; a last wave of the rest is always added.
///
/// The keeper is not in the first wave where another host exists, even if that wave is to be the
/// whole fleet: when the first wave harms its hosts, the lease must not be among what is harmed.
/// Within that, roles are spread: each wave takes about the same share of each role, and the first
/// host of all is of the first role.
pub fn waves(hosts: &[PlannedHost], sizes: &[WaveSize], keeper: &HostName) -> Vec<Vec<HostName>> {
    let mut order = spread(hosts, keeper);
    let total = order.len();
    let keeper_at = order.iter().position(|host| host == keeper);
    let first_most = match keeper_at {
        Some(_) if total > 1 => total - 1,
        Some(_) | None => total,
    };
    let mut ends: Vec<usize> = Vec::new();
    for reached in sizes.iter().map(|size| size.reached(total)).chain([total]) {
        let end = if ends.is_empty() { reached.min(first_most) } else { reached };
        if end > ends.last().copied().unwrap_or(0) {
            ends.push(end);
        }
    }
    if ends.last().is_some_and(|end| *end < total) {
        ends.push(total);
    }
    if let (Some(at), Some(first)) = (keeper_at, ends.first())
        && at < *first
        && *first < total
    {
        // Just behind the hosts of the first wave.
        order[at..=*first].rotate_left(1);
    }
    let begins = [0].into_iter().chain(ends.iter().copied());
    begins.zip(&ends).map(|(begin, end)| order[begin..*end].to_vec()).collect()
}

/// The hosts in an order of which every part has about the same share of each role. The first is of
/// the first role and not the keeper, where there is such a host.
fn spread(hosts: &[PlannedHost], keeper: &HostName) -> Vec<HostName> {
    let mut members: BTreeMap<&str, usize> = BTreeMap::new();
    let befores: Vec<usize> = hosts
        .iter()
        .map(|host| {
            let count = members.entry(&host.role).or_default();
            *count += 1;
            *count - 1
        })
        .collect();
    // The middle of the host's slice of its role: (2 before + 1) of (2 members).
    let rank = |(host, before): (_, &usize)| {
        let host: &PlannedHost = host;
        (2 * before + 1, 2 * members.get(host.role.as_str()).copied().unwrap_or(1), host)
    };
    let mut ranked: Vec<(usize, usize, &PlannedHost)> =
        hosts.iter().zip(&befores).map(rank).collect();
    // Stable: hosts of the same rank keep the configuration's order.
    ranked.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)));
    let first_role = hosts.first().map(|host| &host.role);
    let lead = |host: &PlannedHost| Some(&host.role) == first_role && host.name != *keeper;
    if let Some(at) = ranked.iter().position(|(.., host)| lead(host)) {
        ranked[..=at].rotate_right(1);
    }
    ranked.into_iter().map(|(.., host)| host.name.clone()).collect()
}

#[cfg(test)]
mod tests;
