//! `friday.toml`: text in, settings or every problem out.
//!
//! Three stages, each a type of its own:
//!
//! 1. `document`: what the file says, with the place of every word;
//! 2. `draft`: the base with the chosen environment laid over it, every key known and every value
//!    of its key's kind;
//! 3. [`Settings`]: what friday acts on. After it nobody checks again.
//!
//! Nothing here opens a file, reads the environment or runs a command: paths, variables and
//! commands are kept as they are written, for the edge.
//!
//! One file describes one service. Several in one file will be an array `[[service]]` whose tables
//! have the keys that the file's top level has now: a draft is already made from a table, not from
//! a document, so [`parse`] will give one [`Settings`] for each.

pub mod bandwidth;
mod document;
mod draft;
pub mod duration;
mod host;
pub mod init;
pub mod problem;
pub mod reference;
mod schema;
pub mod settings;
mod settle;
mod suggest;
mod value;

pub use init::{DirectoryFacts, first_file};
pub use problem::Problem;
pub use reference::reference_markdown;
pub use schema::json_schema;
pub use settings::{
    AbsenceSettings, Address, CalendarSettings, DatabaseSettings, DrillSettings, EngineSettings,
    FreezeKind, FreezeSettings, HolidaySettings, HostSettings, LoginSettings, MigrationSettings,
    OutsideSettings, OverrideSettings, RehearseSettings, ReleaseFacts, RepositoryPlaceSettings,
    RepositorySettings, RotaSettings, SecretSource, Settings, WindowEffect, WindowSettings,
};
pub(crate) use suggest::nearest;
pub use value::Kind;

/// The configuration's usual name.
pub const FILE_NAME: &str = "friday.toml";

/// The most problems that are told at once: nobody reads more.
const PROBLEMS_MAX: usize = 100;

/// Reads a configuration: `file` is its name for problems, `env` the chosen environment.
///
/// # Errors
/// Every problem at once, in the order of their places.
pub fn parse(file: &str, text: &str, env: Option<&str>) -> Result<Settings, Vec<Problem>> {
    let (table, mut faults) = document::read(text);
    let syntax = !faults.is_empty();
    let draft = draft::draft(table, env, &mut faults);
    // Half a file misses keys that stand behind the syntax error; that would be noise.
    let mut together = Vec::new();
    let settings = settle::settle(&draft, &mut together);
    if !syntax {
        faults.append(&mut together);
    }
    let mut problems: Vec<Problem> =
        faults.into_iter().map(|fault| fault.in_file(file, text)).collect();
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    problems.truncate(PROBLEMS_MAX);
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        Some(_) | None => Err(problems),
    }
}

/// The environments that a configuration has, also one with mistakes.
pub fn environments(text: &str) -> Vec<String> {
    let (table, mut faults) = document::read(text);
    draft::draft(table, None, &mut faults).envs
}

#[cfg(test)]
mod tests;
