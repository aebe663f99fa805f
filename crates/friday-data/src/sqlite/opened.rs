//! A copy that a release may write to: a backup's file in a directory of its own.
//!
//! Our own looks at it must change nothing there: a checkpoint is the release's.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use friday_wire::data::{
    CopyAddress, CopySeen, DataPhase, DrillTarget, Invariant, Judged, Mask, OpenedCopy,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::drill::{fetch, meant};
use super::live::waiting;
use super::watching::Watching;
use super::{LOCK_PATIENCE, OBJECT, SqliteError, check, judge, mask, schema};
use crate::course::Course;
use crate::failure::Failure;
use crate::place;
use crate::request::Setting;
use crate::room;

/// The copy. Dropped, it goes.
pub struct SqliteCopy {
    watching: Watching,
    file: PathBuf,
    shape: Shape,
    // Goes last.
    #[expect(dead_code, reason = "removes the directory when it is dropped")]
    dir: Directory,
}

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // What stays is put away by the next drill or rehearsal.
        let _ = place::remove(&self.0);
    }
}

/// What every write to a database changes: the file or its log, by number, length and time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    file: Option<Facts>,
    log: Option<Facts>,
}

type Facts = (u64, u64, (i64, i64));

impl Shape {
    fn of(file: &Path) -> Self {
        let facts = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            // Who reads makes an empty log, too.
            (found.len() > 0)
                .then(|| (found.ino(), found.len(), (found.mtime(), found.mtime_nsec())))
        };
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        Self { file: facts(file), log: facts(Path::new(&log)) }
    }
}

impl SqliteCopy {
    /// Makes one from a backup. Whoever asks holds the lock, and nothing lies there.
    ///
    /// # Errors
    /// Why not; nothing is left then.
    pub fn open(
        live: &str,
        target: &DrillTarget,
        mask: Option<&Mask>,
        setting: &Setting<'_>,
    ) -> Result<(Self, OpenedCopy), Failure> {
        let path = setting.place.rehearsal_path();
        place::private(&path)?;
        let dir = Directory(path);
        // As the live one is called, so that people know it when they see it.
        let name = Path::new(live).file_name().unwrap_or(OBJECT.as_ref());
        let file = dir.0.canonicalize().unwrap_or_else(|_| dir.0.clone()).join(name);
        let repository = setting.repository()?;
        let (manifest, object) = meant(target, &repository)?;
        let _reading = repository.reading(&manifest)?;
        room::ask(&dir.0, object.plain_bytes)?;
        setting.course.enter(DataPhase::Fetch);
        fetch(&repository, &manifest, &object, &file, setting.course)?;
        let masked = mask.map(|mask| mask::mask(&file, mask, setting.course)).transpose()?;
        let watching = Watching::begin(&file).map_err(|error| failed(&file, error))?;
        let copy = Self { watching, shape: Shape::of(&file), file, dir };
        // A file that is no database is said now.
        copy.schema(setting.course)?;
        let told = OpenedCopy {
            backup: manifest.backup.id,
            reached: manifest.backup.position,
            address: CopyAddress::Sqlite { path: copy.file.display().to_string() },
            bytes: object.plain_bytes,
            masked,
        };
        Ok((copy, told))
    }

    /// What was seen of it since the last look.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub fn watched(&mut self, setting: &Setting<'_>) -> Result<CopySeen, Failure> {
        let shape = Shape::of(&self.file);
        let written = shape != self.shape;
        self.shape = shape;
        let schema = self.schema(setting.course)?;
        let seen = self.watching.take();
        // Who wrote was there, also where the system did not say so.
        let visited = seen.visited || written;
        Ok(CopySeen { schema, written, visited, locks: seen.locks })
    }

    /// Asks it what must hold.
    ///
    /// # Errors
    /// When it cannot be asked at all.
    pub fn judge(
        &mut self,
        invariants: &[Invariant],
        setting: &Setting<'_>,
    ) -> Result<Vec<Judged>, Failure> {
        let mut connection = self.connect(setting.course)?;
        Ok(judge::opened(&self.file, &mut connection, invariants, setting)?)
    }

    fn schema(&self, course: &Course) -> Result<friday_wire::Digest, SqliteError> {
        let connection = self.connect(course)?;
        schema::digest(&connection).map_err(|error| check::stopped_or(&self.file, error, course))
    }

    /// In a read transaction, at one moment. A connection that may write mends what a killed release left, as the
    /// next release would.
    fn connect(&self, course: &Course) -> Result<Connection, SqliteError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let failed =
            |error: rusqlite::Error| SqliteError::Sqlite(self.file.display().to_string(), error);
        let opened = self.watching.ours(|| Connection::open_with_flags(&self.file, flags));
        let connection = opened.map_err(failed)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .and_then(|_| connection.execute_batch("PRAGMA query_only = ON"))
            .map_err(failed)?;
        let watch = course.watch().within(LOCK_PATIENCE);
        waiting(&self.file, &watch, course, || {
            let begun = connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;");
            begun.inspect_err(|_| {
                let _ = connection.execute_batch("ROLLBACK");
            })
        })?;
        Ok(connection)
    }
}

fn failed(path: &Path, error: io::Error) -> SqliteError {
    SqliteError::File(path.display().to_string(), error)
}
