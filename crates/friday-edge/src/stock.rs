//! The stock: every release that this friday has read, as whole files named by their BLAKE3 hash and
//! compressed once for the whole fleet, and the manifests that name them.
//!
//! `store/ab/<digest>.zst` and `releases/<release id>.json` in friday's directory. Files come in
//! through an [`Intake`], which makes them durable before it gives them their names: what has its
//! name is whole, after a power cut too. Whether a release may be pushed is not asked here.

pub mod delta;
mod intake;
pub mod parcel;
mod reading;
mod stored;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use friday_core::release::release_id;
use friday_core::time::Timestamp;
use friday_wire::{Digest, Manifest, ReleaseId};
use serde::{Deserialize, Serialize};

pub use intake::Intake;
pub(crate) use intake::IntakeError;
pub use parcel::{Kept, Parcel};
pub use reading::CompressedReader;
pub use stored::StoredFile;

use crate::state_directory::{StateDirectory, make_private};

/// The format of the files in `releases/`. Older ones load for ever.
pub const STOCKED_FORMAT: u32 = 1;

/// A release in the stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockedRelease {
    /// [`STOCKED_FORMAT`] when it was written.
    pub format: u32,
    /// Its identity.
    pub release: ReleaseId,
    /// What people call it.
    pub label: String,
    /// When it was read last, milliseconds since 1970.
    pub taken_at: Timestamp,
    /// What it is.
    pub manifest: Manifest,
}

/// Why the stock could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// The file system.
    #[error("friday's stock `{path}`: {source}", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A manifest that is not what its name says.
    #[error("`{path}` in friday's stock is damaged: {why}", path = path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Not there.
    #[error("release {} is not in friday's stock", .0.short())]
    NotHeld(ReleaseId),
    /// A file of a release is not there, or is not what its name says.
    #[error("file {} is missing from friday's stock or damaged; push the release again", .0.short())]
    File(Digest),
}

/// The stock of one friday directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stock {
    state: PathBuf,
    store: PathBuf,
    releases: PathBuf,
    kept: Arc<Kept>,
}

impl Stock {
    /// Opens it, making its directories where they do not exist.
    ///
    /// # Errors
    /// `Io`.
    pub fn open(state: &StateDirectory) -> Result<Self, StockError> {
        let stock = Self {
            state: state.path().to_owned(),
            store: state.path().join("store"),
            releases: state.path().join("releases"),
            kept: Arc::default(),
        };
        for directory in [&stock.state, &stock.store, &stock.releases] {
            make_private(directory).map_err(|source| at(directory, source))?;
        }
        Ok(stock)
    }

    /// Begins to take in a release's files.
    ///
    /// # Errors
    /// `Io`.
    pub fn intake(&self) -> Result<Intake<'_>, StockError> {
        Intake::begin(self)
    }

    /// Whether it has a file.
    pub fn has(&self, digest: &Digest) -> bool {
        self.file_path(digest).exists()
    }

    /// Opens a file as a stream of zstd, from an offset into its uncompressed bytes.
    ///
    /// # Errors
    /// `File` when it is not there, `Io`.
    pub fn read_compressed(
        &self,
        digest: &Digest,
        offset: u64,
    ) -> Result<CompressedReader, StockError> {
        reading::open(&self.file_path(digest), digest, offset)
    }

    /// What all transfers share.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// A release made ready to be sent.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub fn parcel(&self, release: &ReleaseId) -> Result<Arc<Parcel>, StockError> {
        if let Some(parcel) = self.kept.parcel(release) {
            return Ok(parcel);
        }
        let stocked = self.release(release)?;
        Ok(self.kept.keep_parcel(Parcel::new(*release, &stocked.manifest)))
    }

    /// The bytes of a file that fits into one piece.
    ///
    /// # Errors
    /// `File` when it is not there or damaged, `Io`.
    pub fn read_small(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, StockError> {
        let path = self.file_path(digest);
        let packed = fs::read(&path).map_err(|error| lost(&path, digest, error))?;
        // Whoever asks knows that it fits.
        let most = usize::try_from(size).unwrap_or(0).min(friday_wire::pack::PIECE_LEN);
        let plain = zstd::bulk::decompress(&packed, most).map_err(|_| StockError::File(*digest))?;
        if plain.len() as u64 == size { Ok(plain) } else { Err(StockError::File(*digest)) }
    }

    /// Opens a file that is larger than one piece.
    ///
    /// # Errors
    /// `File` when it is not there or damaged, `Io`.
    pub fn open_large(&self, digest: &Digest, size: u64) -> Result<StoredFile, StockError> {
        let path = self.file_path(digest);
        let pieces = path.with_extension("pieces");
        let failed = |error| lost(&path, digest, error);
        if let Some(file) = StoredFile::open(&path, &pieces, size).map_err(failed)? {
            return Ok(file);
        }
        let _alone = self.kept.cutting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = StoredFile::open(&path, &pieces, size).map_err(failed)? {
            return Ok(file);
        }
        stored::cut_anew(&path, &pieces, *digest).map_err(failed)?;
        let file = StoredFile::open(&path, &pieces, size).map_err(failed)?;
        file.ok_or(StockError::File(*digest))
    }

    /// Notes a release whose files were taken in.
    ///
    /// # Errors
    /// `Io`.
    pub fn note(
        &self,
        manifest: &Manifest,
        label: &str,
        taken_at: Timestamp,
    ) -> Result<ReleaseId, StockError> {
        let release = release_id(manifest);
        let stocked = StockedRelease {
            format: STOCKED_FORMAT,
            release,
            label: label.to_owned(),
            taken_at,
            manifest: manifest.clone(),
        };
        let path = self.release_path(&release);
        let body =
            serde_json::to_vec(&stocked).map_err(|error| at(&path, io::Error::other(error)))?;
        write_whole(&path, &body).map_err(|source| at(&path, source))?;
        Ok(release)
    }

    /// One release.
    ///
    /// # Errors
    /// `NotHeld`, `Damaged`, `Io`.
    pub fn release(&self, release: &ReleaseId) -> Result<StockedRelease, StockError> {
        let path = self.release_path(release);
        let body = match fs::read(&path) {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StockError::NotHeld(*release));
            }
            Err(source) => return Err(at(&path, source)),
        };
        let damaged = |why: String| StockError::Damaged { path: path.clone(), why };
        let stocked: StockedRelease =
            serde_json::from_slice(&body).map_err(|error| damaged(error.to_string()))?;
        if stocked.format > STOCKED_FORMAT {
            return Err(damaged(format!("a newer friday wrote it (format {})", stocked.format)));
        }
        if release_id(&stocked.manifest) != *release {
            return Err(damaged("its content does not hash to its name".to_owned()));
        }
        Ok(stocked)
    }

    /// Every release, the one taken in last first. Damaged ones are left out: they can be pushed again.
    ///
    /// # Errors
    /// `Io`.
    pub fn releases(&self) -> Result<Vec<StockedRelease>, StockError> {
        let mut all: Vec<StockedRelease> =
            self.release_ids()?.iter().filter_map(|release| self.release(release).ok()).collect();
        all.sort_by(|a, b| b.taken_at.cmp(&a.taken_at).then(a.release.cmp(&b.release)));
        Ok(all)
    }

    /// Removes every other release, and the files that none of the kept ones needs. Returns how many
    /// bytes that freed.
    ///
    /// # Errors
    /// `Io`; and `Damaged` if a kept manifest cannot be read, because then nobody knows what it needs.
    pub fn prune(&self, keep: &BTreeSet<ReleaseId>) -> Result<u64, StockError> {
        let mut needed = BTreeSet::new();
        for release in keep {
            match self.release(release) {
                Ok(stocked) => needed.extend(stocked.manifest.files().map(|(digest, _)| digest)),
                Err(StockError::NotHeld(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for release in self.release_ids()?.difference(keep) {
            let path = self.release_path(release);
            fs::remove_file(&path).map_err(|source| at(&path, source))?;
            // Most have none; one that stays is of no use, and no harm.
            let _ = fs::remove_file(self.signature_path(release));
        }
        let mut freed = 0;
        for shard in entries(&self.store)? {
            for path in entries(&shard)? {
                let unneeded = stem_digest(&path).is_some_and(|digest| !needed.contains(&digest));
                if unneeded {
                    freed += fs::metadata(&path).map(|found| found.len()).unwrap_or(0);
                    fs::remove_file(&path).map_err(|source| at(&path, source))?;
                }
            }
        }
        Ok(freed)
    }

    /// Friday's own directory: never part of a release that is read around it.
    pub(crate) fn state_path(&self) -> &Path {
        &self.state
    }

    fn release_ids(&self) -> Result<BTreeSet<ReleaseId>, StockError> {
        let paths = entries(&self.releases)?;
        Ok(paths.iter().filter_map(|path| stem_digest(path)).map(ReleaseId).collect())
    }

    /// Keeps a release's signature, for every host it is shipped to, and for later rollbacks.
    ///
    /// # Errors
    /// `Io`.
    pub fn keep_signature(&self, release: &ReleaseId, signature: &str) -> Result<(), StockError> {
        let path = self.signature_path(release);
        let directory = path.parent().unwrap_or(&self.state);
        make_private(directory).map_err(|source| at(directory, source))?;
        let fresh = path.with_extension("new");
        fs::write(&fresh, signature)
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(|source| at(&path, source))
    }

    /// A release's signature, where it was signed here.
    pub fn signature(&self, release: &ReleaseId) -> Option<String> {
        fs::read_to_string(self.signature_path(release)).ok()
    }

    fn signature_path(&self, release: &ReleaseId) -> PathBuf {
        self.state.join("signatures").join(format!("{release}.sig"))
    }

    fn release_path(&self, release: &ReleaseId) -> PathBuf {
        self.releases.join(format!("{release}.json"))
    }

    fn file_path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.store.join(&name[..2]).join(format!("{name}.zst"))
    }
}

/// Bytes that are not zstd, or too few: the name lies.
fn lost(path: &Path, digest: &Digest, error: io::Error) -> StockError {
    use io::ErrorKind::{InvalidData, NotFound, Other, UnexpectedEof};
    match error.kind() {
        NotFound | InvalidData | UnexpectedEof | Other => StockError::File(*digest),
        _ => at(path, error),
    }
}

fn at(path: &Path, source: io::Error) -> StockError {
    StockError::Io { path: path.to_owned(), source }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, StockError> {
    fs::read_dir(directory)
        .and_then(|found| found.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|source| at(directory, source))
}

fn stem_digest(path: &Path) -> Option<Digest> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// Replaces a file by a whole new one, durably.
fn write_whole(path: &Path, body: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::File::create(&new)?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
