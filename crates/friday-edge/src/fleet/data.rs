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
use friday_wire::frame::{self, Call, Frame, FrameError, Reply};
use friday_wire::{FleetName, HostName};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::command::{Called, Route, command};
use super::connection::read_frame;
use super::failure::ConnectError;
use super::far_end::{FarEnd, Wanted, garbage, in_time};
use super::opening::Opening;
use super::program::HostProgram;
use crate::last_lines::shown;
use crate::progress::ProgressSender;

/// The longest that making a connection may take; as for friday-host, most of it is the program's way over a slow line.
const CONNECTING_LIMIT: Duration = Duration::from_secs(1_800);

/// The number of the hello; calls count on from it.
const HELLO_NUMBER: u64 = 0;

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
    far: FarEnd,
    number: u64,
}

/// A call without an answer. The live database is as it was, in each case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DataCallError {
    /// It was certainly not sent.
    #[error("{0}")]
    NotSent(ConnectError),
    /// It was, and the connection ended; the program ends what it began.
    #[error("{why}")]
    Lost {
        /// One sentence.
        why: String,
    },
    /// It took longer than it may.
    #[error("there was no answer in time")]
    Late,
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
        let called = Called { fleet: &setup.fleet, host, program: &setup.program };
        let command = command(address, &setup.login, &setup.base, &called, Route::Usual)?;
        let mut far = FarEnd::start(&command)?;
        let known = Opening::default();
        known.want();
        let (program, progress) = (&setup.program, &setup.progress);
        let wanted = Wanted { program, host, known: &known, progress };
        let greeting = async {
            far.until_it_speaks(wanted).await?;
            in_time(hello(&mut far, setup)).await
        };
        let late = |_| ConnectError::TimedOut { doing: "starting friday-data there" };
        timeout(CONNECTING_LIMIT, greeting).await.map_err(late)??;
        Ok(Self { far, number: HELLO_NUMBER })
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
        self.number += 1;
        let call = Call { number: self.number, request };
        let frame = frame::json_frame(&call)
            .map_err(|error| DataCallError::Lost { why: error.to_string() })?;
        match timeout_at(deadline, self.far.stdin.write_all(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.lost().await),
            Err(_) => return Err(DataCallError::Late),
        }
        loop {
            // Silence means nothing: one check of a large database says nothing for an hour. That a line is
            // dead, ssh notices.
            let Ok(read) = timeout_at(deadline, read_frame(&mut self.far.stdout)).await else {
                return Err(DataCallError::Late);
            };
            let reply: Reply<DataAnswer> = match read {
                Ok(Frame::Json(body)) => frame::parse(&body)
                    .map_err(|error| DataCallError::Lost { why: error.to_string() })?,
                Ok(Frame::Data(_)) | Err(FrameError::Closed | FrameError::Io(_)) => {
                    return Err(self.lost().await);
                }
                Err(error) => return Err(DataCallError::Lost { why: error.to_string() }),
            };
            match reply.answer {
                _ if reply.number != self.number => {}
                DataAnswer::Progress { phase, done, of } => watch(DataProgress { phase, done, of }),
                answer => return Ok(answer),
            }
        }
    }

    async fn lost(&mut self) -> DataCallError {
        DataCallError::Lost { why: self.far.ended(&[]).await.to_string() }
    }
}

async fn hello(far: &mut FarEnd, setup: &DataSetup) -> Result<(), ConnectError> {
    let request = DataRequest::Hello {
        wire: DATA_WIRE_VERSION,
        wire_min: DATA_WIRE_VERSION_MIN,
        friday: setup.version.clone(),
        fleet: setup.fleet.clone(),
    };
    let broken = |error: FrameError| ConnectError::Garbage { got: error.to_string() };
    let call = frame::json_frame(&Call { number: HELLO_NUMBER, request }).map_err(broken)?;
    if far.stdin.write_all(&call).await.is_err() {
        return Err(far.ended(&[]).await);
    }
    let body = match read_frame(&mut far.stdout).await {
        Ok(Frame::Json(body)) => body,
        Ok(Frame::Data(_)) => return Err(garbage(b"a file")),
        Err(FrameError::Closed | FrameError::Io(_)) => return Err(far.ended(&[]).await),
        Err(error) => return Err(broken(error)),
    };
    let reply: Reply<DataAnswer> = frame::parse(&body).map_err(|_| garbage(&body))?;
    match reply.answer {
        DataAnswer::Hello { wire, .. }
            if (DATA_WIRE_VERSION_MIN..=DATA_WIRE_VERSION).contains(&wire) =>
        {
            Ok(())
        }
        DataAnswer::Hello { wire, version } => {
            let ours = format!("{DATA_WIRE_VERSION_MIN} to {DATA_WIRE_VERSION}");
            Err(ConnectError::Incompatible { version: shown(&version), wire, ours })
        }
        DataAnswer::Failed { why, .. } => Err(ConnectError::Refused { why: shown(&why) }),
        _ => Err(garbage(&body)),
    }
}
