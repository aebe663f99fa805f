//! One tool after the other: push to empty hosts, update, rollback; each checked on every host.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::account::Cost;
use super::ground::Ground;
use super::options::{Contact, Options};
use super::{payload, table};
use crate::workspace;

/// No call takes so long; one that does hangs.
const CALL_LIMIT: Duration = Duration::from_secs(300);

/// One call, as recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The script's name.
    pub tool: String,
    /// Servers.
    pub hosts: usize,
    /// Round trip, milliseconds.
    pub delay_ms: u32,
    /// `push`, `update`, `rollback`, or `contact`.
    pub task: String,
    /// Seconds by the clock.
    pub wall: f64,
    /// Processor seconds here.
    pub tool_cpu: f64,
    /// Processor seconds of all hosts.
    pub hosts_cpu: f64,
    /// Processor seconds of everything else on the machine.
    pub other_cpu: f64,
    /// Bytes to the hosts.
    pub to: u64,
    /// Bytes from them.
    pub from: u64,
}

impl Row {
    /// From what a call cost.
    pub fn new(tool: &str, task: &str, options: &Options, cost: &Cost) -> Self {
        Self {
            tool: tool.to_owned(),
            hosts: options.hosts,
            delay_ms: options.delay_ms,
            task: task.to_owned(),
            wall: cost.wall,
            tool_cpu: cost.tool,
            hosts_cpu: cost.hosts,
            other_cpu: cost.other,
            to: cost.bytes.0,
            from: cost.bytes.1,
        }
    }
}

/// Runs every tool so many times, one after the other, so that a slow hour meets all of them.
///
/// # Errors
/// When a call fails, or a host is not as it should be.
pub fn run(ground: &Ground, options: &Options) -> Result<(), String> {
    let mut rows = Vec::new();
    for time in 1..=options.times {
        for tool in &options.tools {
            crate::print(&format!("{time} of {}: {tool}\n", options.times));
            match once(ground, options, tool) {
                Ok(measured) => rows.extend(measured),
                Err(why) => crate::print(&format!("  {tool} is left out: {why}\n")),
            }
        }
    }
    record(options, &rows)?;
    crate::print(&table::of(&rows));
    let changed = payload::CHANGED * options.hosts;
    crate::print(&format!("\nAn update changes {:.2} MB in all.\n", mega(changed as u64)));
    Ok(())
}

/// Appends rows to the file that was named.
///
/// # Errors
/// When it cannot be written.
pub fn record(options: &Options, rows: &[Row]) -> Result<(), String> {
    let Some(path) = &options.out else { return Ok(()) };
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = fs::File::options().create(true).append(true).open(path).map_err(failed)?;
    for row in rows {
        let line = serde_json::to_string(row).map_err(|error| error.to_string())?;
        writeln!(file, "{line}").map_err(failed)?;
    }
    Ok(())
}

fn once(ground: &Ground, options: &Options, tool: &str) -> Result<Vec<Row>, String> {
    ground.wipe()?;
    let work = ground.bed.directory().join(format!("work-{tool}"));
    let _ = fs::remove_dir_all(&work);
    fs::create_dir(&work).map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    if tool.starts_with("friday") && options.contact == Contact::Before {
        let cost = call(ground, tool, &work, "contact", ["v1", ""])?;
        rows.push(Row::new(tool, "contact", options, &cost));
    }
    for (task, word, [version, before]) in [
        ("push", "push", ["v1", ""]),
        ("update", "push", ["v2", "v1"]),
        ("rollback", "rollback", ["v1", "v2"]),
    ] {
        let cost = call(ground, tool, &work, word, [version, before])?;
        ground.verify(version)?;
        ground.forget_restarts()?;
        crate::print(&format!(
            "  {task:8} {:6.2} s   processor: tool {:5.2}, hosts {:5.2}, other {:5.2}   {:7.2} MB to, {:5.2} from\n",
            cost.wall,
            cost.tool,
            cost.hosts,
            cost.other,
            mega(cost.bytes.0),
            mega(cost.bytes.1)
        ));
        rows.push(Row::new(tool, task, options, &cost));
    }
    Ok(rows)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// One call of a script. What it says is kept beside, and shown if it fails.
fn call(
    ground: &Ground,
    tool: &str,
    work: &Path,
    word: &str,
    [version, before]: [&str; 2],
) -> Result<Cost, String> {
    let state = ground.bed.directory().join("state");
    let _ = fs::remove_dir_all(&state);
    fs::create_dir(&state).map_err(|error| error.to_string())?;
    let log = ground.bed.directory().join("said");
    let said = fs::File::create(&log).map_err(|error| error.to_string())?;
    let also = said.try_clone().map_err(|error| error.to_string())?;
    let mut command = ground.tool(&script(tool), &state, work);
    command
        .arg(word)
        .env("SRC", ground.payload.join(version))
        .env("ID", version)
        .env("PREV", before)
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(also);
    let begun = ground.groups.read(&ground.bed)?;
    let mut child = command.spawn().map_err(|error| format!("{tool}: {error}"))?;
    let limit = Instant::now() + CALL_LIMIT;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{word}` took longer than {} s", CALL_LIMIT.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let stopped = Instant::now();
    let cost = begun.until(&ground.groups.read(&ground.bed)?, stopped);
    if !status.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(8).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        return Err(format!("`{word}` ended with {status}: {}", last.join("\n    ")));
    }
    Ok(cost)
}

fn script(tool: &str) -> PathBuf {
    let path = workspace::root().join("benches/peers").join(tool);
    if path.is_dir() { path.join("run") } else { path }
}
