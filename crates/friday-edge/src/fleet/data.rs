//! One connection to friday-data, the program beside a database: one call at a time, for as long as that takes.
//!
//! It is put there and started as friday-host is. Dropped, the process that leads there is killed, and the program
//! at the far end puts away what it began.

use std::path::PathBuf;
use std::time::Duration;

use friday_core::config::settings::{Address, LoginSettings};
use friday_wire::data::{
    DATA_WIRE_VERSION, DATA_WIRE_VERSION_MIN, DataAnswer, DataPhase, DataRequest,
};
use friday_wire::{FleetName, HostName};
use tokio::time::Instant;

use super::calls::{Calls, CallsError};
use super::command::{Called, Conversation, Route, command};
use super::failure::ConnectError;
use super::far_end::{Wanted, garbage};
use super::opening::Opening;
use super::program::HostProgram;
use crate::last_lines::shown;
use crate::progress::ProgressSender;

/// What the program may take to greet.
const HELLO_LIMIT: Duration = Duration::from_secs(90);

/// What a connection is made from.
#[derive(Debug, Clone)]
pub struct DataSetup {
    /// Whose databases.
    pub fleet: FleetName,
    /// What SSH hosts have in common.
    pub login: LoginSettings,
    /// What relative paths of the settings are relative to.
    pub base: PathBuf,
    /// What runs beside databases.
    pub program: HostProgram,
    /// friday's version.
    pub version: String,
    /// Who watches.
    pub progress: ProgressSender,
}

/// A connection to the program beside a database.
pub struct DataLink {
    calls: Calls,
    /// The version that both speak.
    wire: u32,
}

/// A call without an answer. The live database is as it was, in each case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DataCallError {
    /// The connection ended; the program ends what it began.
    #[error("{why}")]
    Lost {
        /// One sentence.
        why: String,
    },
    /// It took longer than it may.
    #[error("there was no answer in time")]
    Late,
}

impl From<CallsError> for DataCallError {
    fn from(error: CallsError) -> Self {
        match error {
            CallsError::Late => Self::Late,
            error => Self::Lost { why: error.to_string() },
        }
    }
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataProgress {
    /// At what.
    pub phase: DataPhase,
    /// Bytes, or what else is counted.
    pub done: u64,
    /// Of so many.
    pub of: Option<u64>,
}

impl DataLink {
    /// Connects to a host, puts the program there where it is missing, and says hello.
    ///
    /// # Errors
    /// Why the host, or the program on it, cannot be reached.
    pub async fn open(
        setup: &DataSetup,
        host: &HostName,
        address: &Address,
    ) -> Result<Self, ConnectError> {
        let conversation = Conversation::Connect;
        let called = Called { conversation, fleet: &setup.fleet, host, program: &setup.program };
        let command = command(address, &setup.login, &setup.base, &called, Route::Usual)?;
        let known = Opening::default();
        let (program, progress) = (&setup.program, &setup.progress);
        let wanted = Wanted { program, conversation, host, known: &known, progress };
        let mut link =
            Self { calls: Calls::open(&command, wanted).await?, wire: DATA_WIRE_VERSION_MIN };
        link.wire = link.hello(setup).await?;
        Ok(link)
    }

    /// The version that both sides speak.
    pub fn wire(&self) -> u32 {
        self.wire
    }

    /// Asks, and waits for the answer. `watch` hears how far it is.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call(
        &mut self,
        request: DataRequest,
        deadline: Instant,
        mut watch: impl FnMut(DataProgress),
    ) -> Result<DataAnswer, DataCallError> {
        let takes = |answer| match answer {
            DataAnswer::Progress { phase, done, of } => {
                watch(DataProgress { phase, done, of });
                None
            }
            answer => Some(answer),
        };
        Ok(self.calls.ask(request, deadline, takes).await?)
    }

    async fn hello(&mut self, setup: &DataSetup) -> Result<u32, ConnectError> {
        let request = DataRequest::Hello {
            wire: DATA_WIRE_VERSION,
            wire_min: DATA_WIRE_VERSION_MIN,
            friday: setup.version.clone(),
            fleet: setup.fleet.clone(),
        };
        match self.calls.ask(request, Instant::now() + HELLO_LIMIT, Some).await? {
            DataAnswer::Hello { wire, .. }
                if (DATA_WIRE_VERSION_MIN..=DATA_WIRE_VERSION).contains(&wire) =>
            {
                Ok(wire)
            }
            DataAnswer::Hello { wire, version } => {
                let ours = format!("{DATA_WIRE_VERSION_MIN} to {DATA_WIRE_VERSION}");
                Err(ConnectError::Incompatible { version: shown(&version), wire, ours })
            }
            DataAnswer::Failed { why, .. } => Err(ConnectError::Refused { why: shown(&why) }),
            _ => Err(garbage(b"another answer than to a hello")),
        }
    }
}
