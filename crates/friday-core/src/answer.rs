//! The answer to one question: should this release be pushed now?

mod harm;

pub use harm::{Chances, Harm, TAIL_MS, Unattended, harm, shown_by};
