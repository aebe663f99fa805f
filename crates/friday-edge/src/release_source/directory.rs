//! Walking a directory. Links are taken as links, never followed.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use friday_wire::EntryKind;

use super::{Content, Mode, SourceError, Tree, kind_of, shown_path};

/// Directories deeper than this are not made by people, and paths are limited anyway.
const DEPTH_MAX: usize = 1_024;

/// Reads what lies under `root`, leaving out friday's own directory: it would contain itself.
pub(super) fn read(root: &Path, own: &Path, tree: &mut Tree<'_>) -> Result<(), SourceError> {
    let own = fs::metadata(own).ok().map(|found| (found.dev(), found.ino()));
    let mut todo = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = todo.pop() {
        let unreadable = |source| SourceError::Unreadable { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            let name = entry.file_name();
            let name =
                name.to_str().ok_or_else(|| SourceError::NotUtf8 { path: shown_path(&path) })?;
            let inside =
                if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let found = fs::symlink_metadata(&path)
                .map_err(|source| SourceError::Unreadable { path: path.clone(), source })?;
            if found.is_dir() {
                if own == Some((found.dev(), found.ino())) {
                    continue;
                }
                tree.add(&inside, EntryKind::Directory)?;
                if inside.matches('/').count() >= DEPTH_MAX {
                    return Err(SourceError::Escape { path: inside });
                }
                todo.push((path, inside));
            } else {
                add_leaf(&path, &inside, &found, tree)?;
            }
        }
    }
    Ok(())
}

fn add_leaf(
    path: &Path,
    inside: &str,
    found: &fs::Metadata,
    tree: &mut Tree<'_>,
) -> Result<(), SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    if found.is_symlink() {
        let target = fs::read_link(path).map_err(unreadable)?;
        let target = target
            .to_str()
            .ok_or_else(|| SourceError::NotUtf8 { path: shown_path(&target) })?
            .to_owned();
        return tree.add(inside, EntryKind::Link { target });
    }
    if !found.is_file() {
        return Err(SourceError::Special { path: inside.to_owned(), kind: kind_of(found) });
    }
    // Should it have become a link or a pipe since, opening it must neither follow nor hang.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let mut file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let mode = Mode(found.permissions().mode());
    tree.add_file(inside, Content::File(&mut file, path), mode)
}
