//! Replacing friday-host on a host by the one that this friday carries, commit-confirmed.
//!
//! The new program comes through the store like any file. Then the old one starts it and waits; only
//! a connection made after that may confirm, because only that proves that the host can still be
//! reached. Whether to upgrade is the caller's decision.

use std::io::Cursor;

use friday_wire::{Answer, Fence, HostName, Request};
use tokio::time::Instant;

use super::connection::{CallError, PutFile};
use super::{AskError, ConnectError, Fleet, Route};

/// The confirm window, milliseconds: the host goes back to its old friday-host after that.
const CONFIRM_MS: u64 = 600_000;

/// zstd's own default level.
const LEVEL: i32 = 3;

/// What an upgrade came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgraded {
    /// The host runs this program already.
    Already,
    /// It runs it now, confirmed.
    Now {
        /// The version before.
        from: String,
    },
}

/// Why a host was not upgraded. It goes on with the friday-host it has, or goes back to it by itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpgradeError {
    /// No connection, the old way or the new.
    #[error(transparent)]
    Connect(ConnectError),
    /// No answer.
    #[error("friday-host did not answer: {why}")]
    Lost {
        /// One sentence.
        why: String,
    },
    /// The host says no.
    #[error("friday-host was not replaced: {why}")]
    Refused {
        /// Its words.
        why: String,
    },
}

impl Fleet {
    /// Upgrades one host.
    ///
    /// # Errors
    /// See [`UpgradeError`].
    pub async fn upgrade(
        &self,
        host: &HostName,
        fence: &Fence,
        deadline: Instant,
    ) -> Result<Upgraded, UpgradeError> {
        let ours = self.program().digest();
        let connection = self.connect(host, deadline).await.map_err(UpgradeError::Connect)?;
        let before = connection.hello().clone();
        if before.program == ours {
            return Ok(Upgraded::Already);
        }
        self.put_program(host, deadline).await?;
        let upgrade =
            Request::Upgrade { fence: fence.clone(), program: ours, confirm_ms: CONFIRM_MS };
        expect_ok(self.ask(host, &upgrade, deadline).await)?;
        let new = self.open(host, Route::New, deadline).await.map_err(UpgradeError::Connect)?;
        if new.hello().program != ours {
            let why = "after it, the old friday-host answers".to_owned();
            return Err(UpgradeError::Refused { why });
        }
        let confirm = Request::ConfirmUpgrade { fence: fence.clone() };
        let confirmed = new.call(&confirm, deadline).await;
        expect_ok(confirmed.map_err(|error| AskError::Unknown { why: error.to_string() }))?;
        self.replace(host, new).await;
        Ok(Upgraded::Now { from: before.version })
    }

    async fn put_program(&self, host: &HostName, deadline: Instant) -> Result<(), UpgradeError> {
        let program = self.program();
        let digest = program.digest();
        let size = program.bytes().len() as u64;
        let missing = Request::Missing { files: vec![digest] };
        match self.ask(host, &missing, deadline).await.map_err(from_ask)? {
            Answer::Missing { files } if files.is_empty() => return Ok(()),
            Answer::Missing { .. } => {}
            other => return Err(refused(&other)),
        }
        let compressed = zstd::encode_all(program.bytes(), LEVEL)
            .map_err(|error| UpgradeError::Lost { why: error.to_string() })?;
        let connection = self.connect(host, deadline).await.map_err(UpgradeError::Connect)?;
        let file = PutFile { digest, size, offset: 0 };
        let put = connection.put(file, Cursor::new(compressed), deadline, |_| {}).await;
        expect_ok(put.map_err(|error| match error {
            CallError::NotSent { why } | CallError::Lost { why } => AskError::Unknown { why },
        }))
    }
}

fn expect_ok(answer: Result<Answer, AskError>) -> Result<(), UpgradeError> {
    match answer.map_err(from_ask)? {
        Answer::Ok => Ok(()),
        other => Err(refused(&other)),
    }
}

fn from_ask(error: AskError) -> UpgradeError {
    match error {
        AskError::NotSent(error) => UpgradeError::Connect(error),
        AskError::Unknown { why } => UpgradeError::Lost { why },
    }
}

fn refused(answer: &Answer) -> UpgradeError {
    let why = match answer {
        Answer::Error { why } => crate::last_lines::shown(why),
        Answer::Refused(refusal) => format!("{refusal:?}"),
        _ => "it answered something else".to_owned(),
    };
    UpgradeError::Refused { why }
}
