//! Where copies come from: friday's own repository, or a stanza of pgBackRest.

use std::path::Path;

use friday_wire::BackupId;
use friday_wire::data::DrillTarget;

use super::base::Base;
use super::error::PostgresError;
use super::log::Log;
use super::pgbackrest::{self, Stanza};
use super::unpack::{Unpacked, unpack};
use crate::course::Course;
use crate::failure::Failure;
use crate::repository::manifest::Manifest;
use crate::repository::{Reading, Repository};
use crate::request::Setting;

/// Where copies come from.
pub enum Origin {
    /// friday's own repository.
    Repository(Repository),
    /// A stanza, and its backups when it was asked, the oldest first.
    Stanza(Stanza, Vec<Manifest>),
}

impl Origin {
    /// A database's.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn open(setting: &Setting<'_>) -> Result<Self, PostgresError> {
        match Stanza::of(setting) {
            Some(stanza) => {
                let backups = stanza.backups(setting)?;
                Ok(Self::Stanza(stanza, backups))
            }
            None => Ok(Self::Repository(setting.repository().map_err(Failure::from)?)),
        }
    }

    /// Backups that a copy can be made of, the oldest first.
    ///
    /// # Errors
    /// The repository's.
    pub fn usable(&self) -> Result<Vec<Manifest>, PostgresError> {
        match self {
            Self::Repository(repository) => Ok(repository.list().map_err(Failure::from)?.backups),
            Self::Stanza(_, backups) => {
                Ok(backups.iter().filter(|one| !one.facts.is_empty()).cloned().collect())
            }
        }
    }

    /// A backup by its name.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn find(&self, id: &BackupId) -> Result<Manifest, PostgresError> {
        match self {
            Self::Repository(repository) => Ok(repository.find(id).map_err(Failure::from)?),
            Self::Stanza(stanza, backups) => {
                let found = backups.iter().find(|one| one.backup.id == *id);
                let found = found.ok_or_else(|| {
                    PostgresError::NoBackup(format!(
                        "stanza `{}` has no backup {id}",
                        stanza.name()
                    ))
                })?;
                known(found)
            }
        }
    }

    /// The backup that leads to a target.
    ///
    /// # Errors
    /// When none does.
    pub fn chosen(&self, target: &DrillTarget) -> Result<(Manifest, Base), PostgresError> {
        let manifest = match (self, target) {
            (_, DrillTarget::Point { backup, .. }) => self.find(backup)?,
            (Self::Repository(repository), DrillTarget::Newest) => {
                repository.newest().map_err(Failure::from)?
            }
            (Self::Repository(repository), DrillTarget::Time { at_ms }) => {
                repository.before(*at_ms).map_err(Failure::from)?
            }
            (Self::Stanza(stanza, backups), target) => {
                let fits = |one: &&Manifest| match target {
                    DrillTarget::Time { at_ms } => one.holds_ms <= *at_ms,
                    DrillTarget::Newest | DrillTarget::Point { .. } => true,
                };
                let found = backups.iter().rev().find(fits);
                let found = found.ok_or_else(|| {
                    let name = stanza.name();
                    PostgresError::NoBackup(match backups.is_empty() {
                        true => format!("stanza `{name}` has no backup"),
                        false => format!("stanza `{name}` has no backup from before that time"),
                    })
                })?;
                known(found)?
            }
        };
        let base = Base::of(&manifest)?;
        Ok((manifest, base))
    }

    /// The log of a cluster. `data`: where a copy of it lies, or is to lie.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn log(&self, system: &str, data: &Path) -> Result<Log, PostgresError> {
        match self {
            Self::Repository(repository) => {
                Ok(Log::Repository(repository.wal(system).map_err(Failure::from)?))
            }
            Self::Stanza(stanza, _) => Ok(Log::Stanza(stanza.archive(system, data)?)),
        }
    }

    /// Keeps a backup from being put away while it is read. A stanza's is kept by nobody: pgBackRest tells when it goes.
    ///
    /// # Errors
    /// The repository's.
    pub fn reading(&self, manifest: &Manifest) -> Result<Option<Reading>, PostgresError> {
        match self {
            Self::Repository(repository) => {
                Ok(Some(repository.reading(manifest).map_err(Failure::from)?))
            }
            Self::Stanza(..) => Ok(None),
        }
    }

    /// Fills a scratch's data directory.
    ///
    /// # Errors
    /// When what is there is damaged, or does not come.
    pub fn fetch(
        &self,
        manifest: &Manifest,
        data: &Path,
        course: &Course,
    ) -> Result<Unpacked, PostgresError> {
        match self {
            Self::Repository(repository) => unpack(repository, manifest, data, course),
            Self::Stanza(stanza, _) => {
                let backup = (&manifest.backup.id, manifest.backup.bytes);
                pgbackrest::restore(stanza, backup, data, course)
            }
        }
    }
}

/// A stanza's backup, if it is known what a copy of it needs.
fn known(manifest: &Manifest) -> Result<Manifest, PostgresError> {
    if manifest.facts.is_empty() {
        return Err(PostgresError::Refused {
            why: format!(
                "backup {} was not made through friday, and none of its cluster was: what a copy needs is not known",
                manifest.backup.id
            ),
            help: Some(
                "once: friday backup. Then those that others make can be drilled, too".to_owned(),
            ),
        });
    }
    Ok(manifest.clone())
}
