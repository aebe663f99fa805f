//! A record: one event with its number, time and the hash of the record before.

use friday_wire::{Digest, Witness};

use super::event::Event;
use crate::release::digest;
use crate::time::Timestamp;

/// The format of the journal this build writes. Older ones load for ever; a newer one is refused.
pub const JOURNAL_FORMAT: u32 = 1;

/// The longest body of a record, bytes.
pub const BODY_LEN_MAX: usize = 16 * 1024 * 1024;

/// Where a journal ends: the last record's number and hash. An empty journal ends at
/// [`Position::START`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The last record's number; the first record has 1.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Position {
    /// Before the first record.
    pub const START: Self = Self { seq: 0, hash: Digest([0; 32]) };

    /// As hosts keep it.
    pub fn witness(&self) -> Witness {
        Witness { seq: self.seq, hash: self.hash }
    }
}

/// One record as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When the event was decided.
    pub at: Timestamp,
    /// Hash of the record before; all zero for the first.
    pub prev: Digest,
    /// The event's kind, in snake_case; also in the body.
    pub kind: String,
    /// The event as JSON.
    pub body: String,
}

/// A record that cannot be what friday wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Its number is not the one after the last.
    #[error("record {found} stands where record {expected} belongs")]
    Number {
        /// What should stand there.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// It does not name the hash of the record before.
    #[error("record {0} does not follow from the record before it: one of them was changed")]
    Chain(u64),
    /// Its body is no event this version knows.
    #[error("record {seq} (`{kind}`) is not an event this version of friday knows: {why}")]
    Event {
        /// Which.
        seq: u64,
        /// Its kind.
        kind: String,
        /// The parser's words.
        why: String,
    },
    /// The event cannot follow from what came before it.
    #[error("record {seq} (`{kind}`) cannot follow from the records before it: {why}")]
    Illegal {
        /// Which.
        seq: u64,
        /// Its kind.
        kind: String,
        /// Why not.
        why: String,
    },
}

impl Record {
    /// The record that carries an event after a position.
    pub fn after(position: &Position, at: Timestamp, event: &Event) -> Self {
        // Events hold strings, numbers and maps with string keys only; none of them can fail.
        let body = serde_json::to_string(event).unwrap_or_default();
        Self { seq: position.seq + 1, at, prev: position.hash, kind: event.kind(), body }
    }

    /// BLAKE3 over number and time (8 bytes each, big-endian), the previous hash (32 bytes), and kind
    /// and body, each after its length (8 bytes, big-endian).
    pub fn hash(&self) -> Digest {
        let mut bytes = Vec::with_capacity(64 + self.kind.len() + self.body.len());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.at.0.to_be_bytes());
        bytes.extend_from_slice(&self.prev.0);
        for text in [&self.kind, &self.body] {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        digest(&bytes)
    }

    /// Where the journal ends with this record.
    pub fn position(&self) -> Position {
        Position { seq: self.seq, hash: self.hash() }
    }

    /// Checks that it follows a position, and parses its event.
    ///
    /// # Errors
    /// `Number`, `Chain` or `Event`.
    pub fn open(&self, after: &Position) -> Result<Event, RecordError> {
        if self.seq != after.seq + 1 {
            return Err(RecordError::Number { expected: after.seq + 1, found: self.seq });
        }
        if self.prev != after.hash {
            return Err(RecordError::Chain(self.seq));
        }
        self.event()
    }

    /// Parses its event.
    ///
    /// # Errors
    /// `Event`.
    pub fn event(&self) -> Result<Event, RecordError> {
        serde_json::from_str(&self.body).map_err(|error| RecordError::Event {
            seq: self.seq,
            kind: self.kind.clone(),
            why: error.to_string(),
        })
    }
}
