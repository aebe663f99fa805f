//! One run of a job: its command and everything that comes of it, to the end or to its deadline.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use friday_wire::JobOutcome;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid};

use crate::process;
use crate::shim::describe;

/// After its deadline, between asking a run to end and killing it.
const GRACE: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether well.
    pub outcome: JobOutcome,
    /// `exit status 1`, or a sentence.
    pub text: String,
}

/// A run at work. There is one at most: every child of this process is its.
#[derive(Debug)]
pub struct Run {
    first: Pid,
    told: Option<WaitStatus>,
    limit: Duration,
    deadline: Instant,
    signal: Signal,
    /// Since when it has been asked to end.
    asked: Option<Instant>,
}

impl Run {
    /// Starts the command in this process's environment and directory.
    ///
    /// # Errors
    /// One sentence.
    pub fn begin(command: &str, limit: Duration, signal: Signal) -> Result<Self, String> {
        let closed = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let spawned = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .process_group(0)
            .spawn();
        rustix::process::umask(closed);
        let child = spawned.map_err(|error| format!("/bin/sh: {error}"))?;
        let first =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
        let deadline = Instant::now() + limit;
        Ok(Self { first, told: None, limit, deadline, signal, asked: None })
    }

    /// How it ended, once nothing of it is left. Ends it when its deadline has passed.
    pub fn look(&mut self) -> Option<Status> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.first => self.told = Some(status),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return Some(self.status()),
            }
        }
        let now = Instant::now();
        match self.asked {
            None if now >= self.deadline => {
                self.asked = Some(now);
                self.send(self.signal);
            }
            Some(asked) if now >= asked + GRACE => self.send(Signal::KILL),
            None | Some(_) => {}
        }
        None
    }

    fn send(&self, signal: Signal) {
        let first = self.first.as_raw_nonzero().get();
        let family = process::descendants(getpid().as_raw_nonzero().get());
        process::send_to_group(first, signal);
        for process in family.iter().filter(|process| process.group != first) {
            process::send(process.pid, signal);
        }
    }

    fn status(&self) -> Status {
        let told = self.told.map_or_else(|| "ended".to_owned(), describe);
        if self.asked.is_some() {
            let limit = self.limit.as_secs();
            return Status {
                outcome: JobOutcome::Late,
                text: format!("not done within {limit} s ({told})"),
            };
        }
        let done = self.told.is_some_and(|status| status.exit_status() == Some(0));
        let outcome = if done { JobOutcome::Done } else { JobOutcome::Failed };
        Status { outcome, text: told }
    }
}
