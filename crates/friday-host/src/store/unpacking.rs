//! A pack on its way in: items are applied as they come, each whole file is verified, and all become
//! durable together before any of them gets its name.
//!
//! What was written so far lies in partial files as plain bytes, so that a transfer that is cut goes
//! on there. A base that is damaged spoils the files that were to be made from it and nothing else:
//! they stay lacking, and come whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use friday_wire::Digest;
use friday_wire::pack::{Item, PATCH_BASE_MAX, PIECE_LEN, PackError, read_item};
use zstd::bulk::Decompressor;
use zstd::zstd_safe::DCtx;

use super::Store;
use super::offer::{Offered, verify_or_remove};
use crate::note::note;
use crate::place::{Place, private_directory, sync_directory};

/// Up to here every file is synced by itself; above, the whole file system once: with many files
/// that is one write of the journal instead of one for each.
const SYNCED_ONE_BY_ONE: usize = 16;

/// Why a pack is given up. What came before stays.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Not a pack.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// It says something that cannot be.
    #[error("the pack does not fit the manifest: {0}")]
    Wrong(&'static str),
    /// The disk.
    #[error("file {digest} could not be written: {why}")]
    Disk {
        /// Which.
        digest: String,
        /// The system's words.
        why: io::Error,
    },
    /// The disk, for what is not one file.
    #[error("the store could not be written: {0}")]
    Store(io::Error),
}

/// A pack being received.
pub struct Unpacking<'a> {
    store: &'a Store,
    offered: &'a Offered,
    open: Open,
    /// Files that are whole and not named yet.
    whole: Vec<Digest>,
    /// Bytes of an item that is not here whole.
    rest: Vec<u8>,
    room: Room,
}

impl std::fmt::Debug for Unpacking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacking").field("release", &self.offered.release).finish_non_exhaustive()
    }
}

/// Memory that every item uses again.
struct Room {
    decompressor: Decompressor<'static>,
    plain: Vec<u8>,
    base: Vec<u8>,
}

enum Open {
    None,
    File(Box<Writing>),
    /// Its base is damaged, or it was not what it should be, or it is here: its items are passed over.
    Spoiled,
}

struct Writing {
    digest: Digest,
    size: u64,
    length: u64,
    file: File,
    hasher: blake3::Hasher,
    base: Option<(Digest, File)>,
}

impl<'a> Unpacking<'a> {
    /// Begins.
    ///
    /// # Errors
    /// No memory for a decoder.
    pub fn begin(store: &'a Store, offered: &'a Offered) -> Result<Self, UnpackError> {
        let room = Room {
            decompressor: Decompressor::new().map_err(UnpackError::Store)?,
            plain: Vec::with_capacity(PIECE_LEN),
            base: Vec::new(),
        };
        Ok(Self { store, offered, open: Open::None, whole: Vec::new(), rest: Vec::new(), room })
    }

    /// Takes in the next bytes of the pack.
    ///
    /// # Errors
    /// See [`UnpackError`]; then nothing more may be fed.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        if self.rest.is_empty() {
            let used = self.apply_all(bytes)?;
            self.rest.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.rest);
        joined.extend_from_slice(bytes);
        let used = self.apply_all(&joined)?;
        joined.drain(..used);
        self.rest = joined;
        Ok(())
    }

    fn apply_all(&mut self, bytes: &[u8]) -> Result<usize, UnpackError> {
        let mut used = 0;
        while let Some((item, length)) = read_item(&bytes[used..])? {
            self.apply(&item)?;
            used += length;
        }
        Ok(used)
    }

    fn apply(&mut self, item: &Item<'_>) -> Result<(), UnpackError> {
        match item {
            Item::Group { files, packed } => return self.group(files, packed),
            Item::File { file, offset } => return self.begin_file(*file, *offset),
            Item::End => return self.end_file(),
            Item::Base { .. }
            | Item::Piece { .. }
            | Item::Copy { .. }
            | Item::Patch { .. }
            | Item::Zeros { .. } => {}
        }
        let writing = match &mut self.open {
            Open::None => return Err(UnpackError::Wrong("content of no file")),
            Open::Spoiled => return Ok(()),
            Open::File(writing) => writing,
        };
        let done = match item {
            Item::Base { file } => {
                let place = *file as usize;
                let (digest, _) = *self
                    .offered
                    .base_files
                    .get(place)
                    .ok_or(UnpackError::Wrong("a base that is not in the base's manifest"))?;
                writing.set_base(&self.store.place, digest)
            }
            Item::Piece { packed } => writing.piece(packed, &mut self.room),
            Item::Copy { offset, length } => writing.copy(*offset, *length, &mut self.room),
            Item::Patch { offset, length, packed } => {
                writing.patch(*offset, *length, packed, &mut self.room)
            }
            Item::Zeros { length } => writing.zeros(*length, &mut self.room),
            Item::Group { .. } | Item::File { .. } | Item::End => Ok(()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Trouble::Fatal(error)) => Err(error),
            Err(Trouble::Base) => {
                self.spoil();
                Ok(())
            }
        }
    }

    /// The file cannot be made this way; its base is looked at, so that it is not tried again.
    fn spoil(&mut self) {
        if let Open::File(writing) = std::mem::replace(&mut self.open, Open::Spoiled) {
            note(&format!("store: {} could not be made from what is here", writing.digest.short()));
            if let Some((base, _)) = &writing.base {
                verify_or_remove(&self.store.place, *base);
            }
            // Nobody can tell which part of it is wrong.
            let _ = fs::remove_file(self.store.place.partial(writing.digest));
        }
    }

    fn group(&mut self, files: &[u32], packed: &[u8]) -> Result<(), UnpackError> {
        if !matches!(self.open, Open::None) {
            return Err(UnpackError::Wrong("a group inside a file"));
        }
        let named = |file: &u32| self.offered.files.get(*file as usize).copied();
        let files: Option<Vec<(Digest, u64)>> = files.iter().map(named).collect();
        let files = files.ok_or(UnpackError::Wrong("a file that is not in the manifest"))?;
        let total: u64 = files.iter().map(|(_, size)| *size).sum();
        let unpacked = unpack_piece(packed, &mut self.room)? as u64;
        if unpacked != total {
            return Err(UnpackError::Wrong("a group of another length"));
        }
        let mut at = 0;
        for (digest, size) in files {
            // The sum is at most one piece.
            let end = at + size as usize;
            let bytes = &self.room.plain[at..end];
            at = end;
            if *blake3::hash(bytes).as_bytes() != digest.0 {
                note(&format!("store: {} arrived damaged", digest.short()));
                continue;
            }
            write_small(&self.store.place.partial(digest), bytes)
                .map_err(|why| UnpackError::Disk { digest: digest.short(), why })?;
            self.whole.push(digest);
        }
        Ok(())
    }

    fn begin_file(&mut self, file: u32, offset: u64) -> Result<(), UnpackError> {
        if !matches!(self.open, Open::None) {
            return Err(UnpackError::Wrong("a file inside a file"));
        }
        let (digest, size) = *self
            .offered
            .files
            .get(file as usize)
            .ok_or(UnpackError::Wrong("a file that is not in the manifest"))?;
        // An older connection may have brought it since it was called lacking.
        if self.store.has(digest) {
            self.open = Open::Spoiled;
            return Ok(());
        }
        self.open = Open::File(Box::new(Writing::begin(&self.store.place, digest, size, offset)?));
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), UnpackError> {
        if let Open::File(writing) = &self.open {
            if writing.length != writing.size {
                return Err(UnpackError::Wrong("a file that ends too early"));
            }
            if *writing.hasher.finalize().as_bytes() == writing.digest.0 {
                self.whole.push(writing.digest);
            } else {
                self.spoil();
            }
        }
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => Err(UnpackError::Wrong("the end of no file")),
            Open::File(_) | Open::Spoiled => Ok(()),
        }
    }

    /// The pack is at its end: makes everything durable, then gives it its name.
    ///
    /// # Errors
    /// It ended in the middle, or the disk.
    pub fn finish(self) -> Result<(), UnpackError> {
        if !self.rest.is_empty() || !matches!(self.open, Open::None) {
            return Err(UnpackError::Wrong("it ends in the middle"));
        }
        if self.whole.is_empty() {
            return Ok(());
        }
        name_whole(self.store, &self.whole).map_err(UnpackError::Store)
    }
}

/// Syncs, renames, syncs: what has its name is whole, after a power cut too.
fn name_whole(store: &Store, whole: &[Digest]) -> io::Result<()> {
    let place = &store.place;
    let root = File::open(place.join("store"))?;
    let at_once = whole.len() > SYNCED_ONE_BY_ONE;
    if at_once {
        rustix::fs::syncfs(&root)?;
    }
    let mut shelves = std::collections::BTreeSet::new();
    for digest in whole {
        let (partial, stored) = (place.partial(*digest), place.stored(*digest));
        if !at_once {
            File::open(&partial)?.sync_all()?;
        }
        let Some(shelf) = stored.parent() else { continue };
        if shelves.insert(shelf.to_owned()) {
            private_directory(shelf)?;
        }
        fs::rename(&partial, &stored)?;
        store.note_verified(*digest, &fs::metadata(&stored)?);
    }
    if at_once {
        return Ok(rustix::fs::syncfs(&root)?);
    }
    shelves.iter().try_for_each(|shelf| sync_directory(shelf))?;
    sync_directory(&place.join("store"))
}

fn write_small(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

fn unpack_piece(packed: &[u8], room: &mut Room) -> Result<usize, UnpackError> {
    room.plain.clear();
    room.decompressor
        .decompress_to_buffer(packed, &mut room.plain)
        .map_err(|_| UnpackError::Wrong("a piece that does not unpack"))
}

enum Trouble {
    Fatal(UnpackError),
    /// The base is not there, or not what it was.
    Base,
}

impl From<UnpackError> for Trouble {
    fn from(error: UnpackError) -> Self {
        Self::Fatal(error)
    }
}

impl Writing {
    fn begin(place: &Place, digest: Digest, size: u64, offset: u64) -> Result<Self, UnpackError> {
        let failed = |why| UnpackError::Disk { digest: digest.short(), why };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(place.partial(digest))
            .map_err(failed)?;
        let held = file.metadata().map_err(failed)?.len();
        if offset > held || offset > size {
            return Err(UnpackError::Wrong("an offset beyond what is here"));
        }
        file.set_len(offset).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&mut file).take(offset)).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        Ok(Self { digest, size, length: offset, file, hasher, base: None })
    }

    fn disk(&self, why: io::Error) -> Trouble {
        Trouble::Fatal(UnpackError::Disk { digest: self.digest.short(), why })
    }

    /// Announces so many bytes more.
    fn grow(&mut self, by: u64) -> Result<(), UnpackError> {
        self.length = self.length.saturating_add(by);
        if self.length > self.size {
            return Err(UnpackError::Wrong("a file that is longer than announced"));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.grow(bytes.len() as u64)?;
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|why| self.disk(why))
    }

    fn set_base(&mut self, place: &Place, digest: Digest) -> Result<(), Trouble> {
        let file = File::open(place.stored(digest)).map_err(|_| Trouble::Base)?;
        self.base = Some((digest, file));
        Ok(())
    }

    fn piece(&mut self, packed: &[u8], room: &mut Room) -> Result<(), Trouble> {
        unpack_piece(packed, room)?;
        self.write(&room.plain)
    }

    fn copy(&mut self, offset: u64, length: u64, room: &mut Room) -> Result<(), Trouble> {
        let (mut at, mut left) = (offset, length);
        while left > 0 {
            let step = left.min(PIECE_LEN as u64);
            self.read_base(at, step as usize, room)?;
            self.write(&room.base)?;
            at = at.saturating_add(step);
            left -= step;
        }
        Ok(())
    }

    fn patch(
        &mut self,
        offset: u64,
        length: u32,
        packed: &[u8],
        room: &mut Room,
    ) -> Result<(), Trouble> {
        self.read_base(offset, (length as usize).min(PATCH_BASE_MAX), room)?;
        room.plain.clear();
        let mut context = DCtx::create();
        let unpacked = context
            .ref_prefix(&room.base)
            .and_then(|_| context.decompress(&mut room.plain, packed));
        if unpacked.is_err() {
            // With other bytes before it, a right patch does not unpack either.
            return Err(Trouble::Base);
        }
        self.write(&room.plain)
    }

    fn read_base(&self, offset: u64, length: usize, room: &mut Room) -> Result<(), Trouble> {
        let (_, base) = self.base.as_ref().ok_or(UnpackError::Wrong("a copy from no base"))?;
        room.base.resize(length, 0);
        base.read_exact_at(&mut room.base, offset).map_err(|_| Trouble::Base)
    }

    /// Leaves a hole.
    fn zeros(&mut self, length: u64, room: &mut Room) -> Result<(), Trouble> {
        self.grow(length)?;
        room.base.clear();
        room.base.resize(PIECE_LEN, 0);
        let mut left = length;
        while left > 0 {
            let step = left.min(PIECE_LEN as u64);
            self.hasher.update(&room.base[..step as usize]);
            left -= step;
        }
        let grown = self.file.set_len(self.length);
        grown
            .and_then(|()| self.file.seek(SeekFrom::Start(self.length)))
            .map_err(|why| self.disk(why))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
