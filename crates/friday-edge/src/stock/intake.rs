//! Taking files in: first all of them under other names, then durable, then named.
//!
//! Syncing the file system once instead of every file is what makes ten thousand small files take
//! a second instead of a minute.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use friday_wire::Digest;

use super::{Stock, StockError, at};

/// zstd's own default: faster than any network it is sent over.
const LEVEL: i32 = 3;

const BUFFER_LEN: usize = 128 * 1024;

/// Files on their way into the stock. Dropped without [`Intake::finish`], nothing has happened.
#[derive(Debug)]
pub struct Intake<'a> {
    stock: &'a Stock,
    waiting: PathBuf,
    taken: BTreeMap<Digest, PathBuf>,
    count: u64,
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
        Ok(Self { stock, waiting, taken: BTreeMap::new(), count: 0 })
    }

    /// Reads a stream to its end, compresses and hashes it; returns its digest and length.
    pub(crate) fn take(
        &mut self,
        source: &mut dyn Read,
        most: u64,
    ) -> Result<(Digest, u64), IntakeError> {
        self.count += 1;
        let place = self.waiting.join(self.count.to_string());
        let stored = |source| IntakeError::Stock(at(&place, source));
        let file = File::create_new(&place).map_err(stored)?;
        let mut encoder = zstd::stream::write::Encoder::new(file, LEVEL).map_err(stored)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0_u8; BUFFER_LEN];
        let mut size = 0_u64;
        loop {
            let got = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(IntakeError::Read(error)),
            };
            size += got as u64;
            if size > most {
                return Err(IntakeError::TooLong);
            }
            hasher.update(&buffer[..got]);
            encoder.write_all(&buffer[..got]).map_err(stored)?;
        }
        encoder.finish().map_err(stored)?;
        let digest = Digest(*hasher.finalize().as_bytes());
        if self.stock.has(&digest) || self.taken.contains_key(&digest) {
            fs::remove_file(&place).map_err(stored)?;
        } else {
            self.taken.insert(digest, place);
        }
        Ok((digest, size))
    }

    /// As [`Self::take`], for a file that can be read twice: what is there already is not compressed.
    pub(crate) fn take_file(
        &mut self,
        file: &mut File,
        most: u64,
    ) -> Result<(Digest, u64), IntakeError> {
        use std::io::Seek as _;
        let mut hasher = blake3::Hasher::new();
        let size = io::copy(&mut Read::take(&mut *file, most.saturating_add(1)), &mut hasher)
            .map_err(IntakeError::Read)?;
        if size > most {
            return Err(IntakeError::TooLong);
        }
        let digest = Digest(*hasher.finalize().as_bytes());
        if self.stock.has(&digest) || self.taken.contains_key(&digest) {
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
