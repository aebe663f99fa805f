//! A program where friday runs: it gets the message as JSON on its standard input, and nothing in its arguments.
//!
//! It says by its status what came of it: 0, it was taken; 64, 77, 78, 126 and 127, it never will be; any other, not
//! now. It sees none of friday's environment but what a program needs to run, and what the configuration gives it.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::answer::said;
use super::text::document;
use super::{Attempt, Delivery, Message};
use crate::hook::{self, ProgramEnd};
use crate::outbound::redact;
use crate::secrets::SecretValue;

/// Variables of friday's own environment that it sees.
const KEPT: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// Statuses that stand for a mistake that stays: wrong usage, no right, wrong configuration (as `sysexits.h` has them),
/// no program to run (as shells have it).
const FOR_GOOD: [i32; 5] = [64, 77, 78, 126, 127];

/// A program with its arguments. Prints no value of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandChannel {
    /// The program and its arguments, not a shell's line.
    pub argv: Vec<String>,
    /// What it sees beside `PATH` and the like.
    pub env: Vec<(String, SecretValue)>,
    /// Where it runs.
    pub directory: PathBuf,
}

impl CommandChannel {
    pub(super) async fn deliver(&self, message: &Message, attempt: Attempt) -> Delivery {
        let Some((program, arguments)) = self.argv.split_first() else {
            let says = "no program is named".to_owned();
            return Delivery::Refused { status: None, says };
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::piped()).env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value.expose())));
        let mut input = document(message).to_string().into_bytes();
        input.push(b'\n');
        let secrets: Vec<&str> = self.env.iter().map(|(_, value)| value.expose()).collect();
        let clean = |text: &str| said(&redact(text, &secrets));
        match hook::program(command, input, attempt.deadline).await {
            ProgramEnd::Exited { status: Some(0), said } => {
                Delivery::Delivered { detail: clean(&said) }
            }
            ProgramEnd::Exited { status, said } => {
                let told = match status {
                    Some(status) => format!("`{program}` ended with status {status}"),
                    None => format!("`{program}` was ended by a signal"),
                };
                let says = if said.is_empty() { told } else { format!("{told}: {said}") };
                let says = clean(&says);
                match status {
                    Some(status) if FOR_GOOD.contains(&status) => {
                        Delivery::Refused { status: None, says }
                    }
                    _ => Delivery::Later { retry_after: None, says },
                }
            }
            ProgramEnd::NotStarted { why } => {
                let says = clean(&format!("`{program}` did not start: {why}"));
                Delivery::Refused { status: None, says }
            }
            ProgramEnd::Late => {
                let limit = attempt.deadline;
                let says = format!("`{program}` was not done after {limit:?} and was killed");
                Delivery::Unknown { says: clean(&says) }
            }
            ProgramEnd::Unknown { why } => Delivery::Unknown { says: clean(&why) },
        }
    }
}
