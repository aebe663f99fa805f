//! What holds a start on trial to its trial: when the process that tries ends, however it does, the shim
//! ends what it runs and puts the trial's directory away.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid};
use serde::{Deserialize, Serialize};

use crate::place::{read_json, with_suffix};
use crate::process;
use crate::tree::remove_tree;

/// The output of one start on trial, in its own directory.
pub const OUTPUT: &str = "output.log";

/// What wins over the environment of a start on trial. It may name secrets, so it is a file of its own.
pub const INSTEAD: &str = "instead.json";

/// Between two looks whether the trial goes on.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Between two rounds of killing: whoever forks is met in the next one.
const KILL_EVERY: Duration = Duration::from_millis(20);

/// What a shim is told of a trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OnTrial {
    /// To be run instead of what the release runs.
    pub command: Option<String>,
}

/// The lock that is held for as long as a trial goes on. It lies beside the directory, so that it outlives it.
pub fn lock_of(dir: &Path) -> PathBuf {
    with_suffix(dir, ".lock")
}

/// Begins to hold this process to its trial. It is the subreaper of all that it runs.
///
/// # Errors
/// One sentence: the trial is over already, or there is no thread.
pub fn hold(dir: &Path) -> Result<(), String> {
    let lock = File::open(lock_of(dir)).map_err(|error| format!("the trial is over: {error}"))?;
    thread::Builder::new()
        .name("leash".to_owned())
        .spawn(move || {
            while matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
                thread::sleep(LOOK_EVERY);
            }
            // Ends with the process, which ends with its last descendant.
            loop {
                for process in process::descendants(getpid().as_raw_nonzero().get()) {
                    process::send(process.pid, Signal::KILL);
                }
                thread::sleep(KILL_EVERY);
            }
        })
        .map(drop)
        .map_err(|error| format!("no thread: {error}"))
}

/// Removes a trial's directory where nobody holds its lock any more.
pub fn put_away(dir: &Path) {
    let lock = lock_of(dir);
    let goes_on = File::open(&lock)
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
    // What stays, the next trial puts away.
    if !goes_on && remove_tree(dir).is_ok() {
        let _ = remove_tree(&lock);
    }
}

/// What wins over the environment of the start in `dir`.
///
/// # Errors
/// One sentence.
pub fn instead(dir: &Path) -> Result<BTreeMap<String, OsString>, String> {
    let instead: Option<BTreeMap<String, String>> =
        read_json(&dir.join(INSTEAD)).map_err(|error| error.to_string())?;
    let instead = instead.ok_or("what the trial says instead is not there")?;
    Ok(instead.into_iter().map(|(name, value)| (name, value.into())).collect())
}
