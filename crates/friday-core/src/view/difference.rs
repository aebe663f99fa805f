//! What a release changes against another: files, and how it runs. Values of variables are not shown, only
//! their names: a plan ends up in chats and in logs of builds.

use std::collections::BTreeMap;

use friday_wire::{Entry, EntryKind, Manifest, RunSpec};
use serde::Serialize;
use serde_json::Value;

use crate::config::duration::show_duration;

/// What happens to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is different.
    Changed,
    /// It is gone.
    Removed,
}

impl Change {
    /// The sign that also tells without colour.
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Changed => '~',
            Self::Removed => '-',
        }
    }
}

/// A file or a link that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// How.
    pub change: Change,
    /// Its path in the release.
    pub path: String,
    /// Bytes before, where it was a file.
    pub size_before: Option<u64>,
    /// Bytes now, where it is a file.
    pub size: Option<u64>,
    /// What is to be said beside sizes: a link's target, that it may be executed now.
    pub note: Option<String>,
}

/// A setting of how a release runs that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// How.
    pub change: Change,
    /// Which: `run`, `env.LOG`, `health.http.path`.
    pub setting: String,
    /// What it was; never a variable's value.
    pub before: Option<String>,
    /// What it is; never a variable's value.
    pub now: Option<String>,
}

/// What a release changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Files and links, by path.
    pub files: Vec<FileChange>,
    /// How it runs.
    pub settings: Vec<SettingChange>,
}

impl Difference {
    /// What `now` changes against `before`; against nothing, everything is new.
    pub fn between(before: Option<&Manifest>, now: &Manifest) -> Self {
        let nothing: &[Entry] = &[];
        let tree = before.map_or(nothing, |before| &before.tree);
        let settings_before = before.map(|before| settings(&before.run)).unwrap_or_default();
        Self {
            files: files(tree, &now.tree),
            settings: settings_between(&settings_before, &settings(&now.run)),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.settings.is_empty()
    }

    /// Files added, changed and removed.
    pub fn counts(&self) -> (usize, usize, usize) {
        let of = |change| self.files.iter().filter(|file| file.change == change).count();
        (of(Change::Added), of(Change::Changed), of(Change::Removed))
    }
}

/// Both lists are sorted by path, and are walked side by side.
fn files(before: &[Entry], now: &[Entry]) -> Vec<FileChange> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    let mut files = Vec::new();
    loop {
        let order = match (before.peek(), now.peek()) {
            (None, None) => return files,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.path.cmp(&new.path),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { now.next() } else { None };
        files.extend(file(old, new));
    }
}

fn file(old: Option<&Entry>, new: Option<&Entry>) -> Option<FileChange> {
    let (old_kind, new_kind) = (old.map(|entry| &entry.kind), new.map(|entry| &entry.kind));
    let is_directory = |kind: &&EntryKind| matches!(kind, EntryKind::Directory);
    let (shown_before, shown_now) =
        (old_kind.filter(|kind| !is_directory(kind)), new_kind.filter(|kind| !is_directory(kind)));
    let change = match (shown_before, shown_now) {
        (None, None) => return None,
        (None, Some(_)) => Change::Added,
        (Some(_), None) => Change::Removed,
        (Some(before), Some(now)) if before == now => return None,
        (Some(_), Some(_)) => Change::Changed,
    };
    Some(FileChange {
        change,
        path: new.or(old)?.path.clone(),
        size_before: shown_before.and_then(size),
        size: shown_now.and_then(size),
        note: note(shown_before, shown_now),
    })
}

fn size(kind: &EntryKind) -> Option<u64> {
    match kind {
        EntryKind::File { size, .. } => Some(*size),
        EntryKind::Directory | EntryKind::Link { .. } => None,
    }
}

fn note(before: Option<&EntryKind>, now: Option<&EntryKind>) -> Option<String> {
    match (before, now) {
        (
            Some(EntryKind::File { executable: was, .. }),
            Some(EntryKind::File { executable: is, .. }),
        ) if was != is => {
            let says = if *is { "may be executed now" } else { "may not be executed any more" };
            Some(says.to_owned())
        }
        (Some(EntryKind::Link { .. }), Some(EntryKind::File { .. })) => {
            Some("was a link".to_owned())
        }
        (_, Some(EntryKind::Link { target })) => Some(format!("links to {target}")),
        _ => None,
    }
}

/// Every setting by its path, as text.
fn settings(run: &RunSpec) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    // Strings, numbers, lists and maps with text keys: it always becomes a value.
    if let Ok(value) = serde_json::to_value(run) {
        flatten("", &value, &mut flat);
    }
    if let Some(command) = flat.remove("command") {
        flat.insert("run".to_owned(), command);
    }
    flat.into_iter().map(|(path, value)| as_written(path, value)).collect()
}

/// What is said of processes, under the names that the configuration has for it.
fn as_written(path: String, value: String) -> (String, String) {
    if path == "processes.run_in" {
        return ("release.roles".to_owned(), value);
    }
    let Some((process, key)) =
        path.strip_prefix("processes.named.").and_then(|rest| rest.split_once('.'))
    else {
        return (path, value);
    };
    match key {
        "command" => (format!("process.{process}.run"), value),
        "spread" => (format!("process.{process}.once"), (value == "once").to_string()),
        "timetable.deadline_ms" => {
            let shown = value.parse().map_or_else(|_| value.clone(), show_duration);
            (format!("process.{process}.deadline"), shown)
        }
        key => {
            let key = key.strip_prefix("timetable.").unwrap_or(key);
            (format!("process.{process}.{key}"), value)
        }
    }
}

/// Whether a setting is of the health of what was not there before: the numbers are the configuration's,
/// and no news.
fn is_health_of_new(name: &str, before: &BTreeMap<String, String>) -> bool {
    let process = name.strip_prefix("process.").and_then(|rest| rest.split_once(".health."));
    match process {
        Some((process, _)) => !before.contains_key(&format!("process.{process}.run")),
        None => before.is_empty() && name.starts_with("health."),
    }
}

fn flatten(path: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            flatten(&below, value, flat);
        }),
        Value::Null => {}
        Value::Array(values) if values.is_empty() => {}
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(text).collect();
            flat.insert(path.to_owned(), texts.join(", "));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            flat.insert(path.to_owned(), text(value));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn settings_between(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<SettingChange> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = names.into_iter().filter_map(|name| {
        let (old, new) = (before.get(name), now.get(name));
        let change = match (old, new) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(_), Some(_)) => Change::Changed,
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
        };
        if is_health_of_new(name, before) {
            return None;
        }
        let is_variable = name.starts_with("env.") || name.contains(".env.");
        let shown = |value: Option<&String>| value.filter(|_| !is_variable).cloned();
        let (before, now) = (shown(old), shown(new));
        Some(SettingChange { change, setting: name.clone(), before, now })
    });
    changed.collect()
}

#[cfg(test)]
mod tests;
