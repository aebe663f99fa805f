//! One file on its way in: decompressed, counted, hashed and written as it comes.
//!
//! The partial file holds uncompressed bytes, so that an interrupted transfer goes on anywhere. What
//! does not hash to its name is removed whole: nobody can tell which part of it is wrong.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use friday_wire::Digest;
use zstd::stream::write::Decoder;

use crate::place::{Place, private_directory, sync_directory};
use crate::store::RoomError;

/// Why a file is not received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The disk is too full.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The partial file is not that long.
    #[error("there is no offset {offset}: {held} of {size} bytes are here")]
    Offset {
        /// Asked.
        offset: u64,
        /// Held.
        held: u64,
        /// Of the whole.
        size: u64,
    },
    /// Not zstd, too long, or the disk.
    #[error("file {digest} could not be written: {why}")]
    Write {
        /// Which.
        digest: String,
        /// What the system or the decoder said.
        why: io::Error,
    },
    /// It ended too early.
    #[error("file {digest} ended after {held} of {size} bytes")]
    Short {
        /// Which.
        digest: String,
        /// Held; the next transfer may begin there.
        held: u64,
        /// Of the whole.
        size: u64,
    },
    /// It is another file.
    #[error("file {named} arrived damaged: it hashes to {found}; the partial file was removed")]
    Damaged {
        /// What it should be.
        named: String,
        /// What it is.
        found: String,
    },
}

/// A file being received.
pub struct Receiving {
    digest: Digest,
    size: u64,
    partial: PathBuf,
    stored: PathBuf,
    decoder: Decoder<'static, Sink>,
}

impl std::fmt::Debug for Receiving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiving").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Receiving {
    /// Opens the partial file at the offset; what is there is hashed again.
    ///
    /// # Errors
    /// No such offset, or the disk.
    pub fn begin(
        place: &Place,
        digest: Digest,
        size: u64,
        offset: u64,
    ) -> Result<Self, ReceiveError> {
        let partial = place.partial(digest);
        let failed = |why| ReceiveError::Write { digest: digest.short(), why };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&partial)
            .map_err(failed)?;
        let held = file.metadata().map_err(failed)?.len();
        if offset > held || offset > size {
            return Err(ReceiveError::Offset { offset, held, size });
        }
        file.set_len(offset).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&mut file).take(offset)).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let sink = Sink { file, hasher, length: offset, limit: size };
        let decoder = Decoder::new(sink).map_err(failed)?;
        Ok(Self { digest, size, partial, stored: place.stored(digest), decoder })
    }

    /// Takes in compressed bytes.
    ///
    /// # Errors
    /// Not zstd, more than announced, or the disk.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        self.decoder
            .write_all(bytes)
            .map_err(|why| ReceiveError::Write { digest: self.digest.short(), why })
    }

    /// Verifies the whole and moves it to its place, durably.
    ///
    /// # Errors
    /// Too short, damaged, or the disk.
    pub fn finish(mut self) -> Result<(), ReceiveError> {
        let failed = |why| ReceiveError::Write { digest: self.digest.short(), why };
        self.decoder.flush().map_err(failed)?;
        let sink = self.decoder.into_inner();
        if sink.length < self.size {
            return Err(ReceiveError::Short {
                digest: self.digest.short(),
                held: sink.length,
                size: self.size,
            });
        }
        let found = Digest(*sink.hasher.finalize().as_bytes());
        if found != self.digest {
            fs::remove_file(&self.partial).map_err(failed)?;
            return Err(ReceiveError::Damaged { named: self.digest.short(), found: found.short() });
        }
        sink.file.sync_all().map_err(failed)?;
        if let Some(shelf) = self.stored.parent() {
            private_directory(shelf).map_err(failed)?;
            fs::rename(&self.partial, &self.stored).map_err(failed)?;
            sync_directory(shelf).map_err(failed)?;
        }
        Ok(())
    }
}

/// Counts, hashes and writes. The limit stops a small transfer that unpacks without end.
struct Sink {
    file: File,
    hasher: blake3::Hasher,
    length: u64,
    limit: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length.saturating_add(bytes.len() as u64) > self.limit {
            return Err(io::Error::other("it is longer than announced"));
        }
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
