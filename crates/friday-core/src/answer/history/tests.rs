//! What pushes and rollbacks of a journal make of the chances.

use friday_wire::{HostName, Migration, OpenRollout, ReleaseId, RolloutId, RolloutKind, TreeId};

use super::Chances;
use crate::config::{ReleaseFacts, parse};
use crate::controller::input::BackTo;
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::intent::Intent;
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
        self.pushes += 1;
        let text = "name = \"shop\"\n[release]\npath = \"dist\"\n[hosts]\nweb = [\"local:1\"]\n";
        let settings = parse("friday.toml", text, None).expect("a configuration");
        let release = ReleaseId(friday_wire::Digest([self.pushes; 32]));
        let plan = settings.plan(ReleaseFacts {
            bytes: 0,
            files: 0,
            release,
            tree: TreeId(friday_wire::Digest([self.pushes; 32])),
            label: String::new(),
            secrets: None,
            quarantine_override: None,
            only: Vec::<HostName>::new(),
        });
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
