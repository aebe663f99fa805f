//! What could not be done, as it is told: what happened, and what to do.
//!
//! Each family of operations has an error enum of its own; here they become two sentences. The phase
//! is known by the [`course`](crate::course).

use std::error::Error;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub why: String,
    /// What to do; `None`: nothing more is known.
    pub help: Option<String>,
}

impl Failure {
    /// One without help.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: None }
    }

    /// One that says what to do.
    pub fn with_help(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { why: why.into(), help: Some(help.into()) }
    }

    /// An error with its sources, as one line.
    pub fn of(error: &dyn Error, help: Option<String>) -> Self {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why.push_str(": ");
            why.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { why, help }
    }
}
