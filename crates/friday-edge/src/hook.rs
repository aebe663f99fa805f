//! Commands where friday runs: hooks, commands that print a secret, programs that are given a message.
//!
//! Each runs in a process group of its own, which is killed when its time is over or its effect is
//! no longer owed, so that nothing goes on behind friday's back.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::last_lines::LastLines;

/// Lines of output that a failure carries.
const LAST_LINES: usize = 20;

/// After a command ended, how long its output may be kept open by what it left running.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// A command for `/bin/sh -c`.
#[derive(Debug, Clone, Copy)]
pub struct ShellCommand<'a> {
    /// The line.
    pub command: &'a str,
    /// Variables beside friday's own environment.
    pub env: &'a [(String, String)],
    /// Where it runs.
    pub directory: &'a Path,
}

/// After it was asked to stop, how long a command may take to put its things in order.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandEnd {
    /// With exit status 0.
    Done,
    /// Otherwise: not started, another status, a signal, its time over.
    Failed {
        /// With the last lines of its output.
        why: String,
    },
    /// Nobody saw how.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Runs a command to its end or its limit; hands each line of output to `line`.
pub async fn run(
    command: &ShellCommand<'_>,
    limit: Duration,
    mut line: impl FnMut(String),
) -> CommandEnd {
    let mut running = match Running::start(command) {
        Ok(running) => running,
        Err(end) => return end,
    };
    let mut last = LastLines::new(LAST_LINES);
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let ended = timeout(limit, async {
        let read = read_both(stdout, stderr, |_, bytes| {
            last.add(bytes).into_iter().for_each(&mut line);
        });
        running.wait_while(read).await
    })
    .await;
    running.end(ended.ok(), limit, &last)
}

/// As [`run`], until somebody wants it stopped: then all of it is asked to end, and killed where it does not.
/// `None`: it was stopped.
pub async fn run_unless(
    command: &ShellCommand<'_>,
    limit: Duration,
    stopped: impl Future<Output = ()>,
    mut line: impl FnMut(String),
) -> Option<CommandEnd> {
    let mut running = match Running::start(command) {
        Ok(running) => running,
        Err(end) => return Some(end),
    };
    let mut last = LastLines::new(LAST_LINES);
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let ended = {
        let read = read_both(stdout, stderr, |_, bytes| {
            last.add(bytes).into_iter().for_each(&mut line);
        });
        tokio::pin!(read);
        tokio::select! {
            ended = timeout(limit, running.wait_while(&mut read)) => Some(ended.ok()),
            () = stopped => None,
        }
    };
    match ended {
        Some(ended) => Some(running.end(ended, limit, &last)),
        None => {
            running.ask_to_end().await;
            None
        }
    }
}

/// Runs a command whose standard output is the result: at most `most` bytes of it.
pub async fn capture(
    command: &ShellCommand<'_>,
    limit: Duration,
    most: usize,
) -> (CommandEnd, Vec<u8>) {
    let mut running = match Running::start(command) {
        Ok(running) => running,
        Err(end) => return (end, Vec::new()),
    };
    let mut last = LastLines::new(LAST_LINES);
    let mut output = Vec::new();
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let ended = timeout(limit, async {
        let read = read_both(stdout, stderr, |from, bytes| match from {
            From::Stdout => {
                let room = most.saturating_sub(output.len()).min(bytes.len());
                output.extend_from_slice(&bytes[..room]);
            }
            From::Stderr => {
                last.add(bytes);
            }
        });
        running.wait_while(read).await
    })
    .await;
    (running.end(ended.ok(), limit, &last), output)
}

/// How a program ended that was given something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramEnd {
    /// By itself, or by somebody's signal (no status).
    Exited {
        /// Its exit status.
        status: Option<i32>,
        /// The last lines of its output, in one.
        said: String,
    },
    /// Its time was over, and it was killed.
    Late,
    /// It does not run at all.
    NotStarted {
        /// Why.
        why: String,
    },
    /// Nobody saw how.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Runs a program, without a shell, that reads `input` from its standard input, to its end or its limit. The command
/// must have a pipe there.
pub async fn program(mut command: Command, input: Vec<u8>, limit: Duration) -> ProgramEnd {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut running = match Running::of(&mut command) {
        Ok(running) => running,
        Err(error) => return ProgramEnd::NotStarted { why: error.to_string() },
    };
    let mut last = LastLines::new(LAST_LINES);
    let stdin = running.child.stdin.take();
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let ended = timeout(limit, async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that does not read may still know what to do.
                let _ = stdin.write_all(&input).await;
            }
        };
        let read = read_both(stdout, stderr, |_, bytes| {
            last.add(bytes);
        });
        let both = async {
            tokio::join!(write, read);
        };
        running.wait_while(both).await
    })
    .await;
    match ended {
        Ok(Ok(status)) => {
            running.group = None;
            ProgramEnd::Exited { status: status.code(), said: last.to_one_line() }
        }
        Ok(Err(error)) => ProgramEnd::Unknown { why: error.to_string() },
        // It is killed with this value.
        Err(_) => ProgramEnd::Late,
    }
}

#[derive(Clone, Copy)]
enum From {
    Stdout,
    Stderr,
}

async fn read_both(
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    mut take: impl FnMut(From, &[u8]),
) {
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else { return };
    let (mut out, mut err) = ([0_u8; 8_192], [0_u8; 8_192]);
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        tokio::select! {
            got = stdout.read(&mut out), if out_open => match got {
                Ok(got) if got > 0 => take(From::Stdout, &out[..got]),
                _ => out_open = false,
            },
            got = stderr.read(&mut err), if err_open => match got {
                Ok(got) if got > 0 => take(From::Stderr, &err[..got]),
                _ => err_open = false,
            },
        }
    }
}

/// A started command; its group dies with it.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn start(command: &ShellCommand<'_>) -> Result<Self, CommandEnd> {
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(command.command)
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .current_dir(command.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Self::of(&mut shell)
            .map_err(|error| CommandEnd::Failed { why: format!("it did not start: {error}") })
    }

    /// Of a command that leads a process group of its own.
    fn of(command: &mut Command) -> std::io::Result<Self> {
        let child = command.spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, group })
    }

    /// Waits for the command's end while its output is read, and a little longer for the output:
    /// what it left running in the background may hold that open for ever.
    async fn wait_while(&mut self, read: impl Future<Output = ()>) -> std::io::Result<ExitStatus> {
        tokio::pin!(read);
        let mut read_all = false;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                () = &mut read, if !read_all => read_all = true,
            }
        };
        if !read_all {
            let _ = timeout(OUTPUT_GRACE, read).await;
        }
        status
    }

    /// Asks the whole group to end, and gives it a moment; what is left is killed with this value.
    async fn ask_to_end(&mut self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::TERM);
            let _ = timeout(STOP_GRACE, self.child.wait()).await;
        }
    }

    fn end(
        mut self,
        ended: Option<std::io::Result<ExitStatus>>,
        limit: Duration,
        last: &LastLines,
    ) -> CommandEnd {
        let why = match ended {
            Some(Ok(status)) => {
                // It ended by itself: what it left in the background is its own affair.
                self.group = None;
                if status.success() {
                    return CommandEnd::Done;
                }
                status.to_string()
            }
            Some(Err(error)) => return CommandEnd::Unknown { why: error.to_string() },
            None => format!("it was not done after {} s and was killed", limit.as_secs()),
        };
        match last.to_one_line() {
            said if said.is_empty() => CommandEnd::Failed { why },
            said => CommandEnd::Failed { why: format!("{why}: {said}") },
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Nobody left to kill is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests;
