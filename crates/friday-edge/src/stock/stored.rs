//! A large file of the stock: pieces that are compressed each by itself, so that any of them can be
//! sent or read alone, and the recipe of its chunks.
//!
//! `<digest>.zst` holds the pieces one after the other, which is one zstd stream; `<digest>.pieces`
//! says where they begin. Whether the content is right is not asked here: a host finds that out.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use friday_wire::pack::PIECE_LEN;
use friday_wire::{Chunker, Digest, Recipe};
use zstd::bulk::{Compressor, Decompressor};

/// zstd's own default: faster than any network it is sent over.
pub(super) const LEVEL: i32 = 3;

/// The first bytes of a `.pieces` file. Others are written anew.
const MAGIC: &[u8; 8] = b"pieces1\n";

/// Set in a piece's length when all of the piece is zero.
const ZEROS: u32 = 1 << 31;

/// Where one piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    at: u64,
    packed: u32,
    zeros: bool,
}

/// A large file, open.
#[derive(Debug)]
pub struct StoredFile {
    file: File,
    size: u64,
    pieces: Vec<Piece>,
    recipe: Recipe,
}

impl StoredFile {
    /// Opens it. `None` when it was not stored in pieces, or not as said.
    pub(super) fn open(zst: &Path, pieces: &Path, size: u64) -> io::Result<Option<Self>> {
        let file = File::open(zst)?;
        let index = match fs::read(pieces) {
            Ok(index) => index,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let stored = file.metadata()?.len();
        Ok(parse_index(&index, size, stored).map(|(pieces, recipe)| Self {
            file,
            size,
            pieces,
            recipe,
        }))
    }

    /// Bytes of the whole.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The chunks it is cut into.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Whether a piece is zero all through.
    pub fn is_zeros(&self, piece: usize) -> bool {
        self.pieces.get(piece).is_some_and(|piece| piece.zeros)
    }

    /// One piece as it is stored: a zstd frame.
    ///
    /// # Errors
    /// The file system's.
    pub fn packed(&self, piece: usize) -> io::Result<Vec<u8>> {
        let Piece { at, packed, .. } = *self.pieces.get(piece).ok_or_else(damaged)?;
        let mut bytes = vec![0; packed as usize];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// So many bytes from an offset on.
    ///
    /// # Errors
    /// The file system's; there are not so many; or the stored bytes are damaged.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(length);
        let mut decompressor = Decompressor::new()?;
        while out.len() < length {
            let at = offset + out.len() as u64;
            // The size of a file that was read is far below.
            let piece = (at / PIECE_LEN as u64) as usize;
            let inside = (at % PIECE_LEN as u64) as usize;
            let plain = decompressor.decompress(&self.packed(piece)?, PIECE_LEN)?;
            let left = plain.get(inside..).filter(|left| !left.is_empty()).ok_or_else(damaged)?;
            out.extend_from_slice(&left[..left.len().min(length - out.len())]);
        }
        Ok(out)
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a stored file is damaged")
}

fn parse_index(index: &[u8], size: u64, stored: u64) -> Option<(Vec<Piece>, Recipe)> {
    let rest = index.strip_prefix(MAGIC)?;
    let count = usize::try_from(size.div_ceil(PIECE_LEN as u64)).ok()?;
    let (lengths, recipe) = rest.split_at_checked(count.checked_mul(4)?)?;
    let mut at = 0;
    let mut pieces = Vec::with_capacity(count);
    for length in lengths.chunks_exact(4) {
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let piece = Piece { at, packed: length & !ZEROS, zeros: length & ZEROS != 0 };
        at += u64::from(piece.packed);
        pieces.push(piece);
    }
    let recipe = Recipe::from_bytes(recipe).ok()?;
    (at == stored && recipe.size() == size).then_some((pieces, recipe))
}

/// Writes a file in pieces.
pub(super) struct PieceWriter {
    file: File,
    lengths: Vec<u8>,
    chunker: Chunker,
}

impl PieceWriter {
    pub(super) fn new(file: File) -> Self {
        Self { file, lengths: Vec::new(), chunker: Chunker::default() }
    }

    /// One piece; all but the last have [`PIECE_LEN`] bytes.
    pub(super) fn add(&mut self, plain: &[u8], compressor: &mut Compressor<'_>) -> io::Result<()> {
        let packed = compressor.compress(plain)?;
        let zeros = plain.iter().all(|byte| *byte == 0);
        // A piece and what zstd may add to it are far below.
        let length = packed.len() as u32 | if zeros { ZEROS } else { 0 };
        self.lengths.extend_from_slice(&length.to_be_bytes());
        self.file.write_all(&packed)?;
        self.chunker.feed(plain);
        Ok(())
    }

    /// What belongs into the `.pieces` file.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut index = MAGIC.to_vec();
        index.extend_from_slice(&self.lengths);
        index.extend_from_slice(&self.chunker.finish().to_bytes());
        index
    }
}

/// Stores a file in pieces that an older friday stored as one stream.
pub(super) fn cut_anew(zst: &Path, pieces: &Path, digest: Digest) -> io::Result<()> {
    let mut source = zstd::stream::read::Decoder::new(File::open(zst)?)?;
    let fresh = zst.with_extension(format!("cut-{}", std::process::id()));
    let mut writer = PieceWriter::new(File::create(&fresh)?);
    let mut compressor = Compressor::new(LEVEL)?;
    let mut hasher = blake3::Hasher::new();
    let mut plain = Vec::with_capacity(PIECE_LEN);
    loop {
        plain.clear();
        io::Read::take(&mut source, PIECE_LEN as u64).read_to_end(&mut plain)?;
        if plain.is_empty() {
            break;
        }
        hasher.update(&plain);
        writer.add(&plain, &mut compressor)?;
    }
    if *hasher.finalize().as_bytes() != digest.0 {
        let _ = fs::remove_file(&fresh);
        return Err(damaged());
    }
    writer.file.sync_all()?;
    // Between the two renames the index does not fit the file, and both are written again.
    super::write_whole(pieces, &writer.finish())?;
    fs::rename(&fresh, zst)
}
