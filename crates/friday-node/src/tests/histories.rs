//! Random histories: any requests in any order, faults, and deaths between any two steps.

use friday_wire::*;
use proptest::prelude::*;

use super::history::{History, LINES, Op};
use super::world::*;

fn op() -> impl Strategy<Value = Op> {
    let kinds =
        prop_oneof![Just(FenceKind::Push), Just(FenceKind::Rollback), Just(FenceKind::Sweep)];
    let rollouts = prop_oneof![
        3 => Just(RolloutKind::Push),
        2 => Just(RolloutKind::Rollback),
        1 => Just(RolloutKind::Sweep)
    ];
    let paces = prop_oneof![Just(BackPace::AtOnce), Just(BackPace::Drained)];
    let names = prop_oneof![
        Just(StepName::Switch),
        Just(StepName::Back),
        Just(StepName::Stage),
        Just(StepName::Stop),
        Just(StepName::Migrate)
    ];
    prop_oneof![
        3 => (kinds, 0..3_u64).prop_map(|(kind, more)| Op::Raise(kind, more)),
        4 => (rollouts, 1..4_u8).prop_map(|(kind, n)| Op::Open(kind, n)),
        2 => (1..4_u8).prop_map(Op::Ship),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(one_way, done)| Op::Migration(one_way, done)),
        8 => (1..4_u8, 0..5_u8, 1..4_u32)
            .prop_map(|(n, undo, attempt)| Op::Switch { n, undo, attempt }),
        6 => (0..4_u8, 0..4_u8, paces, 1..4_u32)
            .prop_map(|(to, leaves, pace, attempt)| Op::Back { to, leaves, pace, attempt }),
        5 => (1..4_u32, 0..90_000_u64).prop_map(|(attempt, hold)| Op::Stop(attempt, hold)),
        1 => (0..90_000_u64).prop_map(Op::Migrate),
        4 => Just(Op::Confirm),
        1 => any::<bool>().prop_map(Op::Once),
        3 => any::<bool>().prop_map(Op::Close),
        1 => (1..4_u8, any::<bool>()).prop_map(|(n, active)| Op::Quarantine(n, active)),
        1 => (names, 1..4_u32).prop_map(|(name, attempt)| Op::Seal(name, attempt)),
        8 => prop_oneof![0..3_000_u64, 5_000..20_000_u64, 30_000..90_000_u64].prop_map(Op::Wait),
        2 => (1..4_u8).prop_map(Op::Crash),
        1 => (1..4_u8).prop_map(Op::Sick),
        1 => (1..4_u8).prop_map(Op::Falling),
        1 => (0..LINES.len()).prop_map(Op::Failing),
        1 => (0..LINES.len()).prop_map(Op::Hanging),
        3 => Just(Op::Heal),
        2 => Just(Op::Restart),
        2 => Just(Op::Reboot),
        4 => (1..12_u32, any::<bool>()).prop_map(|(steps, reboot)| Op::DieWithin(steps, reboot)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_host_keeps_its_promises(
        setting in prop_oneof![
            Just(Setting::page()), Just(Setting::plain()), Just(Setting::beside()),
            Just(Setting::page().of_role("web").once()), Just(Setting::plain().of_role("jobs")),
            Just(Setting::beside().of_role("web").once())
        ],
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let mut history = History::new(setting);
        for op in &ops {
            history.take(op);
            history.check();
        }
        history.settle();
    }
}

#[test]
fn a_pointing_that_ends_after_it_was_given_up_is_put_right() {
    let mut history = History::new(Setting::page());
    for op in [
        Op::Raise(FenceKind::Push, 0),
        Op::Open(RolloutKind::Push, 2),
        Op::Stop(1, 7075),
        Op::Hanging(4),
        Op::Wait(35_000),
        Op::Switch { n: 2, undo: 0, attempt: 1 },
        Op::Back { to: 1, leaves: 0, pace: BackPace::AtOnce, attempt: 1 },
        Op::Wait(30_000),
    ] {
        history.take(&op);
        history.check();
    }
    history.settle();
}

#[test]
fn who_is_told_to_run_a_once_process_while_it_boots_starts_it() {
    let mut history = History::new(Setting::page().of_role("web").once());
    for op in [Op::Once(false), Op::Reboot, Op::Once(true)] {
        history.take(&op);
        history.check();
    }
    history.settle();
}

#[test]
fn what_must_not_start_any_more_keeps_no_boot_waiting() {
    let mut history = History::new(Setting::plain().of_role("jobs"));
    for op in [Op::Reboot, Op::Quarantine(1, true), Op::Once(true)] {
        history.take(&op);
        history.check();
    }
    history.settle();
}

#[test]
fn no_process_of_a_release_is_started_after_it_was_quarantined() {
    let mut history = History::new(Setting::page().of_role("web").once());
    let back = |to, leaves| Op::Back { to, leaves, pace: BackPace::AtOnce, attempt: 1 };
    for op in [
        Op::Hanging(3),
        Op::Open(RolloutKind::Push, 1),
        back(0, 2),
        Op::Open(RolloutKind::Push, 1),
        Op::Wait(0),
        back(1, 0),
        Op::Wait(30_000),
        Op::Quarantine(1, true),
    ] {
        history.take(&op);
        history.check();
    }
    history.settle();
}

#[test]
fn a_pointing_to_nothing_that_ends_late_is_put_right() {
    let mut history = History::new(Setting::page().of_role("web").once());
    for op in [
        Op::Once(false),
        Op::Falling(1),
        Op::Hanging(5),
        Op::Open(RolloutKind::Sweep, 1),
        Op::Reboot,
        Op::DieWithin(9, false),
        Op::Back { to: 0, leaves: 0, pace: BackPace::AtOnce, attempt: 1 },
        Op::Wait(6_446),
        Op::Wait(10_475),
        Op::Wait(13_079),
        Op::Raise(FenceKind::Push, 0),
    ] {
        history.take(&op);
        history.check();
    }
    history.settle();
}
