//! The pack: one stream with everything that a host lacks of a release.
//!
//! A pack is a sequence of [`Item`]s in the data frames after `Request::Pack`. Small files come in
//! groups that are compressed together. A large file is opened, then made of pieces that travel, of
//! stretches that the host copies from a file it has, and of patches: pieces that are compressed
//! against bytes the host has. Files are named by their place in a manifest that both sides hold.
//! This is only the form: whoever applies a pack checks every length against the manifest and every
//! file against its hash. Reading never reserves more than an item's bounded size.

/// Bytes of content in one piece, patch or group, at most. What a cut connection loses is less.
pub const PIECE_LEN: usize = 256 * 1024;

/// Files up to here travel in groups.
pub const GROUPED_LEN_MAX: u64 = 64 * 1024;

/// Bytes of a base that one patch is compressed against, at most.
pub const PATCH_BASE_MAX: usize = 512 * 1024;

/// Files in one group, at most: a group of empty files is bounded too.
pub const GROUP_FILES_MAX: usize = 4_096;

/// Bytes of one item's compressed content, at most: what zstd may make of [`PIECE_LEN`] bytes.
pub const PACKED_LEN_MAX: usize = PIECE_LEN + PIECE_LEN / 128 + 1_024;

/// One item of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// Whole small files, one after the other, as one zstd frame.
    Group {
        /// Their places among the manifest's distinct files.
        files: Vec<u32>,
        /// The frame.
        packed: &'a [u8],
    },
    /// The items up to `End` are this file's, from this byte on: 0, or what the host said it has.
    File {
        /// Its place among the manifest's distinct files.
        file: u32,
        /// The first byte that comes.
        offset: u64,
    },
    /// Copies and patches of this file are from this one.
    Base {
        /// Its place among the base manifest's distinct files.
        file: u32,
    },
    /// Content.
    Piece {
        /// One zstd frame.
        packed: &'a [u8],
    },
    /// Content that the host has.
    Copy {
        /// Where it begins in the base file.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// Content, compressed against a part of the base file.
    Patch {
        /// Where that part begins.
        offset: u64,
        /// Its bytes.
        length: u32,
        /// One zstd frame, with that part as its prefix.
        packed: &'a [u8],
    },
    /// Bytes that are all zero.
    Zeros {
        /// How many.
        length: u64,
    },
    /// The file is whole.
    End,
}

/// What is wrong with a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// No item begins so.
    #[error("an item of a pack has the unknown kind {0}")]
    Kind(u8),
    /// A number that is not one, or larger than any honest sender writes.
    #[error("an item of a pack has a length that is not allowed")]
    Length,
}

const GROUP: u8 = 1;
const FILE: u8 = 2;
const BASE: u8 = 3;
const PIECE: u8 = 4;
const COPY: u8 = 5;
const PATCH: u8 = 6;
const ZEROS: u8 = 7;
const END: u8 = 8;

impl Item<'_> {
    /// Appends the item's bytes.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Group { files, packed } => {
                out.push(GROUP);
                write_number(out, files.len() as u64);
                files.iter().for_each(|file| write_number(out, u64::from(*file)));
                write_packed(out, packed);
            }
            Self::File { file, offset } => write_head(out, FILE, &[u64::from(*file), *offset]),
            Self::Base { file } => write_head(out, BASE, &[u64::from(*file)]),
            Self::Piece { packed } => {
                out.push(PIECE);
                write_packed(out, packed);
            }
            Self::Copy { offset, length } => write_head(out, COPY, &[*offset, *length]),
            Self::Patch { offset, length, packed } => {
                write_head(out, PATCH, &[*offset, u64::from(*length)]);
                write_packed(out, packed);
            }
            Self::Zeros { length } => write_head(out, ZEROS, &[*length]),
            Self::End => out.push(END),
        }
    }
}

/// The first item of `bytes` and how many bytes it takes; `None` when it is not there whole yet.
///
/// # Errors
/// See [`PackError`]. Then the rest of the stream means nothing.
pub fn read_item(bytes: &[u8]) -> Result<Option<(Item<'_>, usize)>, PackError> {
    let mut reader = Reader { bytes, at: 0 };
    let item = match reader.item() {
        Ok(item) => item,
        Err(Stop::Short) => return Ok(None),
        Err(Stop::Wrong(error)) => return Err(error),
    };
    Ok(Some((item, reader.at)))
}

enum Stop {
    Short,
    Wrong(PackError),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self) -> Result<Item<'a>, Stop> {
        match self.byte()? {
            GROUP => {
                let count = self.bounded(GROUP_FILES_MAX as u64)?;
                let files = (0..count).map(|_| self.place()).collect::<Result<_, _>>()?;
                Ok(Item::Group { files, packed: self.packed()? })
            }
            FILE => Ok(Item::File { file: self.place()?, offset: self.number()? }),
            BASE => Ok(Item::Base { file: self.place()? }),
            PIECE => Ok(Item::Piece { packed: self.packed()? }),
            COPY => Ok(Item::Copy { offset: self.number()?, length: self.number()? }),
            PATCH => {
                let offset = self.number()?;
                // At most `PATCH_BASE_MAX`, which fits.
                let length = self.bounded(PATCH_BASE_MAX as u64)? as u32;
                Ok(Item::Patch { offset, length, packed: self.packed()? })
            }
            ZEROS => Ok(Item::Zeros { length: self.number()? }),
            END => Ok(Item::End),
            kind => Err(Stop::Wrong(PackError::Kind(kind))),
        }
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Short)?;
        self.at += 1;
        Ok(byte)
    }

    /// Seven bits a byte, the lowest first; the shortest form only.
    fn number(&mut self) -> Result<u64, Stop> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Stop::Wrong(PackError::Length))
    }

    fn bounded(&mut self, most: u64) -> Result<u64, Stop> {
        let number = self.number()?;
        if number > most { Err(Stop::Wrong(PackError::Length)) } else { Ok(number) }
    }

    fn place(&mut self) -> Result<u32, Stop> {
        u32::try_from(self.number()?).map_err(|_| Stop::Wrong(PackError::Length))
    }

    fn packed(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.bounded(PACKED_LEN_MAX as u64)? as usize;
        let bytes = self.bytes.get(self.at..self.at + length).ok_or(Stop::Short)?;
        self.at += length;
        Ok(bytes)
    }
}

fn write_head(out: &mut Vec<u8>, kind: u8, numbers: &[u64]) {
    out.push(kind);
    numbers.iter().for_each(|number| write_number(out, *number));
}

fn write_packed(out: &mut Vec<u8>, packed: &[u8]) {
    write_number(out, packed.len() as u64);
    out.extend_from_slice(packed);
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests;
