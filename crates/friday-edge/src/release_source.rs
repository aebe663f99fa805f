//! Reading a release: a file, a directory or an archive becomes files in the stock and a manifest.
//!
//! The same files give the same identity whatever their times, their owners and their order. What
//! cannot be the same on every host is refused with its path: links that lead outside, device files,
//! names that are not UTF-8. Whether the release works is not asked here.

mod archive;
mod directory;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use friday_wire::manifest::is_inside;
use friday_wire::{Entry, EntryKind, Manifest, ManifestError, ReleaseId, RunSpec};

use crate::clock;
use crate::last_lines::shown;
use crate::state_directory::whole;
use crate::stock::{Intake, Stock, StockError};

/// What no release is larger than; larger ones are mistakes, or an archive made to fill the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Files, directories and links.
    pub entries: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        Self {
            file_bytes: 16 * GIB,
            total_bytes: 64 * GIB,
            entries: friday_wire::manifest::ENTRIES_MAX,
        }
    }
}

/// A release as read; its files and its manifest are in the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcedRelease {
    /// Its identity.
    pub release: ReleaseId,
    /// What it is.
    pub manifest: Manifest,
}

/// Why a release could not be read. Each names the path.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing there.
    #[error("there is no file or directory at `{path}`", path = path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or directory could not be read.
    #[error("`{path}` could not be read: {source}", path = shown_path(path))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive ends too early or is not one.
    #[error(
        "the archive `{archive}` is cut or damaged: {}",
        shown(&source.to_string()),
        archive = archive.display()
    )]
    Archive {
        /// Which.
        archive: PathBuf,
        /// The decoder's words.
        #[source]
        source: io::Error,
    },
    /// A path that climbs out, is absolute, or is longer than hosts take.
    #[error("path `{path}` does not stay inside the release")]
    Escape {
        /// As it was written.
        path: String,
    },
    /// A name that hosts could not be told.
    #[error("the name `{path}` is not UTF-8")]
    NotUtf8 {
        /// With the strange bytes shown.
        path: String,
    },
    /// Two entries of an archive for one path.
    #[error("path `{path}` stands twice in the archive")]
    Twice {
        /// Which.
        path: String,
    },
    /// A device, a socket, a pipe.
    #[error(
        "`{path}` is a {kind}; a release has only files, directories and links",
        path = shown(path)
    )]
    Special {
        /// Which.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A hard link in an archive to something that is not a file earlier in it.
    #[error(
        "`{path}` is a hard link to `{target}`, which is not a file before it in the archive",
        path = shown(path)
    )]
    HardLink {
        /// Which.
        path: String,
        /// Where it points.
        target: String,
    },
    /// One file is absurdly large.
    #[error("`{path}` is larger than {limit} bytes", path = shown(path))]
    FileTooLarge {
        /// Which.
        path: String,
        /// The limit, bytes.
        limit: u64,
    },
    /// All together are.
    #[error("the release is larger than {limit} bytes; `{path}` was too much", path = shown(path))]
    TooLarge {
        /// Where the limit was met.
        path: String,
        /// The limit, bytes.
        limit: u64,
    },
    /// Too many files.
    #[error("the release has more than {limit} files and directories")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Files are fine one by one and no release together.
    #[error("{}", shown(&.0.to_string()))]
    Manifest(ManifestError),
    /// Storing failed.
    #[error(transparent)]
    Stock(StockError),
}

impl SourceError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "`release.path` names what is shipped; was it built?",
            Self::Unreadable { .. } => "it must be readable by whoever runs friday",
            Self::Archive { .. } => "make the archive again",
            Self::Escape { .. } | Self::Twice { .. } | Self::HardLink { .. } => {
                "make the archive from inside the directory: `tar -C dist -cf dist.tar .`"
            }
            Self::NotUtf8 { .. } => "rename it",
            Self::Special { .. } => "leave it out of the release",
            Self::FileTooLarge { .. } | Self::TooLarge { .. } | Self::TooMany { .. } => {
                "a release is what is run, not the data; see `shared` for directories that stay on hosts"
            }
            Self::Manifest(ManifestError::Empty) => {
                "was it built? `release.path` names what is shipped"
            }
            Self::Manifest(ManifestError::Escape { .. } | ManifestError::Circle(_)) => {
                "links in a release are relative and end at something inside it"
            }
            Self::Manifest(_) => "see the path named",
            Self::Stock(_) => "see that the disk has room",
        }
    }
}

/// Reads the release at a path into the stock.
///
/// # Errors
/// See [`SourceError`]. Then the stock is as it was.
pub fn read_release(
    path: &Path,
    run: RunSpec,
    label: &str,
    stock: &Stock,
    limits: &SourceLimits,
) -> Result<SourcedRelease, SourceError> {
    let found = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: path.to_owned() },
        _ => SourceError::Unreadable { path: path.to_owned(), source },
    })?;
    let mut tree = Tree::new(stock, limits)?;
    if found.is_dir() {
        directory::read(path, whole(stock.state_path()), &mut tree)?;
    } else if !found.is_file() {
        return Err(SourceError::Special { path: shown_path(path), kind: kind_of(&found) });
    } else if let Some(packing) = archive::Packing::of(path) {
        archive::read(path, packing, &mut tree)?;
    } else {
        single(path, found.permissions().mode(), &mut tree)?;
    }
    tree.into_release(run, label, stock)
}

fn single(path: &Path, mode: u32, tree: &mut Tree<'_>) -> Result<(), SourceError> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| SourceError::NotUtf8 { path: shown_path(path) })?;
    let mut file = File::open(path)
        .map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?;
    tree.add_file(name, Content::File(&mut file, path), Mode(mode))
}

/// What a file's bytes come from.
enum Content<'a> {
    /// A file on disk, which can be read twice.
    File(&'a mut File, &'a Path),
    /// A stream of this archive.
    Stream(&'a mut dyn io::Read, &'a Path),
}

/// Permission bits as stored.
#[derive(Clone, Copy)]
struct Mode(u32);

impl Mode {
    fn is_executable(self) -> bool {
        self.0 & 0o111 != 0
    }
}

/// The tree as far as it was read.
struct Tree<'a> {
    entries: BTreeMap<String, EntryKind>,
    intake: Intake<'a>,
    limits: &'a SourceLimits,
    bytes: u64,
}

impl<'a> Tree<'a> {
    fn new(stock: &'a Stock, limits: &'a SourceLimits) -> Result<Self, SourceError> {
        let intake = stock.intake().map_err(SourceError::Stock)?;
        Ok(Self { entries: BTreeMap::new(), intake, limits, bytes: 0 })
    }

    fn add_file(
        &mut self,
        path: &str,
        content: Content<'_>,
        mode: Mode,
    ) -> Result<(), SourceError> {
        use crate::stock::IntakeError;
        let room = self.limits.total_bytes.saturating_sub(self.bytes);
        let most = room.min(self.limits.file_bytes);
        let (taken, from) = match content {
            Content::File(file, from) => (self.intake.take_file(file, most), Ok(from)),
            Content::Stream(stream, archive) => (self.intake.take(stream, most), Err(archive)),
        };
        let (digest, size) = taken.map_err(|error| match (error, from) {
            (IntakeError::Read(source), Ok(path)) => {
                SourceError::Unreadable { path: path.to_owned(), source }
            }
            (IntakeError::Read(source), Err(archive)) => {
                SourceError::Archive { archive: archive.to_owned(), source }
            }
            (IntakeError::TooLong, _) => self.too_large(path, most),
            (IntakeError::Stock(error), _) => SourceError::Stock(error),
        })?;
        self.bytes += size;
        self.add(path, EntryKind::File { digest, size, executable: mode.is_executable() })
    }

    fn add(&mut self, path: &str, kind: EntryKind) -> Result<(), SourceError> {
        if !is_inside(path) {
            return Err(SourceError::Escape { path: shown(path) });
        }
        if self.entries.len() >= self.limits.entries {
            return Err(SourceError::TooMany { limit: self.limits.entries });
        }
        let both_directories = kind == EntryKind::Directory;
        match self.entries.insert(path.to_owned(), kind) {
            None => Ok(()),
            Some(EntryKind::Directory) if both_directories => Ok(()),
            Some(_) => Err(SourceError::Twice { path: shown(path) }),
        }
    }

    fn too_large(&self, path: &str, most: u64) -> SourceError {
        let path = shown(path);
        if most < self.limits.file_bytes {
            return SourceError::TooLarge { path, limit: self.limits.total_bytes };
        }
        SourceError::FileTooLarge { path, limit: self.limits.file_bytes }
    }

    fn into_release(
        self,
        run: RunSpec,
        label: &str,
        stock: &Stock,
    ) -> Result<SourcedRelease, SourceError> {
        let tree = self.entries.into_iter().map(|(path, kind)| Entry { path, kind }).collect();
        let manifest = Manifest { tree, run };
        manifest.check().map_err(SourceError::Manifest)?;
        self.intake.finish().map_err(SourceError::Stock)?;
        let release = stock.note(&manifest, label, clock::now()).map_err(SourceError::Stock)?;
        Ok(SourcedRelease { release, manifest })
    }
}

fn shown_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    shown_bytes(path.as_os_str().as_bytes())
}

/// Bytes that should be text, with those that are not as `\xNN`.
fn shown_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&shown(chunk.valid()));
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out
}

fn kind_of(found: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = found.file_type();
    if kind.is_fifo() {
        "named pipe"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_block_device() || kind.is_char_device() {
        "device"
    } else {
        "thing of an unknown kind"
    }
}

#[cfg(test)]
mod tests;
