//! The second stage: every key is known, every value is of its key's kind, and the chosen
//! environment is laid over the base.
//!
//! Environments that were not chosen are checked too, so that a mistake in `staging` is told before
//! the day it is needed. What keys mean together is for [`settle`](super::settle).

use std::ops::Range;

use super::document::{Entry, Node, Table, Value};
use super::problem::Fault;
use super::reference::{self, find, is_section};
use super::suggest::{is_known_elsewhere, nearest, unknown_key};
use super::value::{ENTRIES_MAX, Kind};

/// The table that holds the environments.
const ENVS: &str = "env";

/// A merged configuration.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Keys of the reference; a value that was wrong is [`Value::Wrong`].
    pub(crate) table: Table,
    /// The chosen environment.
    pub(crate) env: Option<String>,
    /// The environments that the file has.
    pub(crate) envs: Vec<String>,
    /// Whether the databases are those of the file, though an environment is chosen.
    pub(crate) databases_of_the_file: bool,
}

/// Checks a document's table, lays the environment over it, and adds what is wrong to `faults`.
pub(crate) fn draft(mut table: Table, env: Option<&str>, faults: &mut Vec<Fault>) -> Draft {
    let envs = table.remove(ENVS);
    check(&mut table, "", faults);
    let mut overlays = envs.as_ref().map(|envs| overlays(envs, faults)).unwrap_or_default();
    for overlay in &mut overlays {
        check_overlay(overlay, faults);
    }
    let mut databases_of_the_file = env.is_some();
    let names: Vec<String> = overlays.iter().map(|overlay| overlay.key.clone()).collect();
    if let Some(env) = env {
        match overlays.into_iter().find(|overlay| overlay.key == env) {
            Some(Entry { node: Node { value: Value::Table(overlay), .. }, .. }) => {
                databases_of_the_file = overlay.get("database").is_none();
                merge(&mut table, overlay, "");
            }
            // Present and wrong: told already.
            Some(_) => {}
            None => faults.push(no_such_env(env, &names, envs.as_ref())),
        }
    }
    Draft { table, env: env.map(str::to_owned), envs: names, databases_of_the_file }
}

fn overlays(envs: &Entry, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let Value::Table(table) = &envs.node.value else {
        let message = format!("`env` holds environments, and is {}", envs.node.value.kind());
        faults.push(Fault::at(envs.key_span.clone(), message).hint(VARIABLES));
        return Vec::new();
    };
    table.entries.clone()
}

const VARIABLES: &str = "an environment is `[env.staging]`; variables of the application belong in `[release]`: env = { LOG = \"info\" }";

fn check_overlay(overlay: &mut Entry, faults: &mut Vec<Fault>) {
    let Entry { key, key_span, node } = overlay;
    let here = |message: String| Fault::at(key_span.clone(), message);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.is_empty() || key.len() > 32 || !key.chars().all(allowed) || key.starts_with('-') {
        faults.push(
            here(format!("`{key}` is not a name for an environment"))
                .hint("letters, digits, `-` and `_`, at most 32: `[env.staging]`"),
        );
    }
    let Value::Table(table) = &mut node.value else {
        let found = node.value.kind();
        faults.push(
            here(format!("the environment `{key}` must be a table, not {found}")).hint(VARIABLES),
        );
        node.value = Value::Wrong;
        return;
    };
    for own in ["name", ENVS] {
        if let Some(entry) = table.remove(own) {
            let message = format!("an environment has no `{own}` of its own");
            let fault = Fault::at(entry.key_span, message);
            faults.push(match own {
                "name" => fault.hint(format!("the fleet's name is made of both: `NAME-{key}`")),
                _ => fault.hint(VARIABLES),
            });
        }
    }
    check(table, "", faults);
    if table.get("hosts").is_none() {
        faults.push(
            here(format!("the environment `{key}` names no hosts"))
                .label("would be a second fleet on the base's hosts")
                .hint(format!("give it its own: `[env.{key}.hosts]`")),
        );
    }
}

fn no_such_env(env: &str, names: &[String], envs: Option<&Entry>) -> Fault {
    let span = envs.map_or(0..0, |envs| envs.key_span.clone());
    let fault = Fault::at(span, format!("there is no environment `{env}`"));
    match nearest(env, names.iter().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => {
            fault.hint(format!("write `[env.{env}]` with what is different there"))
        }
        None => fault.hint(format!("there are: {}", names.join(", "))),
    }
}

/// Checks every entry of a table at `path`. Unknown ones are taken out, wrong ones marked.
fn check(table: &mut Table, path: &str, faults: &mut Vec<Fault>) {
    if table.entries.len() > ENTRIES_MAX {
        let span = table.entries[ENTRIES_MAX].key_span.clone();
        faults.push(Fault::at(span, format!("`{path}` has more than {ENTRIES_MAX} entries")));
    }
    // What was meant by a slip counts as there, so that it is not missed as well.
    let mut meant: Vec<Entry> = Vec::new();
    let mut slip = |entry: &Entry, faults: &mut Vec<Fault>| {
        let (fault, near) = unknown_key(path, entry);
        faults.push(fault);
        meant.extend(near.map(|near| Entry {
            key: near.to_owned(),
            key_span: entry.key_span.clone(),
            node: Node { span: entry.node.span.clone(), value: Value::Wrong },
        }));
    };
    table.entries.retain_mut(|entry| {
        let here =
            if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        if path.is_empty()
            && let Some(later) = not_yet(entry)
        {
            faults.push(later);
            return false;
        }
        // Free names may contain dots; a path with one would be taken for a section's.
        if let Some(key) = find(&here).filter(|_| !entry.key.contains('.') && entry.key != "*") {
            if is_slip_of_setting(path, entry, &key.kind) {
                slip(entry, faults);
                return false;
            }
            let wrong = key.kind.check(&here, &entry.node);
            let name = free_name(path, entry);
            if !wrong.is_empty() || name.is_some() {
                faults.extend(wrong.into_iter().chain(name));
                entry.node.value = Value::Wrong;
            }
            return true;
        }
        if is_section(&here) && !entry.key.contains('.') {
            check_section(entry, &here, faults);
            return true;
        }
        slip(entry, faults);
        false
    });
    for entry in meant {
        if table.get(&entry.key).is_none() {
            table.entries.push(entry);
        }
    }
}

fn check_section(entry: &mut Entry, path: &str, faults: &mut Vec<Fault>) {
    if reference::is_repeated(path) {
        return check_each(entry, path, faults);
    }
    match &mut entry.node.value {
        Value::Table(table) => check(table, path, faults),
        other => {
            let found = other.kind();
            let fault =
                Fault::at(entry.key_span.clone(), format!("`{path}` must be a table, not {found}"));
            faults.push(fault.hint(match (path, &*other) {
                ("hosts", Value::List(_)) => {
                    "name a role: web = [\"deploy@web-1\"] under `[hosts]`".to_owned()
                }
                ("release.env" | "release.secrets" | "database.rehearse.env", _) => {
                    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
                    format!("write {name} = {{ NAME = … }}")
                }
                _ => format!("begin it with `[{path}]`"),
            }));
            *other = Value::Wrong;
        }
    }
}

/// A section that stands once for each of something.
fn check_each(entry: &mut Entry, path: &str, faults: &mut Vec<Fault>) {
    let heading = reference::heading(path);
    let told = |span: &Range<usize>, found: &str| {
        let message = format!("`{path}` must be a list of tables, not {found}");
        Fault::at(span.clone(), message).hint(format!("begin each with `{heading}`"))
    };
    let Value::List(items) = &mut entry.node.value else {
        faults.push(told(&entry.key_span, entry.node.value.kind()));
        entry.node.value = Value::Wrong;
        return;
    };
    if let Some(one) = items.get(ENTRIES_MAX) {
        let message = format!("`{path}` stands more than {ENTRIES_MAX} times");
        faults.push(Fault::at(one.span.clone(), message));
        items.truncate(ENTRIES_MAX);
    }
    for item in items {
        match &mut item.value {
            Value::Table(table) => check(table, path, faults),
            other => {
                faults.push(told(&item.span, other.kind()));
                *other = Value::Wrong;
            }
        }
    }
}

/// A free key under `[hosts]` whose value is no list may be a setting with a slip in it, or a key of
/// another section, rather than a role.
fn is_slip_of_setting(path: &str, entry: &Entry, kind: &Kind) -> bool {
    let near = || nearest(&entry.key, reference::names_in("hosts").into_iter()).is_some();
    path == "hosts"
        && *kind == Kind::Hosts
        && !matches!(entry.node.value, Value::List(_))
        && (near() || is_known_elsewhere(&entry.key))
}

/// What is wrong with a free name.
fn free_name(path: &str, entry: &Entry) -> Option<Fault> {
    let name = &entry.key;
    let here = |message: String| Fault::at(entry.key_span.clone(), message);
    match path {
        "release.env" | "release.secrets" | "database.rehearse.env" => {
            variable_name(name).map(|(message, hint)| here(message).hint(hint))
        }
        "process" => (!friday_wire::process::is_name(name) || name == "run").then(|| {
            here(format!("`{name}` is not a name for a process"))
                .hint("letters, digits, `-` and `_`: worker, mailer; `run` is the release's own")
        }),
        "hosts" => {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            (name.is_empty() || name.len() > 64 || !name.chars().all(allowed)).then(|| {
                here(format!("`{name}` is not a name for a role"))
                    .hint("letters, digits, `-` and `_`: web, worker")
            })
        }
        _ => None,
    }
}

/// What is wrong with the name of a variable, and a hint.
fn variable_name(name: &str) -> Option<(String, &'static str)> {
    if !super::value::is_variable(name) {
        let message = format!("`{name}` is not the name of a variable");
        return Some((message, "letters, digits and `_`, not beginning with a digit"));
    }
    (name == "PORT" || name.starts_with("FRIDAY_")).then(|| {
        let message = format!("`{name}` is set by friday itself");
        (message, "the port is `port` in `[release]`; names with FRIDAY_ are friday's")
    })
}

fn not_yet(entry: &Entry) -> Option<Fault> {
    let (name, meaning) = reference::LATER.iter().find(|(name, _)| *name == entry.key)?;
    Some(
        Fault::at(entry.key_span.clone(), format!("`{name}` is not in this version yet"))
            .label(*meaning)
            .hint("leave it out until then"),
    )
}

/// Lays `over` over `base`: sections merge key by key, every other value is replaced. A fleet's
/// hosts are one value: merged, a role of the base would be pushed to in every environment.
fn merge(base: &mut Table, over: Table, path: &str) {
    for entry in over.entries {
        let here =
            if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        let merges = find(&here).is_none() && here != "hosts";
        let Some(old) = base.get_mut(&entry.key) else {
            base.entries.push(entry);
            continue;
        };
        match (&mut old.node.value, entry.node.value) {
            (Value::Table(base), Value::Table(over)) if merges => merge(base, over, &here),
            (_, value) => {
                old.key_span = entry.key_span;
                old.node = Node { span: entry.node.span, value };
            }
        }
    }
}

impl Draft {
    /// The entry at a path of the reference.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
        self.section(parents)?.get(name)
    }

    /// The table of a section; `""` is the whole.
    pub(crate) fn section(&self, path: &str) -> Option<&Table> {
        path.split('.').filter(|part| !part.is_empty()).try_fold(&self.table, |table, part| {
            match &table.get(part)?.node.value {
                Value::Table(inner) => Some(inner),
                _ => None,
            }
        })
    }

    /// Whether a path, or a section that would hold it, was told to be wrong.
    pub(crate) fn is_told(&self, path: &str) -> bool {
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        ends.filter_map(|end| self.entry(&path[..end]))
            .any(|entry| entry.node.value == Value::Wrong)
    }

    /// Whether something stands at a path, right or wrong.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.entry(path).is_some()
    }

    /// Where a path stands, or the section that would hold it, or the top of the file.
    pub(crate) fn place(&self, path: &str) -> Range<usize> {
        if let Some(entry) = self.entry(path) {
            return entry.node.span.clone();
        }
        match path.rsplit_once('.') {
            Some((section, _)) => self.entry(section).map_or(0..0, |entry| entry.key_span.clone()),
            None => 0..0,
        }
    }
}
