//! Parcels: releases made ready to be sent, and what was compressed for one host and serves the others.
//!
//! Kept in memory up to a limit; what was let go is made again, with the same bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use friday_wire::{Digest, EntryKind, Manifest, Recipe, ReleaseId};

/// Parcels kept: the one that is sent, and what hosts hold.
const PARCELS_MAX: usize = 8;

/// Compressed bytes kept for the hosts that come later.
const KEPT_LEN_MAX: usize = 64 * 1024 * 1024;

/// Recipes that hosts told, kept.
const RECIPES_MAX: usize = 256;

/// A release and what is looked up in it again and again.
#[derive(Debug)]
pub struct Parcel {
    /// Its identity.
    pub release: ReleaseId,
    /// The manifest's identity bytes.
    pub body: Vec<u8>,
    /// Its distinct files, by digest: packs name them by their place here.
    pub files: Vec<(Digest, u64)>,
    /// The places of its files in the order of their paths, each once: what lies together is alike.
    pub order: Vec<u32>,
    /// Where each path's file is.
    paths: BTreeMap<String, u32>,
    /// A path of each file.
    first_path: BTreeMap<u32, String>,
}

impl Parcel {
    /// Looks a manifest through.
    pub fn new(release: ReleaseId, manifest: &Manifest) -> Self {
        let files: Vec<(Digest, u64)> = manifest.files().collect();
        let places: BTreeMap<Digest, u32> =
            (0_u32..).zip(&files).map(|(place, (digest, _))| (*digest, place)).collect();
        let mut order = Vec::with_capacity(files.len());
        let mut paths = BTreeMap::new();
        let mut first_path = BTreeMap::new();
        for entry in &manifest.tree {
            let EntryKind::File { digest, .. } = &entry.kind else { continue };
            let Some(place) = places.get(digest).copied() else { continue };
            paths.insert(entry.path.clone(), place);
            if let std::collections::btree_map::Entry::Vacant(vacant) = first_path.entry(place) {
                vacant.insert(entry.path.clone());
                order.push(place);
            }
        }
        Self { release, body: manifest.identity_bytes(), files, order, paths, first_path }
    }

    /// The file of this parcel that is most likely to be like that file of another: the one at its
    /// path, or at a path that differs only in digits (`app-1.2.jar`).
    pub fn alike(&self, other: &Self, file: u32) -> Option<u32> {
        let path = other.first_path.get(&file)?;
        if let Some(place) = self.paths.get(path) {
            return Some(*place);
        }
        let plain = without_digits(path);
        if plain == *path {
            return None;
        }
        // Renamed to a new version: it stands where the old one stood, or nowhere.
        let (directory, _) = path.rsplit_once('/').unwrap_or(("", path));
        self.paths
            .range(directory.to_owned()..)
            .take_while(|(candidate, _)| candidate.starts_with(directory))
            .take(ALIKE_LOOKED_AT)
            .find(|(candidate, _)| without_digits(candidate) == plain)
            .map(|(_, place)| *place)
    }
}

/// Paths looked at for one that differs in digits only.
const ALIKE_LOOKED_AT: usize = 1_000;

fn without_digits(path: &str) -> String {
    path.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// Names something that was compressed: the hash of all that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptKey([u8; 32]);

impl KeptKey {
    /// From what it is and what it depends on.
    pub fn new(kind: &str, digests: &[Digest], numbers: &[u64]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(kind.as_bytes());
        digests.iter().for_each(|digest| {
            hasher.update(&digest.0);
        });
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_be_bytes());
        });
        Self(*hasher.finalize().as_bytes())
    }
}

/// `None`: making it failed; whoever waited for it tries without.
type Slot = Arc<OnceLock<Option<Arc<Vec<u8>>>>>;

/// What all transfers of one friday share.
#[derive(Debug, Default)]
pub struct Kept {
    state: Mutex<KeptState>,
    /// Only one host's transfer cuts an old file anew.
    pub(super) cutting: Mutex<()>,
}

#[derive(Debug, Default)]
struct KeptState {
    parcels: VecDeque<Arc<Parcel>>,
    recipes: VecDeque<(Digest, Arc<Recipe>)>,
    slots: BTreeMap<KeptKey, Slot>,
    order: VecDeque<(KeptKey, usize)>,
    bytes: usize,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, KeptState> {
        // What is in it is whole after every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A parcel, if it is kept.
    pub fn parcel(&self, release: &ReleaseId) -> Option<Arc<Parcel>> {
        self.lock().parcels.iter().find(|parcel| parcel.release == *release).cloned()
    }

    /// Keeps a parcel.
    pub fn keep_parcel(&self, parcel: Parcel) -> Arc<Parcel> {
        let parcel = Arc::new(parcel);
        let mut state = self.lock();
        state.parcels.retain(|kept| kept.release != parcel.release);
        state.parcels.push_back(Arc::clone(&parcel));
        if state.parcels.len() > PARCELS_MAX {
            state.parcels.pop_front();
        }
        parcel
    }

    /// A recipe that a host told, if it is kept.
    pub fn recipe(&self, file: &Digest) -> Option<Arc<Recipe>> {
        let state = self.lock();
        state.recipes.iter().find(|(kept, _)| kept == file).map(|(_, recipe)| Arc::clone(recipe))
    }

    /// Keeps a recipe.
    pub fn keep_recipe(&self, file: Digest, recipe: Arc<Recipe>) {
        let mut state = self.lock();
        state.recipes.push_back((file, recipe));
        if state.recipes.len() > RECIPES_MAX {
            state.recipes.pop_front();
        }
    }

    /// What is kept under a key; made now if it is not. Whoever needs it meanwhile waits for it.
    ///
    /// # Errors
    /// Making it failed; the next one tries again.
    pub fn get<E>(
        &self,
        key: KeptKey,
        make: impl Fn() -> Result<Vec<u8>, E>,
    ) -> Result<Arc<Vec<u8>>, E> {
        let slot = Arc::clone(self.lock().slots.entry(key).or_default());
        let mut failed = None;
        let kept = slot.get_or_init(|| match make() {
            Ok(bytes) => {
                self.note(key, bytes.len());
                Some(Arc::new(bytes))
            }
            Err(error) => {
                failed = Some(error);
                self.lock().slots.remove(&key);
                None
            }
        });
        match (kept, failed) {
            (Some(bytes), _) => Ok(Arc::clone(bytes)),
            (None, Some(error)) => Err(error),
            (None, None) => make().map(Arc::new),
        }
    }

    fn note(&self, key: KeptKey, length: usize) {
        let mut state = self.lock();
        state.bytes += length;
        state.order.push_back((key, length));
        while state.bytes > KEPT_LEN_MAX {
            let Some((oldest, length)) = state.order.pop_front() else { break };
            state.slots.remove(&oldest);
            state.bytes -= length;
        }
    }
}
