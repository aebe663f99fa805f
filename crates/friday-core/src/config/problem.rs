//! What is wrong with a configuration, as plain data: the binary draws it.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// One mistake, with the place it was made at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named to [`parse`](super::parse).
    pub file: String,
    /// Where in its text, bytes. Always on character boundaries inside the text.
    pub span: Range<usize>,
    /// One sentence, lower-case, without a full stop.
    pub message: String,
    /// A few words beside the place; may be empty.
    pub label: String,
    /// What to write instead, where friday can know.
    pub hint: Option<String>,
}

impl Problem {
    /// Line and column of the place in the file's text, both counted from 1; columns are characters.
    pub fn position(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
