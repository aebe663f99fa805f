//! Looks through the repository to the last byte.

use std::collections::BTreeSet;
use std::io::{self, Write};

use friday_wire::BackupId;
use friday_wire::data::{Position, VerifyReport};

use super::manifest::Manifest;
use super::object::{self, ObjectError};
use super::{Listing, Repository, RepositoryError};
use crate::course::Course;
use crate::failure::Failure;

impl Repository {
    /// Reads one backup, or all. With the key everything is unpacked; without it the stored bytes are compared.
    /// What is wrong is in the report, not an error.
    ///
    /// # Errors
    /// When there is no such backup, the repository cannot be read at all, or it shall stop.
    pub fn verify(
        &self,
        only: Option<&BackupId>,
        course: &Course,
    ) -> Result<VerifyReport, RepositoryError> {
        let Listing { backups, unusable } = self.list()?;
        let mut report = VerifyReport { backups: 0, bytes: 0, damage: Vec::new() };
        let wanted = |name: &str| only.is_none_or(|only| only.as_str() == name);
        for (backup, source) in unusable.into_iter().filter(|(name, _)| wanted(name)) {
            let error = RepositoryError::Manifest { backup, source };
            report.damage.push(Failure::of(&error, None).why);
        }
        let mut found = !report.damage.is_empty();
        for manifest in backups.iter().filter(|manifest| wanted(manifest.backup.id.as_str())) {
            found = true;
            let Ok(_reading) = self.reading(manifest) else { continue };
            let dir = self.directory_of(manifest);
            for one in &manifest.objects {
                let sealed = one.file.ends_with(".age");
                let looked = if sealed && self.key.is_none() {
                    object::check_stored(&dir, one, course)
                } else {
                    self.fetch(manifest, one, &mut std::io::sink(), course)
                };
                match looked {
                    Ok(()) => {}
                    Err(error @ RepositoryError::Damaged { .. }) => {
                        report.damage.push(Failure::of(&error, None).why);
                    }
                    Err(error) => return Err(error),
                }
                report.bytes += one.stored_bytes;
            }
            report.backups += 1;
        }
        if only.is_none() {
            self.verify_log(&backups, &mut report, course)?;
        }
        match only {
            Some(id) if !found => Err(RepositoryError::Absent(id.clone())),
            _ => Ok(report),
        }
    }

    /// Reads the write-ahead log of the clusters that backups are of. Without its key there is nothing to compare with.
    fn verify_log(
        &self,
        backups: &[Manifest],
        report: &mut VerifyReport,
        course: &Course,
    ) -> Result<(), RepositoryError> {
        let systems: BTreeSet<&str> = backups
            .iter()
            .filter_map(|manifest| match &manifest.backup.position {
                Position::Postgres { system, .. } => Some(system.as_str()),
                Position::Sqlite { .. } => None,
            })
            .collect();
        for system in systems {
            let wal = self.wal(system)?;
            for name in wal.names()? {
                let mut read = Counted(0);
                match wal.fetch(&name, &mut read, course) {
                    Ok(()) => {}
                    Err(RepositoryError::Segment { source: ObjectError::NoKey, .. }) => break,
                    // A backup that was made meanwhile puts away what nobody needs.
                    Err(RepositoryError::Segment { .. } | RepositoryError::Read(..))
                        if !wal.has(&name) => {}
                    Err(error @ RepositoryError::Segment { .. }) => {
                        report.damage.push(Failure::of(&error, None).why);
                    }
                    Err(error) => return Err(error),
                }
                report.bytes += read.0;
            }
        }
        Ok(())
    }
}

/// Counts what it is given.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
