//! Shifts over each other, and what every moment comes to.

use proptest::prelude::*;

use super::{Cover, Duty, Shift, Shown, Who, timeline};
use crate::time::{Span, Timestamp};

fn span(from: i64, to: i64) -> Span {
    Span { from: Timestamp(from), to: Timestamp(to) }
}

fn shift(who: &str, from: i64, to: i64, duty: Duty) -> Shift {
    Shift {
        rota: "primary".to_owned(),
        who: Who::Person { name: who.to_owned() },
        span: span(from, to),
        duty,
        rule: "weekly".to_owned(),
        depth: 1,
    }
}

fn told(covers: &[Cover]) -> Vec<(i64, i64, Shown, String)> {
    let one = |cover: &Cover| (cover.from.0, cover.to.0, cover.shown, cover.people.join("+"));
    covers.iter().map(one).collect()
}

#[test]
fn moments_get_the_best_of_what_is_there() {
    let shifts = [
        shift("anna", 10, 30, Duty::OnCall),
        shift("bela", 20, 25, Duty::Attended),
        shift("anna", 40, 50, Duty::OnCall),
    ];
    let covers = timeline(span(0, 45), &shifts);
    let expected = [
        (0, 10, Shown::Gap, ""),
        (10, 20, Shown::OnCall, "anna"),
        (20, 25, Shown::Attended, "anna+bela"),
        (25, 30, Shown::OnCall, "anna"),
        (30, 40, Shown::Gap, ""),
        (40, 45, Shown::OnCall, "anna"),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(from, to, shown, who)| (from, to, shown, who.to_owned()))
        .collect();
    assert_eq!(told(&covers), expected);
}

#[test]
fn the_same_person_twice_is_one_and_thin_where_two_are_asked_for() {
    let two = |who, from, to| Shift { depth: 2, ..shift(who, from, to, Duty::OnCall) };
    let second = Shift { rota: "secondary".to_owned(), ..two("anna", 0, 10) };
    let covers =
        timeline(span(0, 10), &[two("anna", 0, 10), second, shift("bela", 5, 10, Duty::OnCall)]);
    assert_eq!(covers[0].shown, Shown::Thin);
    assert_eq!(covers[0].says, "primary: weekly; 1 of 2 people");
    assert_eq!(covers[1].shown, Shown::OnCall);
}

#[test]
fn what_is_not_known_is_no_gap_and_no_cover() {
    let stale = Shift {
        who: Who::Unknown { why: "the feed is 3 d old".to_owned() },
        ..shift("", 0, 10, Duty::OnCall)
    };
    let away = Shift {
        who: Who::Nobody { why: "chen is away".to_owned() },
        ..shift("", 0, 20, Duty::OnCall)
    };
    let covers = timeline(span(0, 30), &[stale, away]);
    let says: Vec<_> = covers.iter().map(|cover| (cover.shown, cover.says.as_str())).collect();
    assert_eq!(
        says,
        [
            (Shown::Unknown, "primary: the feed is 3 d old"),
            (Shown::Gap, "primary: chen is away"),
            (Shown::Gap, "no rota has anybody then"),
        ]
    );
    assert!(covers.iter().all(|cover| !cover.shown.can_act()));
}

proptest! {
    /// No holes, no overlaps, nothing outside, and never somebody whose shift does not hold the moment.
    #[test]
    fn every_moment_has_one_answer(
        shifts in prop::collection::vec((0_i64..100, 1_i64..40, 0..3_usize, any::<bool>()), 0..30)
    ) {
        let names = ["anna", "bela", "chen"];
        let shifts: Vec<Shift> = shifts
            .into_iter()
            .map(|(from, length, who, on_call)| {
                let duty = if on_call { Duty::OnCall } else { Duty::Attended };
                shift(names[who], from, from + length, duty)
            })
            .collect();
        let covers = timeline(span(10, 90), &shifts);
        prop_assert_eq!(covers.first().map(|cover| cover.from.0), Some(10));
        prop_assert_eq!(covers.last().map(|cover| cover.to.0), Some(90));
        for pair in covers.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
        }
        for at in 10..90 {
            let cover = covers.iter().find(|cover| cover.from.0 <= at && at < cover.to.0).unwrap();
            let mut there: Vec<&str> = shifts
                .iter()
                .filter(|shift| shift.span.from.0 <= at && at < shift.span.to.0)
                .map(|shift| match &shift.who { Who::Person { name } => name.as_str(), _ => "" })
                .collect();
            there.sort_unstable();
            there.dedup();
            prop_assert_eq!(&cover.people, &there);
            prop_assert_eq!(cover.shown.can_act(), !there.is_empty());
        }
    }
}
