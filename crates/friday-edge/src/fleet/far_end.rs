//! The far end before frames begin: from the login shell's talk to the program's first word.
//!
//! Everything happens on one connection: the shell finds the program, checks it and becomes it; or
//! says that it needs it, gets it, checks it and becomes it. Cancelled at any point, the process is
//! killed and the host has at most a file that nobody will run.

use std::process::Stdio;
use std::time::Duration;

use friday_wire::HostName;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout};

use super::command::{Conversation, HostCommand};
use super::failure::ConnectError;
use super::opening::Opening;
use super::pace::Pace;
use super::program::HostProgram;
use crate::last_lines::{LastLines, shown};
use crate::progress::{Progress, ProgressSender};

/// A shell profile may say so much before friday-host speaks.
const NOISE_LEN_MAX: u64 = 64 * 1024;

/// So much of a line that a profile printed is told.
const PRINTED_LEN_MAX: usize = 60;

/// Room for lines of ours after that much.
const MARK_LEN_MAX: u64 = 64 * 1024;

/// Lines of standard error that are kept.
const STDERR_LINES: usize = 20;

/// For each word of the far end: logging in, its shell's profile, checking the program, friday-host's
/// greeting. After the program was sent, what the line still holds of it has to arrive in this time, too.
const WORD_LIMIT: Duration = Duration::from_secs(90);

/// For each piece of the program to be taken: a line that carries less than that is no line.
const PIECE_LIMIT: Duration = Duration::from_secs(60);

/// Where pieces are not acknowledged they are of this many bytes, so that it can be seen how far it came.
const PIECE_LEN: usize = 16 * 1024;

/// For a process that has closed its output to end.
const END_GRACE: Duration = Duration::from_secs(2);

/// What the far end says before frames begin.
enum Mark {
    /// Frames begin.
    Preamble,
    /// The program is wanted.
    Need(Taking),
    /// A piece of it was taken.
    Got,
    /// It cannot be done.
    Fail(String),
}

/// How the far end takes the program.
#[derive(Clone, Copy)]
enum Taking {
    /// As it comes.
    Whole,
    /// In pieces, whose length is said before each; it says when it has one.
    Pieces,
}

/// Standard error, read all the time so that nobody blocks on it.
pub(super) struct Stderr {
    lines: std::sync::Arc<std::sync::Mutex<LastLines>>,
    reading: tokio::task::JoinHandle<()>,
}

impl Stderr {
    fn watch(mut stderr: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = std::sync::Arc::new(std::sync::Mutex::new(LastLines::new(STDERR_LINES)));
        let into = std::sync::Arc::clone(&lines);
        let reading = tokio::spawn(async move {
            let mut buffer = [0_u8; 4_096];
            while let Ok(got) = stderr.read(&mut buffer).await {
                if got == 0 {
                    break;
                }
                if let Ok(mut lines) = into.lock() {
                    lines.add(&buffer[..got]);
                }
            }
        });
        Self { lines, reading }
    }

    /// What was said, once its end came or a moment has passed.
    pub(super) async fn said(&mut self) -> String {
        let _ = timeout(END_GRACE, &mut self.reading).await;
        self.lines.lock().map(|lines| lines.to_one_line()).unwrap_or_default()
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// What is at the far end, and what it lacks.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// What is to run there.
    pub(super) program: &'a HostProgram,
    /// What it is to speak.
    pub(super) conversation: Conversation,
    /// Whom it is.
    pub(super) host: &'a HostName,
    /// What is known of the connection while it is being made.
    pub(super) known: &'a Opening,
    /// Who watches.
    pub(super) progress: &'a ProgressSender,
}

/// The process that leads there, and its pipes.
pub(super) struct FarEnd {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
    pub(super) stderr: Stderr,
    /// Bytes before frames so far.
    skipped: u64,
    /// The first line before frames that is not ours.
    pub(super) printed: Option<String>,
}

impl FarEnd {
    /// Starts the command that leads there.
    pub(super) fn start(command: &HostCommand) -> Result<Self, ConnectError> {
        let mut child = Command::new(command.program)
            .args(&command.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for friday, which ends its connections itself.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| ConnectError::NotStarted {
                why: format!("`{}`: {error}", command.program),
            })?;
        let taken = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = taken else {
            return Err(ConnectError::NotStarted { why: "it has no pipes".to_owned() });
        };
        Ok(Self {
            child,
            stdin,
            stdout: BufReader::with_capacity(64 * 1024, stdout),
            stderr: Stderr::watch(stderr),
            skipped: 0,
            printed: None,
        })
    }

    /// Until the program speaks.
    pub(super) async fn until_it_speaks(&mut self, wanted: Wanted<'_>) -> Result<(), ConnectError> {
        loop {
            match in_time(self.next_mark(wanted)).await? {
                Mark::Preamble => return Ok(()),
                Mark::Need(taking) => {
                    wanted.known.wanted().await;
                    match taking {
                        Taking::Whole => self.send_program(wanted).await?,
                        Taking::Pieces => self.send_pieces(wanted).await?,
                    }
                }
                Mark::Got => return Err(garbage(b"a piece that was not sent")),
                Mark::Fail(what) => return Err(self.failed(wanted.program, &what).await),
            }
        }
    }

    /// Skips to the next line of ours: what stands between a NUL and the end of its line.
    async fn next_mark(&mut self, wanted: Wanted<'_>) -> Result<Mark, ConnectError> {
        let speaks = wanted.conversation.preamble(wanted.program);
        let mut seen = Vec::new();
        loop {
            let from = seen.len();
            let most = (NOISE_LEN_MAX + MARK_LEN_MAX).saturating_sub(self.skipped);
            let got = (&mut self.stdout).take(most).read_until(b'\n', &mut seen).await;
            let line = &seen[from..];
            self.skipped += line.len() as u64;
            if !line.ends_with(b"\n") {
                let too_much = got.is_ok() && line.len() as u64 == most;
                return Err(if too_much { garbage(&seen) } else { self.ended(&seen).await });
            }
            let nul = line.iter().rposition(|byte| *byte == 0);
            if self.printed.is_none() {
                self.printed = printed(&line[..nul.unwrap_or(line.len())]);
            }
            let Some(nul) = nul else { continue };
            let text = String::from_utf8_lossy(&line[nul + 1..]);
            match text.trim_end() {
                text if text.strip_suffix("/1") == Some(speaks) => {
                    return Ok(Mark::Preamble);
                }
                "friday-need/1" => return Ok(Mark::Need(Taking::Whole)),
                "friday-need/2" => return Ok(Mark::Need(Taking::Pieces)),
                "friday-got/1" => return Ok(Mark::Got),
                text => {
                    if let Some(what) = text.strip_prefix("friday-fail/1 ") {
                        return Ok(Mark::Fail(shown(what)));
                    }
                }
            }
        }
    }

    /// Whether it arrived, the next mark tells: if it did not, the far end says why.
    async fn send_program(&mut self, wanted: Wanted<'_>) -> Result<(), ConnectError> {
        let program = wanted.program;
        let bytes = program.bytes().len() as u64;
        let host = wanted.host.clone();
        wanted.known.put_program(bytes);
        let mut sent = 0;
        for piece in program.bytes().chunks(PIECE_LEN) {
            let (host, bytes) = (host.clone(), bytes);
            wanted.progress.tell(Progress::PuttingHostProgram { host, sent, bytes });
            match timeout(PIECE_LIMIT, self.stdin.write_all(piece)).await {
                Ok(Ok(())) => {}
                // The far end says why.
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(ConnectError::ProgramLate { sent, bytes }),
            }
            sent += piece.len() as u64;
            wanted.known.sent(sent);
        }
        let _ = self.stdin.flush().await;
        Ok(())
    }

    /// As much at once as the line carries soon: more would only lie in buffers.
    async fn send_pieces(&mut self, wanted: Wanted<'_>) -> Result<(), ConnectError> {
        let program = wanted.program;
        let bytes = program.bytes().len() as u64;
        wanted.known.put_program(bytes);
        let mut pace = Pace::new(program.bytes().len());
        loop {
            let sent = pace.taken() as u64;
            let host = wanted.host.clone();
            wanted.progress.tell(Progress::PuttingHostProgram { host, sent, bytes });
            let late = |_| ConnectError::ProgramLate { sent, bytes };
            while let Some(piece) = pace.next(Instant::now()) {
                let head = format!("{}\n", piece.len());
                let whole = [head.as_bytes(), &program.bytes()[piece]].concat();
                // Where it cannot be written, the far end says why.
                let written = timeout(PIECE_LIMIT, self.stdin.write_all(&whole)).await;
                if written.map_err(late)?.is_err() {
                    return Ok(());
                }
            }
            if pace.is_over() {
                break;
            }
            match timeout(PIECE_LIMIT, self.next_mark(wanted)).await.map_err(late)?? {
                Mark::Got => pace.got(Instant::now()),
                Mark::Fail(what) => return Err(self.failed(program, &what).await),
                Mark::Preamble | Mark::Need(_) => return Err(garbage(b"a word out of turn")),
            }
            wanted.known.sent(pace.taken() as u64);
        }
        // No further piece.
        let _ = timeout(PIECE_LIMIT, self.stdin.write_all(b"0\n")).await;
        Ok(())
    }

    async fn failed(&mut self, program: &HostProgram, what: &str) -> ConnectError {
        let said = self.stderr.said().await;
        ConnectError::from_script(what, program.machine(), &said)
    }

    /// Why it ended: the exit status and what was said on the way.
    pub(super) async fn ended(&mut self, seen: &[u8]) -> ConnectError {
        let status = timeout(END_GRACE, self.child.wait()).await;
        let code = status.ok().and_then(Result::ok).and_then(|status| status.code());
        let said = self.stderr.said().await;
        match ConnectError::from_ssh(code, &said) {
            ConnectError::Ended { .. } if said.is_empty() && !seen.is_empty() => garbage(seen),
            error => error,
        }
    }
}

pub(super) async fn in_time<T>(
    word: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let late = ConnectError::TimedOut { doing: "starting friday-host there" };
    timeout(WORD_LIMIT, word).await.unwrap_or(Err(late))
}

/// A line that is worth telling: not an empty one.
fn printed(line: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(line).trim().chars().take(PRINTED_LEN_MAX).collect();
    (!text.is_empty()).then(|| shown(&text))
}

pub(super) fn garbage(seen: &[u8]) -> ConnectError {
    let text: String = String::from_utf8_lossy(seen).chars().take(120).collect();
    ConnectError::Garbage { got: shown(&text) }
}
