//! A friday process at its inputs: turns, what is owed after them, and when it wakes by itself.

use std::collections::BTreeSet;

use friday_core::controller::effect::{Effect, EffectId};
use friday_core::controller::input::Input;
use friday_core::controller::turn::{Reply, TurnError, catch_up, turn_of};
use friday_core::journal::AppendError;
use friday_core::shared::walked;
use friday_core::time::Timestamp;
use friday_wire::RolloutId;

use crate::cost::cpu_time;
use crate::failure::FailureClass;
use crate::laptop::{InFlight, named};
use crate::ledger::AppendFault;
use crate::switch::Switch;
use crate::world::{Happening, World};

impl World {
    /// Hands an input to the process. While the lid is closed or a turn syncs, it waits.
    pub(crate) fn drive(&mut self, laptop: usize, input: Input) {
        let asleep = self.laptops[laptop].sleeps_until > self.now;
        let now = self.now;
        let Some(driver) = self.laptops[laptop].process.as_mut() else { return };
        let epoch = driver.epoch;
        let is_first = driver.inbox.is_empty();
        driver.inbox.push(input);
        if asleep {
            return;
        }
        if now < driver.busy_until {
            let at = driver.busy_until;
            if is_first {
                self.schedule.put(at, Happening::DriverReady { laptop, epoch });
            }
            return;
        }
        self.drive_all(laptop);
    }

    /// A turn is synced.
    pub(crate) fn driver_ready(&mut self, laptop: usize, epoch: u64) {
        let asleep = self.laptops[laptop].sleeps_until > self.now;
        if !asleep && self.process_of(laptop, epoch).is_some() {
            self.drive_all(laptop);
        }
    }

    /// Takes all that came into one turn, and begins what follows from it.
    pub(crate) fn drive_all(&mut self, laptop: usize) {
        let Some(driver) = self.laptops[laptop].process.as_mut() else { return };
        let inputs = std::mem::take(&mut driver.inbox);
        if self.failure.is_some() || inputs.is_empty() {
            return;
        }
        driver.busy_until = self.now + self.options.sync_ms;
        let fault = self.append_fault();
        let dies =
            matches!(fault, AppendFault::Torn { .. }) || self.chance(self.faults.kill_turns / 2.0);
        for input in &inputs {
            self.note(|world| {
                format!("{} takes {}", world.laptops[laptop].name, world.tell_input(input))
            });
        }
        let Some(replies) = self.take_turn(laptop, fault, inputs) else { return };
        self.read_news(laptop);
        if self.failure.is_some() {
            return;
        }
        if dies {
            return self.kill_friday(laptop, "killed between the append and its effects");
        }
        let mut taken = false;
        for reply in replies {
            match reply {
                Reply::Refused(reasons) => self.refused(laptop, reasons),
                Reply::Taken => taken = true,
            }
        }
        if !taken {
            return;
        }
        if let Some(driver) = self.laptops[laptop].process.as_mut() {
            driver.taken = true;
        }
        self.begin_owed(laptop);
        self.end_if_done(laptop);
    }

    /// `None`: the process is gone.
    fn take_turn(
        &mut self,
        laptop: usize,
        mut fault: AppendFault,
        mut inputs: Vec<Input>,
    ) -> Option<Vec<Reply>> {
        let now = self.wall_clock(laptop);
        let count = inputs.len();
        for _ in 0..4 {
            let driver = self.laptops[laptop].process.as_mut()?;
            let ledger = &mut self.ledgers[driver.ledger];
            ledger.next = fault;
            let began = self.meter.is_some().then(|| (cpu_time(), walked::so_far()));
            let result = turn_of(&mut driver.controller, ledger, now, inputs.iter().cloned());
            ledger.next = AppendFault::None;
            if let (Some(meter), Some((began, walked))) = (&mut self.meter, began) {
                meter.inputs += inputs.len() as u64;
                meter.turn(cpu_time().saturating_sub(began), walked::so_far() - walked);
            }
            let error = match result {
                Ok(mut replies) => {
                    // Those that turned out to be written were taken.
                    replies.resize(count, Reply::Taken);
                    return Some(replies);
                }
                Err(error) => error,
            };
            match error {
                TurnError::Append(AppendError::Failed(_)) => {
                    let command = driver.command.clone();
                    self.kill_friday(laptop, "its journal cannot be written");
                    self.go_on_without_journal(laptop, command);
                    return None;
                }
                TurnError::Append(AppendError::Moved | AppendError::Unknown(_)) => {
                    if matches!(fault, AppendFault::Torn { .. }) || self.ledgers[driver.ledger].tore
                    {
                        self.kill_friday(laptop, "killed while it appended");
                        return None;
                    }
                    fault = AppendFault::None;
                    self.catch_up(laptop)?;
                    // A command that was written after all is not given twice.
                    inputs.retain(|input| match input {
                        Input::Command(command) => !self.is_journalled(laptop, named(command)),
                        _ => true,
                    });
                }
                TurnError::Bug(why) => {
                    self.fail(FailureClass::Crash, format!("a turn cannot follow: {why}"));
                    return None;
                }
                TurnError::Read(error) => {
                    self.fail(FailureClass::Audit, format!("a journal cannot be read: {error}"));
                    return None;
                }
                TurnError::Record(error) => {
                    self.fail(
                        FailureClass::Audit,
                        format!("a turn made an illegal record: {error}"),
                    );
                    return None;
                }
            }
        }
        self.kill_friday(laptop, "its journal moved again and again");
        None
    }

    /// Reads what was appended meanwhile. `None`: it does not load.
    fn catch_up(&mut self, laptop: usize) -> Option<()> {
        let driver = self.laptops[laptop].process.as_mut()?;
        let before: BTreeSet<EffectId> = driver.controller.owed().keys().cloned().collect();
        if let Err(error) = catch_up(&mut driver.controller, &mut self.ledgers[driver.ledger]) {
            self.fail(FailureClass::Audit, format!("a journal's tail does not load: {error}"));
            return None;
        }
        if self.switch == Some(Switch::Effects) {
            let found = driver.controller.owed().keys().filter(|id| !before.contains(*id));
            driver.overlooked.extend(found.cloned());
        }
        Some(())
    }

    /// Begins what is owed and not at work; ends what is at work and not owed any more.
    pub(crate) fn begin_owed(&mut self, laptop: usize) {
        let began = self.meter.is_some().then(cpu_time);
        let Some(driver) = self.laptops[laptop].process.as_mut() else { return };
        let mut touched = driver.controller.take_touched();
        touched.append(&mut driver.unsettled);
        let owed = driver.controller.owed();
        let mut fresh: Vec<(EffectId, Effect, Timestamp)> = Vec::new();
        for id in touched {
            let Some(owed) = owed.get(&id) else {
                driver.in_flight.remove(&id);
                continue;
            };
            if !driver.in_flight.contains_key(&id) && !driver.overlooked.contains(&id) {
                fresh.push((id, owed.effect.clone(), owed.deadline));
            }
        }
        let epoch = driver.epoch;
        if let (Some(meter), Some(began)) = (&mut self.meter, began) {
            meter.settling += cpu_time().saturating_sub(began);
        }
        for (id, effect, deadline) in fresh {
            if self.chance(self.faults.kill_turns / 8.0) {
                return self.kill_friday(laptop, "killed between two effects");
            }
            let Some(driver) = self.laptops[laptop].process.as_mut() else { return };
            driver
                .in_flight
                .insert(id.clone(), InFlight { effect: effect.clone(), asked: 0, answered: false });
            let due = self.virtual_time(laptop, deadline).max(self.now + 1);
            self.schedule.put(due, Happening::EffectDue { laptop, epoch, effect: id.clone() });
            self.begin(laptop, epoch, id, effect);
        }
        self.plan_wakeup(laptop);
    }

    fn is_journalled(&self, laptop: usize, rollout: &RolloutId) -> bool {
        self.laptops[laptop].process.as_ref().is_some_and(|driver| {
            let needle = format!("\"{rollout}\"");
            self.ledgers[driver.ledger]
                .records()
                .iter()
                .rev()
                .take(64)
                .any(|record| record.body.contains(&needle))
        })
    }

    fn plan_wakeup(&mut self, laptop: usize) {
        let Some(driver) = self.laptops[laptop].process.as_ref() else { return };
        let epoch = driver.epoch;
        let began = self.meter.is_some().then(cpu_time);
        let due = driver.controller.next_wakeup();
        if let (Some(meter), Some(began)) = (&mut self.meter, began) {
            meter.settling += cpu_time().saturating_sub(began);
        }
        let wakeup = due.map(|at| self.virtual_time(laptop, at).max(self.now + 1));
        let Some(driver) = self.laptops[laptop].process.as_mut() else { return };
        if wakeup != driver.wakes_at {
            driver.wakes_at = wakeup;
            if let Some(at) = wakeup {
                self.schedule.put(at, Happening::DriverWakes { laptop, epoch, at });
            }
        }
    }

    pub(crate) fn driver_wakes(&mut self, laptop: usize, epoch: u64, at: u64) {
        let Some(driver) = self.process_of(laptop, epoch) else { return };
        if driver.wakes_at == Some(at) {
            driver.wakes_at = None;
            self.drive(laptop, Input::Woke);
        }
    }

    /// The lid opens.
    pub(crate) fn laptop_wakes(&mut self, laptop: usize) {
        if self.laptops[laptop].sleeps_until > self.now {
            return;
        }
        self.drive_all(laptop);
    }

    /// The command line ends when what it was asked for has ended, or waits for a person.
    fn end_if_done(&mut self, laptop: usize) {
        let Some(driver) = self.laptops[laptop].process.as_ref() else { return };
        if driver.taken
            && driver.controller.owed().is_empty()
            && driver.controller.next_wakeup().is_none()
        {
            self.kill_friday(laptop, "nothing is owed any more");
        }
    }

    fn append_fault(&mut self) -> AppendFault {
        if self.chance(self.faults.failed_appends) {
            AppendFault::Fails
        } else if self.chance(self.faults.unknown_appends) {
            if self.rng.bool() { AppendFault::UnknownWritten } else { AppendFault::UnknownLost }
        } else if self.chance(self.faults.kill_turns / 2.0) {
            AppendFault::Torn { kept: self.rng.usize(0..4) }
        } else {
            AppendFault::None
        }
    }
}
