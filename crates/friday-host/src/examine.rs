//! What a host finds when it looks at itself, for `friday doctor`. Looks only, and judges nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use friday_wire::{Examination, FleetName, FoundDisk, FoundUnit, Supervisor};
use rustix::fs::StatVfsMountFlags;

use crate::machine;
use crate::place::Place;
use crate::tool::ask;

/// The longest unit file that is read: longer ones are nobody's of friday.
const UNIT_LEN_MAX: u64 = 64 * 1024;

/// Looks at everything.
pub fn examine(place: &Place, fleet: &FleetName) -> Examination {
    Examination {
        user: machine::user_name(),
        uid: rustix::process::geteuid().as_raw(),
        directory: place.dir().display().to_string(),
        home: machine::home(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        missing_calls: missing_calls(place.dir()),
        systemd: systemd(),
        lingers: crate::unit::lingers(),
        kills_user_processes: kills_user_processes(),
        boot_hook: crate::boot_hook::find(place.dir()),
        cron_runs: cron_runs(),
        in_unit: in_unit(fleet),
        units: units(fleet),
        unusable: unusable(fleet),
        journal: crate::journald::is_readable().err(),
        disk: disk(place.dir()),
        clock_ms: crate::note::wall_clock_ms(),
        files_max: rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
    }
}

/// Why supervisors cannot be used now.
pub fn unusable(fleet: &FleetName) -> BTreeMap<Supervisor, String> {
    [Supervisor::UserUnits, Supervisor::SystemUnits]
        .into_iter()
        .filter_map(|one| Some((one, crate::unit::usable(fleet, one).err()?)))
        .collect()
}

/// The disk of a directory.
pub fn disk(dir: &Path) -> FoundDisk {
    let Ok(disk) = rustix::fs::statvfs(dir) else { return FoundDisk::default() };
    FoundDisk {
        bytes_free: disk.f_bavail.saturating_mul(disk.f_frsize),
        bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        files_free: disk.f_favail,
        files: disk.f_files,
        read_only: disk.f_flag.contains(StatVfsMountFlags::RDONLY),
        noexec: disk.f_flag.contains(StatVfsMountFlags::NOEXEC),
    }
}

/// systemd's version, where it is the first process.
fn systemd() -> Option<String> {
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let said = ask(Command::new("systemctl").arg("--version"), Duration::from_secs(5)).ok()?;
    let text = String::from_utf8_lossy(&said.out).into_owned();
    // `systemd 252 (252.39-1~deb12u2)`
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// Whether logind kills what a login started once it ends.
fn kills_user_processes() -> bool {
    let places = ["/etc/systemd/logind.conf.d", "/usr/lib/systemd/logind.conf.d"];
    let dropped = places.iter().flat_map(|place| fs::read_dir(place).into_iter().flatten());
    let files = dropped.flatten().map(|entry| entry.path());
    let all = std::iter::once(PathBuf::from("/etc/systemd/logind.conf")).chain(files);
    all.filter_map(|path| fs::read_to_string(path).ok()).any(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| matches!(line, "KillUserProcesses=yes" | "KillUserProcesses=true"))
    })
}

/// Whether a process that looks after crontabs is there; hidden processes are not seen.
fn cron_runs() -> Option<bool> {
    // Where even the first process is hidden, nothing can be said of others.
    fs::read_to_string("/proc/1/comm").ok()?;
    let names = ["cron", "crond", "fcron", "cronie"];
    Some(crate::process::all().iter().any(|process| {
        fs::read_to_string(format!("/proc/{}/comm", process.pid))
            .is_ok_and(|name| names.contains(&name.trim()))
    }))
}

fn in_unit(fleet: &FleetName) -> bool {
    let unit = format!("/friday-host-{fleet}.service");
    fs::read_to_string("/proc/self/cgroup")
        .is_ok_and(|groups| groups.lines().any(|line| line.contains(&unit)))
}

/// This fleet's unit files, the system's and the login's.
fn units(fleet: &FleetName) -> BTreeMap<String, FoundUnit> {
    let system = Path::new("/etc/systemd/system");
    let user = Path::new(&machine::home()).join(".config/systemd/user");
    let host = format!("friday-host-{fleet}.service");
    [
        (system.join(&host), "multi-user.target.wants"),
        (system.join(format!("friday-{fleet}.socket")), "sockets.target.wants"),
        (system.join(format!("friday-{fleet}@.service")), ""),
        (user.join(&host), "default.target.wants"),
    ]
    .into_iter()
    .filter_map(|(path, wanted)| {
        let length = fs::metadata(&path).ok()?.len();
        let text = (length <= UNIT_LEN_MAX).then(|| fs::read_to_string(&path).ok()).flatten()?;
        let enabled = path.parent()?.join(wanted).join(path.file_name()?).exists();
        Some((
            path.display().to_string(),
            FoundUnit { text, enabled: enabled && !wanted.is_empty() },
        ))
    })
    .collect()
}

/// Calls that newer kernels have and friday-host uses. It does without them where it can; a kernel that
/// lacks one is old enough to be told.
fn missing_calls(dir: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    let unknown = |result: Result<(), rustix::io::Errno>| result == Err(rustix::io::Errno::NOSYS);
    let flags = rustix::fs::StatxFlags::BASIC_STATS;
    let stat = rustix::fs::statx(rustix::fs::CWD, dir, rustix::fs::AtFlags::empty(), flags);
    if unknown(stat.map(drop)) {
        missing.push("statx (Linux 4.11)".to_owned());
    }
    let own = rustix::process::pidfd_open(
        rustix::process::getpid(),
        rustix::process::PidfdFlags::empty(),
    );
    if unknown(own.map(drop)) {
        missing.push("pidfd_open (Linux 5.3)".to_owned());
    }
    missing
}
