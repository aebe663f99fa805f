//! Stories of pushes that a person, or the end of a terminal, holds where they are.

use friday_core::controller::input::{Command, Way};
use friday_core::controller::turn::Reply;
use friday_core::journal::Event;
use friday_core::journal::event::End;
use friday_core::journal::intent::Intent;
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, MigrationPlan};
use friday_core::rollout::run::Phase;
use friday_wire::{HostName, RolloutId};

use crate::scene::{Scene, release};

fn begin(count: usize) -> Scene {
    let mut scene = Scene::with_hosts(count);
    let plan = scene.plan();
    assert_eq!(scene.push("push", plan), Reply::Taken);
    scene
}

fn hold(scene: &mut Scene) -> Reply {
    let (person, reason) = ("anna".to_owned(), "the terminal was closed".to_owned());
    scene.give(Command::Hold { rollout: RolloutId::new("hold"), person, reason })
}

fn held_by() -> Reason {
    Reason::HeldBy { person: "anna".to_owned(), reason: "the terminal was closed".to_owned() }
}

fn in_flight(scene: &Scene, host: &str) -> bool {
    scene.rollout("push").hosts[&HostName::new(host)].at.is_in_flight()
}

fn orders(scene: &Scene) -> usize {
    scene.events().iter().filter(|event| matches!(event, Event::StepBegun { .. })).count()
}

fn resume(scene: &mut Scene, way: Way) {
    let driver = scene.driver();
    let reply = scene.give(Command::Resume { rollout: RolloutId::new("back"), driver, way });
    assert_eq!(reply, Reply::Taken);
}

#[test]
fn a_host_in_flight_finishes_none_starts_and_then_it_is_held() {
    let mut scene = begin(4);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    scene.wait("web-1", "switch");
    scene.until("the second wave is at work", |scene| in_flight(scene, "web-1"));
    let before = orders(&scene);
    assert_eq!(hold(&mut scene), Reply::Taken);
    assert_eq!(scene.rollout("push").phase, Phase::Wave, "a host is in flight");
    scene.answer_again("web-1", "switch");
    scene.run();
    let push = scene.rollout("push");
    assert_eq!((&push.phase, &*push.reasons), (&Phase::Held, &vec![held_by()]));
    assert_eq!(orders(&scene), before, "none started any more");
    resume(&mut scene, Way::Forward);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable, "who goes on does not want it held");
}

#[test]
fn in_soak_and_bake_it_is_held_at_once() {
    for bakes in [false, true] {
        let mut scene = begin(2);
        scene.until("it watches", |scene| match scene.rollout("push").phase {
            Phase::Soak { .. } => !bakes,
            Phase::Bake { .. } => bakes,
            _ => false,
        });
        assert_eq!(hold(&mut scene), Reply::Taken);
        assert_eq!(scene.rollout("push").phase, Phase::Held);
        assert_eq!(scene.count_all("back"), 0);
    }
}

#[test]
fn before_the_first_switch_it_is_put_away() {
    let mut scene = begin(3);
    scene.wait("web-3", "stage");
    scene.until("the others are staged", |scene| scene.count_all("stage") == 2);
    assert_eq!(hold(&mut scene), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::NotSwitched { reasons: vec![held_by()] });
    assert!(scene.hosts.values().all(|host| host.head.rollout.is_none()));
}

#[test]
fn a_migration_ends_before_it_is_held() {
    let mut scene = Scene::with_hosts(2);
    let mut plan = scene.plan();
    plan.migration = Some(MigrationPlan {
        command: "migrate".to_owned(),
        host: HostName::new("web-1"),
        back: MigrationBack::Safe,
        back_undeclared: false,
        stop_all: false,
        timeout_ms: 60_000,
    });
    scene.wait("web-1", "migrate");
    let _ = scene.push("push", plan);
    scene.until("it migrates", |scene| scene.rollout("push").phase.name() == "migrating");
    assert_eq!(hold(&mut scene), Reply::Taken);
    assert_eq!(scene.rollout("push").phase.name(), "migrating");
    scene.answer_again("web-1", "migrate");
    scene.run();
    assert_eq!(scene.rollout("push").phase, Phase::Held);
    assert_eq!((scene.count_all("migrate"), scene.count_all("switch")), (1, 0));
}

#[test]
fn an_abort_does_not_wait_for_a_hold() {
    let mut scene = begin(4);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    scene.wait("web-1", "switch");
    scene.until("the second wave is at work", |scene| in_flight(scene, "web-1"));
    assert_eq!(hold(&mut scene), Reply::Taken);
    let (person, reason) = ("bela".to_owned(), "wrong branch".to_owned());
    let abort = Command::Abort { rollout: RolloutId::new("aborted"), person, reason };
    assert_eq!(scene.give(abort), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::TakenBack { by: RolloutId::new("aborted") });
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn what_goes_back_or_does_not_run_is_not_held() {
    let mut scene = begin(2);
    scene.run();
    assert!(matches!(hold(&mut scene), Reply::Refused(_)));
}

#[test]
fn resumed_back_it_quarantines_nothing_for_it_has_shown_no_harm() {
    let mut scene = begin(2);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    assert_eq!(hold(&mut scene), Reply::Taken);
    resume(&mut scene, Way::Back);
    scene.run();
    let begun = scene.events().into_iter().find_map(|event| match event {
        Event::RolloutBegun { rollout, intent, .. } if rollout.as_str() == "back" => Some(intent),
        _ => None,
    });
    let intent = begun.expect("it went back");
    assert!(matches!(*intent, Intent::Rollback { quarantine: false, .. }), "{intent:?}");
    assert_eq!(scene.running(), [Some(release(1))].into());
}
