//! A release's tree: built from the store beside the others, verified while it is copied (or just
//! before), and then put in place by one rename. Files share their blocks with the store's where the file
//! system can. Elsewhere the store lends each file to the first tree that wants it, as a hard link, and
//! other trees get copies. So no two trees ever share a file: an application that writes into its own tree
//! changes no other release. It may change what the store lent, which is why the store believes no file
//! without its hash, and why what is lent is hashed while it is copied.

pub mod copy;
pub mod drift;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use friday_wire::{Digest, Entry, EntryKind, Manifest, ReleaseId};

use crate::place::{Place, private_directory, sync_directory, with_suffix};
use crate::store::{ManifestStoreError, RoomError, Store, check_inodes, check_room, is_full};

/// Up to here every file is synced by itself; above, the whole file system once: with many files that
/// is one write of the file system's journal instead of one for each.
const SYNCED_ONE_BY_ONE: usize = 16;

/// Why a tree cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestStoreError),
    /// No room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// A file is not in the store.
    #[error("file `{path}` ({digest}) was not transferred")]
    NotStored {
        /// Where it belongs.
        path: String,
        /// Its hash.
        digest: String,
    },
    /// The store's copy went bad; a build of its own removed it, so that it is sent again.
    #[error(
        "file `{path}` ({digest}) was damaged on this host's disk; stage again to send it anew"
    )]
    Damaged {
        /// Where it belongs.
        path: String,
        /// Its hash.
        digest: String,
    },
    /// A shared path lies under a file or link.
    #[error(
        "shared path `{0}` cannot be linked: something that is not a directory stands in its way"
    )]
    Shared(String),
    /// The disk.
    #[error("`{0}`: {1}")]
    Io(String, io::Error),
}

impl BuildError {
    /// Whether it only lacks room.
    pub fn is_lack_of_room(&self) -> bool {
        match self {
            Self::Room(_) => true,
            Self::Io(_, error) => is_full(error),
            _ => false,
        }
    }
}

/// Builds and verifies a release's tree. One that is there already is verified, and built anew if a
/// file of it was changed.
///
/// # Errors
/// See [`BuildError`]; then nothing stands under the release's name that was not verified.
pub fn build(place: &Place, store: &Store, release: ReleaseId) -> Result<(), BuildError> {
    let manifest = store.manifest(release)?;
    manifest.check().map_err(ManifestStoreError::from)?;
    let home = place.tree(release);
    if home.exists() && is_intact(&home, &manifest) {
        share(place, &home, &manifest)?;
        return Ok(());
    }
    check_room(place, manifest.size())?;
    check_inodes(place, manifest.tree.len() as u64)?;
    let scaffold = with_suffix(&home, ".tmp");
    remove_tree(&scaffold).map_err(|error| failed(&scaffold, error))?;
    private_directory(&scaffold).map_err(|error| failed(&scaffold, error))?;
    let lending = match copy::shares_blocks(&scaffold) {
        true => Lending::NotNeeded,
        false => Lending::ToOneTree,
    };
    let kept = manifest.tree.iter().filter(|entry| !is_shared(&manifest, &entry.path));
    for entry in kept {
        place_entry(place, store, (&scaffold, lending), entry)?;
    }
    share(place, &scaffold, &manifest)?;
    settle(&scaffold, &manifest).map_err(|error| failed(&scaffold, error))?;
    drift::note_built(place, release, &scaffold, &manifest)
        .map_err(|error| failed(&scaffold, error))?;
    put_in_place(&scaffold, &home).map_err(|error| failed(&home, error))
}

/// How a file of the store gets into a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lending {
    /// A copy shares its blocks with the store's, and costs nothing.
    NotNeeded,
    /// The first tree gets the store's own file, every other one a copy.
    ToOneTree,
    /// The tree is nobody's who may keep a file: always a copy, and the store is left as it is.
    Never,
}

/// Copies a release out of `place` into another directory of the same kind: a tree that shares no file with the
/// store, and no directory with what runs. Nothing is made durable, and nothing in `place` is changed.
///
/// # Errors
/// See [`BuildError`]; what was made is left to whoever made the directory.
pub fn copy_apart(
    place: &Place,
    store: &Store,
    manifest: &Manifest,
    to: (&Place, ReleaseId),
) -> Result<(), BuildError> {
    let (apart, release) = to;
    let root = apart.tree(release);
    check_room(place, manifest.size())?;
    check_inodes(place, manifest.tree.len() as u64)?;
    private_directory(&root).map_err(|error| failed(&root, error))?;
    for entry in manifest.tree.iter().filter(|entry| !is_shared(manifest, &entry.path)) {
        place_entry(place, store, (&root, Lending::Never), entry)?;
    }
    share(apart, &root, manifest)
}

fn failed(path: &Path, error: io::Error) -> BuildError {
    BuildError::Io(path.display().to_string(), error)
}

fn put_in_place(scaffold: &Path, home: &Path) -> io::Result<()> {
    if home.exists() {
        let changed = with_suffix(home, ".changed");
        remove_tree(&changed)?;
        fs::rename(home, &changed)?;
        fs::rename(scaffold, home)?;
        remove_tree(&changed)?;
    } else {
        fs::rename(scaffold, home)?;
    }
    home.parent().map_or(Ok(()), sync_directory)
}

/// Whether a path of the tree is replaced by a link to what outlives releases, or lies under one.
pub(crate) fn is_shared(manifest: &Manifest, path: &str) -> bool {
    manifest.run.shared.iter().any(|shared| {
        path == shared
            || path.strip_prefix(shared.as_str()).is_some_and(|rest| rest.starts_with('/'))
    })
}

fn place_entry(
    place: &Place,
    store: &Store,
    (root, lending): (&Path, Lending),
    entry: &Entry,
) -> Result<(), BuildError> {
    let path = root.join(&entry.path);
    let error = |error| BuildError::Io(entry.path.clone(), error);
    match &entry.kind {
        EntryKind::Directory => {
            fs::create_dir(&path).map_err(error)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(error)
        }
        EntryKind::Link { target } => symlink(target, &path).map_err(error),
        EntryKind::File { digest, executable, .. } => {
            let mode = if *executable { 0o755 } else { 0o644 };
            place_file(place, store, (&entry.path, *digest), (&path, lending))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(error)
        }
    }
}

fn place_file(
    place: &Place,
    store: &Store,
    (name, digest): (&str, Digest),
    (to, lending): (&Path, Lending),
) -> Result<(), BuildError> {
    let error = |error| BuildError::Io(name.to_owned(), error);
    let from = place.stored(digest);
    let source = File::open(&from).map_err(|found| match found.kind() {
        io::ErrorKind::NotFound => {
            BuildError::NotStored { path: name.to_owned(), digest: digest.short() }
        }
        _ => error(found),
    })?;
    let found = source.metadata().map_err(error)?;
    // What a tree has may be changed at any moment: nothing that was seen of it before counts.
    let is_lent = found.nlink() > 1;
    let is_verified = !is_lent && store.was_verified(digest, &found);
    // A file system without hard links, or with too many of them: then it is a copy.
    if is_verified && lending == Lending::ToOneTree && fs::hard_link(&from, to).is_ok() {
        return Ok(());
    }
    let target =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(error)?;
    if is_verified {
        return copy::plain(&source, &target, &found).map_err(error);
    }
    if copy::hashing(&source, &target, &found).map_err(error)? != digest {
        if lending != Lending::Never {
            fs::remove_file(&from).map_err(error)?;
        }
        return Err(BuildError::Damaged { path: name.to_owned(), digest: digest.short() });
    }
    Ok(())
}

/// Links each shared path to its directory of the host.
fn share(place: &Place, root: &Path, manifest: &Manifest) -> Result<(), BuildError> {
    for path in &manifest.run.shared {
        let kept = place.join("shared").join(path);
        private_directory(&kept).map_err(|error| failed(&kept, error))?;
        let link = root.join(path);
        if fs::read_link(&link).is_ok_and(|target| target == kept) {
            continue;
        }
        let parent = link.parent().unwrap_or(root);
        fs::create_dir_all(parent).map_err(|_| BuildError::Shared(path.clone()))?;
        symlink(&kept, &link).map_err(|_| BuildError::Shared(path.clone()))?;
    }
    Ok(())
}

/// Makes a tree durable before it gets its name.
fn settle(root: &Path, manifest: &Manifest) -> io::Result<()> {
    if manifest.tree.len() > SYNCED_ONE_BY_ONE {
        return Ok(rustix::fs::syncfs(File::open(root)?)?);
    }
    for entry in manifest.tree.iter().filter(|entry| !is_shared(manifest, &entry.path)) {
        match entry.kind {
            EntryKind::Directory | EntryKind::File { .. } => {
                File::open(root.join(&entry.path))?.sync_all()?;
            }
            EntryKind::Link { .. } => {}
        }
    }
    sync_directory(root)
}

/// Whether every entry is what the manifest says, contents too.
pub fn is_intact(root: &Path, manifest: &Manifest) -> bool {
    manifest.tree.iter().filter(|entry| !is_shared(manifest, &entry.path)).all(|entry| {
        let path = root.join(&entry.path);
        let Ok(found) = fs::symlink_metadata(&path) else { return false };
        match &entry.kind {
            EntryKind::Directory => found.is_dir(),
            EntryKind::Link { target } => {
                fs::read_link(&path).is_ok_and(|link| link == Path::new(target))
            }
            EntryKind::File { digest, size, executable } => {
                found.is_file()
                    && found.len() == *size
                    && (found.permissions().mode() & 0o100 != 0) == *executable
                    && crate::machine::digest_of(&path).is_ok_and(|hash| hash == *digest)
            }
        }
    })
}

/// Removes a tree or file; none there is no error.
///
/// # Errors
/// The system's.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Points `current` to a release's tree, or removes it; atomic and durable.
///
/// # Errors
/// The system's.
pub fn point(place: &Place, to: Option<ReleaseId>) -> io::Result<()> {
    let current = place.join("current");
    match to {
        Some(release) => {
            let fresh = place.join("current.new");
            remove_tree(&fresh)?;
            symlink(PathBuf::from("releases").join(release.to_string()), &fresh)?;
            fs::rename(&fresh, &current)?;
        }
        None => remove_tree(&current)?,
    }
    sync_directory(place.dir())
}

/// Where `current` points, if it points to a release.
pub fn pointed(place: &Place) -> Option<ReleaseId> {
    let target = fs::read_link(place.join("current")).ok()?;
    target.file_name()?.to_str()?.parse().ok().map(ReleaseId)
}

#[cfg(test)]
mod tests;
