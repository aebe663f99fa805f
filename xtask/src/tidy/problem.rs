//! One thing to mend.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where, which rule, what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    path: PathBuf,
    line: usize,
    rule: &'static str,
    mend: String,
}

impl Problem {
    /// At a line, counted from 1.
    pub fn new(path: &Path, line: usize, rule: &'static str, mend: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, mend: mend.into() }
    }

    /// The rule's name, for tests.
    #[cfg(test)]
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path.display(), self.line, self.rule, self.mend)
    }
}
