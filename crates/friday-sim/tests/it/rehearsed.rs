//! Rehearsals: no migration without one, and the way back goes by what it showed.

use friday_sim::{Laptop, Options, Showing, Walk};

const ANNA: Laptop = Laptop(0);

fn world() -> Options {
    Options::quiet(3, 1).rehearsing()
}

#[test]
fn a_push_that_migrates_goes_by_its_own_rehearsal() {
    let mut walk = Walk::over(world().migrating_safely());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.expect_last_end(ANNA, "refused");
    walk.rehearses(ANNA, one, Showing::Good);
    // It was tried over nothing, as it is pushed.
    walk.rehearses(ANNA, two, Showing::Good);
    walk.pushes(ANNA, one);
    walk.expect_last_end(ANNA, "stable");
    // And this one, over nothing too, is not pushed so any more.
    let migrations = walk.migrations();
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "refused");
    assert_eq!((walk.migrations(), walk.times_started(two)), (migrations, 0));
    walk.expect_at_rest_with(one);
    walk.rehearses(ANNA, two, Showing::Fails);
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "refused");
    walk.rehearses(ANNA, two, Showing::Good);
    walk.after_seconds(700);
    walk.drills(ANNA);
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "refused");
    walk.rehearses(ANNA, two, Showing::Good);
    walk.pushes(ANNA, two);
    walk.expect_at_rest_with(two);
}

#[test]
fn what_was_reversible_goes_back_by_itself() {
    let mut walk = Walk::over(world().migrating_back_and_forth());
    let (one, two) = (walk.good_release(), walk.release_bad_outside());
    walk.drills(ANNA);
    walk.rehearses(ANNA, one, Showing::Good);
    walk.pushes(ANNA, one);
    // The old release is down on the new data, and the migration back mends that.
    walk.rehearses(ANNA, two, Showing::OldDown);
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "taken_back");
    walk.expect_at_rest_with(one);
}

#[test]
fn what_was_not_is_refused_and_with_a_persons_word_holds() {
    for showing in [Showing::OldDown, Showing::OldDownForGood, Showing::OldReadsWrong] {
        let mut walk = Walk::over(world().migrating_safely());
        let (one, two) = (walk.good_release(), walk.release_bad_outside());
        walk.drills(ANNA);
        walk.rehearses(ANNA, one, Showing::Good);
        walk.pushes(ANNA, one);
        walk.rehearses(ANNA, two, showing);
        walk.pushes(ANNA, two);
        walk.expect_last_end(ANNA, "refused");
        walk.expect_at_rest_with(one);
        let started = walk.times_started(one);
        walk.pushes_unrehearsed(ANNA, two);
        assert!(!walk.open().is_empty(), "{showing:?}: it is held");
        walk.after_seconds(600);
        // Hosts that were not switched keep the old release, and nothing starts it anew.
        assert_eq!(walk.times_started(one), started, "{showing:?}: it went back by itself");
    }
}
