//! The project's rules that no compiler checks. Each rule prints `file:line`, its name, and what to do.
//!
//! Rules are functions from text to problems, so that every one of them is tested on small strings:
//! a rule that cannot fail is no rule. Only [`run`] reads files.

mod edge;
mod exit_code;
mod function;
mod header;
mod length;
mod mask;
mod name;
mod phrase;
mod problem;
mod purity;
mod source;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use problem::Problem;
use source::Source;

use crate::{docs, workspace};

/// Functions that are too long and were before the rule: `path name lines`, one a line.
const LONG_FUNCTIONS: &str = "xtask/long-functions.txt";

/// Checks the whole workspace.
pub fn run() -> Result<(), String> {
    let files = workspace::files()?;
    let mut problems: Vec<Problem> = Vec::new();
    problems.extend(files.iter().filter_map(|path| name::check(path)));
    let sources = read_all(&files);
    for source in &sources {
        problems.extend(check_source(source));
    }
    let list = std::fs::read_to_string(workspace::root().join(LONG_FUNCTIONS)).unwrap_or_default();
    problems.extend(function::check(&sources, &list, Path::new(LONG_FUNCTIONS)));
    problems.extend(edge::check(&workspace::metadata()?));
    problems.extend(exit_code::check(&sources));
    problems.extend(docs::stale());
    problems.sort();
    for problem in &problems {
        crate::print(&format!("{problem}\n"));
    }
    match problems.len() {
        0 => {
            crate::print(&format!("tidy: {} files, nothing to mend\n", files.len()));
            Ok(())
        }
        1 => Err("tidy: 1 thing to mend".to_owned()),
        many => Err(format!("tidy: {many} things to mend")),
    }
}

/// Every rule that looks at one file alone.
fn check_source(source: &Source) -> Vec<Problem> {
    let mut problems = phrase::check(source);
    if source.is_rust() {
        problems.extend(header::check(source));
        problems.extend(length::check(source));
        problems.extend(purity::check(source));
    }
    problems
}

/// Text files only: what is not UTF-8 has no lines to check.
fn read_all(files: &[std::path::PathBuf]) -> Vec<Source> {
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(workspace::root().join(path)).ok()?;
        Some(Source::new(path, text))
    };
    files.iter().filter_map(read).collect()
}
