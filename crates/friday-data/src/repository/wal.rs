//! PostgreSQL's write-ahead log in a repository: one object for each segment, beside the backups.
//!
//! ```text
//! wal/7433…/000000010000000000000007.zst.age     a segment, of the cluster with that system identifier
//! wal/7433…/000000010000000000000007.json        its hashes; written last: without it the segment is not there
//! ```
//!
//! It does not know which segments somebody needs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::key::Key;
use super::manifest::Object;
use super::shelf::Shelf;
use super::{Repository, RepositoryError, object};
use crate::course::Course;
use crate::place;

/// How often somebody looks who waits for a file on a disk. It is in the way of every restore point.
const LOOK: Duration = Duration::from_millis(5);

/// The same for a bucket, where each look is a request.
const LOOK_INTO_BUCKET: Duration = Duration::from_millis(40);

/// The segments of one cluster.
#[derive(Clone)]
pub struct Wal {
    dir: Shelf,
    key: Option<Key>,
    /// Seen in a bucket: a file that is there stays.
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl Repository {
    /// The WAL of the cluster with this `system_identifier`.
    ///
    /// # Errors
    /// The system's; that a bucket cannot be asked.
    pub fn wal(&self, system: &str) -> Result<Wal, RepositoryError> {
        let dir = self.dir.below("wal").below(&place::plain(system));
        if let Some(dir) = dir.disk() {
            place::private(dir)?;
        }
        let wal = Wal { dir, key: self.key.clone(), seen: Arc::default() };
        if wal.dir.disk().is_none() {
            // One list, or each segment of a long chain would be a request.
            let names = wal.names()?;
            wal.seen().extend(names);
        }
        Ok(wal)
    }
}

impl Wal {
    /// Whether a file is there, whole and synced.
    pub fn has(&self, name: &str) -> bool {
        if self.seen().contains(name) {
            return true;
        }
        // One that cannot be asked for cannot be built upon.
        let found = self.dir.has(&facts(name)).unwrap_or(false);
        if found && self.dir.disk().is_none() {
            self.seen().insert(name.to_owned());
        }
        found
    }

    /// How often to look for a file that is to come.
    pub fn look(&self) -> Duration {
        if self.dir.disk().is_some() { LOOK } else { LOOK_INTO_BUCKET }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names of all that are there.
    ///
    /// # Errors
    /// The system's.
    pub fn names(&self) -> Result<Vec<String>, RepositoryError> {
        let files =
            self.dir.files().map_err(|error| RepositoryError::Read(self.dir.shown(""), error))?;
        let named = |file: &String| file.strip_suffix(".json").map(str::to_owned);
        Ok(files.iter().filter_map(named).collect())
    }

    /// Puts a file there. One that is there already stays as it is.
    ///
    /// # Errors
    /// The system's; nothing is there then.
    pub fn put(&self, name: &str, file: &Path) -> Result<(), RepositoryError> {
        if self.has(name) {
            return Ok(());
        }
        let failed = |error: io::Error| RepositoryError::Write(self.dir.shown(""), error);
        // What somebody left who was killed in the midst of this.
        self.clear(name).map_err(failed)?;
        let mut source = File::open(file).map_err(RepositoryError::Source)?;
        let course = Course::quiet();
        let stored = object::store(&self.dir, name, self.key.as_ref(), &mut source, None, &course)?;
        let text = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        self.dir.write(&facts(name), &text).map_err(failed)?;
        if self.dir.disk().is_none() {
            self.seen().insert(name.to_owned());
        }
        Ok(())
    }

    fn clear(&self, name: &str) -> io::Result<()> {
        match self.dir {
            Shelf::Disk(_) => ["zst", "zst.age", "tmp"]
                .iter()
                .try_for_each(|end| self.dir.remove(&format!("{name}.{end}"))),
            // Parts are written over, and none of another number is left: each is as many as its segment needs.
            Shelf::Bucket { .. } => Ok(()),
        }
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
        self.read(name, target, course).inspect_err(|_| {
            // It may have been put away: who asks whether it is there asks the store.
            self.seen().remove(name);
        })
    }

    fn read(
        &self,
        name: &str,
        target: &mut dyn Write,
        course: &Course,
    ) -> Result<(), RepositoryError> {
        let path = facts(name);
        let failed = |error: io::Error| RepositoryError::Read(self.dir.shown(&path), error);
        let text = self.dir.read(&path).map_err(failed)?;
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
        self.seen().remove(name);
        let removed = self.dir.remove(&facts(name)).and_then(|()| {
            ["zst", "zst.age"]
                .iter()
                .try_for_each(|end| self.dir.remove_large(&format!("{name}.{end}")))
        });
        removed.map_err(|error| RepositoryError::Write(self.dir.shown(""), error))
    }
}

fn facts(name: &str) -> String {
    format!("{name}.json")
}
