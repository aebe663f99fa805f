//! Processes: which roles run what.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::timetable::DEADLINE_MS;
use friday_wire::{
    HealthSpec, Part, ProcessName, ProcessSpec, Processes, RoleName, Spread, Timetable,
};

use super::Settler;
use crate::config::document::Table;
use crate::config::settings::{Address, HostSettings};
use crate::config::suggest::nearest;
use crate::config::value::process::WrittenProcess;

impl Settler<'_> {
    /// What runs beside the release's `run`, and where.
    pub(super) fn processes(&mut self, hosts: &[HostSettings], health: &HealthSpec) -> Processes {
        let table = self.draft.section("process").map(|Table { entries }| entries.as_slice());
        let names: Vec<String> =
            table.unwrap_or_default().iter().map(|entry| entry.key.clone()).collect();
        let mut named = BTreeMap::new();
        for name in names {
            let path = format!("process.{name}");
            if self.draft.is_told(&path) {
                continue;
            }
            // It was found right as a whole, or is marked as wrong.
            let written = self.value(&path, |read, node| Ok(read.process(node).ok()));
            let Some(written) = written.flatten() else { continue };
            self.roles_are_there(&path, &written.roles, hosts);
            self.one_port_each(&path, &written, hosts);
            let zone = self.zone_of(&written);
            named.insert(ProcessName::new(name), spec(written, zone, health));
        }
        let roles = self.list("release.roles", |read, node| read.roles(node));
        let written = self.draft.has("release.roles");
        self.roles_are_there("release.roles", &roles, hosts);
        if written && !self.draft.has("release.run") {
            let message = "`roles` says where `run` runs, and there is none";
            self.fault("release.roles", message, "write run = \"…\" beside it, or leave it out");
        }
        let run_in = written.then(|| roles.into_iter().collect::<BTreeSet<_>>());
        let processes = Processes { run_in, named };
        self.each_role_runs_something(&processes, hosts);
        processes
    }

    /// The zone of a job: its own, or the file's.
    fn zone_of(&mut self, written: &WrittenProcess) -> Option<String> {
        written.at.as_ref()?;
        if written.timezone.is_some() || !self.draft.has("timezone") {
            return written.timezone.clone();
        }
        // Before there were jobs, any text was taken here; it stays so where there are none.
        let told = self.faults.len();
        let zone = self.value("timezone", |read, node| read.zone(node));
        let again = self.faults.len() > told && self.faults[..told].contains(&self.faults[told]);
        if again {
            self.faults.truncate(told);
        }
        zone
    }

    fn roles_are_there(&mut self, path: &str, roles: &[RoleName], hosts: &[HostSettings]) {
        for role in roles {
            if hosts.is_empty() || hosts.iter().any(|host| host.role == role.as_str()) {
                continue;
            }
            let known = hosts.iter().map(|host| host.role.as_str());
            let hint = match nearest(role.as_str(), known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write {role} = [\"deploy@{role}-1\"] under `[hosts]`"),
            };
            self.fault(path, &format!("no host has the role `{role}`"), &hint);
        }
    }

    /// Local hosts share one machine, and a process has one port.
    fn one_port_each(&mut self, path: &str, written: &WrittenProcess, hosts: &[HostSettings]) {
        let of_role = |host: &&HostSettings| {
            written.roles.iter().any(|role| role.as_str() == host.role)
                && matches!(host.address, Address::Local { .. })
        };
        if written.port.is_some() && !written.once && hosts.iter().filter(of_role).count() > 1 {
            self.fault(
                path,
                "several local hosts would take the port of this process",
                "leave `port` out, or give its role one local host",
            );
        }
    }

    /// A role whose hosts would hold files only is a slip where others run something.
    fn each_role_runs_something(&mut self, processes: &Processes, hosts: &[HostSettings]) {
        if processes.is_none() || !self.draft.has("release.run") && processes.named.is_empty() {
            return;
        }
        let roles: BTreeSet<&str> = hosts.iter().map(|host| host.role.as_str()).collect();
        for role in roles {
            let parts = processes.parts(Some(&RoleName::new(role)));
            let idle = match parts.as_slice() {
                [Part::Files] => true,
                [Part::Run] => !self.draft.has("release.run"),
                _ => false,
            };
            if idle {
                let message = format!("nothing runs on the hosts of the role `{role}`");
                let hint = "name the role in a `[process.NAME]` or in `roles` under `[release]`";
                self.fault(&format!("hosts.{role}"), &message, hint);
            }
        }
    }
}

fn spec(written: WrittenProcess, zone: Option<String>, health: &HealthSpec) -> ProcessSpec {
    let WrittenProcess {
        run,
        roles,
        once,
        port,
        env,
        health: checks,
        at,
        timezone: _,
        deadline_ms,
    } = written;
    let timetable = at.map(|at| Timetable {
        at,
        timezone: zone,
        deadline_ms: deadline_ms.unwrap_or(DEADLINE_MS),
    });
    // A job is well while it waits for its times: there is nothing to wait for at a switch.
    let steady_ms = match &timetable {
        Some(_) => 0,
        None => checks.steady_ms.unwrap_or(health.steady_ms),
    };
    ProcessSpec {
        roles: roles.into_iter().collect(),
        command: run,
        env,
        health: HealthSpec {
            http: checks.http,
            tcp: checks.tcp,
            command: checks.command,
            notify: false,
            steady_ms,
            ..health.clone()
        },
        port,
        spread: if once { Spread::Once } else { Spread::Each },
        timetable,
    }
}
