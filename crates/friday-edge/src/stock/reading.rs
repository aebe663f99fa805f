//! Reading a file of the stock as the stream that goes to a host.
//!
//! From the beginning, the stored bytes are that stream. From an offset, zstd cannot be cut: the rest
//! is compressed again.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use friday_wire::Digest;

use super::{StockError, at};

/// Fast: it is done once per cut transfer, while the host waits.
const LEVEL_AGAIN: i32 = 1;

/// What a [`CompressedReader`] reads from.
enum CompressedFrom {
    /// The stored file as it is.
    Start(BufReader<File>),
    /// The rest, compressed again.
    Offset(Box<zstd::stream::read::Encoder<'static, BufReader<Decoded>>>),
}

type Decoded = zstd::stream::read::Decoder<'static, BufReader<File>>;

/// A file of the stock as zstd.
pub struct CompressedReader {
    from: CompressedFrom,
    stored_len: u64,
}

impl CompressedReader {
    /// Compressed bytes of the whole file in the stock; a measure of how far reading came.
    pub fn stored_len(&self) -> u64 {
        self.stored_len
    }
}

pub(super) fn open(
    path: &Path,
    digest: &Digest,
    offset: u64,
) -> Result<CompressedReader, StockError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StockError::File(*digest));
        }
        Err(source) => return Err(at(path, source)),
    };
    let stored_len = file.metadata().map_err(|source| at(path, source))?.len();
    if offset == 0 {
        let from = CompressedFrom::Start(BufReader::new(file));
        return Ok(CompressedReader { from, stored_len });
    }
    // Bytes that are not zstd, or too few: the name lies.
    let damaged = |_: io::Error| StockError::File(*digest);
    let mut decoder = zstd::stream::read::Decoder::new(file).map_err(damaged)?;
    let skipped = io::copy(&mut Read::take(&mut decoder, offset), &mut io::sink());
    if skipped.map_err(damaged)? < offset {
        return Err(StockError::File(*digest));
    }
    let encoder = zstd::stream::read::Encoder::with_buffer(BufReader::new(decoder), LEVEL_AGAIN)
        .map_err(|source| at(path, source))?;
    Ok(CompressedReader { from: CompressedFrom::Offset(Box::new(encoder)), stored_len })
}

impl Read for CompressedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.from {
            CompressedFrom::Start(file) => file.read(buffer),
            CompressedFrom::Offset(encoder) => encoder.read(buffer),
        }
    }
}
