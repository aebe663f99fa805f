//! All rollouts of one journal, and what they add up to, as people see it.
//!
//! A fold of its own, apart from the controller's state: it keeps names, times and endings of old
//! rollouts that no decision needs, and it tolerates whatever the controller would refuse, because a
//! damaged journal still wants to be looked at.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{
    DatabaseName, HostName, JournalId, Lock, OpenRollout, Quarantined, ReleaseId, RolloutId,
};
use serde::Serialize;

use super::rollout::{RolloutView, RolloutWord};
use super::story::{self, Line, News};
use crate::database::{ActBegun, DatabaseKnown};
use crate::journal::event::{End, Event, Requested};
use crate::journal::finding::Fact;
use crate::journal::intent::{Intent, MemberChange};
use crate::journal::round::HostAnswer;
use crate::reason::Reason;
use crate::time::Timestamp;

/// A release as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseView {
    /// Its identity.
    pub release: ReleaseId,
    /// What people called it when it was last pushed.
    pub label: Option<String>,
    /// When it was first pushed.
    pub first_pushed: Option<Timestamp>,
    /// When it last became stable.
    pub stable_since: Option<Timestamp>,
    /// Why hosts refuse it, where they do.
    pub quarantined: Option<String>,
}

/// A request by another process that the driver has not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestView {
    /// Names it, and the rollback that answers it.
    pub rollout: RolloutId,
    /// Who.
    pub person: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub request: Requested,
}

/// A rollout of another journal, found on hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignView {
    /// As hosts know it.
    pub open: OpenRollout,
    /// When this journal learned of it.
    pub seen: Timestamp,
}

/// A journal, folded for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Chronicle {
    /// Which journal.
    pub journal: Option<JournalId>,
    /// Of which fleet.
    pub fleet: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The stable release.
    pub stable: Option<ReleaseId>,
    /// The stable one before.
    pub previous_stable: Option<ReleaseId>,
    /// The human lock.
    pub lock: Option<Lock>,
    /// The host that keeps the lease, where the journal was told.
    pub keeper: Option<HostName>,
    /// A rollout of another journal that hosts hold open.
    pub foreign: Option<ForeignView>,
    /// Releases by identity.
    pub releases: BTreeMap<ReleaseId, ReleaseView>,
    /// Rollouts, oldest first.
    pub rollouts: Vec<RolloutView>,
    /// Requests not answered yet.
    pub requests: Vec<RequestView>,
    /// Hosts that run a release apart from the fleet, on purpose.
    pub apart: BTreeMap<HostName, ReleaseId>,
    /// Hosts that friday put something on, and what they ran when they were last heard.
    pub members: BTreeMap<HostName, Option<ReleaseId>>,
    /// Hosts that were removed from the fleet or forgotten, and when.
    pub parted: BTreeMap<HostName, Timestamp>,
    /// Hosts that were not put right yet.
    pub owed: BTreeSet<HostName>,
    /// Guarded databases, as the journal knows them.
    #[serde(skip)]
    pub databases: BTreeMap<DatabaseName, DatabaseKnown>,
    /// Person and machine of the last driver.
    #[serde(skip)]
    driver: (String, String),
    /// Whom the last change of keeper names, and which rollout that is.
    #[serde(skip)]
    naming: Option<(RolloutId, HostName)>,
    /// What the last change of members is.
    #[serde(skip)]
    changing: Option<(RolloutId, MemberChange)>,
}

impl Chronicle {
    /// Takes in the next event and tells what it means to people: one renderer for what happens now
    /// and for what happened long ago.
    pub fn take_in(&mut self, at: Timestamp, event: &Event) -> Vec<Line> {
        let news = match event {
            Event::Observed { fact } => self.news_of(fact),
            _ => News::Fresh,
        };
        self.apply(at, event);
        story::tell(self, at, event, news)
    }

    fn news_of(&self, fact: &Fact) -> News {
        let known = match fact {
            Fact::Stable { release, .. } => self.stable == *release,
            Fact::Quarantine { entries } => entries.iter().all(|(release, entry)| {
                let known = self.releases.get(release);
                known.is_some_and(|known| known.quarantined.is_some()) == entry.active
            }),
            Fact::Lock { lock } => self.lock == *lock,
            Fact::Keeper { .. } => true,
            Fact::OpenRollout { open, .. } => {
                self.foreign.as_ref().is_some_and(|foreign| foreign.open.id == open.id)
            }
            Fact::Superseded { .. } => false,
            Fact::Apart { hosts } => self.apart == *hosts,
        };
        if known { News::Known } else { News::Fresh }
    }

    /// A rollout by its id.
    pub fn rollout(&self, id: &RolloutId) -> Option<&RolloutView> {
        self.rollouts.iter().rev().find(|rollout| rollout.rollout == *id)
    }

    /// The rollouts that are not over, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &RolloutView> {
        self.rollouts.iter().filter(|rollout| rollout.is_open())
    }

    /// Why hosts that are owed a sweep would not go where they were told to, where it is known.
    pub fn owed_because(&self) -> &[Reason] {
        let owing = |view: &&RolloutView| matches!(view.end, Some(End::Owed { .. }));
        let last = self.rollouts.iter().rev().find(owing);
        last.filter(|_| !self.owed.is_empty()).map_or(&[], RolloutView::reasons)
    }

    /// The last rollout that put something on hosts, or tried to.
    pub fn last_acting(&self) -> Option<&RolloutView> {
        self.rollouts.iter().rev().find(|rollout| rollout.word != RolloutWord::Look)
    }

    /// A release for a sentence: its label and the start of its identity.
    pub fn release_says(&self, release: &ReleaseId) -> String {
        match self.releases.get(release).and_then(|known| known.label.as_deref()) {
            Some(label) => format!("`{label}` ({})", release.short()),
            None => release.short(),
        }
    }

    /// A release, or the nothing before a first push, for a sentence.
    pub fn target_says(&self, release: Option<&ReleaseId>) -> String {
        release.map_or_else(|| "nothing".to_owned(), |release| self.release_says(release))
    }

    fn apply(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::JournalCreated { journal, fleet, .. } => {
                self.journal = Some(journal.clone());
                self.fleet = Some(fleet.clone());
                self.created = Some(at);
            }
            Event::DriverStarted { person, machine, .. } => {
                self.driver = (person.clone(), machine.clone());
            }
            Event::RolloutBegun { rollout, intent, because_of } => {
                self.begun(at, rollout, intent, because_of.as_ref());
            }
            Event::Observed { fact } => self.observed(at, fact),
            Event::Requested { rollout, person, request } => self.requests.push(RequestView {
                rollout: rollout.clone(),
                person: person.clone(),
                at,
                request: request.clone(),
            }),
            Event::RolloutEnded { rollout, end } => self.ended(at, rollout, end),
            Event::HostAnswered { host, answer, .. } => self.heard(host, answer),
            Event::HostDone { rollout, host } => self.host_done(rollout, host),
            Event::DataActBegun { act, person, database, what } => {
                let begun = ActBegun { what: *what, person: person.clone(), at };
                self.databases.entry(database.clone()).or_default().begins(act, begun);
            }
            Event::DataActEnded { act, database, outcome } => {
                self.databases.entry(database.clone()).or_default().ends(at, act, outcome);
            }
            Event::RestorePointMade { rollout, database, point } => {
                let known = self.databases.entry(database.clone()).or_default();
                known.points.insert(rollout.clone(), point.clone());
            }
            // As the controller counts them: answered, or overtaken.
            Event::Held { .. } | Event::EndDecided { .. } => self.requests.clear(),
            Event::Resumed { .. } => {
                let is_hold = |asked: &RequestView| matches!(asked.request, Requested::Hold { .. });
                self.requests.retain(|asked| !is_hold(asked));
            }
            _ => {}
        }
        if let Some(id) = rollout_of(event)
            && let Some(rollout) = self.rollouts.iter_mut().rev().find(|known| known.rollout == *id)
        {
            rollout.apply(at, event);
        }
    }

    fn begun(
        &mut self,
        at: Timestamp,
        rollout: &RolloutId,
        intent: &Intent,
        because_of: Option<&RolloutId>,
    ) {
        let mut view = RolloutView::begun(rollout.clone(), intent, because_of.cloned(), at);
        let asked = self.requests.iter().position(|request| request.rollout == *rollout);
        (view.person, view.machine) = self.driver.clone();
        if let Some(index) = asked {
            view.person = self.requests.remove(index).person;
        }
        self.requests.clear();
        if let Intent::Push { plan } = intent {
            let known = self.release_mut(plan.release);
            known.label = Some(plan.label.clone());
            known.first_pushed.get_or_insert(at);
        }
        if let Intent::Keeper { keeper, .. } = intent {
            self.naming = Some((rollout.clone(), keeper.clone()));
        }
        if let Intent::Members { change, .. } = intent {
            self.changing = Some((rollout.clone(), change.clone()));
        }
        self.rollouts.push(view);
    }

    /// One that knows nothing may have been set up anew: what it ran before is worth keeping.
    fn heard(&mut self, host: &HostName, answer: &HostAnswer) {
        let current = match answer {
            HostAnswer::Head { head } => head.current,
            HostAnswer::Seen { observation } => observation.head.current,
            HostAnswer::Ok
            | HostAnswer::Refused { .. }
            | HostAnswer::Failed { .. }
            | HostAnswer::Unreachable { .. }
            | HostAnswer::Unknown { .. } => None,
        };
        if current.is_some() {
            self.members.insert(host.clone(), current);
            self.parted.remove(host);
        }
    }

    fn host_done(&mut self, rollout: &RolloutId, host: &HostName) {
        let Some(view) = self.rollout(rollout) else { return };
        let sweep = view.word == RolloutWord::Sweep;
        let release = view.release;
        if sweep && self.apart.contains_key(host) {
            return;
        }
        self.members.insert(host.clone(), release);
        self.parted.remove(host);
    }

    fn members_changed(&mut self, at: Timestamp, change: &MemberChange) {
        match change {
            MemberChange::Remove { host } | MemberChange::Forget { host, .. } => {
                self.members.remove(host);
                self.apart.remove(host);
                self.owed.remove(host);
                self.parted.insert(host.clone(), at);
            }
            MemberChange::Rename { from, to } => {
                let ran = self.members.remove(from).flatten();
                self.members.insert(to.clone(), ran);
                if let Some(release) = self.apart.remove(from) {
                    self.apart.insert(to.clone(), release);
                }
                if self.owed.remove(from) {
                    self.owed.insert(to.clone());
                }
                if self.keeper.as_ref() == Some(from) {
                    self.keeper = Some(to.clone());
                }
            }
        }
    }

    fn ended(&mut self, at: Timestamp, rollout: &RolloutId, end: &End) {
        self.requests.clear();
        let Some(view) = self.rollout(rollout).cloned() else {
            return;
        };
        match end {
            End::Owed { hosts } => self.owed.extend(hosts.iter().cloned()),
            // Every host was observed.
            End::Stable | End::Converged => self.owed.clear(),
            End::Apart { hosts } => self.owed.retain(|host| !hosts.contains(host)),
            End::TakenBack { .. }
            | End::NotSwitched { .. }
            | End::Refused { .. }
            | End::Unreachable { .. }
            | End::Fenced { .. }
            | End::TakenOver { .. }
            | End::Done
            | End::Dropped => {}
        }
        match (view.word, end) {
            (RolloutWord::Push, End::Stable) => {
                if let Some(release) = view.release {
                    self.became_stable(at, Some(release));
                    self.apart.clear();
                }
            }
            (RolloutWord::Push, End::Apart { hosts }) => {
                for host in hosts {
                    match view.release.filter(|release| self.stable != Some(*release)) {
                        Some(release) => self.apart.insert(host.clone(), release),
                        None => self.apart.remove(host),
                    };
                }
            }
            (RolloutWord::Remove | RolloutWord::Rename | RolloutWord::Forget, End::Done) => {
                if let Some((_, change)) = self.changing.take_if(|(named, _)| named == rollout) {
                    self.members_changed(at, &change);
                }
            }
            (RolloutWord::Rollback, End::Converged | End::Owed { .. }) => {
                self.became_stable(at, view.release);
                self.apart.clear();
                self.foreign = None;
            }
            (RolloutWord::Quarantine, End::Done | End::Owed { .. }) => {
                if let Some(release) = view.release {
                    self.release_mut(release).quarantined = Some(view.reason.unwrap_or_default());
                }
            }
            (RolloutWord::Lift, End::Done | End::Owed { .. }) => {
                if let Some(release) = view.release {
                    self.release_mut(release).quarantined = None;
                }
            }
            (RolloutWord::Lock, End::Done | End::Owed { .. }) => {
                self.lock = Some(Lock {
                    person: view.person,
                    reason: view.reason.unwrap_or_default(),
                    at_ms: view.began.0,
                });
            }
            (RolloutWord::Unlock, End::Done | End::Owed { .. }) => self.lock = None,
            (RolloutWord::Keeper, End::Done | End::Owed { .. }) => {
                if let Some((_, keeper)) = self.naming.take_if(|(named, _)| named == rollout) {
                    self.keeper = Some(keeper);
                }
            }
            _ => {}
        }
    }

    fn became_stable(&mut self, at: Timestamp, release: Option<ReleaseId>) {
        if self.stable != release {
            self.previous_stable = self.stable;
        }
        self.stable = release;
        if let Some(release) = release {
            self.release_mut(release).stable_since = Some(at);
        }
    }

    fn observed(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::Stable { release, previous } => {
                self.stable = *release;
                self.previous_stable = *previous;
                for known in release.iter().chain(previous) {
                    self.release_mut(*known);
                }
            }
            Fact::OpenRollout { open, .. } => {
                self.foreign = Some(ForeignView { open: open.clone(), seen: at });
            }
            Fact::Superseded { .. } => {}
            Fact::Quarantine { entries } => {
                for (release, Quarantined { reason, active, .. }) in entries {
                    self.release_mut(*release).quarantined = active.then(|| reason.clone());
                }
            }
            Fact::Lock { lock } => self.lock.clone_from(lock),
            Fact::Keeper { keeper } => self.keeper = Some(keeper.clone()),
            Fact::Apart { hosts } => self.apart.clone_from(hosts),
        }
    }

    fn release_mut(&mut self, release: ReleaseId) -> &mut ReleaseView {
        self.releases.entry(release).or_insert(ReleaseView {
            release,
            label: None,
            first_pushed: None,
            stable_since: None,
            quarantined: None,
        })
    }
}

/// The rollout that an event is about.
pub fn rollout_of(event: &Event) -> Option<&RolloutId> {
    match event {
        Event::JournalCreated { .. }
        | Event::DriverStarted { .. }
        | Event::Observed { .. }
        | Event::DataActBegun { .. }
        | Event::DataActEnded { .. }
        | Event::Requested { .. } => None,
        Event::RolloutBegun { rollout, .. }
        | Event::RoundBegun { rollout, .. }
        | Event::HostAnswered { rollout, .. }
        | Event::FenceChosen { rollout, .. }
        | Event::GateJudged { rollout, .. }
        | Event::RolloutBound { rollout, .. }
        | Event::WorkBegun { rollout, .. }
        | Event::MigrationMoved { rollout, .. }
        | Event::MigrationWentBack { rollout, .. }
        | Event::HostLeft { rollout, .. }
        | Event::EndDecided { rollout, .. }
        | Event::HookEnded { rollout, .. }
        | Event::WaveBegun { rollout, .. }
        | Event::StepBegun { rollout, .. }
        | Event::StepAnswered { rollout, .. }
        | Event::OutsideProved { rollout, .. }
        | Event::HostDone { rollout, .. }
        | Event::HostStopped { rollout, .. }
        | Event::HostFailed { rollout, .. }
        | Event::HealthChanged { rollout, .. }
        | Event::SoakBegun { rollout, .. }
        | Event::BakeBegun { rollout, .. }
        | Event::BakeEnded { rollout, .. }
        | Event::LeaseRenewed { rollout, .. }
        | Event::Held { rollout, .. }
        | Event::RolloutEnded { rollout, .. }
        | Event::WayBackDecided { rollout, .. }
        | Event::RestorePointMade { rollout, .. }
        | Event::RestorePointFailed { rollout, .. }
        | Event::RestorePointUnknown { rollout, .. }
        | Event::InvariantsJudged { rollout, .. }
        | Event::InvariantsUnknown { rollout, .. }
        | Event::Resumed { rollout, .. } => Some(rollout),
    }
}
