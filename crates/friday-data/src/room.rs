//! Free room on a disk, asked before anything is written.

use std::io;
use std::path::Path;

use crate::failure::Failure;

/// Left free for everybody else: a database whose disk is full stops.
pub const RESERVE: u64 = 32 * 1024 * 1024;

/// Why there is no room.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// Too little.
    #[error("{need} are needed in `{place}`, and {free} are free", need = shown(*need), free = shown(*free))]
    Lacking {
        /// Where.
        place: String,
        /// So many bytes, with what is left free for others.
        need: u64,
        /// So many are there.
        free: u64,
    },
    /// It cannot be asked.
    #[error("the free room of `{0}` is not known")]
    Unknown(String, #[source] io::Error),
}

impl From<RoomError> for Failure {
    fn from(error: RoomError) -> Self {
        let help = match &error {
            RoomError::Lacking { .. } => Some(
                "make room there, keep fewer backups, or name another directory for the repository or the scratch"
                    .to_owned(),
            ),
            RoomError::Unknown(..) => None,
        };
        Self::of(&error, help)
    }
}

/// Bytes that this user may still write where `place` is.
///
/// # Errors
/// The system's.
pub fn free(place: &Path) -> Result<u64, RoomError> {
    let unknown =
        |error: rustix::io::Errno| RoomError::Unknown(place.display().to_string(), error.into());
    let found = rustix::fs::statvfs(place).map_err(unknown)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Refuses where less than `need` bytes and the [`RESERVE`] are free.
///
/// # Errors
/// See [`RoomError`].
pub fn ask(place: &Path, need: u64) -> Result<(), RoomError> {
    enough(place, need, free(place)?)
}

/// Refuses where two places cannot take what they need; they may be on one disk.
///
/// # Errors
/// See [`RoomError`].
pub fn ask_both(one: (&Path, u64), other: (&Path, u64)) -> Result<(), RoomError> {
    if disk(one.0)? == disk(other.0)? {
        return ask(one.0, one.1.saturating_add(other.1));
    }
    ask(one.0, one.1)?;
    ask(other.0, other.1)
}

fn disk(place: &Path) -> Result<u64, RoomError> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(place);
    found
        .map(|found| found.dev())
        .map_err(|error| RoomError::Unknown(place.display().to_string(), error))
}

fn enough(place: &Path, need: u64, free: u64) -> Result<(), RoomError> {
    let need = need.saturating_add(RESERVE);
    if free >= need {
        return Ok(());
    }
    Err(RoomError::Lacking { place: place.display().to_string(), need, free })
}

/// Bytes for people: `1.4 GB`.
pub fn shown(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_others_counts() {
        let place = Path::new("/repository");
        assert!(enough(place, 10, RESERVE + 10).is_ok());
        let error = enough(place, 1_000_000_000, RESERVE + 10).unwrap_err();
        assert_eq!(error.to_string(), "1.0 GB are needed in `/repository`, and 33.6 MB are free");
    }

    #[test]
    fn one_disk_must_take_both() {
        let here = std::env::temp_dir();
        let free = free(&here).unwrap();
        let half = free / 2 + free / 4;
        assert!(ask(&here, half.saturating_sub(RESERVE)).is_ok());
        assert!(matches!(ask_both((&here, half), (&here, half)), Err(RoomError::Lacking { .. })));
    }
}
