//! Opening the journal: making it whole or not at all, and saying clearly what is wrong with it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use friday_core::journal::record::JOURNAL_FORMAT;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{BUSY_TIMEOUT, JOURNAL_FILE, SqliteStore};
use crate::state_directory::make_private;

/// `frdy`: what `file` and SQLite's tools show as the application of the database.
const APPLICATION_ID: i32 = 0x6672_6479;

const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE records (
        seq  INTEGER PRIMARY KEY,
        at   INTEGER NOT NULL,
        prev BLOB    NOT NULL,
        kind TEXT    NOT NULL,
        body TEXT    NOT NULL
    ) STRICT;";

/// Why the journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenJournalError {
    /// There is none, and one was only to be looked at.
    #[error("there is no journal at `{path}`", path = path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// It may not be written.
    #[error("the journal `{path}` may not be written", path = path.display())]
    ReadOnly {
        /// Which.
        path: PathBuf,
    },
    /// It may not even be read.
    #[error("the journal `{path}` may not be read", path = path.display())]
    Denied {
        /// Which.
        path: PathBuf,
    },
    /// Not what friday wrote: cut, overwritten, another program's.
    #[error("the journal `{path}` is damaged: {why}", path = path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A newer friday wrote it.
    #[error(
        "the journal `{path}` has format {found}; this friday knows formats up to {JOURNAL_FORMAT}",
        path = path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Another process holds it for longer than an append takes.
    #[error("the journal `{path}` is kept busy by another process", path = path.display())]
    Busy {
        /// Which.
        path: PathBuf,
    },
    /// Anything else of the file system.
    #[error("the journal `{path}` could not be opened: {why}", path = path.display())]
    Failed {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl OpenJournalError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "`friday push` makes one",
            Self::ReadOnly { .. } => {
                "give whoever runs friday the right to write it; `friday rollback` works without it"
            }
            Self::Denied { .. } => "it belongs to another user",
            Self::Damaged { .. } => {
                "move it away with its `-wal` and `-shm`, and keep it: `friday status` then asks the hosts, and the next push or sweep makes a new journal from what they hold"
            }
            Self::Newer { .. } => "use the newer friday",
            Self::Busy { .. } => "`friday status` shows who is driving",
            Self::Failed { .. } => "see that the disk is there and has room",
        }
    }
}

/// A private copy of a journal whose directory may not be written. Gone when dropped.
#[derive(Debug)]
pub(super) struct Copy {
    directory: PathBuf,
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A leftover in the system's temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub(super) fn open_or_create(directory: &Path) -> Result<SqliteStore, OpenJournalError> {
    let path = directory.join(JOURNAL_FILE);
    if !path.exists() {
        create(directory, &path).map_err(|error| from_io(&path, &error))?;
    }
    // Asked for plainly, because SQLite would open a read-only file and fail at the first append.
    OpenOptions::new().write(true).open(&path).map_err(|error| from_io(&path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(&path, flags).map_err(|error| from_sqlite(&path, &error))?;
    prepare(&connection)
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .map_err(|error| from_sqlite(&path, &error))?;
    check(&connection, &path)?;
    quick_check(&connection, &path)?;
    Ok(SqliteStore { connection, path, _copy: None })
}

pub(super) fn open_read_only(directory: &Path) -> Result<SqliteStore, OpenJournalError> {
    let path = directory.join(JOURNAL_FILE);
    match fs::File::open(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenJournalError::Missing { path });
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(OpenJournalError::Denied { path });
        }
        Err(error) => return Err(from_io(&path, &error)),
    }
    match connect_read_only(&path) {
        Ok(connection) => {
            check(&connection, &path)?;
            Ok(SqliteStore { connection, path, _copy: None })
        }
        // A WAL needs a shared-memory file beside it, which cannot be made here.
        Err(error) if needs_writing(&error) => {
            let (connection, copy) = open_copy(&path)?;
            check(&connection, &path)?;
            Ok(SqliteStore { connection, path, _copy: Some(copy) })
        }
        Err(error) => Err(from_sqlite(&path, &error)),
    }
}

fn connect_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Nothing in the file may make SQLite do anything but hold tables.
    connection.pragma_update(None, "trusted_schema", false)
}

/// Made beside its place and linked into it: a crash leaves no half-made journal, and of two
/// processes that make one, one wins.
fn create(directory: &Path, path: &Path) -> io::Result<()> {
    make_private(directory)?;
    let new = directory.join(format!("{JOURNAL_FILE}.new-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
    let made = fill(&new).map_err(io::Error::other).and_then(|()| {
        fs::File::open(&new)?.sync_all()?;
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    });
    fs::remove_file(&new)?;
    made?;
    fs::File::open(directory)?.sync_all()
}

fn fill(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(SCHEMA)?;
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('format', ?1)",
        [JOURNAL_FORMAT.to_string()],
    )?;
    // Closing takes the WAL back into the file.
    connection.close().map_err(|(_, error)| error)
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenJournalError> {
    let damaged = |why: &str| OpenJournalError::Damaged { path: path.to_owned(), why: why.into() };
    let application: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(|error| from_sqlite(path, &error))?;
    if application != APPLICATION_ID {
        return Err(damaged("it is not a journal of friday"));
    }
    let format: String = connection
        .query_row("SELECT value FROM meta WHERE key = 'format'", [], |row| row.get(0))
        .map_err(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => damaged("it does not say its format"),
            other => from_sqlite(path, &other),
        })?;
    match format.parse::<u32>() {
        Ok(found) if found > JOURNAL_FORMAT => {
            Err(OpenJournalError::Newer { path: path.to_owned(), found })
        }
        Ok(_) => Ok(()),
        Err(_) => Err(damaged("its format is not a number")),
    }
}

/// Sees a cut file and broken pages; changed records are seen by the chain of hashes.
fn quick_check(connection: &Connection, path: &Path) -> Result<(), OpenJournalError> {
    let says: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| from_sqlite(path, &error))?;
    if says == "ok" {
        return Ok(());
    }
    Err(OpenJournalError::Damaged { path: path.to_owned(), why: says })
}

fn needs_writing(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

fn open_copy(path: &Path) -> Result<(Connection, Copy), OpenJournalError> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| OpenJournalError::Failed {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let name = format!("friday-journal-{:016x}", u64::from_be_bytes(random));
    let copy = Copy { directory: std::env::temp_dir().join(name) };
    let place = copy.directory.join(JOURNAL_FILE);
    let copy_all = || -> io::Result<()> {
        make_private(&copy.directory)?;
        let wal = with_suffix(path, "-wal");
        if wal.exists() {
            fs::copy(&wal, with_suffix(&place, "-wal"))?;
        }
        fs::copy(path, &place)?;
        fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o600))
    };
    copy_all().map_err(|error| from_io(path, &error))?;
    let connection = connect_read_only(&place).map_err(|error| from_sqlite(path, &error))?;
    Ok((connection, copy))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn from_io(path: &Path, error: &io::Error) -> OpenJournalError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenJournalError::ReadOnly { path }
        }
        _ => OpenJournalError::Failed { path, why: error.to_string() },
    }
}

fn from_sqlite(path: &Path, error: &rusqlite::Error) -> OpenJournalError {
    let why = if fs::metadata(path).is_ok_and(|found| found.size() == 0) {
        "the file is empty".to_owned()
    } else {
        error.to_string()
    };
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            OpenJournalError::Damaged { path, why }
        }
        Some(ErrorCode::ReadOnly) => OpenJournalError::ReadOnly { path },
        Some(ErrorCode::PermissionDenied) => OpenJournalError::Denied { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenJournalError::Busy { path }
        }
        _ => OpenJournalError::Failed { path, why },
    }
}
