//! A stop for a migration: what it leaves, when it ends, and what takes its place.

use friday_wire::*;

use super::world::*;

const HOLD_MS: u64 = 120_000;
/// Settle and drain; the stop itself takes no time here.
const DRAIN_MS: u64 = 35_000;

/// A host with a push open, its release staged, whose migration has begun.
fn begun(setting: Setting, one_way: bool) -> World {
    let mut world = World::settled(setting);
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.store_migration("p2", 2, Migration::Begun { one_way });
    world.log.clear();
    world
}

fn stopped(setting: Setting, one_way: bool) -> World {
    let mut world = begun(setting, one_way);
    let call = world.stop("p2", 2, 1, HOLD_MS);
    world.run_for(DRAIN_MS);
    assert_eq!(world.came_to(call), Some(StepState::Done));
    assert_eq!(world.running(), []);
    world
}

fn settings() -> [Setting; 3] {
    [Setting::page(), Setting::plain(), Setting::beside()]
}

#[test]
fn it_drains_and_stops_and_leaves_everything_else() {
    let mut world = begun(Setting::page(), false);
    let call = world.stop("p2", 2, 1, HOLD_MS);
    assert_eq!(world.log, ["out 1"]);
    assert!(world.observe().armed);
    world.run_for(DRAIN_MS - 1);
    assert_eq!(world.came_to(call), None);
    world.run_for(1);
    assert_eq!(world.log, ["out 1", "stop 1"]);
    assert_eq!(world.came_to(call), Some(StepState::Done));
    let seen = world.observe();
    assert!(seen.armed, "it must not stay stopped if nobody comes");
    assert_eq!(seen.app, None);
    assert_eq!((seen.head.current, seen.head.stable), (Some(id(1)), Some(id(1))));
    assert_eq!((seen.head.open, seen.head.undo), (None, None));
    assert_eq!((world.pointed, seen.boot_default), (Some(id(1)), start(1)));
}

fn start(n: u8) -> BootDefault {
    BootDefault::Start { release: id(n) }
}

#[test]
fn if_nobody_comes_the_old_release_starts_again() {
    for setting in settings() {
        let mut world = stopped(setting, false);
        // Stop and hold count from the order, and the drain was shorter than its time.
        world.run_for(HOLD_MS + 10_000 - 1);
        assert_eq!(world.running(), []);
        world.run_for(DRAIN_MS + 15_000);
        assert_eq!(world.serves(), Some(id(1)));
        let seen = world.observe();
        assert!(!seen.armed);
        let last = seen.last.expect("a report");
        assert_eq!(last.key, key("p2", StepName::Stop, 1));
        assert!(matches!(last.state, StepState::Undone { .. }), "{last:?}");
        assert_eq!(seen.head.current, Some(id(1)));
    }
}

#[test]
fn after_a_reboot_the_old_release_starts_again() {
    for wait in [0, 10_000, DRAIN_MS, DRAIN_MS + 20_000] {
        let mut world = begun(Setting::page(), false);
        world.stop("p2", 2, 1, HOLD_MS);
        world.run_for(wait);
        world.reboot();
        world.run_for(15_000);
        assert_eq!(world.serves(), Some(id(1)), "after {wait}");
        let last = world.observe().last.expect("a report").state;
        assert!(matches!(last, StepState::Undone { .. }), "{last:?}");
    }
}

#[test]
fn once_a_one_way_migration_began_it_stays_stopped_and_says_so() {
    for setting in settings() {
        let mut world = stopped(setting, true);
        assert_eq!(world.observe().boot_default, BootDefault::Nothing);
        world.run_for(HOLD_MS + 60_000);
        assert_eq!(world.running(), []);
        let Some(StepReport { state: StepState::Failed { why, .. }, .. }) = world.observe().last
        else {
            panic!("{:?}", world.observe().last);
        };
        assert!(why.contains("stays stopped"), "{why}");
        for _ in 0..2 {
            world.reboot();
            world.run_for(600_000);
            assert_eq!(world.running(), []);
            assert_eq!(world.observe().head.current, Some(id(1)));
        }
        // The release that can use the data takes its place.
        let call = world.switch("p2", 2, 2, Undo::Stay);
        world.run_for(12_000);
        assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
        assert_eq!(world.serves(), Some(id(2)));
    }
}

#[test]
fn a_one_way_migration_that_begins_later_is_obeyed_when_the_time_is_over() {
    let mut world = stopped(Setting::page(), false);
    world.store_migration("p2", 2, Migration::Begun { one_way: true });
    world.run_for(HOLD_MS + 60_000);
    assert_eq!(world.running(), []);
    assert!(!world.observe().armed);
}

#[test]
fn when_the_migration_ended_the_old_release_starts_again_at_once() {
    for setting in settings() {
        let mut world = stopped(setting, false);
        world.store_migration("p2", 2, Migration::Done { one_way: false });
        world.run_for(15_000);
        assert_eq!(world.serves(), Some(id(1)));
    }
}

#[test]
fn when_a_one_way_migration_ended_it_stays_stopped() {
    let mut world = stopped(Setting::page(), true);
    world.store_migration("p2", 2, Migration::Done { one_way: true });
    world.run_for(HOLD_MS + 60_000);
    assert_eq!(world.running(), []);
}

#[test]
fn a_switch_takes_its_place_and_waits_for_nobody() {
    let mut world = stopped(Setting::page(), false);
    world.log.clear();
    let call = world.switch("p2", 2, 2, Undo::To { release: id(1) });
    assert_eq!(world.log, ["start 2", "point 2"]);
    world.run_for(12_000);
    assert!(matches!(world.came_to(call), Some(StepState::AwaitingConfirm { .. })));
}

#[test]
fn a_switch_does_not_wait_for_the_old_release_either() {
    let mut world = stopped(Setting::page(), false);
    world.store_migration("p2", 2, Migration::Done { one_way: false });
    world.run_for(1_000);
    assert_eq!(world.running(), [id(1)]);
    world.log.clear();
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    assert_eq!(world.log, ["stop 1", "start 2", "point 2"]);
}

#[test]
fn a_switch_waits_for_a_stop_at_work() {
    let mut world = begun(Setting::page(), false);
    world.stop("p2", 2, 1, HOLD_MS);
    let call = world.switch("p2", 2, 2, Undo::To { release: id(1) });
    let answer = world.answers.get(&call).cloned();
    assert!(matches!(answer, Some(Answer::Refused(Refusal::Busy { .. }))), "{answer:?}");
}

#[test]
fn a_back_takes_its_place_and_starts_the_old_release() {
    for one_way in [false, true] {
        let mut world = stopped(Setting::page(), one_way);
        world.begin_rollback("r1", 3, Some(1));
        let call = world.back("r1", 3, Some(1), Some(2));
        world.run_for(15_000);
        assert_eq!(world.came_to(call), Some(StepState::Done));
        assert_eq!(world.serves(), Some(id(1)));
        world.close("r1", rollback(3), None);
    }
}

#[test]
fn a_higher_fence_ends_it_before_its_next_step_and_its_timer_stays() {
    let mut world = begun(Setting::page(), false);
    let call = world.stop("p2", 2, 1, HOLD_MS);
    world.run_for(1_000);
    world.raise(push(3));
    assert!(matches!(world.came_to(call), Some(StepState::Ended { .. })));
    world.run_for(DRAIN_MS + 10_000);
    assert_eq!(world.running(), [id(1)], "it is not stopped any more");
    assert!(world.observe().armed);
    world.run_for(HOLD_MS);
    assert_eq!(world.serves(), Some(id(1)), "back in rotation");
}

#[test]
fn a_higher_fence_leaves_what_holds_as_it_is() {
    let mut world = stopped(Setting::page(), false);
    world.raise(push(3));
    world.run_for(10_000);
    assert_eq!(world.running(), []);
    // The resumed push stops it anew, which begins its time anew.
    let step = world.stop_step(HOLD_MS);
    let key = key("p2", StepName::Stop, 2);
    let call = world.send(Request::Do { fence: push(3), key, step });
    assert_eq!(world.came_to(call), Some(StepState::Done));
    world.run_for(HOLD_MS);
    assert_eq!(world.running(), []);
}

#[test]
fn a_host_that_cannot_be_stopped_goes_back_into_rotation() {
    let mut world = begun(Setting::page(), false);
    world.failing.insert("stop".to_owned());
    let call = world.stop("p2", 2, 1, HOLD_MS);
    world.run_for(DRAIN_MS + 15_000);
    assert!(matches!(world.came_to(call), Some(StepState::Failed { .. })));
    assert_eq!(world.serves(), Some(id(1)));
    assert!(!world.observe().armed);
}

#[test]
fn a_migration_begins_only_while_it_holds_and_for_long_enough() {
    // Not stopped yet.
    let mut world = begun(Setting::page(), false);
    world.stop("p2", 2, 1, HOLD_MS);
    let busy = world.migrate("p2", 2, 2, 1_000);
    assert_eq!(busy, Answer::Refused(Refusal::NotStopped));
    // Stopped, and then not for long enough any more.
    world.run_for(DRAIN_MS);
    let late = world.migrate("p2", 2, 2, HOLD_MS + 60_000);
    assert_eq!(late, Answer::Refused(Refusal::NotStopped));
    assert_eq!(state(&world.migrate("p2", 2, 2, 60_000)), StepState::Done);
    // Started again.
    let mut world = stopped(Setting::page(), false);
    world.run_for(HOLD_MS + 60_000);
    assert_eq!(world.migrate("p2", 2, 2, 1_000), Answer::Refused(Refusal::NotStopped));
}

#[test]
fn a_migration_that_runs_is_left_alone() {
    let mut world = stopped(Setting::page(), false);
    world.hanging.insert("command".to_owned());
    let step = Step::Migrate {
        release: id(2),
        command: "./app migrate".to_owned(),
        timeout_ms: 60_000,
        secrets: None,
    };
    let migration =
        world.send(Request::Do { fence: push(2), key: key("p2", StepName::Migrate, 1), step });
    // A resumed push stops every host again, this one too.
    world.raise(push(3));
    let step = world.stop_step(HOLD_MS);
    let call = world.send(Request::Do { fence: push(3), key: key("p2", StepName::Stop, 2), step });
    assert_eq!(world.came_to(call), Some(StepState::Done));
    assert_eq!(world.came_to(migration), None);
    world.release_hung();
    assert_eq!(world.came_to(migration), Some(StepState::Done));
}

#[test]
fn of_a_switch_that_it_replaces_the_undo_is_kept() {
    let mut world = World::settled(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(40_000);
    assert_eq!(world.observe().head.current, Some(id(2)), "it was not confirmed yet");
    world.raise(push(3));
    let step = world.stop_step(HOLD_MS);
    world.send(Request::Do { fence: push(3), key: key("p2", StepName::Stop, 1), step });
    world.run_for(HOLD_MS + 60_000);
    assert_eq!(world.serves(), Some(id(1)));
    let head = world.observe().head;
    assert_eq!((head.current, head.open, head.undo), (Some(id(1)), None, None));
}

#[test]
fn where_nothing_ran_nothing_is_started() {
    let mut world = World::new(Setting::page());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let call = world.stop("p2", 2, 1, HOLD_MS);
    assert_eq!(world.came_to(call), Some(StepState::Done));
    world.run_for(HOLD_MS + 60_000);
    assert_eq!((world.running(), world.pointed), (Vec::new(), None));
    assert!(!world.observe().armed);
}
