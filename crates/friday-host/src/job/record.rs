//! What is kept of a job on this host: its last run. One small file for each name of a process, whatever
//! the release.

use std::path::PathBuf;

use friday_wire::{JobEnd, JobOutcome, JobRun, ProcessName, ReleaseId};

use super::run::Status;
use crate::place::{Place, private_directory, read_json, write_json};

/// The last run, and where it is written.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    last: Option<JobRun>,
}

impl Record {
    /// What is there; a file that cannot be read is as good as none.
    pub fn open(place: &Place, process: &ProcessName) -> Self {
        let path = place.job(process);
        let last = read_json(&path).ok().flatten();
        Self { path, last }
    }

    /// The last run.
    pub fn last(&self) -> Option<&JobRun> {
        self.last.as_ref()
    }

    /// Notes that a run begins; durable when it returns.
    ///
    /// # Errors
    /// One sentence; then nothing may begin.
    pub fn begin(&mut self, release: ReleaseId, due_ms: i64, began_ms: i64) -> Result<(), String> {
        let run = JobRun { release, due_ms, began_ms, ended: None, left_out: 0 };
        let kept = self.path.parent().map_or(Ok(()), private_directory);
        kept.and_then(|()| write_json(&self.path, &run))
            .map_err(|error| format!("`{}`: {error}", self.path.display()))?;
        self.last = Some(run);
        Ok(())
    }

    /// Notes one more time that was left out; says how many that are.
    pub fn leave_out(&mut self) -> u32 {
        let Some(last) = &mut self.last else { return 0 };
        last.left_out = last.left_out.saturating_add(1);
        let left_out = last.left_out;
        self.write();
        left_out
    }

    /// Notes how the run ended; says how many milliseconds it took.
    pub fn end(&mut self, at_ms: i64, status: &Status) -> i64 {
        let Some(last) = &mut self.last else { return 0 };
        let (outcome, status) = (status.outcome, status.text.clone());
        last.ended = Some(JobEnd { at_ms, outcome, status });
        let took_ms = at_ms.saturating_sub(last.began_ms).max(0);
        self.write();
        took_ms
    }

    /// A run that nobody saw end was ended with its process: notes it, and says of which time it was.
    pub fn break_off(&mut self, at_ms: i64) -> Option<i64> {
        let last = self.last.as_mut().filter(|last| last.ended.is_none())?;
        let status = "its process was ended".to_owned();
        last.ended = Some(JobEnd { at_ms, outcome: JobOutcome::BrokenOff, status });
        let due_ms = last.due_ms;
        self.write();
        Some(due_ms)
    }

    /// How a run ended is news, and no promise: a disk that is full must not end the job.
    fn write(&self) {
        if let Some(last) = &self.last {
            let _ = write_json(&self.path, last);
        }
    }
}
