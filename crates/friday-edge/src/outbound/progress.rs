//! How far a request came: whether the other side can have seen any of it.

use std::sync::atomic::{AtomicU8, Ordering};

use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

/// What a request is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It waits for its turn: others are asked.
    Turn,
    /// The host's name is looked up.
    Name,
    /// A connection is made, TLS included.
    Connection,
    /// It is sent, and its answer awaited.
    Answer,
    /// The answer's bytes come.
    Body,
}

impl Stage {
    /// As in `timed out at …`.
    pub fn told(self) -> &'static str {
        match self {
            Self::Turn => "waiting for its turn",
            Self::Name => "looking up its name",
            Self::Connection => "connecting",
            Self::Answer => "waiting for its answer",
            Self::Body => "reading its answer",
        }
    }
}

const STAGES: [Stage; 5] =
    [Stage::Turn, Stage::Name, Stage::Connection, Stage::Answer, Stage::Body];

/// Shared between the thread that asks and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    pub(super) fn reach(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::SeqCst);
    }

    pub(super) fn stage(&self) -> Stage {
        STAGES.get(usize::from(self.0.load(Ordering::SeqCst))).copied().unwrap_or(Stage::Body)
    }
}

/// The last of a chain of connectors: notes that there is a connection.
#[derive(Debug)]
pub(super) struct Noted(pub(super) std::sync::Arc<Progress>);

impl<In: Transport> Connector<In> for Noted {
    type Out = In;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        if chained.is_some() {
            self.0.reach(Stage::Answer);
        }
        Ok(chained)
    }
}
