//! WAL that was received on this host: a directory that `pg_receivewal` fills.
//!
//! What lies there whole was synced to the disk before it got its name. Who runs the program is not known here.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::PostgresError;
use super::lsn::{Segment, SegmentSize, is_history};
use crate::place::plain;

/// What ends the name of a segment that is still being received.
pub const PARTIAL: &str = ".partial";

/// The directory.
#[derive(Debug, Clone)]
pub struct Received {
    dir: PathBuf,
}

impl Received {
    /// The one in a database's place, for the cluster with this `system_identifier`.
    pub fn new(place: &Path, system: &str) -> Self {
        Self { dir: place.join("wal").join(plain(system)) }
    }

    /// Where.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whole segments, the oldest first.
    ///
    /// # Errors
    /// The system's.
    pub fn whole(&self, size: SegmentSize) -> Result<Vec<Segment>, PostgresError> {
        let names = self.names()?;
        let mut found: Vec<Segment> =
            names.iter().filter_map(|name| Segment::parse(name, size)).collect();
        found.sort();
        Ok(found)
    }

    /// Names of files that tell where timelines branched off.
    ///
    /// # Errors
    /// The system's.
    pub fn histories(&self) -> Result<Vec<String>, PostgresError> {
        Ok(self.names()?.into_iter().filter(|name| is_history(name)).collect())
    }

    /// The segment that is being received, and when it last grew.
    ///
    /// # Errors
    /// The system's.
    pub fn partial(
        &self,
        size: SegmentSize,
    ) -> Result<Option<(Segment, SystemTime)>, PostgresError> {
        let names = self.names()?;
        let newest =
            names.iter().filter_map(|name| Segment::parse(name.strip_suffix(PARTIAL)?, size)).max();
        let Some(segment) = newest else { return Ok(None) };
        let meta = fs::metadata(self.partial_path(segment, size));
        // It may have become whole in this moment.
        Ok(meta.and_then(|meta| meta.modified()).ok().map(|at| (segment, at)))
    }

    /// A whole segment's file.
    pub fn path(&self, segment: Segment, size: SegmentSize) -> PathBuf {
        self.dir.join(segment.name(size))
    }

    /// The file of a segment that is being received.
    pub fn partial_path(&self, segment: Segment, size: SegmentSize) -> PathBuf {
        self.dir.join(segment.name(size) + PARTIAL)
    }

    fn names(&self) -> Result<Vec<String>, PostgresError> {
        let failed = || format!("reading `{}`", self.dir.display());
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(PostgresError::file(failed())(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(PostgresError::file(failed()))?;
            names.extend(entry.file_name().into_string());
        }
        Ok(names)
    }
}
