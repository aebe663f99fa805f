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
    /// One sentence, lower-case, without a full stop. Control characters in it are shown, not sent.
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

/// A problem while the file is still known to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    span: Range<usize>,
    message: String,
    label: String,
    hint: Option<String>,
}

impl Fault {
    /// Something is wrong here.
    pub(crate) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: String::new(), hint: None }
    }

    /// A few words beside the place.
    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// What to write instead.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The problem in a file: its span brought inside the text, its words made safe to print.
    pub(crate) fn in_file(self, file: &str, text: &str) -> Problem {
        let start = boundary(text, self.span.start);
        let end = boundary(text, self.span.end).max(start);
        Problem {
            file: file.to_owned(),
            span: start..end,
            message: shown(&self.message),
            label: shown(&self.label),
            hint: self.hint.as_deref().map(shown),
        }
    }
}

/// The last character boundary of a text that is not behind `at`.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A text with its control characters spelled out: a configuration must not steer a terminal.
fn shown(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
        shown
    })
}
