//! Jobs as people see them: when they run next and where, and how the last run went. Decides nothing: the
//! hosts keep the times.

use friday_wire::{HostName, JobEnd, JobFacts, JobOutcome, ProcessName, ProcessSpec, Spread};
use serde::Serialize;

use super::words::{count, duration, names};
use crate::config::Settings;
use crate::time::Timestamp;
use crate::zone;

/// The most hosts that are named in one line.
const NAMES_MAX: usize = 8;

/// A job of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobView {
    /// Its name.
    pub process: ProcessName,
    /// As the configuration writes it.
    pub at: String,
    /// `None`: UTC.
    pub timezone: Option<String>,
    /// Milliseconds since 1970.
    pub next_ms: Option<i64>,
    /// A run that takes longer is ended, milliseconds.
    pub deadline_ms: u64,
    /// It runs on one of the hosts only.
    pub once: bool,
    /// Where it runs, or may run.
    pub hosts: Vec<HostName>,
}

impl JobView {
    /// `report: next Tue 24 Nov 03:15 Europe/Berlin, on `jobs-1``.
    pub fn says(&self) -> String {
        let next = match self.next_ms {
            Some(next) => format!("next {}", zone::show(next, self.timezone.as_deref())),
            None => "no further time comes".to_owned(),
        };
        let hosts = names(self.hosts.iter().map(HostName::as_str), NAMES_MAX);
        let on = if self.once && self.hosts.len() > 1 { "on one of" } else { "on" };
        format!("{}: {next}, {on} {hosts}", self.process)
    }
}

/// The jobs of a configuration, with their next times after now. `holder` says which host runs a process
/// that runs once, where that is known.
pub fn jobs(
    settings: &Settings,
    holder: impl Fn(&ProcessName) -> Option<HostName>,
    now: Timestamp,
) -> Vec<JobView> {
    let view = |(process, spec): (&ProcessName, &ProcessSpec)| {
        let table = spec.timetable.as_ref()?;
        let of_roles = settings
            .hosts
            .iter()
            .filter(|host| spec.roles.iter().any(|role| role.as_str() == host.role))
            .map(|host| host.name.clone());
        let once = spec.spread == Spread::Once;
        let hosts = match holder(process).filter(|_| once) {
            Some(holder) => vec![holder],
            None => of_roles.collect(),
        };
        Some(JobView {
            process: process.clone(),
            at: table.at.clone(),
            timezone: table.timezone.clone(),
            next_ms: zone::times(table).and_then(|times| times.next(now.0)),
            deadline_ms: table.deadline_ms,
            once,
            hosts,
        })
    };
    settings.processes.named.iter().filter_map(view).collect()
}

/// Whether the last run of a job failed, or took too long. One that a switch broke off did not fail.
pub fn is_failing(job: &JobFacts) -> bool {
    let ended = job.last.as_ref().and_then(|last| last.ended.as_ref());
    ended.is_some_and(|ended| match ended.outcome {
        JobOutcome::Failed | JobOutcome::Late => true,
        JobOutcome::Done | JobOutcome::BrokenOff => false,
    })
}

/// What is worth a word of a job that a host has: when it runs next, and how the last run went.
pub fn says(job: &JobFacts, now: Timestamp) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(next) = job.next_ms {
        words.push(format!("next {}", zone::show(next, job.timezone.as_deref())));
    }
    let Some(last) = &job.last else {
        words.push("never ran here".to_owned());
        return words;
    };
    let ago =
        |at_ms: i64| format!("{} ago", duration(now.since_ms(Timestamp(at_ms)) / 1_000 * 1_000));
    words.push(match &last.ended {
        None => {
            let since = duration(now.since_ms(Timestamp(last.began_ms)) / 1_000 * 1_000);
            format!("at work for {since}")
        }
        Some(JobEnd { at_ms, outcome, status }) => {
            let ago = ago(*at_ms);
            match outcome {
                JobOutcome::Done => format!("ran well {ago}"),
                JobOutcome::Failed => format!("failed {ago}: {status}"),
                JobOutcome::Late => format!("ended {ago}: {status}"),
                JobOutcome::BrokenOff => format!("broken off {ago}: {status}"),
            }
        }
    });
    if last.left_out > 0 {
        words.push(format!("{} left out meanwhile", count(last.left_out as usize, "time")));
    }
    words
}

#[cfg(test)]
mod tests;
