//! The beginning of a connection to friday-host: its hello, and the read that goes with it.

use friday_core::config::settings::Address;
use friday_wire::frame::{self, Call, Frame, Reply};
use friday_wire::{Answer, HostName, Request, WIRE_VERSION, WIRE_VERSION_MIN};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

use super::FleetSetup;
use super::command::{Called, Conversation, Route, command};
use super::connection::{Connection, Ends, HostHello, read_frame};
use super::failure::ConnectError;
use super::far_end::{FarEnd, Wanted, garbage, in_time};
use crate::last_lines::shown;
use crate::progress::Progress;

/// The number of the `Hello` on every connection; later calls count on from it.
pub(super) const HELLO_NUMBER: u64 = 0;

/// The number of the read that goes with it, if one does.
const FIRST_NUMBER: u64 = HELLO_NUMBER + 1;

/// Opens a connection and says hello.
pub(super) async fn open(
    setup: &FleetSetup,
    host: &HostName,
    address: &Address,
    route: Route,
    deadline: Instant,
    opening: &super::opening::Opening,
) -> Result<Connection, ConnectError> {
    let conversation = Conversation::Connect;
    let called = Called { conversation, fleet: &setup.fleet, host, program: &setup.program };
    let command = command(address, &setup.login, &setup.base, &called, route)?;
    let far = FarEnd::start(&command)?;
    let mut greeting = Greeting { setup, known: opening, host, far, first: None };
    match timeout_at(deadline, greeting.shake_hands()).await {
        Ok(Ok(hello)) => Ok(greeting.into_connection(hello)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ConnectError::TimedOut { doing: "starting friday-host there" }),
    }
}

struct Greeting<'a> {
    setup: &'a FleetSetup,
    known: &'a super::opening::Opening,
    host: &'a HostName,
    far: FarEnd,
    /// The read that went with the hello, and when.
    first: Option<(Call, Instant)>,
}

impl Greeting<'_> {
    async fn shake_hands(&mut self) -> Result<HostHello, ConnectError> {
        let wanted = Wanted {
            program: &self.setup.program,
            conversation: Conversation::Connect,
            host: self.host,
            known: self.known,
            progress: &self.setup.progress,
        };
        self.far.until_it_speaks(wanted).await?;
        in_time(self.hello()).await
    }

    async fn hello(&mut self) -> Result<HostHello, ConnectError> {
        let request = Request::Hello {
            wire: WIRE_VERSION,
            wire_min: WIRE_VERSION_MIN,
            friday: self.setup.version.clone(),
            fleet: self.setup.fleet.clone(),
            host: self.host.clone(),
        };
        let broken = |error: frame::FrameError| ConnectError::Garbage { got: error.to_string() };
        let mut call =
            frame::json_frame(&Call { number: HELLO_NUMBER, request }).map_err(broken)?;
        if let Some(request) = self.known.take_first() {
            let first = Call { number: FIRST_NUMBER, request };
            call.extend(frame::json_frame(&first).map_err(broken)?);
            self.first = Some((first, Instant::now()));
        }
        if self.far.stdin.write_all(&call).await.is_err() {
            return Err(self.far.ended(&[]).await);
        }
        let body = match read_frame(&mut self.far.stdout).await {
            Ok(Frame::Json(body)) => body,
            Ok(Frame::Data(_)) => return Err(ConnectError::Garbage { got: "a file".to_owned() }),
            Err(frame::FrameError::Closed | frame::FrameError::Io(_)) => {
                return Err(self.far.ended(&[]).await);
            }
            Err(error) => return Err(broken(error)),
        };
        let reply: Reply = frame::parse(&body).map_err(|_| garbage(&body))?;
        match reply.answer {
            Answer::Hello { wire, version, program } => {
                let version = shown(&version);
                if !(WIRE_VERSION_MIN..=WIRE_VERSION).contains(&wire) {
                    let ours = format!("{WIRE_VERSION_MIN} to {WIRE_VERSION}");
                    return Err(ConnectError::Incompatible { version, wire, ours });
                }
                Ok(HostHello { wire, version, program, printed: self.far.printed.take() })
            }
            Answer::Error { why } => Err(ConnectError::Refused { why: shown(&why) }),
            _ => Err(garbage(&body)),
        }
    }

    fn into_connection(self, hello: HostHello) -> Connection {
        let FarEnd { child, stdin, stdout, stderr, .. } = self.far;
        let ends = Ends { child, stdin, stdout, stderr };
        let (host, progress) = (self.host.clone(), self.setup.progress.clone());
        Connection::start(ends, hello, self.first, move |why| {
            progress.tell(Progress::Disconnected { host: host.clone(), why: why.to_owned() });
        })
    }
}
