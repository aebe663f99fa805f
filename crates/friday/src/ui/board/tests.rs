//! The board of a small fleet, of fifty hosts and of ten thousand.

use friday_core::journal::Event;
use friday_core::journal::intent::Intent;
use friday_core::rollout::plan::{FleetPlan, PlannedHost};
use friday_wire::{Clocks, HostName, Ports, RolloutId, Rotation};

use super::*;

fn view(hosts: usize) -> RolloutView {
    let host = |number: usize| PlannedHost {
        name: HostName::new(format!("web-{number}")),
        role: "web".to_owned(),
        ports: Ports::Fixed { port: 8000 },
        outside_url: None,
        traffic: Default::default(),
    };
    let clocks =
        Clocks { settle_ms: 0, drain_ms: 0, stop_ms: 0, health_deadline_ms: 0, confirm_ms: 0 };
    let fleet = FleetPlan {
        hosts: (1..=hosts).map(host).collect(),
        keeper: HostName::new("web-1"),
        clocks,
        rotation: Rotation::None,
        out_at_once_percent: 25,
        outside: None,
        progress_deadline_ms: 600_000,
        answer_deadline_ms: 20_000,
        stage_deadline_ms: 600_000,
        lease_ms: 60_000,
        heartbeat_ms: 15_000,
        observe_ms: 5_000,
        keep: (5, 3),
    };
    RolloutView::begun(RolloutId::new("r-1"), &Intent::Sweep { fleet }, None, Timestamp(0))
}

fn ordered(view: &mut RolloutView, at: i64, host: usize) {
    let event = Event::StepBegun {
        rollout: view.rollout.clone(),
        host: HostName::new(format!("web-{host}")),
        attempt: 1,
        at_once: false,
        deadline: Timestamp(60_000),
    };
    view.apply(Timestamp(at), &event);
}

fn failed(view: &mut RolloutView, host: usize) {
    let event = Event::HostFailed {
        rollout: view.rollout.clone(),
        host: HostName::new(format!("web-{host}")),
        why: "status 502".to_owned(),
        log: Vec::new(),
        fault: friday_wire::Fault::Release,
    };
    view.apply(Timestamp(3_000), &event);
}

fn lines(view: &RolloutView) -> Vec<String> {
    let lines = board_lines(view, &BTreeMap::new(), Timestamp(4_000));
    lines.iter().map(Text::bare).collect()
}

#[test]
fn each_of_a_few_hosts_has_its_line() {
    let lines = lines(&view(20));
    assert_eq!(lines.len(), 21);
    assert!(lines[20].contains("web-20"), "{lines:?}");
}

#[test]
fn of_many_hosts_those_in_trouble_come_first_and_the_rest_is_counted() {
    for hosts in [50, 10_000] {
        let mut view = view(hosts);
        (1..=30).for_each(|host| ordered(&mut view, 3_000 - host as i64, host));
        failed(&mut view, 50);
        failed(&mut view, 2);
        let lines = lines(&view);
        assert_eq!(
            lines[1],
            format!("{hosts} hosts: 2 failed, 29 going back, {} waiting", hosts - 31)
        );
        assert!(lines[2].contains("web-2") && lines[2].contains("status 502"), "{lines:?}");
        assert!(lines[3].contains("web-50"), "{lines:?}");
        // Then who is longest at it.
        assert!(lines[4].contains("web-30"), "{lines:?}");
        assert_eq!(lines.len(), 2 + 2 + BUSY_LINES_MAX);
    }
}

#[test]
fn a_fleet_in_trouble_fits_the_screen() {
    let mut view = view(10_000);
    (1..=9_000).for_each(|host| failed(&mut view, host));
    let lines = lines(&view);
    assert_eq!(lines[1], "10000 hosts: 9000 failed, 1000 waiting");
    assert_eq!(lines.len(), 2 + TROUBLED_LINES_MAX + 1);
    assert_eq!(lines[lines.len() - 1], "and 8992 more hosts in trouble; `friday why` names them");
}
