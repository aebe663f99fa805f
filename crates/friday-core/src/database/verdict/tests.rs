//! Every combination of what a rehearsal can have come to.

use friday_wire::data::{
    Position, RehearsalReport, RehearsalStep, RehearsedStep, SchemaChange, StepResult,
};
use friday_wire::{BackupId, Digest, ReleaseId};

use super::{Judgement, Verdict};
use crate::rollout::plan::MigrationBack;

const STEPS: [RehearsalStep; 11] = [
    RehearsalStep::Migrate,
    RehearsalStep::NewHealth,
    RehearsalStep::NewWrite,
    RehearsalStep::NewInvariants,
    RehearsalStep::OldHealth,
    RehearsalStep::OldRead,
    RehearsalStep::OldInvariants,
    RehearsalStep::MigrateBack,
    RehearsalStep::BackHealth,
    RehearsalStep::BackRead,
    RehearsalStep::BackInvariants,
];

/// Steps that the team need not configure.
const OPTIONAL: [RehearsalStep; 6] = [
    RehearsalStep::NewWrite,
    RehearsalStep::NewInvariants,
    RehearsalStep::OldRead,
    RehearsalStep::OldInvariants,
    RehearsalStep::BackRead,
    RehearsalStep::BackInvariants,
];

fn failed() -> StepResult {
    StepResult::Failed { why: "exit status 1".to_owned() }
}

/// Everything passed, with a migration and a command that undoes it.
fn good() -> RehearsalReport {
    RehearsalReport {
        release: ReleaseId(Digest([2; 32])),
        old: Some(ReleaseId(Digest([1; 32]))),
        migration: Some("bin/migrate".to_owned()),
        back: Some("bin/migrate back".to_owned()),
        backup: BackupId::new("20260102T030405Z"),
        reached: Position::Sqlite { digest: Digest([3; 32]) },
        steps: STEPS.map(|step| RehearsedStep { step, ms: 5, result: StepResult::Passed }).to_vec(),
        schema: SchemaChange::Changed,
        locks: Vec::new(),
    }
}

fn without_migration() -> RehearsalReport {
    RehearsalReport { migration: None, back: None, schema: SchemaChange::None, ..good() }
}

fn with(mut report: RehearsalReport, changed: &[(RehearsalStep, StepResult)]) -> RehearsalReport {
    for (step, result) in changed {
        let of_it = report.steps.iter_mut().find(|known| known.step == *step);
        of_it.expect("every step stands there").result = result.clone();
    }
    report
}

fn verdict(report: &RehearsalReport) -> Verdict {
    Judgement::of(report).verdict
}

fn back() -> MigrationBack {
    MigrationBack::Command { command: "bin/migrate back".to_owned() }
}

#[test]
fn each_verdict_has_its_plain_case() {
    use RehearsalStep as S;
    assert_eq!(verdict(&without_migration()), Verdict::CodeOnly);
    assert_eq!(verdict(&good()), Verdict::Reversible);
    let silent = RehearsalReport { schema: SchemaChange::Changed, ..without_migration() };
    assert_eq!(verdict(&silent), Verdict::Reversible, "a release that changes the schema itself");
    let one = RehearsalReport { back: None, ..good() };
    for step in [S::OldRead, S::OldInvariants] {
        assert_eq!(verdict(&with(one.clone(), &[(step, failed())])), Verdict::NeedsDataRevert);
    }
    assert_eq!(verdict(&with(one, &[(S::OldHealth, failed())])), Verdict::OneWay);
    for step in [S::Migrate, S::NewHealth, S::NewWrite, S::NewInvariants] {
        assert_eq!(verdict(&with(good(), &[(step, failed())])), Verdict::Fails, "{step}");
    }
}

#[test]
fn a_push_without_a_migration_can_be_one_way_too() {
    let report = with(without_migration(), &[(RehearsalStep::OldHealth, failed())]);
    assert_eq!(verdict(&report), Verdict::OneWay);
    let report = with(without_migration(), &[(RehearsalStep::OldRead, failed())]);
    assert_eq!(verdict(&report), Verdict::NeedsDataRevert);
}

#[test]
fn a_migration_back_mends_what_it_was_seen_to_mend() {
    use RehearsalStep as S;
    let broken = with(good(), &[(S::OldHealth, failed())]);
    let judged = Judgement::of(&broken);
    assert_eq!(judged.verdict, Verdict::Reversible);
    assert!(judged.proves(&back()) && !judged.proves(&MigrationBack::Safe), "{}", judged.says());
    for step in [S::MigrateBack, S::BackHealth] {
        assert_eq!(verdict(&with(broken.clone(), &[(step, failed())])), Verdict::OneWay, "{step}");
        let untried = with(broken.clone(), &[(step, StepResult::Skipped)]);
        assert_eq!(verdict(&untried), Verdict::OneWay, "{step} was not tried");
    }
    for step in [S::BackRead, S::BackInvariants] {
        let report = with(broken.clone(), &[(step, failed())]);
        assert_eq!(verdict(&report), Verdict::NeedsDataRevert, "{step}");
    }
    // One that fails is no way back, though none would be needed.
    let judged = Judgement::of(&with(good(), &[(S::MigrateBack, failed())]));
    assert_eq!(judged.verdict, Verdict::Reversible);
    assert!(!judged.proves(&back()) && judged.proves(&MigrationBack::Safe), "{}", judged.says());
    assert!(judged.says().contains("the migration back failed: exit status 1"));
    // Nor is one that the report does not know of.
    let undeclared = RehearsalReport { back: None, ..broken };
    assert_eq!(verdict(&undeclared), Verdict::OneWay);
}

#[test]
fn without_an_old_release_nothing_must_work_again() {
    let first = |report| RehearsalReport { old: None, ..report };
    assert_eq!(verdict(&first(without_migration())), Verdict::CodeOnly);
    assert_eq!(verdict(&first(good())), Verdict::Reversible);
    let failing = with(first(good()), &[(RehearsalStep::NewHealth, failed())]);
    assert_eq!(verdict(&failing), Verdict::Fails);
}

#[test]
fn what_was_not_tried_is_named() {
    let untried = OPTIONAL.map(|step| (step, StepResult::Skipped));
    let judged = Judgement::of(&with(good(), &untried));
    assert_eq!(judged.verdict, Verdict::Reversible);
    assert_eq!(
        judged.says(),
        "reversible: the old release is healthy on what the new one left; no command wrote with the \
         new release; no command read with the old one; no invariant was asked"
    );
    let why = "reversible: the old release is healthy on what the new one left";
    assert_eq!(judged.says_why(), why);
    let needed = with(good(), &[(RehearsalStep::NewHealth, StepResult::Skipped)]);
    assert_eq!(Judgement::of(&needed).proved, ["the new release's health was not tried"]);
    let mut absent = good();
    absent.steps.retain(|step| step.step != RehearsalStep::OldHealth);
    absent.back = None;
    assert_eq!(verdict(&absent), Verdict::OneWay);
    assert!(Judgement::of(&good()).untried.is_empty());
}

/// Every report: each step passed, failed or skipped, with and without migration, way back, change of the
/// schema and old release. Where the push fails at the new release, the rest of it says no more.
fn each_report(mut look: impl FnMut(&RehearsalReport)) {
    let results = [StepResult::Passed, failed(), StepResult::Skipped];
    for shape in 0..16_u32 {
        let has = |bit: u32| shape >> bit & 1 == 1;
        let mut report = good();
        report.migration = report.migration.filter(|_| has(0));
        report.back = report.back.filter(|_| has(1));
        report.old = report.old.filter(|_| has(2));
        report.schema = if has(3) { SchemaChange::Changed } else { SchemaChange::None };
        for (steps, count) in [(&STEPS[..4], 81_usize), (&STEPS[4..], 2_187)] {
            for number in 0..count {
                let mut rest = number;
                let changed: Vec<(RehearsalStep, StepResult)> = steps
                    .iter()
                    .map(|step| {
                        let result = results[rest % 3].clone();
                        rest /= 3;
                        (*step, result)
                    })
                    .collect();
                look(&with(report.clone(), &changed));
            }
        }
    }
}

#[test]
fn a_verdict_and_the_ways_back_agree() {
    each_report(|report| {
        let judged = Judgement::of(report);
        let opens = judged.proves(&MigrationBack::Safe) || judged.proves(&back());
        assert_eq!(judged.verdict.lets_back(), opens, "{report:?}");
        assert_eq!(judged.proves(&MigrationBack::OneWay), judged.verdict != Verdict::Fails);
        assert!(!judged.proved.is_empty(), "nothing proved it: {report:?}");
    });
}

#[test]
fn nothing_gets_better_by_failing_nor_worse_by_not_being_configured() {
    each_report(|report| {
        let before = verdict(report);
        for step in STEPS {
            if report.result(step) != Some(&StepResult::Passed) {
                continue;
            }
            let fails = verdict(&with(report.clone(), &[(step, failed())]));
            assert!(fails >= before, "{step} fails: {before} becomes {fails}: {report:?}");
            if OPTIONAL.contains(&step) {
                let untried = verdict(&with(report.clone(), &[(step, StepResult::Skipped)]));
                assert_eq!(untried, before, "{step}: {report:?}");
            }
        }
    });
}
