//! Invariants in a push: what must hold in guarded databases is judged before, in each wave, in the bake and
//! after it; what does not hold stops it and takes it back.

use friday_core::audit::audit;
use friday_core::controller::effect::{Asks, Effect};
use friday_core::controller::input::{BackTo, Command, Outcome, Way};
use friday_core::journal::event::End;
use friday_core::journal::intent::Intent;
use friday_core::journal::moment::Moment;
use friday_core::journal::round::Work;
use friday_core::journal::{Event, Position, Record};
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, MigrationPlan, Plan};
use friday_core::rollout::run::Phase;
use friday_wire::data::{Invariant, InvariantResult, Judged, Rule};
use friday_wire::{HostName, RolloutId};

use crate::restore_points;
use crate::scene::{Scene, release};

fn invariants() -> Vec<Invariant> {
    let invariant = |name: &str, rule| Invariant {
        name: name.to_owned(),
        sql: "SELECT 1".to_owned(),
        rule,
        timeout_ms: 5_000,
    };
    let change = Rule::Change { percent: "10".to_owned(), was: None };
    vec![invariant("no orphans", Rule::NoRows), invariant("orders", change)]
}

/// One database has two, the other none.
fn plan(scene: &Scene) -> Plan {
    let mut plan = restore_points::plan(scene);
    plan.databases[1].invariants = invariants();
    plan
}

/// Two hosts, and both databases drilled just now.
fn proven() -> Scene {
    restore_points::proven()
}

fn judged(orphans: InvariantResult, orders: InvariantResult) -> Outcome {
    let one = |name: &str, result| Judged { name: name.to_owned(), result, ms: 1 };
    Outcome::Judged(vec![one("no orphans", orphans), one("orders", orders)])
}

fn hold(value: &str) -> Outcome {
    let value = Some(value.to_owned());
    judged(InvariantResult::Holds { value: None }, InvariantResult::Holds { value })
}

fn broken() -> Outcome {
    let listed = Some("/srv/no-orphans.tsv".to_owned());
    let rows = InvariantResult::Broken { rows: 3, value: None, listed };
    judged(rows, InvariantResult::Holds { value: Some("100".to_owned()) })
}

fn unheard() -> Outcome {
    Outcome::Unknown { why: "the connection was lost".to_owned() }
}

fn migration(back: MigrationBack) -> MigrationPlan {
    MigrationPlan {
        command: "migrate".to_owned(),
        host: HostName::new("web-1"),
        back,
        back_undeclared: false,
        stop_all: false,
        timeout_ms: 60_000,
    }
}

/// What is said of the database, and the waves.
fn story(scene: &Scene) -> Vec<String> {
    let told = scene.events().into_iter().filter_map(|event| match event {
        Event::WorkBegun { work: Work::Migrate, .. } => Some("migration".to_owned()),
        Event::InvariantsJudged { moment, judged, .. } => {
            let holds = judged.iter().all(Judged::holds);
            Some(format!("{moment}: {}", if holds { "holds" } else { "broken" }))
        }
        Event::InvariantsUnknown { moment, .. } => Some(format!("{moment}: unknown")),
        Event::WaveBegun { wave, .. } => Some(format!("wave {wave}")),
        _ => None,
    });
    told.collect()
}

fn sound(scene: &Scene) {
    assert_eq!(audit(&scene.journal.0).expect("it opens"), []);
}

/// How the push was taken back: whether its release was quarantined, and for what.
fn taken_back(scene: &Scene) -> (bool, String) {
    assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
    assert_eq!(scene.running(), [Some(release(1))].into());
    let back = scene.events().into_iter().find_map(|event| match event {
        Event::RolloutBegun { intent, .. } => match *intent {
            Intent::Rollback { quarantine, reason, .. } => Some((quarantine, reason)),
            _ => None,
        },
        _ => None,
    });
    back.expect("a rollback")
}

#[test]
fn they_are_judged_before_after_the_migration_in_each_wave_and_after_the_bake() {
    let mut scene = proven();
    let plan = Plan { migration: Some(migration(MigrationBack::Safe)), ..plan(&scene) };
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert_eq!(
        story(&scene),
        [
            "before the push: holds",
            "migration",
            "after the migration: holds",
            "wave 1",
            "in wave 1: holds",
            "wave 2",
            "after the bake: holds",
        ]
    );
    // Waves, soak and bake ask beside that, and write nothing down.
    assert_eq!(scene.count_all("judge"), 8);
    sound(&scene);
}

#[test]
fn what_was_broken_before_ends_the_push_before_anything_is_switched() {
    let mut scene = proven();
    scene.script("", "judge", broken());
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let End::NotSwitched { reasons } = scene.end("push") else { panic!("{:?}", scene.end("push")) };
    assert_eq!(
        reasons[0].to_string(),
        "the invariant `no orphans` of the database `shop` was broken before this push: 3 rows, listed in `/srv/no-orphans.tsv` on the database's host"
    );
    assert!(reasons[0].hint().contains("nothing was switched"));
    assert_eq!(scene.count_all("switch"), 0);
    assert!(scene.controller.state().rollout(&RolloutId::new("push-back1")).is_none());
    sound(&scene);
}

#[test]
fn a_person_who_vouches_pushes_past_what_was_broken_before_and_past_nothing_else() {
    let mut scene = proven();
    (0..3).for_each(|_| scene.script("", "judge", broken()));
    let word = Some("they are being mended".to_owned());
    let vouched = Plan { invariants_override: word, ..plan(&scene) };
    let _ = scene.push("push", vouched.clone());
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    sound(&scene);

    let mut scene = proven();
    scene.script("", "judge", broken());
    let orders = InvariantResult::Broken { rows: 1, value: Some("50".to_owned()), listed: None };
    scene.script("", "judge", judged(InvariantResult::Holds { value: None }, orders));
    let _ = scene.push("push", vouched);
    scene.run();
    assert!(
        taken_back(&scene)
            .1
            .contains("`orders` of the database `shop` is broken in wave 1: it is 50")
    );
    sound(&scene);
}

#[test]
fn what_is_broken_in_a_wave_takes_the_release_back_everywhere_and_quarantines_it() {
    // Before; at once in the wave; then in its soak.
    for good in 1..=3 {
        let mut scene = proven();
        (0..good).for_each(|_| scene.script("", "judge", hold("100")));
        scene.script("", "judge", broken());
        let plan = plan(&scene);
        let _ = scene.push("push", plan);
        scene.run();
        let (quarantined, reason) = taken_back(&scene);
        assert!(quarantined);
        assert!(reason.contains("`no orphans` of the database `shop` is broken in wave 1: 3 rows"));
        assert_eq!(story(&scene).last().map(String::as_str), Some("in wave 1: broken"));
        sound(&scene);
    }
}

#[test]
fn what_is_broken_in_the_bake_or_at_its_end_takes_it_back_too() {
    // Before, wave 1, its soak, the end of that, wave 2; then the bake, and its end.
    for (good, moment) in [(5, Moment::Bake), (6, Moment::After)] {
        let mut scene = proven();
        (0..good).for_each(|_| scene.script("", "judge", hold("100")));
        scene.script("", "judge", broken());
        let plan = plan(&scene);
        let _ = scene.push("push", plan);
        scene.run();
        assert!(taken_back(&scene).0);
        assert_eq!(story(&scene).pop(), Some(format!("{moment}: broken")));
        sound(&scene);
    }
}

#[test]
fn a_change_is_measured_from_the_number_before_the_push() {
    let mut scene = proven();
    scene.script("", "judge", hold("70"));
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    let of = |scene: &Scene| -> Vec<(Asks, Option<String>)> {
        let owed = scene.controller.owed().values();
        owed.filter_map(|owed| match &owed.effect {
            Effect::Judge { asks, invariants, .. } => match &invariants[1].rule {
                Rule::Change { was, .. } => Some((*asks, was.clone())),
                _ => None,
            },
            _ => None,
        })
        .collect()
    };
    scene.until("it is judged before", |scene| !of(scene).is_empty());
    assert_eq!(of(&scene), [(Asks::Live, None)]);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    assert_eq!(of(&scene), [(Asks::Replica, Some("70".to_owned()))]);
    // So also when another process goes on.
    scene.friday_dies();
    let driver = scene.driver();
    let rollout = RolloutId::new("unused");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Forward });
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    assert_eq!(of(&scene), [(Asks::Replica, Some("70".to_owned()))]);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let before = |told: &&String| told.starts_with("before");
    assert_eq!(story(&scene).iter().filter(before).count(), 1);
    sound(&scene);
}

#[test]
fn what_could_not_be_asked_is_asked_again() {
    let mut scene = proven();
    let failed = InvariantResult::Failed { why: "it took longer than its time".to_owned() };
    (0..5).for_each(|_| scene.script("", "judge", unheard()));
    scene.script("", "judge", hold("100"));
    (0..4).for_each(|_| scene.script("", "judge", unheard()));
    scene.script("", "judge", hold("100"));
    (0..5).for_each(|_| scene.script("", "judge", unheard()));
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert!(!story(&scene).iter().any(|told| told.ends_with("unknown")));
    sound(&scene);

    // One that failed is no verdict about the others.
    let mut scene = proven();
    let rows = InvariantResult::Broken { rows: 1, value: None, listed: None };
    scene.script("", "judge", judged(rows, failed));
    let plan = self::plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    assert!(matches!(scene.end("push"), End::NotSwitched { .. }));
}

#[test]
fn a_database_that_nobody_can_ask_takes_the_push_back_and_accuses_no_release() {
    let mut scene = proven();
    scene.script("", "judge", hold("100"));
    (0..6).for_each(|_| scene.script("", "judge", unheard()));
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let (quarantined, reason) = taken_back(&scene);
    assert!(!quarantined);
    assert_eq!(
        reason,
        "the invariants of the database `shop` could not be asked in wave 1: the connection was lost"
    );
    sound(&scene);
}

#[test]
fn a_question_that_nobody_answers_has_failed_at_its_deadline() {
    let mut scene = proven();
    scene.wait("", "judge");
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let End::NotSwitched { reasons } = scene.end("push") else { panic!("it is not over") };
    assert!(reasons[0].to_string().ends_with("no answer in time"), "{reasons:?}");
    sound(&scene);
}

#[test]
fn after_a_one_way_migration_a_person_is_called() {
    let mut scene = proven();
    scene.script("", "judge", hold("100"));
    scene.script("", "judge", broken());
    let plan = Plan { migration: Some(migration(MigrationBack::OneWay)), ..plan(&scene) };
    let _ = scene.push("push", plan);
    scene.run();
    let push = scene.rollout("push");
    assert_eq!(push.phase, Phase::Held);
    assert!(matches!(
        push.reasons.as_slice(),
        [Reason::InvariantBroken { moment: Moment::Migrated, .. }, Reason::OneWay]
    ));
    // It is put right, and a person sends the push on.
    scene.friday_dies();
    let driver = scene.driver();
    let rollout = RolloutId::new("unused");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Forward });
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    sound(&scene);
}

#[test]
fn what_a_migration_breaks_is_taken_back_before_the_first_wave() {
    let mut scene = proven();
    scene.script("", "judge", hold("100"));
    scene.script("", "judge", broken());
    let back = MigrationBack::Command { command: "unmigrate".to_owned() };
    let plan = Plan { migration: Some(migration(back)), ..plan(&scene) };
    let _ = scene.push("push", plan);
    scene.run();
    assert!(taken_back(&scene).0);
    assert_eq!(scene.count_all("migrate back"), 1);
    assert_eq!(scene.count_all("switch"), 0);
    sound(&scene);
}

#[test]
fn neither_an_abort_nor_a_rollback_waits_for_a_verdict() {
    for aborts in [true, false] {
        let mut scene = proven();
        scene.script("", "judge", hold("100"));
        let plan = plan(&scene);
        let _ = scene.push("push", plan);
        scene.until("the first wave", |scene| scene.rollout("push").wave == 1);
        scene.wait("", "judge");
        scene.until("its soak is over", |scene| {
            matches!(scene.rollout("push").phase, Phase::Working { work: Work::JudgeWave, .. })
        });
        if aborts {
            let (rollout, person) = (RolloutId::new("back"), "anna".to_owned());
            let reason = "second thoughts".to_owned();
            let _ = scene.give(Command::Abort { rollout, person, reason });
        } else {
            scene.friday_dies();
            let (driver, fleet) = (scene.driver(), Box::new(scene.fleet()));
            let (rollout, to) = (RolloutId::new("back"), BackTo::LastStable);
            let reason = "it is late".to_owned();
            let (now, quarantine) = (false, true);
            let _ = scene.give(Command::Rollback {
                rollout,
                driver,
                to,
                now,
                quarantine,
                reason,
                fleet,
            });
        }
        let asked = scene.count_all("judge");
        scene.run();
        assert_eq!(*scene.end("back"), End::Converged);
        assert_eq!(scene.running(), [Some(release(1))].into());
        assert_eq!(scene.count_all("judge"), asked);
        sound(&scene);
    }
}

#[test]
fn the_audit_finds_a_wave_and_an_end_without_a_verdict() {
    let mut scene = proven();
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let without = |moment: Moment| {
        let (mut position, mut records) = (Position::START, Vec::new());
        for (record, event) in scene.journal.0.iter().zip(scene.events()) {
            if matches!(&event, Event::InvariantsJudged { moment: at, .. } if *at == moment) {
                continue;
            }
            let record = Record::after(&position, record.at, &event);
            position = record.position();
            records.push(record);
        }
        let found = audit(&records).expect("it opens");
        found.into_iter().map(|finding| (finding.promise, finding.says)).collect::<Vec<_>>()
    };
    let bare = |what: &str| (3, format!("push {what}, and `shop` was not known to hold"));
    assert_eq!(without(Moment::Before), [bare("began a wave"), bare("began a wave")]);
    assert_eq!(without(Moment::After), [bare("ended well")]);
    assert_eq!(without(Moment::Wave { wave: 1 }), []);
}
