//! Every file opens with what it is for. A `tests.rs` beside its module is spared: its name says it.

use super::problem::Problem;
use super::source::Source;

/// The first line that is not blank is `//!`.
pub fn check(source: &Source) -> Option<Problem> {
    if source.path.file_name().is_some_and(|name| name == "tests.rs") {
        return None;
    }
    let first = source.text.lines().find(|line| !line.trim().is_empty())?;
    let says = first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty());
    let mend = "begin with `//!`: what this file is for, and what it must not do";
    (!says).then(|| Problem::new(&source.path, 1, "module header", mend))
}
