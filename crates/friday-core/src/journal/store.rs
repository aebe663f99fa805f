//! Where records are appended: the one trait of core, implemented by the SQLite file and by the
//! simulated disk.

use super::record::{Position, Record};

/// Why an append did not, or may not, have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The journal no longer ends where the caller thought: somebody else appended. Read the tail and
    /// decide again. Nothing was written.
    #[error("another process appended to the journal")]
    Moved,
    /// Nothing was written.
    #[error("the journal could not be written: {0}")]
    Failed(String),
    /// Whether it was written is not known: read the tail first.
    #[error("it is not known whether the journal was written: {0}")]
    Unknown(String),
}

/// Why the journal could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file or its format.
    #[error("the journal could not be read: {0}")]
    Failed(String),
}

/// A place for records.
pub trait Store {
    /// Appends one turn's records, all or none, if the journal ends at `after`; returns when they are
    /// durable.
    ///
    /// # Errors
    /// See [`AppendError`].
    fn append(&mut self, after: &Position, records: &[Record]) -> Result<(), AppendError>;

    /// All records with a higher number.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn read_after(&mut self, seq: u64) -> Result<Vec<Record>, ReadError>;
}
