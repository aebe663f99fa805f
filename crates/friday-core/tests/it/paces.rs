//! How long a push is likely to take, from the journals of told stories.

use friday_core::controller::input::{Command, Way};
use friday_core::journal::event::End;
use friday_core::rollout::run::Phase;
use friday_core::view::Paces;
use friday_wire::RolloutId;

use crate::scene::Scene;

fn paces(scene: &Scene) -> Paces {
    let mut paces = Paces::default();
    for record in &scene.journal.0 {
        paces.take_in(record.at, &record.event().expect("an event parses"));
    }
    paces
}

fn pushed(scene: &mut Scene, id: &str) {
    let plan = scene.plan();
    let _ = scene.push(id, plan);
    scene.run();
    assert_eq!(*scene.end(id), End::Stable);
}

#[test]
fn without_a_push_only_the_waiting_is_known() {
    let scene = Scene::with_hosts(3);
    let estimate = paces(&scene).estimate(&scene.plan());
    // One soak of 30 s and a bake of 60 s.
    assert_eq!((estimate.waiting_ms, estimate.likely), (90_000, None));
}

#[test]
fn what_a_push_took_is_what_the_next_one_like_it_will_take() {
    let mut scene = Scene::with_hosts(3);
    let from = scene.now;
    pushed(&mut scene, "push");
    let took = scene.now.since_ms(from);
    let likely = paces(&scene).estimate(&scene.plan()).likely.expect("one became stable");
    assert_eq!(
        (likely.pushes, likely.from_ms, likely.to_ms),
        (1, likely.about_ms, likely.about_ms)
    );
    let apart = likely.about_ms.abs_diff(took);
    assert!(apart <= took / 5, "{likely:?} is far from {took} ms");
    let mut longer = scene.plan();
    longer.bake_ms += 600_000;
    let then = paces(&scene).estimate(&longer).likely.expect("as before");
    assert_eq!(then.about_ms, likely.about_ms + 600_000);
}

#[test]
fn more_hosts_in_a_wave_take_more_turns() {
    let mut scene = Scene::with_hosts(3);
    pushed(&mut scene, "push");
    let mut larger = Scene::with_hosts(9).plan();
    larger.fleet.out_at_once_percent = 1;
    let paces = paces(&scene);
    let few = paces.estimate(&scene.plan()).likely.expect("known");
    let many = paces.estimate(&larger).likely.expect("known");
    assert!(many.about_ms >= few.about_ms, "{many:?} {few:?}");
}

#[test]
fn only_the_last_pushes_count_and_none_that_stopped() {
    let mut scene = Scene::with_hosts(2);
    for number in 0..7 {
        pushed(&mut scene, &format!("push-{number}"));
    }
    assert_eq!(paces(&scene).estimate(&scene.plan()).likely.expect("known").pushes, 5);

    let mut held = Scene::with_hosts(2);
    let plan = held.plan();
    let _ = held.push("push", plan);
    held.until("it bakes", |scene| matches!(scene.rollout("push").phase, Phase::Bake { .. }));
    let (person, reason) = ("anna".to_owned(), "lunch".to_owned());
    let _ = held.give(Command::Hold { rollout: RolloutId::new("hold"), person, reason });
    let driver = held.driver();
    let rollout = RolloutId::new("unused");
    let _ = held.give(Command::Resume { rollout, driver, way: Way::Forward });
    held.run();
    assert_eq!(*held.end("push"), End::Stable);
    assert_eq!(paces(&held).estimate(&held.plan()).likely, None);
}
