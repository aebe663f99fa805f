//! Which host runs which friday-host, after an upgrade that did not get everywhere.

use super::rollout::{HostStage, RolloutView};

/// One sentence for each host.
pub fn programs(upgrade: &RolloutView) -> Vec<String> {
    let says = |host: &super::RolloutHost| {
        let name = &host.host;
        match &host.stage {
            HostStage::Done => format!("`{name}` runs the new friday-host"),
            HostStage::Failed { why } => {
                format!("`{name}` keeps the old friday-host, or goes back to it by itself: {why}")
            }
            HostStage::Unreachable { why } => {
                format!(
                    "`{name}` gave no answer; unconfirmed, it goes back to the old friday-host: {why}"
                )
            }
            HostStage::Waiting
            | HostStage::Staging
            | HostStage::Staged
            | HostStage::Stopping
            | HostStage::Stopped
            | HostStage::Switching
            | HostStage::Proving
            | HostStage::Confirming
            | HostStage::Sick { .. }
            | HostStage::GoingBack => {
                format!("`{name}` was not tried, and runs the friday-host it had")
            }
        }
    };
    upgrade.hosts.iter().map(says).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Event;
    use crate::journal::intent::Intent;
    use crate::journal::round::{HostAnswer, RoundAsk};
    use crate::rollout::plan::{FleetPlan, PlannedHost};
    use crate::time::Timestamp;
    use friday_wire::{Clocks, HostName, Ports, RolloutId, Rotation};

    fn fleet(names: &[&str]) -> FleetPlan {
        let planned = |name: &&str| PlannedHost {
            name: HostName::new(*name),
            role: "web".to_owned(),
            ports: Ports::None,
            outside_url: None,
            traffic: Default::default(),
        };
        FleetPlan {
            hosts: names.iter().map(planned).collect(),
            keeper: HostName::new(names[0]),
            clocks: Clocks::default(),
            rotation: Rotation::None,
            out_at_once_percent: 25,
            outside: None,
            progress_deadline_ms: 1,
            answer_deadline_ms: 1,
            stage_deadline_ms: 1,
            lease_ms: 1,
            heartbeat_ms: 1,
            observe_ms: 1,
            keep: (1, 1),
        }
    }

    #[test]
    fn each_host_is_told_with_the_program_it_runs() {
        let id = RolloutId::new("r-1");
        let intent = Intent::Upgrade { fleet: fleet(&["a", "b", "c"]) };
        let mut view = RolloutView::begun(id.clone(), &intent, None, Timestamp(0));
        let mut ask = |host: &str, answer: HostAnswer| {
            let host = HostName::new(host);
            let (rollout, hosts) = (id.clone(), vec![host.clone()]);
            let begun = Event::RoundBegun {
                rollout: rollout.clone(),
                round: 1,
                ask: RoundAsk::Upgrade,
                hosts,
                deadline: Timestamp(1),
            };
            view.apply(Timestamp(0), &begun);
            let answered = Event::HostAnswered { rollout, round: 1, host, answer };
            view.apply(Timestamp(0), &answered);
        };
        ask("c", HostAnswer::Ok);
        ask(
            "b",
            HostAnswer::Failed { why: "no room".to_owned(), fault: friday_wire::Fault::Release },
        );
        let said = programs(&view);
        assert_eq!(said[0], "`a` was not tried, and runs the friday-host it had");
        assert!(said[1].starts_with("`b` keeps the old friday-host"), "{said:?}");
        assert_eq!(said[2], "`c` runs the new friday-host");
    }
}
