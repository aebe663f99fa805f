//! The recipe of a large file: the chunks it is cut into, by their content.
//!
//! Cuts depend on the bytes around them only, so two files that are alike in places have chunks in
//! common wherever these places lie. Hashes of chunks are short: they only say what is worth a try,
//! and a file made from chunks is checked against its whole hash. Both sides cut alike for ever:
//! the numbers here are part of the protocol.

use fastcdc::v2020::FastCDC;

/// Files up to here have no recipe: they are one piece.
pub const RECIPE_FROM: u64 = crate::pack::PIECE_LEN as u64;

/// Bytes of a chunk: at least, wanted, at most.
const CHUNK_LEN: (usize, usize, usize) = (4 * 1024, 16 * 1024, 64 * 1024);

/// The most chunks of one recipe: a file of 64 GiB cut as finely as it can be has as many.
const CHUNKS_MAX: usize = 1 << 24;

/// One chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// The first eight bytes of its BLAKE3 hash.
    pub hash: u64,
    /// Bytes.
    pub length: u32,
}

/// The chunks of a file, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipe {
    /// The chunks.
    pub chunks: Vec<Chunk>,
}

/// A recipe that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recipe is damaged")]
pub struct RecipeError;

impl Recipe {
    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.length)).sum()
    }

    /// Twelve bytes for each chunk.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.chunks.len() * ENTRY_LEN);
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.hash.to_be_bytes());
            out.extend_from_slice(&chunk.length.to_be_bytes());
        }
        out
    }

    /// What [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the length is not one of a recipe, or a chunk's length is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecipeError> {
        if !bytes.len().is_multiple_of(ENTRY_LEN) || bytes.len() / ENTRY_LEN > CHUNKS_MAX {
            return Err(RecipeError);
        }
        let chunks = bytes.chunks_exact(ENTRY_LEN).map(|entry| {
            let (hash, length) = entry.split_first_chunk::<8>().ok_or(RecipeError)?;
            let length = u32::from_be_bytes(length.try_into().map_err(|_| RecipeError)?);
            if length == 0 || length as usize > CHUNK_LEN.2 {
                return Err(RecipeError);
            }
            Ok(Chunk { hash: u64::from_be_bytes(*hash), length })
        });
        Ok(Self { chunks: chunks.collect::<Result<_, _>>()? })
    }
}

const ENTRY_LEN: usize = 12;

/// Cuts a file into chunks as its bytes come. Holds at most one longest chunk and what was fed last.
#[derive(Debug, Default)]
pub struct Chunker {
    recipe: Recipe,
    /// Bytes that are not cut yet.
    rest: Vec<u8>,
}

impl Chunker {
    /// Takes in the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        // With a longest chunk ahead, what comes later cannot move the cut.
        while self.rest.len() - start >= CHUNK_LEN.2 {
            start += self.cut(start);
        }
        self.rest.drain(..start);
    }

    /// The file ends here.
    pub fn finish(mut self) -> Recipe {
        let mut start = 0;
        while start < self.rest.len() {
            start += self.cut(start);
        }
        self.recipe
    }

    fn cut(&mut self, start: usize) -> usize {
        let (least, wanted, most) = CHUNK_LEN;
        let left = &self.rest[start..];
        let (_, length) = FastCDC::new(left, least, wanted, most).cut(0, left.len());
        // A cut that does not move would never end.
        let length = length.clamp(1, left.len());
        let hash = blake3::hash(&left[..length]);
        let mut short = [0_u8; 8];
        short.copy_from_slice(&hash.as_bytes()[..8]);
        // At most the longest chunk, which fits.
        let chunk = Chunk { hash: u64::from_be_bytes(short), length: length as u32 };
        self.recipe.chunks.push(chunk);
        length
    }
}

#[cfg(test)]
mod tests;
