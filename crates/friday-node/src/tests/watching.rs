//! What a host does by itself between operations: probes, restarts, retention.

use friday_wire::*;

use super::world::*;

#[test]
fn an_app_that_exits_is_started_again_with_a_growing_pause() {
    let mut world = World::settled(Setting::page());
    world.crash(1);
    assert!(matches!(world.observe().app.expect("one").health, HealthState::Sick { .. }));
    world.run_for(999);
    assert_eq!(world.running(), []);
    world.run_for(1);
    assert_eq!(world.running(), [id(1)]);
    world.crash(1);
    world.run_for(1_999);
    assert_eq!(world.running(), []);
    world.run_for(1);
    assert_eq!(world.running(), [id(1)]);
    let app = world.observe().app.expect("one");
    assert_eq!((app.restarts, app.in_rotation), (2, true));
    world.run_for(120_000);
    world.crash(1);
    world.run_for(1_000);
    assert_eq!(world.running(), [id(1)], "a long run makes the pause short again");
}

#[test]
fn a_crash_loop_is_named_and_never_given_up() {
    let mut world = World::settled(Setting::page());
    world.falling.insert(id(1));
    world.crash(1);
    world.run_for(40_000);
    match world.observe().app.expect("one").health {
        HealthState::Sick { why } => assert!(why.contains("exit"), "{why}"),
        other => panic!("{other:?}"),
    }
    let starts = |world: &World| world.log.iter().filter(|line| *line == "start 1").count();
    let before = starts(&world);
    world.run_for(600_000);
    assert!((9..=11).contains(&(starts(&world) - before)), "once a minute");
    world.falling.clear();
    world.run_for(70_000);
    assert_eq!(world.observe().app.expect("one").health, HealthState::Healthy);
}

#[test]
fn five_exits_within_a_minute_are_sick_even_while_it_runs() {
    let mut world = World::settled(Setting::page());
    for pause in [1_000, 2_000, 4_000, 8_000] {
        world.crash(1);
        world.run_for(pause);
    }
    world.crash(1);
    world.run_for(16_000);
    assert_eq!(world.running(), [id(1)]);
    match world.observe().app.expect("one").health {
        HealthState::Sick { why } => assert!(why.starts_with("crash loop"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lost_health_is_seen_and_regained() {
    let mut world = World::settled(Setting::page());
    world.run_for(20_000);
    world.sick.insert(id(1));
    world.run_for(20_000);
    assert!(matches!(world.observe().app.expect("one").health, HealthState::Sick { .. }));
    assert_eq!(world.serves(), Some(id(1)), "a host takes nothing out of rotation by itself");
    world.sick.clear();
    world.run_for(20_000);
    assert_eq!(world.observe().app.expect("one").health, HealthState::Healthy);
}

#[test]
fn a_warm_release_that_exits_is_not_started_again() {
    let mut world = World::settled(Setting::beside());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(11_000);
    world.crash(1);
    world.run_for(10_000);
    assert_eq!(world.observe().warm, None);
    world.run_for(120_000);
    assert_eq!(world.serves(), Some(id(1)), "the undo starts it");
}

#[test]
fn the_old_release_is_looked_after_while_the_new_one_starts_beside_it() {
    let mut world = World::settled(Setting::beside());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.crash(1);
    world.run_for(2_000);
    assert_eq!(world.running(), [id(1), id(2)]);
}

#[test]
fn pruning_keeps_what_may_have_to_run() {
    let mut world = World::new(Setting::plain());
    for n in 1..=6 {
        world.ship(n);
        let rollout = format!("p{n}");
        let number = u64::from(n);
        world.begin_push(&rollout, number, n);
        let undo = match n {
            1 => Undo::Nothing,
            n => Undo::To { release: id(n - 1) },
        };
        world.switch(&rollout, number, n, undo);
        world.run_for(11_000);
        world.confirm(&rollout, number, 1);
        world.close(&rollout, push(number), Some(id(n)));
    }
    assert_eq!(world.observe().head.held, (2..=6).map(id).collect::<Vec<_>>(), "five good ones");
    for n in 7..=9 {
        world.ship(n);
    }
    let answer = world.ask(Request::Prune { fence: push(6), keep: (0, 0) });
    assert_eq!(answer, Answer::Ok);
    let kept: Vec<ReleaseId> = world.disk.releases.keys().copied().collect();
    assert_eq!(kept, [id(5), id(6), id(9)], "stable, the one before, and what was put last");
}

#[test]
fn a_prune_that_fails_is_told() {
    let mut world = World::settled(Setting::plain());
    world.failing.insert("prune".to_owned());
    let answer = world.ask(Request::Prune { fence: push(1), keep: (5, 3) });
    assert!(matches!(answer, Answer::Error { .. }));
}

#[test]
fn unknown_actions_apps_and_early_requests_do_no_harm() {
    use crate::action::{ActionId, App};
    use crate::input::{ActionResult, CallId, Input};
    let mut world = World::settled(Setting::plain());
    let before = world.disk.clone();
    let action = ActionId(4_711);
    world.input(Input::Finished { action, result: ActionResult::Done });
    let why = "late".to_owned();
    world.input(Input::Finished { action, result: ActionResult::Failed { why, log: Vec::new() } });
    world.input(Input::Finished { action, result: ActionResult::Sampled(Sample::Pass) });
    let app = App { release: id(9), generation: 4_711 };
    world.input(Input::Exited { app, status: "gone".to_owned(), log: Vec::new() });
    world.input(Input::Woke);
    assert_eq!(world.disk, before);

    let mut node = crate::Node::new(before);
    let (call, random) = (CallId(1), String::new());
    node.handle(0, Input::Asked { call, request: Request::READ, random });
    let turn = node.take_turn();
    assert!(matches!(turn.answers[..], [(CallId(1), Answer::Error { .. })]));
    assert_eq!(node.next_wakeup(), None);
}
