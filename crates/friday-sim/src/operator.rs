//! A person who pushes, and reacts. Draws only what makes sense in the state it sees.

use friday_core::controller::input::{BackTo, Command, Input, Way};
use friday_core::reason::Reason;
use friday_wire::HostName;

use crate::options::MigrationChoice;
use crate::world::{Happening, World};

impl World {
    pub(crate) fn plan_operator(&mut self) {
        if self.options.commands_every_ms == u64::MAX {
            return;
        }
        let mean = self.options.commands_every_ms as f64;
        let wait = (-(1.0 - self.rng.f64()).ln() * mean) as u64;
        self.schedule.put(self.now + wait.max(1), Happening::Operator);
    }

    pub(crate) fn operator_looks_up(&mut self) {
        if self.options.commands_every_ms == u64::MAX {
            return;
        }
        let laptop = self.rng.usize(..self.laptops.len());
        if self.laptops[laptop].sleeps_until <= self.now {
            self.draw_drill(laptop);
            self.draw_mending();
            self.operator_acts(laptop);
        }
        self.plan_operator();
    }

    fn operator_acts(&mut self, laptop: usize) {
        if self.laptops[laptop].process.is_some() {
            let person = self.laptops[laptop].name.clone();
            let command = match self.rng.u32(..12) {
                0 | 1 => Command::Abort {
                    rollout: self.new_rollout("rollback"),
                    person,
                    reason: "second thoughts".to_owned(),
                },
                2 => Command::Hold {
                    rollout: self.new_rollout("hold"),
                    person,
                    reason: "the terminal was closed".to_owned(),
                },
                _ => return,
            };
            self.drive(laptop, Input::Command(command));
            return;
        }
        if self.is_driven(self.laptops[laptop].ledger) {
            // Another terminal drives: only a rollback may go past it, without the journal.
            if self.rng.u32(..4) == 0 {
                let command = self.rollback_command(laptop, BackTo::LastStable, false);
                let ledger = self.new_ledger(laptop);
                self.start_friday_over(laptop, ledger, command);
            }
            return;
        }
        if let Some(command) = self.draw_command(laptop) {
            self.start_friday(laptop, command);
        }
    }

    /// Whether a process holds the file lock beside this journal.
    pub(crate) fn is_driven(&self, ledger: usize) -> bool {
        self.laptops
            .iter()
            .any(|laptop| laptop.process.as_ref().is_some_and(|driver| driver.ledger == ledger))
    }

    fn draw_command(&mut self, laptop: usize) -> Option<Command> {
        let summary = &self.summaries[self.laptops[laptop].ledger];
        let draw = self.rng.u32(..100);
        if summary.open_push().is_some() {
            return match draw {
                0..40 => Some(self.resume_command(laptop, Way::Forward)),
                40..65 => Some(self.resume_command(laptop, Way::Back)),
                65..85 => self.draw_rollback(laptop),
                _ => self.draw_push(laptop),
            };
        }
        if self.options.members && self.rng.u32(..5) == 0 {
            return Some(self.draw_member_change(laptop));
        }
        if self.options.old_programs && self.rng.u32(..8) == 0 {
            return Some(self.upgrade_command(laptop));
        }
        match draw {
            0..60 => self.draw_push(laptop),
            60..74 => self.draw_rollback(laptop),
            74..84 => Some(self.sweep_command(laptop)),
            84..88 => {
                let locked = self.rng.u32(..3) == 0;
                Some(self.lock_command(laptop, locked))
            }
            88..94 => {
                let release = self.catalog.all()[self.rng.usize(..self.catalog.all().len())].id;
                let active = self.rng.u32(..3) == 0;
                Some(self.quarantine_command(laptop, release, active))
            }
            94..97 => {
                let host = self.draw_member();
                Some(self.keeper_command(laptop, host))
            }
            97..99 if self.options.processes => {
                let host = self.draw_member();
                Some(self.once_command(laptop, host))
            }
            _ => Some(self.look_command(laptop)),
        }
    }

    fn draw_member(&mut self) -> HostName {
        let names = self.member_names();
        names[self.rng.usize(..names.len())].clone()
    }

    fn draw_push(&mut self, laptop: usize) -> Option<Command> {
        let release = self.catalog.all()[self.rng.usize(..self.catalog.all().len())].id;
        let may_mix =
            matches!(self.options.migration, MigrationChoice::None | MigrationChoice::Safe)
                && !self.options.stop_all;
        let mut hosts: Vec<usize> = self.members().map(|host| host.number).collect();
        if may_mix && hosts.len() > 1 && self.rng.u32(..4) == 0 {
            // A migration runs where the release is.
            let last = hosts[hosts.len() - 1];
            let many = self.rng.usize(1..hosts.len());
            self.rng.shuffle(&mut hosts);
            hosts.truncate(many);
            if self.options.migration == MigrationChoice::None || hosts.contains(&last) {
                return self.push_only_command(laptop, &release, &hosts);
            }
        }
        self.push_command(laptop, &release)
    }

    fn draw_rollback(&mut self, laptop: usize) -> Option<Command> {
        let to = if self.rng.u32(..4) == 0 {
            let release = self.catalog.all()[self.rng.usize(..self.catalog.all().len())].id;
            BackTo::Release { release }
        } else {
            BackTo::LastStable
        };
        let now = self.rng.u32(..4) == 0;
        Some(self.rollback_command(laptop, to, now))
    }

    /// What a command was refused for.
    pub(crate) fn refused(&mut self, laptop: usize, reasons: Vec<Reason>) {
        self.note(|_| {
            let said: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            format!("refused: {}", said.join("; "))
        });
        self.check_refusal(laptop, &reasons);
        self.reasons = reasons;
        let waits = self.laptops[laptop].process.as_ref().is_some_and(|driver| driver.taken);
        if !waits {
            self.kill_friday(laptop, "its command was refused");
        }
    }
}
