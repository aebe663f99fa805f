//! PostgreSQL's write-ahead log in a repository: one object for each segment, beside the backups.
//!
//! ```text
//! wal/7433…/000000010000000000000007.zst.age     a segment, of the cluster with that system identifier
//! wal/7433…/000000010000000000000007.json        its hashes; written last: without it the segment is not there
//! ```
//!
//! It does not know which segments somebody needs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::key::Key;
use super::manifest::Object;
use super::{Repository, RepositoryError, object};
use crate::course::Course;
use crate::place;

/// The segments of one cluster.
#[derive(Clone)]
pub struct Wal {
    dir: PathBuf,
    key: Option<Key>,
}

impl Repository {
    /// The WAL of the cluster with this `system_identifier`.
    ///
    /// # Errors
    /// The system's.
    pub fn wal(&self, system: &str) -> Result<Wal, RepositoryError> {
        let dir = self.dir.join("wal").join(place::plain(system));
        place::private(&dir)?;
        Ok(Wal { dir, key: self.key.clone() })
    }
}

impl Wal {
    /// Whether a file is there, whole and synced.
    pub fn has(&self, name: &str) -> bool {
        self.facts(name).exists()
    }

    /// Names of all that are there.
    ///
    /// # Errors
    /// The system's.
    pub fn names(&self) -> Result<Vec<String>, RepositoryError> {
        let failed =
            |error: io::Error| RepositoryError::Read(self.dir.display().to_string(), error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(
                name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    /// Puts a file there. One that is there already stays as it is.
    ///
    /// # Errors
    /// The system's; nothing is there then.
    pub fn put(&self, name: &str, file: &Path) -> Result<(), RepositoryError> {
        if self.has(name) {
            return Ok(());
        }
        let failed =
            |error: io::Error| RepositoryError::Write(self.dir.display().to_string(), error);
        // What somebody left who was killed in the midst of this.
        for left in ["zst", "zst.age", "tmp"] {
            match fs::remove_file(self.dir.join(format!("{name}.{left}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        let mut source = File::open(file).map_err(RepositoryError::Source)?;
        let course = Course::quiet();
        let stored = object::store(&self.dir, name, self.key.as_ref(), &mut source, None, &course)?;
        let text = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        let temporary = self.dir.join(format!("{name}.tmp"));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, self.facts(name))?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(failed)
    }

    /// Reads a file to its last byte into `target`, and proves that it is what was put there.
    ///
    /// # Errors
    /// See [`RepositoryError`]; one that is not there is damage, too: ask [`Self::has`] first.
    pub fn fetch(
        &self,
        name: &str,
        target: &mut dyn Write,
        course: &Course,
    ) -> Result<(), RepositoryError> {
        let path = self.facts(name);
        let failed = |error: io::Error| RepositoryError::Read(path.display().to_string(), error);
        let text = fs::read(&path).map_err(failed)?;
        let stored: Object = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
        // Its own words do not lead out of the directory.
        let ours =
            stored.name == name && !stored.file.contains('/') && stored.file.starts_with(name);
        if !ours {
            return Err(failed(io::Error::other("it tells of another file")));
        }
        let fetched = object::fetch(&self.dir, &stored, self.key.as_ref(), target, course);
        fetched.map_err(|error| match error {
            RepositoryError::Damaged { source, .. } => {
                RepositoryError::Segment { name: name.to_owned(), source }
            }
            other => other,
        })
    }

    /// Removes a file; one that is not there is well removed.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, name: &str) -> Result<(), RepositoryError> {
        for end in ["json", "zst", "zst.age"] {
            match fs::remove_file(self.dir.join(format!("{name}.{end}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(RepositoryError::Write(self.dir.display().to_string(), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn facts(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }
}
