//! One script on one host, past friday-host: to look at what was there before friday came, and to take a copy
//! of it. As the login user, over the same ssh and with the same care as every connection.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use friday_core::config::settings::{Address, LoginSettings};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::command::shell_command;
use super::failure::ConnectError;
use crate::last_lines::LastLines;

/// Lines of what it complains of that are kept.
const LINES_KEPT: usize = 6;

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

/// Runs a script for `/bin/sh -c` with these arguments; its output goes into `output`.
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
    let command = shell_command(place.address, place.login, place.base, script, arguments)?;
    let mut child = Command::new(command.program)
        .args(&command.args)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| ConnectError::NotStarted { why: error.to_string() })?;
    let stderr = child.stderr.take();
    let whole = async {
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
        (child.wait().await, lines.to_one_line())
    };
    let (status, said) = timeout(limit, whole)
        .await
        .map_err(|_| ConnectError::TimedOut { doing: "running a script there" })?;
    let code = status.ok().and_then(|status| status.code());
    let is_ssh = matches!(place.address, Address::Ssh { .. });
    match code {
        Some(255) | None if is_ssh => Err(ConnectError::from_ssh(code, &said)),
        code => Ok(Ran { status: code.unwrap_or(-1), said }),
    }
}
