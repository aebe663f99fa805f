//! Making a pack: what one host lacks of a release, as items in the order of the paths.
//!
//! What is compressed here is kept for the other hosts. Where the host holds a file that is likely to
//! be alike, only what differs travels: by its bytes where the stock has that file too, else by the
//! recipe that the host told. At most a few pieces are in memory, however large a file is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use friday_wire::pack::{
    GROUP_FILES_MAX, GROUPED_LEN_MAX, Item, PACKED_LEN_MAX, PATCH_BASE_MAX, PIECE_LEN,
};
use friday_wire::{Digest, Recipe};
use zstd::zstd_safe::{CCtx, CParameter, get_error_name};

use crate::stock::delta::{Origin, Stretch, stretches};
use crate::stock::parcel::KeptKey;
use crate::stock::{Parcel, Stock, StockError, StoredFile};

/// zstd's own default: faster than any network it is sent over.
const LEVEL: i32 = 3;

/// A frame is filled up to here before it goes out.
const FRAME_LEN: usize = 256 * 1024;

/// Patches in a row that saved nothing before it is no longer tried for a while.
const FRUITLESS_PATCHES_MAX: u32 = 4;

/// How many pieces are then sent as they are before it is tried again.
const PATCHES_LEFT_OUT: u32 = 32;

/// What is to be packed, for whom.
#[derive(Debug, Clone)]
pub struct Packing {
    /// Where the bytes are.
    pub stock: Stock,
    /// The release.
    pub parcel: Arc<Parcel>,
    /// A release that the host has.
    pub base: Option<Arc<Parcel>>,
    /// Places of the files that the host lacks, with the bytes it has of them.
    pub lacking: BTreeMap<u32, u64>,
    /// Recipes of files of the base that the stock does not have.
    pub recipes: BTreeMap<Digest, Arc<Recipe>>,
}

/// A frame of a pack.
#[derive(Debug)]
pub struct PackFrame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Bytes of content that it brings.
    pub content: u64,
}

/// How one file is made.
enum Way {
    /// With others.
    Grouped,
    /// By itself.
    Alone,
    /// From a file of the base, at this place there.
    From(u32),
}

impl Packing {
    /// The file of the base that a lacking file is best made from, and which of the two ways: the
    /// stock has it, or its recipe must be asked for.
    pub fn base_of(&self, file: u32) -> Option<(u32, Digest, u64)> {
        let base = self.base.as_ref()?;
        let place = base.alike(&self.parcel, file)?;
        let (digest, size) = *base.files.get(place as usize)?;
        (size > 0).then_some((place, digest, size))
    }

    /// Makes the pack; ends early when `emit` says so.
    ///
    /// # Errors
    /// The stock lacks a file, or cannot be read.
    pub fn run(
        &self,
        emit: &mut dyn FnMut(PackFrame) -> ControlFlow<()>,
    ) -> Result<(), StockError> {
        let mut out = Out { emit, bytes: Vec::new(), content: 0, ended: false };
        let mut group = Vec::new();
        let mut group_len = 0;
        for file in &self.parcel.order {
            let Some(held) = self.lacking.get(file).copied() else { continue };
            let Some((digest, size)) = self.parcel.files.get(*file as usize).copied() else {
                continue;
            };
            match self.way(*file, size, held) {
                Way::Grouped => {
                    if group_len + size > PIECE_LEN as u64 || group.len() >= GROUP_FILES_MAX {
                        self.group(&mut group, &mut out)?;
                        group_len = 0;
                    }
                    group.push(*file);
                    group_len += size;
                }
                Way::Alone => self.file(*file, digest, held, None, &mut out)?,
                Way::From(base) => self.file(*file, digest, held, Some(base), &mut out)?,
            }
            if out.ended {
                return Ok(());
            }
        }
        self.group(&mut group, &mut out)?;
        out.flush();
        Ok(())
    }

    fn way(&self, file: u32, size: u64, held: u64) -> Way {
        let base = self.base_of(file).filter(|(_, digest, base_size)| {
            if size <= PIECE_LEN as u64 {
                // One patch against all of it, or nothing.
                return *base_size <= PATCH_BASE_MAX as u64 && self.stock.has(digest);
            }
            self.recipes.contains_key(digest)
                || *base_size > PIECE_LEN as u64 && self.stock.has(digest)
        });
        match base {
            Some((base, _, _)) => Way::From(base),
            None if size <= GROUPED_LEN_MAX && held == 0 => Way::Grouped,
            None => Way::Alone,
        }
    }

    fn group(&self, group: &mut Vec<u32>, out: &mut Out<'_>) -> Result<(), StockError> {
        if group.is_empty() {
            return Ok(());
        }
        let named = |file: &u32| self.parcel.files.get(*file as usize).copied();
        let files: Vec<(Digest, u64)> = group.iter().filter_map(named).collect();
        let digests: Vec<Digest> = files.iter().map(|(digest, _)| *digest).collect();
        let packed = self.stock.kept().get(KeptKey::new("group", &digests, &[]), || {
            let mut plain = Vec::with_capacity(PIECE_LEN);
            for (digest, size) in &files {
                plain.extend_from_slice(&self.stock.read_small(digest, *size)?);
            }
            pack(&plain, &[])
        })?;
        let content = files.iter().map(|(_, size)| *size).sum();
        out.add(&Item::Group { files: std::mem::take(group), packed: &packed }, content);
        Ok(())
    }

    fn file(
        &self,
        file: u32,
        digest: Digest,
        held: u64,
        base: Option<u32>,
        out: &mut Out<'_>,
    ) -> Result<(), StockError> {
        let size = self.parcel.files.get(file as usize).map_or(0, |(_, size)| *size);
        let offset = held.min(size);
        out.add(&Item::File { file, offset }, 0);
        let based = base.and_then(|place| {
            let base = self.base.as_ref()?.files.get(place as usize)?;
            out.add(&Item::Base { file: place }, 0);
            Some(*base)
        });
        if offset < size {
            let source = Source::open(&self.stock, digest, size)?;
            match based {
                None => {
                    let whole = Stretch {
                        offset: 0,
                        length: size,
                        from: Origin::Near { offset: 0, length: 0 },
                    };
                    Body { packing: self, source: &source, base: None, left_out: 0, fruitless: 0 }
                        .stretch(&whole, offset, out)?;
                }
                Some(based) => self.made_from(&source, based, offset, out)?,
            }
        }
        out.add(&Item::End, 0);
        Ok(())
    }

    fn made_from(
        &self,
        source: &Source,
        (base, base_size): (Digest, u64),
        offset: u64,
        out: &mut Out<'_>,
    ) -> Result<(), StockError> {
        let base_source = if self.stock.has(&base) {
            Some(Source::open(&self.stock, base, base_size)?)
        } else {
            None
        };
        let near = Origin::Near { offset: 0, length: base_size };
        let found = match (source.recipe(), base_source.as_ref().map(Source::recipe)) {
            (Some(new), Some(Some(old))) => stretches(old, new),
            (Some(new), None) => match self.recipes.get(&base) {
                Some(old) => stretches(old, new),
                None => vec![Stretch { offset: 0, length: source.size, from: near }],
            },
            _ => vec![Stretch { offset: 0, length: source.size, from: near }],
        };
        let mut body =
            Body { packing: self, source, base: base_source.as_ref(), left_out: 0, fruitless: 0 };
        for stretch in &found {
            if stretch.offset + stretch.length > offset {
                body.stretch(stretch, offset, out)?;
            }
            if out.ended {
                break;
            }
        }
        Ok(())
    }
}

/// A file of the stock, large or small.
struct Source {
    digest: Digest,
    size: u64,
    content: SourceContent,
}

enum SourceContent {
    Small(Vec<u8>),
    Large(StoredFile),
}

impl Source {
    fn open(stock: &Stock, digest: Digest, size: u64) -> Result<Self, StockError> {
        let content = if size <= PIECE_LEN as u64 {
            SourceContent::Small(stock.read_small(&digest, size)?)
        } else {
            SourceContent::Large(stock.open_large(&digest, size)?)
        };
        Ok(Self { digest, size, content })
    }

    fn recipe(&self) -> Option<&Recipe> {
        match &self.content {
            SourceContent::Small(_) => None,
            SourceContent::Large(file) => Some(file.recipe()),
        }
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StockError> {
        let lost = || StockError::File(self.digest);
        match &self.content {
            SourceContent::Small(bytes) => {
                let from = usize::try_from(offset).map_err(|_| lost())?;
                bytes.get(from..from + length).map(<[u8]>::to_vec).ok_or_else(lost)
            }
            SourceContent::Large(file) => file.read(offset, length).map_err(|_| lost()),
        }
    }

    /// A piece as the stock has it, if these bytes are one.
    fn stored_piece(&self, offset: u64, length: usize) -> Option<StoredPiece<'_>> {
        let SourceContent::Large(file) = &self.content else { return None };
        let end = offset + length as u64;
        let whole =
            offset.is_multiple_of(PIECE_LEN as u64) && (length == PIECE_LEN || end == self.size);
        let piece = usize::try_from(offset / PIECE_LEN as u64).ok().filter(|_| whole)?;
        Some(StoredPiece { file, piece })
    }
}

struct StoredPiece<'a> {
    file: &'a StoredFile,
    piece: usize,
}

/// The content of one file on its way out.
struct Body<'a> {
    packing: &'a Packing,
    source: &'a Source,
    base: Option<&'a Source>,
    /// Pieces still to be sent without a try at a patch.
    left_out: u32,
    /// Patches in a row that saved nothing.
    fruitless: u32,
}

impl<'a> Body<'a> {
    /// A stretch, but not what lies before `from`.
    fn stretch(
        &mut self,
        stretch: &Stretch,
        from: u64,
        out: &mut Out<'_>,
    ) -> Result<(), StockError> {
        let begun = from.saturating_sub(stretch.offset).min(stretch.length);
        let (mut at, end) = (stretch.offset + begun, stretch.offset + stretch.length);
        if let Origin::Same { offset } = stretch.from {
            out.add(&Item::Copy { offset: offset + begun, length: end - at }, end - at);
            return Ok(());
        }
        while at < end && !out.ended {
            // Along the pieces of the stock, so that they can go as they are.
            let grid = (at / PIECE_LEN as u64 + 1) * PIECE_LEN as u64;
            let length = grid.min(end) - at;
            self.piece(stretch, at, length as usize, out)?;
            at += length;
        }
        Ok(())
    }

    fn piece(
        &mut self,
        stretch: &Stretch,
        at: u64,
        length: usize,
        out: &mut Out<'_>,
    ) -> Result<(), StockError> {
        let stored = self.source.stored_piece(at, length);
        if stored.as_ref().is_some_and(|stored| stored.file.is_zeros(stored.piece)) {
            out.add(&Item::Zeros { length: length as u64 }, length as u64);
            return Ok(());
        }
        if let Some((base, window)) = self.window(stretch, at) {
            let packed = self.patch(base, window, at, length)?;
            if !packed.is_empty() {
                self.fruitless = 0;
                // At most `PATCH_BASE_MAX`, which fits.
                let (offset, base_len) = (window.0, window.1 as u32);
                let item = Item::Patch { offset, length: base_len, packed: &packed };
                out.add(&item, length as u64);
                return Ok(());
            }
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS_PATCHES_MAX {
                (self.fruitless, self.left_out) = (0, PATCHES_LEFT_OUT);
            }
        }
        let digest = self.source.digest;
        let packed = match stored {
            Some(StoredPiece { file, piece }) => {
                Arc::new(file.packed(piece).map_err(|_| StockError::File(digest))?)
            }
            None => {
                let key = KeptKey::new("piece", &[digest], &[at, length as u64]);
                let make = || self.source.read(at, length).and_then(|plain| pack(&plain, &[]));
                self.packing.stock.kept().get(key, make)?
            }
        };
        out.add(&Item::Piece { packed: &packed }, length as u64);
        Ok(())
    }

    /// The part of the base to compress a piece against.
    fn window(&mut self, stretch: &Stretch, at: u64) -> Option<(&'a Source, (u64, usize))> {
        let Origin::Near { offset, length } = stretch.from else { return None };
        let base = self.base.filter(|_| length > 0)?;
        if self.left_out > 0 {
            self.left_out -= 1;
            return None;
        }
        let most = PATCH_BASE_MAX as u64;
        if length <= most {
            return Some((base, (offset, length as usize)));
        }
        // As far in the base as the piece is in its stretch, with as much before it as after it.
        let share =
            u128::from(at - stretch.offset) * u128::from(length) / u128::from(stretch.length);
        let middle = u64::try_from(share).unwrap_or(0) + PIECE_LEN as u64 / 2;
        let from = middle.saturating_sub(most / 2).min(length - most);
        Some((base, (offset + from, PATCH_BASE_MAX)))
    }

    /// A piece compressed against a part of the base; empty where that saves too little.
    fn patch(
        &self,
        base: &Source,
        window: (u64, usize),
        at: u64,
        length: usize,
    ) -> Result<Arc<Vec<u8>>, StockError> {
        let numbers = [at, length as u64, window.0, window.1 as u64];
        let key = KeptKey::new("patch", &[self.source.digest, base.digest], &numbers);
        self.packing.stock.kept().get(key, || {
            let plain = self.source.read(at, length)?;
            let prefix = base.read(window.0, window.1)?;
            let patched = pack(&plain, &prefix)?;
            let alone = match self.source.stored_piece(at, length) {
                Some(StoredPiece { file, piece }) => {
                    file.packed(piece).map_err(|_| StockError::File(self.source.digest))?.len()
                }
                None => plain.len(),
            };
            // Less than a sixteenth saved is not worth the host's reading of the base.
            Ok(if patched.len() + alone / 16 < alone { patched } else { Vec::new() })
        })
    }
}

/// One zstd frame, with a prefix that the other side has.
pub(crate) fn pack(plain: &[u8], prefix: &[u8]) -> Result<Vec<u8>, StockError> {
    let failed = |code| {
        let why = std::io::Error::other(get_error_name(code));
        StockError::Io { path: "zstd".into(), source: why }
    };
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(LEVEL)).map_err(failed)?;
    if prefix.len() + plain.len() > LONG_FROM {
        context.set_parameter(CParameter::EnableLongDistanceMatching(true)).map_err(failed)?;
        context.set_parameter(CParameter::WindowLog(27)).map_err(failed)?;
    }
    context.ref_prefix(prefix).map_err(failed)?;
    let mut packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(plain.len()));
    context.compress2(&mut packed, plain).map_err(failed)?;
    Ok(packed)
}

/// Beyond zstd's usual window, matches far back are looked for.
const LONG_FROM: usize = 2 * 1024 * 1024;

/// Frames being filled.
struct Out<'a> {
    emit: &'a mut dyn FnMut(PackFrame) -> ControlFlow<()>,
    bytes: Vec<u8>,
    content: u64,
    ended: bool,
}

impl Out<'_> {
    fn add(&mut self, item: &Item<'_>, content: u64) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FRAME_LEN + PACKED_LEN_MAX);
        }
        item.write_to(&mut self.bytes);
        self.content += content;
        if self.bytes.len() >= FRAME_LEN {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.bytes.is_empty() || self.ended {
            return;
        }
        let frame = PackFrame { bytes: std::mem::take(&mut self.bytes), content: self.content };
        self.content = 0;
        self.ended = (self.emit)(frame).is_break();
    }
}

#[cfg(test)]
mod tests;
