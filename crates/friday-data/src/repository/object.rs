//! One object of a backup: compressed, encrypted where there is a key, and known by two hashes.
//!
//! The hash of the stored bytes can be checked without the key; that of the plain bytes proves what a
//! restore gives. Both are computed in the same pass as the work.

use std::io::{self, BufReader, Read, Write};

use age::stream::StreamWriter;
use friday_wire::Digest;

use super::RepositoryError;
use super::bucket;
use super::key::Key;
use super::manifest::Object;
use super::shelf::{Incoming, Outgoing, Shelf};
use crate::course::Course;

/// How hard it compresses: zstd's own choice, quick enough for a disk.
const LEVEL: i32 = 3;

/// Read and written at a time, and so often it is asked whether to stop.
const BLOCK: usize = 256 * 1024;

/// Counts and hashes what passes.
struct Counted<S> {
    inner: S,
    hash: blake3::Hasher,
    bytes: u64,
}

impl<S> Counted<S> {
    fn new(inner: S) -> Self {
        Self { inner, hash: blake3::Hasher::new(), bytes: 0 }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn digest(&self) -> Digest {
        Digest(*self.hash.finalize().as_bytes())
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.count(&buffer[..got]);
        Ok(got)
    }
}

/// What compressed bytes go into.
enum Sink {
    Clear(Box<Counted<Outgoing>>),
    Sealed(Box<StreamWriter<Counted<Outgoing>>>),
}

impl Sink {
    fn open(file: Outgoing, key: Option<&Key>) -> io::Result<Self> {
        let counted = Counted::new(file);
        let Some(key) = key else { return Ok(Self::Clear(Box::new(counted))) };
        let recipient = key.recipient();
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let sealed = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        Ok(Self::Sealed(Box::new(sealed.wrap_output(counted)?)))
    }

    /// Ends what it holds, and waits until the disk or the store has it.
    fn finish(self) -> io::Result<(u64, Digest)> {
        let counted = match self {
            Self::Clear(counted) => *counted,
            Self::Sealed(sealed) => sealed.finish()?,
        };
        let (bytes, digest) = (counted.bytes, counted.digest());
        counted.inner.finish()?;
        Ok((bytes, digest))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(inner) => inner.write(bytes),
            Self::Sealed(inner) => inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(inner) => inner.flush(),
            Self::Sealed(inner) => inner.flush(),
        }
    }
}

/// Stores what `source` gives, to its end, as a new file of `dir`. `of`: so many bytes are awaited, for people.
///
/// # Errors
/// The system's, and when it shall stop; the file then stays to whoever owns `dir`.
pub fn store(
    dir: &Shelf,
    name: &str,
    key: Option<&Key>,
    source: &mut dyn Read,
    of: Option<u64>,
    course: &Course,
) -> Result<Object, RepositoryError> {
    let file = if key.is_some() { format!("{name}.zst.age") } else { format!("{name}.zst") };
    let failed = |error: io::Error| RepositoryError::Write(dir.shown(&file), error);
    let sink = Sink::open(dir.create(&file).map_err(failed)?, key).map_err(failed)?;
    let mut encoder = zstd::Encoder::new(sink, LEVEL).map_err(failed)?;
    encoder.include_checksum(true).map_err(failed)?;
    let mut plain = Counted::new(source);
    let mut block = vec![0_u8; BLOCK];
    loop {
        let got = plain.read(&mut block).map_err(RepositoryError::Source)?;
        if got == 0 {
            break;
        }
        encoder.write_all(&block[..got]).map_err(failed)?;
        course.moved(got as u64, of)?;
    }
    let (stored_bytes, stored) = encoder.finish().and_then(Sink::finish).map_err(failed)?;
    let (plain_bytes, plain) = (plain.bytes, plain.digest());
    Ok(Object { name: name.to_owned(), file, plain_bytes, plain, stored_bytes, stored })
}

/// What is wrong with one object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such file.
    #[error("its file is missing")]
    Missing,
    /// Shorter or longer than it was.
    #[error("it has {have} bytes, and {want} were stored")]
    Length {
        /// On disk.
        have: u64,
        /// In the manifest.
        want: u64,
    },
    /// Its bytes are not those that were stored.
    #[error("its bytes are not those that were stored")]
    Changed,
    /// It is encrypted, and there is no key.
    #[error("it is encrypted, and no key was given")]
    NoKey,
    /// It is encrypted to another key.
    #[error("it is encrypted to another key than the one given")]
    OtherKey,
    /// Its stored bytes are right, and cannot be read all the same.
    #[error("it cannot be unpacked")]
    Unpack(#[source] io::Error),
    /// It was unpacked to something else than was stored.
    #[error("it was unpacked to other bytes than were stored")]
    Other,
    /// The disk.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
}

/// Reads an object to its last byte into `target`, and proves that it is what was stored.
///
/// # Errors
/// [`RepositoryError::Damaged`] says what is wrong with it; others are the target's, and when it shall stop.
pub fn fetch(
    dir: &Shelf,
    object: &Object,
    key: Option<&Key>,
    target: &mut dyn Write,
    course: &Course,
) -> Result<(), RepositoryError> {
    let damaged = |error: ObjectError| wrong(dir, &object.file, error);
    let file = open(dir, object).map_err(damaged)?;
    let stored = Counted::new(BufReader::with_capacity(BLOCK, file));
    let mut plain = Counted::new(decoder(object, key, stored).map_err(|error| {
        // A damaged head looks like another key: the bytes decide.
        damaged(if error.is_of_store() {
            error
        } else {
            look(dir, object, course).err().unwrap_or(error)
        })
    })?);
    let mut block = vec![0_u8; BLOCK];
    loop {
        let got = match plain.read(&mut block) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if bucket::is_of_store(&error) => {
                return Err(damaged(ObjectError::Read(error)));
            }
            Err(error) => {
                let found = look(dir, object, course).err();
                return Err(damaged(found.unwrap_or(ObjectError::Unpack(error))));
            }
        };
        if plain.bytes > object.plain_bytes {
            return Err(damaged(look(dir, object, course).err().unwrap_or(ObjectError::Other)));
        }
        target.write_all(&block[..got]).map_err(RepositoryError::Target)?;
        course.moved(got as u64, Some(object.plain_bytes))?;
    }
    if plain.bytes != object.plain_bytes || plain.digest() != object.plain {
        return Err(damaged(look(dir, object, course).err().unwrap_or(ObjectError::Other)));
    }
    Ok(())
}

/// Reads an object's stored bytes to the last, without a key.
///
/// # Errors
/// As [`fetch`].
pub fn check_stored(dir: &Shelf, object: &Object, course: &Course) -> Result<(), RepositoryError> {
    let damaged = |error: ObjectError| wrong(dir, &object.file, error);
    let file = open(dir, object).map_err(damaged)?;
    let mut stored = Counted::new(file);
    let mut block = vec![0_u8; BLOCK];
    loop {
        let got = stored.read(&mut block).map_err(|error| damaged(ObjectError::Read(error)))?;
        if got == 0 {
            break;
        }
        course.moved(got as u64, None)?;
    }
    if stored.digest() == object.stored { Ok(()) } else { Err(damaged(ObjectError::Changed)) }
}

/// What is wrong with the stored bytes, if anything is: asked when they could not be unpacked.
fn look(dir: &Shelf, object: &Object, course: &Course) -> Result<(), ObjectError> {
    let mut stored = Counted::new(open(dir, object)?);
    let mut block = vec![0_u8; BLOCK];
    while stored.read(&mut block).map_err(ObjectError::Read)? > 0 {
        if course.poll().is_err() {
            // Who shall stop needs no better reason.
            return Ok(());
        }
    }
    if stored.digest() == object.stored { Ok(()) } else { Err(ObjectError::Changed) }
}

/// What is said of an object that cannot be read: that it is damaged, unless the store keeps it from us.
fn wrong(dir: &Shelf, file: &str, error: ObjectError) -> RepositoryError {
    match error {
        ObjectError::Read(error) | ObjectError::Unpack(error) if bucket::is_of_store(&error) => {
            RepositoryError::Read(dir.shown(file), error)
        }
        error => {
            RepositoryError::Damaged { backup: dir.name(), file: file.to_owned(), source: error }
        }
    }
}

impl ObjectError {
    /// Whether a store refused or was silent, which says nothing about the object.
    fn is_of_store(&self) -> bool {
        matches!(self, Self::Read(error) | Self::Unpack(error) if bucket::is_of_store(error))
    }
}

fn open(dir: &Shelf, object: &Object) -> Result<Incoming, ObjectError> {
    let (file, have) = dir.open(&object.file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ObjectError::Missing,
        _ => ObjectError::Read(error),
    })?;
    if have != object.stored_bytes {
        return Err(ObjectError::Length { have, want: object.stored_bytes });
    }
    Ok(file)
}

fn decoder<'a>(
    object: &Object,
    key: Option<&Key>,
    stored: Counted<BufReader<Incoming>>,
) -> Result<Box<dyn Read + 'a>, ObjectError> {
    if !object.file.ends_with(".age") {
        return Ok(Box::new(zstd::Decoder::new(stored).map_err(ObjectError::Unpack)?));
    }
    let key = key.ok_or(ObjectError::NoKey)?;
    let unpack = |error: age::DecryptError| match error {
        age::DecryptError::NoMatchingKeys => ObjectError::OtherKey,
        other => ObjectError::Unpack(io::Error::other(other)),
    };
    let sealed = age::Decryptor::new(stored).map_err(unpack)?;
    let identities = std::iter::once(key.identity() as &dyn age::Identity);
    let clear = sealed.decrypt(identities).map_err(unpack)?;
    Ok(Box::new(zstd::Decoder::new(clear).map_err(ObjectError::Unpack)?))
}
