//! A process that runs once: which host is the one, and that it never becomes two.

use friday_sim::{Laptop, Options, Switch, Walk};

const ANNA: Laptop = Laptop(0);
const BELA: Laptop = Laptop(1);

fn world(hosts: usize) -> Options {
    Options::quiet(hosts, 2).with_processes()
}

#[test]
fn the_first_host_is_the_one_and_stays_it_through_push_rollback_and_reboot() {
    let mut walk = Walk::over(world(4));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    assert_eq!(walk.running_once(), [1]);
    walk.pushes(BELA, two);
    assert_eq!(walk.running_once(), [1]);
    walk.rolls_back(ANNA);
    assert_eq!(walk.running_once(), [1]);
    walk.expect_at_rest_with(one);
    walk.reboots(1, 60);
    walk.after_seconds(30);
    // Its host is down: nobody takes its place.
    assert_eq!(walk.running_once(), Vec::<usize>::new());
    walk.after_seconds(120);
    assert_eq!(walk.running_once(), [1]);
}

#[test]
fn a_person_moves_it_and_it_stays_moved() {
    let mut walk = Walk::over(world(4));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.moves_once(ANNA, 3);
    walk.expect_last_end(ANNA, "done");
    walk.after_seconds(10);
    assert_eq!(walk.running_once(), [3]);
    // Another laptop learns it from the heads.
    walk.pushes(BELA, two);
    assert_eq!(walk.running_once(), [3]);
    walk.expect_at_rest_with(two);
}

#[test]
fn a_host_that_does_not_answer_stops_the_move() {
    let mut walk = Walk::over(world(3));
    let one = walk.good_release();
    walk.pushes(ANNA, one);
    walk.moves_once(ANNA, 2);
    walk.cuts_off(ANNA, 2, 600);
    walk.moves_once(ANNA, 3);
    walk.expect_last_end(ANNA, "refused");
    assert_eq!(walk.running_once(), [2]);
}

#[test]
fn a_cut_off_host_that_undoes_alone_runs_it_alone() {
    let mut walk = Walk::over(world(3));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.moves_once(ANNA, 2);
    walk.after_seconds(10);
    walk.begins_push(ANNA, two);
    walk.until("the one host waits for its confirm", |walk| walk.armed().contains(&2));
    walk.cuts_off(ANNA, 2, 900);
    walk.kills_friday(ANNA);
    walk.after_seconds(300);
    // It went back alone; whatever the others do, it is the one.
    assert_eq!(walk.running_once(), [2]);
    walk.after_seconds(700);
    walk.rolls_back(BELA);
    walk.expect_at_rest_with(one);
    assert_eq!(walk.running_once(), [2]);
}

#[test]
fn a_driver_that_dies_within_a_move_leaves_none_or_one() {
    for kind in ["fence_chosen", "round_begun", "host_answered", "end_decided"] {
        let mut walk = Walk::over(world(3));
        let one = walk.good_release();
        walk.pushes(ANNA, one);
        walk.kills_friday_in_append(ANNA, kind);
        walk.moves_once(ANNA, 2);
        walk.after_seconds(120);
        assert!(walk.running_once().len() <= 1, "killed in {kind}");
        // The next move does not depend on what became of the first.
        walk.moves_once(BELA, 3);
        walk.after_seconds(10);
        assert_eq!(walk.running_once(), [3], "killed in {kind}");
    }
}

#[test]
fn a_reboot_of_the_old_host_within_the_move_starts_no_second_one() {
    let mut walk = Walk::over(world(3));
    let one = walk.good_release();
    walk.pushes(ANNA, one);
    walk.moves_once(ANNA, 2);
    walk.reboots(1, 20);
    walk.after_seconds(120);
    assert_eq!(walk.running_once(), [2]);
    walk.reboots(2, 20);
    walk.after_seconds(120);
    assert_eq!(walk.running_once(), [2]);
}

/// The old host gives it up before the new one is told.
pub fn a_process_that_runs_once_is_moved(without: Option<Switch>) {
    let mut walk = Walk::without(without, world(3));
    let one = walk.good_release();
    walk.pushes(ANNA, one);
    walk.moves_once(ANNA, 3);
    walk.after_seconds(30);
    assert_eq!(walk.running_once(), [3]);
}
