//! What friday and `friday-host trial` say to each other: a release that a host holds runs against a copy of a
//! database, beside the one that serves, in no rotation and for nobody.
//!
//! A connection has one call at a time. When it closes, whatever was started ends, and the trees that were made for
//! it go. Nothing of the host's own state is changed, and no fence is needed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{FleetName, HostName, ReleaseId, SecretsVersion};

/// The version of this protocol. Raised when an old peer could misread a message.
pub const TRIAL_WIRE_VERSION: u32 = 1;

/// The oldest version that this build still understands.
pub const TRIAL_WIRE_VERSION_MIN: u32 = 1;

/// What `friday-host trial` writes before its first frame.
pub const TRIAL_PREAMBLE: &[u8; 16] = b"\0friday-trial/1\n";

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum TrialRequest {
    /// The first on a connection. Answer: `Hello`, or `Failed`: the directory is another fleet's or host's.
    Hello {
        /// Spoken here.
        wire: u32,
        /// The oldest understood here.
        wire_min: u32,
        /// friday's version.
        friday: String,
        /// The fleet.
        fleet: FleetName,
        /// The host.
        host: HostName,
    },
    /// Makes a tree of a release that the host holds, for this connection alone. Answer: `Ok`.
    Build {
        /// Which.
        release: ReleaseId,
    },
    /// Runs a command in a release's tree, with its environment. Answer: `Passed`.
    Run {
        /// Which release: one that was built.
        release: ReleaseId,
        /// For `/bin/sh -c`.
        command: String,
        /// With which surroundings.
        with: TrialEnvironment,
        /// Then it is killed, milliseconds.
        timeout_ms: u64,
    },
    /// Starts a release's `run` command on a free port of the loopback address (`PORT`), and waits until it is healthy
    /// by its own checks. One runs at a time. Answer: `Passed`; it runs until `Stop`.
    Start {
        /// Which release: one that was built.
        release: ReleaseId,
        /// With which surroundings.
        with: TrialEnvironment,
        /// Not healthy by then, it has failed, milliseconds.
        timeout_ms: u64,
    },
    /// Ends what was started, with all its processes. Answer: `Ok`, also when nothing runs.
    Stop,
}

/// The surroundings of a release on trial: those of its manifest, its secrets, and what a rehearsal says instead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrialEnvironment {
    /// A set that was put on the host.
    pub secrets: Option<SecretsVersion>,
    /// Wins over everything else. `FRIDAY_REHEARSAL=1` is always set; `PORT` is the port of what was started last.
    pub instead: BTreeMap<String, String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum TrialAnswer {
    /// To `Hello`.
    Hello {
        /// The version that both speak from now on.
        wire: u32,
        /// friday-host's version.
        version: String,
    },
    /// To `Run` and `Start`.
    Passed {
        /// How long it took, milliseconds.
        ms: u64,
    },
    /// Done.
    Ok,
    /// It did not work.
    Failed {
        /// One sentence.
        why: String,
        /// The last lines of its output.
        log: Vec<String>,
        /// How long it took, milliseconds.
        ms: u64,
    },
}
