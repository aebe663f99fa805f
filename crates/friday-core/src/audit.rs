//! The promises, checked over a journal alone: what `friday log verify` and the simulator run over
//! every history. Each check is named after its promise; a finding names the record.
//!
//! A journal cannot tell what hosts really did; that is the simulator's and the real fleet's to check.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::data::Judged;
use friday_wire::{DatabaseName, HostName, Migration, ReleaseId, RolloutId};
use serde::Serialize;

use crate::journal::event::End;
use crate::journal::finding::{Fact, Gate, GateResult};
use crate::journal::intent::Intent;
use crate::journal::moment::Moment;
use crate::journal::round::{HostAnswer, RoundAsk, Work};
use crate::journal::{Event, Record, RecordError};
use crate::rollout::budget::out_allowed;
use crate::rollout::plan::{Closed, MigrationBack, PlannedDatabase};
use crate::time::Timestamp;

/// A promise that a journal shows broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its number in `docs/promises.md`.
    pub promise: u8,
    /// The record that shows it.
    pub seq: u64,
    /// How.
    pub says: String,
}

/// What the audit remembers of a rollout.
#[derive(Default)]
struct Seen {
    way_back: bool,
    hosts: BTreeSet<HostName>,
    served: BTreeSet<HostName>,
    in_flight: BTreeSet<HostName>,
    /// Every host is being stopped, as the plan says.
    stops_all: bool,
    /// Hosts that stay stopped after a one-way migration began: nobody takes them out.
    down: BTreeSet<HostName>,
    one_way: bool,
    percent: u32,
    is_push: bool,
    observed: BTreeSet<HostName>,
    round: Option<RoundAsk>,
    release: Option<ReleaseId>,
    /// Guarded databases that have no restore point yet.
    unmarked: BTreeSet<DatabaseName>,
    /// Guarded databases in which something must hold that have not said yet, before anything was switched,
    /// that it does.
    unjudged: BTreeSet<DatabaseName>,
    /// Those that said since that something does not.
    broken: BTreeSet<DatabaseName>,
    /// Those that said last, after the bake, that all does.
    hold: BTreeSet<DatabaseName>,
    /// What was broken before, and a person vouched: database and invariant.
    excused: BTreeSet<(DatabaseName, String)>,
    /// A person vouched for what was broken before.
    vouched: bool,
    /// Those in which something must hold.
    judged: BTreeSet<DatabaseName>,
    /// Where there are any: their recovery is proven, or a person vouched.
    recovery: bool,
    /// No rehearsal is asked for or stands against it, or a person vouched.
    rehearsed: bool,
    /// A rehearsal showed that nothing may go back by itself.
    barred: bool,
    /// It migrates.
    migrates: bool,
    /// It began to.
    migrated: bool,
    /// Spans in which it must start nothing.
    closed: Vec<Closed>,
    /// Hosts that run its release.
    done: BTreeSet<HostName>,
    /// Hosts that take it.
    takes: usize,
}

impl Seen {
    /// A host runs the release.
    fn runs_it(&mut self, host: &HostName) {
        self.failed(host);
        self.done.insert(host.clone());
    }

    /// Nothing is done on a host any more, and it does not run the release.
    fn failed(&mut self, host: &HostName) {
        self.in_flight.remove(host);
        self.down.remove(host);
        self.done.remove(host);
    }
}

#[derive(Default)]
struct Audit {
    rollouts: BTreeMap<RolloutId, Seen>,
    quarantined: BTreeMap<ReleaseId, bool>,
    findings: Vec<Finding>,
    seq: u64,
    at: Timestamp,
}

/// Checks a journal's records.
///
/// # Errors
/// A record that does not open; the chain is checked apart, by replaying.
pub fn audit(records: &[Record]) -> Result<Vec<Finding>, RecordError> {
    let mut audit = Audit::default();
    for record in records {
        let event = record.event()?;
        (audit.seq, audit.at) = (record.seq, record.at);
        audit.way_back_before_the_first_switch(&event);
        audit.a_way_back_for_data(&event);
        audit.nothing_goes_back_by_itself_that_a_rehearsal_barred(&event);
        audit.what_must_hold_in_data_holds(&event);
        audit.no_more_hosts_out_than_allowed(&event);
        audit.a_quarantined_release_is_not_pushed(&event);
        audit.stable_only_when_every_host_was_observed(&event);
        audit.every_verdict_keeps_its_evidence(&event);
        audit.nothing_starts_in_a_freeze(&event);
        audit.remember(&event);
    }
    Ok(audit.findings)
}

impl Audit {
    fn find(&mut self, promise: u8, says: String) {
        self.findings.push(Finding { promise, seq: self.seq, says });
    }

    /// Promise 1.
    fn way_back_before_the_first_switch(&mut self, event: &Event) {
        let Event::WaveBegun { rollout, .. } = event else { return };
        if self.rollouts.get(rollout).is_some_and(|seen| !seen.way_back) {
            self.find(1, format!("{rollout} began a wave, and its way back had not been judged"));
        }
    }

    /// Promise 1, for data: before a host is switched or stopped, and before a migration.
    fn a_way_back_for_data(&mut self, event: &Event) {
        let (rollout, what) = match event {
            Event::WaveBegun { rollout, .. } => (rollout, "a wave"),
            Event::WorkBegun { rollout, work: Work::Migrate, .. } => (rollout, "its migration"),
            Event::WorkBegun { rollout, work: Work::StopAll, .. } => (rollout, "to stop hosts"),
            _ => return,
        };
        let Some(seen) = self.rollouts.get(rollout) else { return };
        let (bare, proven, rehearsed) =
            (seen.unmarked.first().cloned(), seen.recovery, seen.rehearsed);
        if !rehearsed {
            let says = format!("{rollout} began {what}, and it was not rehearsed");
            self.find(1, says);
        }
        if let Some(database) = bare {
            let says = format!("{rollout} began {what}, and `{database}` had no restore point");
            self.find(1, says);
        }
        if !proven {
            let says = format!("{rollout} began {what}, and no recovery of data was proven");
            self.find(1, says);
        }
    }

    /// Promise 1, for data: a one-way push calls a person.
    fn nothing_goes_back_by_itself_that_a_rehearsal_barred(&mut self, event: &Event) {
        let Event::RolloutBegun { rollout, intent, because_of: Some(push) } = event else { return };
        if !matches!(**intent, Intent::Rollback { automatic: true, .. }) {
            return;
        }
        let barred = |seen: &&Seen| seen.barred && (seen.migrated || !seen.migrates);
        if self.rollouts.get(push).filter(barred).is_some() {
            let says =
                format!("{rollout} takes {push} back by itself, and its rehearsal barred that");
            self.find(1, says);
        }
    }

    /// Promise 3, for data: no wave before invariants were found to hold, none after one was found broken, unless a
    /// person resumed it; and no good end unless all of them held last.
    fn what_must_hold_in_data_holds(&mut self, event: &Event) {
        let (rollout, what, ends) = match event {
            Event::WaveBegun { rollout, .. } => (rollout, "began a wave", false),
            Event::RolloutEnded { rollout, end: End::Stable | End::Apart { .. } } => {
                (rollout, "ended well", true)
            }
            _ => return,
        };
        let Some(seen) = self.rollouts.get(rollout).filter(|seen| seen.is_push) else { return };
        let unheld = || seen.judged.difference(&seen.hold);
        let bare = if ends { unheld().next() } else { seen.unjudged.first() };
        if let Some(database) = bare.or(seen.broken.first()).cloned() {
            self.find(3, format!("{rollout} {what}, and `{database}` was not known to hold"));
        }
    }

    /// Promise 2, as far as the orders show it: hosts that served before and are being switched.
    fn no_more_hosts_out_than_allowed(&mut self, event: &Event) {
        let Event::StepBegun { rollout, host, .. } = event else { return };
        let Some(seen) = self.rollouts.get(rollout).filter(|seen| seen.is_push) else { return };
        let serves = |host: &HostName| seen.served.contains(host) && !seen.down.contains(host);
        if seen.stops_all || !serves(host) || seen.in_flight.contains(host) {
            return;
        }
        let out = seen.in_flight.iter().filter(|other| serves(other)).count() + 1;
        let allowed = out_allowed(seen.served.len(), seen.percent);
        if out > allowed {
            self.find(
                2,
                format!("{rollout} switched {out} hosts at once, and {allowed} may be out"),
            );
        }
    }

    /// Beside promise 7: a freeze or a window bars no rollback, and it bars every further host of a push. Hosts that
    /// stand still for a migration are not left so.
    fn nothing_starts_in_a_freeze(&mut self, event: &Event) {
        let (rollout, what) = match event {
            Event::WaveBegun { rollout, .. } => (rollout, "a wave"),
            Event::StepBegun { rollout, attempt: 1, .. } => (rollout, "a host's switch"),
            _ => return,
        };
        let Some(seen) = self.rollouts.get(rollout).filter(|seen| seen.is_push) else { return };
        if seen.stops_all || !seen.down.is_empty() || seen.done.len() >= seen.takes {
            return;
        }
        let now = self.at;
        if let Some(closed) = seen.closed.iter().find(|closed| closed.span.holds(now)) {
            let says = format!("{rollout} began {what} in {}", closed.what);
            self.find(7, says);
        }
    }

    /// Promise 3.
    fn a_quarantined_release_is_not_pushed(&mut self, event: &Event) {
        let Event::WaveBegun { rollout, .. } = event else { return };
        let release = self.rollouts.get(rollout).and_then(|seen| seen.release);
        if let Some(release) = release
            && self.quarantined.get(&release) == Some(&true)
        {
            self.find(
                3,
                format!("{rollout} began a wave with {}, which is quarantined", release.short()),
            );
        }
    }

    /// Promise 6.
    fn stable_only_when_every_host_was_observed(&mut self, event: &Event) {
        let Event::RolloutEnded { rollout, end: End::Stable } = event else { return };
        let Some(seen) = self.rollouts.get(rollout) else { return };
        let missing: Vec<String> =
            seen.hosts.difference(&seen.observed).map(ToString::to_string).collect();
        if !missing.is_empty() {
            self.find(
                6,
                format!("{rollout} ended stable, and {} were not observed", missing.join(", ")),
            );
        }
    }

    /// Promise 10.
    fn every_verdict_keeps_its_evidence(&mut self, event: &Event) {
        let (rollout, what, bare) = match event {
            Event::GateJudged { rollout, says, .. } => (rollout, "a gate", says.is_empty()),
            Event::HostFailed { rollout, why, .. } => (rollout, "a failed host", why.is_empty()),
            Event::HostLeft { rollout, why, .. } => (rollout, "a host left", why.is_empty()),
            Event::Held { rollout, reasons } => (rollout, "a hold", reasons.is_empty()),
            Event::RolloutEnded {
                rollout,
                end:
                    End::Refused { reasons }
                    | End::Unreachable { reasons }
                    | End::NotSwitched { reasons },
            } => (rollout, "an end", reasons.is_empty()),
            _ => return,
        };
        if bare {
            self.find(10, format!("{rollout} has {what} without evidence"));
        }
    }

    fn remember(&mut self, event: &Event) {
        match event {
            Event::RolloutBegun { rollout, intent, .. } => self.begun(rollout, intent),
            Event::GateJudged { rollout, gate, result, .. } => self.gated(rollout, *gate, *result),
            Event::WayBackDecided { rollout, back, .. } => {
                self.with(rollout, |seen| seen.barred = *back == MigrationBack::OneWay);
            }
            Event::RestorePointMade { rollout, database, .. } => {
                self.with(rollout, |seen| {
                    seen.unmarked.remove(database);
                });
            }
            Event::InvariantsJudged { rollout, database, moment, judged } => {
                self.judged(rollout, database, *moment, judged);
            }
            Event::InvariantsUnknown { rollout, database, .. } => {
                self.judged(rollout, database, Moment::Bake, &[]);
            }
            Event::RoundBegun { rollout, ask, .. } => self.with(rollout, |seen| {
                seen.round = Some(*ask);
                seen.stops_all = false;
                if *ask == RoundAsk::Observe {
                    seen.observed.clear();
                }
            }),
            Event::HostAnswered { rollout, host, answer, .. } => {
                self.answered(rollout, host, answer)
            }
            Event::WorkBegun { rollout, work, .. } => {
                self.with(rollout, |seen| seen.stops_all = *work == Work::StopAll);
            }
            Event::MigrationMoved { rollout, migration } => self.with(rollout, |seen| {
                seen.one_way |= migration.forbids_automatic_return();
                seen.migrated |= *migration != Migration::NotBegun;
            }),
            Event::RolloutBound { rollout, open, .. } => self.with(rollout, |seen| {
                seen.one_way |= open.migration.forbids_automatic_return();
            }),
            Event::StepBegun { rollout, host, .. } => self.with(rollout, |seen| {
                if !seen.stops_all {
                    seen.in_flight.insert(host.clone());
                }
            }),
            Event::HostStopped { rollout, host } => self.with(rollout, |seen| {
                if seen.one_way {
                    seen.down.insert(host.clone());
                }
            }),
            Event::HostDone { rollout, host } => {
                self.with(rollout, |seen| seen.runs_it(host));
            }
            Event::HostFailed { rollout, host, .. } => {
                self.with(rollout, |seen| seen.failed(host));
            }
            // What serves is found out anew: an unconfirmed switch may have been undone meanwhile.
            Event::Resumed { rollout, .. } => self.with(rollout, |seen| {
                seen.in_flight.clear();
                seen.served.clear();
                seen.done.clear();
                // A person sent it on; it is judged anew before it can end well.
                seen.broken.clear();
            }),
            Event::Observed { fact: Fact::Quarantine { entries } } => {
                self.quarantined
                    .extend(entries.iter().map(|(release, entry)| (*release, entry.active)));
            }
            _ => {}
        }
    }

    fn gated(&mut self, rollout: &RolloutId, gate: Gate, result: GateResult) {
        self.with(rollout, |seen| match gate {
            Gate::WayBack => seen.way_back |= result == GateResult::Pass,
            Gate::Recovery => seen.recovery = result != GateResult::Fail,
            Gate::Rehearsed => seen.rehearsed = result != GateResult::Fail,
            _ => {}
        });
    }

    fn judged(
        &mut self,
        rollout: &RolloutId,
        database: &DatabaseName,
        moment: Moment,
        judged: &[Judged],
    ) {
        self.with(rollout, |seen| {
            let name = |one: &Judged| (database.clone(), one.name.clone());
            if seen.vouched && moment == Moment::Before {
                let broken = judged.iter().filter(|one| !one.holds());
                seen.excused.extend(broken.map(name));
            }
            let counts = |one: &Judged| one.holds() || seen.excused.contains(&name(one));
            let holds = !judged.is_empty() && judged.iter().all(counts);
            let (database, after) = (database.clone(), moment == Moment::After);
            if holds && moment == Moment::Before {
                seen.unjudged.remove(&database);
            }
            if holds && after {
                seen.hold.insert(database.clone());
            } else {
                seen.hold.remove(&database);
            }
            if !holds {
                seen.broken.insert(database);
            }
        });
    }

    fn with(&mut self, rollout: &RolloutId, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.rollouts.get_mut(rollout) {
            change(seen);
        }
    }

    fn begun(&mut self, rollout: &RolloutId, intent: &Intent) {
        let fleet = intent.fleet();
        let databases = match intent {
            Intent::Push { plan } => plan.databases.as_slice(),
            _ => &[],
        };
        let migrates = matches!(intent, Intent::Push { plan } if plan.migration.is_some());
        let seen = Seen {
            migrates,
            rehearsed: !(migrates && databases.iter().any(|database| database.rehearse)),
            unmarked: databases.iter().map(|database| database.name.clone()).collect(),
            unjudged: in_which_something_must_hold(databases),
            judged: in_which_something_must_hold(databases),
            vouched: matches!(intent, Intent::Push { plan } if plan.invariants_override.is_some()),
            recovery: databases.is_empty(),
            hosts: fleet.hosts.iter().map(|host| host.name.clone()).collect(),
            percent: fleet.out_at_once_percent,
            is_push: matches!(intent, Intent::Push { .. }),
            release: match intent {
                Intent::Push { plan } => Some(plan.release),
                _ => None,
            },
            closed: match intent {
                Intent::Push { plan } => {
                    plan.hour.iter().flat_map(|hour| hour.closed.clone()).collect()
                }
                _ => Vec::new(),
            },
            takes: match intent {
                Intent::Push { plan } if !plan.only.is_empty() => plan.only.len(),
                _ => fleet.hosts.len(),
            },
            ..Seen::default()
        };
        self.rollouts.insert(rollout.clone(), seen);
    }

    fn answered(&mut self, rollout: &RolloutId, host: &HostName, answer: &HostAnswer) {
        self.with(rollout, |seen| match answer {
            HostAnswer::Head { head } if head.current.is_some() => {
                seen.served.insert(host.clone());
            }
            // A first release that nobody confirmed was taken off again: the host serves nobody now.
            HostAnswer::Head { .. } => drop(seen.served.remove(host)),
            HostAnswer::Seen { .. } if seen.round == Some(RoundAsk::Observe) => {
                seen.observed.insert(host.clone());
            }
            HostAnswer::Seen { .. }
            | HostAnswer::Ok
            | HostAnswer::Refused { .. }
            | HostAnswer::Failed { .. }
            | HostAnswer::Unreachable { .. }
            | HostAnswer::Unknown { .. } => {}
        });
    }
}

fn in_which_something_must_hold(databases: &[PlannedDatabase]) -> BTreeSet<DatabaseName> {
    let some = databases.iter().filter(|database| !database.invariants.is_empty());
    some.map(|database| database.name.clone()).collect()
}
