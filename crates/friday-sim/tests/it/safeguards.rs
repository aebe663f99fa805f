//! One story for each safeguard. With it the story ends well; without it the same story breaks what is
//! named beside it.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use crate::processes::a_process_that_runs_once_is_moved;
use friday_sim::{Laptop, Message, Options, Switch, Walk};

const ANNA: Laptop = Laptop(0);
const BELA: Laptop = Laptop(1);

/// The story ends well, and without the safeguard it ends with these words.
pub fn is_missed(safeguard: Switch, story: fn(Option<Switch>), words: &str) {
    story(None);
    let told = catch_unwind(AssertUnwindSafe(|| story(Some(safeguard))));
    let panic = told.err().unwrap_or_else(|| panic!("nobody missed `{safeguard}`"));
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    let first = said.lines().take(2).collect::<Vec<_>>().join(" ");
    assert!(first.contains(words), "without `{safeguard}`: {said}");
}

/// Law 5. The disk does not say whether it wrote that the hook is to run; the driver reads that it did,
/// and runs it.
pub fn a_hook_is_found_owed_in_the_journal(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(3, 1));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.leaves_unanswered(ANNA, "work_begun");
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "stable");
    walk.expect_at_rest_with(two);
}

/// Law 6. All is well on the host, but whatever it answers to the order is lost. Looking at it shows
/// that it was switched.
pub fn the_answers_to_an_order_are_lost(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(3, 1));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.loses_answers(ANNA, 2, Message::Switch);
    walk.pushes(ANNA, two);
    walk.expect_last_end(ANNA, "stable");
    walk.expect_at_rest_with(two);
}

/// Law 7. Anna's rollback dies; its order to the third host, and a copy of what opened it there, are
/// stuck on the way, and arrive when Bela has long pushed another release.
pub fn orders_of_a_dead_driver_arrive_late(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(3, 2));
    let (one, two, three) = (walk.good_release(), walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.pushes(ANNA, two);
    walk.holds_back_copies(ANNA, 3, Message::Open);
    walk.holds_back(ANNA, 3, Message::Back);
    walk.begins_rollback(ANNA);
    walk.until("the order to the third host is stuck", |walk| walk.stuck() == 2);
    walk.kills_friday(ANNA);
    walk.rolls_back(BELA);
    walk.expect_at_rest_with(one);
    walk.pushes(BELA, three);
    walk.expect_at_rest_with(three);
    walk.lets_through();
    walk.after_seconds(120);
    assert_eq!(walk.running(one), Vec::<usize>::new(), "a dead driver's order was carried out");
    walk.expect_at_rest_with(three);
}

/// The atomic turn. Anna takes over her own dead rollback with another one, and is killed while that
/// turn is written.
pub fn friday_is_killed_while_it_takes_over(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(3, 1));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("a host serves the new release", |walk| !walk.serving(two).is_empty());
    walk.kills_friday(ANNA);
    walk.begins_rollback(ANNA);
    walk.after_seconds(2);
    walk.kills_friday(ANNA);
    walk.kills_friday_in_append(ANNA, "rollout_ended");
    walk.begins_rollback(ANNA);
    walk.rolls_back(ANNA);
    walk.expect_at_rest_with(one);
    walk.expect_quarantined_everywhere(two);
}

/// Promise 3. Bela has a journal of her own, which knows nothing of Anna's rollback: only hosts can
/// tell her what is quarantined.
pub fn another_laptop_pushes_what_was_taken_off(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(3, 2));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.pushes(ANNA, two);
    walk.rolls_back(ANNA);
    let started = walk.times_started(two);
    walk.pushes(BELA, two);
    assert_eq!(walk.times_started(two), started, "what was taken off was started again");
    walk.expect_last_end(BELA, "refused");
    walk.expect_at_rest_with(one);
}

/// The raise comes before everything else. Bela's reaches every host but the keeper; she waits for that
/// one, and Anna must not migrate meanwhile.
pub fn a_push_goes_on_under_a_rollback_that_has_raised(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(4, 2).migrating_one_way());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("the push is open everywhere", |walk| walk.open().len() == 4);
    let (migrations, started) = (walk.migrations(), walk.times_started(one));
    walk.holds_back(BELA, 1, Message::Raise);
    walk.rolls_back(BELA);
    walk.waits_for(ANNA);
    let went_back = walk.times_started(one) > started;
    let migrated = walk.migrations() > migrations;
    assert!(!(went_back && migrated), "it went back over a one-way migration by itself");
    walk.lets_through();
    walk.after_seconds(60);
    walk.sweeps(BELA);
    walk.expect_at_rest_with(one);
}

/// The seal. An order is stuck; the host is asked, and says that it never saw it. Then it arrives.
pub fn an_order_arrives_after_it_was_looked_after(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(3, 1));
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.holds_back(ANNA, 2, Message::Switch);
    walk.begins_push(ANNA, two);
    walk.until("the order was given once more", |walk| walk.stuck() == 2);
    walk.lets_through();
    walk.waits_for(ANNA);
    walk.expect_last_end(ANNA, "stable");
    walk.expect_at_rest_with(two);
}

/// Bela reads, and her lid closes. When it opens, a one-way migration has run: her own raise says so,
/// what she read first does not.
pub fn a_migration_runs_between_read_and_raise(without: Option<Switch>) {
    let mut walk = Walk::without(without, Options::quiet(4, 2).migrating_one_way());
    let (one, two) = (walk.good_release(), walk.good_release());
    walk.pushes(ANNA, one);
    walk.begins_push(ANNA, two);
    walk.until("the push is open everywhere", |walk| walk.open().len() == 4);
    walk.begins_rollback(BELA);
    walk.closes_lid(BELA, 15);
    walk.until("a host runs the new release", |walk| !walk.running(two).is_empty());
    let started = walk.times_started(one);
    walk.waits_for(BELA);
    assert_eq!(walk.times_started(one), started, "it went back over a one-way migration by itself");
    walk.expect_last_end(BELA, "refused");
}
