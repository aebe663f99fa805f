//! The last good copy of each feed, in one file: a hash, one line about it, its bytes.
//!
//! A file that is not what was written is told, and not used. A copy of another URL is no copy.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use friday_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::FEED_LEN_MAX;
use super::{Feed, Validators};
use crate::state_directory::make_private;

/// What stands before the bytes is at most as long.
const HEAD_LEN_MAX: u64 = 16 * 1024;

/// A clock that was set back may make a copy look as new; later than this it is from a time that was not.
const AHEAD_MAX_MS: u64 = 5 * 60 * 1_000;

/// The length of a hash in hexadecimal digits.
const HASH_LEN: usize = 64;

/// Why a copy cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system.
    #[error("the copy in `{path}` cannot be kept or read: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what was written.
    #[error("the copy in `{path}` is damaged: {why}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// `its hash does not fit`.
        why: &'static str,
    },
}

/// The line about a copy.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    /// Of the URL it came from, which is not said.
    url: String,
    fetched_at: Timestamp,
    etag: Option<String>,
    last_modified: Option<String>,
    bytes: u64,
}

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How the server knows it.
    pub validators: Validators,
    /// When it was last seen to be so.
    pub fetched_at: Timestamp,
}

/// What is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// How the server knows it.
    pub validators: &'a Validators,
    /// When it was seen to be so.
    pub fetched_at: Timestamp,
}

/// Copies in a directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FeedCache {
    directory: PathBuf,
}

impl FeedCache {
    /// The copies in this directory, which is made, 0700.
    ///
    /// # Errors
    /// `File`.
    pub fn open(directory: &Path) -> Result<Self, CacheError> {
        make_private(directory)
            .map_err(|source| CacheError::File { path: directory.to_owned(), source })?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Keeps a copy, whole or not at all, 0600.
    ///
    /// # Errors
    /// `File`.
    pub fn keep(&self, feed: &Feed, copy: &Kept<'_>) -> Result<(), CacheError> {
        let path = self.path(feed);
        let head = Head {
            version: 1,
            url: url_hash(feed),
            fetched_at: copy.fetched_at,
            etag: copy.validators.etag.clone(),
            last_modified: copy.validators.last_modified.clone(),
            bytes: copy.bytes.len() as u64,
        };
        let write = || -> io::Result<()> {
            let mut rest = serde_json::to_vec(&head).map_err(io::Error::other)?;
            rest.push(b'\n');
            rest.extend_from_slice(copy.bytes);
            // Two processes that fetch at once must not write into one file.
            let new = path.with_extension(format!("{}.new", std::process::id()));
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            writeln!(file, "{}", blake3::hash(&rest).to_hex())?;
            file.write_all(&rest)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| CacheError::File { path: path.clone(), source })
    }

    /// The copy of a feed; `None`: there is none of this URL.
    ///
    /// # Errors
    /// `File`, `Damaged`.
    pub fn load(&self, feed: &Feed, now: Timestamp) -> Result<Option<Cached>, CacheError> {
        let path = self.path(feed);
        let damaged = |why| CacheError::Damaged { path: path.clone(), why };
        let failed = |source| CacheError::File { path: path.clone(), source };
        let most = HASH_LEN as u64 + 1 + HEAD_LEN_MAX + FEED_LEN_MAX;
        let bytes = match fs::metadata(&path) {
            Ok(found) if found.len() > most => return Err(damaged("it is too long")),
            Ok(_) => fs::read(&path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if bytes.get(HASH_LEN) != Some(&b'\n') {
            return Err(damaged("it is cut"));
        }
        let (hash, rest) = (&bytes[..HASH_LEN], &bytes[HASH_LEN + 1..]);
        if blake3::hash(rest).to_hex().as_bytes() != hash {
            return Err(damaged("its hash does not fit"));
        }
        let end =
            rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut"))?;
        let head: Head =
            serde_json::from_slice(&rest[..end]).map_err(|_| damaged("it cannot be read"))?;
        let body = &rest[end + 1..];
        if head.version != 1 || head.bytes != body.len() as u64 {
            return Err(damaged("it is of another version"));
        }
        if head.url != url_hash(feed) {
            return Ok(None);
        }
        if head.fetched_at.since_ms(now) > AHEAD_MAX_MS {
            return Err(damaged("it is from a time that is not yet"));
        }
        let validators = Validators { etag: head.etag, last_modified: head.last_modified };
        Ok(Some(Cached { bytes: body.to_vec(), validators, fetched_at: head.fetched_at }))
    }

    fn path(&self, feed: &Feed) -> PathBuf {
        // A name is a person's word: no part of it names a file.
        let name = blake3::hash(feed.name.as_bytes()).to_hex();
        self.directory.join(format!("{}.feed", &name[..32]))
    }
}

fn url_hash(feed: &Feed) -> String {
    blake3::hash(feed.url.expose().as_bytes()).to_hex().to_string()
}
