//! What pushes and rollbacks of a journal make of the chances.

use friday_wire::{HostName, Migration, OpenRollout, ReleaseId, RolloutId, RolloutKind, TreeId};

use super::Chances;
use crate::answer::Score;
use crate::config::{ReleaseFacts, parse};
use crate::controller::input::BackTo;
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::finding::{Gate, GateResult};
use crate::journal::intent::Intent;
use crate::rollout::plan::{Hour, HourGate};
use crate::time::Timestamp;
use crate::view::Chronicle;

const DAY_MS: i64 = 86_400_000;

struct Book {
    chronicle: Chronicle,
    pushes: u8,
}

impl Book {
    fn new() -> Self {
        Self { chronicle: Chronicle::default(), pushes: 0 }
    }

    fn take(&mut self, day: i64, event: &Event) {
        let _ = self.chronicle.take_in(Timestamp(day * DAY_MS), event);
    }

    fn begin(&mut self, day: i64, id: &str, intent: Intent) {
        let rollout = RolloutId::new(id);
        self.take(
            day,
            &Event::RolloutBegun { rollout, intent: Box::new(intent), because_of: None },
        );
    }

    fn end(&mut self, day: i64, id: &str, end: End) {
        self.take(day, &Event::RolloutEnded { rollout: RolloutId::new(id), end });
    }

    /// Each of another release.
    fn push(&mut self, day: i64, end: End) {
        self.push_at(day, None, end);
    }

    /// With what was expected of it.
    fn push_at(&mut self, day: i64, hour: Option<Hour>, end: End) {
        self.pushes += 1;
        let text = "name = \"shop\"\n[release]\npath = \"dist\"\n[hosts]\nweb = [\"local:1\"]\n";
        let settings = parse("friday.toml", text, None).expect("a configuration");
        let release = ReleaseId(friday_wire::Digest([self.pushes; 32]));
        let mut plan = settings.plan(ReleaseFacts {
            bytes: 0,
            files: 0,
            release,
            tree: TreeId(friday_wire::Digest([self.pushes; 32])),
            label: String::new(),
            secrets: None,
            quarantine_override: None,
            only: Vec::<HostName>::new(),
        });
        plan.hour = hour.map(Box::new);
        let id = format!("push-{}", self.pushes);
        self.begin(day, &id, Intent::Push { plan });
        self.end(day, &id, end);
    }

    fn chances(&self, day: i64) -> Chances {
        Chances::of_history(&self.chronicle, Timestamp(day * DAY_MS))
    }
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} and not {expected}");
}

#[test]
fn nothing_known_is_the_prior() {
    let chances = Book::new().chances(0);
    near(chances.harmful, 0.05);
    near(chances.detected, 0.6);
}

#[test]
fn pushes_count_half_after_half_a_year_and_those_that_reached_nobody_not_at_all() {
    let mut book = Book::new();
    (0..20).for_each(|_| book.push(0, End::Stable));
    book.push(0, End::Refused { reasons: Vec::new() });
    near(book.chances(0).harmful, 1.0 / 40.0);
    near(book.chances(180).harmful, 1.0 / 30.0);
}

fn rollback(automatic: bool) -> Intent {
    let text = "name = \"shop\"\n[release]\npath = \"dist\"\n[hosts]\nweb = [\"local:1\"]\n";
    Intent::Rollback {
        to: BackTo::LastStable,
        now: false,
        quarantine: true,
        reason: "it failed".to_owned(),
        automatic,
        migration: None,
        fleet: parse("friday.toml", text, None).expect("a configuration").fleet_plan(),
    }
}

#[test]
fn what_a_person_rolled_back_later_was_harmful_and_what_was_pushed_again_since_is_another_push() {
    let mut book = Book::new();
    book.push(1, End::Stable);
    book.begin(2, "back-1", rollback(false));
    let open = OpenRollout {
        id: RolloutId::new("back-1"),
        kind: RolloutKind::Rollback,
        release: None,
        returns_to: None,
        leaves: Some(ReleaseId(friday_wire::Digest([1; 32]))),
        migration: Migration::NotBegun,
    };
    let rollout = RolloutId::new("back-1");
    book.take(2, &Event::RolloutBound { rollout, open, once: Default::default() });
    book.end(2, "back-1", End::Converged);
    book.pushes = 0;
    book.push(3, End::Stable);
    let chances = book.chances(3);
    // Two pushes of one release, of which the first was taken off; it counts a little less for its two days.
    let old = 0.5_f64.powf(2.0 / 180.0);
    near(chances.harmful, (1.0 + old) / (20.0 + 1.0 + old));
}

#[test]
fn what_checks_saw_and_what_people_saw_are_told_apart() {
    let mut book = Book::new();
    book.begin(1, "back-1", rollback(true));
    book.push(1, End::TakenBack { by: RolloutId::new("back-1") });
    let seen = book.chances(1);
    near(seen.harmful, 2.0 / 21.0);
    near(seen.detected, 4.0 / 6.0);
    book.begin(1, "back-2", rollback(false));
    book.push(1, End::TakenBack { by: RolloutId::new("back-2") });
    let late = book.chances(1);
    near(late.harmful, 3.0 / 22.0);
    near(late.detected, 4.0 / 7.0);
}

/// An answer that gave this chance, and half an hour of waiting.
fn expects(harmful_ppm: u32, vouched: Option<&str>) -> Option<Hour> {
    let says = "nobody can act".to_owned();
    let vouched = vouched.map(str::to_owned);
    let gates = vec![HourGate { gate: Gate::Cover, result: GateResult::Fail, says, vouched }];
    Some(Hour {
        asked_at: Timestamp(0),
        gates,
        closed: Vec::new(),
        unattended_s: Some(1_800),
        harmful_ppm: Some(harmful_ppm),
    })
}

#[test]
fn a_journal_without_answers_has_no_score() {
    let mut book = Book::new();
    book.push(0, End::Stable);
    let score = Score::of(&book.chronicle);
    assert_eq!((score.pushes, score.brier), (0, 0.0));
    assert!(score.says()[0].starts_with("no push carries an answer yet"), "{:?}", score.says());
}

#[test]
fn answers_are_scored_by_what_came_of_their_pushes() {
    let mut book = Book::new();
    // Fine; seen by a check; taken off by a person a day later; never reached anybody; carried none.
    book.push_at(0, expects(100_000, None), End::Stable);
    book.begin(1, "auto", rollback(true));
    book.push_at(1, expects(200_000, None), End::TakenBack { by: RolloutId::new("auto") });
    book.push_at(
        2,
        expects(300_000, Some("it is mine")),
        End::TakenBack { by: RolloutId::new("anna") },
    );
    book.begin(3, "anna", rollback(false));
    book.push_at(4, expects(900_000, None), End::Refused { reasons: Vec::new() });
    book.push(5, End::Stable);

    let score = Score::of(&book.chronicle);
    assert_eq!((score.pushes, score.harmful), (3, 2));
    assert_eq!((score.vouched, score.vouched_harmful), (1, 1));
    near(score.expected_harmful, 0.6);
    near(score.brier, (0.01 + 0.64 + 0.49) / 3.0);
    near(score.brier_of_the_share, 2.0 / 9.0);
    near(score.expected_unattended_hours, 1.5);
    near(score.waited_hours_at_most, 24.0);
    assert_eq!(
        score.says(),
        [
            "3 answers can be scored: of the pushes 2 did harm, 0.6 were expected to",
            "Brier score 0.380; their bare share of harm, given each time, scores 0.222 (less is better)",
            "harm was expected to wait 1 h 30 min for somebody in all, and waited 24 h at most",
            "1 went against a gate, and 1 of them did harm; of the other 2, 1 did",
            "fewer than 20 tell little",
        ]
    );
}
