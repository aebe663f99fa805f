//! One connection to one host: many calls at once, each with its number.
//!
//! Two queues lead to the writer. Calls go first and the pieces of a file after them, so that a
//! confirm never waits behind a transfer. A call that is dropped is forgotten and its answer ignored;
//! a file that is dropped half-way is ended, and the host keeps what it has.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use friday_wire::frame::{self, Call, DATA_LEN_MAX, Frame, FrameError, Reply};
use friday_wire::{Answer, Digest, Request};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::bootstrap::HELLO_NUMBER;
use super::far_end::Stderr;
use crate::bandwidth::Bandwidth;

/// Calls that wait to be written. More wait for room.
const CALLS_QUEUED_MAX: usize = 64;

/// Pieces of a file that wait to be written.
const PIECES_QUEUED_MAX: usize = 2;

/// What a host said of itself at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostHello {
    /// The protocol both speak.
    pub wire: u32,
    /// friday-host's version.
    pub version: String,
    /// BLAKE3 of the program that runs there.
    pub program: Digest,
    /// The first line that something else printed before friday-host spoke: a login's profile.
    pub printed: Option<String>,
}

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not handed to the connection.
    #[error("{why}")]
    NotSent {
        /// One sentence.
        why: String,
    },
    /// It was, and no answer came.
    #[error("{why}")]
    Lost {
        /// One sentence.
        why: String,
    },
}

/// The process and its pipes.
pub(super) struct Ends {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
    pub(super) stderr: Stderr,
}

/// A file to be put on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutFile {
    /// BLAKE3 of the whole.
    pub digest: Digest,
    /// Bytes of the whole.
    pub size: u64,
    /// Where the bytes begin, as the host told.
    pub offset: u64,
}

/// A connection that was open once.
#[derive(Debug)]
pub struct Connection {
    hello: HostHello,
    /// The call that was sent with the hello, until somebody asks for it.
    first: Mutex<Option<First>>,
    waiting: Arc<Waiting>,
    calls: mpsc::Sender<Vec<u8>>,
    pieces: mpsc::Sender<Vec<u8>>,
    /// Only one file at a time: pieces do not say of which they are.
    file_turn: Arc<tokio::sync::Mutex<()>>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug, Default)]
struct Waiting {
    calls: Mutex<WaitingCalls>,
}

#[derive(Debug, Default)]
struct WaitingCalls {
    last_number: u64,
    by_number: BTreeMap<u64, oneshot::Sender<Answer>>,
    /// Why it is closed, once it is.
    closed: Option<String>,
}

impl Connection {
    pub(super) fn start(
        ends: Ends,
        hello: HostHello,
        first: Option<(Call, Instant)>,
        on_close: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let (calls, call_queue) = mpsc::channel(CALLS_QUEUED_MAX);
        let (pieces, piece_queue) = mpsc::channel(PIECES_QUEUED_MAX);
        let waiting = Arc::new(Waiting::default());
        waiting.lock().last_number = HELLO_NUMBER;
        let first =
            first.map(|(call, at)| First { place: expect(&waiting, call.number), call, at });
        let Ends { child, stdin, stdout, stderr } = ends;
        let tasks = [
            tokio::spawn(write_all(stdin, call_queue, piece_queue)),
            tokio::spawn(read_all(child, stdout, stderr, Arc::clone(&waiting), on_close)),
        ];
        let (file_turn, first) = (Arc::default(), Mutex::new(first));
        Self { hello, first, waiting, calls, pieces, file_turn, tasks }
    }

    /// What the host said of itself.
    pub fn hello(&self) -> &HostHello {
        &self.hello
    }

    /// Whether it can still be used, as far as is known.
    pub fn is_open(&self) -> bool {
        self.waiting.lock().closed.is_none() && !self.calls.is_closed()
    }

    /// The answer to the call that was sent with the hello, if it is this one and was sent after that time: an
    /// older answer says nothing about now.
    pub(super) fn take_first(&self, request: &Request, after: Instant) -> Option<AnswerPlace> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let first = first.take()?;
        (first.call.request == *request && first.at >= after).then_some(first.place)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, request: &Request, deadline: Instant) -> Result<Answer, CallError> {
        let (frame, mut answer) = self.enter(request)?;
        queue(&self.calls, frame, deadline).await?;
        answer.wait(deadline).await
    }

    /// Puts a file; `compressed` is its zstd stream from the offset on. Tells `sent` how many bytes
    /// of that stream are under way.
    ///
    /// # Errors
    /// See [`CallError`]; reading the stream fails as `Lost`.
    pub async fn put(
        &self,
        file: PutFile,
        compressed: impl Read + Send + 'static,
        deadline: Instant,
        mut sent: impl FnMut(u64),
    ) -> Result<Answer, CallError> {
        let PutFile { digest, size, offset } = file;
        let mut total = 0;
        let count = |bytes: u64, _| {
            total += bytes;
            sent(total);
        };
        let body = BodySource { pieces: cut_into_pieces(compressed), limit: Bandwidth::default() };
        self.send(&Request::Put { digest, size, offset }, body, deadline, count).await
    }

    /// Asks with a body in data frames. Tells `sent` of each piece how long it is, and what it stands
    /// for.
    ///
    /// # Errors
    /// See [`CallError`]; a body that fails is `Lost`.
    pub async fn send(
        &self,
        request: &Request,
        mut body: BodySource,
        deadline: Instant,
        mut sent: impl FnMut(u64, u64),
    ) -> Result<Answer, CallError> {
        let not_sent = |_| CallError::NotSent { why: NO_TIME.to_owned() };
        let turn = timeout_at(deadline, Arc::clone(&self.file_turn).lock_owned()).await;
        let turn = turn.map_err(not_sent)?;
        let (frame, mut answer) = self.enter(request)?;
        queue(&self.pieces, frame, deadline).await?;
        let mut end = EndOfFile { pieces: self.pieces.clone(), turn: Some(turn) };
        loop {
            let piece = tokio::select! {
                // The host may say early that it cannot: a full disk.
                early = answer.wait(deadline) => return early,
                piece = body.next() => piece,
            };
            match piece {
                None => break,
                Some(Err(why)) => return Err(CallError::Lost { why }),
                Some(Ok(piece)) => {
                    let length = piece.bytes.len() as u64;
                    let queued =
                        queue(&self.pieces, frame::data_frame(&piece.bytes), deadline).await;
                    queued.map_err(|_| self.lost())?;
                    sent(length, piece.content);
                }
            }
        }
        end.send(deadline).await.map_err(|_| self.lost())?;
        answer.wait(deadline).await
    }

    fn lost(&self) -> CallError {
        let why = self.waiting.lock().closed.clone();
        CallError::Lost { why: why.unwrap_or_else(|| NO_TIME.to_owned()) }
    }

    /// Gives a call its number and a place for its answer.
    fn enter(&self, request: &Request) -> Result<(Vec<u8>, AnswerPlace), CallError> {
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut calls = self.waiting.lock();
            if let Some(why) = &calls.closed {
                return Err(CallError::NotSent { why: why.clone() });
            }
            calls.last_number += 1;
            let number = calls.last_number;
            calls.by_number.insert(number, sender);
            number
        };
        let place = AnswerPlace { number, receiver, waiting: Arc::clone(&self.waiting) };
        let call = Call { number, request: request.clone() };
        let frame = frame::json_frame(&call)
            .map_err(|error| CallError::NotSent { why: error.to_string() })?;
        Ok((frame, place))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The process goes with the task that owns it.
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

const NO_TIME: &str = "no answer in time";

async fn queue(
    into: &mpsc::Sender<Vec<u8>>,
    frame: Vec<u8>,
    deadline: Instant,
) -> Result<(), CallError> {
    let not_sent = |why: &str| CallError::NotSent { why: why.to_owned() };
    match timeout_at(deadline, into.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(not_sent("the connection is closed")),
        Err(_) => Err(not_sent(NO_TIME)),
    }
}

/// The call that was sent with the hello.
#[derive(Debug)]
struct First {
    call: Call,
    at: Instant,
    place: AnswerPlace,
}

/// A place for the answer to a call that has its number already.
fn expect(waiting: &Arc<Waiting>, number: u64) -> AnswerPlace {
    let (sender, receiver) = oneshot::channel();
    let mut calls = waiting.lock();
    calls.last_number = number;
    calls.by_number.insert(number, sender);
    AnswerPlace { number, receiver, waiting: Arc::clone(waiting) }
}

/// Where a call's answer will be. Dropped, the answer is ignored.
#[derive(Debug)]
pub(super) struct AnswerPlace {
    number: u64,
    receiver: oneshot::Receiver<Answer>,
    waiting: Arc<Waiting>,
}

impl AnswerPlace {
    pub(super) async fn wait(&mut self, deadline: Instant) -> Result<Answer, CallError> {
        let lost = |why: String| Err(CallError::Lost { why });
        match timeout_at(deadline, &mut self.receiver).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => {
                let why = self.waiting.lock().closed.clone();
                lost(why.unwrap_or_else(|| "the connection is closed".to_owned()))
            }
            Err(_) => lost(NO_TIME.to_owned()),
        }
    }
}

impl Drop for AnswerPlace {
    fn drop(&mut self) {
        self.waiting.lock().by_number.remove(&self.number);
    }
}

/// Ends the file on the connection, whatever became of the transfer: the next file must not be taken
/// for a part of it.
struct EndOfFile {
    pieces: mpsc::Sender<Vec<u8>>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl EndOfFile {
    async fn send(&mut self, deadline: Instant) -> Result<(), CallError> {
        queue(&self.pieces, frame::data_frame(&[]), deadline).await?;
        self.turn = None;
        Ok(())
    }
}

impl Drop for EndOfFile {
    fn drop(&mut self) {
        if let (Some(turn), Ok(runtime)) = (self.turn.take(), tokio::runtime::Handle::try_current())
        {
            let pieces = self.pieces.clone();
            runtime.spawn(async move {
                // Fails only when the connection is gone, and the transfer with it.
                let _ = pieces.send(frame::data_frame(&[])).await;
                drop(turn);
            });
        }
    }
}

/// A piece of a body.
#[derive(Debug)]
pub struct BodyPiece {
    /// At most [`DATA_LEN_MAX`].
    pub bytes: Vec<u8>,
    /// What it stands for, as whoever made it counts.
    pub content: u64,
}

/// Where the body of a request comes from.
#[derive(Debug)]
pub struct BodySource {
    /// Its pieces, or why there are no more.
    pub pieces: mpsc::Receiver<Result<BodyPiece, String>>,
    /// How fast it may go out.
    pub limit: Bandwidth,
}

impl BodySource {
    /// A body that is here.
    pub fn of(bytes: &[u8], limit: Bandwidth) -> Self {
        let cut = bytes.chunks(DATA_LEN_MAX).map(<[u8]>::to_vec);
        let cut: Vec<Vec<u8>> = cut.collect();
        let (sender, pieces) = mpsc::channel(cut.len().max(1));
        for bytes in cut {
            let content = bytes.len() as u64;
            // There is room for all of them.
            let _ = sender.try_send(Ok(BodyPiece { bytes, content }));
        }
        Self { pieces, limit }
    }

    async fn next(&mut self) -> Option<Result<BodyPiece, String>> {
        let piece = self.pieces.recv().await?;
        if let Ok(piece) = &piece {
            self.limit.take(piece.bytes.len()).await;
        }
        Some(piece)
    }
}

fn cut_into_pieces(
    mut source: impl Read + Send + 'static,
) -> mpsc::Receiver<Result<BodyPiece, String>> {
    let (sender, receiver) = mpsc::channel(PIECES_QUEUED_MAX);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut bytes = Vec::new();
            let got = (&mut source).take(DATA_LEN_MAX as u64).read_to_end(&mut bytes);
            let content = bytes.len() as u64;
            let last = match got {
                Ok(0) => return,
                Ok(_) => sender.blocking_send(Ok(BodyPiece { bytes, content })),
                Err(error) => sender.blocking_send(Err(error.to_string())),
            };
            if last.is_err() {
                return;
            }
        }
    });
    receiver
}

async fn write_all(
    mut stdin: ChildStdin,
    mut calls: mpsc::Receiver<Vec<u8>>,
    mut pieces: mpsc::Receiver<Vec<u8>>,
) {
    loop {
        let frame = tokio::select! {
            biased;
            Some(frame) = calls.recv() => frame,
            Some(frame) = pieces.recv() => frame,
            else => return,
        };
        if stdin.write_all(&frame).await.is_err() || stdin.flush().await.is_err() {
            // The reader sees the end, and knows why.
            return;
        }
    }
}

async fn read_all(
    mut child: Child,
    mut stdout: BufReader<ChildStdout>,
    mut stderr: Stderr,
    waiting: Arc<Waiting>,
    on_close: impl Fn(&str),
) {
    let why = loop {
        match read_frame(&mut stdout).await {
            Ok(Frame::Json(body)) => match frame::parse::<Reply>(&body) {
                Ok(reply) => waiting.give(reply),
                Err(error) => break error.to_string(),
            },
            Ok(Frame::Data(_)) => break "the host sent a file that nobody asked for".to_owned(),
            Err(FrameError::Closed | FrameError::Io(_)) => {
                let said = stderr.said().await;
                break if said.is_empty() { "the connection was closed".to_owned() } else { said };
            }
            Err(error) => break error.to_string(),
        }
    };
    waiting.close(&why);
    on_close(&why);
    // Ends what may still be writing; its status says nothing new.
    let _ = child.start_kill();
    let _ = child.wait().await;
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, WaitingCalls> {
        // Nobody panics while holding it; and if so, the calls in it are still calls.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, reply: Reply) {
        if let Some(place) = self.lock().by_number.remove(&reply.number) {
            // Whoever asked may have gone.
            let _ = place.send(reply.answer);
        }
    }

    fn close(&self, why: &str) {
        let mut calls = self.lock();
        calls.closed = Some(why.to_owned());
        calls.by_number.clear();
    }
}

/// Reads one frame; the twin of [`frame::read_frame`].
pub(crate) async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> Result<Frame, FrameError> {
    let mut head = [0_u8; 5];
    match reader.read(&mut head[..1]).await.map_err(FrameError::Io)? {
        0 => return Err(FrameError::Closed),
        _ => reader.read_exact(&mut head[1..]).await.map_err(FrameError::Io)?,
    };
    let (kind, length) = frame::parse_frame_head(head)?;
    let mut body = Vec::with_capacity(length.min(64 * 1024));
    let got = reader.take(length as u64).read_to_end(&mut body).await.map_err(FrameError::Io)?;
    if got < length {
        return Err(FrameError::Io(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(if kind == b'J' { Frame::Json(body) } else { Frame::Data(body) })
}
