//! A shell command with a deadline: migrations, rotation commands, probes.
//!
//! A migration may outlive the serving process: nobody learns how it ends then, but its deadline
//! still holds. So its process is written down, and the next serving process ends it in time.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use friday_wire::BootIdentity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::machine::{boot_clock_ms, boot_identity, random_text};
use crate::place::{read_json, write_json};

/// Lines of output told with a failure.
pub const LINES_TOLD: usize = 40;

/// Output kept in memory: the end of it.
const OUTPUT_KEPT: usize = 64 * 1024;

/// By this variable a command's processes are found again.
const MARK: &str = "FRIDAY_COMMAND";

/// The longest wait for the kernel's word that a command has ended.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often a command left behind is looked at.
const LEFT_LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

/// A command that did not end well.
#[derive(Debug)]
pub struct CommandFailure {
    /// One sentence.
    pub why: String,
    /// Its last lines.
    pub log: Vec<String>,
}

/// Runs `/bin/sh -c command` in a process group of its own. At the deadline the group is killed.
///
/// # Errors
/// When it could not be started, ended with anything but 0, or took too long.
pub fn run(
    command: &str,
    dir: &Path,
    env: Environment,
    timeout: Duration,
) -> Result<(), CommandFailure> {
    let failed = |error: io::Error| CommandFailure {
        why: format!("the command could not be started: {error}"),
        log: Vec::new(),
    };
    let (reader, writer) = io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir(dir)
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let deadline = Instant::now() + timeout;
    let (output, read) = collect(reader);
    let mut watch = EndWatch::of(&child);
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => watch.wait(deadline),
            Ok(None) => {
                crate::process::send_to_group(i32::try_from(child.id()).unwrap_or(0), Signal::KILL);
                let _ = child.wait();
                break None;
            }
            Err(error) => return Err(failed(error)),
        }
    };
    if ended.is_some_and(|status| status.success()) {
        return Ok(());
    }
    // Somebody it left behind may hold the pipe open; the last lines are not worth a long wait.
    let _ = read.recv_timeout(Duration::from_secs(1));
    let log = crate::output::last_lines_of(
        &output.lock().unwrap_or_else(PoisonError::into_inner),
        LINES_TOLD,
    );
    let why = ended.map_or_else(
        || format!("the command was killed after {} s", timeout.as_secs_f32()),
        |status| format!("the command ended with {status}"),
    );
    Err(CommandFailure { why, log })
}

/// Waits for the end of a child of this process: told by the kernel where it can, else by looking.
enum EndWatch {
    Told(OwnedFd),
    Looks { pause: Duration },
}

impl EndWatch {
    fn of(child: &Child) -> Self {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        match pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
            Some(told) => Self::Told(told),
            None => Self::Looks { pause: Duration::from_millis(2) },
        }
    }

    /// Until it may have ended, at most until then.
    fn wait(&mut self, deadline: Instant) {
        match self {
            Self::Told(told) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let limit = Timespec::try_from(left.min(WAIT_MAX)).ok();
                let mut ends = [PollFd::new(told, PollFlags::IN)];
                // A signal, or nothing in time: whoever waits looks again.
                if let Err(error) = poll(&mut ends, limit.as_ref())
                    && error != Errno::INTR
                {
                    *self = Self::Looks { pause: Duration::from_millis(2) };
                }
            }
            Self::Looks { pause } => {
                thread::sleep(*pause);
                *pause = (*pause * 2).min(Duration::from_millis(50));
            }
        }
    }
}

/// As [`run`], for a command that must end in time whatever becomes of this process. The record is
/// written first and names a mark in the command's environment: between a start and a note of its
/// process id this process could be killed.
///
/// # Errors
/// As [`run`], and when it cannot be recorded; then it was not started.
pub fn run_recorded(
    record: &Path,
    command: &str,
    dir: &Path,
    mut env: Environment,
    timeout: Duration,
) -> Result<(), CommandFailure> {
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let deadline_ms = boot_clock_ms().saturating_add(timeout_ms);
    let recorded = random_text().and_then(|mark| {
        write_json(record, &Left { boot: boot_identity(), mark: mark.clone(), deadline_ms })?;
        Ok(mark)
    });
    let mark = recorded.map_err(|error| CommandFailure {
        why: format!("the command could not be recorded: {error}"),
        log: Vec::new(),
    })?;
    env.insert(MARK.to_owned(), mark.into());
    let ended = run(command, dir, env, timeout);
    let _ = std::fs::remove_file(record);
    ended
}

/// A command that an earlier serving process began and may have left behind.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    boot: BootIdentity,
    mark: String,
    deadline_ms: u64,
}

/// Sees to it that a command left behind ends at its deadline.
pub fn end_left_behind(record: PathBuf) {
    let Some(left) = read_json::<Left>(&record).ok().flatten() else { return };
    let mark = format!("{MARK}={}", left.mark);
    let family = move || crate::process::marked(&mark);
    if left.boot != boot_identity() || family().is_empty() {
        let _ = std::fs::remove_file(record);
        return;
    }
    crate::note::note("a command of before still runs; it is ended at its deadline");
    thread::spawn(move || {
        loop {
            let family = family();
            if family.is_empty() {
                return;
            }
            if boot_clock_ms() >= left.deadline_ms {
                for process in family {
                    crate::process::send(process.pid, Signal::KILL);
                }
            }
            thread::sleep(LEFT_LOOKED_AT_EVERY);
        }
    });
}

fn collect(mut reader: io::PipeReader) -> (Arc<Mutex<Vec<u8>>>, mpsc::Receiver<()>) {
    let kept: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (done, read) = mpsc::channel();
    let writes = Arc::clone(&kept);
    thread::spawn(move || {
        let mut buffer = [0_u8; 8 * 1024];
        while let Ok(got @ 1..) = reader.read(&mut buffer) {
            let mut kept = writes.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&buffer[..got]);
            if kept.len() > 2 * OUTPUT_KEPT {
                let cut = kept.len() - OUTPUT_KEPT;
                kept.drain(..cut);
            }
        }
        let _ = done.send(());
    });
    (kept, read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_sh(command: &str, seconds: u64) -> Result<(), CommandFailure> {
        let env = Environment::from([("PATH".to_owned(), "/usr/bin:/bin".into())]);
        run(command, Path::new("/"), env, Duration::from_secs(seconds))
    }

    #[test]
    fn a_failure_tells_status_and_output() {
        run_sh("exit 0", 20).expect("ends well");
        let failure = run_sh("echo one; echo two >&2; exit 3", 20).expect_err("ends badly");
        assert!(failure.why.contains("exit status: 3"), "{}", failure.why);
        assert_eq!(failure.log, ["one", "two"]);
    }

    #[test]
    fn a_slow_one_is_killed_with_its_children() {
        let failure = run_sh("sleep 600 & echo $!; wait", 1).expect_err("is killed");
        assert!(failure.why.contains("killed"), "{}", failure.why);
        let child: i32 = failure.log[0].parse().expect("printed its id");
        let deadline = Instant::now() + Duration::from_secs(20);
        while crate::process::read(child).is_some_and(|process| !process.zombie) {
            assert!(Instant::now() < deadline, "the child still lives");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn without_the_kernels_word_the_end_is_seen_by_looking() {
        let mut child = Command::new("/bin/sh").args(["-c", "exit 0"]).spawn().expect("started");
        let mut watch = EndWatch::Looks { pause: Duration::from_millis(1) };
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().expect("asked").is_none() {
            assert!(Instant::now() < deadline, "it ended long ago");
            watch.wait(deadline);
        }
    }

    #[test]
    fn nothing_is_inherited() {
        run_sh("test -z \"$CARGO_MANIFEST_DIR$HOME\"", 20).expect("finds neither");
    }
}
