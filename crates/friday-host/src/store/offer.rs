//! An offer: the manifest of a release that is about to be sent, and what this host lacks of it.
//!
//! Every file of it that is here already is read and compared with its hash: what went bad on the
//! disk is removed and counts as lacking, so it comes with the rest. What was found right just now
//! need not be hashed again when the tree is built.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use friday_wire::frame::JSON_LEN_MAX;
use friday_wire::{Digest, Lacks, Manifest, ReleaseId};
use zstd::zstd_safe::DCtx;

use super::{ManifestStoreError, Store};
use crate::note::note;
use crate::place::Place;

/// How long a file that was verified counts as such: as long as one stage may follow its transfer.
const VERIFIED_FOR: Duration = Duration::from_secs(600);

/// Why an offer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The base is not known here, or is damaged.
    #[error("the manifest of the base is not here")]
    NoBase,
    /// It does not unpack.
    #[error("the offer is damaged: {0}")]
    Packed(String),
    /// The manifest is refused.
    #[error(transparent)]
    Manifest(#[from] ManifestStoreError),
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(io::Error),
}

/// What was offered.
#[derive(Debug)]
pub struct Offered {
    /// Its identity.
    pub release: ReleaseId,
    /// What it is; checked.
    pub manifest: Manifest,
    /// Its distinct files; packs name them by their place here.
    pub files: Vec<(Digest, u64)>,
    /// Those of the base.
    pub base_files: Vec<(Digest, u64)>,
}

impl Offered {
    /// Unpacks an offer.
    ///
    /// # Errors
    /// No base, not zstd, too long, or not that release's manifest.
    pub fn unpack(
        store: &Store,
        release: ReleaseId,
        base: Option<ReleaseId>,
        length: u64,
        packed: &[u8],
    ) -> Result<Self, OfferError> {
        let base = match base {
            Some(base) => Some(store.manifest(base).map_err(|_| OfferError::NoBase)?),
            None => None,
        };
        let prefix = base.as_ref().map(Manifest::identity_bytes).unwrap_or_default();
        let body = unpack_whole(&prefix, length, packed).map_err(OfferError::Packed)?;
        let manifest: Manifest =
            serde_json::from_slice(&body).map_err(|error| OfferError::Packed(error.to_string()))?;
        super::check_manifest(release, &manifest)?;
        let files = manifest.files().collect();
        let base_files = base.map(|base| base.files().collect()).unwrap_or_default();
        Ok(Self { release, manifest, files, base_files })
    }
}

fn unpack_whole(prefix: &[u8], length: u64, packed: &[u8]) -> Result<Vec<u8>, String> {
    let length = usize::try_from(length).map_err(|error| error.to_string())?;
    if length > JSON_LEN_MAX {
        return Err(format!("{length} bytes are more than a manifest has"));
    }
    let mut body = Vec::with_capacity(length);
    let mut context = DCtx::create();
    let found = context
        .ref_prefix(prefix)
        .and_then(|_| context.decompress(&mut body, packed))
        .map_err(|code| zstd::zstd_safe::get_error_name(code).to_owned())?;
    if found != length {
        return Err(format!("{found} bytes came, not {length}"));
    }
    Ok(body)
}

/// What tells whether a file is still the one that was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(found: &fs::Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Store {
    /// What is lacking of an offer. Reads every file that is not.
    ///
    /// # Errors
    /// The disk.
    pub fn lacks(&self, offered: &Offered) -> Result<Lacks, OfferError> {
        let mut lacks = Lacks::default();
        for (file, (digest, size)) in offered.files.iter().enumerate() {
            if self.is_right(*digest, *size).map_err(OfferError::Store)? {
                continue;
            }
            let part = fs::metadata(self.place.partial(*digest)).map_or(0, |found| found.len());
            let held = if part > *size { 0 } else { part };
            // The manifest has a bounded number of entries.
            lacks.add(u32::try_from(file).unwrap_or(u32::MAX), held);
        }
        Ok(lacks)
    }

    /// Whether a file is in the store, whole and undamaged. A damaged one is removed.
    fn is_right(&self, digest: Digest, size: u64) -> io::Result<bool> {
        let path = self.place.stored(digest);
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if self.was_verified(digest, &found) {
            return Ok(true);
        }
        let right = found.len() == size && crate::machine::digest_of(&path)? == digest;
        if right {
            self.note_verified(digest, &found);
        } else {
            note(&format!("store: {} was damaged and is removed", digest.short()));
            fs::remove_file(&path)?;
        }
        Ok(right)
    }

    /// Notes that a file was just found to be what its name says.
    pub(super) fn note_verified(&self, digest: Digest, found: &fs::Metadata) {
        let mut verified = self.verified();
        verified.insert(digest, (Stamp::of(found), Instant::now()));
    }

    /// As if a file had just been found right.
    #[cfg(test)]
    pub(crate) fn note_right(&self, digest: Digest) {
        if let Ok(found) = fs::metadata(self.place.stored(digest)) {
            self.note_verified(digest, &found);
        }
    }

    /// Whether it was found right a short while ago, and was not touched since.
    pub fn was_verified(&self, digest: Digest, found: &fs::Metadata) -> bool {
        self.verified()
            .get(&digest)
            .is_some_and(|(stamp, at)| *stamp == Stamp::of(found) && at.elapsed() < VERIFIED_FOR)
    }

    /// Forgets what was verified too long ago.
    pub fn forget_verified(&self) {
        self.verified().retain(|_, (_, at)| at.elapsed() < VERIFIED_FOR);
    }
}

/// Whether a file of the store is still what its name says; one that is not is removed.
pub(super) fn verify_or_remove(place: &Place, digest: Digest) {
    let path = place.stored(digest);
    let right = File::open(&path).is_ok()
        && crate::machine::digest_of(&path).is_ok_and(|found| found == digest);
    if !right {
        note(&format!("store: {} was damaged and is removed", digest.short()));
        // Nothing there is as good.
        let _ = fs::remove_file(&path);
    }
}
