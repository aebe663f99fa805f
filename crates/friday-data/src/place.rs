//! What lies where on the database's host. All of it belongs to the login user alone (0700).
//!
//! ```text
//! BASE/FLEET/DATABASE/
//!     backup.lock  point.lock  drill.lock  restore.lock  rehearsal.lock     one at a time of each; who holds it
//!     repository/         backups, unless a directory is configured
//!     scratch/            the copy of a drill, unless a directory is configured
//!     rehearsal/          the copy that a release may write to, while one is open; beside the scratch
//!     work/KIND/          what a request needs while it runs; emptied by the next of its kind
//!     broken/             keys of rows that broke an invariant
//!     in-use/             who uses which backup of a bucket
//! DIRECTORY/FLEET/DATABASE/   the same for a configured repository or scratch
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use friday_wire::FleetName;
use friday_wire::data::{Guarded, RepositoryPlace};

use crate::failure::Failure;
use crate::lock::LockKind;

/// What lies beside one database.
#[derive(Debug, Clone)]
pub struct Place {
    dir: PathBuf,
    repository: PathBuf,
    scratch: PathBuf,
}

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It cannot be made, or not be used.
    #[error("the directory `{0}` cannot be used")]
    Make(String, #[source] io::Error),
    /// Another user owns it.
    #[error("the directory `{dir}` belongs to user id {owner}, not to {user}")]
    Foreign {
        /// Which.
        dir: String,
        /// Its owner.
        owner: u32,
        /// Who asks.
        user: u32,
    },
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        let help = match &error {
            PlaceError::Make(dir, cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!(
                    "let the login user write there, for instance: mkdir -p {dir} && chown USER {dir}"
                ))
            }
            PlaceError::Make(..) => None,
            PlaceError::Foreign { .. } => {
                Some("log in as its owner, or name another directory".to_owned())
            }
        };
        Self::of(&error, help)
    }
}

impl Place {
    /// Finds what lies beside a database, and makes the directory of its own.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn open(base: &Path, fleet: &FleetName, database: &Guarded) -> Result<Self, PlaceError> {
        let below = Path::new(&plain(fleet.as_str())).join(plain(database.name.as_str()));
        let dir = base.join(&below);
        private(&dir)?;
        let dir = dir.canonicalize().map_err(made(&dir))?;
        let elsewhere = |path: &str| from_home(path).join(&below);
        let repository = match &database.repository.place {
            RepositoryPlace::Directory { path: Some(path) } => elsewhere(path),
            // Nothing lies there when it is a bucket.
            RepositoryPlace::Directory { path: None } | RepositoryPlace::S3 { .. } => {
                dir.join("repository")
            }
        };
        let scratch = match &database.scratch {
            None => dir.join("scratch"),
            Some(path) => elsewhere(path).join("scratch"),
        };
        Ok(Self { dir, repository, scratch })
    }

    /// The directory of its own.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where backups lie; made where it is not there.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn repository(&self) -> Result<&Path, PlaceError> {
        private(&self.repository)?;
        Ok(&self.repository)
    }

    /// Where backups lie, if they do.
    pub fn repository_path(&self) -> &Path {
        &self.repository
    }

    /// Where the drill's copy lies; made where it is not there. Whoever asks holds [`LockKind::Drill`].
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn scratch(&self) -> Result<&Path, PlaceError> {
        private(&self.scratch)?;
        Ok(&self.scratch)
    }

    /// Where the drill's copy lies, if it does.
    pub fn scratch_path(&self) -> &Path {
        &self.scratch
    }

    /// Where a rehearsal's copy lies, if it does: beside the drill's, and never the same. Whoever makes or removes it
    /// holds [`LockKind::Rehearsal`].
    pub fn rehearsal_path(&self) -> PathBuf {
        self.scratch.with_file_name("rehearsal")
    }

    /// An empty directory for what a request needs while it runs. Whoever asks holds that lock, so what is
    /// there was left by somebody who was killed.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn work(&self, kind: LockKind) -> Result<Work, PlaceError> {
        let dir = self.dir.join("work").join(kind.name());
        remove(&dir).map_err(made(&dir))?;
        private(&dir)?;
        Ok(Work { dir })
    }

    /// Where keys of rows that broke an invariant are listed; made where it is not there.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn broken(&self) -> Result<PathBuf, PlaceError> {
        let dir = self.dir.join("broken");
        private(&dir)?;
        Ok(dir)
    }
}

/// A directory that goes with its request.
#[derive(Debug)]
pub struct Work {
    dir: PathBuf,
}

impl Work {
    /// Where.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What stays is put away by the next of its kind.
        let _ = remove(&self.dir);
    }
}

/// Removes a tree; one that is not there is well removed.
///
/// # Errors
/// The system's.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a directory 0700 with all above it, and looks that it is ours.
///
/// # Errors
/// See [`PlaceError`].
pub fn private(dir: &Path) -> Result<(), PlaceError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(made(dir))?;
    let found = fs::metadata(dir).map_err(made(dir))?;
    let user = rustix::process::geteuid().as_raw();
    if found.uid() != user {
        let dir = dir.display().to_string();
        return Err(PlaceError::Foreign { dir, owner: found.uid(), user });
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(made(dir))?;
    }
    Ok(())
}

fn made(dir: &Path) -> impl Fn(io::Error) -> PlaceError + use<> {
    let dir = dir.display().to_string();
    move |error| PlaceError::Make(dir.clone(), error)
}

/// A path as the configuration has it: absolute, or from the login's home.
pub fn from_home(path: &str) -> PathBuf {
    let path = path.strip_prefix("~/").unwrap_or(path);
    home().join(path)
}

fn home() -> PathBuf {
    let named = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    named.or_else(home_of_user).unwrap_or_else(|| PathBuf::from("/"))
}

/// Read by ourselves: a static program has no other way.
fn home_of_user() -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let table = fs::read_to_string("/etc/passwd").ok()?;
    let line = table.lines().find(|line| line.split(':').nth(2) == Some(&user))?;
    line.split(':').nth(5).map(PathBuf::from)
}

/// A name from outside as one part of a path: whatever is not harmless there is written as `%XX`.
pub fn plain(name: &str) -> String {
    let mut text = String::new();
    for (index, byte) in name.bytes().enumerate() {
        let harmless = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && index > 0);
        if harmless {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    if text.is_empty() { "%".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_directory() {
        assert_eq!(plain("shop-1_a.b"), "shop-1_a.b");
        assert_eq!(plain(".."), "%2E.");
        assert_eq!(plain("a/b"), "a%2Fb");
        assert_eq!(plain(""), "%");
        assert_eq!(plain("ä%"), "%C3%A4%25");
    }

    #[test]
    fn paths_begin_at_home_unless_they_are_absolute() {
        assert_eq!(from_home("/srv/x"), Path::new("/srv/x"));
        assert!(from_home("x").is_absolute() && from_home("x").ends_with("x"));
        assert_eq!(from_home("~/x"), from_home("x"));
    }

    #[test]
    fn what_is_made_is_private_and_work_goes_with_its_request() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("a/b");
        private(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        let place = Place { dir: dir.clone(), repository: dir.join("r"), scratch: dir.join("s") };
        fs::create_dir_all(dir.join("work/drill/left")).unwrap();
        let work = place.work(LockKind::Drill).unwrap();
        assert_eq!(fs::read_dir(work.dir()).unwrap().count(), 0);
        let path = work.dir().to_owned();
        drop(work);
        assert!(!path.exists());
    }
}
