//! Stories of a release that the fleet calls stable and one host still refuses: it became stable under a
//! higher fence than that of the entry which this host has. A person lifts it, and is told so.

use friday_core::controller::input::Command;
use friday_core::journal::event::End;
use friday_core::reason::Reason;
use friday_core::view::Chronicle;
use friday_wire::{Answer, Fence, FenceKind, HostName, Quarantined, Refusal, RolloutId, StartId};

use crate::scene::{Scene, answers, release};

const WHY: &str = "users complain";

fn quarantined() -> Reason {
    Reason::Quarantined { release: release(1), why: WHY.to_owned() }
}

/// `web-2` refuses what the others run, stable.
fn one_refuses() -> Scene {
    let mut scene = Scene::with_hosts(2);
    let fence = Fence { number: 4, start: StartId::new("a"), kind: FenceKind::Rollback };
    let entry = Quarantined { fence, tree: None, reason: WHY.to_owned(), active: true };
    let host = scene.host("web-2");
    host.head.quarantine.insert(release(1), entry);
    host.head.current = None;
    host.head.stable = None;
    let fence = Fence { number: 9, start: StartId::new("b"), kind: FenceKind::Push };
    let host = scene.host("web-1");
    host.head.stable_fence = fence.clone();
    host.head.fence = fence;
    scene
}

/// A host's own refusal of an order to go back.
fn refuses() -> Answer {
    Answer::Refused(Refusal::Quarantined { release: release(1), reason: WHY.to_owned() })
}

fn sweep(scene: &mut Scene, id: &str) {
    let (driver, fleet) = (scene.driver(), Box::new(scene.fleet()));
    let _ = scene.give(Command::Sweep { rollout: RolloutId::new(id), driver, fleet });
    scene.run();
}

#[test]
fn a_push_over_it_is_refused_with_the_way_out() {
    let mut scene = one_refuses();
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let End::Refused { reasons } = scene.end("push") else { panic!("{:?}", scene.end("push")) };
    assert_eq!(*reasons, [quarantined()]);
    assert!(reasons[0].hint().contains("`friday quarantine --lift RELEASE"), "{reasons:?}");
}

#[test]
fn lifted_it_is_told_to_the_host_and_a_sweep_puts_that_right() {
    let mut scene = one_refuses();
    let (driver, fleet) = (scene.driver(), Box::new(scene.fleet()));
    let _ = scene.give(Command::SetQuarantine {
        rollout: RolloutId::new("lift"),
        driver,
        release: release(1),
        active: false,
        reason: "it was not its fault".to_owned(),
        fleet,
    });
    scene.run();
    assert_eq!(scene.end("lift"), &End::Done);
    assert!(!scene.host("web-2").head.refuses(&release(1)));

    sweep(&mut scene, "sweep");
    assert_eq!(scene.end("sweep"), &End::Converged);
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn a_sweep_that_is_owed_for_it_says_so_and_so_does_the_push_behind_it() {
    let mut scene = Scene::with_hosts(2);
    scene.host("web-2").head.current = None;
    for _ in 0..2 {
        scene.script("web-2", "back", answers(refuses()));
    }
    sweep(&mut scene, "sweep");
    let web_2 = vec![HostName::new("web-2")];
    assert_eq!(scene.end("sweep"), &End::Owed { hosts: web_2.clone() });
    assert_eq!(*scene.rollout("sweep").reasons, [quarantined()]);
    let mut chronicle = Chronicle::default();
    for event in scene.events() {
        chronicle.take_in(scene.now, &event);
    }
    let view = chronicle.rollout(&RolloutId::new("sweep")).expect("it is told");
    assert_eq!(view.reasons(), [quarantined()]);
    assert_eq!(chronicle.owed_because(), [quarantined()]);

    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let refused = End::Refused { reasons: vec![Reason::SweepOwed { hosts: web_2 }, quarantined()] };
    assert_eq!(scene.end("push"), &refused);
}
