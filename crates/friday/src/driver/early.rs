//! What a driver has before it knows anything: threads, and connections that are being made.
//!
//! A handshake takes longer than all that friday does by itself, so it goes on while the journal is read
//! and the release is taken in. Nothing is asked of a host here, and nothing is put on it.

use std::sync::mpsc::{Receiver, sync_channel};

use friday_edge::fleet::Fleet;
use friday_edge::progress::{Progress, ProgressSender};
use tokio::runtime::Runtime;

use crate::context::Context;
use crate::error::CommandError;
use crate::sight;

/// Progress that nobody has drawn yet; then it is dropped.
const PROGRESS_MAX: usize = 1_024;

/// The threads and the connections.
#[derive(Debug)]
pub struct Early {
    pub(super) fleet: Fleet,
    pub(super) progress: Receiver<Progress>,
    pub(super) progress_in: ProgressSender,
    // Dropped last: connections that are being made end with it.
    pub(super) runtime: Runtime,
}

impl Early {
    /// Begins to connect to every host.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn begin(context: &Context) -> Result<Self, CommandError> {
        let runtime = sight::runtime()?;
        let (progress_in, progress) = sync_channel(PROGRESS_MAX);
        let progress_in = ProgressSender::new(progress_in);
        let fleet = sight::fleet(context, progress_in.clone());
        let inside = runtime.enter();
        fleet.reach_out();
        drop(inside);
        Ok(Self { fleet, progress, progress_in, runtime })
    }
}
