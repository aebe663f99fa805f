//! Which rehearsal counts for a push, and which way back it leaves.

use friday_wire::data::{
    Position, RehearsalReport, RehearsalStep, RehearsedStep, SchemaChange, StepResult,
};
use friday_wire::{BackupId, Digest, HostName, ReleaseId};

use super::RehearsalDemand;
use crate::database::{DatabaseKnown, Rehearsed};
use crate::rollout::plan::{MigrationBack, MigrationPlan};
use crate::time::Timestamp;

const HOUR: u64 = 3_600_000;

fn release(number: u8) -> ReleaseId {
    ReleaseId(Digest([number; 32]))
}

fn migration(back: MigrationBack) -> MigrationPlan {
    MigrationPlan {
        command: "up".to_owned(),
        host: HostName::new("web-1"),
        back,
        back_undeclared: false,
        stop_all: false,
        timeout_ms: 1_000,
    }
}

fn undeclared() -> MigrationPlan {
    MigrationPlan { back_undeclared: true, ..migration(MigrationBack::OneWay) }
}

fn command() -> MigrationBack {
    MigrationBack::Command { command: "down".to_owned() }
}

fn demand(migration: Option<&MigrationPlan>) -> RehearsalDemand<'_> {
    RehearsalDemand {
        release: release(2),
        migration,
        old: Some(release(1)),
        max_age_ms: HOUR,
        asked_for: migration.is_some(),
    }
}

/// A rehearsal of a plan in which all but one step passed.
fn rehearsed(migration: Option<&MigrationPlan>, fails: Option<RehearsalStep>) -> DatabaseKnown {
    let steps = [
        RehearsalStep::Migrate,
        RehearsalStep::NewHealth,
        RehearsalStep::OldHealth,
        RehearsalStep::MigrateBack,
        RehearsalStep::BackHealth,
    ];
    let step = |step| {
        let why = "exit status 1".to_owned();
        let failed = fails == Some(step);
        let result = if failed { StepResult::Failed { why } } else { StepResult::Passed };
        RehearsedStep { step, ms: 5, result }
    };
    let report = RehearsalReport {
        release: release(2),
        old: Some(release(1)),
        migration: migration.map(|migration| migration.command.clone()),
        back: migration.and_then(|migration| match &migration.back {
            MigrationBack::Command { command } => Some(command.clone()),
            MigrationBack::Safe | MigrationBack::OneWay => None,
        }),
        backup: BackupId::new("b"),
        reached: Position::Sqlite { digest: Digest([3; 32]) },
        steps: steps.map(step).to_vec(),
        schema: SchemaChange::Changed,
        locks: Vec::new(),
    };
    let mut known = DatabaseKnown::default();
    known.rehearsals.insert(release(2), Rehearsed { at: Timestamp(0), report });
    known
}

/// `ok`, `nothing`, or why not.
fn judged(demand: &RehearsalDemand<'_>, known: &DatabaseKnown, now: u64) -> String {
    match demand.judge(Some(known), Timestamp(0).plus_ms(now)) {
        Ok(Some(_)) => "ok".to_owned(),
        Ok(None) => "nothing".to_owned(),
        Err(why) => why.to_string(),
    }
}

fn way_back(
    demand: &RehearsalDemand<'_>,
    known: &DatabaseKnown,
    now: u64,
) -> Option<MigrationBack> {
    let found = demand.find(Some(known), Timestamp(0).plus_ms(now)).expect("it is found");
    demand.way_back(&found)
}

#[test]
fn only_one_of_this_very_push_counts() {
    let plan = migration(MigrationBack::Safe);
    let known = rehearsed(Some(&plan), None);
    assert_eq!(judged(&demand(Some(&plan)), &known, 5), "ok");
    let never = "this release was not tried on a copy";
    assert_eq!(judged(&demand(Some(&plan)), &DatabaseKnown::default(), 5), never);
    let other = RehearsalDemand { release: release(3), ..demand(Some(&plan)) };
    assert_eq!(judged(&other, &known, 5), never);
    let other = RehearsalDemand { old: None, ..demand(Some(&plan)) };
    assert_eq!(
        judged(&other, &known, 5),
        "it was tried as a push over 010101010101, and nothing is stable now"
    );
    let other = MigrationPlan { command: "up --all".to_owned(), ..plan.clone() };
    let commands = "the commands of the migration are others than those that were tried";
    assert_eq!(judged(&demand(Some(&other)), &known, 5), commands);
    assert_eq!(judged(&demand(Some(&migration(command()))), &known, 5), commands);
    assert_eq!(judged(&demand(Some(&plan)), &known, HOUR), "ok");
    assert_eq!(
        judged(&demand(Some(&plan)), &known, HOUR + 1),
        "it was tried 1 h ago, and the limit is 1 h"
    );
}

#[test]
fn nothing_is_asked_of_a_push_that_does_not_migrate_but_what_is_known_counts() {
    let asked = demand(None);
    assert_eq!(judged(&asked, &DatabaseKnown::default(), 5), "nothing");
    let known = rehearsed(None, None);
    assert_eq!(judged(&asked, &known, 5), "ok");
    assert_eq!(way_back(&asked, &known, 5), None);
    let known = rehearsed(None, Some(RehearsalStep::OldHealth));
    let said = judged(&asked, &known, 90 * HOUR);
    assert!(said.starts_with("one-way: "), "{said}");
    assert!(said.ends_with("a push without a migration goes back by itself"), "{said}");
    assert_eq!(way_back(&asked, &known, 5), Some(MigrationBack::OneWay));
    // It is about another push where the migration is new.
    let plan = migration(MigrationBack::Safe);
    let other = RehearsalDemand { asked_for: false, ..demand(Some(&plan)) };
    assert_eq!(judged(&other, &known, 5), "nothing");
}

#[test]
fn a_verdict_worse_than_declared_stands_against_it_and_closes_the_way() {
    let fails = Some(RehearsalStep::OldHealth);
    let safe = migration(MigrationBack::Safe);
    let known = rehearsed(Some(&safe), fails);
    let said = judged(&demand(Some(&safe)), &known, 5);
    assert!(said.ends_with("`migrate_back` declares that going back is safe"), "{said}");
    assert_eq!(way_back(&demand(Some(&safe)), &known, 5), Some(MigrationBack::OneWay));
    // The command mends it.
    let back = migration(command());
    let known = rehearsed(Some(&back), fails);
    assert_eq!(judged(&demand(Some(&back)), &known, 5), "ok");
    assert_eq!(way_back(&demand(Some(&back)), &known, 5), Some(command()));
    let known = rehearsed(Some(&back), Some(RehearsalStep::MigrateBack));
    let said = judged(&demand(Some(&back)), &known, 5);
    assert!(said.contains("reversible: ") && said.ends_with("opens the way back"), "{said}");
    assert_eq!(way_back(&demand(Some(&back)), &known, 5), Some(MigrationBack::OneWay));
    // One-way was declared, and stays.
    let one_way = migration(MigrationBack::OneWay);
    for fails in [fails, None] {
        let known = rehearsed(Some(&one_way), fails);
        assert_eq!(judged(&demand(Some(&one_way)), &known, 5), "ok");
        assert_eq!(way_back(&demand(Some(&one_way)), &known, 5), Some(MigrationBack::OneWay));
    }
}

#[test]
fn where_nothing_is_declared_the_rehearsal_decides() {
    let plan = undeclared();
    let demand = demand(Some(&plan));
    let good = rehearsed(Some(&plan), None);
    assert_eq!(judged(&demand, &good, 5), "ok");
    assert_eq!(way_back(&demand, &good, 5), Some(MigrationBack::Safe));
    // Too old, it opens nothing, though a person vouches for the push.
    assert_eq!(way_back(&demand, &good, HOUR + 1), Some(MigrationBack::OneWay));
    let bad = rehearsed(Some(&plan), Some(RehearsalStep::OldHealth));
    assert_eq!(judged(&demand, &bad, 5), "ok");
    assert_eq!(way_back(&demand, &bad, 5), Some(MigrationBack::OneWay));
}

#[test]
fn a_push_that_fails_is_refused_and_says_nothing_of_the_way_back() {
    for plan in [migration(MigrationBack::Safe), migration(MigrationBack::OneWay), undeclared()] {
        let known = rehearsed(Some(&plan), Some(RehearsalStep::Migrate));
        let said = judged(&demand(Some(&plan)), &known, 5);
        assert!(said.starts_with("fails: the migration failed"), "{said}");
        assert_eq!(way_back(&demand(Some(&plan)), &known, 5), None);
    }
}
