//! What a call cost: processor time of the tool and of all hosts, apart, by control groups; bytes, by
//! the counters of the bed's bridge; and what else ran on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::real::bed::Bed;

/// Two control groups of the unified tree. Removed when dropped.
#[derive(Debug)]
pub struct Groups {
    hosts: PathBuf,
    tool: PathBuf,
    own: PathBuf,
}

/// A moment's counters.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    tool: Duration,
    hosts: Duration,
    machine: Duration,
    to_hosts: u64,
    from_hosts: u64,
}

/// What lies between two readings.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Seconds by the clock.
    pub wall: f64,
    /// Processor seconds of the tool with all that it started here.
    pub tool: f64,
    /// Of all hosts, their SSH servers included.
    pub hosts: f64,
    /// Of everything else on this machine.
    pub other: f64,
    /// Bytes to the hosts, and from them, with all headers.
    pub bytes: (u64, u64),
}

impl Groups {
    /// Makes them.
    ///
    /// # Errors
    /// Without a unified tree that may be written.
    pub fn make() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/mounts").map_err(|error| error.to_string())?;
        let root = mounts
            .lines()
            .find_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                (words.get(2) == Some(&"cgroup2")).then(|| PathBuf::from(words[1]))
            })
            .ok_or("this machine has no control groups of version 2: processor time cannot be told apart")?;
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let new = |what: &str| {
            let path = root.join(format!("friday-bench-{}-{what}", std::process::id()));
            fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok::<_, String>(path)
        };
        Ok(Self { hosts: new("hosts")?, tool: new("tool")?, own: root.join(own) })
    }

    /// Whatever is started by `begin` counts as the hosts'.
    ///
    /// # Errors
    /// When this process may not move.
    pub fn as_hosts<T>(&self, begin: impl FnOnce() -> T) -> Result<T, String> {
        move_to(&self.hosts)?;
        let begun = begin();
        move_to(&self.own)?;
        Ok(begun)
    }

    /// A command in the operator's network that counts as the tool.
    pub fn tool(&self, bed: &Bed, program: &Path) -> Command {
        let mut command = bed.command("/bin/sh");
        command.args(["-c", "echo $$ >\"$1/cgroup.procs\" && shift && exec \"$@\"", "sh"]);
        command.arg(&self.tool).arg(program);
        command
    }

    /// Reads all counters.
    ///
    /// # Errors
    /// When one is not there.
    pub fn read(&self, bed: &Bed) -> Result<Reading, String> {
        let (to_hosts, from_hosts) = wire(bed)?;
        Ok(Reading {
            at: Instant::now(),
            tool: usage(&self.tool)?,
            hosts: usage(&self.hosts)?,
            machine: machine()?,
            to_hosts,
            from_hosts,
        })
    }
}

impl Reading {
    /// From this one to a later one. The clock of the later one may have been stopped before.
    pub fn until(&self, later: &Self, stopped: Instant) -> Cost {
        let seconds = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64();
        let (tool, hosts) = (seconds(self.tool, later.tool), seconds(self.hosts, later.hosts));
        Cost {
            wall: stopped.saturating_duration_since(self.at).as_secs_f64(),
            tool,
            hosts,
            other: (seconds(self.machine, later.machine) - tool - hosts).max(0.0),
            bytes: (
                later.to_hosts.saturating_sub(self.to_hosts),
                later.from_hosts.saturating_sub(self.from_hosts),
            ),
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in [&self.hosts, &self.tool] {
            // A process that is just ending keeps it for a moment.
            for _ in 0..100 {
                if fs::remove_dir(group).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn move_to(group: &Path) -> Result<(), String> {
    let file = group.join("cgroup.procs");
    fs::write(&file, "0").map_err(|error| format!("{}: {error}", file.display()))
}

fn usage(group: &Path) -> Result<Duration, String> {
    let file = group.join("cpu.stat");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let used = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
    used.map(Duration::from_micros).ok_or_else(|| format!("{} counts nothing", file.display()))
}

/// Everything but idling and waiting, in hundredths of a second as the kernel counts it.
fn machine() -> Result<Duration, String> {
    let text = fs::read_to_string("/proc/stat").map_err(|error| error.to_string())?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|at| ticks.get(*at)).sum::<u64>();
    Ok(Duration::from_millis(busy * 10))
}

/// Bytes to and from the hosts: the cables' ends on the bridge.
fn wire(bed: &Bed) -> Result<(u64, u64), String> {
    let done = bed.run_inside("cat /proc/net/dev");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut sum = (0, 0);
    for line in text.lines() {
        let Some((name, counters)) = line.trim().split_once(':') else { continue };
        let is_cable = name.starts_with('c') && name.contains('-');
        let counters: Vec<u64> = counters.split_whitespace().flat_map(str::parse).collect();
        if let (true, Some(from), Some(to)) = (is_cable, counters.first(), counters.get(8)) {
            sum = (sum.0 + to, sum.1 + from);
        }
    }
    Ok(sum)
}
