//! From the repository into a data directory.
//!
//! It proves that the bytes are those that were stored, and where they are stored in parts, that they are those that
//! PostgreSQL read; whether they are a good copy is not known here.

use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::Path;

use friday_wire::data::Check;

use super::base::OBJECT;
use super::error::PostgresError;
use super::layout::{self, Layout};
use super::parts;
use crate::course::Course;
use crate::failure::Failure;
use crate::place;
use crate::repository::Repository;
use crate::repository::manifest::{Manifest, Object};

/// Blocks of a stream between two threads.
const BLOCK: usize = 256 * 1024;

/// A data directory that was filled.
pub struct Unpacked {
    /// Bytes that were there already, and are the same.
    pub warm_bytes: u64,
    /// What was proven of its files; `None`: it was stored in one piece, and nobody has read them.
    pub proof: Option<Check>,
}

/// Fills a data directory.
///
/// # Errors
/// The repository's, and the system's.
pub fn unpack(
    repository: &Repository,
    manifest: &Manifest,
    data: &Path,
    course: &Course,
) -> Result<Unpacked, PostgresError> {
    if let Some(list) = manifest.object(layout::OBJECT) {
        let mut text = Vec::new();
        repository.fetch(manifest, list, &mut text, course).map_err(Failure::from)?;
        let strange = |error: layout::Senseless| PostgresError::NoBackup(error.to_string());
        let layout = Layout::parse(&text).map_err(strange)?;
        return parts::unpack(repository, manifest, &layout, data, course);
    }
    let id = &manifest.backup.id;
    let object = manifest.object(OBJECT).ok_or_else(|| {
        PostgresError::NoBackup(format!("backup {id} has no data directory in it"))
    })?;
    empty(data).map_err(PostgresError::file("emptying the scratch"))?;
    whole(repository, manifest, object, data, course)?;
    Ok(Unpacked { warm_bytes: 0, proof: None })
}

/// What lies there can only be used part by part.
fn empty(data: &Path) -> io::Result<()> {
    place::remove(data)?;
    place::private(data).map_err(io::Error::other)
}

/// From the repository into the data directory: decrypted, unpacked and written in two threads.
fn whole(
    repository: &Repository,
    manifest: &Manifest,
    object: &Object,
    data: &Path,
    course: &Course,
) -> Result<(), PostgresError> {
    let failed = || PostgresError::file("unpacking the backup");
    let (reader, writer) = io::pipe().map_err(failed())?;
    let into = data.to_owned();
    let unpacking = std::thread::spawn(move || -> io::Result<()> {
        let mut reader = BufReader::with_capacity(BLOCK, reader);
        let mut archive = tar::Archive::new(&mut reader);
        archive.set_preserve_mtime(false);
        archive.unpack(&into)?;
        // To the last byte, so that the writer is not cut off.
        io::copy(&mut reader, &mut io::sink()).map(drop)
    });
    let mut writer = BufWriter::with_capacity(BLOCK, writer);
    let fetched = repository.fetch(manifest, object, &mut writer, course).map_err(Failure::from);
    let flushed = if fetched.is_ok() { writer.flush() } else { Ok(()) };
    // The reader sees the end.
    drop(writer.into_parts());
    let unpacked =
        unpacking.join().unwrap_or_else(|_| Err(io::Error::other("the unpacking thread ended")));
    match (fetched, unpacked) {
        // Whose reader has gone could not write: the reader's reason is the reason.
        (Err(_), Err(error)) if course.poll().is_ok() && is_of_disk(&error) => Err(failed()(error)),
        (Err(failure), _) => Err(failure.into()),
        (Ok(()), Err(error)) => Err(failed()(error)),
        (Ok(()), Ok(())) => flushed.map_err(failed()),
    }
}

fn is_of_disk(error: &io::Error) -> bool {
    let text = format!("{error:?}");
    error.kind() == io::ErrorKind::StorageFull
        || text.contains("StorageFull")
        || text.contains("code: 28")
}
