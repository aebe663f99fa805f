//! One run: a time of faults, in which nothing may go wrong that must never happen; then the faults
//! stop, a person does what friday's hints say, and the fleet must come to rest.

use std::panic::{AssertUnwindSafe, catch_unwind};

use friday_core::controller::input::{BackTo, Command, Way};
use friday_core::journal::moment::Moment;
use friday_core::reason::Reason;
use friday_wire::{ReleaseId, RolloutKind};

use crate::catalog::Behaviour;
use crate::failure::{Failure, FailureClass};
use crate::members::wants_an_upgrade;
use crate::options::Options;
use crate::switch::Switch;
use crate::world::World;

/// How long any one command may take once nothing breaks any more: virtual milliseconds.
const COMMAND_MS_MAX: u64 = 4 * 3_600_000;

/// Strays on the wire arrive within this.
const STRAYS_MS: u64 = 125_000;

/// Runs one seed from beginning to end: [`World::live_through`], or [`World::live_roughly`]. The world comes back for its trace and journals; where the
/// core, the node or the simulator panicked it is lost.
pub fn run_seed(
    seed: u64,
    switch: Option<Switch>,
    traced: bool,
    life: impl Fn(&mut World),
) -> (Option<World>, Result<(), Failure>) {
    let run = AssertUnwindSafe(|| {
        let mut world = World::new(Options::of_seed(seed), switch);
        if traced {
            world.keep_trace();
        }
        life(&mut world);
        world
    });
    match catch_unwind(run) {
        Ok(world) => {
            let result = world.failure().cloned().map_or(Ok(()), Err);
            (Some(world), result)
        }
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic".to_owned());
            (None, Err(Failure { class: FailureClass::Crash, at_ms: 0, what: said }))
        }
    }
}

impl World {
    /// The whole life of a world.
    pub fn live_through(&mut self) {
        self.plan_fault();
        self.plan_operator();
        (0..self.laptops.len()).for_each(|laptop| self.drills_all(laptop));
        self.run_for(self.options.chaos_ms);
        if self.failure.is_some() {
            return;
        }
        self.options.commands_every_ms = u64::MAX;
        self.stop_faults();
        if self.wait_for_everybody() {
            self.run_for(STRAYS_MS);
            self.come_to_rest();
        }
        if self.failure.is_none() {
            self.push_once_more();
        }
        if self.failure.is_none() && !self.is_off(Switch::Append) {
            self.every_journal_bears_an_audit();
        }
    }

    /// `false`: somebody never ended.
    fn wait_for_everybody(&mut self) -> bool {
        let ended = self.run_until(COMMAND_MS_MAX, |world| {
            world.failure.is_some() || world.laptops.iter().all(|laptop| laptop.process.is_none())
        });
        if !ended {
            let waiting: Vec<String> = self
                .laptops
                .iter()
                .filter_map(|laptop| {
                    let driver = laptop.process.as_ref()?;
                    let owed: Vec<String> =
                        driver.controller.owed().keys().take(6).map(ToString::to_string).collect();
                    Some(format!(
                        "{} ({}), owed: {}",
                        laptop.name,
                        self.tell_command(&driver.command),
                        owed.join(", ")
                    ))
                })
                .collect();
            self.fail(
                FailureClass::Liveness,
                format!("friday does not end on {}", waiting.join("; ")),
            );
        }
        ended && self.failure.is_none()
    }

    /// Gives a command on a laptop and waits for the process to end.
    pub(crate) fn give(&mut self, laptop: usize, command: Command) {
        if self.failure.is_none() {
            self.start_friday(laptop, command);
            self.wait_for_everybody();
        }
    }

    /// What a person does who is called: asks friday, and does what its hints say, from the mildest
    /// to the strongest, until the fleet is at rest.
    fn come_to_rest(&mut self) {
        let laptop = self.rng.usize(..self.laptops.len());
        let unlock = self.lock_command(laptop, false);
        self.give(laptop, unlock);
        self.mend_members(laptop);
        self.puts_data_right();
        for means in [
            Means::Back,
            Means::Forward,
            Means::Sweep,
            Means::Rollback,
            Means::Sweep,
            Means::Named,
            Means::Sweep,
        ] {
            if self.failure.is_some() || self.is_at_rest().is_ok() {
                return;
            }
            if let Some(command) = self.means(laptop, means) {
                self.give(laptop, command);
                self.follow_hints(laptop);
                self.run_for(1_000);
            }
        }
        if let Err(why) = self.is_at_rest() {
            // A stable release that falls ill by itself is not friday's to mend: only a push is.
            if !self.rests_on_a_bad_release() {
                self.fail(
                    FailureClass::Liveness,
                    format!("the fleet does not come to rest: {why}"),
                );
            }
        }
    }

    fn means(&mut self, laptop: usize, means: Means) -> Option<Command> {
        let open = self.summaries[self.laptops[laptop].ledger].open_push().is_some();
        match means {
            Means::Back => open.then(|| self.resume_command(laptop, Way::Back)),
            Means::Forward => open.then(|| self.resume_command(laptop, Way::Forward)),
            Means::Sweep => Some(self.sweep_command(laptop)),
            Means::Rollback => Some(self.rollback_command(laptop, BackTo::LastStable, false)),
            Means::Named => {
                let release = self.good_release_held_everywhere()?;
                Some(self.rollback_command(laptop, BackTo::Release { release }, false))
            }
        }
    }

    /// What a person does about the reasons of a refusal or a hold.
    fn follow_hints(&mut self, laptop: usize) {
        let reasons = std::mem::take(&mut self.reasons);
        self.mend_members(laptop);
        let one_way = reasons.contains(&Reason::OneWay);
        for reason in reasons {
            let command = match reason {
                Reason::Keeper { known, .. } => Some(self.mend_keeper(laptop, known)),
                Reason::Once { .. } => {
                    let host = self.keeper.clone();
                    self.options.members.then(|| self.once_command(laptop, host))
                }
                ref old if wants_an_upgrade(old) => Some(self.upgrade_command(laptop)),
                Reason::Locked { .. } => Some(self.lock_command(laptop, false)),
                Reason::DriverGone => self.means(laptop, Means::Back),
                Reason::RolloutOpen { .. } => self.means(laptop, Means::Rollback),
                Reason::OneWay | Reason::MigrationUnknown => {
                    // Forward where there is a push; else a person puts the data right and names a release.
                    self.means(laptop, Means::Forward).or_else(|| self.means(laptop, Means::Named))
                }
                Reason::NoWayBack { .. } => self.means(laptop, Means::Named),
                Reason::Leased { remaining_secs, .. } => {
                    self.run_for(remaining_secs * 1_000 + 1_000);
                    None
                }
                Reason::WayBackBarred { .. } if one_way => None,
                Reason::WayBackBarred { .. } => self.means(laptop, Means::Back),
                Reason::Unrehearsed { .. } => {
                    self.rehearses_all(laptop);
                    None
                }
                Reason::RecoveryUnproven { .. } => {
                    self.drills_all(laptop);
                    None
                }
                // What the stable release damages, a person pushes past: mended rows would not stay whole.
                Reason::InvariantBroken { moment: Moment::Before, .. }
                    if self.rests_on_a_bad_release() =>
                {
                    self.judging.vouches = true;
                    None
                }
                Reason::InvariantBroken { .. } => {
                    self.puts_data_right();
                    None
                }
                Reason::SweepOwed { .. } => self.means(laptop, Means::Sweep),
                Reason::NotToldStable { .. } => self.means(laptop, Means::Forward),
                // An open rollback can go nowhere else: it is put up with. So it is where the fleet calls
                // stable what one host refuses. And no verdict says whose fault damaged rows are.
                Reason::Quarantined { release, .. }
                    if self.a_rollback_is_open()
                        || self.is_called_stable(&release)
                        || self.was_accused_of_damage(&release) =>
                {
                    Some(self.quarantine_command(laptop, release, false))
                }
                _ => None,
            };
            if let Some(command) = command {
                self.give(laptop, command);
            }
        }
    }

    fn was_accused_of_damage(&self, release: &ReleaseId) -> bool {
        let known = self.catalog.find(release);
        self.options.databases > 0 && known.is_some_and(|known| known.behaviour.is_good())
    }

    fn is_called_stable(&self, release: &ReleaseId) -> bool {
        self.members().any(|host| host.durable.head.stable.as_ref() == Some(release))
    }

    fn a_rollback_is_open(&self) -> bool {
        let mut open = self.members().filter_map(|host| host.durable.head.rollout.as_ref());
        open.any(|open| open.value.kind == RolloutKind::Rollback)
    }

    /// A good release where one is held everywhere; else the one most hosts call stable: after a one-way
    /// migration it may be all there is.
    fn good_release_held_everywhere(&self) -> Option<ReleaseId> {
        let held = |id: &ReleaseId| {
            self.members().all(|host| host.trees.contains(id) && !host.durable.head.refuses(id))
        };
        let good = self.catalog.all().iter().filter(|release| release.behaviour.is_good());
        let stable = self.members().filter_map(|host| host.durable.head.stable);
        good.map(|release| release.id).chain(stable).find(held)
    }

    fn rests_on_a_bad_release(&self) -> bool {
        self.members().any(|host| {
            host.durable
                .head
                .stable
                .and_then(|stable| self.catalog.find(&stable))
                .is_some_and(|release| !release.behaviour_on(host.number).is_good())
        })
    }

    /// All hosts on one release (or nothing), well, in rotation; no timer, no open rollout, no lease.
    pub(crate) fn is_at_rest(&self) -> Result<Option<ReleaseId>, String> {
        let mut everywhere: Option<Option<ReleaseId>> = None;
        for host in self.members() {
            let tell = |what: &str| Err(format!("{what}: {}", self.describe(host.number)));
            let Some(process) = host.process.as_ref() else {
                return tell("the host program is down");
            };
            if host.configured.as_ref() != Some(&host.name) {
                return tell("it has another name than the configuration says");
            }
            let head = &process.node.durable().head;
            if head.rollout.is_some() {
                return tell("a rollout is open");
            }
            if host.is_armed() {
                return tell("a timer is armed");
            }
            let runs = host.passes(self.options.rotation, self.now);
            if runs.is_none() && (head.current.is_some() || !host.apps.is_empty()) {
                return tell("not well in rotation");
            }
            let apart = head.runs_apart().is_some();
            if !apart && *everywhere.get_or_insert(runs) != runs {
                return tell("hosts run different releases");
            }
            let quarantined = host.apps.values().any(|app| {
                self.members().any(|other| other.durable.head.refuses(&app.app.release))
                    && head.refuses(&app.app.release)
            });
            if quarantined {
                return tell("a quarantined release runs");
            }
        }
        Ok(everywhere.flatten())
    }

    /// Promise 5: nothing stays locked. Another laptop pushes a good release, and it becomes stable.
    fn push_once_more(&mut self) {
        let options = self.options.clone();
        let good = self.catalog.add(&options, Behaviour::Good, 1);
        let laptop = self.laptops.len() - 1;
        // Of a driver that was killed, the lease may still run its time.
        self.run_for(61_000);
        self.mend_members(laptop);
        for _ in 0..6 {
            if let Some(command) = self.push_command(laptop, &good) {
                self.give(laptop, command);
            }
            if self.failure.is_some() || self.is_at_rest() == Ok(Some(good)) {
                return;
            }
            self.follow_hints(laptop);
        }
        if self.failure.is_some() {
            return;
        }
        let at_rest = self.is_at_rest();
        if at_rest.as_ref() != Ok(&Some(good)) {
            let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
            let what = format!(
                "a good release cannot be pushed in the end: {}; {}; {}",
                at_rest.map_or_else(|why| why, |release| self.catalog.label(release.as_ref())),
                reasons.join("; "),
                self.last_end
            );
            self.fail(FailureClass::Liveness, what);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Means {
    Back,
    Forward,
    Sweep,
    Rollback,
    Named,
}
