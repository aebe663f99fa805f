//! What a signature of a release is about: the same text for whoever signs and whoever verifies.

use crate::id::{FleetName, ReleaseId};

/// The namespace that signatures are made in: one made for something else is not one of a release.
pub const SIGNATURE_NAMESPACE: &str = "friday-release";

/// The longest signature that is taken, bytes: OpenSSH's largest are below 4 kB.
pub const SIGNATURE_LEN_MAX: usize = 16 * 1024;

/// The text that is signed. The fleet is in it, so that what was signed for staging is not taken by
/// production.
pub fn signed_text(fleet: &FleetName, release: &ReleaseId) -> String {
    format!("friday release\nfleet {fleet}\nrelease {release}\n")
}
