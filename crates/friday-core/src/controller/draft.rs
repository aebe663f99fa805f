//! A draft: a scratch copy on which inputs are decided. Nothing counts until it is appended. The copy
//! shares with the controller whatever is as long as the fleet, so that it costs nothing.

use std::sync::Arc;

use friday_wire::{Answer, DatabaseName, HealthState, HostName, RolloutId, Sample};

use super::effect::{Effect, EffectId};
use super::input::{Input, Outcome};
use super::turn::Reply;
use super::{Controller, command};
use crate::journal::event::Watcher;
use crate::journal::round::StepAnswer;
use crate::journal::{Event, Record};
use crate::rollout::decide::{
    self, Memory, View, judge, outcome, push, restore_point, rollback, round, stop_all, wave,
};
use crate::rollout::owed::{self, Purpose};
use crate::rollout::run::{HostState, Rollout};
use crate::state::State;
use crate::time::Timestamp;
use friday_wire::{Refusal, Request};

/// More decisions than this from one input are a bug: the loop would not end.
const DECISIONS_MAX: usize = 100_000;

/// A scratch copy of the state, and the records that led to it.
#[derive(Debug)]
pub struct Draft {
    /// As it would be.
    pub state: State,
    /// As it would be.
    pub memory: Memory,
    records: Vec<Record>,
    events: Vec<Event>,
    now: Timestamp,
    broken: Option<String>,
}

impl Draft {
    /// A copy to decide on.
    pub fn new(controller: &Controller, now: Timestamp) -> Self {
        Self {
            state: controller.state.clone(),
            memory: controller.memory.clone(),
            records: Vec::new(),
            events: Vec::new(),
            now,
            broken: None,
        }
    }

    /// Decides one input.
    pub fn handle(&mut self, input: Input) -> Reply {
        let reply = match input {
            Input::Command(command) => command::handle(self, command),
            Input::Finished { effect, outcome } => self.finished(&effect, outcome),
            Input::Followed { effect, outcome } => self.followed(&effect, outcome),
            Input::Sampled { host, sample } => self.sampled(&host, &sample),
            Input::Woke => Reply::Taken,
        };
        self.advance();
        reply
    }

    /// Applies an event and remembers it: a decision sees its own earlier events.
    pub fn emit(&mut self, event: Event) {
        if self.broken.is_some() {
            return;
        }
        match &event {
            Event::StepBegun { rollout, host, .. } => {
                let key = (rollout.clone(), host.clone());
                self.memory.streaks.remove(&key);
                self.memory.passed.remove(&key);
            }
            Event::OutsideProved { rollout, host } => {
                self.memory.passed.remove(&(rollout.clone(), host.clone()));
            }
            _ => {}
        }
        let record = Record::after(&self.state.position, self.now, &event);
        if let Err(why) = self.state.apply(record.position(), self.now, &event) {
            self.broken = Some(format!("{}: {why}", record.kind));
            return;
        }
        self.records.push(record);
        self.events.push(event);
    }

    /// Several.
    pub fn emit_all(&mut self, events: Vec<Event>) {
        events.into_iter().for_each(|event| self.emit(event));
    }

    /// What must be appended, and after what.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The events of those records.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What a controller takes over.
    pub fn into_parts(self) -> (State, Memory, Vec<Event>) {
        (self.state, self.memory, self.events)
    }

    /// A decision that cannot follow from the state: a bug. The draft must be dropped.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The time of the input.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Decides until nothing follows any more.
    fn advance(&mut self) {
        for _ in 0..DECISIONS_MAX {
            if self.broken.is_some() {
                return;
            }
            let next = command::requests(self).or_else(|| {
                let ids: Vec<RolloutId> =
                    self.state.driven().map(|rollout| rollout.id.clone()).collect();
                ids.iter().rev().find_map(|id| {
                    let events = self.view(id).map(decide::advance).unwrap_or_default();
                    (!events.is_empty()).then_some(events)
                })
            });
            match next {
                Some(events) => self.emit_all(events),
                None => return,
            }
        }
        self.broken = Some("decisions do not come to an end".to_owned());
    }

    /// What decisions about a rollout read.
    pub fn view(&self, id: &RolloutId) -> Option<View<'_>> {
        let rollout = self.state.rollout(id)?;
        Some(View { state: &self.state, memory: &self.memory, rollout, now: self.now })
    }

    /// The rollout, host and purpose of an effect that is still owed. What comes of an effect that is
    /// not is the past's affair.
    fn owed(&self, effect: &EffectId) -> Option<(Arc<Rollout>, Option<HostName>, Purpose, Effect)> {
        let (id, host, purpose) = owed::parse(effect)?;
        let rollout = self.state.driven().find(|rollout| rollout.id == id)?;
        let all = match &host {
            Some(host) => owed::of_host(&self.state, rollout, host),
            None => owed::of_rollout(rollout),
        };
        let (_, found) = all.into_iter().find(|(id, _)| id == effect)?;
        Some((rollout.clone(), host, purpose, found.effect))
    }

    fn finished(&mut self, effect: &EffectId, outcome: Outcome) -> Reply {
        let Some((rollout, host, purpose, _)) = self.owed(effect) else { return Reply::Taken };
        match (purpose, host) {
            (Purpose::Round, Some(host)) => self.round_answered(&rollout, host, outcome),
            (Purpose::Confirm, Some(host)) => {
                self.step_answered(&rollout, &host, outcome::of_order(outcome))
            }
            (Purpose::Hook(name), None) => {
                let failed = match outcome {
                    Outcome::Done
                    | Outcome::Answered(_)
                    | Outcome::Pointed(_)
                    | Outcome::Judged(_) => None,
                    Outcome::Failed { why } | Outcome::Unknown { why } => Some(why),
                };
                self.emit(Event::HookEnded { rollout: rollout.id.clone(), name, failed });
            }
            (Purpose::Point(database), None) => {
                let event = self
                    .view(&rollout.id)
                    .map(|view| restore_point::answered(view, database, outcome));
                self.emit_all(event.into_iter().collect());
            }
            (
                Purpose::Round
                | Purpose::Confirm
                | Purpose::Hook(_)
                | Purpose::Point(_)
                | Purpose::Judge(_)
                | Purpose::Order
                | Purpose::Look
                | Purpose::Guard
                | Purpose::Watch
                | Purpose::Lease
                | Purpose::Migrate
                | Purpose::MigrateBack,
                _,
            ) => {}
        }
        Reply::Taken
    }

    fn round_answered(&mut self, rollout: &Rollout, host: HostName, outcome: Outcome) {
        let Some(round) = &rollout.round else { return };
        let answer = outcome::of_round(outcome);
        if host == round.keeper.0
            && matches!(answer, crate::journal::round::HostAnswer::Head { .. })
        {
            self.memory.renewed.insert(rollout.id.clone(), self.now);
        }
        self.emit(Event::HostAnswered {
            rollout: rollout.id.clone(),
            round: round.number,
            host,
            answer,
        });
    }

    fn step_answered(&mut self, rollout: &Rollout, host: &HostName, answer: StepAnswer) {
        self.emit(Event::StepAnswered {
            rollout: rollout.id.clone(),
            host: host.clone(),
            answer: answer.clone(),
        });
        let is_push = matches!(*rollout.intent, crate::journal::intent::Intent::Push { .. });
        let events = self.view(&rollout.id).map(|view| {
            if rollout.stops_all() {
                stop_all::answered(view, host, &answer)
            } else if is_push {
                wave::answered(view, host, &answer)
            } else {
                rollback::answered(view, host, &answer)
            }
        });
        self.emit_all(events.unwrap_or_default());
    }

    fn followed(&mut self, effect: &EffectId, outcome: Outcome) -> Reply {
        let Some((rollout, host, purpose, asked)) = self.owed(effect) else { return Reply::Taken };
        match (purpose, host) {
            (Purpose::Round, Some(host)) => {
                let view = self.view(&rollout.id);
                if !view.is_some_and(|view| round::is_to_be_asked_again(view, &outcome)) {
                    self.round_answered(&rollout, host, outcome);
                }
            }
            (Purpose::Order, Some(host)) => self.order_followed(&rollout, &host, outcome),
            (Purpose::Look, Some(host)) => {
                if let Effect::Follow { request, .. } = asked
                    && let Request::Observe { seal: Some(key), .. } = *request
                    && let Some(answer) = outcome::of_look(outcome, &key)
                {
                    self.step_answered(&rollout, &host, answer);
                }
            }
            (Purpose::Guard, Some(host)) => self.guarded(&rollout, &host, &outcome),
            (Purpose::Lease, None) => self.renewed(&rollout, &outcome),
            (Purpose::Judge(database), None) => self.judged(&rollout, database, outcome),
            (Purpose::Migrate, None) => {
                let events = self.view(&rollout.id).map(|view| push::migrated(view, outcome));
                self.emit_all(events.unwrap_or_default());
            }
            (Purpose::MigrateBack, None) => {
                let events =
                    self.view(&rollout.id).map(|view| rollback::migrated_back(view, outcome));
                self.emit_all(events.unwrap_or_default());
            }
            (
                Purpose::Order
                | Purpose::Look
                | Purpose::Guard
                | Purpose::Lease
                | Purpose::Migrate
                | Purpose::MigrateBack
                | Purpose::Round
                | Purpose::Confirm
                | Purpose::Hook(_)
                | Purpose::Point(_)
                | Purpose::Judge(_)
                | Purpose::Watch,
                _,
            ) => {}
        }
        Reply::Taken
    }

    /// A host that is busy with what a higher fence ended is asked again.
    fn order_followed(&mut self, rollout: &Rollout, host: &HostName, outcome: Outcome) {
        let answer = outcome::of_order(outcome);
        match &answer {
            StepAnswer::Refused { refusal: Refusal::Busy { .. } } => {}
            StepAnswer::Report { report }
                if matches!(report.state, friday_wire::StepState::Running { .. }) => {}
            StepAnswer::Report { .. }
            | StepAnswer::Refused { .. }
            | StepAnswer::Unknown { .. }
            | StepAnswer::NotSent { .. } => self.step_answered(rollout, host, answer),
        }
    }

    fn guarded(&mut self, rollout: &Rollout, host: &HostName, outcome: &Outcome) {
        let key = (rollout.id.clone(), host.clone());
        let silent = match outcome {
            Outcome::Answered(_) | Outcome::Done | Outcome::Pointed(_) | Outcome::Judged(_) => {
                self.memory.silent.remove(&key);
                0
            }
            Outcome::Failed { .. } | Outcome::Unknown { .. } => {
                let count = self.memory.silent.get(&key).copied().unwrap_or(0) + 1;
                self.memory.silent.insert(key, count);
                count
            }
        };
        if let Outcome::Answered(answer) = outcome
            && let Answer::Refused(Refusal::Fenced { highest }) = &**answer
        {
            let end = crate::journal::event::End::Fenced { by: highest.clone() };
            self.emit(Event::RolloutEnded { rollout: rollout.id.clone(), end });
            return;
        }
        let event =
            self.view(&rollout.id).and_then(|view| outcome::of_guard(view, host, outcome, silent));
        self.emit_all(event.into_iter().collect());
    }

    fn renewed(&mut self, rollout: &Rollout, outcome: &Outcome) {
        match outcome {
            Outcome::Answered(answer) if **answer == Answer::Ok => {
                self.memory.renewed.insert(rollout.id.clone(), self.now);
            }
            Outcome::Answered(_)
            | Outcome::Done
            | Outcome::Pointed(_)
            | Outcome::Judged(_)
            | Outcome::Failed { .. }
            | Outcome::Unknown { .. } => {}
        }
    }

    fn judged(&mut self, rollout: &Rollout, database: DatabaseName, outcome: Outcome) {
        let key = (rollout.id.clone(), database);
        let before = self.memory.unjudged.get(&key).copied().unwrap_or(0);
        let heard = self.view(&rollout.id).map(|view| judge::heard(view, &key.1, outcome, before));
        let Some((in_vain, event)) = heard else { return };
        if in_vain == 0 || event.is_some() {
            self.memory.unjudged.remove(&key);
        } else {
            self.memory.unjudged.insert(key, in_vain);
        }
        self.emit_all(event.into_iter().collect());
    }

    fn sampled(&mut self, host: &HostName, sample: &Sample) -> Reply {
        let watched: Vec<RolloutId> = self
            .state
            .driven()
            .filter(|rollout| {
                rollout.hosts.get(host).is_some_and(|run| {
                    matches!(run.at, HostState::Proving { .. } | HostState::Done)
                })
            })
            .map(|rollout| rollout.id.clone())
            .collect();
        for id in watched {
            self.sampled_in(&id, host, sample);
        }
        Reply::Taken
    }

    fn sampled_in(&mut self, id: &RolloutId, host: &HostName, sample: &Sample) {
        let Some(rollout) = self.state.rollout(id) else { return };
        let Some(outside) = rollout.fleet().outside.clone() else { return };
        let Some(run) = rollout.hosts.get(host) else { return };
        let was_sick = run.sick.contains_key(&crate::rollout::run::WatcherKey::Outside);
        let is_done = run.at == HostState::Done;
        let now = u64::try_from(self.now.0).unwrap_or(0);
        let key = (id.clone(), host.clone());
        let mut streak = self.memory.streaks.get(&key).cloned().unwrap_or_default();
        let state = streak.add(now, sample, &outside.health);
        let sick = match state {
            HealthState::Sick { why } => Some(why.clone()),
            HealthState::Healthy | HealthState::Unproven => None,
        };
        match state {
            HealthState::Healthy if !is_done => self.memory.passed.insert(key.clone()),
            HealthState::Healthy | HealthState::Sick { .. } | HealthState::Unproven => {
                self.memory.passed.remove(&key);
            }
        }
        self.memory.streaks.insert(key, streak);
        if is_done && was_sick != sick.is_some() {
            let rollout = id.clone();
            self.emit(Event::HealthChanged {
                rollout,
                host: host.clone(),
                by: Watcher::Outside,
                sick,
            });
        }
    }
}
