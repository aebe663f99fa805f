//! friday's rollback in mid-bake, over the connections that its push keeps open, beside as many commands
//! over open connections of ssh itself.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::floor;
use super::ground::{APP, Ground};
use super::options::Options;
use super::peer::{self, Row};
use super::table;
use crate::workspace;

/// No part of it takes so long.
const LIMIT: Duration = Duration::from_secs(120);

/// Measures it so many times.
///
/// # Errors
/// When friday fails, or a host is not as it should be.
pub fn run(ground: &Ground, options: &Options) -> Result<(), String> {
    let mut rows = Vec::new();
    for time in 1..=options.times {
        crate::print(&format!("{time} of {}\n", options.times));
        rows.extend(
            floor::once(ground, options)?.into_iter().filter(|row| row.task == "warm commands"),
        );
        rows.push(once(ground, options)?);
    }
    peer::record(options, &rows)?;
    crate::print(&table::of(&rows));
    Ok(())
}

fn once(ground: &Ground, options: &Options) -> Result<Row, String> {
    ground.wipe()?;
    let work = ground.bed.directory().join("work-warm");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir(&work).map_err(|error| error.to_string())?;
    // The first push must end; only the second one bakes for long.
    let done = friday(ground, &work, "push", "v1").status().map_err(|error| error.to_string())?;
    if !done.success() {
        return Err(format!("the first push ended with {done}"));
    }
    ground.verify("v1")?;
    let file = work.join("friday.toml");
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    fs::write(&file, text.replace("bake = \"0s\"", "bake = \"10m\""))
        .map_err(|error| error.to_string())?;
    let mut push =
        Running(friday(ground, &work, "push", "v2").spawn().map_err(|error| error.to_string())?);
    until(ground, "v2")?;
    // The last hosts are confirmed, and the bake begins.
    std::thread::sleep(Duration::from_secs(3));
    ground.forget_restarts()?;
    let begun = ground.groups.read(&ground.bed)?;
    let mut rollback = Running(
        friday(ground, &work, "rollback", "v1").spawn().map_err(|error| error.to_string())?,
    );
    until(ground, "v1")?;
    let stopped = Instant::now();
    let status = rollback.0.wait().map_err(|error| error.to_string())?;
    push.0.wait().map_err(|error| error.to_string())?;
    let cost = begun.until(&ground.groups.read(&ground.bed)?, stopped);
    crate::print(&format!("  all back after {:.3} s, by the hosts\n", cost.wall));
    if !status.success() {
        return Err(format!("the rollback ended with {status}"));
    }
    ground.verify("v1")?;
    Ok(Row::new("friday", "warm rollback", options, &cost))
}

fn friday(ground: &Ground, work: &Path, word: &str, version: &str) -> Command {
    let script = workspace::root().join("benches/peers/friday-tuned");
    let mut command = ground.tool(&script, work, work);
    command
        .arg(word)
        .env("SRC", ground.payload.join(version))
        .env("ID", version)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Until every host runs this version, and restarted it.
fn until(ground: &Ground, version: &str) -> Result<(), String> {
    let limit = Instant::now() + LIMIT;
    let wanted = format!("{version}\n");
    for host in ground.names() {
        let is = |file: &str, text: &str| {
            ground.bed.file(&host, &format!("{APP}/current/{file}")).as_deref()
                == Some(text.as_bytes())
        };
        while !(is("VERSION", &wanted) && is(".restarted", "ok\n")) {
            if Instant::now() > limit {
                return Err(format!("{host} does not run `{version}` after {} s", LIMIT.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
