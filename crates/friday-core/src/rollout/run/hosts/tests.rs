//! What is kept beside the hosts is what the hosts say, whatever happens to them.

use friday_wire::Nonce;
use proptest::prelude::*;

use super::super::host::{Found, WatcherKey};
use super::*;

fn hosts(count: usize) -> Hosts {
    let run = |place: usize| {
        let probed = if place.is_multiple_of(2) { Probed::Yes } else { Probed::No };
        let part = if place.is_multiple_of(3) { Part::Aside } else { Part::Takes };
        (name(place), HostRun::waiting(place, probed, part))
    };
    (0..count).map(run).collect()
}

fn name(place: usize) -> HostName {
    HostName::new(format!("web-{place}"))
}

fn state(number: u8, time: i64) -> HostState {
    let deadline = Timestamp(time);
    let pace = if time % 2 == 0 { Pace::Drained } else { Pace::AtOnce };
    let why = || "status 502".to_owned();
    let nonce = Nonce::new("n");
    match number {
        0 => HostState::Waiting,
        1 => HostState::Ordered { deadline, pace },
        2 => HostState::Looking { deadline, pace },
        3 => HostState::Proving { nonce, deadline },
        4 => HostState::Confirming { nonce, deadline },
        5 => HostState::Done,
        6 => HostState::Failed { why: why(), fault: friday_wire::Fault::Release },
        _ => HostState::Gone { why: why() },
    }
}

proptest! {
    #[test]
    fn what_is_kept_follows_from_the_hosts(
        steps in prop::collection::vec((0..7_usize, 0..8_u8, 0..20_i64, 0..32_u8), 0..60),
    ) {
        let mut hosts = hosts(6);
        for (place, at, time, bits) in steps {
            // The seventh is no host of theirs.
            let changed = hosts.change(&name(place), |run| {
                run.at = state(at, time);
                run.stopped = if bits & 1 == 0 { Stopped::No } else { Stopped::Yes };
                run.found = Found {
                    heard: if bits & 16 == 0 { Heard::No } else { Heard::Yes },
                    ran: if bits & 2 == 0 { Ran::Something } else { Ran::Nothing },
                    serves: if bits & 4 == 0 { Serves::No } else { Serves::Well },
                };
                run.sick.clear();
                if bits & 8 != 0 {
                    run.sick.insert(WatcherKey::Host, "slow".to_owned());
                }
                Ok(())
            });
            prop_assert_eq!(changed.is_ok(), place < 6);
            let derived: Hosts =
                hosts.iter().map(|(host, run)| (host.clone(), run.clone())).collect();
            prop_assert_eq!(&hosts, &derived);
        }
        let late: Vec<&HostName> = hosts.late(Timestamp(10));
        let is_late = |run: &HostRun| run.at.deadline().is_some_and(|deadline| deadline <= Timestamp(10));
        let scanned: Vec<&HostName> =
            hosts.iter().filter(|(_, run)| is_late(run)).map(|(host, _)| host).collect();
        prop_assert_eq!(late, scanned);
    }
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let mut hosts = hosts(3);
    let before = hosts.clone();
    let refused: Result<(), String> = hosts.change(&name(1), |_| Err("no".to_owned()));
    assert_eq!(refused, Err("no".to_owned()));
    assert_eq!(hosts, before);
}
