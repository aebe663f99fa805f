//! Waves: a few written out, and what holds for all.

use friday_wire::{HostName, Ports};
use proptest::prelude::*;

use super::{WaveSize, waves};
use crate::rollout::plan::PlannedHost;

fn hosts(roles: &[(&str, usize)]) -> Vec<PlannedHost> {
    roles
        .iter()
        .flat_map(|(role, count)| {
            (1..=*count).map(move |number| PlannedHost {
                name: HostName::new(format!("{role}-{number}")),
                role: (*role).to_owned(),
                ports: Ports::None,
                outside_url: None,
                traffic: Default::default(),
            })
        })
        .collect()
}

fn sorted(roles: &[(&str, usize)], sizes: &[WaveSize], keeper: &str) -> Vec<String> {
    waves(&hosts(roles), sizes, &HostName::new(keeper))
        .iter()
        .map(|wave| wave.iter().map(HostName::as_str).collect::<Vec<_>>().join(" "))
        .collect()
}

const DEFAULT: [WaveSize; 4] =
    [WaveSize::Hosts(1), WaveSize::Percent(10), WaveSize::Percent(33), WaveSize::Percent(100)];

#[test]
fn three_hosts_go_one_by_one() {
    assert_eq!(sorted(&[("web", 3)], &DEFAULT, "web-1"), ["web-2", "web-1 web-3"]);
    assert_eq!(sorted(&[("web", 3)], &DEFAULT, "web-3"), ["web-1", "web-2 web-3"]);
}

#[test]
fn one_host_is_a_wave_though_it_is_the_keeper() {
    assert_eq!(sorted(&[("web", 1)], &DEFAULT, "web-1"), ["web-1"]);
}

#[test]
fn a_first_wave_of_everything_leaves_the_keeper_for_a_second() {
    let all = [WaveSize::Percent(100)];
    assert_eq!(sorted(&[("web", 3)], &all, "web-1"), ["web-2 web-3", "web-1"]);
    assert_eq!(sorted(&[("web", 3)], &[], "web-2"), ["web-1 web-3", "web-2"]);
}

#[test]
fn waves_count_hosts_in_all_and_round_up() {
    let sizes: Vec<usize> = waves(&hosts(&[("web", 25)]), &DEFAULT, &HostName::new("web-1"))
        .iter()
        .map(Vec::len)
        .collect();
    // 1; 10 % of 25 is 3 in all; 33 % is 9 in all; then the rest.
    assert_eq!(sizes, [1, 2, 6, 16]);
}

#[test]
fn the_first_host_is_of_the_first_role_and_roles_are_spread() {
    assert_eq!(
        sorted(&[("web", 2), ("worker", 4)], &[WaveSize::Hosts(1), WaveSize::Percent(50)], "web-1"),
        ["web-2", "worker-1 web-1", "worker-2 worker-3 worker-4"]
    );
}

#[test]
fn no_hosts_make_no_waves() {
    assert_eq!(waves(&[], &DEFAULT, &HostName::new("web-1")), Vec::<Vec<HostName>>::new());
}

fn any_size() -> impl Strategy<Value = WaveSize> {
    prop_oneof![
        (0..40_u32).prop_map(WaveSize::Hosts),
        (0..=120_u32).prop_map(WaveSize::Percent),
        Just(WaveSize::Hosts(u32::MAX)),
    ]
}

proptest! {
    #[test]
    fn every_host_exactly_once_and_the_keeper_not_first(
        web in 1..30_usize,
        worker in 0..30_usize,
        sizes in proptest::collection::vec(any_size(), 0..6),
        keeper in 0..60_usize,
    ) {
        let hosts = hosts(&[("web", web), ("worker", worker)]);
        let keeper = hosts[keeper % hosts.len()].name.clone();
        let waves = waves(&hosts, &sizes, &keeper);

        let mut seen: Vec<HostName> = waves.concat();
        seen.sort();
        let mut all: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
        all.sort();
        prop_assert_eq!(seen, all);

        prop_assert!(waves.iter().all(|wave| !wave.is_empty()));
        prop_assert_eq!(waves[0].contains(&keeper), hosts.len() == 1);
    }

    #[test]
    fn each_wave_ends_where_some_size_says(
        count in 2..60_usize,
        sizes in proptest::collection::vec(any_size(), 0..6),
    ) {
        let hosts = hosts(&[("web", count)]);
        let waves = waves(&hosts, &sizes, &hosts[0].name);
        let wanted: Vec<usize> = sizes
            .iter()
            .map(|size| match size {
                WaveSize::Hosts(hosts) => (*hosts as usize).min(count),
                WaveSize::Percent(percent) => (count * (*percent).min(100) as usize).div_ceil(100),
            })
            .collect();
        let mut end = 0;
        for wave in &waves {
            end += wave.len();
            prop_assert!(
                wanted.contains(&end) || end == count || end == count - 1,
                "a wave ends at {end}"
            );
        }
        // Nothing that was asked for and is reachable in order is left out.
        let first = wanted.iter().copied().find(|size| *size > 0).unwrap_or(count);
        prop_assert_eq!(waves[0].len(), first.min(count - 1));
    }
}
