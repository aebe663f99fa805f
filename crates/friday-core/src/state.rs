//! The state: the fold over a journal. `apply` is its only writer and never decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use friday_wire::{
    DatabaseName, HostName, JournalId, Lock, OpenRollout, Quarantined, ReleaseId, RolloutId,
    StartId, TreeId,
};

use crate::database::{ActBegun, DatabaseKnown};
use crate::fleet::truth::merge_quarantine;
use crate::journal::event::{End, Requested};
use crate::journal::finding::Fact;
use crate::journal::intent::{Intent, MemberChange};
use crate::journal::{Event, Position};
use crate::rollout::apply::apply_to_rollout;
use crate::rollout::run::{HostState, Phase, Rollout};
use crate::shared::SharedMap;
use crate::time::Timestamp;
use friday_wire::Fence;

/// A lease lasts a minute; nobody starts friday more often than this in it.
const EARLIER_STARTS_MAX: usize = 16;

/// Everything friday knows. Copied for every input, so what can be long is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where the journal ends.
    pub position: Position,
    /// Which journal.
    pub journal: Option<JournalId>,
    /// Its fleet.
    pub fleet: String,
    /// Who drives, or drove last.
    pub driver: Option<DriverSeen>,
    /// Starts before that one, newest last, as many as could still hold a lease.
    pub earlier_starts: Arc<Vec<StartId>>,
    /// The fleet's stable release, once known.
    pub stable: Option<Option<ReleaseId>>,
    /// The one before.
    pub previous_stable: Option<ReleaseId>,
    /// Quarantine, lifted entries too.
    pub quarantine: Arc<BTreeMap<ReleaseId, Quarantined>>,
    /// The human lock.
    pub lock: Option<Lock>,
    /// The keeper, once known.
    pub keeper: Option<HostName>,
    /// A rollout of another journal that is open on hosts.
    pub foreign: Option<(OpenRollout, Fence)>,
    /// What people call releases, and their trees.
    pub releases: Arc<BTreeMap<ReleaseId, ReleaseKnown>>,
    /// Hosts that run a release apart from the fleet, on purpose.
    pub apart: Arc<BTreeMap<HostName, ReleaseId>>,
    /// Hosts that are still to be put right.
    pub owed_sweep: Arc<BTreeSet<HostName>>,
    /// Hosts that left the fleet, or took another name.
    pub parted: Arc<BTreeMap<HostName, Parted>>,
    /// Every rollout.
    pub rollouts: SharedMap<RolloutId, Arc<Rollout>>,
    /// In the order in which they began.
    pub order: Arc<Vec<RolloutId>>,
    /// Those that have not ended, in that order.
    pub open: Vec<RolloutId>,
    /// Requests of other processes that the driver has not taken up.
    pub requests: Vec<(RolloutId, String, Requested)>,
    /// Guarded databases that anything was done beside, or a restore point was made of.
    pub databases: Arc<BTreeMap<DatabaseName, DatabaseKnown>>,
}

/// A name that a host of the fleet had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parted {
    /// What is said of that name under a lower fence is over.
    pub fence: Fence,
    /// The host's name now; `None`: it left, and nothing of friday's is on it.
    pub now: Option<HostName>,
}

/// A start of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverSeen {
    /// Its start.
    pub start: StartId,
    /// Who.
    pub person: String,
    /// Where.
    pub machine: String,
}

/// What this journal knows of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseKnown {
    /// What people call it.
    pub label: String,
    /// Its files.
    pub tree: TreeId,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// It baked to the end at least once.
    pub was_stable: WasStable,
}

/// Whether a release ever baked to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasStable {
    /// Never.
    No,
    /// At least once.
    Yes,
}

impl Default for State {
    fn default() -> Self {
        Self {
            position: Position::START,
            journal: None,
            fleet: String::new(),
            driver: None,
            earlier_starts: Default::default(),
            stable: None,
            previous_stable: None,
            quarantine: Default::default(),
            lock: None,
            keeper: None,
            foreign: None,
            releases: Default::default(),
            apart: Default::default(),
            owed_sweep: Default::default(),
            parted: Default::default(),
            rollouts: Default::default(),
            order: Default::default(),
            open: Vec::new(),
            requests: Vec::new(),
            databases: Default::default(),
        }
    }
}

impl State {
    /// Applies an event whose record ends at `position`.
    ///
    /// # Errors
    /// Why the event cannot follow; the state must then be dropped.
    pub fn apply(
        &mut self,
        position: Position,
        at: Timestamp,
        event: &Event,
    ) -> Result<(), String> {
        self.position = position;
        self.take_in_data(at, event);
        match event {
            Event::JournalCreated { journal, fleet, .. } => self.created(journal, fleet)?,
            Event::DriverStarted { start, person, machine, .. } => self.drive(DriverSeen {
                start: start.clone(),
                person: person.clone(),
                machine: machine.clone(),
            }),
            Event::RolloutBegun { rollout, intent, because_of } => {
                self.begin(at, rollout, intent, because_of.as_ref())?;
            }
            Event::Observed { fact } => self.observe(fact),
            Event::Requested { rollout, person, request } => {
                self.requests.push((rollout.clone(), person.clone(), request.clone()));
            }
            Event::DataActBegun { .. } | Event::DataActEnded { .. } => {}
            Event::RolloutEnded { rollout, end } => {
                self.apply_inner(at, rollout, event)?;
                self.end(rollout, end);
            }
            Event::Held { rollout, .. } | Event::EndDecided { rollout, .. } => {
                self.apply_inner(at, rollout, event)?;
                self.requests.clear();
            }
            Event::RoundBegun { rollout, .. }
            | Event::HostAnswered { rollout, .. }
            | Event::FenceChosen { rollout, .. }
            | Event::GateJudged { rollout, .. }
            | Event::RolloutBound { rollout, .. }
            | Event::WorkBegun { rollout, .. }
            | Event::MigrationMoved { rollout, .. }
            | Event::MigrationWentBack { rollout, .. }
            | Event::HookEnded { rollout, .. }
            | Event::WaveBegun { rollout, .. }
            | Event::StepBegun { rollout, .. }
            | Event::StepAnswered { rollout, .. }
            | Event::OutsideProved { rollout, .. }
            | Event::HostDone { rollout, .. }
            | Event::HostStopped { rollout, .. }
            | Event::HostFailed { rollout, .. }
            | Event::HostLeft { rollout, .. }
            | Event::HealthChanged { rollout, .. }
            | Event::SoakBegun { rollout, .. }
            | Event::BakeBegun { rollout, .. }
            | Event::BakeEnded { rollout }
            | Event::WayBackDecided { rollout, .. }
            | Event::RestorePointMade { rollout, .. }
            | Event::RestorePointFailed { rollout, .. }
            | Event::RestorePointUnknown { rollout, .. }
            | Event::InvariantsJudged { rollout, .. }
            | Event::InvariantsUnknown { rollout, .. }
            | Event::LeaseRenewed { rollout, .. } => self.apply_inner(at, rollout, event)?,
            Event::Resumed { rollout, .. } => {
                self.apply_inner(at, rollout, event)?;
                // Whoever goes on does not want it held any more.
                self.requests.retain(|(_, _, asked)| !matches!(asked, Requested::Hold { .. }));
            }
        }
        Ok(())
    }

    fn created(&mut self, journal: &JournalId, fleet: &str) -> Result<(), String> {
        if self.journal.is_some() {
            return Err("the journal was created before".to_owned());
        }
        self.journal = Some(journal.clone());
        self.fleet = fleet.to_owned();
        Ok(())
    }

    /// What is known of guarded databases, beside what a push makes of it.
    fn take_in_data(&mut self, at: Timestamp, event: &Event) {
        let mut known = |name: &DatabaseName, change: &dyn Fn(&mut DatabaseKnown)| {
            change(Arc::make_mut(&mut self.databases).entry(name.clone()).or_default());
        };
        match event {
            Event::DataActBegun { act, person, database, what } => {
                let begun = || ActBegun { what: *what, person: person.clone(), at };
                known(database, &|known| known.begins(act, begun()));
            }
            Event::DataActEnded { act, database, outcome } => {
                known(database, &|known| known.ends(at, act, outcome));
            }
            Event::RestorePointMade { rollout, database, point } => known(database, &|known| {
                known.points.insert(rollout.clone(), point.clone());
            }),
            _ => {}
        }
    }

    fn drive(&mut self, driver: DriverSeen) {
        if let Some(before) = self.driver.replace(driver) {
            let earlier = Arc::make_mut(&mut self.earlier_starts);
            earlier.push(before.start);
            let surplus = earlier.len().saturating_sub(EARLIER_STARTS_MAX);
            earlier.drain(..surplus);
        }
    }

    fn apply_inner(&mut self, at: Timestamp, id: &RolloutId, event: &Event) -> Result<(), String> {
        let rollout =
            self.rollouts.get_mut(id).ok_or_else(|| format!("there is no rollout {id}"))?;
        let rollout = Arc::make_mut(rollout);
        apply_to_rollout(rollout, at, event)?;
        if let (Event::RoundBegun { .. }, Some(round)) = (event, &mut rollout.round) {
            round.witness = Some(self.position.witness());
        }
        Ok(())
    }

    fn begin(
        &mut self,
        at: Timestamp,
        id: &RolloutId,
        intent: &Intent,
        because_of: Option<&RolloutId>,
    ) -> Result<(), String> {
        let start = self.driver.as_ref().ok_or("no driver has started")?.start.clone();
        if self.rollouts.contains_key(id) {
            return Err(format!("the rollout {id} was begun before"));
        }
        if let Intent::Push { plan } = intent {
            let was_stable =
                self.releases.get(&plan.release).map_or(WasStable::No, |known| known.was_stable);
            Arc::make_mut(&mut self.releases).insert(
                plan.release,
                ReleaseKnown {
                    label: plan.label.clone(),
                    tree: plan.tree,
                    pushed_at: at,
                    was_stable,
                },
            );
        }
        self.requests.clear();
        if let Some(push) = because_of
            && matches!(intent, Intent::Rollback { .. })
            && let Some(push) = self.rollouts.get_mut(push)
        {
            Arc::make_mut(push).goes_back(at, id);
        }
        let rollout = Rollout::begun(id.clone(), intent.clone(), because_of.cloned(), at, start);
        self.rollouts.insert(id.clone(), Arc::new(rollout));
        Arc::make_mut(&mut self.order).push(id.clone());
        self.open.push(id.clone());
        Ok(())
    }

    fn observe(&mut self, fact: &Fact) {
        match fact {
            Fact::Stable { release, previous } => {
                self.stable = Some(*release);
                self.previous_stable = *previous;
            }
            Fact::OpenRollout { open, fence } => self.foreign = Some((open.clone(), fence.clone())),
            Fact::Superseded { .. } => {}
            Fact::Quarantine { entries } => {
                self.quarantine =
                    Arc::new(merge_quarantine([&*self.quarantine, entries].into_iter()));
            }
            Fact::Lock { lock } => self.lock = lock.clone(),
            Fact::Keeper { keeper } => self.keeper = Some(keeper.clone()),
            Fact::Apart { hosts } => self.apart = Arc::new(hosts.clone()),
        }
    }

    /// What the end of a rollout makes true beyond the rollout itself.
    fn end(&mut self, id: &RolloutId, end: &End) {
        self.open.retain(|open| open != id);
        self.requests.clear();
        let Some(rollout) = self.rollouts.get(id).cloned() else { return };
        match end {
            End::Stable => {
                if let Some(release) = rollout.release() {
                    self.now_stable(Some(release));
                    if let Some(known) = Arc::make_mut(&mut self.releases).get_mut(&release) {
                        known.was_stable = WasStable::Yes;
                    }
                }
                self.owed_sweep = Arc::default();
                self.apart = Arc::default();
            }
            End::Apart { hosts } => self.now_apart(&rollout, hosts),
            End::Converged | End::Owed { .. } => {
                if let Intent::Rollback { .. } = &*rollout.intent
                    && let Some(bound) = &rollout.bound
                {
                    self.now_stable(bound.release);
                    self.foreign = None;
                    self.apart = Arc::default();
                }
                self.owed_sweep = Arc::new(match end {
                    End::Owed { hosts } => hosts.iter().cloned().collect(),
                    _ => rollout
                        .hosts_where(|at| matches!(at, HostState::Gone { .. }))
                        .into_iter()
                        .collect(),
                });
            }
            End::Done => self.lesser_act_done(&rollout),
            End::TakenBack { .. }
            | End::NotSwitched { .. }
            | End::Refused { .. }
            | End::Unreachable { .. }
            | End::Fenced { .. }
            | End::TakenOver { .. }
            | End::Dropped => {}
        }
    }

    fn now_stable(&mut self, release: Option<ReleaseId>) {
        if self.stable != Some(release) {
            self.previous_stable = self.stable.flatten().or(self.previous_stable);
            self.stable = Some(release);
        }
    }

    /// Hosts that were given the fleet's stable release are not apart from it.
    fn now_apart(&mut self, rollout: &Rollout, hosts: &[HostName]) {
        let Some(release) = rollout.release() else { return };
        let (apart, owed) = (Arc::make_mut(&mut self.apart), Arc::make_mut(&mut self.owed_sweep));
        for host in hosts {
            owed.remove(host);
            if self.stable == Some(Some(release)) {
                apart.remove(host);
            } else {
                apart.insert(host.clone(), release);
            }
        }
    }

    fn members_changed(&mut self, change: &MemberChange, fence: Option<&Fence>) {
        let mut parts = |host: &HostName, now: Option<&HostName>| {
            if let Some(fence) = fence.cloned() {
                let parted = Parted { fence, now: now.cloned() };
                Arc::make_mut(&mut self.parted).insert(host.clone(), parted);
            }
        };
        match change {
            MemberChange::Remove { host } => parts(host, None),
            MemberChange::Rename { from, to } => parts(from, Some(to)),
            // Whatever runs there goes on.
            MemberChange::Forget { .. } => {}
        }
        let (apart, owed) = (Arc::make_mut(&mut self.apart), Arc::make_mut(&mut self.owed_sweep));
        match change {
            MemberChange::Remove { host } | MemberChange::Forget { host, .. } => {
                apart.remove(host);
                owed.remove(host);
            }
            MemberChange::Rename { from, to } => {
                if let Some(release) = apart.remove(from) {
                    apart.insert(to.clone(), release);
                }
                if owed.remove(from) {
                    owed.insert(to.clone());
                }
                if self.keeper.as_ref() == Some(from) {
                    self.keeper = Some(to.clone());
                }
            }
        }
    }

    fn lesser_act_done(&mut self, act: &Rollout) {
        match &*act.intent {
            Intent::Lock { lock, .. } => self.lock = lock.clone(),
            Intent::Keeper { keeper, .. } => self.keeper = Some(keeper.clone()),
            Intent::Members { change, .. } => {
                self.members_changed(change, act.fence.as_ref());
            }
            Intent::Push { .. }
            | Intent::Rollback { .. }
            | Intent::Sweep { .. }
            | Intent::Quarantine { .. }
            | Intent::Once { .. }
            | Intent::Upgrade { .. }
            | Intent::Look { .. } => {}
        }
    }

    /// Quarantine without the entry of a release that is stable by now: it became so after it was
    /// quarantined, by somebody who did not know or knew better. That it was lifted, hosts are told.
    pub fn quarantine_but(&self, stable: Option<ReleaseId>) -> BTreeMap<ReleaseId, Quarantined> {
        let mut entries = (*self.quarantine).clone();
        entries.retain(|release, entry| !entry.active || Some(*release) != stable);
        entries
    }

    /// The rollouts that this driver start drives and that have not ended, oldest first; also a push
    /// of an earlier start that one of them takes back.
    pub fn driven(&self) -> impl Iterator<Item = &Arc<Rollout>> {
        let start = self.driver.as_ref().map(|driver| &driver.start);
        self.open.iter().filter_map(|id| self.rollouts.get(id)).filter(move |rollout| {
            Some(&rollout.start) == start || matches!(rollout.phase, Phase::GoingBack { .. })
        })
    }

    /// The open rollouts of drivers that are gone, oldest first.
    pub fn abandoned(&self) -> impl Iterator<Item = &Arc<Rollout>> {
        let start = self.driver.as_ref().map(|driver| &driver.start);
        self.open
            .iter()
            .filter_map(|id| self.rollouts.get(id))
            .filter(move |rollout| Some(&rollout.start) != start)
    }

    /// One rollout.
    pub fn rollout(&self, id: &RolloutId) -> Option<&Rollout> {
        self.rollouts.get(id).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;
