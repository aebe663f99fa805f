//! The store: whole files under their BLAKE3 hash. What lies here under a hash was verified when it
//! came, and is verified again when a tree is built from it.

pub mod offer;
pub mod receiving;
pub mod unpacking;
pub mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::{Chunker, Digest, Lacks, Manifest, Recipe, ReleaseId};

use crate::place::{Place, write_json};
use receiving::{ReceiveError, Receiving};

/// Bytes that must stay free after a transfer or a build: the state must always be writable, else
/// the host could not even record that it goes back.
pub const DISK_RESERVE: u64 = 16 * 1024 * 1024;

/// Inodes that must stay free, for the same reason: a state is written as a new file. Some file systems
/// count none, and say that they have none at all.
pub const INODE_RESERVE: u64 = 256;

/// Whether nothing can be written here for the time being, whatever it is.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// The disk lacks room.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// Not enough left.
    #[error(
        "not enough disk space: {needed} bytes are needed and {DISK_RESERVE} must stay free, {free} are free"
    )]
    Full {
        /// What was to be written.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// Too few files can still be made.
    #[error(
        "the file system takes too few further files: {needed} inodes are needed and {INODE_RESERVE} must stay free, {free} are free"
    )]
    Inodes {
        /// How many more files were to be made.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// It could not be asked.
    #[error("the disk's free space is unknown: {0}")]
    Unknown(io::Error),
}

/// Why a manifest is not taken, or not given.
#[derive(Debug, thiserror::Error)]
pub enum ManifestStoreError {
    /// It is not well-formed.
    #[error("the manifest is refused: {0}")]
    Wrong(#[from] friday_wire::ManifestError),
    /// It is another release's.
    #[error("the manifest hashes to {found}, not to {named}")]
    Identity {
        /// What it hashes to.
        found: String,
        /// Under which name it came.
        named: String,
    },
    /// It is not signed as this host wants it.
    #[error(transparent)]
    Unsigned(#[from] crate::signature::Unsigned),
    /// None is here.
    #[error("release {0} is not known on this host")]
    Unknown(String),
    /// The disk.
    #[error("the manifest of {0}: {1}")]
    Disk(String, String),
}

/// A transfer that a connection feeds. Empty once another connection took it over.
pub type Transfer = Arc<Mutex<Option<Receiving>>>;

/// The store of one directory.
#[derive(Debug)]
pub struct Store {
    place: Place,
    transfers: Mutex<BTreeMap<Digest, Transfer>>,
    packs: PackTurns,
    /// Held while files go that no manifest names, and while a manifest comes that may name them.
    clearing: Mutex<()>,
    /// When that was done last, by this process.
    cleared: Mutex<Option<Instant>>,
    /// What was found right lately; see [`offer`].
    verified: Mutex<BTreeMap<Digest, (offer::Stamp, Instant)>>,
}

/// One pack is taken in at a time. The newest one: an older one may hang on a dead network.
#[derive(Debug, Default)]
struct PackTurns {
    newest: AtomicU64,
    turn: Mutex<()>,
}

/// The right to take in a pack.
#[derive(Debug)]
pub struct PackTurn<'a> {
    store: &'a Store,
    number: u64,
    _turn: MutexGuard<'a, ()>,
}

impl PackTurn<'_> {
    /// Whether no newer pack waits for the turn.
    pub fn is_newest(&self) -> bool {
        self.store.packs.newest.load(Ordering::SeqCst) == self.number
    }
}

impl Store {
    /// Opens it.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            transfers: Mutex::default(),
            packs: PackTurns::default(),
            clearing: Mutex::default(),
            cleared: Mutex::default(),
            verified: Mutex::default(),
        }
    }

    /// Where it lies.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn verified(&self) -> MutexGuard<'_, BTreeMap<Digest, (offer::Stamp, Instant)>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn for a pack. An older one ends at its next item; this waits for it.
    pub fn pack_turn(&self) -> PackTurn<'_> {
        let number = self.packs.newest.fetch_add(1, Ordering::SeqCst) + 1;
        let turn = self.packs.turn.lock().unwrap_or_else(PoisonError::into_inner);
        PackTurn { store: self, number, _turn: turn }
    }

    /// Whether a file is here.
    pub fn has(&self, digest: Digest) -> bool {
        self.place.stored(digest).is_file()
    }

    /// Those of `files` that are not here, with the bytes that an interrupted transfer left.
    pub fn missing(&self, files: &[Digest]) -> Vec<(Digest, u64)> {
        files
            .iter()
            .filter(|digest| !self.has(**digest))
            .map(|digest| {
                let part = fs::metadata(self.place.partial(*digest));
                (*digest, part.map_or(0, |found| found.len()))
            })
            .collect()
    }

    /// Begins to receive a file at `offset`. An older connection's transfer of the same file ends:
    /// it may hang on a dead network, and the newer one knows better.
    ///
    /// # Errors
    /// No room, or no such offset.
    pub fn receive(
        &self,
        digest: Digest,
        size: u64,
        offset: u64,
    ) -> Result<Transfer, ReceiveError> {
        check_room(&self.place, size.saturating_sub(offset))?;
        check_inodes(&self.place, 1)?;
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = transfers.remove(&digest) {
            older.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let receiving = Receiving::begin(&self.place, digest, size, offset)?;
        let transfer = Arc::new(Mutex::new(Some(receiving)));
        transfers.insert(digest, Arc::clone(&transfer));
        Ok(transfer)
    }

    /// Forgets a transfer that ended.
    pub fn ended(&self, digest: Digest, transfer: &Transfer) {
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        if transfers.get(&digest).is_some_and(|held| Arc::ptr_eq(held, transfer)) {
            transfers.remove(&digest);
        }
    }

    /// Stores a manifest under its identity. Friday has checked it; this side does not rely on that.
    ///
    /// # Errors
    /// Malformed, another release's, not signed where that is wanted, or the disk.
    pub fn put_manifest(
        &self,
        release: ReleaseId,
        manifest: &Manifest,
    ) -> Result<(), ManifestStoreError> {
        check_manifest(release, manifest)?;
        crate::signature::check(&self.place, release)?;
        write_json(&self.place.manifest(release), manifest)
            .map_err(|error| ManifestStoreError::Disk(release.short(), error.to_string()))
    }

    /// Keeps manifests from coming while files go.
    pub fn clearing(&self) -> MutexGuard<'_, ()> {
        self.clearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What no manifest named went just now.
    pub fn note_cleared(&self) {
        *self.cleared.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether that was longer ago than this, or never in this process's life.
    pub fn was_cleared_before(&self, age: Duration) -> bool {
        let cleared = *self.cleared.lock().unwrap_or_else(PoisonError::into_inner);
        cleared.is_none_or(|at| at.elapsed() > age)
    }

    /// Stores the manifest of an offer of which nothing was lacking. A prune may have taken a file since,
    /// which only a release needed that is not kept: then the answer says what is lacking now.
    ///
    /// # Errors
    /// The disk, or the manifest is not taken.
    pub fn take_manifest(&self, offered: &offer::Offered) -> Result<Lacks, offer::OfferError> {
        let _nothing_goes = self.clearing();
        let mut lacks = Lacks::default();
        if self.lacking_files(offered) > 0 {
            lacks = self.lacks(offered)?;
        }
        if lacks.is_empty() {
            self.put_manifest(offered.release, &offered.manifest)?;
        }
        Ok(lacks)
    }

    /// Bytes that are lacking of an offer, by a quick look.
    pub fn lacking_bytes(&self, offered: &offer::Offered) -> u64 {
        let lacking = |(digest, size): &(Digest, u64)| {
            if self.has(*digest) {
                return 0;
            }
            let part = fs::metadata(self.place.partial(*digest)).map_or(0, |found| found.len());
            size.saturating_sub(part)
        };
        offered.files.iter().map(lacking).sum()
    }

    /// Files that are lacking of an offer, by a quick look.
    pub fn lacking_files(&self, offered: &offer::Offered) -> u64 {
        offered.files.iter().filter(|(digest, _)| !self.has(*digest)).count() as u64
    }

    /// Releases whose manifests are here.
    pub fn known_releases(&self) -> Vec<ReleaseId> {
        let Ok(entries) = fs::read_dir(self.place.join("manifests")) else { return Vec::new() };
        let release = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok().map(ReleaseId)
        };
        entries.flatten().filter_map(release).collect()
    }

    /// The recipe of a stored file. One that is damaged has another recipe, and that is all.
    ///
    /// # Errors
    /// It is not here, or cannot be read.
    pub fn recipe(&self, digest: Digest) -> io::Result<Recipe> {
        let mut file = fs::File::open(self.place.stored(digest))?;
        let mut chunker = Chunker::default();
        let mut buffer = vec![0_u8; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(chunker.finish()),
                got => chunker.feed(&buffer[..got]),
            }
        }
    }

    /// A release's manifest.
    ///
    /// # Errors
    /// Not here, or damaged.
    pub fn manifest(&self, release: ReleaseId) -> Result<Manifest, ManifestStoreError> {
        crate::place::read_json(&self.place.manifest(release))
            .map_err(|error| ManifestStoreError::Disk(release.short(), error.to_string()))?
            .ok_or_else(|| ManifestStoreError::Unknown(release.short()))
    }
}

/// Whether a manifest is well-formed and is this release's.
fn check_manifest(release: ReleaseId, manifest: &Manifest) -> Result<(), ManifestStoreError> {
    manifest.check()?;
    let found = ReleaseId(Digest(*blake3::hash(&manifest.identity_bytes()).as_bytes()));
    if found != release {
        return Err(ManifestStoreError::Identity {
            found: found.to_string(),
            named: release.to_string(),
        });
    }
    Ok(())
}

/// Whether `needed` bytes fit and leave the reserve.
///
/// # Errors
/// When they do not.
pub fn check_room(place: &Place, needed: u64) -> Result<(), RoomError> {
    let disk = rustix::fs::statvfs(place.dir())
        .map_err(|error| RoomError::Unknown(io::Error::from(error)))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed.saturating_add(DISK_RESERVE) > free {
        return Err(RoomError::Full { needed, free });
    }
    Ok(())
}

/// Whether `needed` more files can be made and leave the reserve.
///
/// # Errors
/// When they cannot.
pub fn check_inodes(place: &Place, needed: u64) -> Result<(), RoomError> {
    let disk = rustix::fs::statvfs(place.dir())
        .map_err(|error| RoomError::Unknown(io::Error::from(error)))?;
    let (free, counted) = (disk.f_favail, disk.f_files > 0);
    if counted && needed.saturating_add(INODE_RESERVE) > free {
        return Err(RoomError::Inodes { needed, free });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
