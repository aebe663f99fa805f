//! The team's key: backups are encrypted to it, and cannot be read without it.

use std::str::FromStr;

use age::x25519;
use friday_wire::data::Hidden;

/// An identity of age.
#[derive(Clone)]
pub struct Key {
    identity: x25519::Identity,
}

/// Text that is no key. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the repository's key is not an identity of age (AGE-SECRET-KEY-1…)")]
pub struct NotAKey;

impl Key {
    /// Reads it as `age-keygen` prints it: lines of comment may stand around it.
    ///
    /// # Errors
    /// Where no line is an identity.
    pub fn read(text: &Hidden) -> Result<Self, NotAKey> {
        let mut lines = text.expose().lines().map(str::trim);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with('#')).ok_or(NotAKey)?;
        let identity = x25519::Identity::from_str(line).map_err(|_| NotAKey)?;
        Ok(Self { identity })
    }

    /// What is encrypted to.
    pub fn recipient(&self) -> x25519::Recipient {
        self.identity.to_public()
    }

    /// What decrypts.
    pub fn identity(&self) -> &x25519::Identity {
        &self.identity
    }
}
