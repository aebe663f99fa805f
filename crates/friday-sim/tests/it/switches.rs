//! The simulator sees: with any one safeguard switched off, some seed fails.

use friday_sim::{Switch, World, run_seed};

/// Far more than any of them needs.
const SEEDS: u64 = 3_000;

fn first_failing_seed(switch: Switch) -> Option<u64> {
    (0..SEEDS).find(|seed| run_seed(*seed, Some(switch), false, World::live_through).1.is_err())
}

macro_rules! switches {
    ($($name:ident: $switch:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                assert!(first_failing_seed(Switch::$switch).is_some(), "nobody missed `{}`", Switch::$switch);
            }
        )+

        #[test]
        fn every_switch_has_its_test() {
            let tested = [$(Switch::$switch),+];
            assert!(Switch::ALL.iter().all(|switch| tested.contains(switch)));
        }
    };
}

switches! {
    acting_before_the_append_is_seen: Append,
    effects_only_where_they_were_decided_is_seen: Effects,
    unknown_taken_for_failed_is_seen: UnknownFails,
    unknown_taken_for_success_is_seen: UnknownSucceeds,
    hosts_without_fence_are_seen: Fence,
    torn_turns_are_seen: Turn,
    hosts_that_act_before_they_persist_are_seen: Persist,
    a_timer_that_never_runs_out_is_seen: Timer,
    hosts_without_quarantine_are_seen: Quarantine,
    a_fence_raised_on_the_keeper_alone_is_seen: Raise,
    observations_that_do_not_seal_are_seen: Seal,
    deciding_from_the_first_read_is_seen: OwnRaise,
}
