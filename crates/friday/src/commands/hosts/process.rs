//! What is said of a host's processes: one line for all that run, and one for each job.

use friday_core::time::Timestamp;
use friday_core::view::host::Seen;
use friday_core::view::job;
use friday_core::view::words::count;
use friday_wire::{HealthState, Part, RunningProcess};

/// Of which jobs there is a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jobs {
    /// Of each.
    All,
    /// Of those whose last run failed.
    Failing,
}

/// The lines, for one moment.
pub(super) fn notes(seen: &Seen, which: Jobs, now: Timestamp) -> Vec<String> {
    let (jobs, others): (Vec<_>, Vec<_>) =
        seen.processes.iter().partition(|process| process.job.is_some());
    let mut notes = Vec::new();
    // The files that lead where nothing but jobs runs are no process.
    let others: Vec<String> = others
        .into_iter()
        .filter(|process| process.part != Part::Files)
        .map(|process| says(seen, process))
        .collect();
    if !others.is_empty() {
        notes.push(format!("runs {}", others.join(", ")));
    }
    for process in jobs {
        let Some(facts) = &process.job else { continue };
        let stopped = !process.running || process.health != HealthState::Healthy;
        if which == Jobs::Failing && !stopped && !job::is_failing(facts) {
            continue;
        }
        let of_job = job::says(facts, now);
        notes.push(format!("job {}: {}", says(seen, process), of_job.join(", ")));
    }
    notes
}

fn says(seen: &Seen, process: &RunningProcess) -> String {
    let mut words = Vec::new();
    if process.part.name().is_some_and(|name| seen.once.contains(name)) {
        words.push("once".to_owned());
    }
    match &process.health {
        _ if !process.running => words.push("not running".to_owned()),
        HealthState::Healthy => {}
        HealthState::Unproven => words.push("unproven".to_owned()),
        HealthState::Sick { .. } => words.push("sick".to_owned()),
    }
    if process.restarts > 0 && process.part.name().is_some() {
        words.push(count(process.restarts as usize, "restart"));
    }
    match words.as_slice() {
        [] => process.part.to_string(),
        words => format!("{} ({})", process.part, words.join(", ")),
    }
}
