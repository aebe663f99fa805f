//! What a command ends with when it did not do what was asked: the error with its causes, what a person
//! can do about it, and the exit status.

use std::error::Error;
use std::fmt::Display;

use friday_core::config::Problem;
use friday_core::reason::Reason;
use friday_core::view::sentences;
use serde::Serialize;

use crate::exit::Exit;

/// The most causes shown below an error. A chain that is longer is a loop.
const CAUSES_MAX: usize = 16;

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    drawing: Option<Box<Drawing>>,
}

/// Mistakes in a configuration, with the text they were made in.
#[derive(Debug)]
pub struct Drawing {
    /// The file's text.
    pub text: String,
    /// Every mistake.
    pub problems: Vec<Problem>,
}

/// As `--json` shows it.
#[derive(Debug, Serialize)]
pub struct ErrorView<'a> {
    /// The exit status, by name.
    pub kind: Exit,
    /// Its number.
    pub exit: u8,
    /// What failed.
    pub message: &'a str,
    /// Why, outermost first.
    pub causes: &'a [String],
    /// What can be done.
    pub hints: &'a [String],
    /// Mistakes in the configuration.
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    pub problems: &'a [Problem],
}

impl CommandError {
    /// Something failed; `message` is a lower-case fragment.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hints: Vec::new(), drawing: None }
    }

    /// From an error with its sources.
    pub fn from_error(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, error.to_string()).because_of(error.source())
    }

    /// Refused or held for reasons: the first hint of each kind is kept.
    pub fn for_reasons(exit: Exit, message: impl Into<String>, reasons: &[Reason]) -> Self {
        let mut error = Self::new(exit, message);
        error.causes = sentences(reasons);
        for reason in reasons {
            error = error.hint(reason.hint());
        }
        error
    }

    /// A configuration with mistakes.
    pub fn configuration(text: String, problems: Vec<Problem>) -> Self {
        let count = friday_core::view::words::count(problems.len(), "mistake");
        let file = problems.first().map_or("friday.toml", |problem| problem.file.as_str());
        let mut error = Self::new(Exit::Configuration, format!("`{file}` has {count}"));
        error.drawing = Some(Box::new(Drawing { text, problems }));
        error
    }

    /// A bug: says how to report it.
    pub fn bug(message: impl Display) -> Self {
        Self::new(Exit::Internal, format!("{message}; this is a bug in friday"))
            .hint("please report it with the command, and the output of `friday log --all`")
    }

    /// Adds the chain of causes.
    pub fn because_of(mut self, cause: Option<&(dyn Error + 'static)>) -> Self {
        let mut cause = cause;
        while let Some(error) = cause {
            if self.causes.len() == CAUSES_MAX {
                break;
            }
            let says = error.to_string();
            // An error that shows its source in its own words would say it twice.
            if self.causes.last().unwrap_or(&self.message) != &says
                && !self.message.ends_with(&says)
            {
                self.causes.push(says);
            }
            cause = error.source();
        }
        self
    }

    /// Adds one cause.
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what can be done; the same once only.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// The exit status.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What can be done.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Mistakes in a configuration, to be drawn instead of causes.
    pub fn drawing(&self) -> Option<&Drawing> {
        self.drawing.as_deref()
    }

    /// As `--json` shows it.
    pub fn view(&self) -> ErrorView<'_> {
        ErrorView {
            kind: self.exit,
            exit: self.exit.code(),
            message: &self.message,
            causes: &self.causes,
            hints: &self.hints,
            problems: self.drawing.as_ref().map_or(&[], |drawing| &drawing.problems),
        }
    }
}
