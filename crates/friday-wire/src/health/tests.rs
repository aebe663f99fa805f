use proptest::prelude::*;

use super::*;

fn fail() -> Sample {
    Sample::Fail { why: "refused".to_owned() }
}

fn sick() -> HealthState {
    HealthState::Sick { why: "refused".to_owned() }
}

#[test]
fn healthy_needs_enough_passes_and_enough_time() {
    let spec = HealthSpec::default();
    let mut streak = Streak::default();
    for at_ms in [0, 5_000, 9_999] {
        assert_eq!(*streak.add(at_ms, &Sample::Pass, &spec), HealthState::Unproven);
    }
    assert_eq!(*streak.add(10_000, &Sample::Pass, &spec), HealthState::Healthy);

    let mut streak = Streak::default();
    streak.add(0, &Sample::Pass, &spec);
    assert_eq!(*streak.add(60_000, &Sample::Pass, &spec), HealthState::Unproven, "two passes");
    assert_eq!(*streak.add(60_001, &Sample::Pass, &spec), HealthState::Healthy);
}

#[test]
fn a_failure_begins_the_proof_anew_but_does_not_make_sick() {
    let spec = HealthSpec::default();
    let mut streak = Streak::default();
    streak.add(0, &Sample::Pass, &spec);
    streak.add(5_000, &Sample::Pass, &spec);
    assert!(streak.has_passed());
    assert_eq!(*streak.add(9_000, &fail(), &spec), HealthState::Unproven);
    assert!(!streak.has_passed());
    for at_ms in [10_000, 15_000] {
        assert_eq!(*streak.add(at_ms, &Sample::Pass, &spec), HealthState::Unproven);
    }
    assert_eq!(*streak.add(20_000, &Sample::Pass, &spec), HealthState::Healthy);
}

#[test]
fn healthy_turns_sick_after_failures_in_a_row_and_comes_back() {
    let spec = HealthSpec { steady_ms: 0, passes: 2, ..HealthSpec::default() };
    let mut streak = Streak::default();
    streak.add(0, &Sample::Pass, &spec);
    streak.add(1, &Sample::Pass, &spec);
    for at_ms in [2, 3] {
        assert_eq!(*streak.add(at_ms, &fail(), &spec), HealthState::Healthy);
    }
    assert_eq!(*streak.add(4, &fail(), &spec), sick());
    assert_eq!(*streak.add(5, &Sample::Pass, &spec), sick());
    assert_eq!(*streak.add(6, &Sample::Pass, &spec), HealthState::Healthy);
}

proptest! {
    #[test]
    fn it_is_healthy_only_after_passes_without_a_failure_between(
        samples in prop::collection::vec((any::<bool>(), 0..3_000_u64), 0..60)
    ) {
        let spec = HealthSpec { passes: 3, steady_ms: 4_000, ..HealthSpec::default() };
        let mut streak = Streak::default();
        let (mut now_ms, mut since_ms, mut passes) = (0, 0, 0);
        for (passed, pause_ms) in samples {
            now_ms += pause_ms;
            let before = streak.state().clone();
            if passed {
                if passes == 0 {
                    since_ms = now_ms;
                }
                passes += 1;
                streak.add(now_ms, &Sample::Pass, &spec);
            } else {
                passes = 0;
                streak.add(now_ms, &fail(), &spec);
            }
            let proven = passes >= 3 && now_ms - since_ms >= 4_000;
            if *streak.state() == HealthState::Healthy && before != HealthState::Healthy {
                prop_assert!(proven);
            }
            if proven {
                prop_assert_eq!(streak.state(), &HealthState::Healthy);
            }
        }
    }
}
