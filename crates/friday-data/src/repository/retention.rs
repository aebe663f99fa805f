//! Which backups stay, and what a killed program left.

use friday_wire::BackupId;

use super::draft::put_away;
use super::lease::Alone;
use super::manifest::{Manifest, ManifestError};
use super::shelf::Shelf;
use super::{Repository, RepositoryError};
use crate::clock;
use crate::course::Course;

/// Nobody writes a backup for longer.
const WRITTEN_FOR_MS: u64 = 3 * 86_400_000;

/// Which backups are counted, each kind by itself: many pushes must not push out the nightly backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Backups as such.
    Backups,
    /// Those made for restore points.
    Points,
}

impl Repository {
    /// Puts away all but the newest `keep` of a kind, and whatever is in use. One always stays.
    ///
    /// # Errors
    /// The system's, and when it shall stop.
    pub fn prune(
        &self,
        kind: Kept,
        keep: u32,
        course: &Course,
    ) -> Result<Vec<BackupId>, RepositoryError> {
        let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
        let is_of = |manifest: &Manifest| manifest.point.is_some() == (kind == Kept::Points);
        let mut backups = self.list()?.backups;
        backups.retain(is_of);
        let surplus = backups.len().saturating_sub(keep);
        let mut pruned = Vec::new();
        for manifest in backups.drain(..surplus) {
            course.poll()?;
            let dir = self.directory_of(&manifest);
            let Some(alone) = Alone::begin(&dir)? else { continue };
            let removed = put_away(&dir);
            drop(alone);
            removed.map_err(|error| RepositoryError::Write(dir.shown(""), error))?;
            pruned.push(manifest.backup.id);
        }
        Ok(pruned)
    }

    /// Puts away what was begun and never finished by somebody who is no more.
    ///
    /// # Errors
    /// The system's.
    pub fn put_away_leftovers(&self) -> Result<u32, RepositoryError> {
        let mut count = 0;
        for dir in self.directories()? {
            if !self.is_ours(&dir) || !matches!(Manifest::read(&dir), Err(ManifestError::Absent)) {
                continue;
            }
            let Some(alone) = Alone::begin(&dir)? else { continue };
            // It may have been finished between the two looks.
            if matches!(Manifest::read(&dir), Err(ManifestError::Absent)) {
                put_away(&dir).map_err(|error| RepositoryError::Write(dir.shown(""), error))?;
                count += 1;
            }
            drop(alone);
        }
        Ok(count)
    }

    /// Whether something unfinished was begun here. Another host may be writing it into the same bucket: what has no
    /// lease on this host is left alone for as long as anything may be written.
    fn is_ours(&self, dir: &Shelf) -> bool {
        if dir.disk().is_some() || dir.lease().is_ok_and(|lease| lease.exists()) {
            return true;
        }
        let name = dir.name();
        let before = clock::stamp(clock::now_ms().saturating_sub(WRITTEN_FOR_MS));
        name.split('-').next().is_some_and(|stamp| stamp < before.as_str())
    }
}
