//! The hosts of a rollout, with what every event asks of all of them kept beside them: who waits, who
//! is late, who failed, how many are out. So that an event costs the same in a fleet of ten and of ten
//! thousand. Nothing is kept here that does not follow from the hosts; a test derives it anew.

use std::ops::Index;

use friday_wire::HostName;

use super::host::{Heard, HostRun, HostState, Pace, Part, Probed, Ran, Serves, Stopped};
use crate::shared::{SharedMap, SharedSet};
use crate::time::Timestamp;

/// The hosts of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts {
    runs: SharedMap<HostName, HostRun>,
    waiting: SharedSet<HostName>,
    /// In flight, by deadline.
    due: SharedSet<(Timestamp, HostName)>,
    /// Failed or gone.
    failed: SharedSet<HostName>,
    /// Done, and found sick since.
    sick: SharedSet<HostName>,
    /// To be proved, and nobody asks them from outside.
    unprobed: SharedSet<HostName>,
    tally: Tally,
}

/// How many hosts are in what state, as far as budgets and ends ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// As they should be.
    pub done: usize,
    /// Cannot be reached.
    pub gone: usize,
    /// Ran nothing when they were asked.
    pub idle: usize,
    /// In flight, failed or gone.
    pub out: usize,
    /// Of these, the ones that ran nothing.
    pub out_idle: usize,
    /// Take no part, and did not answer the own raise.
    pub silent_aside: usize,
    /// An order takes them out of rotation.
    pub draining: usize,
    /// Served well when they were observed.
    pub well: usize,
    /// Of these, the ones that failed.
    pub well_failed: usize,
    /// Stopped for the migration.
    pub stopped: usize,
    /// Of these, the ones that wait.
    pub stopped_waiting: usize,
}

impl Tally {
    fn each(&mut self, run: &HostRun, count: impl Fn(&mut usize)) {
        let waits = run.at == HostState::Waiting;
        let failed = matches!(run.at, HostState::Failed { .. });
        let gone = matches!(run.at, HostState::Gone { .. });
        let idle = run.found.ran == Ran::Nothing;
        let out = failed || gone || run.at.is_in_flight();
        let draining = matches!(
            run.at,
            HostState::Ordered { pace: Pace::Drained, .. }
                | HostState::Looking { pace: Pace::Drained, .. }
        );
        let silent_aside = run.part == Part::Aside && run.found.heard == Heard::No;
        let well = run.found.serves == Serves::Well;
        let stopped = run.stopped == Stopped::Yes;
        for (holds, number) in [
            (run.at == HostState::Done, &mut self.done),
            (gone, &mut self.gone),
            (idle, &mut self.idle),
            (out, &mut self.out),
            (out && idle, &mut self.out_idle),
            (silent_aside, &mut self.silent_aside),
            (draining, &mut self.draining),
            (well, &mut self.well),
            (well && failed, &mut self.well_failed),
            (stopped, &mut self.stopped),
            (stopped && waits, &mut self.stopped_waiting),
        ] {
            if holds {
                count(number);
            }
        }
    }
}

impl Hosts {
    /// One host.
    pub fn get(&self, host: &HostName) -> Option<&HostRun> {
        self.runs.get(host)
    }

    /// Whether it is one of them.
    pub fn contains(&self, host: &HostName) -> bool {
        self.runs.contains_key(host)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&HostName, &HostRun)> {
        self.runs.iter()
    }

    /// Their names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &HostName> {
        self.runs.keys()
    }

    /// All, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &HostRun> {
        self.runs.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many are in what state.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Those whose turn has not come, by name.
    pub fn waiting(&self) -> impl Iterator<Item = &HostName> {
        self.waiting.iter()
    }

    /// How many of them there are.
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether an order is under way anywhere.
    pub fn any_in_flight(&self) -> bool {
        !self.due.is_empty()
    }

    /// When the first order under way must have ended.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// Those whose order should have ended by now, by name.
    pub fn late(&self, now: Timestamp) -> Vec<&HostName> {
        let due = self.due.iter().take_while(|(deadline, _)| *deadline <= now);
        let mut late: Vec<&HostName> = due.map(|(_, host)| host).collect();
        late.sort();
        late
    }

    /// Those that failed or are gone, by name.
    pub fn failed(&self) -> impl Iterator<Item = &HostName> {
        self.failed.iter()
    }

    /// How many of them there are.
    pub fn failed_len(&self) -> usize {
        self.failed.len()
    }

    /// Those that are done and were found sick since, by name.
    pub fn sick(&self) -> impl Iterator<Item = &HostName> {
        self.sick.iter()
    }

    /// Those to be proved that nobody asks from outside, by name.
    pub fn unprobed(&self) -> impl Iterator<Item = &HostName> {
        self.unprobed.iter()
    }

    /// Changes one host, and what is kept of it.
    ///
    /// # Errors
    /// When it is not one of them.
    pub(crate) fn change<T>(
        &mut self,
        host: &HostName,
        change: impl FnOnce(&mut HostRun) -> Result<T, String>,
    ) -> Result<T, String> {
        let run = self.runs.get_mut(host).ok_or_else(|| not_one(host))?;
        let before = run.clone();
        let changed = change(run)?;
        let after = run.clone();
        if before != after {
            self.unkeep(host, &before);
            self.keep(host, &after);
        }
        Ok(changed)
    }

    /// Changes every host.
    pub(crate) fn change_all(&mut self, change: impl Fn(&mut HostRun)) {
        let changed = self.runs.iter().map(|(host, run)| {
            let mut run = run.clone();
            change(&mut run);
            (host.clone(), run)
        });
        *self = changed.collect();
    }

    fn keep(&mut self, host: &HostName, run: &HostRun) {
        self.tally.each(run, |number| *number += 1);
        if run.at == HostState::Waiting {
            self.waiting.insert(host.clone());
        }
        if let Some(deadline) = run.at.deadline() {
            self.due.insert((deadline, host.clone()));
        }
        if is_lost(run) {
            self.failed.insert(host.clone());
        }
        if is_sick(run) {
            self.sick.insert(host.clone());
        }
        if is_unprobed(run) {
            self.unprobed.insert(host.clone());
        }
    }

    fn unkeep(&mut self, host: &HostName, run: &HostRun) {
        self.tally.each(run, |number| *number -= 1);
        if run.at == HostState::Waiting {
            self.waiting.remove(host);
        }
        if let Some(deadline) = run.at.deadline() {
            self.due.remove(&(deadline, host.clone()));
        }
        if is_lost(run) {
            self.failed.remove(host);
        }
        if is_sick(run) {
            self.sick.remove(host);
        }
        if is_unprobed(run) {
            self.unprobed.remove(host);
        }
    }
}

fn not_one(host: &HostName) -> String {
    format!("`{host}` is not of this rollout")
}

fn is_lost(run: &HostRun) -> bool {
    matches!(run.at, HostState::Failed { .. } | HostState::Gone { .. })
}

fn is_sick(run: &HostRun) -> bool {
    run.at == HostState::Done && !run.sick.is_empty()
}

fn is_unprobed(run: &HostRun) -> bool {
    matches!(run.at, HostState::Proving { .. }) && run.probed == Probed::No
}

impl FromIterator<(HostName, HostRun)> for Hosts {
    fn from_iter<I: IntoIterator<Item = (HostName, HostRun)>>(runs: I) -> Self {
        let mut hosts = Self { runs: runs.into_iter().collect(), ..Self::default() };
        let runs = hosts.runs.clone();
        runs.iter().for_each(|(host, run)| hosts.keep(host, run));
        hosts
    }
}

impl Index<&HostName> for Hosts {
    type Output = HostRun;

    fn index(&self, host: &HostName) -> &HostRun {
        &self.runs[host]
    }
}

#[cfg(test)]
mod tests;
