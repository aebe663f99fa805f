//! The value of `[process.NAME]`: a table with keys of its own.

use std::collections::BTreeMap;

use friday_wire::{HttpCheck, RoleName};

use super::job::DEADLINE;
use super::{Kind, Reading};
use crate::config::document::{Entry, Node, Value};
use crate::config::problem::Fault;
use crate::config::suggest::nearest;

/// What stands in `[process.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenProcess {
    /// For `/bin/sh -c`.
    pub run: String,
    /// Where it runs.
    pub roles: Vec<RoleName>,
    /// On one host of them only.
    pub once: bool,
    /// Its port.
    pub port: Option<u16>,
    /// Laid over the release's variables.
    pub env: BTreeMap<String, String>,
    /// Its checks; none: it runs without an exit.
    pub health: WrittenHealth,
    /// Its times; none: it runs always.
    pub at: Option<String>,
    /// The zone that its times are meant in.
    pub timezone: Option<String>,
    /// How long a run may take, milliseconds.
    pub deadline_ms: Option<u64>,
}

/// What stands in a process's `health`. All numbers that are not here are those of `[health]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WrittenHealth {
    /// A request to its port.
    pub http: Option<HttpCheck>,
    /// A connection to its port.
    pub tcp: bool,
    /// A command that must exit with 0.
    pub command: Option<String>,
    /// Milliseconds without a failure.
    pub steady_ms: Option<u64>,
}

const KEYS: [&str; 9] =
    ["run", "roles", "once", "port", "env", "health", "at", "timezone", "deadline"];
const HEALTH_KEYS: [&str; 5] = ["http", "expect", "tcp", "command", "steady"];
const HINT: &str = "for example { run = \"bin/shop work\", roles = [\"jobs\"] }";

impl Reading<'_> {
    /// A process.
    pub(crate) fn process(&self, node: &Node) -> Result<WrittenProcess, Vec<Fault>> {
        let entries = self.entries(node, &KEYS).map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        let mut process = WrittenProcess {
            run: String::new(),
            roles: Vec::new(),
            once: false,
            port: None,
            env: BTreeMap::new(),
            health: WrittenHealth::default(),
            at: None,
            timezone: None,
            deadline_ms: None,
        };
        for entry in entries {
            if let Err(wrong) = self.process_entry(entry, &mut process) {
                faults.extend(wrong);
            }
        }
        for (name, missing) in
            [("run", process.run.is_empty()), ("roles", process.roles.is_empty())]
        {
            if missing && !entries.iter().any(|entry| entry.key == name) {
                faults.push(self.fault(node, format!("`{name}` is missing")).hint(HINT));
            }
        }
        faults.extend(self.job_keys(entries, &process));
        let asks = process.health.http.is_some() || process.health.tcp;
        if asks && process.port.is_none() && faults.is_empty() {
            let fault = self.fault(node, "its health asks a port, and it has none");
            faults.push(fault.hint("write port = 9100 beside it"));
        }
        if faults.is_empty() { Ok(process) } else { Err(faults) }
    }

    fn process_entry(&self, entry: &Entry, process: &mut WrittenProcess) -> Result<(), Vec<Fault>> {
        let path = format!("{}.{}", self.key, entry.key);
        let one = |fault: Fault| vec![fault];
        let node = &entry.node;
        match entry.key.as_str() {
            "run" => {
                process.run =
                    Reading { key: &path, kind: &Kind::Command }.text(node).map_err(one)?;
            }
            "roles" => {
                process.roles = Reading { key: &path, kind: &Kind::Roles }.roles(node)?;
            }
            "once" => {
                process.once = Reading { key: &path, kind: &Kind::Flag }.flag(node).map_err(one)?;
            }
            "port" => {
                let port = Reading { key: &path, kind: &Kind::Port }.number(node).map_err(one)?;
                process.port = u16::try_from(port).ok();
            }
            "env" => process.env = self.process_env(&path, node)?,
            "at" => {
                process.at = Some(Reading { key: &path, kind: &Kind::Text }.at(node).map_err(one)?);
            }
            "timezone" => {
                let read = Reading { key: &path, kind: &Kind::Text };
                process.timezone = Some(read.zone(node).map_err(one)?);
            }
            "deadline" => {
                let read = Reading { key: &path, kind: &DEADLINE };
                process.deadline_ms = Some(read.deadline(node).map_err(one)?);
            }
            _ => process.health = self.process_health(&path, node)?,
        }
        Ok(())
    }

    fn process_env(&self, path: &str, node: &Node) -> Result<BTreeMap<String, String>, Vec<Fault>> {
        let Value::Table(table) = &node.value else {
            let fault = self.fault(node, "`env` must be a table");
            return Err(vec![fault.hint("write env = { NAME = \"value\" }")]);
        };
        let mut env = BTreeMap::new();
        for entry in &table.entries {
            let reserved = entry.key == "PORT" || entry.key.starts_with("FRIDAY_");
            if !super::is_variable(&entry.key) || reserved {
                let what = format!("`{}` cannot be a variable here", entry.key);
                return Err(vec![self.fault(node, what)]);
            }
            let read = Reading { key: path, kind: &Kind::Variable };
            let value = read.variable(&entry.node).map_err(|fault| vec![fault])?;
            env.insert(entry.key.clone(), value);
        }
        Ok(env)
    }

    fn process_health(&self, path: &str, node: &Node) -> Result<WrittenHealth, Vec<Fault>> {
        let here = Reading { key: path, kind: self.kind };
        let entries = here.entries(node, &HEALTH_KEYS).map_err(|fault| vec![fault])?;
        let mut health = WrittenHealth::default();
        let mut expect = None;
        for entry in entries {
            let path = format!("{path}.{}", entry.key);
            let kind = match entry.key.as_str() {
                "http" => Kind::HttpPath,
                "expect" => Kind::Status,
                "tcp" => Kind::Flag,
                "command" => Kind::Command,
                _ => Kind::Duration(0),
            };
            let read = Reading { key: &path, kind: &kind };
            let one = |fault: Fault| vec![fault];
            match entry.key.as_str() {
                "http" => {
                    let path = read.text(&entry.node).map_err(one)?;
                    health.http = Some(HttpCheck { path, expect: None });
                }
                "expect" => expect = read.number(&entry.node).map_err(one)?.try_into().ok(),
                "tcp" => health.tcp = read.flag(&entry.node).map_err(one)?,
                "command" => health.command = Some(read.text(&entry.node).map_err(one)?),
                _ => health.steady_ms = Some(read.duration(&entry.node).map_err(one)?),
            }
        }
        match &mut health.http {
            Some(http) => http.expect = expect,
            None if expect.is_some() => {
                return Err(vec![self.fault(node, "`expect` needs `http` beside it")]);
            }
            None => {}
        }
        Ok(health)
    }

    /// The entries of a table with these keys.
    fn entries<'n>(&self, node: &'n Node, keys: &[&'static str]) -> Result<&'n [Entry], Fault> {
        let Value::Table(table) = &node.value else {
            return Err(self.mismatch(node).hint(HINT));
        };
        for entry in &table.entries {
            if keys.contains(&entry.key.as_str()) {
                continue;
            }
            let message = format!("there is no key `{}` in `{}`", entry.key, self.key);
            let fault = Fault::at(entry.key_span.clone(), message).label("unknown key");
            return Err(match nearest(&entry.key, keys.iter().copied()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint(format!("known here: {}", keys.join(", "))),
            });
        }
        Ok(&table.entries)
    }
}
