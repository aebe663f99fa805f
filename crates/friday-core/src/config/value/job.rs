//! The values that make a process a job: its times, their zone, and how long a run may take.

use friday_wire::TimetableError;
use friday_wire::timetable::{DEADLINE_MS_MAX, check_at};

use super::process::WrittenProcess;
use super::{Kind, Reading};
use crate::config::document::{Entry, Node};
use crate::config::duration::show_duration;
use crate::config::problem::Fault;
use crate::zone;

const HINT: &str = "minute, hour, day, month, day of the week: \"15 3 * * *\" is each day at 03:15, \"*/10 * * * MON-FRI\" each ten minutes on weekdays";

impl Reading<'_> {
    /// Five fields that say when, and some day on which that is.
    pub(crate) fn at(&self, node: &Node) -> Result<String, Fault> {
        let text = self.text(node)?;
        let Err(error) = check_at(&text) else { return Ok(text) };
        let told = Fault::at(node.span.clone(), format!("`{}`: {error}", self.key));
        Err(match error {
            TimetableError::Part { at, why } => {
                // The place inside the quotes, where nothing in them is written as an escape.
                let plain = node.span.len() == text.len() + 2;
                let start = node.span.start + 1;
                let span = if plain { start + at.start..start + at.end } else { node.span.clone() };
                Fault::at(span, format!("`{}`: {why}", self.key)).hint(in_words(&text))
            }
            TimetableError::Never => told.hint("no month that it names has that day"),
            TimetableError::Fields(_)
            | TimetableError::Zone(_)
            | TimetableError::ZoneRules(_)
            | TimetableError::Deadline => told.hint(in_words(&text)),
        })
    }

    /// A time zone of the database.
    pub(crate) fn zone(&self, node: &Node) -> Result<String, Fault> {
        let text = self.text(node)?;
        match zone::spelled(&text) {
            // Hosts look for a file of that name.
            Some(spelled) if spelled == text => Ok(text),
            known => {
                let near = known.or_else(|| zone::near(&text));
                let hint = near.map_or_else(
                    || "name a city's, \"Europe/Berlin\", or \"UTC\"".to_owned(),
                    |near| format!("did you mean \"{near}\"?"),
                );
                Err(self.fault(node, format!("there is no time zone `{text}`")).hint(hint))
            }
        }
    }

    /// How long a run may take, milliseconds.
    pub(super) fn deadline(&self, node: &Node) -> Result<u64, Fault> {
        let ms = self.duration(node)?;
        if ms > DEADLINE_MS_MAX {
            let most = show_duration(DEADLINE_MS_MAX);
            return Err(self.fault(node, "this is too long").label(format!("at most {most}")));
        }
        Ok(ms)
    }

    /// What goes with `at`, and what does not.
    pub(super) fn job_keys(&self, entries: &[Entry], process: &WrittenProcess) -> Vec<Fault> {
        let is_job = entries.iter().any(|entry| entry.key == "at");
        let wrong = entries.iter().filter_map(|entry| {
            let (what, hint) = match (entry.key.as_str(), is_job) {
                ("timezone" | "deadline", false) => (
                    format!("`{}` is for a process that runs at certain times", entry.key),
                    "write at = \"15 3 * * *\" beside it",
                ),
                ("health", true) => (
                    "a process that runs at certain times has no health to ask for".to_owned(),
                    "leave `health` out: how a run ended is kept and shown",
                ),
                ("port", true) => (
                    "a process that runs at certain times has no port".to_owned(),
                    "leave `port` out",
                ),
                _ => return None,
            };
            let what = format!("`{}.{}`: {what}", self.key, entry.key);
            Some(Fault::at(entry.key_span.clone(), what).hint(hint))
        });
        let wrong: Vec<Fault> = wrong.collect();
        // Said of a job with a sensible command only: else the first mistake has a second face.
        if process.run.is_empty() { Vec::new() } else { wrong }
    }
}

/// What would have been right, where it is plain what was meant.
fn in_words(text: &str) -> String {
    let meant = match text.trim() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * SUN",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 JAN *",
        _ => return HINT.to_owned(),
    };
    format!("write \"{meant}\"")
}

/// For a deadline.
pub(super) const DEADLINE: Kind = Kind::Duration(1_000);
