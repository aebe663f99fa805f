//! Rehearsals: how a release is led to a copy of its database, and to nothing that is live.

use std::collections::BTreeMap;

use super::Settler;
use crate::config::document::Table;
use crate::config::settings::{HostSettings, RehearseSettings};
use crate::config::value::is_variable;

impl Settler<'_> {
    /// What `[database.rehearse]` comes to, beside the fleet's hosts.
    pub(super) fn rehearse(&mut self, hosts: &[HostSettings]) -> Option<RehearseSettings> {
        if !self.draft.has("database.rehearse") || self.draft.is_told("database.rehearse") {
            return None;
        }
        let variable = self.needed("database.rehearse.variable", "variable = \"DATABASE_URL\"");
        if let Some(variable) = variable.as_deref().filter(|name| !is_variable(name)) {
            let message = format!("`{variable}` is not the name of a variable");
            let hint = "letters, digits and `_`, not beginning with a digit";
            self.fault("database.rehearse.variable", &message, hint);
        }
        let value = self.text("database.rehearse.value");
        self.finds_the_copy(value.as_deref());
        let env = self.set_instead(variable.as_deref());
        let named = self.text("database.rehearse.host");
        let host = named.and_then(|host| self.one_of(hosts, Some(&host), "database.rehearse.host"));
        Some(RehearseSettings {
            variable: variable?,
            value,
            env,
            write: self.text("database.rehearse.write"),
            read: self.text("database.rehearse.read"),
            host,
            timeout_ms: self.ms("database.rehearse.timeout"),
        })
    }

    /// A value without the copy's place in it would lead a release to another database: the live one.
    fn finds_the_copy(&mut self, value: Option<&str>) {
        let Some(value) = value else { return };
        let (takes, other) = if self.draft.has("database.sqlite") {
            ("{path}", "{url}")
        } else {
            ("{url}", "{path}")
        };
        if !value.contains(takes) || value.contains(other) {
            let message = format!("`{value}` does not lead to the copy alone");
            let hint = format!("write `{takes}` where the copy's place shall stand");
            self.fault("database.rehearse.value", &message, &hint);
        }
    }

    fn set_instead(&mut self, variable: Option<&str>) -> BTreeMap<String, String> {
        let path = "database.rehearse.env";
        let table = self.draft.section(path).map(|Table { entries }| entries.as_slice());
        let names: Vec<String> =
            table.unwrap_or_default().iter().map(|entry| entry.key.clone()).collect();
        let mut env = BTreeMap::new();
        for name in names {
            let here = format!("{path}.{name}");
            if Some(name.as_str()) == variable {
                let message = format!("`{name}` is the variable that leads to the copy");
                self.fault(&here, &message, "leave it out here, or write it as `value`");
            }
            let value = self.value(&here, |read, node| read.variable(node));
            env.extend(value.map(|value| (name, value)));
        }
        env
    }
}
