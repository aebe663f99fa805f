//! What is going on, for people who watch: fleeting, never journalled, dropped when nobody keeps up.

use std::sync::mpsc::{SyncSender, TrySendError};

use friday_wire::{HostName, ReleaseId};

/// One thing that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A connection is being made.
    Connecting {
        /// To whom.
        host: HostName,
    },
    /// friday-host is being put there: it was missing or another.
    PuttingHostProgram {
        /// On which host.
        host: HostName,
        /// Bytes that are under way or there.
        sent: u64,
        /// Bytes of the whole.
        bytes: u64,
    },
    /// A connection is there.
    Connected {
        /// To whom.
        host: HostName,
        /// friday-host's version.
        version: String,
    },
    /// A connection could not be made or was lost.
    Disconnected {
        /// To whom.
        host: HostName,
        /// Why.
        why: String,
    },
    /// A release is on its way.
    Shipping {
        /// To whom.
        host: HostName,
        /// Which.
        release: ReleaseId,
        /// Bytes (uncompressed) that are there.
        done: u64,
        /// Of so many that were missing.
        total: u64,
    },
    /// A release is there: files, manifest, secrets.
    Shipped {
        /// Where.
        host: HostName,
        /// Which.
        release: ReleaseId,
    },
    /// A hook printed a line.
    HookSays {
        /// Which hook.
        name: String,
        /// Control characters shown.
        line: String,
    },
    /// An outside probe saw something else than before.
    Probed {
        /// Of which host.
        host: HostName,
        /// Why it failed; `None`: it passes.
        failed: Option<String>,
    },
}

/// Where progress goes. Cheap to clone; never blocks.
#[derive(Debug, Clone, Default)]
pub struct ProgressSender {
    sender: Option<SyncSender<Progress>>,
}

impl ProgressSender {
    /// To this channel.
    pub fn new(sender: SyncSender<Progress>) -> Self {
        Self { sender: Some(sender) }
    }

    /// To nobody.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Tells it, if there is room.
    pub fn tell(&self, progress: Progress) {
        if let Some(sender) = &self.sender {
            match sender.try_send(progress) {
                // Nobody keeps up, or nobody is there: it was only to look at.
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
    }
}
