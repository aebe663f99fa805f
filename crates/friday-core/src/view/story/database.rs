//! What happens beside guarded databases, as lines.

use friday_wire::data::{DrillReport, InvariantResult, Judged, RehearsalReport, RestorePoint};

use super::Tone;
use crate::database::{DataOutcome, Judgement, Verdict, measured};
use crate::journal::event::Event;
use crate::rollout::plan::MigrationBack;
use crate::view::words::{count, duration, size};

/// Tone, line, and what stands below it. Nothing for events that are about no database.
pub(super) fn told(event: &Event) -> (Tone, String, Vec<String>) {
    match event {
        Event::DataActBegun { person, database, what, .. } => {
            (Tone::Plain, format!("{person} begins a {} of `{database}`", what.noun()), Vec::new())
        }
        Event::DataActEnded { database, outcome, .. } => ended(database.as_str(), outcome),
        Event::WayBackDecided { database, back, says, .. } => {
            let (tone, decided) = match back {
                MigrationBack::Safe => (Tone::Plain, "the way back is open"),
                MigrationBack::Command { .. } => {
                    (Tone::Plain, "the migration back opens the way back")
                }
                MigrationBack::OneWay => (Tone::Warn, "nothing goes back by itself"),
            };
            (
                tone,
                format!("{decided}, as was rehearsed on a copy of `{database}`: {says}"),
                Vec::new(),
            )
        }
        Event::RestorePointMade { database, point, .. } => {
            (Tone::Plain, format!("`{database}` has a restore point: {}", place(point)), Vec::new())
        }
        Event::RestorePointFailed { database, why, .. } => {
            (Tone::Bad, format!("`{database}` got no restore point: {why}"), Vec::new())
        }
        Event::RestorePointUnknown { database, why, .. } => {
            let says =
                format!("not known whether `{database}` got a restore point ({why}); asking again");
            (Tone::Warn, says, Vec::new())
        }
        Event::InvariantsJudged { database, moment, judged, .. } => {
            let below = do_not_hold(judged);
            if below.is_empty() {
                let all = count(judged.len(), "invariant");
                return (Tone::Good, format!("`{database}` {moment}: {all}, all hold"), below);
            }
            (Tone::Bad, format!("`{database}` {moment}: what must hold in it does not"), below)
        }
        Event::InvariantsUnknown { database, moment, why, .. } => {
            let says = format!("`{database}` {moment}: its invariants could not be asked ({why})");
            (Tone::Bad, says, Vec::new())
        }
        _ => (Tone::Fine, String::new(), Vec::new()),
    }
}

/// A restore point for a sentence.
fn place(point: &RestorePoint) -> String {
    format!("{}, safe within {}", point.position, duration(point.durable_ms))
}

fn ended(database: &str, outcome: &DataOutcome) -> (Tone, String, Vec<String>) {
    match outcome {
        DataOutcome::BackedUp { backup, pruned } => {
            let (bytes, stored) = (size(backup.bytes), size(backup.stored));
            let took = duration(backup.took_ms);
            let kept = match pruned.len() {
                0 => String::new(),
                some => format!("; {} put away", count(some, "older backup")),
            };
            let says = format!(
                "`{database}` is backed up as {}: {bytes} as {stored}, in {took}{kept}",
                backup.id
            );
            (Tone::Good, says, Vec::new())
        }
        DataOutcome::Verified { report } => {
            let (backups, bytes) = (count(report.backups as usize, "backup"), size(report.bytes));
            if report.damage.is_empty() {
                return (
                    Tone::Good,
                    format!("{backups} of `{database}` are whole ({bytes} read)"),
                    Vec::new(),
                );
            }
            (Tone::Bad, format!("backups of `{database}` are damaged"), report.damage.clone())
        }
        DataOutcome::Drilled { report } => drilled(database, report),
        DataOutcome::Rehearsed { report } => rehearsed(database, report),
        DataOutcome::Failed { phase, why } => {
            (Tone::Bad, format!("it failed beside `{database}` while {phase}: {why}"), Vec::new())
        }
    }
}

/// One line for each invariant that is not known to hold.
fn do_not_hold(judged: &[Judged]) -> Vec<String> {
    let broken = judged.iter().filter(|judged| !judged.holds());
    broken
        .map(|judged| match &judged.result {
            InvariantResult::Failed { why } => {
                format!("`{}` could not be asked: {why}", judged.name)
            }
            InvariantResult::Broken { value: Some(value), .. } => {
                format!("`{}` does not hold: {value}", judged.name)
            }
            InvariantResult::Broken { rows, listed, .. } => {
                let rows = count(usize::try_from(*rows).unwrap_or(usize::MAX), "row");
                let listed = listed.as_ref().map(|path| format!(", listed in `{path}` there"));
                format!("`{}` does not hold: {rows}{}", judged.name, listed.unwrap_or_default())
            }
            InvariantResult::Holds { .. } => judged.name.clone(),
        })
        .collect()
}

fn drilled(database: &str, report: &DrillReport) -> (Tone, String, Vec<String>) {
    let took = duration(report.rto_ms);
    let below = do_not_hold(&report.invariants);
    if below.is_empty() {
        let says = format!(
            "`{database}` can be restored, as of {}: in {took}, and checked",
            report.reached
        );
        return (Tone::Good, says, below);
    }
    (
        Tone::Bad,
        format!("`{database}` was restored in {took}, and what must hold in it does not"),
        below,
    )
}

/// The verdict, and below it how long the migration took and whom it would have kept waiting.
fn rehearsed(database: &str, report: &RehearsalReport) -> (Tone, String, Vec<String>) {
    let judged = Judgement::of(report);
    let tone = match judged.verdict {
        Verdict::CodeOnly | Verdict::Reversible => Tone::Good,
        Verdict::NeedsDataRevert | Verdict::OneWay => Tone::Warn,
        Verdict::Fails => Tone::Bad,
    };
    let says = format!(
        "the push of {} was rehearsed on a copy of `{database}`: {}",
        report.release.short(),
        judged.verdict
    );
    let below = judged.proved.iter().chain(&judged.untried).cloned();
    (tone, says, below.chain(measured(report)).collect())
}

#[cfg(test)]
mod tests;
