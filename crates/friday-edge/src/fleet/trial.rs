//! One connection to `friday-host trial`: a release that a host holds runs there against a copy of a database, beside
//! the one that serves.

use std::time::Duration;

use friday_wire::trial::{
    TRIAL_WIRE_VERSION, TRIAL_WIRE_VERSION_MIN, TrialAnswer, TrialEnvironment, TrialRequest,
};
use friday_wire::{HostName, ReleaseId};
use tokio::time::Instant;

use super::Fleet;
use super::calls::{Calls, CallsError};
use super::command::{Called, Conversation, Route, command};
use super::failure::ConnectError;
use super::far_end::Wanted;
use super::opening::Opening;
use crate::last_lines::shown;

/// What a hello may take, and what is asked beyond a request's own limit.
const MARGIN: Duration = Duration::from_secs(60);

/// What making a tree may take: a copy of all its files.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// A connection to a host's trial.
pub struct TrialLink {
    calls: Calls,
}

/// What did not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrialError {
    /// It was tried, and this came of it.
    #[error("{why}")]
    Failed {
        /// One sentence.
        why: String,
        /// The last lines of its output: for the person who is there, and for no journal.
        log: Vec<String>,
        /// How long it took, milliseconds.
        ms: u64,
    },
    /// No answer came: it is not known.
    #[error("the connection ended: {0}")]
    Lost(String),
}

impl From<CallsError> for TrialError {
    fn from(error: CallsError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl Fleet {
    /// Connects to a host's trial.
    ///
    /// # Errors
    /// Why the host, or the program on it, cannot be reached.
    pub async fn trial(&self, host: &HostName) -> Result<TrialLink, ConnectError> {
        let setup = &self.inner.setup;
        let unknown = || ConnectError::UnknownHost { host: host.clone() };
        let address = setup.hosts.get(host).ok_or_else(unknown)?;
        let conversation = Conversation::Trial;
        let called = Called { conversation, fleet: &setup.fleet, host, program: &setup.program };
        let command = command(address, &setup.login, &setup.base, &called, Route::Usual)?;
        let known = Opening::default();
        let (program, progress) = (&setup.program, &setup.progress);
        let wanted = Wanted { program, conversation, host, known: &known, progress };
        let mut calls = Calls::open(&command, wanted).await?;
        let hello = TrialRequest::Hello {
            wire: TRIAL_WIRE_VERSION,
            wire_min: TRIAL_WIRE_VERSION_MIN,
            friday: setup.version.clone(),
            fleet: setup.fleet.clone(),
            host: host.clone(),
        };
        match calls.ask(hello, Instant::now() + MARGIN, Some).await? {
            TrialAnswer::Hello { wire, version } => {
                if !(TRIAL_WIRE_VERSION_MIN..=TRIAL_WIRE_VERSION).contains(&wire) {
                    let ours = format!("{TRIAL_WIRE_VERSION_MIN} to {TRIAL_WIRE_VERSION}");
                    let version = shown(&version);
                    return Err(ConnectError::Incompatible { version, wire, ours });
                }
                Ok(TrialLink { calls })
            }
            TrialAnswer::Failed { why, .. } => Err(ConnectError::Refused { why: shown(&why) }),
            other => Err(ConnectError::Garbage { got: format!("{other:?}") }),
        }
    }
}

impl TrialLink {
    /// Makes a tree of a release that the host holds.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub async fn build(&mut self, release: ReleaseId) -> Result<(), TrialError> {
        self.ask(TrialRequest::Build { release }, BUILD_LIMIT).await.map(drop)
    }

    /// Runs a command in a release's tree; how long it took, milliseconds.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub async fn run(
        &mut self,
        release: ReleaseId,
        command: &str,
        with: TrialEnvironment,
        limit: Duration,
    ) -> Result<u64, TrialError> {
        let (command, timeout_ms) = (command.to_owned(), ms(limit));
        self.ask(TrialRequest::Run { release, command, with, timeout_ms }, limit + MARGIN).await
    }

    /// Starts a release and waits until it is healthy; how long that took, milliseconds.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub async fn start(
        &mut self,
        release: ReleaseId,
        with: TrialEnvironment,
        limit: Duration,
    ) -> Result<u64, TrialError> {
        let request = TrialRequest::Start { release, with, timeout_ms: ms(limit) };
        self.ask(request, limit + MARGIN).await
    }

    /// Ends what was started.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub async fn stop(&mut self) -> Result<(), TrialError> {
        self.ask(TrialRequest::Stop, 2 * MARGIN).await.map(drop)
    }

    async fn ask(&mut self, request: TrialRequest, limit: Duration) -> Result<u64, TrialError> {
        match self.calls.ask(request, Instant::now() + limit, Some).await? {
            TrialAnswer::Passed { ms } => Ok(ms),
            TrialAnswer::Ok => Ok(0),
            TrialAnswer::Failed { why, log, ms } => {
                let log = log.iter().map(|line| shown(line)).collect();
                Err(TrialError::Failed { why: shown(&why), log, ms })
            }
            TrialAnswer::Hello { .. } => Err(TrialError::Lost("it greets again".to_owned())),
        }
    }
}

fn ms(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
}
