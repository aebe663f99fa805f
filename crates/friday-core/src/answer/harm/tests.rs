//! The harm of pushes in a week with given hours of duty: the study's own table, to three digits.

use super::{Chances, harm, shown_by};
use crate::cover::{Duty, Shift, Who, timeline};
use crate::time::{Span, Timestamp};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Monday to Friday 09:00 to 18:00, and more hours on the first weekend: day of the week, from, to.
fn duty(weekend: &[(i64, i64, i64)]) -> Vec<Shift> {
    let weekdays = (0..14).filter(|day| day % 7 < 5).map(|day| (day, 9, 18));
    let all = weekdays.chain(weekend.iter().copied());
    let shift = |(day, from, to): (i64, i64, i64)| Shift {
        rota: "primary".to_owned(),
        who: Who::Person { name: "anna".to_owned() },
        span: Span {
            from: Timestamp(day * DAY + from * HOUR),
            to: Timestamp(day * DAY + to * HOUR),
        },
        duty: Duty::Attended,
        rule: "hours".to_owned(),
        depth: 1,
    };
    all.map(shift).collect()
}

/// With the chances of the study's worked example.
fn unattended(day: i64, minutes: i64, weekend: &[(i64, i64, i64)]) -> f64 {
    let start = Timestamp(day * DAY + minutes * 60_000);
    let chances = Chances { harmful: 0.04, detected: 0.6, taken_back: 0.9 };
    let covers = timeline(Span::after(start, super::TAIL_MS), &duty(weekend));
    harm(start, chances, &covers).unattended_hours
}

#[test]
fn the_worked_example_comes_out() {
    let sat = [(5, 10, 12)];
    let both = [(5, 10, 12), (6, 10, 12)];
    let morning = 9 * 60 + 30;
    let afternoon = 16 * 60 + 30;
    let table = [
        (unattended(0, morning, &[]), "0.038"),
        (unattended(3, morning, &[]), "0.069"),
        (unattended(1, afternoon, &[]), "0.086"),
        (unattended(4, morning, &[]), "0.157"),
        (unattended(4, afternoon, &[]), "0.385"),
        (unattended(4, afternoon, &sat), "0.119"),
        (unattended(4, afternoon, &both), "0.089"),
    ];
    for (found, expected) in table {
        assert_eq!(format!("{found:.3}"), expected);
    }
}

#[test]
fn harm_shows_once_and_never_less() {
    let mut before = 0.0;
    for tenth in 0..2_000 {
        let share = shown_by(f64::from(tenth) / 10.0);
        assert!((before..=1.0).contains(&share), "{tenth}: {share} after {before}");
        before = share;
    }
    assert!((shown_by(4.0) - 0.70).abs() < 1e-9 && (shown_by(168.0) - 1.0).abs() < 1e-9);
}

#[test]
fn the_largest_span_comes_first_and_all_of_them_are_the_sum() {
    let start = Timestamp(4 * DAY + 16 * HOUR);
    let chances = Chances { harmful: 0.04, detected: 0.6, taken_back: 0.9 };
    let covers = timeline(Span::after(start, super::TAIL_MS), &duty(&[]));
    let harm = harm(start, chances, &covers);
    let sum: f64 = harm.spans.iter().map(|span| span.hours).sum();
    assert!((sum - harm.unattended_hours).abs() < 1e-12);
    assert_eq!(harm.spans[0].from, Timestamp(4 * DAY + 18 * HOUR), "the weekend");
    assert_eq!(harm.spans[0].to, Timestamp(7 * DAY + 9 * HOUR));
}

#[test]
fn somebody_always_there_leaves_nothing() {
    let always = [Shift {
        span: Span { from: Timestamp(0), to: Timestamp(40 * DAY) },
        ..duty(&[])[0].clone()
    }];
    let start = Timestamp(DAY);
    let chances = Chances::of(0.0, 0.0, 0.0, 0.0);
    let covers = timeline(Span::after(start, super::TAIL_MS), &always);
    assert!(harm(start, chances, &covers).unattended_hours == 0.0);
}

#[test]
fn a_teams_own_pushes_move_the_prior_and_success_alone_does_not_end_it() {
    let chance = |pushes, harmful| Chances::of(pushes, harmful, 0.0, 0.0).harmful;
    assert!((chance(0.0, 0.0) - 0.05).abs() < 1e-9);
    assert!((chance(20.0, 5.0) - 0.15).abs() < 1e-9);
    assert!((chance(1e6, 0.0) - 0.005).abs() < 1e-9);
    assert!((chance(0.0, 1e9) - 1.0).abs() < 1e-9);
}
