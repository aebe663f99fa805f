//! Masking: personal data is taken out of a copy before the copy stays, or before a release sees it.
//!
//! What is said of it is how much was run and how long that took. What it says of people stays on the host.

use serde::{Deserialize, Serialize};

/// What takes personal data out of a copy. It is the team's own, and runs on nothing but a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mask {
    /// Statements of the database's own language. They are one transaction.
    pub sql: String,
}

/// That a copy was masked: all statements were run and committed, and what they replaced is gone from the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    /// Statements run.
    pub statements: u64,
    /// How long it took, milliseconds.
    pub ms: u64,
}
