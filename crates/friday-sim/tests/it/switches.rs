//! The simulator sees: with a safeguard switched off, some seed fails.

use friday_sim::{Switch, World, run_seed};

/// More than any of them needs.
const SEEDS: u64 = 500;

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

        const SEEN: &[Switch] = &[$(Switch::$switch),+];
    };
}

switches! {
    acting_before_the_append_is_seen: Append,
    unknown_taken_for_success_is_seen: UnknownSucceeds,
    hosts_that_act_before_they_persist_are_seen: Persist,
    a_timer_that_never_runs_out_is_seen: Timer,
}

/// Not seen in some hundred seeds: other safeguards catch what they let through, or these worlds are too
/// kind. Each that is found moves up.
const NOT_SEEN_YET: [Switch; 8] = [
    Switch::Effects,
    Switch::UnknownFails,
    Switch::Fence,
    Switch::Turn,
    Switch::Quarantine,
    Switch::Raise,
    Switch::Seal,
    Switch::OwnRaise,
];

#[test]
fn every_switch_is_accounted_for() {
    let known = |switch: &Switch| SEEN.contains(switch) != NOT_SEEN_YET.contains(switch);
    assert!(Switch::ALL.iter().all(known));
}
