//! A connection that carries one call at a time, for as long as that takes. Dropped, the process that leads to the far
//! end is killed, and the program there puts away what it began.

use std::time::Duration;

use friday_wire::frame::{self, Call, Frame, FrameError, Reply};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::command::HostCommand;
use super::connection::read_frame;
use super::failure::ConnectError;
use super::far_end::{FarEnd, Wanted};

/// The longest that making a connection may take; as for friday-host's own, most of it is the program's way over a
/// slow line.
const CONNECTING_LIMIT: Duration = Duration::from_secs(1_800);

/// The connection.
pub(super) struct Calls {
    far: FarEnd,
    number: u64,
}

/// A call without an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum CallsError {
    /// The connection ended.
    #[error(transparent)]
    Ended(ConnectError),
    /// What came is no answer.
    #[error("{0}")]
    Strange(String),
    /// It took longer than it may.
    #[error("there was no answer in time")]
    Late,
}

impl From<CallsError> for ConnectError {
    fn from(error: CallsError) -> Self {
        match error {
            CallsError::Ended(error) => error,
            CallsError::Strange(got) => Self::Garbage { got },
            CallsError::Late => Self::TimedOut { doing: "greeting the program there" },
        }
    }
}

impl Calls {
    /// Connects, and puts the program there where it is missing. The hello is the caller's first call.
    pub(super) async fn open(
        command: &HostCommand,
        wanted: Wanted<'_>,
    ) -> Result<Self, ConnectError> {
        let mut far = FarEnd::start(command)?;
        wanted.known.want();
        let late = |_| ConnectError::TimedOut { doing: "starting the program there" };
        timeout(CONNECTING_LIMIT, far.until_it_speaks(wanted)).await.map_err(late)??;
        Ok(Self { far, number: 0 })
    }

    /// Asks, and waits for the answer. `takes` keeps what is none yet: how far it is.
    pub(super) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        request: Q,
        deadline: Instant,
        mut takes: impl FnMut(A) -> Option<A>,
    ) -> Result<A, CallsError> {
        let number = self.number;
        self.number += 1;
        let strange = |error: FrameError| CallsError::Strange(error.to_string());
        let frame = frame::json_frame(&Call { number, request }).map_err(strange)?;
        match timeout_at(deadline, self.far.stdin.write_all(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.ended().await),
            Err(_) => return Err(CallsError::Late),
        }
        loop {
            // Silence means nothing: one check of a large database says nothing for an hour. That a line is
            // dead, ssh notices.
            let Ok(read) = timeout_at(deadline, read_frame(&mut self.far.stdout)).await else {
                return Err(CallsError::Late);
            };
            let reply: Reply<A> = match read {
                Ok(Frame::Json(body)) => frame::parse(&body).map_err(strange)?,
                Ok(Frame::Data(_)) | Err(FrameError::Closed | FrameError::Io(_)) => {
                    return Err(self.ended().await);
                }
                Err(error) => return Err(strange(error)),
            };
            if reply.number != number {
                continue;
            }
            if let Some(answer) = takes(reply.answer) {
                return Ok(answer);
            }
        }
    }

    async fn ended(&mut self) -> CallsError {
        CallsError::Ended(self.far.ended(&[]).await)
    }
}
