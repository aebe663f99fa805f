//! A backup that is being made. Dropped before it is finished, it goes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use friday_wire::BackupId;
use friday_wire::data::{Backup, Position, RestorePoint};

use super::lease::Alone;
use super::manifest::{MANIFEST_FILE, MANIFEST_FORMAT, Manifest, Object};
use super::shelf::Shelf;
use super::{Repository, RepositoryError, object};
use crate::clock;
use crate::course::{self, Course};

/// A name is tried so often: two that began in one second have one chance in 16 million to meet.
const TRIES: usize = 8;

/// What its engine says of a backup when all objects are stored.
#[derive(Debug)]
pub struct Finished {
    /// Where it can be returned to.
    pub position: Position,
    /// The engine's version.
    pub engine_version: String,
    /// The moment that it holds, milliseconds since 1970.
    pub holds_ms: u64,
    /// The restore point that it is made for.
    pub point: Option<String>,
    /// What else a restore needs to know.
    pub facts: BTreeMap<String, String>,
}

/// A backup that is being made.
pub struct Draft<'r> {
    repository: &'r Repository,
    id: BackupId,
    dir: Shelf,
    began_at_ms: u64,
    began: std::time::Instant,
    objects: Vec<Object>,
    // Goes after the directory: `drop` runs first.
    alone: Option<Alone>,
}

impl Repository {
    /// Begins a backup.
    ///
    /// # Errors
    /// The system's.
    pub fn begin(&self) -> Result<Draft<'_>, RepositoryError> {
        let began_at_ms = clock::now_ms();
        for _ in 0..TRIES {
            let id = BackupId::new(format!("{}-{}", clock::stamp(began_at_ms), suffix()?));
            let dir = self.backups().below(id.as_str());
            let failed = |error: io::Error| RepositoryError::Write(dir.shown(""), error);
            match dir.make() {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(failed)?,
            }
            // Whoever put it away as a leftover between the two lines has made it nobody's.
            let Ok(Some(alone)) = Alone::begin(&dir) else { continue };
            return Ok(Draft {
                repository: self,
                id,
                dir,
                began_at_ms,
                began: std::time::Instant::now(),
                objects: Vec::new(),
                alone: Some(alone),
            });
        }
        Err(RepositoryError::Busy("to be".to_owned()))
    }
}

impl Draft<'_> {
    /// Which it will be.
    pub fn id(&self) -> &BackupId {
        &self.id
    }

    /// Stores an object: `source` to its end. `of`: so many bytes are awaited, for people.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn store(
        &mut self,
        name: &str,
        source: &mut dyn Read,
        of: Option<u64>,
        course: &Course,
    ) -> Result<Object, RepositoryError> {
        let key = self.repository.key.as_ref();
        let object = object::store(&self.dir, name, key, source, of, course)?;
        self.objects.push(object.clone());
        Ok(object)
    }

    /// Writes the manifest: from now on there is a backup.
    ///
    /// # Errors
    /// The system's; nothing is left then.
    pub fn finish(mut self, finished: Finished) -> Result<Manifest, RepositoryError> {
        let listing = self.repository.list()?;
        let number = listing.backups.last().map_or(0, |newest| newest.number) + 1;
        let took_ms = course::ms(self.began.elapsed());
        let Finished { position, engine_version, holds_ms, point, facts } = finished;
        let backup = Backup {
            id: self.id.clone(),
            point: point.clone(),
            began_at_ms: self.began_at_ms,
            took_ms,
            bytes: self.objects.iter().map(|object| object.plain_bytes).sum(),
            stored: self.objects.iter().map(|object| object.stored_bytes).sum(),
            position: position.clone(),
            engine_version,
            encrypted: self.repository.key.is_some(),
        };
        let point = point.map(|name| RestorePoint {
            name,
            at_ms: holds_ms,
            position,
            backup: self.id.clone(),
            durable_ms: (self.began_at_ms + took_ms).saturating_sub(holds_ms),
        });
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            fleet: self.repository.fleet.clone(),
            database: self.repository.database.clone(),
            number,
            backup,
            holds_ms,
            point,
            objects: std::mem::take(&mut self.objects),
            facts,
        };
        let failed = |error: io::Error| RepositoryError::Write(self.dir.shown(""), error);
        // The directory's own name must be on disk before its manifest says that it is a backup.
        self.repository.backups().sync().map_err(failed)?;
        manifest.write(&self.dir).map_err(failed)?;
        self.alone = None;
        Ok(manifest)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.alone.is_some() {
            // What stays has no manifest, and is put away with the next backup.
            let _ = put_away(&self.dir.tidying());
        }
    }
}

/// Removes a backup's directory, its manifest first: what is left half removed is no backup.
pub(super) fn put_away(dir: &Shelf) -> io::Result<()> {
    dir.remove(MANIFEST_FILE)?;
    dir.remove_all()
}

fn suffix() -> Result<String, RepositoryError> {
    let mut bytes = [0_u8; 3];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(RepositoryError::Source)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
