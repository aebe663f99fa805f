//! A switch from arming to confirm, and every way in which it fails.

use friday_wire::*;

use super::world::*;

fn to_old() -> Undo {
    Undo::To { release: id(1) }
}

fn switching(setting: Setting) -> (World, u64) {
    let mut world = World::settled(setting);
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.log.clear();
    let call = world.switch("p2", 2, 2, to_old());
    (world, call)
}

#[test]
fn a_fixed_port_is_taken_in_turn() {
    let (mut world, call) = switching(Setting::page());
    assert_eq!(world.log, ["out 1"]);
    assert!(world.observe().armed);
    assert_eq!(world.disk.head.undo, Some(to_old()));
    world.run_for(34_999);
    assert_eq!(world.log, ["out 1"], "settles and drains");
    world.run_for(1);
    assert_eq!(world.log, ["out 1", "stop 1", "start 2", "point 2"]);
    assert_eq!(world.came_to(call), None);
    world.run_for(11_000);
    assert_eq!(world.log[4..], ["into 2"]);
    let Some(StepState::AwaitingConfirm { remaining_ms, .. }) = world.came_to(call) else {
        panic!("{:?}", world.came_to(call));
    };
    assert_eq!(remaining_ms, 30_000);
    let done = world.confirm("p2", 2, 1);
    assert_eq!(state(&done), StepState::Done);
    let seen = world.observe();
    assert!(!seen.armed);
    assert_eq!((seen.head.current, seen.head.open), (Some(id(2)), Some(id(2))));
    assert_eq!(seen.head.stable, Some(id(1)), "not stable before it baked");
    let app = seen.app.expect("it runs");
    assert!(app.running && app.in_rotation && app.health == HealthState::Healthy);
    world.run_for(600_000);
    world.close("p2", push(2), Some(id(2)));
    let head = world.observe().head;
    assert_eq!((head.stable, head.previous_stable), (Some(id(2)), Some(id(1))));
    assert_eq!((head.open, head.undo, head.rollout), (None, None, None));
    assert_eq!(head.closed.expect("closed").value, RolloutId::new("p2"));
}

#[test]
fn without_rotation_nothing_is_drained() {
    let (mut world, _) = switching(Setting::plain());
    assert_eq!(world.log, ["stop 1", "start 2", "point 2"]);
    world.run_for(11_000);
    assert_eq!(state(&world.confirm("p2", 2, 1)), StepState::Done);
}

#[test]
fn beside_each_other_the_old_one_stays_warm() {
    let (mut world, call) = switching(Setting::beside());
    assert_eq!(world.log, ["start 2"]);
    world.run_for(11_000);
    assert_eq!(world.log, ["start 2", "into 2", "point 2"]);
    assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
    assert_eq!(world.observe().warm, Some(id(1)));
    assert_eq!(world.serving, Some((id(2), Some(9001))));
    world.confirm("p2", 2, 1);
    world.close("p2", push(2), Some(id(2)));
    assert_eq!(world.log[3..], ["prune but 2", "stop 1"]);
    assert_eq!(world.observe().warm, None);
}

#[test]
fn a_warm_release_needs_no_start_to_come_back() {
    let (mut world, _) = switching(Setting::beside());
    world.run_for(11_000);
    world.confirm("p2", 2, 1);
    world.begin_rollback("r1", 3, Some(1));
    world.log.clear();
    let call = world.back("r1", 3, Some(1), Some(2));
    assert_eq!(world.log, ["into 1", "point 1", "stop 2"]);
    assert_eq!(world.came_to(call), Some(StepState::Done));
}

#[test]
fn unconfirmed_it_is_undone_by_the_host_alone() {
    for setting in [Setting::page(), Setting::plain(), Setting::beside()] {
        let (mut world, call) = switching(setting);
        world.run_for(50_000);
        assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
        world.run_for(60_000);
        assert_eq!(world.serves(), Some(id(1)));
        assert_eq!(world.running(), [id(1)]);
        let seen = world.observe();
        assert!(!seen.armed);
        assert_eq!((seen.head.current, seen.head.open), (Some(id(1)), None));
        let last = seen.last.expect("a report").state;
        assert_eq!(last, StepState::Undone { why: "it was not confirmed in time".to_owned() });
        let key = key("p2", StepName::Switch, 1);
        let late = Request::Confirm { fence: push(2), key, nonce: Nonce::new("nonce-12") };
        assert!(matches!(state(&world.ask(late)), StepState::Undone { .. }));
        let restored = world.disk.apps.first().and_then(|placed| placed.secrets.clone());
        assert_eq!(restored, Some(SecretsVersion::new("secrets-1")));
    }
}

#[test]
fn a_wrong_nonce_confirms_nothing() {
    let (mut world, _) = switching(Setting::plain());
    world.run_for(11_000);
    let key = key("p2", StepName::Switch, 1);
    let wrong = Request::Confirm { fence: push(2), key, nonce: Nonce::new("guessed") };
    assert!(matches!(world.ask(wrong), Answer::Error { .. }));
    assert!(world.observe().armed);
}

#[test]
fn a_release_that_is_never_healthy_fails_and_is_undone() {
    for setting in [Setting::page(), Setting::beside()] {
        let mut world = World::settled(setting);
        world.ship(2);
        world.begin_push("p2", 2, 2);
        world.sick.insert(id(2));
        let call = world.switch("p2", 2, 2, to_old());
        world.run_for(120_000);
        let Some(StepState::Failed { why, .. }) = world.came_to(call) else {
            panic!("{:?}", world.came_to(call));
        };
        assert_eq!(why, "not healthy within 60 s: no answer");
        assert_eq!((world.serves(), world.running()), (Some(id(1)), vec![id(1)]));
        assert_eq!(world.pointed, Some(id(1)));
    }
}

#[test]
fn a_program_that_exits_at_once_fails_at_once_with_its_output() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.falling.insert(id(2));
    let call = world.switch("p2", 2, 2, to_old());
    let failed = StepState::Failed {
        why: "exited: exit status 1".to_owned(),
        log: vec!["bang".to_owned()],
        fault: Fault::Release,
    };
    assert_eq!(world.came_to(call), Some(failed));
    world.run_for(20_000);
    assert_eq!(world.running(), [id(1)]);
}

#[test]
fn an_exit_or_lost_health_before_the_confirm_fails_it() {
    let (mut world, _) = switching(Setting::plain());
    world.run_for(11_000);
    world.crash(2);
    let last = world.observe().last.expect("a report").state;
    assert!(matches!(last, StepState::Failed { .. }), "{last:?}");
    world.run_for(20_000);
    assert_eq!(world.running(), [id(1)]);

    let (mut world, _) = switching(Setting::plain());
    world.run_for(11_000);
    world.sick.insert(id(2));
    world.run_for(16_000);
    let last = world.observe().last.expect("a report").state;
    assert_eq!(
        last,
        StepState::Failed { why: "no answer".to_owned(), log: Vec::new(), fault: Fault::Release }
    );
}

#[test]
fn a_failure_of_any_phase_is_undone() {
    for failing in ["out 1", "stop 1", "start 2", "point 2", "into 2"] {
        let mut world = World::settled(Setting::page());
        world.ship(2);
        world.begin_push("p2", 2, 2);
        world.failing.insert(failing.to_owned());
        let call = world.switch("p2", 2, 2, to_old());
        world.run_for(60_000);
        assert!(matches!(world.came_to(call), Some(StepState::Failed { .. })), "{failing}");
        world.failing.clear();
        world.run_for(60_000);
        assert_eq!(world.serves(), Some(id(1)), "{failing}: {:?}", world.log);
        assert_eq!(world.pointed, Some(id(1)), "{failing}");
    }
}

#[test]
fn a_first_push_goes_back_to_nothing() {
    let mut world = World::new(Setting::page());
    world.ship(1);
    world.begin_push("p1", 1, 1);
    world.sick.insert(id(1));
    let call = world.switch("p1", 1, 1, Undo::Nothing);
    world.run_for(60_000);
    assert!(matches!(world.came_to(call), Some(StepState::Failed { .. })));
    assert_eq!((world.running(), world.pointed), (Vec::new(), None));
    let seen = world.observe();
    assert_eq!((seen.head.current, seen.app, seen.head.open), (None, None, None));
    assert_eq!(seen.boot_default, BootDefault::Nothing);
}

#[test]
fn stay_keeps_what_is_healthy_and_never_starts_the_old_one() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::Stay);
    world.run_for(200_000);
    assert_eq!(world.serves(), Some(id(2)));
    assert!(matches!(world.observe().last.expect("one").state, StepState::Undone { .. }));
    assert_eq!(world.observe().head.open, Some(id(2)), "it is not stable");

    for setting in [Setting::page(), Setting::plain()] {
        let mut world = World::settled(setting);
        world.ship(2);
        world.begin_push("p2", 2, 2);
        world.sick.insert(id(2));
        world.log.clear();
        world.switch("p2", 2, 2, Undo::Stay);
        world.run_for(200_000);
        assert_eq!(world.serves(), None);
        assert!(!world.log.contains(&"start 1".to_owned()), "{:?}", world.log);
    }
}

#[test]
fn a_migration_that_began_turns_the_undo_into_stay() {
    let (mut world, _) = switching(Setting::plain());
    world.run_for(11_000);
    let migration = Migration::Begun { one_way: true };
    let rollout = RolloutId::new("p2");
    world.ask(Request::Migration { fence: push(2), rollout, migration });
    world.run_for(60_000);
    assert_eq!(world.running(), [id(2)]);
}

#[test]
fn no_free_port_is_said() {
    let mut setting = Setting::beside();
    setting.ports = Ports::PerRelease { first: 9000, last: 9000 };
    let mut world = World::settled(setting);
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let call = world.switch("p2", 2, 2, to_old());
    let why = "no port from 9000 to 9000 is free".to_owned();
    assert_eq!(
        world.came_to(call),
        Some(StepState::Failed { why, log: Vec::new(), fault: Fault::Release })
    );
    assert_eq!(world.serves(), Some(id(1)));
}

#[test]
fn a_release_without_checks_is_healthy_once_it_ran_steadily() {
    let mut world = World::new(Setting::plain());
    let mut manifest = manifest(1);
    manifest.run.health.tcp = false;
    world.ask(Request::PutManifest { release: id(1), manifest });
    world.begin_push("p1", 1, 1);
    let call = world.switch("p1", 1, 1, Undo::Nothing);
    world.run_for(9_999);
    assert_eq!(world.came_to(call), None);
    world.run_for(1);
    assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
}

#[test]
fn files_alone_are_switched_without_a_process() {
    let mut world = World::new(Setting::plain());
    let mut manifest = manifest(1);
    manifest.run.command = None;
    manifest.run.health.tcp = false;
    world.ask(Request::PutManifest { release: id(1), manifest });
    world.begin_push("p1", 1, 1);
    world.switch("p1", 1, 1, Undo::Nothing);
    assert_eq!(world.log, ["build 1", "point 1"]);
    assert_eq!(state(&world.confirm("p1", 1, 1)), StepState::Done);
    world.kill_host_program();
    let app = world.observe().app.expect("it is current");
    assert!(app.running && app.health == HealthState::Healthy);
}

/// No release could start there: the report says so, and the old one comes back when it can.
#[test]
fn what_the_host_itself_hinders_is_its_own_fault() {
    for hindering in ["start 2", "point 2"] {
        let mut world = World::settled(Setting::page());
        world.ship(2);
        world.begin_push("p2", 2, 2);
        world.hindering.insert(hindering.to_owned());
        let call = world.switch("p2", 2, 2, to_old());
        world.run_for(60_000);
        let Some(StepState::Failed { why, fault, .. }) = world.came_to(call) else {
            panic!("{:?}", world.came_to(call));
        };
        assert_eq!(fault, Fault::Host);
        assert!(why.ends_with(": the port is taken"), "{why}");
        world.run_for(60_000);
        assert_eq!(world.serves(), Some(id(1)), "{hindering}: {:?}", world.log);
    }
}

#[test]
fn secrets_that_stay_are_not_restored() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let mut step = world.switch_step(2, to_old());
    if let Step::Switch { secrets_stay, .. } = &mut step {
        *secrets_stay = true;
    }
    world.send(Request::Do { fence: push(2), key: key("p2", StepName::Switch, 1), step });
    world.run_for(120_000);
    let placed = world.disk.apps.first().expect("one runs");
    assert_eq!(placed.app.release, id(1));
    assert_eq!(placed.secrets, Some(SecretsVersion::new("secrets-2")));
}

#[test]
fn an_action_that_never_ends_does_not_hold_the_undo() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.hanging.insert("point 2".to_owned());
    let call = world.switch("p2", 2, 2, to_old());
    world.run_for(36_000 + 31_000);
    assert!(matches!(world.came_to(call), Some(StepState::Failed { .. })));
    world.run_for(30_000);
    assert_eq!(world.serves(), Some(id(1)));
}

#[test]
fn what_an_ended_action_did_late_is_noted() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.hanging.insert("out 1".to_owned());
    world.switch("p2", 2, 2, to_old());
    world.begin_rollback("r1", 3, Some(1));
    let call = world.back("r1", 3, Some(1), Some(2));
    assert_eq!(world.log.last().map(String::as_str), Some("out 1"), "one action at a time");
    world.release_hung();
    assert_eq!(world.came_to(call), Some(StepState::Done));
    assert_eq!(world.serves(), Some(id(1)));
}
