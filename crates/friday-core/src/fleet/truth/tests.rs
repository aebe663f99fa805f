//! Merging heads: a few written out, and what holds for all.

use friday_wire::{
    Digest, Fence, FenceKind, FleetName, Head, HostName, Lock, Migration, OpenRollout, Quarantined,
    ReleaseId, RolloutId, RolloutKind, Stamped, StartId, Undo,
};
use proptest::prelude::*;

use super::{Truth, further};

fn fence(number: u64) -> Fence {
    Fence { number, start: StartId::new("s"), kind: FenceKind::Push }
}

fn release(number: u8) -> ReleaseId {
    ReleaseId(Digest([number; 32]))
}

fn head() -> Head {
    Head {
        once: Default::default(),
        fleet: FleetName::new("shop"),
        user: "deploy".to_owned(),
        keeper: None,
        fence: fence(0),
        current: None,
        open: None,
        stable: None,
        stable_fence: fence(0),
        previous_stable: None,
        undo: None,
        rollout: None,
        closed: None,
        apart: None,
        quarantine: Default::default(),
        lock: None,
        lease: None,
        witnesses: Default::default(),
        boot: None,
        held: Vec::new(),
    }
}

fn open(id: &str, migration: Migration) -> OpenRollout {
    OpenRollout {
        id: RolloutId::new(id),
        kind: RolloutKind::Push,
        release: Some(release(2)),
        returns_to: Some(release(1)),
        leaves: None,
        migration,
    }
}

fn opened(number: u64, id: &str) -> Head {
    let value = open(id, Migration::NotBegun);
    Head { rollout: Some(Stamped { fence: fence(number), value }), ..head() }
}

fn closed(number: u64, id: &str) -> Head {
    let value = RolloutId::new(id);
    Head { closed: Some(Stamped { fence: fence(number), value }), ..head() }
}

fn open_of(heads: &[Head]) -> Option<String> {
    Truth::merge(heads.iter()).open.map(|found| found.open.id.to_string())
}

#[test]
fn nobody_knows_nothing() {
    assert_eq!(Truth::merge([].iter()), Truth::default());
}

#[test]
fn of_stable_releases_the_one_under_the_highest_fence_holds() {
    let knows = |number, stable, before| Head {
        stable: Some(release(stable)),
        previous_stable: Some(release(before)),
        stable_fence: fence(number),
        ..head()
    };
    let truth = Truth::merge([knows(3, 1, 0), knows(5, 2, 1), knows(4, 9, 8)].iter());
    assert_eq!((truth.stable, truth.previous_stable), (Some(release(2)), Some(release(1))));
}

#[test]
fn a_lifted_lock_under_a_higher_fence_is_no_lock() {
    let lock = Lock { person: "anna".to_owned(), reason: "inventory".to_owned(), at_ms: 0 };
    let locked =
        |number, value| Head { lock: Some(Stamped { fence: fence(number), value }), ..head() };
    let lifted = [locked(3, Some(lock.clone())), locked(4, None)];
    assert_eq!(Truth::merge(lifted.iter()).lock, None);
    let locked_again = [locked(5, Some(lock.clone())), locked(4, None)];
    assert_eq!(Truth::merge(locked_again.iter()).lock, Some(lock));
}

#[test]
fn the_rollout_under_the_highest_fence_is_the_open_one() {
    assert_eq!(open_of(&[opened(3, "a"), opened(4, "b")]).as_deref(), Some("b"));
}

#[test]
fn closed_beats_open_at_the_same_fence_and_a_later_open_beats_it() {
    assert_eq!(open_of(&[opened(3, "a"), closed(3, "b")]), None);
    assert_eq!(open_of(&[opened(3, "a"), closed(2, "b")]).as_deref(), Some("a"));
    assert_eq!(open_of(&[opened(3, "a"), closed(4, "b")]), None);
}

#[test]
fn a_rollout_that_was_closed_anywhere_is_closed_though_a_host_missed_it() {
    // The host that missed the close was raised since, for the same rollout.
    assert_eq!(open_of(&[opened(5, "a"), closed(3, "a")]), None);
}

#[test]
fn the_furthest_migration_that_any_head_has_holds() {
    let at = |number, id: &str, migration| Head {
        rollout: Some(Stamped { fence: fence(number), value: open(id, migration) }),
        ..head()
    };
    let begun = Migration::Begun { one_way: true };
    let done = Migration::Done { one_way: true };
    let truth = Truth::merge([at(3, "a", done), at(4, "a", begun)].iter());
    assert_eq!(truth.open.map(|found| found.open.migration), Some(done));
}

#[test]
fn done_was_seen_by_somebody_and_outranks_unknown() {
    let unknown = Migration::Unknown { one_way: false };
    let done = Migration::Done { one_way: false };
    assert_eq!(further(unknown, done), done);
    assert_eq!(further(done, unknown), done);
    assert_eq!(further(Migration::NotBegun, unknown), unknown);
}

#[test]
fn drift_is_told_in_words_and_a_host_that_is_right_has_none() {
    let right = Head { current: Some(release(1)), stable: Some(release(1)), ..head() };
    let truth = Truth::merge(std::iter::once(&right));
    assert_eq!(truth.drift(&right), None);
    let told = |change: &dyn Fn(&mut Head)| {
        let mut head = right.clone();
        change(&mut head);
        truth.drift(&head)
    };
    let says = |what: &str| Some(what.to_owned());
    assert!(told(&|head| head.current = Some(release(2))).is_some_and(|why| why.contains("not")));
    assert!(told(&|head| head.current = None).is_some_and(|why| why.starts_with("runs nothing")));
    assert_eq!(told(&|head| head.stable = None), says("does not know the stable release"));
    let undo = Some(Undo::Nothing);
    assert_eq!(told(&|head| head.undo = undo), says("still has an undo armed"));
    assert_eq!(
        told(&|head| head.rollout = opened(1, "a").rollout),
        says("still has a rollout open that is over")
    );
}

#[test]
fn a_host_drifts_that_runs_or_does_not_know_a_quarantined_release() {
    let entry = Quarantined {
        fence: fence(2),
        tree: None,
        reason: "it lost orders".to_owned(),
        active: true,
    };
    let knows = Head {
        current: Some(release(1)),
        stable: Some(release(1)),
        quarantine: [(release(2), entry)].into(),
        ..head()
    };
    let truth = Truth::merge(std::iter::once(&knows));
    assert_eq!(truth.drift(&knows), None);
    let ignorant = Head { quarantine: Default::default(), ..knows.clone() };
    assert_eq!(truth.drift(&ignorant).as_deref(), Some("does not know every quarantined release"));
    let runs = Head { current: Some(release(2)), ..knows };
    assert!(truth.drift(&runs).is_some_and(|why| why.contains("quarantined")));
}

/// Whoever writes under one fence writes one thing: values are made from their fence.
fn any_head() -> impl Strategy<Value = Head> {
    let number = || 0..6_u64;
    let maybe = || proptest::option::of(0..6_u64);
    (
        number(),
        maybe(),
        maybe(),
        maybe(),
        maybe(),
        proptest::collection::vec((1..4_u8, number()), 0..3),
    )
        .prop_map(|(stable, keeper, lock, rollout, over, quarantine)| {
            let small = |number: u64| u8::try_from(number).expect("it is small");
            let stamped_lock = |number: u64| {
                let reason = number.to_string();
                let lock = Lock { person: "anna".to_owned(), reason, at_ms: 0 };
                Stamped { fence: fence(number), value: (number.is_multiple_of(2)).then_some(lock) }
            };
            let entry = |number: u64| Quarantined {
                fence: fence(number),
                tree: None,
                reason: number.to_string(),
                active: number.is_multiple_of(2),
            };
            Head {
                fence: fence(stable),
                stable: Some(release(small(stable))),
                stable_fence: fence(stable),
                keeper: keeper.map(|number| Stamped {
                    fence: fence(number),
                    value: HostName::new(format!("web-{number}")),
                }),
                lock: lock.map(stamped_lock),
                rollout: rollout.map(|number| Stamped {
                    fence: fence(number),
                    value: open(&format!("r-{number}"), Migration::NotBegun),
                }),
                closed: over.map(|number| Stamped {
                    fence: fence(number),
                    value: RolloutId::new(format!("r-{}", number / 2)),
                }),
                quarantine: quarantine
                    .into_iter()
                    .map(|(which, number)| (release(which), entry(number)))
                    .collect(),
                ..head()
            }
        })
}

proptest! {
    #[test]
    fn the_order_of_heads_does_not_matter(
        heads in proptest::collection::vec(any_head(), 0..6),
        turns in 0..6_usize,
    ) {
        let truth = Truth::merge(heads.iter());
        let mut turned = heads.clone();
        turned.rotate_left(turns.min(heads.len()));
        prop_assert_eq!(&Truth::merge(turned.iter()), &truth);
        turned.reverse();
        prop_assert_eq!(&Truth::merge(turned.iter()), &truth);
    }

    #[test]
    fn hearing_a_head_twice_changes_nothing(
        heads in proptest::collection::vec(any_head(), 1..6),
    ) {
        let twice: Vec<Head> = heads.iter().chain(&heads).cloned().collect();
        prop_assert_eq!(Truth::merge(twice.iter()), Truth::merge(heads.iter()));
    }

    #[test]
    fn the_higher_fence_wins(heads in proptest::collection::vec(any_head(), 1..6)) {
        let truth = Truth::merge(heads.iter());
        let highest = heads.iter().map(|head| head.stable_fence.number).max();
        let of_truth = truth.stable.map(|stable| u64::from(stable.0.0[0]));
        prop_assert_eq!(of_truth, highest);
        for (release, entry) in heads.iter().flat_map(|head| &head.quarantine) {
            prop_assert!(truth.quarantine[release].fence >= entry.fence);
        }
        let keeper = heads.iter().filter_map(|head| head.keeper.as_ref()).map(|keeper| keeper.fence.number).max();
        prop_assert_eq!(
            truth.keeper.map(|keeper| keeper.to_string()),
            keeper.map(|number| format!("web-{number}"))
        );
    }

    #[test]
    fn what_is_open_was_closed_by_nobody(heads in proptest::collection::vec(any_head(), 0..6)) {
        let Some(found) = Truth::merge(heads.iter()).open else { return Ok(()) };
        for closed in heads.iter().filter_map(|head| head.closed.as_ref()) {
            prop_assert!(closed.value != found.open.id && closed.fence < found.fence);
        }
        for other in heads.iter().filter_map(|head| head.rollout.as_ref()) {
            prop_assert!(other.fence <= found.fence);
        }
    }
}
