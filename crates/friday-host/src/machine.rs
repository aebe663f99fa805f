//! The machine: its boot clock, which boot it is, who the user is, what starts friday-host after a
//! boot. Reads only.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use friday_wire::{BootIdentity, Digest};
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the machine booted, sleep included. Never goes back.
pub fn boot_clock_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Which boot this is. In a container the boot id is the outer machine's, so PID 1's start counts too.
pub fn boot_identity() -> BootIdentity {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let init_start = crate::process::start_time(1).unwrap_or(0);
    BootIdentity { boot_id: boot_id.trim().to_owned(), init_start }
}

/// 128 random bits, hexadecimal.
///
/// # Errors
/// Without `/dev/urandom`.
pub fn random_text() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The name of the user that this process runs as; `uid 1000` where the system knows no name.
pub fn user_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    passwd_field(uid, 0)
        .or_else(|| std::env::var("LOGNAME").ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| format!("uid {uid}"))
}

/// The user's home directory.
pub fn home() -> String {
    let uid = rustix::process::geteuid().as_raw();
    passwd_field(uid, 5).or_else(|| std::env::var("HOME").ok()).unwrap_or_else(|| "/".to_owned())
}

fn passwd_field(uid: u32, field: usize) -> Option<String> {
    let table = fs::read_to_string("/etc/passwd").ok()?;
    let uid = uid.to_string();
    table
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid))
        .and_then(|line| line.split(':').nth(field))
        .map(str::to_owned)
}

/// BLAKE3 of the program that runs, also when its file was replaced or removed since.
///
/// # Errors
/// The system's.
pub fn own_digest() -> io::Result<Digest> {
    digest_of(Path::new("/proc/self/exe"))
}

/// BLAKE3 of a file.
///
/// # Errors
/// The system's.
pub fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// Whether something starts friday-host for this directory after a boot: the user's crontab, a user
/// unit with lingering, or a unit of the system that names the directory.
pub fn has_boot_hook(dir: &Path) -> bool {
    let dir = dir.display().to_string();
    let names_us = |text: &str| {
        text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(&dir))
    };
    let crontab = read_crontab().is_some_and(|text| {
        text.lines().any(|line| line.trim_start().starts_with("@reboot") && names_us(line))
    });
    let lingers = Path::new("/var/lib/systemd/linger").join(user_name()).exists();
    let user_units = Path::new(&home()).join(".config/systemd/user");
    crontab
        || lingers && any_file_in(&user_units, &names_us)
        || any_file_in(Path::new("/etc/systemd/system"), &names_us)
}

fn any_file_in(dir: &Path, matches: &impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    // A directory of units is small; the limit keeps a strange one from costing time.
    entries.flatten().take(1_000).any(|entry| {
        entry.path().extension().is_some_and(|ext| ext == "service")
            && fs::read_to_string(entry.path()).is_ok_and(|text| matches(&text))
    })
}

/// What `crontab -l` says within two seconds.
fn read_crontab() -> Option<String> {
    let mut child = Command::new("crontab")
        .arg("-l")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut output = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = output.by_ref().take(1 << 20).read_to_string(&mut text);
        text
    });
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        if child.try_wait().ok()?.is_some() {
            return reader.join().ok();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
