//! What the controller wants of the world.

use std::fmt;

use friday_wire::data::Invariant;
use friday_wire::{DatabaseName, Fence, HealthSpec, HostName, ReleaseId, Request, SecretsVersion};

use crate::time::Timestamp;

/// Names an effect. The same id is the same effect, also after a crash: an effect that is owed under
/// an id already in flight is not begun again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub String);

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An effect and the time by which the edge must have ended it: an overrun is `Unknown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// What.
    pub effect: Effect,
    /// Until when.
    pub deadline: Timestamp,
}

/// A request to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// One request to one host. Ends in `Answered`, in `Failed` if it was certainly not sent (no
    /// connection), else in `Unknown`.
    Ask {
        /// Whom.
        host: HostName,
        /// What.
        request: Box<Request>,
    },
    /// Standing: asks the same request at once and then again and again, as long as it is owed; each
    /// outcome comes as `Input::Followed`. Never finishes.
    Follow {
        /// Whom.
        host: HostName,
        /// What.
        request: Box<Request>,
        /// Milliseconds from one answer to the next question.
        every_ms: u64,
        /// One question's own deadline, milliseconds; over it the outcome is unknown.
        timeout_ms: u64,
    },
    /// Puts a release's missing files, its manifest and the secrets on a host. Goes on where an
    /// earlier try stopped. Ends in `Done`, `Failed` or `Unknown`.
    Ship {
        /// To whom.
        host: HostName,
        /// What.
        release: ReleaseId,
        /// Which secrets.
        secrets: Option<SecretsVersion>,
    },
    /// Replaces friday-host on a host by the program that this friday carries, and confirms it on a
    /// new connection. Ends in `Done`, also when nothing is to be replaced, `Failed` or `Unknown`.
    Upgrade {
        /// Where.
        host: HostName,
        /// Under which fence.
        fence: Fence,
    },
    /// A command where friday runs. Ends in `Done`, `Failed` or `Unknown`.
    Hook {
        /// As in the configuration: `before`, `after_wave`.
        name: String,
        /// For `/bin/sh -c`.
        command: String,
        /// Variables it sees beside friday's own environment.
        env: Vec<(String, String)>,
    },
    /// Marks the present of a guarded database as a place to return to, and waits until it is safe. Under a
    /// name that was given before it is the same place. Ends in `Pointed`, in `Failed` if there is none for
    /// certain, else in `Unknown`.
    Point {
        /// Of which.
        database: DatabaseName,
        /// Its name, after the push.
        name: String,
        /// How long the marking may take, milliseconds; the effect's deadline leaves room for the way there.
        timeout_ms: u64,
    },
    /// Standing: asks a guarded database for its invariants at once, and then again and again, as long as it is
    /// owed; each outcome comes as `Input::Followed`, a verdict as `Judged`. Never finishes.
    Judge {
        /// Which.
        database: DatabaseName,
        /// Whether a replica may answer.
        asks: Asks,
        /// What must hold.
        invariants: Vec<Invariant>,
        /// Milliseconds from a verdict to the next question.
        every_ms: u64,
        /// Milliseconds from an answer without a verdict to the next question.
        again_ms: u64,
        /// One question's own deadline, milliseconds, with the way there; over it the outcome is unknown.
        timeout_ms: u64,
    },
    /// Standing: probes a URL and hands in samples for as long as it is owed. Never finishes. Its
    /// deadline is far away.
    Watch {
        /// Which host the samples are about.
        host: HostName,
        /// What to ask.
        url: String,
        /// The status that passes; `None`: any 2xx.
        expect: Option<u16>,
        /// Intervals and timeout.
        health: HealthSpec,
    },
}

/// Who is asked for invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// The live database itself.
    Live,
    /// A replica where the configuration has one, else the live database.
    Replica,
}

impl Effect {
    /// As [`Request::show_no_journal`], of what it asks.
    pub fn show_no_journal(&mut self) {
        match self {
            Self::Ask { request, .. } | Self::Follow { request, .. } => request.show_no_journal(),
            Self::Ship { .. }
            | Self::Watch { .. }
            | Self::Upgrade { .. }
            | Self::Hook { .. }
            | Self::Point { .. }
            | Self::Judge { .. } => {}
        }
    }

    /// The host it is about.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::Ask { host, .. }
            | Self::Follow { host, .. }
            | Self::Ship { host, .. }
            | Self::Watch { host, .. } => Some(host),
            Self::Upgrade { host, .. } => Some(host),
            Self::Hook { .. } | Self::Point { .. } | Self::Judge { .. } => None,
        }
    }
}
