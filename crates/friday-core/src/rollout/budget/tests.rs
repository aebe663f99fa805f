//! Budgets of fleets of every size.

use proptest::prelude::*;

use super::{failures_allowed, out_allowed};

#[test]
fn none_may_fail_below_twenty_hosts_and_in_the_first_wave() {
    for hosts in 1..=50 {
        assert_eq!(failures_allowed(hosts, 1), 0, "{hosts} hosts");
        for wave in [0, 2, 3, 9] {
            let wanted = if hosts < 20 { 0 } else { (hosts / 20).max(1) };
            assert_eq!(failures_allowed(hosts, wave), wanted, "{hosts} hosts, wave {wave}");
        }
    }
    assert_eq!(failures_allowed(200, 2), 10);
}

#[test]
fn one_host_may_always_be_out_and_else_no_more_than_the_percentage() {
    for serving in 1..=50_usize {
        for percent in 0..=100_u32 {
            let allowed = out_allowed(serving, percent);
            assert!(allowed >= 1, "{percent} % of {serving}");
            assert!(allowed <= serving, "{percent} % of {serving}");
            assert!(
                allowed == 1 || allowed * 100 <= serving * percent as usize,
                "{allowed} of {serving} are more than {percent} %"
            );
            // And not one less than it could be.
            assert!((allowed + 1) * 100 > serving * percent as usize, "{percent} % of {serving}");
        }
    }
}

#[test]
fn a_quarter_of_a_few_fleets() {
    let of: Vec<usize> = [1, 3, 4, 7, 8, 20].map(|serving| out_allowed(serving, 25)).into();
    assert_eq!(of, [1, 1, 1, 1, 2, 5]);
}

proptest! {
    #[test]
    fn a_larger_fleet_or_percentage_never_allows_less(
        serving in 1..200_usize,
        more in 0..50_usize,
        percent in 0..=100_u32,
        higher in 0..=100_u32,
    ) {
        prop_assert!(out_allowed(serving + more, percent) >= out_allowed(serving, percent));
        let higher = percent.max(higher);
        prop_assert!(out_allowed(serving, higher) >= out_allowed(serving, percent));
        prop_assert!(failures_allowed(serving + more, 2) >= failures_allowed(serving, 2));
    }
}
