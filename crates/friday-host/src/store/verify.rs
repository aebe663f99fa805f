//! A look at everything that is kept: each file of the store and each manifest is read and compared
//! with its name. What is damaged in the store goes, so that the next push sends it again; trees are
//! left alone, because something may run in them.

use std::fs;
use std::io;

use friday_wire::{Digest, Verified};

use super::Store;
use crate::machine::digest_of;
use crate::note::note;
use crate::place::Place;

/// The most sentences of one answer.
const TOLD_MAX: usize = 1_000;

/// Reads it all.
///
/// # Errors
/// A directory cannot be read, or a damaged file not be removed.
pub fn verify(place: &Place, store: &Store) -> io::Result<Verified> {
    let mut verified = Verified::default();
    for shelf in fs::read_dir(place.join("store"))? {
        let shelf = shelf?;
        if shelf.file_name() == "tmp" {
            continue;
        }
        for entry in fs::read_dir(shelf.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let named = name.to_str().and_then(|name| name.parse::<Digest>().ok());
            verified.files += 1;
            verified.bytes += entry.metadata()?.len();
            if named.is_none() || digest_of(&entry.path()).ok() != named {
                note(&format!("store: {} was damaged and is removed", name.display()));
                fs::remove_file(entry.path())?;
                let short: String = name.to_string_lossy().chars().take(12).collect();
                tell(
                    &mut verified,
                    format!("file {short} of the store was damaged; it was removed"),
                );
            }
        }
    }
    for release in store.known_releases() {
        let Ok(manifest) = store.manifest(release) else {
            tell(&mut verified, format!("the manifest of {} is damaged", release.short()));
            continue;
        };
        verified.files += 1;
        let lost = manifest.files().filter(|(digest, _)| !store.has(*digest)).count();
        if lost > 0 {
            let why = format!("{lost} files of {} are not in the store", release.short());
            tell(&mut verified, format!("{why}; the next push sends them if it needs them"));
        }
        let tree = place.tree(release);
        if tree.exists() && !crate::tree::is_intact(&tree, &manifest) {
            tell(&mut verified, format!("the tree of {} was changed", release.short()));
        }
    }
    Ok(verified)
}

fn tell(verified: &mut Verified, sentence: String) {
    if verified.damaged.len() < TOLD_MAX {
        verified.damaged.push(sentence);
    }
}
