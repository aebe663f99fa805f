//! The journal as an SQLite file, `.friday/journal.db`: the default that needs no server.
//!
//! One table of records; an append is one transaction that compares and swaps on the last record, so
//! that two processes can never both extend the same journal. WAL with `synchronous=FULL`: when an
//! append returns, it is on disk. This module must not know what events mean.

mod opening;

use std::path::{Path, PathBuf};
use std::time::Duration;

use friday_core::journal::record::BODY_LEN_MAX;
use friday_core::journal::{AppendError, Position, ReadError, Record, Store};
use friday_core::time::Timestamp;
use friday_wire::Digest;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

pub use opening::OpenJournalError;

/// The file's name.
pub const JOURNAL_FILE: &str = "journal.db";

/// How long one process waits for another's append. Appends take milliseconds; a rollback that cannot
/// append goes on without the journal, and must not wait long to know.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

const SELECT_LAST: &str = "SELECT seq, at, prev, kind, body FROM records ORDER BY seq DESC LIMIT 1";

/// A journal in a file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    // Removed with the store: the copy that a read-only directory forced us to make.
    _copy: Option<opening::Copy>,
}

impl SqliteStore {
    /// Opens the journal in friday's directory, making an empty one where there is none.
    ///
    /// # Errors
    /// See [`OpenJournalError`].
    pub fn open_or_create(directory: &Path) -> Result<Self, OpenJournalError> {
        opening::open_or_create(directory)
    }

    /// Opens it for looking only. Works in a directory, and on a file, that may not be written.
    ///
    /// # Errors
    /// See [`OpenJournalError`].
    pub fn open_read_only(directory: &Path) -> Result<Self, OpenJournalError> {
        opening::open_read_only(directory)
    }

    /// A number that changes when another process appended: cheaper than reading the tail.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn data_version(&self) -> Result<i64, ReadError> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(|error| self.unreadable(&error))
    }

    /// Where it ends, as stored now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_position(&self) -> Result<Position, ReadError> {
        last_position(&self.connection).map_err(|error| self.unreadable(&error))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn unreadable(&self, error: &rusqlite::Error) -> ReadError {
        ReadError::Failed(format!("`{}`: {error}", self.path.display()))
    }
}

impl Store for SqliteStore {
    fn append(&mut self, after: &Position, records: &[Record]) -> Result<(), AppendError> {
        let failed = |error: rusqlite::Error| AppendError::Failed(error.to_string());
        check_batch(after, records)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        if last_position(&transaction).map_err(failed)? != *after {
            return Err(AppendError::Moved);
        }
        insert(&transaction, records).map_err(failed)?;
        // Past this point the bytes may be on disk whatever the error says.
        transaction.commit().map_err(|error| AppendError::Unknown(error.to_string()))
    }

    fn read_after(&mut self, seq: u64) -> Result<Vec<Record>, ReadError> {
        let read = || -> rusqlite::Result<Vec<Record>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT seq, at, prev, kind, body FROM records WHERE seq > ?1 ORDER BY seq",
            )?;
            let seq = i64::try_from(seq).unwrap_or(i64::MAX);
            statement.query_map([seq], record_from)?.collect()
        };
        read().map_err(|error| self.unreadable(&error))
    }
}

/// What would make the file unreadable later must not be written now.
fn check_batch(after: &Position, records: &[Record]) -> Result<(), AppendError> {
    let mut position = after.clone();
    for record in records {
        if record.seq != position.seq + 1 || record.prev != position.hash {
            let why = format!("record {} does not follow record {}", record.seq, position.seq);
            return Err(AppendError::Failed(why));
        }
        if record.body.len() > BODY_LEN_MAX {
            let why = format!("record {} is longer than {BODY_LEN_MAX} bytes", record.seq);
            return Err(AppendError::Failed(why));
        }
        position = record.position();
    }
    Ok(())
}

fn insert(connection: &Connection, records: &[Record]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO records (seq, at, prev, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for record in records {
        let seq = i64::try_from(record.seq).map_err(|_| rusqlite::Error::InvalidQuery)?;
        statement.execute(params![seq, record.at.0, record.prev.0, record.kind, record.body])?;
    }
    Ok(())
}

fn last_position(connection: &Connection) -> rusqlite::Result<Position> {
    let last = connection.prepare_cached(SELECT_LAST)?.query_row([], record_from).optional()?;
    Ok(last.map_or(Position::START, |record| record.position()))
}

fn record_from(row: &Row<'_>) -> rusqlite::Result<Record> {
    let seq: i64 = row.get(0)?;
    let out_of_range = || rusqlite::Error::IntegralValueOutOfRange(0, seq);
    Ok(Record {
        seq: u64::try_from(seq).map_err(|_| out_of_range())?,
        at: Timestamp(row.get(1)?),
        prev: Digest(row.get(2)?),
        kind: row.get(3)?,
        body: row.get(4)?,
    })
}
