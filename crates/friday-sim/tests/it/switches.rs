//! The simulator sees: with a safeguard switched off, a named story or some seed fails.

use friday_sim::{Switch, World, run_seed};

use crate::safeguards::{self, is_missed};

/// More than any of them needs.
const SEEDS: u64 = 500;

fn some_seed_fails(switch: Switch) {
    let fails = |seed| run_seed(seed, Some(switch), false, World::live_through).1.is_err();
    assert!((0..SEEDS).any(fails), "nobody missed `{switch}`");
}

macro_rules! switches {
    (seeds: { $($name:ident: $switch:ident),+ $(,)? } stories: { $($told:ident: $off:ident, $words:literal, $story:ident);+ $(;)? }) => {
        $(
            #[test]
            fn $name() {
                some_seed_fails(Switch::$switch);
            }
        )+
        $(
            #[test]
            fn $told() {
                is_missed(Switch::$off, safeguards::$story, $words);
            }
        )+

        const SEEN: &[Switch] = &[$(Switch::$switch),+, $(Switch::$off),+];
    };
}

switches! {
    seeds: {
        acting_before_the_append_is_seen: Append,
        unknown_taken_for_success_is_seen: UnknownSucceeds,
        hosts_that_act_before_they_persist_are_seen: Persist,
        a_timer_that_never_runs_out_is_seen: Timer,
    }
    stories: {
        effects_that_are_owed_and_not_begun_are_seen:
            Effects, "expected stable", a_hook_is_found_owed_in_the_journal;
        unknown_taken_for_failure_is_seen:
            UnknownFails, "expected stable", the_answers_to_an_order_are_lost;
        hosts_that_let_every_fence_in_are_seen:
            Fence, "a dead driver's order was carried out", orders_of_a_dead_driver_arrive_late;
        a_turn_that_is_kept_in_part_is_seen:
            Turn, "which the journal does not know", friday_is_killed_while_it_takes_over;
        hosts_that_forget_quarantine_are_seen:
            Quarantine, "what was taken off was started again", another_laptop_pushes_what_was_taken_off;
        a_fence_raised_on_the_keeper_alone_is_seen:
            Raise, "it went back over a one-way migration", a_push_goes_on_under_a_rollback_that_has_raised;
        an_observation_that_seals_nothing_is_seen:
            Seal, "has said that it was not executed", an_order_arrives_after_it_was_looked_after;
        deciding_from_the_first_read_is_seen:
            OwnRaise, "it went back over a one-way migration", a_migration_runs_between_read_and_raise;
        a_host_that_goes_on_with_what_it_gave_up_is_seen:
            Yield, "of it run", a_process_that_runs_once_is_moved;
    }
}

#[test]
fn every_switch_is_seen() {
    assert!(Switch::ALL.iter().all(|switch| SEEN.contains(switch)));
}
