use friday_wire::Timetable;
use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A midnight, UTC.
const MIDNIGHT: i64 = 1_795_392_000_000;

fn times(at: &str) -> Times {
    let table = Timetable { at: at.to_owned(), timezone: None, deadline_ms: 1_000 };
    table.times(None).expect("well written")
}

fn each_minute(last_ms: Option<i64>) -> Pace {
    Pace::new(times("* * * * *"), last_ms)
}

/// What came of looks at these moments, counted from midnight; nothing at work.
fn calls(pace: &mut Pace, looks: &[i64]) -> Vec<Call> {
    let calls = looks.iter().map(|now| pace.look(MIDNIGHT + now, false));
    calls.filter(|call| *call != Call::None).collect()
}

fn run(due: i64) -> Call {
    Call::Run { due_ms: MIDNIGHT + due }
}

#[test]
fn each_time_is_run_once_however_often_one_looks() {
    let mut pace = each_minute(None);
    let looks: Vec<i64> = (0..36).map(|step| step * 5_000 + 1_000).collect();
    assert_eq!(calls(&mut pace, &looks), [run(MINUTE), run(2 * MINUTE)]);
    assert_eq!(pace.next_ms(), Some(MIDNIGHT + 3 * MINUTE));
}

#[test]
fn one_that_starts_at_its_very_time_waits_for_the_next() {
    let mut pace = Pace::new(times("0 0 * * *"), None);
    assert_eq!(calls(&mut pace, &[0, 1, 5_000]), []);
    assert_eq!(pace.next_ms(), Some(MIDNIGHT + DAY));
}

#[test]
fn a_clock_that_is_put_back_runs_no_time_again() {
    let mut pace = each_minute(None);
    assert_eq!(calls(&mut pace, &[1_000, MINUTE, 2 * MINUTE]), [run(MINUTE), run(2 * MINUTE)]);
    // Back to just after midnight: both were run already.
    assert_eq!(calls(&mut pace, &[2_000, MINUTE, 2 * MINUTE, 3 * MINUTE]), [run(3 * MINUTE)]);
    // A new process knows the last one from the record.
    let mut pace = each_minute(Some(MIDNIGHT + 3 * MINUTE));
    let looks: Vec<i64> = (0..5).map(|minute| minute * MINUTE + 1).collect();
    assert_eq!(calls(&mut pace, &looks), [run(4 * MINUTE)]);
}

#[test]
fn a_record_from_far_ahead_is_not_believed() {
    let mut pace = each_minute(Some(MIDNIGHT + 2 * DAY));
    assert_eq!(calls(&mut pace, &[1_000, MINUTE]), [run(MINUTE)]);
    // Nor what was run while the clock was wrong, once it was put right.
    let mut pace = each_minute(None);
    let wrong = [400 * DAY, 400 * DAY + MINUTE, 1_000, MINUTE];
    assert_eq!(calls(&mut pace, &wrong), [run(400 * DAY + MINUTE), run(MINUTE)]);
}

#[test]
fn what_passed_unseen_is_told_once_and_not_made_up_for() {
    let mut pace = Pace::new(times("0 * * * *"), None);
    let looks = [1_000, 5 * HOUR + 1_000, 6 * HOUR];
    let missed = Call::Missed { due_ms: MIDNIGHT + HOUR };
    assert_eq!(calls(&mut pace, &looks), [missed, run(6 * HOUR)]);
}

#[test]
fn who_comes_a_little_late_still_runs() {
    let mut pace = each_minute(None);
    assert_eq!(calls(&mut pace, &[1_000, MINUTE + 59_000]), [run(MINUTE)]);
    assert_eq!(pace.next_ms(), Some(MIDNIGHT + 2 * MINUTE));
}

#[test]
fn a_time_that_comes_while_the_last_run_is_at_work_is_left_out() {
    let mut pace = each_minute(None);
    assert_eq!(pace.look(MIDNIGHT + 1, false), Call::None);
    assert_eq!(pace.look(MIDNIGHT + MINUTE, false), run(MINUTE));
    assert_eq!(pace.look(MIDNIGHT + MINUTE + 1, true), Call::None);
    let left_out = Call::LeftOut { due_ms: MIDNIGHT + 2 * MINUTE };
    assert_eq!(pace.look(MIDNIGHT + 2 * MINUTE, true), left_out);
    assert_eq!(pace.look(MIDNIGHT + 2 * MINUTE + 1, false), Call::None, "it does not run late");
    assert_eq!(pace.look(MIDNIGHT + 3 * MINUTE, false), run(3 * MINUTE));
}

proptest! {
    /// Whatever the clock does within a day, no time is run twice, and none before the one before.
    #[test]
    fn runs_are_for_ever_later_times(
        steps in proptest::collection::vec((-2 * HOUR..2 * HOUR, any::<bool>(), any::<bool>()), 1..60),
    ) {
        let (mut now, mut last) = (MIDNIGHT, None);
        let mut pace = each_minute(None);
        for (step, at_work, starts_over) in steps {
            now = (now + step).clamp(MIDNIGHT, MIDNIGHT + DAY);
            if starts_over {
                pace = each_minute(last);
            }
            for look in 0..3 {
                if let Call::Run { due_ms } = pace.look(now + look * 5_000, at_work) {
                    prop_assert!(last.is_none_or(|last| due_ms > last));
                    prop_assert!(due_ms <= now + look * 5_000);
                    last = Some(due_ms);
                }
            }
        }
    }
}
