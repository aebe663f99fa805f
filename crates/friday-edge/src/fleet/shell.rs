//! One script on one host, past friday-host: to look at what was there before friday came, and to take a copy
//! of it. As the login user, over the same ssh and with the same care as every connection.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use friday_core::config::settings::{Address, LoginSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use super::command::{BEGINS, shell_command};
use super::failure::ConnectError;
use crate::last_lines::LastLines;

/// Lines of what it complains of that are kept.
const LINES_KEPT: usize = 6;

/// Bytes read at once: an archive goes through here.
const CHUNK: usize = 64 * 1024;

/// What a shell profile may print before it is looked at in pieces.
const PROFILE_MAX: usize = 64 * 1024;

/// Where it runs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The host.
    pub address: &'a Address,
    /// What SSH hosts have in common.
    pub login: &'a LoginSettings,
    /// What relative paths of the settings are relative to.
    pub base: &'a Path,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status.
    pub status: i32,
    /// The last of what it said on standard error, in one line.
    pub said: String,
}

/// Runs a script for `/bin/sh` with these arguments; its output goes into `output`. Nothing of it stands in
/// the arguments of a process there.
///
/// # Errors
/// When the host cannot be reached, or it takes too long.
pub async fn run_script(
    place: Place<'_>,
    script: &str,
    arguments: &[String],
    output: File,
    limit: Duration,
) -> Result<Ran, ConnectError> {
    let (command, input) =
        shell_command(place.address, place.login, place.base, script, arguments)?;
    let mut child = Command::new(command.program)
        .args(&command.args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| ConnectError::NotStarted { why: error.to_string() })?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let stdout = child.stdout.take();
    let whole = async {
        if let Some(mut stdin) = stdin {
            // A shell that is not there reads nothing; why, it says on the other pipe.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let (kept, said) = tokio::join!(keep(stdout, output), last_lines(stderr));
        (child.wait().await, kept, said)
    };
    let (status, kept, said) = timeout(limit, whole)
        .await
        .map_err(|_| ConnectError::TimedOut { doing: "running a script there" })?;
    kept.map_err(|error| ConnectError::NotStarted { why: format!("what it said: {error}") })?;
    let code = status.ok().and_then(|status| status.code());
    let is_ssh = matches!(place.address, Address::Ssh { .. });
    match code {
        Some(255) | None if is_ssh => Err(ConnectError::from_ssh(code, &said)),
        code => Ok(Ran { status: code.unwrap_or(-1), said }),
    }
}

/// Keeps what the script itself says. What comes before is a shell profile's; of a host where no script began,
/// nothing is kept.
async fn keep(stdout: Option<ChildStdout>, output: File) -> io::Result<()> {
    let Some(mut stdout) = stdout else { return Ok(()) };
    let mut output = tokio::fs::File::from_std(output);
    let (mut buffer, mut before, mut began) = (vec![0_u8; CHUNK], Vec::new(), false);
    loop {
        let got = stdout.read(&mut buffer).await?;
        if got == 0 {
            return output.flush().await;
        }
        if began {
            output.write_all(&buffer[..got]).await?;
            continue;
        }
        before.extend_from_slice(&buffer[..got]);
        if let Some(at) = before.windows(BEGINS.len()).position(|part| part == BEGINS) {
            output.write_all(&before[at + BEGINS.len()..]).await?;
            began = true;
        } else if before.len() > PROFILE_MAX {
            before.drain(..before.len() - BEGINS.len());
        }
    }
}

async fn last_lines(stderr: Option<ChildStderr>) -> String {
    let mut lines = LastLines::new(LINES_KEPT);
    if let Some(mut stderr) = stderr {
        let mut buffer = [0_u8; 4_096];
        while let Ok(got) = stderr.read(&mut buffer).await {
            if got == 0 {
                break;
            }
            lines.add(&buffer[..got]);
        }
    }
    lines.to_one_line()
}
