//! What is written down of a backup. The last file that is written: without it there is no backup.

use std::collections::BTreeMap;
use std::io;

use friday_wire::data::{Backup, RestorePoint};
use friday_wire::{DatabaseName, Digest, FleetName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shelf::Shelf;

/// The file in a backup's directory.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Raised when an older program could misread it.
pub const MANIFEST_FORMAT: u32 = 1;

/// A backup: what it is, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`] of who wrote it.
    pub format: u32,
    /// Whose.
    pub fleet: FleetName,
    /// Of which database.
    pub database: DatabaseName,
    /// Rises with each backup: which one is newer does not depend on a clock.
    pub number: u64,
    /// As it is told.
    pub backup: Backup,
    /// The moment that it holds, milliseconds since 1970, by the host's clock.
    pub holds_ms: u64,
    /// The restore point that it was made for.
    pub point: Option<RestorePoint>,
    /// What it is made of, in the order stored.
    pub objects: Vec<Object>,
    /// What else its engine needs to know for a restore.
    pub facts: BTreeMap<String, String>,
}

/// A file of a backup, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// What it is to its engine: `database.sqlite`.
    pub name: String,
    /// Its file in the backup's directory.
    pub file: String,
    /// Bytes before it was stored.
    pub plain_bytes: u64,
    /// BLAKE3 of those.
    pub plain: Digest,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// BLAKE3 of those.
    pub stored: Digest,
}

/// On disk: the manifest and its own hash.
#[derive(Deserialize)]
struct Sealed {
    body: Value,
    digest: Digest,
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is none: no backup.
    #[error("there is no manifest")]
    Absent,
    /// The system's.
    #[error("its manifest cannot be read")]
    Io(#[source] io::Error),
    /// Not what was written.
    #[error("its manifest is damaged ({0})")]
    Damaged(String),
    /// A newer program wrote it.
    #[error("its manifest has format {0}, and this program knows formats up to {MANIFEST_FORMAT}")]
    Newer(u64),
}

impl Manifest {
    /// Writes it into a backup's directory, so that it is there whole or not at all, also after a power cut.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, dir: &Shelf) -> io::Result<()> {
        let body = serde_json::to_value(self)?;
        let digest = digest_of(&body);
        let text =
            serde_json::to_vec_pretty(&serde_json::json!({ "body": body, "digest": digest }))?;
        dir.write(MANIFEST_FILE, &text)
    }

    /// Reads it.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(dir: &Shelf) -> Result<Self, ManifestError> {
        let text = dir.read(MANIFEST_FILE).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ManifestError::Absent,
            _ => ManifestError::Io(error),
        })?;
        let damaged = |error: serde_json::Error| ManifestError::Damaged(error.to_string());
        let sealed: Sealed = serde_json::from_slice(&text).map_err(damaged)?;
        if digest_of(&sealed.body) != sealed.digest {
            return Err(ManifestError::Damaged("it has another hash than was written".to_owned()));
        }
        let format = sealed.body.get("format").and_then(Value::as_u64).unwrap_or(0);
        if format > u64::from(MANIFEST_FORMAT) {
            return Err(ManifestError::Newer(format));
        }
        serde_json::from_value(sealed.body).map_err(damaged)
    }

    /// An object by what it is to its engine.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name == name)
    }
}

/// Of the text as `serde_json` prints a value, which is the same for the same value.
fn digest_of(body: &Value) -> Digest {
    Digest(*blake3::hash(body.to_string().as_bytes()).as_bytes())
}
