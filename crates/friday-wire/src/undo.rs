//! What a host does by itself when a switch is not confirmed.

use serde::{Deserialize, Serialize};

use crate::id::ReleaseId;

/// Stored before the switch begins; obeyed when the timer runs out, and after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo {
    /// Start this release again.
    To {
        /// Which.
        release: ReleaseId,
    },
    /// A first push: stop and remove, run nothing.
    Nothing,
    /// A one-way migration has begun: keep the new release if its own health passes, else start
    /// nothing and report. A stopped host stays stopped.
    Stay,
}
