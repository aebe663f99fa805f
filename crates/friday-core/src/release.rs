//! A release's identity.

use friday_wire::{Digest, Manifest, ReleaseId, TreeId};

/// BLAKE3 of bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// What a manifest identifies: tree, run command, environment and health.
pub fn release_id(manifest: &Manifest) -> ReleaseId {
    ReleaseId(digest(&manifest.identity_bytes()))
}

/// What its files alone identify.
pub fn tree_id(manifest: &Manifest) -> TreeId {
    TreeId(digest(&manifest.tree_bytes()))
}
