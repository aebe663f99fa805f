//! Guarded databases in a push: no proof, no push; and no switch before each has its restore point.

use friday_core::audit::audit;
use friday_core::controller::effect::Effect;
use friday_core::controller::input::{BackTo, Command, Outcome, Way};
use friday_core::database::{DataAct, DataOutcome};
use friday_core::journal::event::End;
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::journal::round::Work;
use friday_core::journal::{Event, Record};
use friday_core::reason::Reason;
use friday_core::rollout::plan::{Hooks, MigrationBack, MigrationPlan, Plan, PlannedDatabase};
use friday_core::rollout::run::Phase;
use friday_core::view::DatabaseView;
use friday_wire::data::{DataPhase, DrillReport, Position, ScratchFacts};
use friday_wire::{BackupId, DataActId, DatabaseName, Digest, HostName, RolloutId};

use crate::scene::{Scene, release};

const DAY: u64 = 86_400_000;

fn report(rto_ms: u64) -> DrillReport {
    let position = Position::Sqlite { digest: Digest([5; 32]) };
    DrillReport {
        backup: BackupId::new("b"),
        target: position.clone(),
        reached: position,
        phases: Vec::new(),
        rto_ms,
        rpo_ms: Some(0),
        checks: Vec::new(),
        invariants: Vec::new(),
        scratch: ScratchFacts { path: "s".to_owned(), bytes: 1, warm_bytes: 0, kept: false },
        masked: None,
    }
}

/// What another process writes into the journal, which the driver takes in.
fn writes(scene: &mut Scene, event: &Event) {
    let record = Record::after(scene.controller.position(), scene.now, event);
    scene.controller.take_in(std::slice::from_ref(&record)).expect("it follows");
    scene.journal.0.push(record);
}

fn drills(scene: &mut Scene, database: &str, outcome: DataOutcome) {
    let act = DataActId::new(format!("act-{}", scene.journal.0.len()));
    let database = DatabaseName::new(database);
    let (person, what) = ("bela".to_owned(), DataAct::Drill);
    writes(
        scene,
        &Event::DataActBegun { act: act.clone(), person, database: database.clone(), what },
    );
    writes(scene, &Event::DataActEnded { act, database, outcome });
}

fn drilled(rto_ms: u64) -> DataOutcome {
    DataOutcome::Drilled { report: Box::new(report(rto_ms)) }
}

pub fn plan(scene: &Scene) -> Plan {
    let planned = |name: &str| PlannedDatabase {
        name: DatabaseName::new(name),
        point_timeout_ms: 60_000,
        drill_max_age_ms: 7 * DAY,
        recovery_time_ms: Some(60_000),
        rehearse: false,
        invariants: Vec::new(),
        invariants_every_ms: 30_000,
    };
    Plan { databases: vec![planned("notes"), planned("shop")], ..scene.plan() }
}

/// Two hosts, and both databases drilled just now.
pub fn proven() -> Scene {
    let mut scene = Scene::with_hosts(2);
    for database in ["notes", "shop"] {
        drills(&mut scene, database, drilled(5_000));
    }
    scene
}

fn judged(scene: &Scene) -> (GateResult, String) {
    let gate = scene.events().into_iter().rev().find_map(|event| match event {
        Event::GateJudged { gate: Gate::Recovery, result, says, .. } => Some((result, says)),
        _ => None,
    });
    gate.expect("it was judged")
}

fn story(scene: &Scene) -> Vec<&'static str> {
    let told = scene.events().into_iter().filter_map(|event| match event {
        Event::WorkBegun { work: Work::RestorePoints, .. } => Some("restore points"),
        Event::WorkBegun { work: Work::HookBefore, .. } => Some("hook"),
        Event::WorkBegun { work: Work::Migrate, .. } => Some("migration"),
        Event::RestorePointMade { .. } => Some("made"),
        Event::RestorePointUnknown { .. } => Some("unknown"),
        Event::RestorePointFailed { .. } => Some("failed"),
        Event::WaveBegun { .. } => Some("wave"),
        _ => None,
    });
    told.collect()
}

#[test]
fn each_database_has_one_before_hook_migration_and_waves() {
    let mut scene = proven();
    let migration = MigrationPlan {
        command: "migrate".to_owned(),
        host: HostName::new("web-1"),
        back: MigrationBack::Safe,
        back_undeclared: false,
        stop_all: false,
        timeout_ms: 60_000,
    };
    let hooks = Hooks { before: Some("true".to_owned()), timeout_ms: 1_000, ..Hooks::default() };
    let plan = Plan { migration: Some(migration), hooks, ..plan(&scene) };
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let wanted = ["restore points", "made", "made", "hook", "migration", "wave", "wave"];
    assert_eq!(story(&scene), wanted);
    let known = &scene.controller.state().databases[&DatabaseName::new("shop")];
    assert_eq!(known.points[&RolloutId::new("push")].name, "push");
    assert_eq!(
        judged(&scene),
        (
            GateResult::Pass,
            "`notes`: drilled 0.1 s ago, a recovery takes 5 s: 5 s replaying and all else; `shop`: drilled 0.1 s ago, a recovery takes 5 s: 5 s replaying and all else".to_owned()
        )
    );
    assert_eq!(audit(&scene.journal.0).expect("it opens"), []);
}

fn refusal(scene: &Scene) -> String {
    match scene.end("push") {
        End::Refused { reasons } => {
            reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_proof_there_is_no_push() {
    let mut scene = Scene::with_hosts(2);
    drills(&mut scene, "notes", drilled(5_000));
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(
        refusal(&scene),
        "the recovery of the database `shop` is not proven: no drill has proved that it can be restored"
    );
    assert_eq!(scene.count_all("open") + scene.count_all("point"), 0);
    assert_eq!(judged(&scene).0, GateResult::Fail);
}

#[test]
fn an_old_a_failed_and_a_slow_one_are_no_proof() {
    let failed = DataOutcome::Failed { phase: DataPhase::Replay, why: "a gap".to_owned() };
    for (outcome, later_ms, why) in [
        (drilled(5_000), 8 * DAY, "its last drill was 8 d ago, and the limit is 7 d"),
        (failed, 60_000, "the last drill failed 60 s ago while replaying: a gap"),
        (
            drilled(61_000),
            0,
            "a recovery would take 61 s: 61 s replaying and all else, and the team gives it 60 s",
        ),
    ] {
        let mut scene = proven();
        drills(&mut scene, "shop", outcome);
        scene.now = scene.now.plus_ms(later_ms);
        drills(&mut scene, "notes", drilled(5_000));
        let plan = plan(&scene);
        let _ = scene.push("push", plan);
        scene.run();
        let said = refusal(&scene);
        assert!(said.starts_with("the recovery of the database `shop` is not proven: "), "{said}");
        let close = |said: &str| said.replace("60.1 s", "60 s");
        assert!(close(&said).ends_with(why), "{said}");
    }
}

#[test]
fn a_plan_says_what_the_gate_will_say() {
    let mut scene = Scene::with_hosts(2);
    drills(&mut scene, "notes", drilled(5_000));
    scene.now = scene.now.plus_ms(3_600_000);
    let says = |scene: &Scene| -> Vec<String> {
        let known = &scene.controller.state().databases;
        let views = DatabaseView::of_plan(&plan(scene), known, scene.now);
        views.into_iter().map(|view| format!("{}: {}", view.database, view.says)).collect()
    };
    assert_eq!(
        says(&scene),
        [
            "notes: drilled 1 h ago, a recovery takes 5 s: 5 s replaying and all else; it may take 60 s",
            "shop: not proven: no drill has proved that it can be restored",
        ]
    );
}

#[test]
fn a_persons_word_stands_for_a_proof_and_is_seen() {
    let mut scene = Scene::with_hosts(2);
    let word = "its server is being replaced".to_owned();
    let plan = Plan { recovery_override: Some(word), ..plan(&scene) };
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let (result, says) = judged(&scene);
    assert_eq!(result, GateResult::Inconclusive);
    assert_eq!(
        says,
        "the recovery of the database `notes` is not proven: no drill has proved that it can be restored; it is pushed all the same: its server is being replaced"
    );
    assert_eq!(audit(&scene.journal.0).expect("it opens"), []);
}

#[test]
fn one_that_fails_ends_the_push_before_anything_is_switched() {
    let mut scene = proven();
    scene.script("", "point", Outcome::Failed { why: "its disk is full".to_owned() });
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let (database, why) = (DatabaseName::new("notes"), "its disk is full".to_owned());
    let reasons = vec![Reason::NoRestorePoint { database, why }];
    assert_eq!(*scene.end("push"), End::NotSwitched { reasons });
    assert_eq!(scene.count_all("switch"), 0);
    assert_eq!(scene.running(), [Some(release(1))].into());
}

#[test]
fn one_of_which_nothing_is_known_is_asked_again_under_its_name() {
    let unknown = || Outcome::Unknown { why: "the connection was lost".to_owned() };
    let mut scene = proven();
    (0..3).for_each(|_| scene.script("", "point", unknown()));
    let guarded = plan(&scene);
    let _ = scene.push("push", guarded.clone());
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert_eq!(scene.count_all("point"), 5);
    assert_eq!(story(&scene).iter().filter(|told| **told == "unknown").count(), 3);

    // A connection that breaks each time ends the push.
    let mut scene = proven();
    (0..30).for_each(|_| scene.script("", "point", unknown()));
    let _ = scene.push("push", guarded);
    scene.run();
    assert!(matches!(scene.end("push"), End::NotSwitched { .. }));
}

#[test]
fn one_that_never_ends_has_failed_at_its_deadline() {
    let mut scene = proven();
    scene.wait("", "point");
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let End::NotSwitched { reasons } = scene.end("push") else { panic!("it is not over") };
    assert!(reasons[0].to_string().ends_with("it was not safe in time"), "{reasons:?}");
}

#[test]
fn a_push_that_is_resumed_asks_for_what_lacks_under_the_same_name() {
    let mut scene = proven();
    scene.wait("", "point");
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    let working = |scene: &Scene| {
        matches!(scene.rollout("push").phase, Phase::Working { work: Work::RestorePoints, .. })
    };
    scene.until("restore points are asked for", working);
    let named = |scene: &Scene| -> Vec<(String, String)> {
        let owed = scene.controller.owed().values();
        owed.filter_map(|owed| match &owed.effect {
            Effect::Point { database, name, .. } => Some((database.to_string(), name.clone())),
            _ => None,
        })
        .collect()
    };
    let both = named(&scene);
    assert_eq!(both.len(), 2);
    scene.friday_dies();
    scene.answer_again("", "point");
    let driver = scene.driver();
    let rollout = RolloutId::new("unused");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Forward });
    scene.wait("", "point");
    scene.until("they are asked for again", working);
    assert_eq!(named(&scene), both);
    scene.answer_again("", "point");
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert_eq!(audit(&scene.journal.0).expect("it opens"), []);
}

#[test]
fn a_push_that_has_switched_goes_on_though_its_proof_has_become_too_old() {
    let mut scene = proven();
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    scene.friday_dies();
    scene.now = scene.now.plus_ms(30 * DAY);
    let driver = scene.driver();
    let rollout = RolloutId::new("unused");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Forward });
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    assert_eq!(scene.count_all("point"), 2, "both were there");
    assert_eq!(audit(&scene.journal.0).expect("it opens"), []);
}

#[test]
fn a_rollback_waits_for_none_of_it() {
    let mut scene = proven();
    scene.wait("", "point");
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.until("restore points are asked for", |scene| {
        matches!(scene.rollout("push").phase, Phase::Working { work: Work::RestorePoints, .. })
    });
    scene.friday_dies();
    scene.now = scene.now.plus_ms(30 * DAY);
    let (driver, fleet) = (scene.driver(), Box::new(scene.fleet()));
    let _ = scene.give(Command::Rollback {
        rollout: RolloutId::new("back"),
        driver,
        to: BackTo::LastStable,
        now: false,
        quarantine: true,
        reason: "it is late".to_owned(),
        fleet,
    });
    scene.run();
    assert_eq!(*scene.end("back"), End::Converged);
    assert!(matches!(scene.end("push"), End::TakenBack { .. }));
    assert_eq!(scene.count_all("point"), 0);
}

#[test]
fn the_audit_finds_a_wave_without_them() {
    let mut scene = proven();
    let plan = plan(&scene);
    let _ = scene.push("push", plan);
    scene.run();
    let without = |drop: fn(&Event) -> bool| {
        let mut position = friday_core::journal::Position::START;
        let mut records = Vec::new();
        for event in scene.events().iter().filter(|event| !drop(event)) {
            let record = Record::after(&position, scene.now, event);
            position = record.position();
            records.push(record);
        }
        let found = audit(&records).expect("they open");
        found.into_iter().map(|finding| (finding.promise, finding.says)).collect::<Vec<_>>()
    };
    let found = without(|event| matches!(event, Event::RestorePointMade { .. }));
    assert_eq!(found[0], (1, "push began a wave, and `notes` had no restore point".to_owned()));
    let gate = |event: &Event| matches!(event, Event::GateJudged { gate: Gate::Recovery, .. });
    let found = without(gate);
    assert_eq!(found[0], (1, "push began a wave, and no recovery of data was proven".to_owned()));
}
