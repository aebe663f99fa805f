//! The promises, checked. Cheap ones after every turn of a host or a laptop; the rest at the end.
//!
//! A check never asks friday whether all is well: it compares what friday says with the world.

use std::collections::BTreeSet;

use friday_core::audit::audit;
use friday_core::controller::Controller;
use friday_core::controller::input::Command;
use friday_core::journal::Record;
use friday_core::journal::event::{End, Event};
use friday_core::journal::intent::{Intent, MemberChange};
use friday_core::journal::round::RoundAsk;
use friday_core::reason::Reason;
use friday_node::operation::Course;
use friday_node::{Action, Direction};
use friday_wire::{
    DatabaseName, Fence, HostName, ReleaseId, RolloutId, RolloutKind, StepReport, StepState, Undo,
};

use crate::failure::FailureClass;
use crate::host::ArmedWatch;
use crate::laptop::Driver;
use crate::world::World;

mod beside;
mod data;
mod seen;

/// What the checks keep of a rollout, from its own journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) hosts: Vec<HostName>,
    pub(crate) is_push: bool,
    pub(crate) is_rollback: bool,
    pub(crate) now: bool,
    pub(crate) release: Option<ReleaseId>,
    /// The hosts it takes, where those are not all.
    pub(crate) only: Vec<HostName>,
    /// Its plan stops every host for the migration.
    pub(crate) stops_all: bool,
    pub(crate) observed_since: u64,
    /// What it raised.
    pub(crate) fence: Option<Fence>,
    /// What it makes of the fleet's members.
    pub(crate) change: Option<MemberChange>,
    /// The databases that it guards.
    pub(crate) databases: Vec<DatabaseName>,
    /// Something must hold in them.
    pub(crate) judged: bool,
    /// Since when it waits for what must hold in them.
    pub(crate) judging_since: Option<u64>,
    /// A person vouched for what was broken before.
    pub(crate) vouched: bool,
    /// Their recovery was found proven.
    pub(crate) recovery_passed: bool,
}

/// Records at a journal's end among which a torn turn would lie.
const LAST_TURN: usize = 16;

/// What a host may take beyond its clocks for an undo: starting, rotating, slow probes and disks.
const UNDO_SLACK_MS: u64 = 90_000;

impl World {
    /// Everything cheap about one host, after each of its turns.
    pub(crate) fn look_at(&mut self, host: usize) {
        self.cut_off_host_undoes_its_unconfirmed_switch(host);
        self.what_was_observed_as_not_executed_never_is(host);
        self.nothing_is_switched_without_its_restore_points(host);
        let now = self.now;
        let serves = self.hosts[host].serves(self.options.rotation, now).is_some();
        let machine = &self.hosts[host];
        if machine.is_stopped()
            && machine.apps.is_empty()
            && let Some(open) = &machine.durable.head.rollout
        {
            let stopped = Some((open.value.id.clone(), machine.boots));
            self.hosts[host].watch.stopped = stopped;
        }
        let watch = &mut self.hosts[host].watch;
        if serves {
            watch.taken_out = false;
            watch.has_served = true;
        }
    }

    /// Before each action of a host.
    pub(crate) fn check_action(&mut self, host: usize, action: &Action) {
        match action {
            Action::Start { app, .. } => {
                self.quarantined_release_is_never_started_where_known(host, app.release);
                self.what_nobody_signed_is_never_started(host, app.release);
                self.nothing_starts_beside_a_migration_that_needs_it_stopped(host);
            }
            Action::Rotate { direction: Direction::Out, .. } | Action::Stop { .. } => {
                self.hosts_taken_out_stay_within_the_budget(host);
            }
            Action::Prune { keep } => self.pruning_spares_what_a_host_may_need(host, keep),
            Action::Command { .. } => self.migration_runs_beside_nothing(host),
            Action::Build { .. }
            | Action::Rotate { direction: Direction::Into, .. }
            | Action::Point { .. }
            | Action::Probe { .. } => {}
        }
    }

    /// Promise 3.
    fn quarantined_release_is_never_started_where_known(
        &mut self,
        host: usize,
        release: ReleaseId,
    ) {
        // After a one-way migration the host may have nothing else that can use the data.
        if self.hosts[host].durable.head.refuses(&release) && !self.hosts[host].stays(release) {
            let what = format!(
                "{} starts {}, which it knows to be quarantined",
                self.hosts[host].name,
                self.catalog.label(Some(&release))
            );
            self.fail(FailureClass::Safety, what);
        }
    }

    /// Promise 2.
    fn hosts_taken_out_stay_within_the_budget(&mut self, host: usize) {
        let now = self.now;
        let rotation = self.options.rotation;
        if self.hosts[host].serves(rotation, now).is_none() || self.hosts[host].watch.taken_out {
            return;
        }
        let Some(open) =
            self.hosts[host].durable.head.rollout.as_ref().map(|open| open.value.clone())
        else {
            return;
        };
        if self.hosts[host].acts_alone() {
            return;
        }
        if self.hosts[host].is_stopped() {
            // The plan says that nothing serves then.
            let says_so = self.known.get(&open.id).is_none_or(|known| known.stops_all);
            if !says_so {
                let what = format!("{} is stopped, and no plan says so", self.hosts[host].name);
                self.fail(FailureClass::Safety, what);
            }
            return;
        }
        self.hosts[host].watch.taken_out = true;
        let fleet = self.fleet_of(&open.id);
        let out = fleet.iter().filter(|other| self.hosts[**other].watch.taken_out).count();
        let served = fleet.iter().filter(|other| self.hosts[**other].watch.has_served).count();
        let percent = self.options.out_at_once_percent as usize;
        let mut budget = (served * percent).div_ceil(100).max(1);
        let names_hosts = self.known.get(&open.id).is_some_and(|known| !known.only.is_empty());
        if open.kind != RolloutKind::Push || names_hosts {
            // A rollback, and a push of which a person named the hosts, may take one answering host beyond those that do not answer it.
            let silent = fleet
                .iter()
                .filter(|other| {
                    self.hosts[**other].process.is_none()
                        || (0..self.laptops.len()).any(|laptop| self.is_cut(laptop, **other))
                })
                .count();
            let known = self.known.get(&open.id).cloned().unwrap_or_default();
            if known.now || open.release.is_none() {
                return;
            }
            budget = budget.max(silent + 1);
        }
        if out > budget {
            let names: Vec<&str> = fleet
                .iter()
                .map(|other| &self.hosts[*other])
                .filter(|other| other.watch.taken_out)
                .map(|other| other.name.as_str())
                .collect();
            let what = format!(
                "{out} hosts are out of rotation for {}, {budget} may be: {}",
                open.id,
                names.join(" ")
            );
            self.fail(FailureClass::Safety, what);
        }
    }

    /// The hosts of a rollout, by number: its budget is theirs.
    fn fleet_of(&self, rollout: &RolloutId) -> Vec<usize> {
        let number = |name: &HostName| self.numbers.get(name).copied();
        self.known.get(rollout).map_or_else(
            || (0..self.hosts.len()).collect(),
            |known| known.hosts.iter().filter_map(number).collect(),
        )
    }

    fn pruning_spares_what_a_host_may_need(&mut self, host: usize, keep: &[ReleaseId]) {
        let head = &self.hosts[host].durable.head;
        let undo = match head.undo {
            Some(Undo::To { release }) => Some(release),
            Some(Undo::Nothing | Undo::Stay) | None => None,
        };
        let needed = [head.current, head.stable, head.open, undo];
        if let Some(lost) = needed.into_iter().flatten().find(|release| !keep.contains(release)) {
            let what =
                format!("{} prunes {}", self.hosts[host].name, self.catalog.label(Some(&lost)));
            self.fail(FailureClass::Safety, what);
        }
    }

    /// Promise 4.
    fn cut_off_host_undoes_its_unconfirmed_switch(&mut self, host: usize) {
        let now = self.now;
        let machine = &self.hosts[host];
        let able = machine.process.is_some() && machine.disk != crate::host::Disk::Full;
        let head = &machine.durable.head;
        let armed = machine.is_armed();
        let clocks = self.clocks();
        let release = head.open;
        let stops = machine.is_stopped();
        let attempt = machine.armed_attempt();
        let is_new = armed && machine.watch.armed.is_none();
        let hold_ms = if stops && is_new { self.hold_ms() } else { 0 };
        let watch = &mut self.hosts[host].watch;
        match (&mut watch.armed, armed) {
            (None, true) => {
                let own_ms = if stops { hold_ms } else { clocks.confirm_ms };
                let bound_ms = clocks.first_deadline_ms() + own_ms + UNDO_SLACK_MS;
                watch.armed =
                    Some(ArmedWatch { release, attempt, since: now, able_ms: 0, bound_ms });
            }
            (Some(_), false) => watch.armed = None,
            (Some(seen), true) if seen.release != release || seen.attempt != attempt => {
                watch.armed = None;
            }
            (Some(seen), true) => {
                if able {
                    seen.able_ms += now - seen.since;
                }
                seen.since = now;
                if seen.able_ms > seen.bound_ms {
                    let what = format!(
                        "{} still has an unconfirmed switch after {} s",
                        self.hosts[host].name,
                        self.hosts[host].watch.armed.map_or(0, |seen| seen.able_ms / 1000)
                    );
                    self.fail(FailureClass::Safety, what);
                }
            }
            (None, false) => {}
        }
    }

    /// A host answers an observation that names an attempt.
    pub(crate) fn remember_what_was_not_executed(
        &mut self,
        host: usize,
        last: Option<&StepReport>,
    ) {
        let Some(report) = last else { return };
        if matches!(report.state, StepState::Sealed | StepState::NeverSeen) {
            self.told_unexecuted.insert((host, report.key.clone()));
        }
    }

    /// Promise 6: friday has gone on as if it never will be.
    fn what_was_observed_as_not_executed_never_is(&mut self, host: usize) {
        if self.told_unexecuted.is_empty() {
            return;
        }
        let begun = self.hosts[host].durable.operation.as_ref().and_then(|operation| {
            let ordered = matches!(operation.course, Course::Switch(_) | Course::Back { .. });
            operation.key().filter(|_| ordered).cloned()
        });
        let Some(key) = begun.map(|key| (host, key)) else { return };
        if self.told_unexecuted.contains(&key) {
            let what = format!(
                "{} executes {}, and has said that it was not executed",
                self.hosts[host].name, key.1
            );
            self.fail(FailureClass::Safety, what);
        }
    }

    /// Promise 10: whatever ended a rollout is in the journal, too.
    pub(crate) fn what_took_over_is_in_the_journal(&mut self, ledger: usize) {
        let records = self.ledgers[ledger].records();
        let last = &records[records.len().saturating_sub(LAST_TURN)..];
        let ends = last.iter().filter(|record| record.kind == "rollout_ended");
        let missing = ends.filter_map(|record| record.event().ok()).find_map(|event| {
            let Event::RolloutEnded { rollout, end: End::TakenOver { by } } = event else {
                return None;
            };
            let begun = |record: &&Record| {
                matches!(record.event(), Ok(Event::RolloutBegun { rollout, .. }) if rollout == by)
            };
            let mut begins = last.iter().filter(|record| record.kind == "rollout_begun");
            begins.find(begun).is_none().then_some((rollout, by))
        });
        if let Some((rollout, by)) = missing {
            let what = format!("{rollout} was taken over by {by}, which the journal does not know");
            self.fail(FailureClass::Audit, what);
        }
    }

    /// What a laptop's journal gained in its last turn.
    pub(crate) fn read_news(&mut self, laptop: usize) {
        let Some(ledger) = self.laptops[laptop].process.as_ref().map(|driver| driver.ledger) else {
            return;
        };
        let news: Vec<_> = self.summaries[ledger].news(&self.ledgers[ledger]).to_vec();
        for record in news {
            self.note(|world| {
                let line = crate::shell::shorten(record.body.clone());
                format!("{} writes {} {line}", world.laptops[laptop].name, record.seq)
            });
            if !CHECKED_KINDS.contains(&record.kind.as_str()) {
                continue;
            }
            match record.event() {
                Ok(event) => {
                    self.every_verdict_in_the_journal_has_evidence(&event);
                    self.learn(&event);
                    self.the_gate_goes_by_drills(laptop, &event);
                    self.pushes_go_by_rehearsals(laptop, &event);
                    self.summaries[ledger].take_in(&event);
                    self.check_end(ledger, &event);
                }
                Err(error) => self.fail(FailureClass::Audit, error.to_string()),
            }
        }
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::RolloutBegun { rollout, intent, .. } => {
                let known = Known {
                    hosts: intent.fleet().hosts.iter().map(|host| host.name.clone()).collect(),
                    is_push: matches!(**intent, Intent::Push { .. }),
                    is_rollback: matches!(**intent, Intent::Rollback { .. }),
                    now: matches!(**intent, Intent::Rollback { now: true, .. }),
                    release: match &**intent {
                        Intent::Push { plan } => Some(plan.release),
                        _ => None,
                    },
                    only: match &**intent {
                        Intent::Push { plan } => plan.only.clone(),
                        _ => Vec::new(),
                    },
                    stops_all: match &**intent {
                        Intent::Push { plan } => {
                            plan.migration.as_ref().is_some_and(|migration| migration.stop_all)
                        }
                        _ => false,
                    },
                    observed_since: self.now,
                    fence: None,
                    change: match &**intent {
                        Intent::Members { change, .. } => Some(change.clone()),
                        _ => None,
                    },
                    databases: match &**intent {
                        Intent::Push { plan } => {
                            plan.databases.iter().map(|database| database.name.clone()).collect()
                        }
                        _ => Vec::new(),
                    },
                    judged: matches!(&**intent, Intent::Push { plan }
                        if plan.databases.iter().any(|one| !one.invariants.is_empty())),
                    judging_since: None,
                    vouched: match &**intent {
                        Intent::Push { plan } => plan.invariants_override.is_some(),
                        _ => false,
                    },
                    recovery_passed: false,
                };
                self.known.insert(rollout.clone(), known);
            }
            Event::RolloutBound { rollout, open, .. } => {
                if let Some(known) = self.known.get_mut(rollout) {
                    known.release = open.release;
                }
            }
            Event::FenceChosen { rollout, fence } => {
                if let Some(known) = self.known.get_mut(rollout) {
                    known.fence = Some(fence.clone());
                }
            }
            Event::RoundBegun { rollout, ask: RoundAsk::Observe, .. } => {
                let now = self.now;
                if let Some(known) = self.known.get_mut(rollout) {
                    known.observed_since = now;
                }
            }
            _ => self.a_push_goes_on_when_data_holds(event),
        }
    }

    fn check_end(&mut self, ledger: usize, event: &Event) {
        if let Event::Held { reasons, .. } = event {
            self.reasons.extend(reasons.iter().cloned());
        }
        let Event::RolloutEnded { rollout, end } = event else { return };
        self.last_end = format!("{rollout} ended: {end:?}");
        if let End::Refused { reasons } = end {
            self.mend_the_configuration(reasons);
        }
        if let End::Refused { reasons } | End::NotSwitched { reasons } = end {
            self.reasons.extend(reasons.iter().cloned());
        }
        if let End::Owed { .. } = end {
            let mut drivers = self.laptops.iter().filter_map(|laptop| laptop.process.as_ref());
            let driver = drivers.find(|driver| driver.ledger == ledger);
            let ended = driver.and_then(|driver| driver.controller.state().rollout(rollout));
            self.reasons.extend(ended.iter().flat_map(|ended| ended.reasons.iter().cloned()));
        }
        let Some(known) = self.known.get(rollout).cloned() else { return };
        match end {
            End::Stable | End::Converged => {
                self.done_means_every_host_was_seen_well(ledger, rollout, &known)
            }
            End::Apart { hosts } => {
                let known = Known { hosts: hosts.clone(), ..known.clone() };
                self.done_means_every_host_was_seen_well(ledger, rollout, &known);
            }
            End::Done => self.members_are_as_the_act_says(&known),
            End::Refused { reasons } if known.is_rollback => {
                self.rollback_is_never_refused_by_a_lock(reasons)
            }
            _ => {}
        }
        if *end == End::Stable && self.options.outside && known.is_push {
            self.release_bad_outside_is_never_called_stable(&known);
        }
    }

    /// What a person does about a keeper that the configuration does not name: names it there.
    fn mend_the_configuration(&mut self, reasons: &[Reason]) {
        for reason in reasons {
            if let Reason::Keeper { known, .. } = reason
                && self.is_member(known)
            {
                self.keeper = known.clone();
            }
        }
    }

    fn release_bad_outside_is_never_called_stable(&mut self, known: &Known) {
        let bad =
            known.release.and_then(|release| self.catalog.find(&release)).is_some_and(|release| {
                let numbers = known.hosts.iter().filter_map(|host| self.numbers.get(host));
                let bad = crate::catalog::Behaviour::BadOutside;
                numbers.into_iter().any(|host| release.behaviour_on(*host) == bad)
            });
        if bad {
            let what = format!("{} is called stable", self.catalog.label(known.release.as_ref()));
            self.fail(FailureClass::Safety, what);
        }
    }

    /// A command was refused at once.
    pub(crate) fn check_refusal(&mut self, laptop: usize, reasons: &[Reason]) {
        if reasons.is_empty() {
            self.fail(FailureClass::Audit, "a command was refused without a reason".to_owned());
        }
        let is_rollback = self.laptops[laptop].process.as_ref().is_some_and(|driver| {
            matches!(driver.command, Command::Rollback { .. }) && !driver.taken
        });
        if is_rollback {
            self.rollback_is_never_refused_by_a_lock(reasons);
        }
    }

    /// Promise 7.
    fn rollback_is_never_refused_by_a_lock(&mut self, reasons: &[Reason]) {
        let wrong = reasons.iter().find(|reason| {
            matches!(
                reason,
                Reason::Locked { .. }
                    | Reason::Leased { .. }
                    | Reason::LeaseLost
                    | Reason::Keeper { .. }
            )
        });
        if let Some(reason) = wrong {
            self.fail(FailureClass::Safety, format!("a rollback was refused: {reason}"));
        }
    }

    /// Promise 10.
    fn every_verdict_in_the_journal_has_evidence(&mut self, event: &Event) {
        let bare = match event {
            Event::GateJudged { says, .. } => says.is_empty(),
            Event::HostFailed { why, .. } => why.is_empty(),
            Event::Held { reasons, .. } => reasons.is_empty(),
            Event::RolloutEnded { end, .. } => match end {
                End::NotSwitched { reasons }
                | End::Refused { reasons }
                | End::Unreachable { reasons } => reasons.is_empty(),
                End::Owed { hosts } => hosts.is_empty(),
                End::Apart { hosts } => hosts.is_empty(),
                End::Stable
                | End::TakenBack { .. }
                | End::Converged
                | End::Fenced { .. }
                | End::TakenOver { .. }
                | End::Done
                | End::Dropped => false,
            },
            _ => false,
        };
        if bare {
            self.fail(FailureClass::Audit, format!("a verdict without evidence: {event:?}"));
        }
    }

    /// At the end of a world: each journal loads from its first record, as it did bit by bit, and its
    /// audit finds nothing.
    pub(crate) fn every_journal_bears_an_audit(&mut self) {
        for number in 0..self.ledgers.len() {
            let replayed = self.ledgers[number].replayed();
            let records = self.ledgers[number].records();
            let what = match (Controller::replay(records), replayed, audit(records)) {
                (Ok(whole), Ok(parts), Ok(findings)) => {
                    if whole.state() != parts.state() || whole.owed() != parts.owed() {
                        Some("it loads to something else at once than bit by bit".to_owned())
                    } else {
                        findings.first().map(|finding| format!("{finding:?}"))
                    }
                }
                (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Some(error.to_string()),
            };
            if let Some(what) = what {
                self.fail(FailureClass::Audit, format!("journal {number}: {what}"));
            }
        }
    }

    /// Promise 5, and law 5: a process that ends leaves a journal from which the next one goes on.
    pub(crate) fn check_replay(&mut self, driver: &Driver) {
        if self.is_off(crate::switch::Switch::Append) {
            return;
        }
        match self.ledgers[driver.ledger].replayed() {
            Err(error) => {
                self.fail(FailureClass::Audit, format!("a journal does not load: {error}"))
            }
            Ok(replayed) => {
                // An append whose answer was lost is known only to the disk.
                if replayed.position() != driver.controller.position() {
                    return;
                }
                if replayed.owed() != driver.controller.owed() {
                    let ids = |controller: &Controller| -> BTreeSet<String> {
                        controller.owed().keys().map(ToString::to_string).collect()
                    };
                    let what = format!(
                        "replayed, the journal owes {:?}; in memory it owes {:?}",
                        ids(&replayed),
                        ids(&driver.controller)
                    );
                    self.fail(FailureClass::Audit, what);
                }
            }
        }
    }

    pub(crate) fn describe(&self, host: usize) -> String {
        self.hosts[host].describe(self.now, |release| self.catalog.label(release))
    }
}

/// The kinds of records that a check or a summary reads; the others are not parsed, to be fast.
const CHECKED_KINDS: [&str; 11] = [
    "migration_moved",
    "wave_begun",
    "rollout_begun",
    "round_begun",
    "fence_chosen",
    "gate_judged",
    "rollout_bound",
    "host_failed",
    "held",
    "rollout_ended",
    "resumed",
];
