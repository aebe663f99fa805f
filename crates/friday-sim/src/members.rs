//! Who belongs to the fleet: hosts that leave, are forgotten, take another name, and come back. What a
//! person writes into the configuration, and what the host program's shell does about it.

use friday_core::controller::input::Command;
use friday_core::journal::intent::MemberChange;
use friday_core::reason::Reason;
use friday_wire::{Answer, Fence, HostName, Refusal, WIRE_MEMBERS, WIRE_VERSION};

use crate::failure::FailureClass;
use crate::host::{Disk, Host};
use crate::laptop::Caller;
use crate::promise::Known;
use crate::world::{Happening, World};

impl World {
    /// The hosts that the configuration names, in its order.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.configured.is_some())
    }

    /// Their names there.
    pub(crate) fn member_names(&self) -> Vec<HostName> {
        self.hosts.iter().filter_map(|host| host.configured.clone()).collect()
    }

    pub(crate) fn is_member(&self, name: &HostName) -> bool {
        self.hosts.iter().any(|host| host.configured.as_ref() == Some(name))
    }

    fn change_members(&mut self, laptop: usize, change: MemberChange) -> Command {
        Command::ChangeMembers {
            rollout: self.new_rollout("members"),
            driver: self.new_driver(laptop),
            change,
            fleet: Box::new(self.fleet_plan()),
        }
    }

    /// A person changes who belongs to the fleet.
    pub(crate) fn draw_member_change(&mut self, laptop: usize) -> Command {
        let named: Vec<usize> = self.members().map(|host| host.number).collect();
        let unnamed: Vec<usize> = (0..self.hosts.len()).filter(|at| !named.contains(at)).collect();
        let one = named[self.rng.usize(..named.len())];
        match self.rng.u32(..6) {
            0 | 1 if named.len() > 1 => self.remove_command(laptop, one),
            2 => {
                self.writes_another_name(one);
                self.rename_command(laptop, one)
            }
            3 if named.len() > 1 => self.forget_command(laptop, one),
            _ if unnamed.is_empty() => self.look_command(laptop),
            _ => {
                let again = unnamed[self.rng.usize(..unnamed.len())];
                self.takes_in_again(again);
                self.sweep_command(laptop)
            }
        }
    }

    /// As the command does it: another host keeps the lease first.
    fn remove_command(&mut self, laptop: usize, host: usize) -> Command {
        let name = self.hosts[host].configured.clone().unwrap_or(self.hosts[host].name.clone());
        let knows = self.hosts[host].durable.head.keeper.as_ref().map(|keeper| &keeper.value);
        if *knows.unwrap_or(&self.keeper) == name || self.keeper == name {
            let successor = self.member_names().into_iter().find(|other| *other != name);
            if let Some(successor) = successor {
                self.keeper = successor.clone();
                return self.keeper_command(laptop, successor);
            }
        }
        self.change_members(laptop, MemberChange::Remove { host: name })
    }

    /// The configuration has another name for a server.
    fn writes_another_name(&mut self, host: usize) {
        let name = HostName::new(format!("www-{:02}-{}", host + 1, self.next_id));
        let before = self.hosts[host].configured.replace(name.clone());
        if before.as_ref() == Some(&self.keeper) {
            self.keeper = name.clone();
        }
        self.numbers.insert(name, host);
    }

    fn writes_the_name_it_knows(&mut self, host: usize) {
        let name = self.hosts[host].name.clone();
        let before = self.hosts[host].configured.replace(name.clone());
        if before.as_ref() == Some(&self.keeper) {
            self.keeper = name;
        }
    }

    /// From the name that the host knows to the one that the configuration has.
    fn rename_command(&mut self, laptop: usize, host: usize) -> Command {
        let from = self.hosts[host].name.clone();
        self.rename_from(laptop, from, host)
    }

    fn rename_from(&mut self, laptop: usize, from: HostName, host: usize) -> Command {
        let to = self.hosts[host].configured.clone().unwrap_or_else(|| from.clone());
        self.change_members(laptop, MemberChange::Rename { from, to })
    }

    /// A server that was given back, or that somebody else looks after from now on.
    fn forget_command(&mut self, laptop: usize, host: usize) -> Command {
        let name = self.hosts[host].configured.clone().unwrap_or(self.hosts[host].name.clone());
        // What it runs once would run there and elsewhere: that server is off for good.
        if self.options.processes || self.rng.bool() {
            self.hosts[host].given_back = true;
            if self.hosts[host].booted_at.is_some() {
                self.power_off(host);
            }
        }
        self.strikes_out(host);
        let reason = "the server was given back".to_owned();
        self.change_members(laptop, MemberChange::Forget { host: name, reason })
    }

    /// The configuration does not name a host any more.
    fn strikes_out(&mut self, host: usize) {
        self.note(|world| format!("{} is struck out", world.hosts[host].name));
        let before = self.hosts[host].configured.take();
        if before.as_ref() == Some(&self.keeper)
            && let Some(first) = self.member_names().into_iter().next()
        {
            self.keeper = first;
        }
    }

    /// The configuration names it again: a new machine where the old one was given back, an empty one
    /// where it left; else it comes with whatever it runs.
    fn takes_in_again(&mut self, host: usize) {
        if self.hosts[host].given_back {
            self.hosts[host].given_back = false;
            self.wipe(host);
            self.boot(host);
        }
        let name = self.hosts[host].name.clone();
        self.note(|_| format!("{name} is taken in again"));
        self.hosts[host].configured = Some(name);
    }

    /// Nothing of friday's is left there.
    fn wipe(&mut self, host: usize) {
        let fleet = self.fleet.clone();
        let machine = &mut self.hosts[host];
        let calls = machine.process.take().map(|process| process.calls).unwrap_or_default();
        machine.process_epoch += 1;
        let fresh = Host::new(host, &fleet, machine.boot_hook, machine.skew_ms);
        let before = std::mem::replace(machine, fresh);
        machine.name = before.name;
        machine.configured = before.configured;
        (machine.booted_at, machine.boots) = (before.booted_at, before.boots);
        machine.process_epoch = before.process_epoch;
        (machine.disk, machine.sick_until) = (before.disk, before.sick_until);
        machine.wire = WIRE_VERSION;
        machine.watch.left = before.watch.left;
        calls.into_values().for_each(|caller| self.breaks(caller));
    }

    /// Whether the server at a host's address takes itself for that host, or for one that the caller
    /// knows it was.
    pub(crate) fn answers_to(&mut self, caller: &Caller, host: usize, asked: &HostName) -> bool {
        let name = self.hosts[host].name.clone();
        if name == *asked {
            return true;
        }
        self.process_of(caller.laptop, caller.epoch).is_some_and(|driver| match &driver.command {
            Command::ChangeMembers { change: MemberChange::Rename { from, to }, .. } => {
                to == asked && *from == name
            }
            _ => false,
        })
    }

    /// A host begins to leave: its state machine stands still from now on.
    pub(crate) fn begins_to_leave(&mut self, host: usize, caller: Caller, fence: &Fence) {
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        if let Err(refusal) = process.node.admits(fence) {
            return self.reply(host, caller, Answer::Refused(refusal));
        }
        if process.leaving || !process.actions.is_empty() || process.persisting.is_some() {
            let why = "an operation is at work on this host".to_owned();
            return self.reply(host, caller, Answer::Error { why });
        }
        process.leaving = true;
        let epoch = process.epoch;
        let at = self.now + self.rng.u64(1..20_000);
        self.schedule.put(at, Happening::Leaves { host, epoch, caller });
    }

    /// It has left, or could not be taken out of rotation and serves on.
    pub(crate) fn leaves(&mut self, host: usize, epoch: u64, caller: Caller) {
        if self.hosts[host].process.as_ref().is_none_or(|process| process.epoch != epoch) {
            return self.breaks(caller);
        }
        if self.chance(self.faults.failed_actions) {
            let why = "it could not be taken out of rotation: exit status 1".to_owned();
            self.reply(host, caller, Answer::Error { why });
            return self.crash_and_restart(host);
        }
        self.note(|world| format!("{} has left the fleet", world.hosts[host].name));
        self.wipe(host);
        self.hosts[host].watch.left = Some(self.now);
        self.reply(host, caller, Answer::Ok);
    }

    /// A host takes another name.
    pub(crate) fn takes_a_name(
        &mut self,
        host: usize,
        caller: Caller,
        fence: &Fence,
        to: HostName,
    ) {
        let Some(process) = self.hosts[host].process.as_ref() else { return };
        let answer = match process.node.admits(fence) {
            Err(refusal) => Answer::Refused(refusal),
            Ok(()) => {
                self.hosts[host].name = to;
                Answer::Ok
            }
        };
        self.reply(host, caller, answer);
    }

    /// What the shell says of a release before the state machine is asked. `None`: nothing against it.
    pub(crate) fn does_not_take(
        &self,
        host: usize,
        release: friday_wire::ReleaseId,
    ) -> Option<Answer> {
        let machine = &self.hosts[host];
        if machine.disk == Disk::Full {
            return Some(Answer::Error { why: "no space left on device".to_owned() });
        }
        if self.options.processes && machine.wire < friday_wire::WIRE_PROCESSES {
            let why =
                format!("friday-host there knows no releases with processes: {UPGRADE_FIRST}");
            return Some(Answer::Error { why });
        }
        let is_held = machine.trees.contains(&release);
        (self.is_unsigned(host, release) && !is_held).then(|| {
            Answer::Refused(Refusal::Unsigned {
                release,
                signers: "/etc/friday/allowed_signers".to_owned(),
                key: None,
                why: "it has no signature".to_owned(),
            })
        })
    }

    /// Whether a host wants a signature that a release lacks.
    fn is_unsigned(&self, host: usize, release: friday_wire::ReleaseId) -> bool {
        let wants_all = self.options.seed.is_multiple_of(2);
        self.unsigned.contains(&release) && (wants_all || host.is_multiple_of(2))
    }

    /// A host starts what its people have signed, and nothing else.
    pub(crate) fn what_nobody_signed_is_never_started(
        &mut self,
        host: usize,
        release: friday_wire::ReleaseId,
    ) {
        if self.is_unsigned(host, release) {
            let label = self.catalog.label(Some(&release));
            let what = format!("{} starts {label}, which nobody signed", self.hosts[host].name);
            self.fail(FailureClass::Safety, what);
        }
    }

    /// An act on the fleet's members is done: it is true, and the configuration follows.
    pub(crate) fn members_are_as_the_act_says(&mut self, known: &Known) {
        match &known.change {
            Some(MemberChange::Remove { host }) => {
                let Some(number) = self.numbers.get(host).copied() else { return };
                let left = &self.hosts[number];
                // It was empty when it left; under a higher fence others may have pushed to it since, before
                // this laptop heard that it left.
                let has_left = left.watch.left.is_some_and(|at| at >= known.observed_since);
                let higher = known.fence.as_ref().is_some_and(|own| left.durable.head.fence > *own);
                let runs = !left.apps.is_empty() || !left.processes.is_empty();
                let holds = runs || !left.trees.is_empty() || left.durable.head.current.is_some();
                if !has_left || (holds && !higher) {
                    let what = format!("{host} was removed, and is: {}", self.describe(number));
                    return self.fail(FailureClass::Safety, what);
                }
                // Some people forget that.
                if self.rng.u32(..4) != 0 {
                    self.strikes_out(number);
                }
            }
            Some(MemberChange::Rename { from, to }) => {
                let Some(number) = self.numbers.get(to).copied() else { return };
                if self.hosts[number].name != *to {
                    let what = format!("{from} is called {to}, and takes itself for {from}");
                    self.fail(FailureClass::Safety, what);
                }
            }
            Some(MemberChange::Forget { .. }) | None => {}
        }
    }

    /// What a person does about names that do not fit, or a program that is too old.
    pub(crate) fn mend_members(&mut self, laptop: usize) {
        let differs = |host: &Host| host.configured.as_ref().is_some_and(|name| *name != host.name);
        let wrong: Vec<usize> =
            self.hosts.iter().filter(|host| differs(host)).map(|host| host.number).collect();
        for host in wrong {
            if self.hosts[host].wire < WIRE_MEMBERS {
                // Nor can the program be replaced there under a name that it does not know.
                self.writes_the_name_it_knows(host);
                continue;
            }
            let command = self.rename_command(laptop, host);
            self.give(laptop, command);
            if differs(&self.hosts[host]) {
                // Its keeper is gone, and no host is asked under a name that it does not know: one thing
                // after the other.
                self.writes_the_name_it_knows(host);
            }
        }
    }

    /// What a person does about a keeper that the configuration does not have.
    pub(crate) fn mend_keeper(&mut self, laptop: usize, known: HostName) -> Command {
        let server = self.numbers.get(&known).copied();
        if self.is_member(&known) {
            self.keeper = known.clone();
            return self.keeper_command(laptop, known);
        }
        // A rename that was broken off is made again; a program that takes no names was told one by a raise only.
        let takes_names = |at: &usize| {
            self.hosts[*at].configured.is_some() && self.hosts[*at].wire >= WIRE_MEMBERS
        };
        match server.filter(takes_names) {
            Some(server) => self.rename_from(laptop, known, server),
            None => {
                let keeper = self.keeper.clone();
                self.keeper_command(laptop, keeper)
            }
        }
    }

    pub(crate) fn upgrade_command(&mut self, laptop: usize) -> Command {
        Command::Upgrade {
            rollout: self.new_rollout("upgrade"),
            driver: self.new_driver(laptop),
            fleet: Box::new(self.fleet_plan()),
        }
    }

    /// Names that the configuration does not have: nothing that runs once runs under one of them, as
    /// whoever moves that can say.
    pub(crate) fn former_names(&self) -> Vec<HostName> {
        self.numbers.keys().filter(|name| !self.is_member(name)).cloned().collect()
    }
}

/// What a host says that has an old program.
const UPGRADE_FIRST: &str = "`friday hosts upgrade` first";

/// Whether an upgrade of friday-host mends it.
pub(crate) fn wants_an_upgrade(reason: &Reason) -> bool {
    match reason {
        Reason::HostProgramOld { .. } => true,
        Reason::HostFailed { why, .. } => why.contains(UPGRADE_FIRST),
        _ => false,
    }
}
