//! The machine: its boot clock, which boot it is, who the user is. Reads only.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

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
