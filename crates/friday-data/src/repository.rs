//! The repository: backups of one database, in a directory or in a bucket.
//!
//! ```text
//! backups/20261123T175930Z-3f9a01/
//!     database.sqlite.zst.age     an object
//!     in-use                      locked by who writes, reads or removes this backup
//!     manifest.json               written last: without it there is no backup
//! ```
//!
//! It knows nothing of engines. It must never remove a backup that somebody reads, nor take for one what was not
//! finished: what a killed program left is put away with the next backup.

pub mod bucket;
mod draft;
pub mod key;
mod lease;
pub mod manifest;
pub mod object;
pub mod reach;
pub mod retention;
pub mod shelf;
mod verify;
pub mod wal;

use std::io::{self, Write};
use std::path::Path;

use friday_wire::data::{Backup, Guarded, Hidden, RepositoryPlace};
use friday_wire::{BackupId, DatabaseName, FleetName};

use crate::clock;
use crate::course::{Course, Stopped, Watch};
use crate::failure::Failure;
use crate::place::{self, Place, PlaceError};
use crate::room::{self, RoomError};

use bucket::{Bucket, BucketError, Named};
pub use draft::{Draft, Finished};
use key::{Key, NotAKey};
pub use lease::Reading;
use manifest::{Manifest, ManifestError};
use object::ObjectError;
pub use retention::Kept;
use shelf::Shelf;

/// The backups of one database.
pub struct Repository {
    dir: Shelf,
    fleet: FleetName,
    database: DatabaseName,
    key: Option<Key>,
}

/// Why a repository could not do something.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Its place cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] NotAKey),
    /// No room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// It shall stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The bucket cannot be one.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// It cannot be written.
    #[error("`{0}` cannot be written")]
    Write(String, #[source] io::Error),
    /// It cannot be read.
    #[error("`{0}` cannot be read")]
    Read(String, #[source] io::Error),
    /// What should be stored cannot be read.
    #[error("what is to be stored cannot be read")]
    Source(#[source] io::Error),
    /// Where it is restored to cannot be written.
    #[error("the copy cannot be written")]
    Target(#[source] io::Error),
    /// An object is not what it was.
    #[error("backup {backup} is damaged: `{file}`")]
    Damaged {
        /// Which.
        backup: String,
        /// Its object's file.
        file: String,
        /// What is wrong with it.
        source: ObjectError,
    },
    /// A file of the write-ahead log is not what it was.
    #[error("WAL segment {name} is damaged")]
    Segment {
        /// Which.
        name: String,
        /// What is wrong with it.
        source: ObjectError,
    },
    /// A manifest is not what it was.
    #[error("backup {backup} cannot be used")]
    Manifest {
        /// Which.
        backup: String,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// Of another database.
    #[error("backup {0} is of another database")]
    Foreign(String),
    /// No such backup.
    #[error("there is no backup {0} in the repository")]
    Absent(BackupId),
    /// None at all.
    #[error("there is no backup in the repository")]
    Empty,
    /// None that is old enough.
    #[error("the oldest backup in the repository is from {0}, which is later")]
    TooEarly(String),
    /// Somebody writes or removes it.
    #[error("backup {0} is being written or removed")]
    Busy(String),
}

impl From<RepositoryError> for Failure {
    fn from(error: RepositoryError) -> Self {
        use ObjectError as Object;
        let help = match error {
            RepositoryError::Place(error) => return error.into(),
            RepositoryError::Room(error) => return error.into(),
            RepositoryError::Stopped(stopped) => return stopped.into(),
            RepositoryError::Key(_) => {
                "make one with age-keygen, and name it as the repository's key"
            }
            RepositoryError::Write(_, ref cause) | RepositoryError::Target(ref cause) => {
                return Self::of(&error, writing(cause));
            }
            RepositoryError::Damaged { source: Object::NoKey | Object::OtherKey, .. }
            | RepositoryError::Segment { source: Object::NoKey | Object::OtherKey, .. } => {
                "name the key that it was made with as the repository's key"
            }
            RepositoryError::Damaged { .. }
            | RepositoryError::Segment { .. }
            | RepositoryError::Manifest { .. } => {
                "look at the disk; make a new backup now; `friday backup verify` says which others are whole"
            }
            RepositoryError::Empty => "make one: friday backup",
            RepositoryError::Absent(_) | RepositoryError::TooEarly(_) => {
                "see which there are: friday backup list"
            }
            RepositoryError::Foreign(_) => "give each database a directory of its own",
            RepositoryError::Busy(_) => "try again in a moment",
            RepositoryError::Bucket(ref cause) => {
                let help = cause.help().map(str::to_owned);
                return Self::of(&error, help);
            }
            RepositoryError::Read(_, ref cause) => {
                return Self::of(&error, bucket::help_of(cause));
            }
            RepositoryError::Source(_) => return Self::of(&error, None),
        };
        Self::of(&error, Some(help.to_owned()))
    }
}

fn writing(cause: &io::Error) -> Option<String> {
    if let Some(help) = bucket::help_of(cause) {
        return Some(help);
    }
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("make room there, keep fewer backups, or name another directory".to_owned())
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("let the login user write there".to_owned())
        }
        _ => None,
    }
}

/// What is in a repository.
#[derive(Debug, Default)]
pub struct Listing {
    /// The oldest first.
    pub backups: Vec<Manifest>,
    /// Those that cannot be used, by name, and why.
    pub unusable: Vec<(String, ManifestError)>,
}

impl Repository {
    /// Finds it, and makes its directory where it is not there. A bucket is asked nothing yet.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn open(
        place: &Place,
        fleet: &FleetName,
        database: &Guarded,
    ) -> Result<Self, RepositoryError> {
        let dir = shelf_of(place, fleet, database)?;
        if let Some(dir) = dir.disk() {
            place::private(&dir.join("backups"))?;
        }
        let key =
            database.repository.key.as_ref().map(|key: &Hidden| Key::read(key)).transpose()?;
        Ok(Self { dir, fleet: fleet.clone(), database: database.name.clone(), key })
    }

    /// The same, for a request that may end: a store that does not answer is not waited for longer.
    pub fn watched(mut self, watch: &Watch) -> Self {
        if let Shelf::Bucket { bucket, .. } = &mut self.dir {
            *bucket = bucket.watched(watch);
        }
        self
    }

    /// Its directory, where it is one of this host.
    pub fn disk(&self) -> Option<&Path> {
        self.dir.disk()
    }

    /// For people.
    pub fn shown(&self) -> String {
        self.dir.shown("")
    }

    /// Refuses where a disk has less room than a backup of so many plain bytes will need. A bucket has room.
    ///
    /// # Errors
    /// See [`RoomError`].
    pub fn ask_room(&self, plain: u64) -> Result<(), RoomError> {
        match self.disk() {
            Some(dir) => room::ask(dir, self.forecast(plain)),
            None => Ok(()),
        }
    }

    /// What there is. Directories without a manifest are no backups.
    ///
    /// # Errors
    /// The system's.
    pub fn list(&self) -> Result<Listing, RepositoryError> {
        let mut listing = Listing::default();
        for dir in self.directories()? {
            match Manifest::read(&dir) {
                Ok(manifest) if self.owns(&manifest, &dir) => listing.backups.push(manifest),
                Ok(_) => return Err(RepositoryError::Foreign(dir.name())),
                Err(ManifestError::Absent) => {}
                // What a store keeps from us may be well.
                Err(ManifestError::Io(error)) if bucket::is_of_store(&error) => {
                    return Err(RepositoryError::Read(dir.shown(""), error));
                }
                Err(error) => listing.unusable.push((dir.name(), error)),
            }
        }
        listing.backups.sort_by(|a, b| {
            let key = |one: &Manifest| (one.number, one.backup.began_at_ms, one.backup.id.clone());
            key(a).cmp(&key(b))
        });
        Ok(listing)
    }

    /// The newest backup. Where one that may be newer cannot be used, that is said: an old backup must not
    /// pass for the newest.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn newest(&self) -> Result<Manifest, RepositoryError> {
        let mut listing = self.list()?;
        let newest = listing.backups.pop();
        // Of two that began in one second it is not known which is newer.
        let second = |name: &str| name.split('-').next().map(str::to_owned);
        let last = newest.as_ref().map(|newest| second(newest.backup.id.as_str()));
        let mut unusable = listing.unusable.into_iter();
        let newer =
            unusable.find(|(other, _)| last.as_ref().is_none_or(|last| second(other) >= *last));
        match (newer, newest) {
            (Some((backup, source)), _) => Err(RepositoryError::Manifest { backup, source }),
            (None, Some(newest)) => Ok(newest),
            (None, None) => Err(RepositoryError::Empty),
        }
    }

    /// The newest backup that shows the database as it was at a time or before.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn before(&self, at_ms: u64) -> Result<Manifest, RepositoryError> {
        let listing = self.list()?;
        let oldest = listing.backups.iter().map(|manifest| manifest.holds_ms).min();
        let fitting = listing.backups.into_iter().filter(|manifest| manifest.holds_ms <= at_ms);
        match (fitting.max_by_key(|manifest| manifest.holds_ms), oldest) {
            (Some(manifest), _) => Ok(manifest),
            (None, Some(oldest)) => Err(RepositoryError::TooEarly(clock::shown(oldest))),
            (None, None) => Err(RepositoryError::Empty),
        }
    }

    /// One backup.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn find(&self, id: &BackupId) -> Result<Manifest, RepositoryError> {
        let listing = self.list()?;
        let mut unusable = listing.unusable.into_iter();
        if let Some((backup, source)) = unusable.find(|(name, _)| name == id.as_str()) {
            return Err(RepositoryError::Manifest { backup, source });
        }
        let mut backups = listing.backups.into_iter();
        backups
            .find(|manifest| manifest.backup.id == *id)
            .ok_or_else(|| RepositoryError::Absent(id.clone()))
    }

    /// Keeps a backup from being removed while it is read.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn reading(&self, manifest: &Manifest) -> Result<Reading, RepositoryError> {
        Reading::begin(&self.directory_of(manifest))
    }

    /// Reads an object of a backup to its last byte into `target`, and proves that it is what was stored.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn fetch(
        &self,
        manifest: &Manifest,
        object: &manifest::Object,
        target: &mut dyn Write,
        course: &Course,
    ) -> Result<(), RepositoryError> {
        object::fetch(&self.directory_of(manifest), object, self.key.as_ref(), target, course)
    }

    /// Whether all objects of a backup lie there with the length that was stored: a look, no proof.
    pub fn is_there(&self, manifest: &Manifest) -> bool {
        let dir = self.directory_of(manifest);
        manifest
            .objects
            .iter()
            .all(|object| dir.length(&object.file).is_ok_and(|found| found == object.stored_bytes))
    }

    /// How large what is stored becomes, from what came of the newest backup; as large as it is where there is none.
    pub fn forecast(&self, plain: u64) -> u64 {
        let listing = self.list().unwrap_or_default();
        let Some(last) = listing.backups.last().map(|manifest| &manifest.backup) else {
            return plain;
        };
        if last.bytes == 0 {
            return plain;
        }
        // A quarter more than last time: what people store changes.
        let ratio = last.stored as f64 / last.bytes as f64 * 1.25;
        (plain as f64 * ratio.min(1.0)) as u64
    }

    fn owns(&self, manifest: &Manifest, dir: &Shelf) -> bool {
        manifest.fleet == self.fleet
            && manifest.database == self.database
            && manifest.backup.id.as_str() == dir.name()
    }

    fn directory_of(&self, manifest: &Manifest) -> Shelf {
        // Its id is its directory's name: `list` looked.
        self.backups().below(manifest.backup.id.as_str())
    }

    fn backups(&self) -> Shelf {
        self.dir.below("backups")
    }

    /// In the order of their names.
    fn directories(&self) -> Result<Vec<Shelf>, RepositoryError> {
        let dir = self.backups();
        dir.directories().map_err(|error| RepositoryError::Read(dir.shown(""), error))
    }
}

/// Where a database's repository is.
fn shelf_of(
    place: &Place,
    fleet: &FleetName,
    database: &Guarded,
) -> Result<Shelf, RepositoryError> {
    let RepositoryPlace::S3 { bucket, prefix, endpoint, region, access_key, secret_key } =
        &database.repository.place
    else {
        return Ok(Shelf::Disk(place.repository()?.to_owned()));
    };
    let named = Named { bucket, endpoint: endpoint.as_deref(), region, access_key, secret_key };
    let bucket = Bucket::new(&named)?;
    // No store may take a part of it for an encoded one: some encode names in lists, and some say that they do.
    let parts = prefix.split('/').filter(|part| !part.is_empty());
    let parts = parts
        .chain([fleet.as_str(), database.name.as_str()])
        .map(|part| place::plain(part).replace('%', "="));
    let name = parts.collect::<Vec<_>>().join("/");
    Ok(Shelf::Bucket { bucket, name, leases: place.dir().join("in-use") })
}

/// What `List` answers.
pub fn told(listing: Listing) -> Vec<Backup> {
    listing.backups.into_iter().map(|manifest| manifest.backup).collect()
}

fn name_of(dir: &Path) -> String {
    dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
