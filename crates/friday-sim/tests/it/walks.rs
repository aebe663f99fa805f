//! The walks: stories in which two laptops, a dead driver, a reboot, a dead keeper and a first
//! push meet. Each ends in a state that is written down here.

use friday_sim::{Laptop, Options, Walk};

const ANNA: Laptop = Laptop(0);
const BELA: Laptop = Laptop(1);

#[test]
fn two_laptops_in_turn_and_one_dies_in_mid_wave() {
    let mut walk = Walk::over(Options::quiet(6, 2));
    let (one, two, three) = (walk.good_release(), walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.expect_at_rest_with(one);
    // The other laptop has a journal of its own, and learns from the heads what runs.
    walk.pushes(BELA, two);
    walk.expect_at_rest_with(two);

    walk.begins_push(ANNA, three);
    walk.until("two hosts are switched and a third is at it", |walk| {
        walk.serving(three).len() >= 2
            && walk.armed().iter().any(|host| !walk.serving(three).contains(host))
    });
    walk.kills_friday(ANNA);
    walk.after_seconds(300);
    // What was not confirmed went back by itself; what was confirmed stays.
    assert_eq!(walk.armed(), Vec::<usize>::new());

    walk.rolls_back(BELA);
    walk.expect_at_rest_with(two);
    walk.expect_quarantined_everywhere(three);
    // Anna's journal still holds the push open; a look at the heads closes it.
    walk.sweeps(ANNA);
    walk.expect_at_rest_with(two);
}

#[test]
fn rollback_from_another_laptop_during_a_switch_on_half_the_hosts() {
    let mut walk = Walk::over(Options::quiet(6, 2));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("half the hosts serve the new release", |walk| walk.serving(two).len() >= 3);
    // No lease, no lock and no journal in common: the rollback only raises the fence.
    walk.rolls_back(BELA);
    walk.waits_for(ANNA);
    walk.expect_at_rest_with(one);
    walk.expect_quarantined_everywhere(two);
    walk.expect_last_end(ANNA, "fenced");
    walk.expect_last_end(BELA, "converged");
}

#[test]
fn reboot_between_switch_and_confirm_with_the_driver_dead_and_the_migration_done() {
    let mut walk = Walk::over(Options::quiet(3, 2).migrating_one_way());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.expect_at_rest_with(one);
    walk.begins_push(ANNA, two);
    walk.until("a host waits for its confirm", |walk| !walk.armed().is_empty());
    let host = walk.armed()[0];
    walk.kills_friday(ANNA);
    walk.reboots(host, 30);
    walk.after_seconds(600);
    // The old release cannot use the data any more: the host keeps the new one, which is well.
    assert!(!walk.running(one).contains(&host));
    assert_eq!(walk.serving(two), vec![host]);
    // Only a person may decide, and forward is the way that is safe.
    walk.resumes_forward(ANNA);
    walk.expect_at_rest_with(two);
    walk.expect_last_end(ANNA, "stable");
}

#[test]
fn the_keeper_dies_in_wave_one() {
    let mut walk = Walk::over(Options::quiet(6, 2));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("the first host serves the new release", |walk| walk.serving(two).len() == 1);
    let first = walk.serving(two);
    // The keeper is the first configured host, and so never in wave one.
    assert_ne!(first, vec![1]);
    walk.reboots(1, 1_800);
    walk.waits_for(ANNA);
    // Without the lease nothing new was switched; nobody was taken back behind a person's back.
    assert!(walk.serving(two).len() <= 1, "{:?}", walk.serving(two));
    walk.rolls_back(BELA);
    assert_eq!(walk.serving(two), Vec::<usize>::new());
    walk.after_seconds(2_400);
    // The keeper is back, with what it ran; the sweep tells it the rest.
    walk.sweeps(BELA);
    walk.expect_at_rest_with(one);
    walk.expect_quarantined_everywhere(two);
}

#[test]
fn the_first_push_ever_fails_on_the_second_of_three_hosts() {
    let mut walk = Walk::over(Options::quiet(3, 1));
    // Hosts 1 and 3 would be well; the waves begin with a host that is not the keeper.
    let bad = walk.release_that_exits_on_every(3);
    walk.pushes(ANNA, bad);
    walk.expect_at_rest_with_nothing();
    walk.expect_quarantined_everywhere(bad);
    let good = walk.good_release();
    walk.pushes(ANNA, good);
    walk.expect_at_rest_with(good);
}

#[test]
fn a_driver_that_dies_while_every_host_is_stopped_leaves_no_fleet_down() {
    let mut walk = Walk::over(Options::quiet(4, 2).stopping_all());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.expect_at_rest_with(one);
    walk.begins_push(ANNA, two);
    walk.until("nothing runs", |walk| walk.running(one).is_empty());
    walk.kills_friday(ANNA);
    walk.after_seconds(600);
    assert_eq!(walk.serving(one), [1, 2, 3, 4], "the hosts came back by themselves");
    walk.resumes_forward(ANNA);
    walk.expect_at_rest_with(two);
}

#[test]
fn after_a_one_way_migration_began_stopped_hosts_stay_so_until_a_person_goes_on() {
    let mut walk = Walk::over(Options::quiet(4, 2).stopping_all().migrating_one_way());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("nothing runs", |walk| walk.running(one).is_empty());
    walk.kills_friday(ANNA);
    walk.reboots(2, 30);
    walk.after_seconds(600);
    assert_eq!(walk.running(one), Vec::<usize>::new());
    walk.resumes_forward(ANNA);
    walk.expect_at_rest_with(two);
}

#[test]
fn a_release_on_one_host_only_stays_through_reboot_and_sweep_until_the_next_push() {
    let mut walk = Walk::over(Options::quiet(4, 2));
    let (one, two, three) = (walk.good_release(), walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.pushes_only(ANNA, two, &[3]);
    walk.expect_last_end(ANNA, "apart");
    assert_eq!(walk.serving(two), [3]);
    assert_eq!(walk.serving(one), [1, 2, 4]);

    // A reboot starts what the host is meant to run, and another laptop's sweep leaves it there.
    walk.reboots(3, 30);
    walk.after_seconds(120);
    walk.sweeps(BELA);
    assert_eq!(walk.serving(two), [3]);

    // Another laptop, with a journal of its own, takes the odd one off, and nothing else.
    walk.rolls_back(BELA);
    walk.expect_at_rest_with(one);
    walk.expect_quarantined_everywhere(two);

    walk.pushes_only(ANNA, three, &[2, 3]);
    walk.pushes(BELA, three);
    walk.expect_at_rest_with(three);
}

#[test]
fn a_driver_that_dies_in_a_push_to_some_hosts_leaves_a_way_back() {
    let mut walk = Walk::over(Options::quiet(4, 2));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push_only(ANNA, two, &[2, 3]);
    walk.until("one host is switched and the other at it", |walk| {
        !walk.serving(two).is_empty()
            && walk.armed().iter().any(|host| !walk.serving(two).contains(host))
    });
    walk.kills_friday(ANNA);
    walk.after_seconds(300);
    walk.rolls_back(BELA);
    walk.expect_at_rest_with(one);
    walk.expect_quarantined_everywhere(two);
}

#[test]
fn a_taken_port_takes_the_push_back_and_the_same_release_is_pushed_again() {
    let mut walk = Walk::over(Options::quiet(4, 1));
    let one = walk.good_release();
    walk.takes_the_port(2, 60);
    walk.pushes(ANNA, one);
    walk.after_seconds(120);
    assert_eq!(walk.serving(one), Vec::<usize>::new(), "it was taken back everywhere");
    // The port is free, and nothing is held against the release.
    walk.pushes(ANNA, one);
    walk.expect_at_rest_with(one);
}

#[test]
fn a_push_that_is_resumed_beside_an_armed_switch_waits_for_it() {
    let mut walk = Walk::over(Options::quiet(4, 1));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("a host waits for its confirm", |walk| !walk.armed().is_empty());
    walk.kills_friday(ANNA);
    walk.resumes_forward(ANNA);
    walk.expect_at_rest_with(two);
    walk.expect_last_end(ANNA, "stable");
}
