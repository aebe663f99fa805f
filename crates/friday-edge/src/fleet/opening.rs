//! What is known of a connection while it is being made, so that whoever waits in vain can say for what.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use friday_wire::Request;
use tokio::sync::watch;

use super::failure::ConnectError;

/// One host's connection in the making.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// friday-host's program: bytes in all, 0 while none is being put there.
    bytes: AtomicU64,
    /// Bytes that are under way.
    sent: AtomicU64,
    /// Somebody has a question for the host. Before that, nothing is put there.
    wanted: watch::Sender<bool>,
    /// A read that waits for the connection.
    first: Mutex<Option<Request>>,
}

impl Opening {
    /// Somebody has a question for the host.
    pub(super) fn want(&self) {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// Until somebody has.
    pub(super) async fn wanted(&self) {
        // The sender is part of this, and so still there.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted).await;
    }

    /// Somebody waits for the connection in order to read. That changes nothing and every version knows it, so it
    /// is sent behind the hello: a round trip less.
    pub(super) fn read_first(&self, read: &Request) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(read.clone());
    }

    /// The read that is to be sent with the hello.
    pub(super) fn take_first(&self) -> Option<Request> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The program is wanted there.
    pub(super) fn put_program(&self, bytes: u64) {
        self.sent.store(0, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// So much of it is under way.
    pub(super) fn sent(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
    }

    /// Made, or failed.
    pub(super) fn forget(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Whether the program travels.
    pub(super) fn is_putting_program(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > 0
    }

    /// What is told to somebody whose time is over.
    pub(super) fn too_late(&self) -> ConnectError {
        let (sent, bytes) = (self.sent.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        if sent < bytes {
            ConnectError::ProgramLate { sent, bytes }
        } else {
            ConnectError::TimedOut { doing: "starting friday-host there" }
        }
    }
}
