//! What the hour asks of a push's pace: care beside a freeze, and no first wave on a host that is worked on.

use friday_wire::HostName;
use serde::Serialize;

use super::{WINDOW_TAIL_MS, World};
use crate::rollout::plan::Plan;
use crate::time::{Span, Timestamp};

/// What the hour asks of a push's pace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Pace {
    /// The freeze that it stands beside: one host goes first, and soaks last twice as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// Hosts that planned work meets soon: none of them goes first where another can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub worked_on: Vec<HostName>,
}

impl Pace {
    /// The plan at this pace, and what was changed in it, a sentence each.
    pub fn of(&self, mut plan: Plan) -> (Plan, Vec<String>) {
        let mut says = Vec::new();
        if let Some(beside) = &self.beside {
            one_first(&mut plan);
            plan.soak_ms.iter_mut().for_each(|soak| *soak = soak.saturating_mul(2));
            says.push(format!(
                "it stands beside {beside}: one host goes first, and every soak lasts twice as long"
            ));
        }
        for (from, to) in self.swap(&mut plan) {
            says.push(format!("planned work meets `{from}` soon: `{to}` goes first in its place"));
        }
        (plan, says)
    }

    /// Puts hosts that are worked on behind the first wave, each for one that is not and not the keeper.
    fn swap(&self, plan: &mut Plan) -> Vec<(HostName, HostName)> {
        let keeper = plan.fleet.keeper.clone();
        let mut swapped = Vec::new();
        let Some((first, later)) = plan.waves.split_first_mut() else { return swapped };
        for host in first.iter_mut().filter(|host| self.worked_on.contains(host)) {
            let mut others = later.iter_mut().flatten();
            let free = others.find(|other| !self.worked_on.contains(other) && **other != keeper);
            if let Some(other) = free {
                swapped.push((host.clone(), other.clone()));
                std::mem::swap(host, other);
            }
        }
        swapped
    }
}

/// Makes the first wave one host.
fn one_first(plan: &mut Plan) {
    let Some(first) = plan.waves.first_mut().filter(|wave| wave.len() > 1) else { return };
    let rest = first.split_off(1);
    plan.waves.insert(1, rest);
    if let Some(soak) = plan.soak_ms.first().copied() {
        plan.soak_ms.insert(0, soak);
    }
}

impl World<'_> {
    /// For a push that begins at a moment.
    pub(super) fn pace(&self, at: Timestamp) -> Pace {
        let beside = self.freezes.iter().find(|one| one.shoulders.holds(at) && !one.span.holds(at));
        let beside = beside.map(|one| {
            format!("the freeze `{}` {}", one.name, self.between(one.span.from, one.span.to))
        });
        let runs = self.runs(at);
        let soon = Span { from: runs.from, to: runs.to.plus_ms(WINDOW_TAIL_MS) };
        let windows = self.windows.iter().filter(|one| one.span.common(soon).is_some());
        let mut worked_on: Vec<HostName> =
            windows.flat_map(|one| one.hosts.iter().cloned()).collect();
        worked_on.sort();
        worked_on.dedup();
        Pace { beside, worked_on }
    }
}
