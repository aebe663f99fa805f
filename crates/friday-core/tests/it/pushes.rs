//! Stories of pushes: what is asked when, and what stops one.

use std::collections::BTreeSet;

use friday_core::controller::input::Outcome;
use friday_core::controller::turn::Reply;
use friday_core::journal::Event;
use friday_core::journal::event::End;
use friday_core::journal::intent::Intent;
use friday_core::journal::round::RoundAsk;
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, MigrationPlan};
use friday_core::rollout::run::{HostState, Phase};
use friday_wire::{
    Answer, Digest, Fault, Fence, FenceKind, HostName, Lease, Lock, Migration, Quarantined,
    Refusal, Stamped, StartId, StepKey, StepName, StepReport, StepState, TreeId,
};

use crate::scene::{Scene, answers, release};

fn unknown() -> Outcome {
    Outcome::Unknown { why: "the connection broke".to_owned() }
}

fn failed(rollout: &str, why: &str) -> Outcome {
    let key = key(rollout, 1);
    let state = StepState::Failed {
        why: why.to_owned(),
        log: vec!["panicked".to_owned()],
        fault: Fault::Release,
    };
    answers(Answer::Step(StepReport { key, state }))
}

fn key(rollout: &str, attempt: u32) -> StepKey {
    let rollout = friday_wire::RolloutId::new(rollout);
    StepKey { rollout, step: StepName::Switch, attempt }
}

fn refused(end: &End) -> &[Reason] {
    match end {
        End::Refused { reasons } => reasons,
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[test]
fn a_push_asks_its_rounds_in_order_and_ends_stable() {
    let mut scene = Scene::with_hosts(3);
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(
        scene.rounds("push"),
        [
            RoundAsk::Read,
            RoundAsk::Raise,
            RoundAsk::Open,
            RoundAsk::Ship,
            RoundAsk::Stage,
            RoundAsk::RaiseWave,
            RoundAsk::RaiseWave,
            RoundAsk::Observe,
            RoundAsk::Close,
            RoundAsk::Release,
        ]
    );
    assert_eq!(scene.end("push"), &End::Stable);
    assert_eq!(scene.running(), [Some(release(2))].into());
    // Nothing is shipped to a host that was not asked before, and each is switched once.
    let of = |word: &str| scene.asked.iter().position(|(_, asked)| *asked == word);
    assert!(of("open") < of("ship") && of("stage") < of("switch"));
    assert_eq!(scene.count_all("switch"), 3);
    assert_eq!(scene.controller.state().stable, Some(Some(release(2))));
    assert_eq!(scene.controller.state().previous_stable, Some(release(1)));
}

#[test]
fn waves_are_switched_within_the_budget_and_soak_between() {
    let mut scene = Scene::with_hosts(9);
    let plan = scene.plan();
    for host in 1..=9 {
        scene.wait(&format!("web-{host}"), "confirm");
    }
    let in_flight = |scene: &Scene| {
        scene.rollout("push").hosts.values().filter(|run| run.at.is_in_flight()).count()
    };
    let _ = scene.push("push", plan);
    scene.until("the first wave waits", |scene| scene.count("web-2", "watch") == 1);
    assert_eq!(in_flight(&scene), 1);
    assert_eq!(scene.count_all("switch"), 1);
    scene.answer_again("web-2", "confirm");
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    let soaks_from = scene.now;
    assert_eq!(scene.count_all("switch"), 1, "nothing is switched before the soak is over");
    // Half of nine: four at a time.
    let mut most = 0;
    for host in [1, 3, 4, 5, 6, 7, 8, 9] {
        let name = format!("web-{host}");
        scene.until("the next host waits for its confirm", |scene| {
            scene.asked.iter().any(|(asked, word)| *asked == name && *word == "watch")
        });
        most = most.max(in_flight(&scene));
        assert!(in_flight(&scene) <= 4, "{}", in_flight(&scene));
        scene.answer_again(&name, "confirm");
    }
    assert_eq!(most, 4);
    scene.run();
    assert!(scene.now.since_ms(soaks_from) >= 30_000 + 60_000);
    assert_eq!(scene.end("push"), &End::Stable);
}

#[test]
fn a_refused_lease_refuses_the_push_and_nothing_is_opened() {
    refused_for_a_lease_on("web-1");
}

#[test]
fn a_lease_that_lives_on_a_former_keeper_refuses_the_push_too() {
    refused_for_a_lease_on("web-2");
}

fn refused_for_a_lease_on(host: &str) {
    let mut scene = Scene::with_hosts(3);
    let lease = Lease {
        start: StartId::new("other"),
        holder: "bela@desk".to_owned(),
        remaining_ms: 41_500,
    };
    scene.script(host, "raise", answers(Answer::Refused(Refusal::Leased { lease })));
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let held_by_bela = Reason::Leased { holder: "bela@desk".to_owned(), remaining_secs: 42 };
    assert_eq!(refused(scene.end("push")), [held_by_bela]);
    assert_eq!(scene.count_all("open") + scene.count_all("ship") + scene.count_all("switch"), 0);
}

#[test]
fn a_host_that_was_not_told_of_the_unlock_refuses_the_push_before_it_begins() {
    let mut scene = Scene::with_hosts(2);
    let lock = Lock { person: "bela".to_owned(), reason: "inventory".to_owned(), at_ms: 0 };
    scene.host("web-2").head.lock = Some(Stamped { fence: Fence::zero(), value: Some(lock) });
    let later = Fence { number: 1, ..Fence::zero() };
    scene.host("web-1").head.lock = Some(Stamped { fence: later, value: None });
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let locked = Reason::Locked { person: "bela".to_owned(), reason: "inventory".to_owned() };
    assert_eq!(refused(scene.end("push")), [locked]);
    assert_eq!(scene.count_all("open"), 0);
}

#[test]
fn a_lock_refuses_the_push_and_gives_the_lease_back() {
    let mut scene = Scene::with_hosts(2);
    let lock = Lock { person: "bela".to_owned(), reason: "inventory".to_owned(), at_ms: 0 };
    scene.host("web-2").head.lock = Some(Stamped { fence: Fence::zero(), value: Some(lock) });
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let locked = Reason::Locked { person: "bela".to_owned(), reason: "inventory".to_owned() };
    assert_eq!(refused(scene.end("push")), [locked]);
    assert_eq!(scene.count_all("open"), 0);
    assert_eq!(scene.count("web-1", "release"), 1);
}

/// The same files under another identity, quarantined on one host.
fn with_quarantined_tree(scene: &mut Scene) {
    let entry = Quarantined {
        fence: Fence::zero(),
        tree: Some(TreeId(Digest([102; 32]))),
        reason: "it lost orders".to_owned(),
        active: true,
    };
    for host in scene.hosts.values_mut() {
        host.head.quarantine.insert(release(9), entry.clone());
    }
}

#[test]
fn quarantined_files_are_refused_until_a_person_names_the_fix() {
    let mut scene = Scene::with_hosts(2);
    with_quarantined_tree(&mut scene);
    let plan = scene.plan();
    let _ = scene.push("push", plan.clone());
    scene.run();
    let reasons = refused(scene.end("push"));
    assert!(
        matches!(reasons, [Reason::Quarantined { release: found, .. }] if *found == release(9)),
        "{reasons:?}"
    );
    assert_eq!(scene.count_all("open"), 0);

    let mut fixed = plan;
    fixed.quarantine_override = Some("the index was rebuilt".to_owned());
    let _ = scene.push("again", fixed);
    scene.run();
    assert_eq!(scene.end("again"), &End::Stable);
}

#[test]
fn a_quarantined_release_is_refused_whatever_a_person_says() {
    let mut scene = Scene::with_hosts(2);
    let (fence, reason) = (Fence::zero(), "it lost orders".to_owned());
    for host in scene.hosts.values_mut() {
        let entry =
            Quarantined { fence: fence.clone(), tree: None, reason: reason.clone(), active: true };
        host.head.quarantine.insert(release(2), entry);
    }
    let mut plan = scene.plan();
    plan.quarantine_override = Some("trust me".to_owned());
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(
        refused(scene.end("push")),
        [Reason::Quarantined { release: release(2), why: reason }]
    );
}

#[test]
fn a_switch_nobody_knows_of_is_looked_at_with_a_seal_before_anything_else() {
    let mut scene = Scene::with_hosts(3);
    scene.script("web-2", "switch", unknown());
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.until("the order has no answer", |scene| scene.count("web-2", "switch") == 1);
    let at = scene.asked.len();
    let run = &scene.rollout("push").hosts[&HostName::new("web-2")];
    assert!(matches!(run.at, HostState::Looking { .. }), "{:?}", run.at);
    scene.run();
    let then: Vec<&str> = scene.asked[at..]
        .iter()
        .filter(|(host, _)| host == "web-2")
        .map(|(_, word)| *word)
        .take(3)
        .collect();
    // It had not arrived: the look sealed it, and a second attempt is ordered.
    assert_eq!(then, ["look", "switch", "watch"]);
    assert_eq!(scene.rollout("push").hosts[&HostName::new("web-2")].attempts, 2);
    assert_eq!(scene.end("push"), &End::Stable);
}

#[test]
fn a_switch_that_did_arrive_is_not_ordered_twice() {
    let mut scene = Scene::with_hosts(3);
    scene.script("web-2", "switch", unknown());
    let nonce = friday_wire::Nonce::new("n");
    let state = StepState::AwaitingConfirm { nonce, remaining_ms: 20_000 };
    let mut seen = scene.host("web-2").observation();
    seen.last = Some(StepReport { key: key("push", 1), state });
    scene.script("web-2", "look", answers(Answer::Observed(Box::new(seen))));
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.until("it is confirmed", |scene| scene.count("web-2", "confirm") == 1);
    assert_eq!(scene.count("web-2", "switch"), 1);
    assert_eq!(scene.count("web-2", "look"), 1);
}

#[test]
fn a_host_that_cannot_be_reached_stops_a_small_push_before_its_first_effect() {
    let mut scene = Scene::with_hosts(3);
    scene.cut("web-3");
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let End::Unreachable { reasons } = scene.end("push") else {
        panic!("{:?}", scene.end("push"));
    };
    assert!(
        matches!(&reasons[..], [Reason::Unreachable { host, .. }] if host.as_str() == "web-3"),
        "{reasons:?}"
    );
    assert_eq!(scene.count_all("open"), 0);
}

#[test]
fn a_host_that_cannot_be_reached_in_a_wave_counts_as_failed() {
    let mut scene = Scene::with_hosts(3);
    for _ in 0..3 {
        let why = "connection refused".to_owned();
        scene.script("web-2", "switch", Outcome::Failed { why });
    }
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    // Orders that were certainly not sent are given again, three times in all.
    assert_eq!(scene.count("web-2", "switch"), 3);
    assert_eq!(scene.count("web-1", "switch") + scene.count("web-3", "switch"), 0);
    let by = friday_wire::RolloutId::new("push-back1");
    assert_eq!(scene.end("push"), &End::TakenBack { by });
    assert_eq!(scene.running(), [Some(release(1))].into());
}

fn hindered(rollout: &str) -> Outcome {
    let why = "starting: port 8000 is taken by `nginx` (pid 712)".to_owned();
    let state = StepState::Failed { why, log: Vec::new(), fault: Fault::Host };
    answers(Answer::Step(StepReport { key: key(rollout, 1), state }))
}

/// Another program has the port: that says nothing against the release.
#[test]
fn what_fails_by_a_hosts_own_fault_is_taken_back_and_not_quarantined() {
    let mut scene = Scene::with_hosts(3);
    scene.script("web-1", "switch", hindered("push"));
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert_eq!(scene.running(), [Some(release(1))].into());
    assert!(scene.hosts.values().all(|host| !host.head.refuses(&release(2))));
    assert!(scene.controller.state().quarantine.is_empty());
    let back = scene.rollout("push-back1");
    let Intent::Rollback { quarantine: false, reason, .. } = &*back.intent else {
        panic!("{:?}", back.intent);
    };
    let why = "starting: port 8000 is taken by `nginx` (pid 712)";
    assert_eq!(*reason, format!("not the release's fault: `web-1` failed: {why}"));
    let plan = scene.plan();
    assert_eq!(scene.push("again", plan), Reply::Taken);
    scene.run();
    assert_eq!(scene.end("again"), &End::Stable);
}

/// Where a failure is tolerated: one of those that failed is enough to hold it against the release.
#[test]
fn where_one_of_the_failures_is_the_releases_it_is_quarantined() {
    let mut scene = Scene::with_hosts(24);
    scene.script("web-1", "switch", hindered("push"));
    scene.script("web-3", "switch", failed("push", "exited"));
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert!(scene.hosts.values().all(|host| host.head.refuses(&release(2))));
    let back = scene.rollout("push-back1");
    let Intent::Rollback { reason, .. } = &*back.intent else { panic!("{:?}", back.intent) };
    assert_eq!(reason, "`web-3` failed: exited");
}

#[test]
fn a_host_that_turns_sick_in_the_soak_takes_the_push_back() {
    let mut scene = Scene::with_hosts(3);
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    let why = "timed out".to_owned();
    let sample = friday_wire::Sample::Fail { why };
    let host = HostName::new("web-2");
    let _ = scene.take(friday_core::controller::input::Input::Sampled { host, sample });
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert_eq!(scene.running(), [Some(release(1))].into());
    let quarantined: BTreeSet<bool> =
        scene.hosts.values().map(|host| host.head.refuses(&release(2))).collect();
    assert_eq!(quarantined, [true].into());
}

fn migrating(scene: &Scene, back: MigrationBack) -> friday_core::rollout::plan::Plan {
    let mut plan = scene.plan();
    plan.migration = Some(MigrationPlan {
        command: "migrate".to_owned(),
        host: HostName::new("web-1"),
        back,
        back_undeclared: false,
        stop_all: false,
        timeout_ms: 60_000,
    });
    plan
}

#[test]
fn after_a_one_way_migration_a_failure_holds_and_nothing_goes_back() {
    let mut scene = Scene::with_hosts(3);
    scene.script("web-2", "switch", failed("push", "exited with 1"));
    let plan = migrating(&scene, MigrationBack::OneWay);
    let _ = scene.push("push", plan);
    scene.run();
    let push = scene.rollout("push");
    assert_eq!(push.phase, Phase::Held);
    assert!(push.reasons.contains(&Reason::OneWay), "{:?}", push.reasons);
    assert_eq!(push.migration, Migration::Done { one_way: true });
    assert_eq!(scene.count_all("back"), 0);
    assert!(scene.controller.owed().is_empty(), "a held rollout owes nothing");
}

#[test]
fn a_migration_begins_only_when_every_host_has_stored_that_it_does() {
    let mut scene = Scene::with_hosts(3);
    scene.script("web-3", "migration", unknown());
    let plan = migrating(&scene, MigrationBack::Safe);
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.rollout("push").phase, Phase::Held);
    assert_eq!(scene.count_all("migrate"), 0);
    assert_eq!(scene.count_all("switch"), 0);
}

#[test]
fn a_migration_of_which_nobody_knows_holds() {
    let mut scene = Scene::with_hosts(2);
    let state = StepState::Lost { why: "the machine went down".to_owned() };
    let report = StepReport { key: key("push", 1), state };
    scene.script("web-1", "migrate", answers(Answer::Step(report)));
    let plan = migrating(&scene, MigrationBack::Safe);
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.rollout("push").phase, Phase::Held);
    assert_eq!(*scene.rollout("push").reasons, [Reason::MigrationUnknown]);
    assert_eq!(scene.rollout("push").migration, Migration::Unknown { one_way: false });
    assert_eq!(scene.count_all("switch"), 0);
}

#[test]
fn a_higher_fence_ends_the_push_and_nothing_more_is_asked() {
    let mut scene = Scene::with_hosts(3);
    let highest = Fence { number: 9, start: StartId::new("other"), kind: FenceKind::Rollback };
    let fenced = Answer::Refused(Refusal::Fenced { highest: highest.clone() });
    scene.script("web-2", "switch", answers(fenced));
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(scene.end("push"), &End::Fenced { by: highest });
    assert_eq!(scene.asked.last(), Some(&("web-2".to_owned(), "switch")));
}

#[test]
fn stable_needs_every_host_observed() {
    let mut scene = Scene::with_hosts(2);
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.until("it bakes", |scene| matches!(scene.rollout("push").phase, Phase::Bake { .. }));
    scene.until("both were looked at", |scene| {
        scene.count("web-1", "observe") > 0 && scene.count("web-2", "observe") > 0
    });
    scene.script("web-1", "observe", unknown());
    scene.run();
    let stable = |event: &Event| matches!(event, Event::RolloutEnded { end: End::Stable, .. });
    assert!(!scene.events().iter().any(stable));
    assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
}

#[test]
fn hosts_that_failed_within_the_budget_are_tried_once_more_in_a_wave_of_their_own() {
    for again in [true, false] {
        let mut scene = Scene::with_hosts(24);
        scene.script("web-9", "switch", failed("push", "status 502"));
        if !again {
            scene.script("web-9", "switch", failed("push", "status 503"));
        }
        let plan = scene.plan();
        let last = u32::try_from(plan.waves.len()).expect("a few") + 1;
        let _ = scene.push("push", plan);
        scene.run();
        let push = scene.rollout("push");
        assert_eq!((push.wave, scene.count("web-9", "switch")), (last, 2));
        if again {
            assert_eq!(scene.end("push"), &End::Stable);
        } else {
            assert_eq!(push.phase, Phase::Held);
        }
        let waves =
            scene.events().iter().filter(|event| matches!(event, Event::WaveBegun { .. })).count();
        assert_eq!(waves, last as usize, "each wave begins once");
    }
}

#[test]
fn a_release_that_a_host_finds_unsigned_is_refused_and_not_called_bad() {
    let mut scene = Scene::with_hosts(3);
    let unsigned = Refusal::Unsigned {
        release: release(2),
        signers: "/etc/friday/allowed_signers".to_owned(),
        key: None,
        why: "it is not signed".to_owned(),
    };
    scene.script("web-2", "ship", answers(Answer::Refused(unsigned)));
    let plan = scene.plan();
    let _ = scene.push("push", plan);
    scene.run();
    let End::Refused { reasons } = scene.end("push") else { panic!("{:?}", scene.end("push")) };
    assert!(matches!(&reasons[..], [Reason::Unsigned { .. }]), "{reasons:?}");
    assert_eq!((scene.count_all("stage"), scene.count_all("switch")), (0, 0));
    assert_eq!(scene.count_all("close"), 3, "nothing stays open");
    assert!(scene.controller.state().quarantine.is_empty());
}
