//! Guarded databases: no push without a proof, no switch without a restore point, and a way back that waits
//! for neither.

use friday_sim::{JudgeFate, Laptop, Options, PointFate, Switch, Walk};

use crate::safeguards::is_missed;

const ANNA: Laptop = Laptop(0);
const BELA: Laptop = Laptop(1);

fn world() -> Options {
    Options::quiet(3, 2).guarding()
}

#[test]
fn a_push_goes_by_a_drill_for_as_long_as_it_is_young() {
    let mut walk = Walk::over(world());
    let (one, two, three) = (walk.good_release(), walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.expect_last_end(ANNA, "refused");
    walk.expect_at_rest_with_nothing();
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.expect_last_end(ANNA, "stable");
    walk.pushes(ANNA, two);
    walk.expect_at_rest_with(two);
    walk.after_seconds(700);
    walk.pushes(ANNA, three);
    walk.expect_last_end(ANNA, "refused");
    walk.expect_at_rest_with(two);
}

#[test]
fn where_a_restore_point_cannot_be_made_nothing_is_switched() {
    let mut walk = Walk::over(world());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.restore_points_come_to(Some(PointFate::Fails));
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "not_switched");
    assert_eq!(walk.times_started(two), 0);
    walk.expect_at_rest_with(one);
    // Nor where it never comes to an end.
    walk.restore_points_come_to(Some(PointFate::Hangs));
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "not_switched");
    walk.expect_at_rest_with(one);
    walk.restore_points_come_to(None);
    walk.pushes(ANNA, two);
    walk.expect_at_rest_with(two);
}

#[test]
fn friday_dies_while_they_are_made_and_another_asks_again() {
    let mut walk = Walk::over(world());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.restore_points_come_to(Some(PointFate::Unheard));
    walk.begins_push(ANNA, two);
    walk.until("restore points are made", |walk| walk.is_making_restore_points(ANNA));
    walk.kills_friday(ANNA);
    walk.after_seconds(30);
    walk.restore_points_come_to(None);
    walk.resumes_forward(ANNA);
    walk.expect_last_end(ANNA, "stable");
    walk.expect_at_rest_with(two);
}

#[test]
fn a_rollback_waits_for_no_restore_point() {
    let mut walk = Walk::over(world());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.restore_points_come_to(Some(PointFate::Hangs));
    walk.begins_push(ANNA, two);
    walk.until("restore points are asked for", |walk| walk.is_making_restore_points(ANNA));
    let before = walk.seconds();
    // Another laptop, which drilled nothing.
    walk.begins_rollback(BELA);
    walk.waits_for(BELA);
    assert!(walk.seconds() - before < 60, "it took {} s", walk.seconds() - before);
    walk.expect_at_rest_with(one);
}

/// Five times nobody knows what came of it, and there is none.
fn one_that_is_lost_is_not_believed(without: Option<Switch>) {
    let mut walk = Walk::without(without, world());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.restore_points_come_to(Some(PointFate::Lost));
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "not_switched");
    walk.expect_at_rest_with(one);
}

#[test]
fn one_that_is_lost_and_believed_is_missed() {
    let words = "has no restore point";
    is_missed(Switch::UnknownSucceeds, one_that_is_lost_is_not_believed, words);
}

#[test]
fn a_release_that_damages_rows_is_taken_back_and_the_next_push_waits_for_them() {
    let mut walk = Walk::over(world());
    let (one, bad, two) = (walk.good_release(), walk.release_that_damages(3), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.pushes(ANNA, bad);
    walk.expect_last_end(ANNA, "taken_back");
    walk.expect_at_rest_with(one);
    walk.expect_quarantined_everywhere(bad);
    // The code is back, and the rows are not.
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "not_switched");
    assert_eq!(walk.times_started(two), 0);
    walk.puts_data_right();
    walk.pushes(ANNA, two);
    walk.expect_at_rest_with(two);
}

#[test]
fn a_person_who_vouches_pushes_past_what_was_broken_before() {
    let mut walk = Walk::over(world());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.drills(ANNA);
    walk.pushes(ANNA, one);
    walk.invariants_come_to(Some(JudgeFate::Broken));
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "not_switched");
    walk.vouches_for_data();
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "stable");
    walk.expect_at_rest_with(two);
}

#[test]
fn a_database_that_nobody_can_ask_takes_the_push_back_and_accuses_no_release() {
    for fate in [JudgeFate::Fails, JudgeFate::Lost, JudgeFate::Hangs] {
        let mut walk = Walk::over(world());
        let (one, two) = (walk.good_release(), walk.good_release());
        walk.drills(ANNA);
        walk.pushes(ANNA, one);
        walk.begins_push(ANNA, two);
        walk.until("it runs somewhere", |walk| !walk.running(two).is_empty());
        walk.invariants_come_to(Some(fate));
        walk.waits_for(ANNA);
        walk.expect_last_end(ANNA, "taken_back");
        walk.expect_at_rest_with(one);
        // The same release may be pushed again.
        walk.invariants_come_to(None);
        walk.drills(ANNA);
        walk.pushes(ANNA, two);
        walk.expect_at_rest_with(two);
    }
}
