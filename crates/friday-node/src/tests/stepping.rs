//! Keys, attempts, seals; what interrupts what; back.

use friday_wire::*;

use super::world::*;

fn to_old() -> Undo {
    Undo::To { release: id(1) }
}

fn pushing(setting: Setting) -> World {
    let mut world = World::settled(setting);
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world
}

fn observe(world: &mut World, fence: Fence, seal: StepKey) -> StepState {
    match world.ask(Request::Observe { fence, seal: Some(seal) }) {
        Answer::Observed(seen) => seen.last.expect("the sealed one").state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_key_is_one_operation_with_many_callers() {
    let mut world = pushing(Setting::plain());
    let first = world.switch("p2", 2, 2, to_old());
    let second = world.switch("p2", 2, 2, to_old());
    assert_eq!(world.log.iter().filter(|line| *line == "start 2").count(), 1);
    world.run_for(11_000);
    for call in [first, second] {
        let state = world.came_to(call);
        assert!(matches!(state, Some(StepState::AwaitingConfirm { .. })), "{state:?}");
    }
    world.confirm("p2", 2, 1);
    let again = world.switch("p2", 2, 2, to_old());
    assert_eq!(world.came_to(again), Some(StepState::Done));
    let (fence, nonce) = (push(2), Nonce::new("any"));
    let repeated = Request::Confirm { fence, key: key("p2", StepName::Switch, 1), nonce };
    assert_eq!(state(&world.ask(repeated)), StepState::Done);
}

#[test]
fn a_lower_attempt_is_stale_and_a_sealed_one_never_begins() {
    let mut world = pushing(Setting::plain());
    let sealed = key("p2", StepName::Switch, 2);
    assert_eq!(observe(&mut world, push(2), sealed.clone()), StepState::Sealed);
    let step = world.switch_step(2, to_old());
    let first = key("p2", StepName::Switch, 1);
    let request = |key| Request::Do { fence: push(2), key, step: step.clone() };
    assert_eq!(world.ask(request(first)), Answer::Refused(Refusal::Stale { attempt: 2 }));
    assert_eq!(state(&world.ask(request(sealed.clone()))), StepState::Sealed);
    world.kill_host_program();
    assert_eq!(state(&world.ask(request(sealed))), StepState::Sealed);
    assert!(!world.log.contains(&"start 2".to_owned()));
}

#[test]
fn a_seal_of_what_began_tells_how_far_it_is() {
    let mut world = pushing(Setting::plain());
    world.switch("p2", 2, 2, to_old());
    let began = key("p2", StepName::Switch, 1);
    let state = observe(&mut world, push(2), began.clone());
    assert_eq!(state, StepState::Running { doing: "proving health".to_owned() });
    world.run_for(11_000);
    let state = observe(&mut world, push(2), began);
    assert!(matches!(state, StepState::AwaitingConfirm { .. }), "{state:?}");
}

#[test]
fn steps_are_for_the_open_rollout_and_for_releases_that_are_held() {
    let mut world = pushing(Setting::plain());
    let call = world.switch("p9", 2, 2, to_old());
    let open = Some(RolloutId::new("p2"));
    assert_eq!(world.answers[&call], Answer::Refused(Refusal::NotOpen { open }));
    let call = world.switch("p2", 2, 7, to_old());
    assert_eq!(world.answers[&call], Answer::Refused(Refusal::NotHeld { release: id(7) }));
    let call = world.switch("p2", 2, 2, Undo::To { release: id(7) });
    assert_eq!(world.answers[&call], Answer::Refused(Refusal::NotHeld { release: id(7) }));
    let stage = Step::Stage { release: id(7) };
    let stage = Request::Do { fence: push(2), key: key("p2", StepName::Stage, 2), step: stage };
    assert_eq!(world.ask(stage), Answer::Refused(Refusal::NotHeld { release: id(7) }));
    let wrong = Step::Stage { release: id(2) };
    let wrong = Request::Do { fence: push(2), key: key("p2", StepName::Back, 1), step: wrong };
    assert!(matches!(world.ask(wrong), Answer::Error { .. }));
}

#[test]
fn one_operation_at_a_time() {
    let mut world = pushing(Setting::plain());
    world.switch("p2", 2, 2, to_old());
    let step = world.switch_step(2, to_old());
    let second = Request::Do { fence: push(2), key: key("p2", StepName::Switch, 2), step };
    let busy = world.ask(second);
    assert!(matches!(busy, Answer::Refused(Refusal::Busy { .. })), "{busy:?}");
}

#[test]
fn a_raise_ends_a_switch_and_its_timer_undoes_it() {
    let mut world = pushing(Setting::page());
    let call = world.switch("p2", 2, 2, to_old());
    world.run_for(20_000);
    world.raise(push(3));
    let ended = StepState::Ended { doing: "draining".to_owned() };
    assert_eq!(world.came_to(call), Some(ended.clone()));
    let seen = world.observe();
    assert!(seen.armed);
    assert_eq!(seen.last.expect("one").state, ended);
    let lines = world.log.len();
    world.run_for(80_000);
    assert_eq!(world.log.len(), lines, "it does nothing more");
    world.run_for(5_000);
    let last = world.observe().last.expect("one").state;
    assert!(matches!(last, StepState::Undone { .. }), "{last:?}");
    assert_eq!(world.serves(), Some(id(1)));
}

#[test]
fn a_switch_that_awaits_its_confirm_survives_a_raise() {
    let mut world = pushing(Setting::plain());
    world.switch("p2", 2, 2, to_old());
    world.run_for(11_000);
    world.raise(push(3));
    assert_eq!(state(&world.confirm("p2", 3, 1)), StepState::Done);
}

#[test]
fn a_resumed_push_replaces_the_switch_that_its_raise_ended() {
    for setting in [Setting::page(), Setting::beside()] {
        // Beside each other, the later ones await their confirm already, and stay as they are.
        let waits: &[u64] =
            if setting.rotation.re_points() { &[0, 9_000] } else { &[0, 20_000, 36_000] };
        for wait in waits {
            let mut world = pushing(setting.clone());
            world.switch("p2", 2, 2, to_old());
            world.run_for(*wait);
            world.raise(push(3));
            let step = world.switch_step(2, to_old());
            let again = key("p2", StepName::Switch, 2);
            let call = world.send(Request::Do { fence: push(3), key: again, step });
            for _ in 0..60 {
                if world.came_to(call).is_none() {
                    world.run_for(1_000);
                }
            }
            let state = world.came_to(call);
            assert!(matches!(state, Some(StepState::AwaitingConfirm { .. })), "{state:?}");
            world.confirm("p2", 3, 2);
            assert_eq!(world.serves(), Some(id(2)));
            world.close("p2", push(3), Some(id(2)));
            assert_eq!(world.running(), [id(2)]);
        }
    }
}

#[test]
fn a_raise_does_not_end_a_back() {
    let mut world = pushing(Setting::page());
    world.switch("p2", 2, 2, to_old());
    world.run_for(50_000);
    world.begin_rollback("r1", 3, Some(1));
    let call = world.back("r1", 3, Some(1), Some(2));
    world.raise(rollback(4));
    world.run_for(11_000);
    assert_eq!(world.came_to(call), Some(StepState::Done));
}

#[test]
fn a_back_interrupts_a_switch_wherever_it_is() {
    for setting in [Setting::page(), Setting::plain(), Setting::beside()] {
        for pace in [BackPace::AtOnce, BackPace::Drained] {
            for wait in (0..70_000).step_by(5_000) {
                let mut world = pushing(setting.clone());
                let switch = world.switch("p2", 2, 2, to_old());
                world.run_for(wait);
                world.begin_rollback("r1", 3, Some(1));
                let call = world.back_at("r1", 3, Some(1), Some(2), pace);
                let head = &world.disk.head;
                assert_eq!((head.stable, &head.stable_fence), (Some(id(1)), &rollback(3)));
                assert!(head.refuses(&id(2)) && head.undo.is_none() && head.open.is_none());
                assert!(!world.observe().armed);
                assert!(world.came_to(switch).is_some(), "the pusher is told");
                world.run_for(60_000);
                assert_eq!(world.came_to(call), Some(StepState::Done), "{wait}: {:?}", world.log);
                assert_eq!((world.serves(), world.running()), (Some(id(1)), vec![id(1)]));
                assert_eq!(world.pointed, Some(id(1)));
            }
        }
    }
}

#[test]
fn a_back_starts_the_old_release_again_that_a_switch_was_just_stopping() {
    for (setting, stopping_after) in [(Setting::page(), 40_000), (Setting::plain(), 5_000)] {
        let mut world = pushing(setting);
        world.hanging.insert("stop 1".to_owned());
        world.switch("p2", 2, 2, to_old());
        world.run_for(stopping_after);
        assert_eq!(world.log.last().map(String::as_str), Some("stop 1"), "it is being stopped");
        world.begin_rollback("r1", 3, Some(1));
        let call = world.back_at("r1", 3, Some(1), Some(2), BackPace::AtOnce);
        world.release_hung();
        world.run_for(60_000);
        assert_eq!(world.came_to(call), Some(StepState::Done), "{:?}", world.log);
        assert_eq!((world.serves(), world.running()), (Some(id(1)), vec![id(1)]));
    }
}

#[test]
fn a_back_to_what_runs_well_restarts_nothing() {
    let mut world = pushing(Setting::page());
    world.begin_rollback("r1", 3, Some(1));
    world.log.clear();
    let call = world.back("r1", 3, Some(1), Some(2));
    assert_eq!(world.came_to(call), Some(StepState::Done));
    assert_eq!(world.log, ["point 1"]);
    assert!(world.disk.head.refuses(&id(2)));
}

#[test]
fn a_drained_back_waits_for_requests_in_flight() {
    let mut world = pushing(Setting::page());
    world.switch("p2", 2, 2, to_old());
    world.run_for(50_000);
    world.confirm("p2", 2, 1);
    world.begin_rollback("r1", 3, Some(1));
    world.log.clear();
    world.back_at("r1", 3, Some(1), Some(2), BackPace::Drained);
    world.run_for(34_999);
    assert_eq!(world.log, ["out 2"]);
    world.run_for(11_001);
    assert_eq!(world.log[1..], ["stop 2", "start 1", "point 1", "into 1"]);
    assert_eq!(world.disk.apps[0].secrets, Some(SecretsVersion::new("secrets-1")));
}

#[test]
fn a_drained_back_beside_starts_the_old_one_first() {
    let mut world = pushing(Setting::beside());
    world.switch("p2", 2, 2, to_old());
    world.run_for(11_000);
    world.confirm("p2", 2, 1);
    world.close("p2", push(2), Some(id(2)));
    world.begin_rollback("r1", 3, Some(1));
    world.log.clear();
    world.back_at("r1", 3, Some(1), Some(2), BackPace::Drained);
    world.run_for(11_000);
    assert_eq!(world.log, ["start 1", "into 1", "point 1", "stop 2"]);
    let head = &world.disk.head;
    assert_eq!((head.stable, head.previous_stable), (Some(id(1)), None));
}

#[test]
fn a_back_whose_target_is_sick_stays_out_of_rotation_and_says_so() {
    for setting in [Setting::page(), Setting::beside()] {
        let mut world = pushing(setting);
        let switch = world.switch("p2", 2, 2, to_old());
        for _ in 0..60 {
            if !matches!(world.came_to(switch), Some(StepState::AwaitingConfirm { .. })) {
                world.run_for(1_000);
            }
        }
        world.confirm("p2", 2, 1);
        world.close("p2", push(2), Some(id(2)));
        world.sick.insert(id(1));
        world.begin_rollback("r1", 3, Some(1));
        let call = world.back_at("r1", 3, Some(1), Some(2), BackPace::Drained);
        world.run_for(120_000);
        let state = world.came_to(call);
        assert!(matches!(state, Some(StepState::Failed { .. })), "{state:?}");
        assert_eq!(world.serves(), None);
        assert!(!world.running().contains(&id(2)), "what it leaves is gone all the same");
        // The rollback may be replaced by one that goes elsewhere: here, to nothing.
        world.begin_rollback("r2", 4, None);
        let call = world.back("r2", 4, None, Some(1));
        assert_eq!(world.came_to(call), Some(StepState::Done));
        assert_eq!((world.running(), world.pointed), (Vec::new(), None));
    }
}

#[test]
fn a_back_to_nothing_stops_and_removes() {
    let mut world = World::settled(Setting::page());
    world.begin_rollback("r1", 2, None);
    let call = world.back("r1", 2, None, Some(1));
    assert_eq!(world.came_to(call), Some(StepState::Done));
    let seen = world.observe();
    assert_eq!((seen.head.current, seen.head.stable, seen.app), (None, None, None));
    world.reboot();
    world.run_for(60_000);
    assert_eq!(world.running(), []);
}

#[test]
fn a_higher_back_replaces_a_back() {
    let mut world = pushing(Setting::page());
    world.switch("p2", 2, 2, to_old());
    world.run_for(50_000);
    world.confirm("p2", 2, 1);
    world.close("p2", push(2), Some(id(2)));
    world.begin_rollback("r1", 3, Some(1));
    world.sick.insert(id(1));
    let first = world.back("r1", 3, Some(1), None);
    world.run_for(5_000);
    world.begin_rollback("r2", 4, Some(2));
    let second = world.back("r2", 4, Some(2), Some(1));
    assert!(matches!(world.came_to(first), Some(StepState::Ended { .. })));
    world.run_for(15_000);
    assert_eq!(world.came_to(second), Some(StepState::Done));
    assert_eq!(world.serves(), Some(id(2)));
}

#[test]
fn a_migration_runs_once_and_a_back_does_not_wait_for_it() {
    let mut world = pushing(Setting::plain());
    let command = "migrate".to_owned();
    let step = Step::Migrate { release: id(2), command, timeout_ms: 60_000, secrets: None };
    let migrate = Request::Do { fence: push(2), key: key("p2", StepName::Migrate, 1), step };
    assert_eq!(state(&world.ask(migrate.clone())), StepState::Done);
    assert_eq!(state(&world.ask(migrate)), StepState::Done);
    let ran = |world: &World| world.log.iter().filter(|line| line.starts_with("command")).count();
    assert_eq!(ran(&world), 1);

    world.hanging.insert("command".to_owned());
    let command = "migrate".to_owned();
    let step = Step::Migrate { release: id(2), command, timeout_ms: 60_000, secrets: None };
    let second = key("p2", StepName::Migrate, 2);
    let call = world.send(Request::Do { fence: push(2), key: second.clone(), step });
    world.begin_rollback("r1", 3, Some(1));
    assert_eq!(world.came_to(call), None, "what runs has no next step to end before");
    let back = world.back("r1", 3, Some(1), Some(2));
    assert_eq!(world.came_to(back), Some(StepState::Done));
    assert!(matches!(world.came_to(call), Some(StepState::Lost { .. })));
    world.release_hung();
    assert_eq!(observe(&mut world, rollback(3), second), StepState::Done, "seen after all");
}

#[test]
fn a_stage_of_a_lower_fence_gives_way() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.raise(push(2));
    let rollout = open("p2", RolloutKind::Push, Some(id(2)));
    world.ask(Request::Open { fence: push(2), rollout, once: Default::default() });
    world.hanging.insert("build".to_owned());
    let stage = |number, attempt| Request::Do {
        fence: push(number),
        key: key("p2", StepName::Stage, attempt),
        step: Step::Stage { release: id(2) },
    };
    let first = world.send(stage(2, 1));
    world.raise(push(3));
    let second = world.send(stage(3, 2));
    assert!(matches!(world.came_to(first), Some(StepState::Ended { .. })));
    assert_eq!(world.log.iter().filter(|line| *line == "build 2").count(), 1, "not at once");
    world.release_hung();
    assert_eq!(world.came_to(second), Some(StepState::Done));
}
