//! Stories of pushes that are broken off: friday dies, a person resumes, a person aborts.

use friday_core::controller::input::{Command, Outcome, Way};
use friday_core::controller::turn::Reply;
use friday_core::journal::Event;
use friday_core::journal::event::{End, Requested};
use friday_core::journal::round::RoundAsk;
use friday_core::journal::{Record, Store};
use friday_core::reason::Reason;
use friday_core::rollout::run::Phase;
use friday_wire::{Answer, Nonce, Refusal, RolloutId, StepKey, StepName, StepReport, StepState};

use crate::scene::{Scene, release};

fn begin(count: usize) -> Scene {
    let mut scene = Scene::with_hosts(count);
    let plan = scene.plan();
    assert_eq!(scene.push("push", plan), Reply::Taken);
    scene
}

fn resume(scene: &mut Scene, id: &str, way: Way) -> Reply {
    let driver = scene.driver();
    scene.give(Command::Resume { rollout: RolloutId::new(id), driver, way })
}

fn soaks(scene: &Scene) -> usize {
    scene.events().iter().filter(|event| matches!(event, Event::SoakBegun { .. })).count()
}

#[test]
fn resumed_forward_it_skips_hosts_that_are_done_and_soaks_again() {
    let mut scene = begin(3);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    assert_eq!(soaks(&scene), 1);
    scene.friday_dies();
    assert_eq!(resume(&mut scene, "unused", Way::Forward), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable);
    assert_eq!(scene.count("web-2", "switch"), 1, "it was done before");
    assert_eq!(scene.count_all("switch"), 3);
    // The soak that friday's death cut off is made from its beginning.
    assert_eq!(soaks(&scene), 2);
    assert_eq!(scene.running(), [Some(release(2))].into());
}

/// friday dies while a host switches; what that host then answers to the order to stage, and how often.
fn resumed_beside(step: StepName, times: usize) -> (Scene, String) {
    let mut scene = begin(3);
    scene.until("one switches", |scene| scene.count_all("switch") == 1);
    scene.friday_dies();
    let switching = scene.rollout("push").hosts_where(|at| at.is_in_flight());
    let host = switching[0].to_string();
    let key = StepKey { rollout: RolloutId::new("push"), step, attempt: 1 };
    let state = StepState::AwaitingConfirm { nonce: Nonce::new("n"), remaining_ms: 9_000 };
    let with = StepReport { key, state };
    for _ in 0..times {
        let busy = Answer::Refused(Refusal::Busy { with: with.clone() });
        scene.script(&host, "stage", Outcome::Answered(Box::new(busy)));
    }
    assert_eq!(resume(&mut scene, "unused", Way::Forward), Reply::Taken);
    scene.run();
    (scene, host)
}

/// The timer of the host in flight has not ended yet: nothing is wrong with the release.
#[test]
fn resumed_forward_it_waits_for_a_host_that_is_still_at_its_switch() {
    let (scene, host) = resumed_beside(StepName::Switch, 3);
    assert_eq!(scene.end("push"), &End::Stable);
    assert_eq!(scene.count(&host, "stage"), 1 + 4);
    assert_eq!(scene.count(&host, "switch"), 2);
    let resumed = |event: &Event| matches!(event, Event::Resumed { .. });
    let events = scene.events();
    let after = events.iter().position(resumed).expect("it was resumed");
    let orders = events[after..].iter().filter_map(|event| match event {
        Event::StepBegun { host, .. } => Some(host.to_string()),
        _ => None,
    });
    assert_eq!(orders.into_iter().next(), Some(host), "the host it waited for is switched first");
}

/// It is bounded: a host that never comes to the end of its switch fails.
#[test]
fn resumed_forward_it_does_not_wait_for_ever() {
    let (scene, host) = resumed_beside(StepName::Switch, 1_000);
    let failed = |event: &Event| matches!(event, Event::HostFailed { host: other, .. } if other.as_str() == host);
    assert!(scene.events().iter().any(failed));
    assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
    // It was asked each second, for as long as the plan's clocks give a switch and its undo.
    let asked = u64::try_from(scene.count(&host, "stage")).expect("a number");
    let clocks = scene.fleet().clocks;
    let least_s = (clocks.confirm_ms + 2 * clocks.first_deadline_ms()) / 1_000;
    assert!((least_s..least_s + 60).contains(&asked), "asked {asked} times, not {least_s}");
}

#[test]
fn resumed_back_it_is_taken_back() {
    let mut scene = begin(3);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    scene.friday_dies();
    assert_eq!(resume(&mut scene, "back", Way::Back), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::TakenBack { by: RolloutId::new("back") });
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn nothing_is_owed_by_a_driver_that_is_gone_and_nothing_else_is_pushed() {
    let mut scene = begin(3);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    scene.friday_dies();
    let plan = scene.plan();
    let Reply::Refused(reasons) = scene.push("another", plan) else { panic!("it was taken") };
    let open = |reason: &Reason| matches!(reason, Reason::RolloutOpen { rollout, .. } if rollout.as_str() == "push");
    assert!(reasons.iter().any(open), "{reasons:?}");
    assert!(reasons.contains(&Reason::DriverGone), "{reasons:?}");
}

#[test]
fn what_left_nothing_on_hosts_is_dropped_by_the_next_push() {
    let mut scene = begin(2);
    scene.until("it reads", |scene| scene.count_all("read") == 1);
    scene.friday_dies();
    let plan = scene.plan();
    assert_eq!(scene.push("another", plan), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::Dropped);
    assert_eq!(scene.end("another"), &End::Stable);
}

#[test]
fn a_push_that_a_host_was_not_told_of_stays_open_while_that_host_is_silent() {
    let mut scene = Scene::with_hosts(2);
    let full = || Outcome::Failed { why: "No space left on device".to_owned() };
    scene.script("web-2", "close", full());
    let plan = scene.plan();
    assert_eq!(scene.push("push", plan), Reply::Taken);
    scene.until("it is held", |scene| scene.rollout("push").phase == Phase::Held);
    scene.friday_dies();
    for look in ["silent", "heard"] {
        if look == "silent" {
            scene.script("web-2", "read", full());
        }
        let (driver, fleet) = (scene.driver(), Box::new(scene.fleet()));
        let rollout = RolloutId::new(look);
        assert_eq!(scene.give(Command::Look { rollout, driver, fleet }), Reply::Taken);
        scene.run();
        assert_eq!(scene.end(look), &End::Done);
        assert_eq!(scene.rollout("push").phase, Phase::Held, "{look}");
    }
    assert_eq!(resume(&mut scene, "unused", Way::Forward), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::Stable);
    assert!(scene.hosts.values().all(|host| host.head.rollout.is_none()));
}

#[test]
fn nothing_is_resumed_where_nothing_is_open() {
    let mut scene = begin(2);
    scene.run();
    for way in [Way::Forward, Way::Back] {
        let reply = resume(&mut scene, "unused", way);
        assert!(
            matches!(&reply, Reply::Refused(reasons) if matches!(reasons[..], [Reason::NothingToDo { .. }])),
            "{reply:?}"
        );
    }
}

fn abort(scene: &mut Scene) -> Reply {
    let (person, reason) = ("bela".to_owned(), "wrong branch".to_owned());
    scene.give(Command::Abort { rollout: RolloutId::new("aborted"), person, reason })
}

#[test]
fn aborted_before_any_switch_it_is_only_put_away() {
    let mut scene = begin(3);
    scene.wait("web-3", "stage");
    scene.until("the others are staged", |scene| scene.count_all("stage") == 2);
    assert_eq!(abort(&mut scene), Reply::Taken);
    scene.run();
    let asked = Reason::Asked { person: "bela".to_owned(), reason: "wrong branch".to_owned() };
    assert_eq!(scene.end("push"), &End::NotSwitched { reasons: vec![asked] });
    assert_eq!(scene.count_all("switch") + scene.count_all("back"), 0);
    let last: Vec<RoundAsk> = scene.rounds("push").into_iter().rev().take(2).collect();
    assert_eq!(last, [RoundAsk::Release, RoundAsk::Close]);
    assert!(scene.hosts.values().all(|host| host.head.rollout.is_none()));
}

#[test]
fn aborted_after_a_switch_it_goes_back() {
    let mut scene = begin(3);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    assert_eq!(abort(&mut scene), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("push"), &End::TakenBack { by: RolloutId::new("aborted") });
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn what_has_baked_is_not_aborted() {
    for word in ["close", "hook"] {
        let mut scene = Scene::with_hosts(2);
        let mut plan = scene.plan();
        plan.hooks.after = Some("announce".to_owned());
        plan.hooks.timeout_ms = 60_000;
        let host = if word == "hook" { "" } else { "web-2" };
        scene.wait(host, word);
        let _ = scene.push("push", plan);
        scene.until("it ends stable", |scene| {
            let phase = scene.rollout("push").phase.name();
            phase == "hook after" || (word == "close" && scene.count("web-1", "close") == 1)
        });
        let reply = abort(&mut scene);
        assert!(
            matches!(&reply, Reply::Refused(reasons) if matches!(reasons[..], [Reason::NothingToDo { .. }])),
            "{word}: {reply:?}"
        );
        scene.answer_again(host, word);
        scene.run();
        assert_eq!(scene.end("push"), &End::Stable, "{word}");
    }
}

#[test]
fn aborted_twice_it_is_put_away_once() {
    let mut scene = begin(3);
    scene.wait("web-3", "stage");
    scene.until("the others are staged", |scene| scene.count_all("stage") == 2);
    assert_eq!(abort(&mut scene), Reply::Taken);
    assert_eq!(abort(&mut scene), Reply::Taken);
    scene.run();
    let closes = scene.rounds("push").into_iter().filter(|ask| *ask == RoundAsk::Close).count();
    assert_eq!(closes, 1);
}

#[test]
fn what_another_process_asks_for_is_taken_up_by_the_driver() {
    let mut scene = begin(3);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    let event = Event::Requested {
        rollout: RolloutId::new("asked"),
        person: "bela".to_owned(),
        request: Requested::Abort { reason: "wrong branch".to_owned() },
    };
    let position = scene.controller.position().clone();
    let record = Record::after(&position, scene.now, &event);
    scene.journal.append(&position, std::slice::from_ref(&record)).expect("it is the last");
    scene.controller.take_in(&[record]).expect("it follows");
    scene.run();
    // It was noticed when the driver woke at the latest; nothing further was switched.
    assert_eq!(scene.count_all("switch"), 1);
    assert_eq!(scene.end("push"), &End::TakenBack { by: RolloutId::new("asked") });
}
