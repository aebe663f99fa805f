//! Looks through the repository to the last byte.

use friday_wire::BackupId;
use friday_wire::data::VerifyReport;

use super::object;
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
        match only {
            Some(id) if !found => Err(RepositoryError::Absent(id.clone())),
            _ => Ok(report),
        }
    }
}
