//! The driver's lock: of all friday processes at one journal, only the one that holds it runs effects.
//!
//! An operating system lock: it ends with the process, however that ends. Between machines nothing
//! here helps; there the fence does.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::identity;
use crate::last_lines::shown;
use crate::state_directory::StateDirectory;

/// The lock's file.
pub const DRIVER_LOCK_FILE: &str = "driver.lock";

/// Whoever only looks who drives holds the lock for an instant, which must not be taken for a driver.
const LOOKERS_GRACE: Duration = Duration::from_millis(200);

/// Held for as long as it lives.
#[derive(Debug)]
pub struct DriverLock {
    _file: File,
}

/// Why it is not ours.
#[derive(Debug, thiserror::Error)]
pub enum DriverLockError {
    /// Another process has it.
    #[error("another friday is driving here: {holder}")]
    Held {
        /// Person, machine and process, as the holder wrote them.
        holder: String,
    },
    /// The file.
    #[error("the driver's lock `{path}` could not be taken: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DriverLockError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Held { .. } => {
                "`friday status` shows what it does; `friday abort` and `friday rollback` ask it to go back"
            }
            Self::File { .. } => "the directory must be writable by whoever runs friday",
        }
    }
}

impl DriverLock {
    /// Takes it, within a fraction of a second or not at all.
    ///
    /// # Errors
    /// `Held`, or `File`.
    pub fn acquire(state: &StateDirectory) -> Result<Self, DriverLockError> {
        let path = state.path().join(DRIVER_LOCK_FILE);
        let broken = |source| DriverLockError::File { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(broken)?;
        let give_up = Instant::now() + LOOKERS_GRACE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    thread::sleep(LOOKERS_GRACE / 20);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(DriverLockError::Held { holder: read_holder(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(broken(source)),
            }
        }
        write_holder(&mut file).map_err(broken)?;
        Ok(Self { _file: file })
    }
}

/// Who drives here now, if somebody does.
pub fn driver_here(state: &StateDirectory) -> Option<String> {
    let mut file = File::open(state.path().join(DRIVER_LOCK_FILE)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => None,
        Err(_) => Some(read_holder(&mut file)),
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(
        file,
        "{} on {}, process {}",
        identity::person(),
        identity::machine(),
        std::process::id()
    )
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    // Who it is is told as well as it is known: the lock itself does not depend on it.
    let _ = file.take(1_024).read_to_string(&mut text);
    match text.trim() {
        "" => "it has not said who it is".to_owned(),
        holder => shown(holder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_driver_at_a_time_and_the_other_is_told_who() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDirectory::at(directory.path().join(".friday"));
        state.make().expect("made");
        assert_eq!(driver_here(&state), None);
        let held = DriverLock::acquire(&state).expect("free");
        let second = DriverLock::acquire(&state).expect_err("held");
        let process = format!("process {}", std::process::id());
        assert!(second.to_string().contains(&process), "{second}");
        assert!(driver_here(&state).expect("somebody").contains(&process));
        drop(held);
        assert_eq!(driver_here(&state), None);
        DriverLock::acquire(&state).expect("free again");
    }

    #[test]
    fn looking_who_drives_never_keeps_a_driver_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDirectory::at(directory.path().join(".friday"));
        state.make().expect("made");
        drop(DriverLock::acquire(&state).expect("free"));
        let looking = std::thread::spawn({
            let state = state.clone();
            move || (0..2_000).for_each(|_| drop(driver_here(&state)))
        });
        for _ in 0..20 {
            drop(DriverLock::acquire(&state).expect("free"));
        }
        looking.join().expect("looked");
    }
}
