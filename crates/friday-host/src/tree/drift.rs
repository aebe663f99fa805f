//! Drift: what stands on the host is not what the state says. A cheap look, made with every
//! observation: sizes, kinds and times of change; contents are compared when a tree is built.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use friday_wire::{EntryKind, Manifest, ReleaseId};

use crate::place::{Place, read_json, write_json};
use crate::store::Store;

/// The look stops here, so that an observation of a release of a million files stays quick.
const ENTRIES_LOOKED_AT: usize = 10_000;

fn stamp(place: &Place, release: ReleaseId) -> PathBuf {
    place.join("releases").join(format!("{release}.built"))
}

/// Notes the newest time of change in a tree just built; what is newer later was changed later.
///
/// # Errors
/// The system's.
pub fn note_built(
    place: &Place,
    release: ReleaseId,
    root: &Path,
    manifest: &Manifest,
) -> io::Result<()> {
    let newest = manifest
        .tree
        .iter()
        .filter(|entry| matches!(entry.kind, EntryKind::File { .. }))
        .filter_map(|entry| fs::symlink_metadata(root.join(&entry.path)).ok())
        .map(|found| time_of_change(&found))
        .max();
    write_json(&stamp(place, release), &newest)
}

fn time_of_change(found: &fs::Metadata) -> (i64, i64) {
    (found.mtime(), found.mtime_nsec())
}

/// What differs, one sentence; `None`: nothing was seen.
pub fn look(place: &Place, store: &Store, current: Option<ReleaseId>) -> Option<String> {
    let pointed = super::pointed(place);
    if pointed != current {
        let name = |release: Option<ReleaseId>| {
            release.map_or_else(|| "nothing".to_owned(), |release| release.short())
        };
        return Some(format!(
            "`current` points to {}, the state says {}",
            name(pointed),
            name(current)
        ));
    }
    let release = current?;
    let Ok(manifest) = store.manifest(release) else {
        return Some(format!("the manifest of {} is gone or damaged", release.short()));
    };
    let built: Option<(i64, i64)> = read_json(&stamp(place, release)).ok().flatten();
    let changed = manifest
        .tree
        .iter()
        .take(ENTRIES_LOOKED_AT)
        .filter(|entry| !super::is_shared(&manifest, &entry.path))
        .find(|entry| !looks_right(&place.tree(release).join(&entry.path), &entry.kind, built))?;
    Some(format!(
        "`{}` of the current release was changed",
        crate::output::shown(changed.path.as_bytes())
    ))
}

fn looks_right(path: &Path, kind: &EntryKind, built: Option<(i64, i64)>) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    match kind {
        EntryKind::Directory => found.is_dir(),
        EntryKind::Link { target } => {
            fs::read_link(path).is_ok_and(|link| link == Path::new(target))
        }
        EntryKind::File { size, .. } => {
            found.is_file()
                && found.len() == *size
                && built.is_none_or(|built| time_of_change(&found) <= built)
        }
    }
}
