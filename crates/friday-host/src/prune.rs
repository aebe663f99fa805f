//! Prune: what no kept release needs goes. Trees first, then manifests, then files of the store and
//! secrets; so whatever stops it half-way, nothing that is kept lacks a part.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use friday_wire::{Digest, ReleaseId};

use crate::place::Place;
use crate::store::Store;
use crate::tree::remove_tree;

/// What is younger may belong to a release that is just being sent: it is kept.
const YOUNG: Duration = Duration::from_secs(3_600);

/// A wall clock is put back by so much at most; what seems to be from still later is just wrong.
const PUT_BACK_MAX: Duration = Duration::from_secs(26 * 3_600);

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The disk.
    #[error("`{0}`: {1}")]
    Io(String, io::Error),
    /// A kept release's manifest cannot be read; nothing is removed from the store then.
    #[error(transparent)]
    Manifest(#[from] crate::store::ManifestStoreError),
}

/// Removes all releases but `keep`, and what only they needed. `state` is the durable state's text:
/// secrets that it names stay.
///
/// # Errors
/// See [`PruneError`].
pub fn prune(
    place: &Place,
    store: &Store,
    keep: &[ReleaseId],
    state: &str,
) -> Result<(), PruneError> {
    let kept: BTreeSet<String> = keep.iter().map(ToString::to_string).collect();
    let kept_output: BTreeSet<String> = keep.iter().map(ReleaseId::short).collect();
    let mut gone = BTreeSet::new();
    let mut forgotten = 0;
    each(&place.join("releases"), |name, path| {
        let release = name.split('.').next().unwrap_or(name);
        if kept.contains(release) {
            return Ok(());
        }
        gone.insert(release.to_owned());
        remove_tree(path)
    })?;
    // A young manifest without a tree is of a release that is about to be staged.
    each(&place.join("manifests"), |name, path| {
        let release = name.strip_suffix(".json").unwrap_or(name);
        let stays = kept.contains(release) || !gone.contains(release) && is_young(path);
        if stays {
            return Ok(());
        }
        forgotten += 1;
        remove_tree(path)
    })?;
    let signatures = place.join("signatures");
    // An older friday-host made this directory without it.
    if signatures.exists() {
        each(&signatures, |name, path| {
            let release = name.strip_suffix(".sig").unwrap_or(name);
            if kept.contains(release) || is_young(path) { Ok(()) } else { remove_tree(path) }
        })?;
    }
    each(&place.join("logs"), |name, path| {
        let release = name.split('.').next().unwrap_or(name);
        if kept_output.contains(release) { Ok(()) } else { remove_tree(path) }
    })?;
    if forgotten > 0 || store.was_cleared_before(YOUNG) {
        clear(place, store)?;
    }
    each(&place.join("secrets"), |name, path| {
        let version = name.strip_suffix(".json").unwrap_or(name);
        if state.contains(version) || is_young(path) { Ok(()) } else { remove_tree(path) }
    })
}

/// Removes what no manifest names from the store. It looks at every file, on each host of a fleet at the same
/// time, and mostly finds nothing: who calls it knows that something may have come to be too much.
fn clear(place: &Place, store: &Store) -> Result<(), PruneError> {
    let no_manifest_comes = store.clearing();
    let needed = needed_files(place, store)?;
    let store_dir = place.join("store");
    each(&store_dir, |name, shelf| {
        if name == "tmp" {
            return Ok(());
        }
        each_io(shelf, |file, path| {
            if needed.contains(file) || is_young(path) { Ok(()) } else { remove_tree(path) }
        })
    })?;
    drop(no_manifest_comes);
    each(
        &store_dir.join("tmp"),
        |_, path| if is_young(path) { Ok(()) } else { remove_tree(path) },
    )?;
    store.note_cleared();
    Ok(())
}

/// Files of every release whose manifest is still here. A file with the wrong length is damaged:
/// it counts as not needed, so that it goes and the next stage sends it again.
fn needed_files(place: &Place, store: &Store) -> Result<BTreeSet<String>, PruneError> {
    let mut needed = BTreeSet::new();
    let manifests = place.join("manifests");
    let entries = fs::read_dir(&manifests)
        .map_err(|error| PruneError::Io(manifests.display().to_string(), error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let release = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let Some(id) = release.and_then(|text| text.parse::<Digest>().ok()) else { continue };
        for (digest, size) in store.manifest(ReleaseId(id))?.files() {
            let path = place.stored(digest);
            match fs::metadata(&path) {
                Ok(found) if found.len() != size => {
                    crate::note::note(&format!("store: {} has the wrong length", digest.short()));
                    remove_tree(&path)
                        .map_err(|error| PruneError::Io(path.display().to_string(), error))?;
                }
                Ok(_) | Err(_) => {
                    needed.insert(digest.to_string());
                }
            }
        }
    }
    Ok(needed)
}

fn each(dir: &Path, visit: impl FnMut(&str, &Path) -> io::Result<()>) -> Result<(), PruneError> {
    each_io(dir, visit).map_err(|error| PruneError::Io(dir.display().to_string(), error))
}

fn each_io(dir: &Path, mut visit: impl FnMut(&str, &Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str() {
            visit(name, &entry.path())?;
        }
    }
    Ok(())
}

/// What was written later than now was written before the wall clock was put back: it is young, too, but
/// not for ever.
fn is_young(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|found| found.modified());
    changed.is_ok_and(|changed| match changed.elapsed() {
        Ok(age) => age < YOUNG,
        Err(later) => later.duration() < PUT_BACK_MAX,
    })
}

#[cfg(test)]
mod tests;
