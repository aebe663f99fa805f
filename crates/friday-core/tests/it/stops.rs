//! Pushes that stop every host for their migration.

use friday_core::journal::Event;
use friday_core::journal::event::End;
use friday_core::journal::round::Work;
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, MigrationPlan};
use friday_core::rollout::run::Phase;
use friday_wire::{
    Answer, Fault, HostName, Migration, RolloutId, StepKey, StepName, StepReport, StepState,
};

use crate::scene::{Scene, answers, release};

fn pushing(hosts: usize, back: MigrationBack) -> Scene {
    let mut scene = Scene::with_hosts(hosts);
    let mut plan = scene.plan();
    plan.migration = Some(MigrationPlan {
        command: "migrate".to_owned(),
        host: HostName::new("web-1"),
        back,
        back_undeclared: false,
        stop_all: true,
        timeout_ms: 60_000,
    });
    let _ = scene.push("push", plan);
    scene
}

fn fails(step: StepName) -> friday_core::controller::input::Outcome {
    let key = StepKey { rollout: RolloutId::new("push"), step, attempt: 1 };
    let state = StepState::Failed {
        why: "it does not end".to_owned(),
        log: Vec::new(),
        fault: Fault::Release,
    };
    answers(Answer::Step(StepReport { key, state }))
}

/// Hosts whose stop is under way.
fn in_flight(scene: &Scene) -> usize {
    let push = scene.rollout("push");
    push.hosts.values().filter(|run| push.stops_all() && run.at.is_in_flight()).count()
}

fn at(scene: &Scene, word: &str) -> Vec<usize> {
    scene.asked.iter().enumerate().filter(|(_, (_, w))| *w == word).map(|(at, _)| at).collect()
}

#[test]
fn every_host_is_stopped_after_all_have_stored_that_it_begins_and_before_it_runs() {
    for back in [MigrationBack::Safe, MigrationBack::OneWay] {
        let mut scene = pushing(4, back);
        scene.run();
        assert_eq!(*scene.end("push"), End::Stable);
        let (stored, stops) = (at(&scene, "migration"), at(&scene, "stop"));
        let (runs, switches) = (at(&scene, "migrate"), at(&scene, "switch"));
        assert_eq!(stops.len(), 4);
        assert!(stored[3] < stops[0], "{:?}", scene.asked);
        assert!(stops[3] < runs[0], "{:?}", scene.asked);
        assert!(runs[0] < switches[0], "{:?}", scene.asked);
        assert_eq!(friday_core::audit::audit(&scene.journal.0).expect("it opens"), []);
    }
}

#[test]
fn all_are_ordered_at_once_whatever_the_budget() {
    let mut scene = pushing(4, MigrationBack::Safe);
    for host in ["web-1", "web-2", "web-3", "web-4"] {
        scene.wait(host, "stop");
    }
    scene.until("all are asked", |scene| in_flight(scene) == 4);
}

#[test]
fn on_a_first_push_nothing_runs_and_nothing_is_stopped() {
    let mut scene = Scene::with_hosts(2);
    for name in ["web-1", "web-2"] {
        scene.host(name).head.current = None;
        scene.host(name).head.stable = None;
    }
    let mut plan = scene.plan();
    let (command, host) = ("migrate".to_owned(), HostName::new("web-1"));
    let back = MigrationBack::Safe;
    plan.migration = Some(MigrationPlan {
        command,
        host,
        back,
        back_undeclared: false,
        stop_all: true,
        timeout_ms: 60_000,
    });
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert_eq!((scene.count_all("stop"), scene.count_all("migrate")), (0, 1));
}

#[test]
fn a_host_that_cannot_be_stopped_takes_the_push_back() {
    let mut scene = pushing(3, MigrationBack::Safe);
    scene.script("web-2", "stop", fails(StepName::Stop));
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert_eq!((scene.count_all("migrate"), scene.count_all("switch")), (0, 0));
    assert_eq!(scene.count_all("back"), 3, "the old release is started everywhere");
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn where_a_one_way_migration_began_it_holds() {
    let mut scene = pushing(3, MigrationBack::OneWay);
    scene.script("web-2", "stop", fails(StepName::Stop));
    scene.run();
    let push = scene.rollout("push");
    assert_eq!(push.phase, Phase::Held);
    assert!(push.reasons.contains(&Reason::OneWay), "{:?}", push.reasons);
    assert_eq!((scene.count_all("migrate"), scene.count_all("back")), (0, 0));
}

#[test]
fn a_failed_migration_starts_the_old_release_everywhere() {
    let mut scene = pushing(3, MigrationBack::Safe);
    scene.script("web-1", "migrate", fails(StepName::Migrate));
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert_eq!(scene.count_all("back"), 3);
}

#[test]
fn hosts_that_stay_stopped_cost_no_budget() {
    let mut scene = pushing(6, MigrationBack::OneWay);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert_eq!(scene.rollout("push").migration, Migration::Done { one_way: true });
    // All of a wave are ordered before the first of them is done.
    let events = scene.events();
    let largest = events.iter().filter_map(|event| match event {
        Event::WaveBegun { hosts, .. } => Some(hosts.len()),
        _ => None,
    });
    let largest = largest.max().expect("it had waves");
    let mut row = 0;
    let mut longest = 0;
    let waves = events.iter().skip_while(|event| !matches!(event, Event::WaveBegun { .. }));
    for event in waves {
        row = if matches!(event, Event::StepBegun { .. }) { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    assert_eq!(longest, largest);
    assert!(largest > 1, "a wave of one shows nothing");
}

#[test]
fn the_host_that_migrates_holds_for_the_shortest_time() {
    let scene = Scene::with_hosts(2);
    let (command, host) = ("migrate".to_owned(), HostName::new("web-1"));
    let back = MigrationBack::Safe;
    let plan = MigrationPlan {
        command,
        host: host.clone(),
        back,
        back_undeclared: false,
        stop_all: true,
        timeout_ms: 60_000,
    };
    let fleet = scene.fleet();
    let own = plan.hold_ms(&fleet, &host);
    assert_eq!(plan.hold_ms(&fleet, &HostName::new("web-2")), own + fleet.stop_all_ms());
    assert!(own > plan.timeout_ms + fleet.stop_all_ms());
}

#[test]
fn a_driver_that_died_while_it_stopped_hosts_stops_them_all_again() {
    let mut scene = pushing(3, MigrationBack::Safe);
    scene.wait("web-3", "stop");
    scene.until("it waits for the last", |scene| {
        scene.count_all("stop") == 2 && in_flight(scene) == 1
    });
    scene.friday_dies();
    scene.answer_again("web-3", "stop");
    let driver = scene.driver();
    let way = friday_core::controller::input::Way::Forward;
    let _ = scene.give(friday_core::controller::input::Command::Resume {
        rollout: RolloutId::new("unused"),
        driver,
        way,
    });
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let stops = |event: &&Event| matches!(event, Event::WorkBegun { work: Work::StopAll, .. });
    assert_eq!(scene.events().iter().filter(stops).count(), 2);
}
