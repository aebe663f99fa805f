//! A file with its text, and what kind of place it lies in.

use std::path::{Path, PathBuf};

use super::mask::mask;

/// A text file of the workspace.
#[derive(Debug)]
pub struct Source {
    /// Relative to the root.
    pub path: PathBuf,
    /// As it is.
    pub text: String,
    /// With comments and the insides of strings blanked, line for line: what the compiler would run.
    pub code: String,
}

impl Source {
    /// From its path and text.
    pub fn new(path: impl AsRef<Path>, text: impl Into<String>) -> Self {
        let (path, text) = (path.as_ref().to_owned(), text.into());
        let code = if path.extension().is_some_and(|end| end == "rs") {
            mask(&text)
        } else {
            String::new()
        };
        Self { path, text, code }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|end| end == "rs")
    }

    /// Whether it is only compiled for tests: lies under `tests/`, or is a `tests.rs` beside its module.
    pub fn is_test(&self) -> bool {
        let stem = self.path.file_stem().unwrap_or_default();
        stem == "tests" || self.path.components().any(|part| part.as_os_str() == "tests")
    }

    /// Whether it lies under a directory, given with `/` between parts.
    pub fn is_under(&self, directory: &str) -> bool {
        self.path.starts_with(directory)
    }
}
