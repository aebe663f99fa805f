//! What a shell offers after a tab: the words of the command line, and the hosts, releases and rollouts
//! that are known here. No host is asked, nothing is written, and what cannot be read offers nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::CompleteEnv;
use friday_core::config;
use friday_wire::{ProcessSpec, Spread};

use crate::cli::{Cli, Global};
use crate::context::{self, Context};
use crate::journal::Journal;
use crate::ui::ColorWhen;

/// The variable through which a shell asks.
pub const VARIABLE: &str = "FRIDAY_COMPLETE";

/// The most words of a kind that are offered: more are no help.
const OFFERED_MAX: usize = 500;

/// Answers a shell that asks, and ends then. Does nothing otherwise.
pub fn answer() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

/// Hosts of the configuration.
pub fn hosts(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(context) = context() else { return Vec::new() };
    let hosts = context.settings.hosts.iter();
    offered(typed, hosts.map(|host| (host.name.to_string(), host.role.clone())))
}

/// Environments of the configuration.
pub fn environments(typed: &OsStr) -> Vec<CompletionCandidate> {
    let text = context::find(&global(None)).ok().and_then(|path| fs::read_to_string(path).ok());
    let names = config::environments(&text.unwrap_or_default()).into_iter();
    offered(typed, names.map(|name| (name, String::new())))
}

/// Hosts that the journal knows, and what they ran.
pub fn members(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(journal) = journal() else { return Vec::new() };
    let chronicle = &journal.chronicle;
    let says = |ran: &Option<_>| chronicle.target_says(ran.as_ref());
    offered(typed, chronicle.members.iter().map(|(host, ran)| (host.to_string(), says(ran))))
}

/// Processes of the configuration.
pub fn processes(typed: &OsStr) -> Vec<CompletionCandidate> {
    named(typed, |_| true)
}

/// Of them those that run once in the fleet.
pub fn once_processes(typed: &OsStr) -> Vec<CompletionCandidate> {
    named(typed, |spec| spec.spread == Spread::Once)
}

fn named(typed: &OsStr, wanted: impl Fn(&ProcessSpec) -> bool) -> Vec<CompletionCandidate> {
    let Some(context) = context() else { return Vec::new() };
    let named = context.settings.processes.named.iter();
    let wanted = named.filter(|(_, spec)| wanted(spec));
    offered(typed, wanted.map(|(name, spec)| (name.to_string(), spec.command.clone())))
}

/// Releases that the journal knows, by label where they have one; newest first.
pub fn releases(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(journal) = journal() else { return Vec::new() };
    let mut known: Vec<_> = journal.chronicle.releases.values().collect();
    known.sort_by_key(|release| std::cmp::Reverse(release.first_pushed));
    let words = known.into_iter().map(|known| {
        let short = known.release.short();
        let is_stable = journal.chronicle.stable == Some(known.release);
        let says = match (&known.quarantined, is_stable) {
            (Some(why), _) => format!("{short}, quarantined: {why}"),
            (None, true) => format!("{short}, stable"),
            (None, false) => short.clone(),
        };
        (known.label.clone().unwrap_or(short), says)
    });
    offered(typed, words)
}

/// Rollouts of the journal, newest first.
pub fn rollouts(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(journal) = journal() else { return Vec::new() };
    let rollouts = journal.chronicle.rollouts.iter().rev();
    offered(typed, rollouts.map(|view| (view.rollout.to_string(), view.word.noun().to_owned())))
}

fn offered(
    typed: &OsStr,
    words: impl Iterator<Item = (String, String)>,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    words
        .filter(|(word, _)| word.starts_with(&*typed))
        // A shell takes a line for a word: one with a line break would be two.
        .filter(|(word, _)| !word.contains(char::is_control))
        .take(OFFERED_MAX)
        .enumerate()
        .map(|(at, (word, says))| {
            let says: String = says.chars().filter(|c| !c.is_control()).take(60).collect();
            let says = Some(says).filter(|says| !says.is_empty()).map(Into::into);
            CompletionCandidate::new(word).help(says).display_order(Some(at))
        })
        .collect()
}

/// The configuration that the line names, or the one that lies here or above.
fn context() -> Option<Context> {
    Context::load(&global(value_of("--env"))).ok()
}

fn global(env: Option<String>) -> Global {
    let config = value_of("--config").map(PathBuf::from);
    let color = ColorWhen::Never;
    Global { json: false, config, env, yes: false, quiet: true, color }
}

/// What stands on the line behind an option: a shell hands over the whole line.
fn value_of(option: &str) -> Option<String> {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    value_among(&words, option)
}

fn value_among(words: &[String], option: &str) -> Option<String> {
    let behind = words.iter().position(|word| word == option).and_then(|at| words.get(at + 1));
    let joined = || words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
    behind.map(String::as_str).or_else(joined).filter(|value| !value.is_empty()).map(str::to_owned)
}

fn journal() -> Option<Journal> {
    Journal::read(&context()?).ok()
}
