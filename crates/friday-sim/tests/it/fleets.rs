//! Large fleets: what an event costs does not depend on how many hosts there are, and one host that
//! never answers keeps the others waiting no longer than a question may take.

use friday_sim::{Laptop, Options, QuietFleet, Walk};

const ANNA: Laptop = Laptop(0);

/// Rounds, waves, soaks and the like: what is done once for all hosts. It does not grow with the fleet.
const LONG_WALKS_MAX: usize = 60;

/// How often all of that may go through the whole fleet.
const WALKS_OF_A_HOST_MAX: u64 = 250;

#[test]
fn an_event_asks_no_host_that_it_is_not_about() {
    const { assert!(cfg!(debug_assertions), "what is gone through is counted with them only") };
    for hosts in [100, 1_000] {
        let mut fleet = QuietFleet::of(hosts);
        fleet.push().expect("a first push");
        for (what, cost) in [("push", fleet.push()), ("rollback", fleet.roll_back())] {
            let cost = cost.expect(what);
            assert!(
                cost.long_walks <= LONG_WALKS_MAX,
                "a {what} to {hosts} hosts went through them in {} turns",
                cost.long_walks
            );
            let most = WALKS_OF_A_HOST_MAX * hosts as u64;
            assert!(
                cost.walked <= most,
                "a {what} to {hosts} hosts went through {} entries, {most} at most",
                cost.walked
            );
        }
    }
}

#[test]
fn one_host_that_never_answers_delays_nothing_but_its_own_place() {
    let mut walk = Walk::over(Options::quiet(40, 1));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    let began = walk.seconds();
    walk.begins_push(ANNA, two);
    walk.until("the third wave is under way", |walk| walk.serving(two).len() >= 5);
    // Of the third wave, and not switched yet.
    let dead = 13;
    assert!(!walk.serving(two).contains(&dead));
    walk.falls_silent(dead);
    let silent = walk.seconds();
    walk.until("the others of the wave are switched", |walk| walk.serving(two).len() >= 12);
    let waited = walk.seconds() - silent;
    assert!(waited <= 30, "the others of the wave waited {waited} s for it");
    walk.until("everybody else is switched", |walk| {
        walk.serving(two).iter().filter(|host| **host != dead).count() == 39
    });
    walk.waits_for(ANNA);
    // Forty hosts may lose two; whoever is left makes the end a person's.
    walk.expect_held(ANNA);
    let took = walk.seconds() - began;
    // Twice an order's own deadline and its looks, and each later round's 20 s.
    assert!(took <= 600, "it took {took} s");
}
