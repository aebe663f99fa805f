//! Taking files in: first all of them under other names, then durable, then named.
//!
//! Syncing the file system once instead of every file is what makes ten thousand small files take
//! a second instead of a minute.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use friday_wire::Digest;
use friday_wire::pack::PIECE_LEN;
use friday_wire::recipe::RECIPE_FROM;
use zstd::bulk::Compressor;

use super::stored::{LEVEL, PieceWriter};
use super::{Stock, StockError, at};

/// Files on their way into the stock. Dropped without [`Intake::finish`], nothing has happened.
pub struct Intake<'a> {
    stock: &'a Stock,
    waiting: PathBuf,
    taken: BTreeMap<Digest, PathBuf>,
    count: u64,
    compressor: Compressor<'static>,
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// A file could not be taken in: reading it, or storing it.
#[derive(Debug)]
pub(crate) enum IntakeError {
    /// The source.
    Read(io::Error),
    /// The source is longer than allowed.
    TooLong,
    /// The stock.
    Stock(StockError),
}

impl<'a> Intake<'a> {
    pub(super) fn begin(stock: &'a Stock) -> Result<Self, StockError> {
        sweep_leftovers(&stock.store);
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random)
            .map_err(|error| at(&stock.store, io::Error::other(error.to_string())))?;
        let name = format!("waiting-{:016x}", u64::from_be_bytes(random));
        let waiting = stock.state.join(name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&waiting)
            .map_err(|source| at(&waiting, source))?;
        let compressor = Compressor::new(LEVEL).map_err(|source| at(&waiting, source))?;
        Ok(Self { stock, waiting, taken: BTreeMap::new(), count: 0, compressor })
    }

    /// Reads a stream to its end, compresses and hashes it; returns its digest and length.
    pub(crate) fn take(
        &mut self,
        source: &mut dyn Read,
        most: u64,
    ) -> Result<(Digest, u64), IntakeError> {
        let mut piece = Vec::with_capacity(PIECE_LEN);
        read_piece(source, &mut piece)?;
        if piece.len() < PIECE_LEN {
            return self.take_small(&piece, most);
        }
        self.count += 1;
        let place = self.waiting.join(self.count.to_string());
        let stored = |source| IntakeError::Stock(at(&place, source));
        let mut writer = PieceWriter::new(File::create_new(&place).map_err(stored)?);
        let mut hasher = blake3::Hasher::new();
        let mut size = 0_u64;
        while !piece.is_empty() {
            size += piece.len() as u64;
            if size > most {
                return Err(IntakeError::TooLong);
            }
            hasher.update(&piece);
            writer.add(&piece, &mut self.compressor).map_err(stored)?;
            read_piece(source, &mut piece)?;
        }
        let digest = Digest(*hasher.finalize().as_bytes());
        if self.is_known(&digest) {
            fs::remove_file(&place).map_err(stored)?;
            return Ok((digest, size));
        }
        if size > RECIPE_FROM {
            let index = place.with_extension("pieces");
            fs::write(&index, writer.finish()).map_err(stored)?;
        }
        self.taken.insert(digest, place);
        Ok((digest, size))
    }

    fn take_small(&mut self, bytes: &[u8], most: u64) -> Result<(Digest, u64), IntakeError> {
        let size = bytes.len() as u64;
        if size > most {
            return Err(IntakeError::TooLong);
        }
        let digest = Digest(*blake3::hash(bytes).as_bytes());
        if self.is_known(&digest) {
            return Ok((digest, size));
        }
        self.count += 1;
        let place = self.waiting.join(self.count.to_string());
        let packed = self.compressor.compress(bytes);
        let written = packed.and_then(|packed| fs::write(&place, packed));
        written.map_err(|source| IntakeError::Stock(at(&place, source)))?;
        self.taken.insert(digest, place);
        Ok((digest, size))
    }

    fn is_known(&self, digest: &Digest) -> bool {
        self.stock.has(digest) || self.taken.contains_key(digest)
    }

    /// As [`Self::take`], for a file that can be read twice: what is there already is not compressed.
    pub(crate) fn take_file(
        &mut self,
        file: &mut File,
        most: u64,
    ) -> Result<(Digest, u64), IntakeError> {
        use std::io::Seek as _;
        let length = file.metadata().map_err(IntakeError::Read)?.len();
        if length < PIECE_LEN as u64 {
            return self.take(file, most);
        }
        let mut hasher = blake3::Hasher::new();
        let size = io::copy(&mut Read::take(&mut *file, most.saturating_add(1)), &mut hasher)
            .map_err(IntakeError::Read)?;
        if size > most {
            return Err(IntakeError::TooLong);
        }
        let digest = Digest(*hasher.finalize().as_bytes());
        if self.is_known(&digest) {
            return Ok((digest, size));
        }
        file.rewind().map_err(IntakeError::Read)?;
        // What was read the second time counts: the file may be changing under us.
        self.take(file, most)
    }

    /// Makes everything durable and gives it its name.
    ///
    /// # Errors
    /// `Io`; then some files may have their names, each of them whole.
    pub fn finish(mut self) -> Result<(), StockError> {
        let root = File::open(&self.waiting).map_err(|source| at(&self.waiting, source))?;
        rustix::fs::syncfs(&root).map_err(|error| at(&self.waiting, error.into()))?;
        for (digest, place) in std::mem::take(&mut self.taken) {
            let path = self.stock.file_path(&digest);
            let shard = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(shard).map_err(|source| at(shard, source))?;
            // First the index: a file without one is cut anew when it is needed.
            let index = place.with_extension("pieces");
            match fs::rename(&index, path.with_extension("pieces")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(&index, error));
                }
                Ok(()) | Err(_) => {}
            }
            fs::rename(&place, &path).map_err(|source| at(&path, source))?;
        }
        rustix::fs::syncfs(&root).map_err(|error| at(&self.waiting, error.into()))
    }
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        // A leftover is swept away by a later intake.
        let _ = fs::remove_dir_all(&self.waiting);
    }
}

/// Fills the piece, unless the source ends before.
fn read_piece(source: &mut dyn Read, piece: &mut Vec<u8>) -> Result<(), IntakeError> {
    piece.clear();
    let read = Read::take(source, PIECE_LEN as u64).read_to_end(piece);
    read.map(|_| ()).map_err(IntakeError::Read)
}

/// Removes what killed fridays left behind, once it is a day old: a younger one may be at work.
fn sweep_leftovers(store: &Path) {
    let Some(Ok(found)) = store.parent().map(fs::read_dir) else { return };
    for entry in found.flatten() {
        let is_waiting = entry.file_name().to_string_lossy().starts_with("waiting-");
        let age = entry.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
        if is_waiting && matches!(age, Ok(Ok(age)) if age.as_secs() > 86_400) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
