//! Stories of rollbacks: over whom they raise, to whom they yield, and what they leave.

use friday_core::controller::input::{BackTo, Command, Outcome};
use friday_core::journal::Event;
use friday_core::journal::event::End;
use friday_core::reason::Reason;
use friday_core::rollout::run::Phase;
use friday_wire::{
    Answer, Fence, FenceKind, HostName, Lock, Migration, OpenRollout, Refusal, RolloutId,
    RolloutKind, Stamped, StartId,
};

use crate::scene::{Scene, answers, release};

fn rolls_back(scene: &mut Scene, id: &str, to: BackTo) {
    let driver = scene.driver();
    let fleet = Box::new(scene.fleet());
    let (rollout, reason) = (RolloutId::new(id), "orders are lost".to_owned());
    let command =
        Command::Rollback { rollout, driver, to, now: false, quarantine: true, reason, fleet };
    let _ = scene.give(command);
}

/// Release 2 is stable on every host, and release 1 was before.
fn pushed_once(count: usize) -> Scene {
    let mut scene = Scene::with_hosts(count);
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable);
    scene
}

fn fenced(number: u64, kind: FenceKind) -> Outcome {
    let highest = Fence { number, start: StartId::new("other"), kind };
    answers(Answer::Refused(Refusal::Fenced { highest }))
}

fn fences(scene: &Scene, id: &str) -> Vec<u64> {
    let of = |event: &Event| match event {
        Event::FenceChosen { rollout, fence } if rollout.as_str() == id => Some(fence.number),
        _ => None,
    };
    scene.events().iter().filter_map(of).collect()
}

#[test]
fn a_rollback_takes_the_stable_release_off_everywhere_and_quarantines_it() {
    let mut scene = pushed_once(3);
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.end("back"), &End::Converged);
    assert_eq!(scene.running(), [Some(release(1))].into());
    assert!(scene.hosts.values().all(|host| host.head.refuses(&release(2))));
    assert_eq!(scene.controller.state().stable, Some(Some(release(1))));
}

#[test]
fn a_rollback_looks_only_where_an_older_host_did_not_tell() {
    use friday_core::journal::round::RoundAsk::{Close, Look, Observe, Open, Raise, Read, Release};
    let mut scene = pushed_once(3);
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.rounds("back"), [Read, Raise, Open, Observe, Close, Release]);
    let mut scene = pushed_once(3);
    scene.host("web-2").wire = friday_wire::WIRE_VERSION_MIN;
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.rounds("back"), [Read, Raise, Open, Look, Observe, Close, Release]);
    assert_eq!(scene.end("back"), &End::Converged);
}

#[test]
fn healthy_hosts_go_back_within_the_budget_and_sick_ones_at_once() {
    let mut scene = pushed_once(9);
    for host in 1..=9 {
        scene.wait(&format!("web-{host}"), "back");
    }
    scene.host("web-8").sick = Some("503".to_owned());
    scene.host("web-9").sick = Some("503".to_owned());
    rolls_back(&mut scene, "back", BackTo::LastStable);
    let in_flight = |scene: &Scene| {
        let run = |run: &&friday_core::rollout::run::HostRun| run.at.is_in_flight();
        scene.rollout("back").hosts.values().filter(run).count()
    };
    scene.until("the first go back", |scene| in_flight(scene) > 0);
    let at_once: Vec<String> = scene
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::StepBegun { rollout, host, at_once: true, .. } if rollout.as_str() == "back" => {
                Some(host.to_string())
            }
            _ => None,
        })
        .collect();
    assert_eq!(at_once, ["web-8", "web-9"]);
    // Half of the seven healthy ones, beside the two that cost nobody anything.
    assert_eq!(in_flight(&scene), 3 + 2);
    for host in 1..=9 {
        scene.host(&format!("web-{host}")).sick = None;
        scene.answer_again(&format!("web-{host}"), "back");
    }
    scene.run();
    assert_eq!(scene.end("back"), &End::Converged);
}

#[test]
fn a_rollback_needs_neither_lock_nor_lease() {
    let mut scene = pushed_once(2);
    let lock = Lock { person: "bela".to_owned(), reason: "inventory".to_owned(), at_ms: 0 };
    for host in scene.hosts.values_mut() {
        let fence = host.head.fence.clone();
        host.head.lock = Some(Stamped { fence, value: Some(lock.clone()) });
    }
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.end("back"), &End::Converged);
}

#[test]
fn a_rollback_raises_again_over_a_push_and_over_a_sweep() {
    for kind in [FenceKind::Push, FenceKind::Sweep] {
        let mut scene = pushed_once(3);
        scene.script("web-3", "raise", fenced(40, kind));
        rolls_back(&mut scene, "back", BackTo::LastStable);
        scene.run();
        assert_eq!(fences(&scene, "back").last(), Some(&41), "{kind}");
        assert_eq!(fences(&scene, "back").len(), 2, "{kind}");
        assert_eq!(scene.end("back"), &End::Converged, "{kind}");
    }
}

#[test]
fn a_rollback_fenced_off_by_a_push_in_its_midst_raises_again() {
    let mut scene = pushed_once(3);
    scene.script("web-2", "back", fenced(40, FenceKind::Push));
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(fences(&scene, "back").last(), Some(&41));
    assert_eq!(scene.end("back"), &End::Converged);
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn a_rollback_yields_to_a_higher_rollback() {
    for word in ["raise", "open", "back", "observe"] {
        let mut scene = pushed_once(3);
        let before = scene.count("web-3", "observe");
        scene.script("web-3", word, fenced(40, FenceKind::Rollback));
        rolls_back(&mut scene, "back", BackTo::LastStable);
        scene.run();
        assert!(
            matches!(scene.end("back"), End::Fenced { by } if by.number == 40),
            "{word}: {:?}",
            scene.end("back")
        );
        assert_eq!(fences(&scene, "back").len(), 1, "{word}");
        assert!(before <= scene.count("web-3", "observe"));
    }
}

/// A push of release 2 that another laptop has taken back, or finished, in the meantime.
#[test]
fn a_rollback_of_a_push_that_is_no_longer_open_ends_without_touching_a_host() {
    let mut scene = Scene::with_hosts(3);
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    let fence = Fence { number: 30, start: StartId::new("other"), kind: FenceKind::Rollback };
    for host in scene.hosts.values_mut() {
        host.head.fence = fence.clone();
        host.head.rollout = None;
        let value = RolloutId::new("push");
        host.head.closed = Some(Stamped { fence: fence.clone(), value });
        host.head.current = Some(release(1));
    }
    scene.friday_dies();
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert!(matches!(scene.end("back"), End::Fenced { .. }), "{:?}", scene.end("back"));
    assert!(matches!(scene.end("push"), End::Fenced { .. }), "{:?}", scene.end("push"));
    assert_eq!(scene.count_all("back"), 0);
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn a_foreign_push_is_taken_back_from_what_the_heads_say() {
    let mut scene = Scene::with_hosts(3);
    let fence = Fence { number: 5, start: StartId::new("other"), kind: FenceKind::Push };
    for host in scene.hosts.values_mut() {
        let value = OpenRollout {
            id: RolloutId::new("theirs"),
            kind: RolloutKind::Push,
            release: Some(release(2)),
            returns_to: Some(release(1)),
            leaves: None,
            migration: Migration::NotBegun,
        };
        host.head.fence = fence.clone();
        host.head.rollout = Some(Stamped { fence: fence.clone(), value });
    }
    scene.host("web-2").head.current = Some(release(2));
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.end("back"), &End::Converged);
    assert_eq!(scene.running(), [Some(release(1))].into());
    // Also hosts on the target are told, with the quarantine.
    assert_eq!(scene.count_all("back"), 3);
    assert!(scene.hosts.values().all(|host| host.head.refuses(&release(2))));
}

#[test]
fn hosts_that_do_not_answer_are_owed_a_sweep_and_the_others_go_back() {
    let mut scene = pushed_once(3);
    scene.cut("web-3");
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    let web_3 = HostName::new("web-3");
    assert_eq!(scene.end("back"), &End::Owed { hosts: vec![web_3.clone()] });
    assert_eq!(*scene.controller.state().owed_sweep, [web_3].into());
    assert_eq!(scene.host("web-1").head.current, Some(release(1)));
    assert_eq!(scene.host("web-2").head.current, Some(release(1)));
}

#[test]
fn there_is_no_way_back_to_a_quarantined_release_or_one_that_nobody_holds() {
    let mut scene = pushed_once(2);
    rolls_back(&mut scene, "nowhere", BackTo::Release { release: release(7) });
    scene.run();
    let End::Refused { reasons } = scene.end("nowhere") else { panic!("it was not refused") };
    assert!(matches!(reasons[..], [Reason::NotHeld { .. }]), "{reasons:?}");

    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.end("back"), &End::Converged);
    rolls_back(&mut scene, "forth", BackTo::Release { release: release(2) });
    scene.run();
    let End::Refused { reasons } = scene.end("forth") else { panic!("it was not refused") };
    assert!(matches!(reasons[..], [Reason::Quarantined { .. }]), "{reasons:?}");
}

#[test]
fn an_order_nobody_knows_of_is_looked_at_and_given_again() {
    let mut scene = pushed_once(2);
    scene.script("web-2", "back", Outcome::Unknown { why: "the connection broke".to_owned() });
    rolls_back(&mut scene, "back", BackTo::LastStable);
    scene.run();
    assert_eq!(scene.count("web-2", "look"), 1);
    assert_eq!(scene.count("web-2", "back"), 2);
    assert_eq!(scene.end("back"), &End::Converged);
}
