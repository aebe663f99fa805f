//! Rehearsals in a push: none, no migration; and the way back goes by what was seen.

use friday_core::audit::audit;
use friday_core::controller::input::{Command, Way};
use friday_core::database::{DataAct, DataOutcome};
use friday_core::journal::event::End;
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::journal::{Event, Record};
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, MigrationPlan, Plan, PlannedDatabase};
use friday_core::rollout::run::Phase;
use friday_wire::data::{
    Position, RehearsalReport, RehearsalStep, RehearsedStep, SchemaChange, StepResult,
};
use friday_wire::{
    BackupId, DataActId, DatabaseName, Digest, Fault, HostName, Migration, RolloutId, StepKey,
    StepName, StepReport, StepState,
};

use crate::scene::{Scene, answers, release};

const DAY: u64 = 86_400_000;

/// What another process writes into the journal, which the driver takes in.
fn writes(scene: &mut Scene, event: &Event) {
    let record = Record::after(scene.controller.position(), scene.now, event);
    scene.controller.take_in(std::slice::from_ref(&record)).expect("it follows");
    scene.journal.0.push(record);
}

/// A push of release 2 over release 1 is rehearsed as planned; one step fails.
fn rehearses(scene: &mut Scene, plan: &Plan, fails: Option<RehearsalStep>) {
    let act = DataActId::new(format!("act-{}", scene.journal.0.len()));
    let database = DatabaseName::new("shop");
    let (person, what) = ("bela".to_owned(), DataAct::Rehearsal);
    let steps = [
        RehearsalStep::Migrate,
        RehearsalStep::NewHealth,
        RehearsalStep::OldHealth,
        RehearsalStep::MigrateBack,
        RehearsalStep::BackHealth,
    ];
    let step = |step| {
        let failed = StepResult::Failed { why: "no column `paid`".to_owned() };
        let result = if fails == Some(step) { failed } else { StepResult::Passed };
        RehearsedStep { step, ms: 5, result }
    };
    let migration = plan.migration.as_ref();
    let report = RehearsalReport {
        release: plan.release,
        old: Some(release(1)),
        migration: migration.map(|migration| migration.command.clone()),
        back: migration.and_then(|migration| match &migration.back {
            MigrationBack::Command { command } => Some(command.clone()),
            MigrationBack::Safe | MigrationBack::OneWay => None,
        }),
        backup: BackupId::new("b"),
        reached: Position::Sqlite { digest: Digest([5; 32]) },
        steps: steps.map(step).to_vec(),
        schema: SchemaChange::Changed,
        locks: Vec::new(),
    };
    let begun = Event::DataActBegun { act: act.clone(), person, database: database.clone(), what };
    writes(scene, &begun);
    let outcome = DataOutcome::Rehearsed { report: Box::new(report) };
    writes(scene, &Event::DataActEnded { act, database, outcome });
}

/// Nobody drilled: a person vouches for that.
fn plan(scene: &Scene, back: Option<MigrationBack>) -> Plan {
    let planned = PlannedDatabase {
        name: DatabaseName::new("shop"),
        point_timeout_ms: 60_000,
        drill_max_age_ms: 7 * DAY,
        recovery_time_ms: None,
        rehearse: true,
        invariants: Vec::new(),
        invariants_every_ms: 30_000,
    };
    let migration = MigrationPlan {
        command: "up".to_owned(),
        host: HostName::new("web-1"),
        back_undeclared: back.is_none(),
        back: back.unwrap_or(MigrationBack::OneWay),
        stop_all: false,
        timeout_ms: 60_000,
    };
    Plan {
        databases: vec![planned],
        migration: Some(migration),
        recovery_override: Some("it is a test".to_owned()),
        ..scene.plan()
    }
}

/// A switch of the first wave fails.
fn switch_fails(scene: &mut Scene) {
    let key = StepKey { rollout: RolloutId::new("push"), step: StepName::Switch, attempt: 1 };
    let why = "exited with 1".to_owned();
    let state = StepState::Failed { why, log: Vec::new(), fault: Fault::Release };
    scene.script("web-2", "switch", answers(friday_wire::Answer::Step(StepReport { key, state })));
}

fn judged(scene: &Scene) -> Option<(GateResult, String)> {
    scene.events().into_iter().rev().find_map(|event| match event {
        Event::GateJudged { gate: Gate::Rehearsed, result, says, .. } => Some((result, says)),
        _ => None,
    })
}

fn sound(scene: &Scene) {
    assert_eq!(audit(&scene.journal.0).expect("it opens"), []);
}

#[test]
fn a_push_that_migrates_and_was_not_rehearsed_is_refused() {
    let mut scene = Scene::with_hosts(2);
    let plan = plan(&scene, Some(MigrationBack::Safe));
    let _ = scene.push("push", plan.clone());
    scene.run();
    let End::Refused { reasons } = scene.end("push") else { panic!("{:?}", scene.end("push")) };
    assert_eq!(
        reasons[0].to_string(),
        "the rehearsal on the database `shop` does not let it pass: this release was not tried on a copy"
    );
    assert!(reasons[0].hint().contains("friday rehearse"));
    assert!(reasons[0].hint().contains("--override rehearsal"));
    assert_eq!(scene.count_all("open") + scene.count_all("migrate"), 0);

    // A person's word lets it pass, and is seen.
    let word = Some("the copy's host is down".to_owned());
    let _ = scene.push("again", Plan { rehearsal_override: word, ..plan });
    scene.run();
    assert_eq!(*scene.end("again"), End::Stable);
    let (result, says) = judged(&scene).expect("it was judged");
    assert_eq!(result, GateResult::Inconclusive);
    assert!(says.ends_with("it is pushed all the same: the copy's host is down"), "{says}");
    sound(&scene);
}

#[test]
fn the_stable_release_needs_no_rehearsal_over_itself() {
    let mut scene = Scene::with_hosts(2);
    let plan = plan(&scene, Some(MigrationBack::Safe));
    let _ = scene.push("push", Plan { release: release(1), ..plan });
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    let (result, says) = judged(&scene).expect("it was judged");
    assert_eq!(
        (result, says.as_str()),
        (GateResult::Pass, "`shop`: the release is the stable one already")
    );
    sound(&scene);
}

#[test]
fn nothing_is_judged_where_nothing_is_to_be_rehearsed() {
    let mut scene = Scene::with_hosts(2);
    let mut plan = plan(&scene, Some(MigrationBack::Safe));
    plan.databases[0].rehearse = false;
    let _ = scene.push("push", plan);
    scene.run();
    assert_eq!((scene.end("push"), judged(&scene)), (&End::Stable, None));
}

#[test]
fn what_was_rehearsed_as_reversible_goes_back_by_itself() {
    let command = MigrationBack::Command { command: "down".to_owned() };
    for back in [None, Some(MigrationBack::Safe), Some(command.clone())] {
        let mut scene = Scene::with_hosts(2);
        let plan = plan(&scene, back.clone());
        rehearses(&mut scene, &plan, None);
        switch_fails(&mut scene);
        let _ = scene.push("push", plan);
        scene.run();
        assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
        let (result, says) = judged(&scene).expect("it was judged");
        assert_eq!(result, GateResult::Pass);
        assert!(says.contains("reversible: "), "{says}");
        let undone = usize::from(back == Some(command.clone()));
        assert_eq!(scene.count_all("migrate back"), undone);
        sound(&scene);
    }
}

#[test]
fn what_was_rehearsed_as_one_way_holds_and_says_what_each_choice_costs() {
    let mut scene = Scene::with_hosts(2);
    let plan = plan(&scene, None);
    rehearses(&mut scene, &plan, Some(RehearsalStep::OldHealth));
    switch_fails(&mut scene);
    let _ = scene.push("push", plan);
    scene.run();
    let push = scene.rollout("push");
    assert_eq!(push.phase, Phase::Held);
    assert_eq!(push.migration, Migration::Done { one_way: true });
    let last = push.reasons.last().map(ToString::to_string).unwrap_or_default();
    assert_eq!(
        last,
        "the rehearsal on a copy of `shop` showed it one-way: the old release's health on the new \
         data failed: no column `paid`. Going on loses nothing and keeps the new release's faults; \
         going back runs the old release on data that it was not seen to work with, until that is put \
         right; returning `shop` to its restore point takes a time that no drill has told, and loses \
         what was written since"
    );
    assert_eq!(scene.count_all("back"), 0);
    sound(&scene);
    scene.replays();
}

#[test]
fn a_word_for_a_bad_rehearsal_lets_it_pass_and_not_go_back_by_itself() {
    for back in [MigrationBack::Safe, MigrationBack::Command { command: "down".to_owned() }] {
        let mut scene = Scene::with_hosts(2);
        let mut plan = plan(&scene, Some(back.clone()));
        rehearses(&mut scene, &plan, Some(RehearsalStep::OldHealth));
        if back != MigrationBack::Safe {
            rehearses(&mut scene, &plan, Some(RehearsalStep::MigrateBack));
        }
        let _ = scene.push("refused", plan.clone());
        scene.run();
        assert!(matches!(scene.end("refused"), End::Refused { .. }));
        plan.rehearsal_override = Some("nobody writes at night".to_owned());
        switch_fails(&mut scene);
        let _ = scene.push("push", plan);
        scene.run();
        let push = scene.rollout("push");
        assert_eq!(push.phase, Phase::Held, "{back:?}");
        assert!(push.reasons.iter().any(|why| matches!(why, Reason::WayBackBarred { .. })));
        assert_eq!(scene.count_all("back") + scene.count_all("migrate back"), 0);
        sound(&scene);
    }
}

#[test]
fn a_push_without_a_migration_that_was_rehearsed_as_one_way_is_refused_or_holds() {
    let mut scene = Scene::with_hosts(2);
    let mut plan = Plan { migration: None, ..plan(&scene, None) };
    rehearses(&mut scene, &plan, Some(RehearsalStep::OldHealth));
    let _ = scene.push("refused", plan.clone());
    scene.run();
    assert!(matches!(scene.end("refused"), End::Refused { .. }));
    plan.rehearsal_override = Some("nobody writes at night".to_owned());
    let _ = scene.push("push", plan);
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    let sample = friday_wire::Sample::Fail { why: "timed out".to_owned() };
    let host = HostName::new("web-2");
    let _ = scene.take(friday_core::controller::input::Input::Sampled { host, sample });
    scene.run();
    let push = scene.rollout("push");
    assert_eq!(push.phase, Phase::Held);
    assert!(push.reasons.iter().any(|why| matches!(why, Reason::WayBackBarred { .. })));
    assert_eq!(scene.count_all("back"), 0);
    // A person's word takes it off.
    let driver = scene.driver();
    let rollout = RolloutId::new("back");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Back });
    scene.run();
    assert!(matches!(scene.end("push"), End::TakenBack { .. }), "{:?}", scene.end("push"));
    assert_eq!(scene.running(), [Some(release(1))].into());
    sound(&scene);
}

#[test]
fn what_was_decided_stays_though_it_is_rehearsed_otherwise_meanwhile() {
    let mut scene = Scene::with_hosts(2);
    let plan = plan(&scene, None);
    rehearses(&mut scene, &plan, Some(RehearsalStep::OldHealth));
    let _ = scene.push("push", plan.clone());
    scene.until("it soaks", |scene| matches!(scene.rollout("push").phase, Phase::Soak { .. }));
    rehearses(&mut scene, &plan, None);
    scene.friday_dies();
    scene.now = scene.now.plus_ms(30 * DAY);
    let driver = scene.driver();
    let rollout = RolloutId::new("unused");
    let _ = scene.give(Command::Resume { rollout, driver, way: Way::Forward });
    scene.until("it soaks again", |scene| {
        matches!(scene.rollout("push").phase, Phase::Soak { .. } | Phase::Bake { .. })
    });
    let decided = scene.rollout("push").way_back.as_ref().expect("it was decided");
    assert_eq!(decided.back, MigrationBack::OneWay);
    scene.run();
    assert_eq!(*scene.end("push"), End::Stable);
    sound(&scene);
}

#[test]
fn the_audit_sees_what_was_not_rehearsed_and_what_went_back_all_the_same() {
    let mut scene = Scene::with_hosts(2);
    let plan = plan(&scene, Some(MigrationBack::Safe));
    rehearses(&mut scene, &plan, None);
    switch_fails(&mut scene);
    let _ = scene.push("push", plan);
    scene.run();
    sound(&scene);
    // The same story with another word in it.
    let told = |change: &dyn Fn(Event) -> Event| {
        let mut records: Vec<Record> = Vec::new();
        for event in scene.events() {
            let after =
                records.last().map_or(friday_core::journal::Position::START, Record::position);
            records.push(Record::after(&after, scene.now, &change(event)));
        }
        audit(&records).expect("it opens")
    };
    let found = told(&|event| match event {
        Event::GateJudged { rollout, gate: Gate::Rehearsed, says, .. } => {
            Event::GateJudged { rollout, gate: Gate::Rehearsed, result: GateResult::Fail, says }
        }
        other => other,
    });
    assert!(found.iter().any(|found| found.says.contains("was not rehearsed")), "{found:?}");
    let found = told(&|event| match event {
        Event::WayBackDecided { rollout, database, says, .. } => {
            Event::WayBackDecided { rollout, database, back: MigrationBack::OneWay, says }
        }
        other => other,
    });
    assert!(found.iter().any(|found| found.says.contains("barred that")), "{found:?}");
}
