//! A laptop, and the friday process on it: the real controller in a simulated shell.

use std::collections::{BTreeMap, BTreeSet};

use friday_core::controller::Controller;
use friday_core::controller::effect::{Effect, EffectId};
use friday_core::controller::input::{Command, Input, Outcome};
use friday_core::time::Timestamp;
use friday_wire::{
    Answer, Head, HostName, Refusal, Request, RolloutId, Step, StepReport, StepState, WIRE_VERSION,
};

use crate::failure::FailureClass;
use crate::guarded::point;
use crate::switch::Switch;
use crate::world::{Happening, World};

/// Who waits for an answer of a host.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) laptop: usize,
    /// The process that asked; a later one does not hear the answer.
    pub(crate) epoch: u64,
    pub(crate) effect: EffectId,
    pub(crate) purpose: Purpose,
    /// Which question of a standing effect.
    pub(crate) asked: u64,
}

/// What the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Ask,
    Follow,
    Ship,
    /// A second copy of a request on the wire: nobody listens.
    Echo,
    /// The rough driver listens.
    Rough,
}

/// One laptop.
#[derive(Debug)]
pub(crate) struct Laptop {
    pub(crate) name: String,
    /// Which journal lies in its directory.
    pub(crate) ledger: usize,
    pub(crate) process: Option<Driver>,
    pub(crate) epoch: u64,
    /// Its wall clock less virtual time.
    pub(crate) clock_ms: i64,
    /// The lid is closed until then.
    pub(crate) sleeps_until: u64,
}

/// One friday process.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) epoch: u64,
    pub(crate) controller: Controller,
    /// A rollback whose journal cannot be written runs over one of its own.
    pub(crate) ledger: usize,
    pub(crate) command: Command,
    /// Set once the command was taken.
    pub(crate) taken: bool,
    pub(crate) in_flight: BTreeMap<EffectId, InFlight>,
    /// With law 5 switched off: effects that were found and not decided are never begun.
    pub(crate) overlooked: BTreeSet<EffectId>,
    pub(crate) wakes_at: Option<u64>,
    /// What was owed when it started, until it has looked.
    pub(crate) unsettled: BTreeSet<EffectId>,
    /// It syncs a turn until then.
    pub(crate) busy_until: u64,
    /// What came meanwhile, or while the lid was closed: taken in one turn.
    pub(crate) inbox: Vec<Input>,
}

/// An effect at work.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    pub(crate) effect: Effect,
    /// The last question of a standing effect. Numbered through the whole run: an effect that ends and
    /// is owed again under its old name must not hear what the former one was told.
    pub(crate) asked: u64,
    /// The last one has its answer; of another effect: it has ended.
    pub(crate) answered: bool,
}

/// The rollout a command names.
pub(crate) fn named(command: &Command) -> &RolloutId {
    match command {
        Command::Push { rollout, .. }
        | Command::Rollback { rollout, .. }
        | Command::Sweep { rollout, .. }
        | Command::Resume { rollout, .. }
        | Command::Abort { rollout, .. }
        | Command::Hold { rollout, .. }
        | Command::SetLock { rollout, .. }
        | Command::SetQuarantine { rollout, .. }
        | Command::SetKeeper { rollout, .. }
        | Command::SetOnce { rollout, .. }
        | Command::Upgrade { rollout, .. }
        | Command::Look { rollout, .. }
        | Command::ChangeMembers { rollout, .. } => rollout,
    }
}

impl World {
    pub(crate) fn wall_clock(&self, laptop: usize) -> Timestamp {
        // 2026-11-20, a Friday.
        const BEGAN: i64 = 1_795_168_800_000;
        let since = i64::try_from(self.now).unwrap_or(i64::MAX);
        Timestamp(BEGAN + since + self.laptops[laptop].clock_ms)
    }

    pub(crate) fn virtual_time(&self, laptop: usize, at: Timestamp) -> u64 {
        let now = self.wall_clock(laptop);
        self.now + at.since_ms(now)
    }

    /// Starts friday with a command, over the journal of this laptop's directory.
    pub(crate) fn start_friday(&mut self, laptop: usize, command: Command) {
        let ledger = self.laptops[laptop].ledger;
        self.start_friday_over(laptop, ledger, command);
    }

    pub(crate) fn start_friday_over(&mut self, laptop: usize, ledger: usize, command: Command) {
        self.laptops[laptop].epoch += 1;
        let epoch = self.laptops[laptop].epoch;
        self.note(|world| {
            format!("{} runs {}", world.laptops[laptop].name, world.tell_command(&command))
        });
        let controller = match self.ledgers[ledger].replayed() {
            Ok(controller) => controller,
            Err(error) => {
                return self.fail(FailureClass::Audit, format!("a journal does not load: {error}"));
            }
        };
        let overlooked = if self.is_off(Switch::Effects) {
            controller.owed().keys().cloned().collect()
        } else {
            BTreeSet::new()
        };
        let unsettled = controller.owed().keys().cloned().collect();
        self.laptops[laptop].process = Some(Driver {
            epoch,
            controller,
            ledger,
            command: command.clone(),
            taken: false,
            in_flight: BTreeMap::new(),
            overlooked,
            unsettled,
            wakes_at: None,
            busy_until: 0,
            inbox: Vec::new(),
        });
        self.reasons.clear();
        self.drive(laptop, Input::Command(command));
    }

    /// A `kill -9`, or the end of the process: whatever is on its way stays on its way.
    pub(crate) fn kill_friday(&mut self, laptop: usize, why: &str) {
        let Some(driver) = self.laptops[laptop].process.take() else { return };
        self.note(|world| format!("friday on {} ends: {why}", world.laptops[laptop].name));
        self.ledgers[driver.ledger].lose_unsynced();
        self.what_took_over_is_in_the_journal(driver.ledger);
        self.check_replay(&driver);
    }

    /// PROTOCOL 1: a rollback needs no journal.
    pub(crate) fn go_on_without_journal(&mut self, laptop: usize, command: Command) {
        if let Command::Rollback { to, now, quarantine, reason, fleet, .. } = command {
            let ledger = self.new_ledger(laptop);
            let again = Command::Rollback {
                rollout: self.new_rollout("rollback"),
                driver: self.new_driver(laptop),
                to,
                now,
                quarantine,
                reason,
                fleet,
            };
            self.start_friday_over(laptop, ledger, again);
        }
    }

    pub(crate) fn begin(&mut self, laptop: usize, epoch: u64, id: EffectId, effect: Effect) {
        let caller = |purpose| Caller { laptop, epoch, effect: id.clone(), purpose, asked: 0 };
        match effect {
            Effect::Ask { host, request } => self.send(caller(Purpose::Ask), &host, *request),
            Effect::Follow { .. } | Effect::Judge { .. } => self.ask_again(laptop, epoch, &id),
            Effect::Ship { host, release, .. } => {
                let after = self.rng.u64(20..3_000);
                let Some(release) = self.catalog.find(&release) else {
                    return self.answered(
                        after,
                        caller(Purpose::Ship),
                        Outcome::Answered(Box::new(Answer::Error {
                            why: "the release is not on this machine".to_owned(),
                        })),
                    );
                };
                let request = friday_wire::Request::PutManifest {
                    release: release.id,
                    manifest: release.manifest.clone(),
                };
                let at = self.now + after;
                self.schedule
                    .put(at, Happening::Sends { caller: caller(Purpose::Ship), host, request });
            }
            Effect::Upgrade { host, .. } => {
                let after = self.rng.u64(20..3_000);
                let outcome = self.upgrades(laptop, &host);
                self.answered(after, caller(Purpose::Ask), outcome);
            }
            Effect::Hook { name, .. } => {
                let outcome = if self.chance(self.faults.failed_actions) {
                    Outcome::Failed { why: format!("the hook `{name}` exited with 1") }
                } else {
                    Outcome::Done
                };
                let after = self.rng.u64(10..2_000);
                self.answered(after, caller(Purpose::Ask), outcome);
            }
            Effect::Point { database, name, .. } => {
                let (after, outcome) = self.points(&database, name);
                self.answered(after, caller(Purpose::Ask), outcome);
            }
            Effect::Watch { .. } => {
                self.questions += 1;
                let asked = self.questions;
                if let Some(flight) =
                    self.process_of(laptop, epoch).and_then(|driver| driver.in_flight.get_mut(&id))
                {
                    flight.asked = asked;
                }
                let at = self.now + self.rng.u64(1..500);
                self.schedule.put(at, Happening::OutsideProbe { laptop, epoch, effect: id, asked });
            }
        }
    }

    /// The new program is put on a host, and serves from then on.
    fn upgrades(&mut self, laptop: usize, host: &HostName) -> Outcome {
        let number = self.numbers.get(host).copied();
        match number.filter(|number| !self.is_cut(laptop, *number)) {
            Some(number) if self.hosts[number].booted_at.is_some() => {
                self.hosts[number].wire = WIRE_VERSION;
                Outcome::Done
            }
            _ => Outcome::Failed { why: "no route to host".to_owned() },
        }
    }

    /// One question of a standing effect.
    pub(crate) fn ask_again(&mut self, laptop: usize, epoch: u64, id: &EffectId) {
        self.questions += 1;
        let question = self.questions;
        let Some(driver) = self.process_of(laptop, epoch) else { return };
        let Some(flight) = driver.in_flight.get_mut(id) else { return };
        flight.asked = question;
        flight.answered = false;
        let asked = question;
        let standing = flight.effect.clone();
        let (Effect::Follow { timeout_ms, .. } | Effect::Judge { timeout_ms, .. }) = &standing
        else {
            return;
        };
        let caller = Caller { laptop, epoch, effect: id.clone(), purpose: Purpose::Follow, asked };
        let due = self.now + timeout_ms;
        self.schedule.put(due, Happening::QuestionDue { laptop, epoch, effect: id.clone(), asked });
        match standing {
            Effect::Follow { host, request, .. } => self.send(caller, &host, *request),
            Effect::Judge { database, .. } => {
                let (after, outcome) = self.judges(&database);
                self.answered(after, caller, outcome);
            }
            _ => {}
        }
    }

    /// An outcome reaches the process, if it still waits for it.
    pub(crate) fn take_outcome(&mut self, caller: &Caller, outcome: Outcome) {
        let Caller { laptop, epoch, effect, purpose, asked } = caller;
        let outcome = match (purpose, outcome) {
            (Purpose::Ship, Outcome::Answered(answer)) => shipped(*answer),
            (_, outcome) => outcome,
        };
        let now = self.now;
        let outcome = self.weaken_outcome(caller, outcome);
        let Some(driver) = self.process_of(*laptop, *epoch) else { return };
        let Some(flight) = driver.in_flight.get_mut(effect) else { return };
        let pause = match (&flight.effect, &outcome) {
            (Effect::Follow { every_ms, .. }, _)
            | (Effect::Judge { every_ms, .. }, Outcome::Judged(_)) => *every_ms,
            (Effect::Judge { again_ms, .. }, _) => *again_ms,
            _ => 0,
        };
        match &flight.effect {
            Effect::Follow { .. } | Effect::Judge { .. } => {
                if flight.asked != *asked || flight.answered {
                    return;
                }
                let (at, asked) = (now + pause, flight.asked);
                flight.answered = true;
                let again = Happening::QuestionAgain {
                    laptop: *laptop,
                    epoch: *epoch,
                    effect: effect.clone(),
                    asked,
                };
                self.schedule.put(at, again);
                self.drive(*laptop, Input::Followed { effect: effect.clone(), outcome });
            }
            Effect::Ask { .. }
            | Effect::Ship { .. }
            | Effect::Upgrade { .. }
            | Effect::Hook { .. }
            | Effect::Point { .. }
            | Effect::Watch { .. } => {
                // As in the dispatcher: it stays begun for as long as it is owed, and ends once.
                if flight.answered {
                    return;
                }
                flight.answered = true;
                self.drive(*laptop, Input::Finished { effect: effect.clone(), outcome });
            }
        }
    }

    pub(crate) fn process_of(&mut self, laptop: usize, epoch: u64) -> Option<&mut Driver> {
        self.laptops[laptop].process.as_mut().filter(|driver| driver.epoch == epoch)
    }

    /// What a switched-off safeguard makes of an outcome.
    fn weaken_outcome(&mut self, caller: &Caller, outcome: Outcome) -> Outcome {
        let Some(switch) = self.switch else { return outcome };
        let request = self
            .process_of(caller.laptop, caller.epoch)
            .and_then(|driver| driver.in_flight.get(&caller.effect))
            .and_then(|flight| match &flight.effect {
                Effect::Ask { host, request } => Some((host.clone(), request.clone())),
                // The order to stage is a round's, though it stands.
                Effect::Follow { host, request, .. }
                    if matches!(**request, Request::Do { step: Step::Stage { .. }, .. }) =>
                {
                    Some((host.clone(), request.clone()))
                }
                Effect::Follow { .. }
                | Effect::Ship { .. }
                | Effect::Upgrade { .. }
                | Effect::Hook { .. }
                | Effect::Point { .. }
                | Effect::Judge { .. }
                | Effect::Watch { .. } => None,
            });
        let marked = self
            .process_of(caller.laptop, caller.epoch)
            .and_then(|driver| driver.in_flight.get(&caller.effect))
            .and_then(|flight| match &flight.effect {
                Effect::Point { name, .. } => Some(name.clone()),
                _ => None,
            });
        match (outcome, switch) {
            (Outcome::Unknown { .. }, Switch::UnknownSucceeds) if marked.is_some() => {
                Outcome::Pointed(Box::new(point(marked.unwrap_or_default())))
            }
            (Outcome::Unknown { why }, Switch::UnknownFails) => Outcome::Failed { why },
            (Outcome::Unknown { why }, Switch::UnknownSucceeds) => match request {
                Some((_, request)) => taken_for_success(*request, why),
                None if caller.purpose == Purpose::Ship => Outcome::Done,
                None => Outcome::Unknown { why },
            },
            (Outcome::Answered(answer), Switch::OwnRaise) => match (*answer, request) {
                (Answer::Observed(seen), Some((host, request)))
                    if matches!(*request, Request::Read { .. }) =>
                {
                    self.first_reads.insert((caller.laptop, host), seen.head.clone());
                    Outcome::Answered(Box::new(Answer::Observed(seen)))
                }
                (Answer::Raised(mut head), Some((host, _))) => {
                    if let Some(first) = self.first_reads.remove(&(caller.laptop, host)) {
                        let (fence, lease) = (head.fence.clone(), head.lease.clone());
                        *head = Head { fence, lease, ..first };
                    }
                    Outcome::Answered(Box::new(Answer::Raised(head)))
                }
                (answer, _) => Outcome::Answered(Box::new(answer)),
            },
            (outcome, _) => outcome,
        }
    }
}

/// What the dispatcher makes of the answer to a ship: a refusal that has a type keeps it.
fn shipped(answer: Answer) -> Outcome {
    Outcome::Answered(Box::new(match answer {
        Answer::Ok => return Outcome::Done,
        Answer::Refused(refusal @ Refusal::Unsigned { .. }) => Answer::Refused(refusal),
        Answer::Error { why } => Answer::Error { why },
        other => Answer::Error { why: format!("{other:?}") },
    }))
}

/// The answer that would have said that all went well.
fn taken_for_success(request: Request, why: String) -> Outcome {
    let answer = match request {
        Request::Do { key, .. } | Request::Confirm { key, .. } => {
            Answer::Step(StepReport { key, state: StepState::Done })
        }
        Request::Open { .. }
        | Request::Close { .. }
        | Request::Migration { .. }
        | Request::Quarantine { .. }
        | Request::Lock { .. }
        | Request::Keeper { .. }
        | Request::Once { .. }
        | Request::Renew { .. }
        | Request::Release { .. } => Answer::Ok,
        _ => return Outcome::Unknown { why },
    };
    Outcome::Answered(Box::new(answer))
}
