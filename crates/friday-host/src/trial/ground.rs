//! The directory of one trial, in the host's own: a place like the host's, of which nothing is the host's.
//!
//! It lasts as long as its lock is held. Where its process was killed, a process that waits for nothing else puts
//! it away, a shim of it does, or the next trial.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use friday_wire::FleetName;
use rustix::process::Signal;

use crate::app::{self, Apps};
use crate::machine::random_text;
use crate::place::{Place, private_directory};
use crate::process;
use crate::tree::remove_tree;
use crate::trial::leash::lock_of;

/// A new directory may be taken for one that was left, for a moment, and be put away. Then another is made.
const TRIES: u32 = 8;

/// By this variable the processes of a trial are found again: the name of its directory.
pub const MARK: &str = "FRIDAY_TRIAL";

/// Between two looks whether a trial goes on.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often strays are looked for: who forks is met in the next round.
const STRAY_ROUNDS: u32 = 100;

/// Between two rounds.
const STRAY_EVERY: Duration = Duration::from_millis(20);

/// The directory of one trial.
#[derive(Debug)]
pub struct Ground {
    /// What lies in it.
    pub place: Place,
    /// Held for as long as the trial goes on.
    _lock: File,
}

impl Ground {
    /// Makes one.
    ///
    /// # Errors
    /// The system's.
    pub fn make(host: &Place, fleet: &FleetName) -> io::Result<Self> {
        let trials = host.join("trials");
        private_directory(&trials)?;
        for _ in 0..TRIES {
            let dir = trials.join(random_text()?);
            let lock =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(lock_of(&dir))?;
            let ours = lock.try_lock().is_ok() && lock_of(&dir).exists();
            if ours {
                let place = Place::open(&dir).map_err(io::Error::other)?;
                begin_to_await_end(&place, fleet)?;
                return Ok(Self { place, _lock: lock });
            }
        }
        Err(io::Error::other("another trial puts every new directory away"))
    }

    /// What its processes are told, so that they are found again.
    pub fn mark(&self) -> (String, String) {
        let name = self.place.dir().file_name().unwrap_or_default();
        (MARK.to_owned(), name.to_string_lossy().into_owned())
    }

    /// Removes it. What still runs there must have been ended before.
    ///
    /// # Errors
    /// The system's; then the next trial removes it.
    pub fn put_away(self) -> io::Result<()> {
        remove_tree(self.place.dir())?;
        remove_tree(&lock_of(self.place.dir()))
    }
}

/// Starts the process that puts the directory away where this one is killed.
fn begin_to_await_end(place: &Place, fleet: &FleetName) -> io::Result<()> {
    // Nobody waits for it: whatever is left of it when this process ends is the system's.
    Command::new("/proc/self/exe")
        .arg0("friday-host")
        .args(["trial-end", "--dir"])
        .arg(place.dir())
        .args(["--fleet", fleet.as_str()])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map(drop)
}

/// Waits until nobody holds a trial's lock, and puts away what was left then.
pub fn await_end(dir: &Path, fleet: &FleetName) {
    // Fails only for one that leads a session already.
    let _ = rustix::process::setsid();
    if let Ok(lock) = File::open(lock_of(dir)) {
        while matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            thread::sleep(LOOK_EVERY);
        }
    }
    end(dir, fleet);
}

/// Ends and puts away what trials left that were killed.
pub fn sweep(host: &Place, fleet: &FleetName) {
    let Ok(entries) = fs::read_dir(host.join("trials")) else { return };
    for dir in entries.flatten().map(|entry| trial_of(&entry.path())) {
        match File::open(lock_of(&dir)).map(|lock| (lock.try_lock(), lock)) {
            Ok((Err(TryLockError::WouldBlock), _)) => {}
            // Nobody's; its shims see that too, and may be at work on it.
            Ok((Ok(()) | Err(TryLockError::Error(_)), _lock)) => end(&dir, fleet),
            Err(_) => end(&dir, fleet),
        }
    }
}

/// A directory and its lock lie side by side.
fn trial_of(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|found| found == "lock") {
        path.with_extension("")
    } else {
        path.to_owned()
    }
}

/// Kills what lost its shim, and is known by where it works or by what it was told.
fn end_strays(dir: &Path) {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mark = format!("{MARK}={name}");
    for _ in 0..STRAY_ROUNDS {
        let strays = [process::working_in(dir), process::marked(&mark)].concat();
        if strays.is_empty() {
            return;
        }
        strays.iter().for_each(|stray| process::send(stray.pid, Signal::KILL));
        thread::sleep(STRAY_EVERY);
    }
}

fn end(dir: &Path, fleet: &FleetName) {
    if dir.is_dir() {
        let Ok(place) = Place::open(dir) else { return };
        let apps = Apps::new(place, fleet.clone(), Box::new(|_, _, _| {}));
        // Few, and only where a trial was killed.
        if app::end_all(Box::leak(Box::new(apps))).is_err() {
            return;
        }
        end_strays(dir);
    }
    if remove_tree(dir).is_ok() {
        let _ = remove_tree(&lock_of(dir));
    }
}
