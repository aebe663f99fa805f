//! One connection: frames on standard input and output, one call at a time.
//!
//! A thread of its own reads, so that the end of the connection is noticed while something is at work. It must
//! never leave this process behind: who cannot be answered any more is not waited for.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use friday_wire::data::{
    DATA_PREAMBLE, DATA_WIRE_VERSION, DATA_WIRE_VERSION_MIN, DataAnswer, DataPhase, DataRequest,
};
use friday_wire::frame::{self, Call, Frame};
use serde::Deserialize;

use crate::course::{Course, Watch};
use crate::failure::Failure;
use crate::opened::Opened;
use crate::progress::{Outlet, StandardOutput, Teller};
use crate::request::{self, Beside};

/// Calls that were sent ahead. A peer waits for its answer, so more is no peer of ours.
const AHEAD: usize = 8;

/// After the connection ended: what was begun is put away within this, or the next request does it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

/// Speaks on standard input and output until the input ends.
pub fn over_standard_streams(beside: Beside) -> ExitCode {
    let mut out = io::stdout();
    if out.write_all(DATA_PREAMBLE).and_then(|()| out.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    let closed: Arc<AtomicBool> = Arc::default();
    let (ended, has_ended) = sync_channel::<()>(0);
    let noticed = closed.clone();
    let (calls, asked) = sync_channel(AHEAD);
    let reading = thread::Builder::new().name("reading".to_owned()).spawn(move || {
        read(&mut io::stdin().lock(), &calls, &noticed);
        drop(calls);
        // The main thread may wait in a write that nobody reads any more.
        if matches!(has_ended.recv_timeout(CLOSE_PATIENCE), Err(RecvTimeoutError::Timeout)) {
            std::process::exit(1);
        }
    });
    if reading.is_err() {
        return ExitCode::FAILURE;
    }
    let outlet: Arc<Mutex<dyn Outlet>> = Arc::new(Mutex::new(StandardOutput(out)));
    let kept = answer_all(&beside, &asked, &outlet, &closed);
    drop(ended);
    if kept.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same over any streams: reads to the end of `input`, and answers what was asked. For tests.
pub fn converse(
    beside: &Beside,
    input: &mut (impl Read + Send),
    outlet: &Arc<Mutex<dyn Outlet>>,
    closed: &Arc<AtomicBool>,
) -> io::Result<()> {
    let (calls, asked) = sync_channel(AHEAD);
    thread::scope(|scope| {
        scope.spawn(move || read(input, &calls, closed));
        answer_all(beside, &asked, outlet, closed)
    })
}

/// What was read: a call, or what is wrong with it.
enum Asked {
    Call(Box<Call<DataRequest>>),
    Unclear { number: u64, why: String },
}

/// Reads calls until the connection ends, and says then that it has.
fn read(input: &mut impl Read, calls: &SyncSender<Asked>, closed: &AtomicBool) {
    loop {
        let asked = match frame::read_frame(input) {
            Ok(Frame::Json(body)) => understand(&body),
            Ok(Frame::Data(_)) => {
                Some(Asked::Unclear { number: 0, why: "no file is taken here".to_owned() })
            }
            Err(frame::FrameError::Closed | frame::FrameError::Io(_)) => None,
            Err(error) => {
                let why = Failure::of(&error, None).why;
                let _ = calls.try_send(Asked::Unclear { number: 0, why });
                None
            }
        };
        let sent = asked.map(|asked| calls.try_send(asked));
        match sent {
            Some(Ok(())) => {}
            None | Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) => {
                closed.store(true, Ordering::Relaxed);
                return;
            }
        }
    }
}

#[derive(Deserialize)]
struct NumberOnly {
    number: u64,
}

/// What is not understood is answered where it has a number; else the connection is not ours.
fn understand(body: &[u8]) -> Option<Asked> {
    match frame::parse::<Call<DataRequest>>(body) {
        Ok(call) => Some(Asked::Call(Box::new(call))),
        Err(error) => {
            let NumberOnly { number } = frame::parse(body).ok()?;
            Some(Asked::Unclear { number, why: Failure::of(&error, None).why })
        }
    }
}

/// Answers until nothing more is asked, or nobody listens.
fn answer_all(
    beside: &Beside,
    asked: &Receiver<Asked>,
    outlet: &Arc<Mutex<dyn Outlet>>,
    closed: &Arc<AtomicBool>,
) -> io::Result<()> {
    let mut greeted = Greeted::NotYet;
    // What is open between requests goes when this ends, however it does.
    let mut opened = None;
    while let Ok(asked) = asked.recv() {
        let (number, answer) = match asked {
            Asked::Unclear { number, why } => (number, failed(DataPhase::Find, Failure::new(why))),
            Asked::Call(call) => {
                let teller = Teller::new(call.number, outlet.clone());
                let state = (&mut greeted, &mut opened);
                (call.number, answer(beside, &call.request, state, teller, closed))
            }
        };
        if Teller::new(number, outlet.clone()).answer(&answer).is_err() {
            closed.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
    let mut outlet = outlet.lock().unwrap_or_else(PoisonError::into_inner);
    outlet.flush()
}

/// Whether both sides know which version they speak.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Greeted {
    NotYet,
    Done,
}

fn answer(
    beside: &Beside,
    request: &DataRequest,
    (greeted, opened): (&mut Greeted, &mut Option<Opened>),
    teller: Teller,
    closed: &Arc<AtomicBool>,
) -> DataAnswer {
    let done = match (request, *greeted) {
        (DataRequest::Hello { .. }, Greeted::NotYet) => {
            let met = greet(beside, request);
            if met.is_ok() {
                *greeted = Greeted::Done;
            }
            return met.unwrap_or_else(|failure| failed(DataPhase::Find, failure));
        }
        (_, Greeted::NotYet) => Err(Failure::new("the greeting comes first")),
        (_, Greeted::Done) => Ok(()),
    };
    let course = Course::new(Watch::new(closed.clone(), request::limit(request)), teller);
    done.and_then(|()| request::perform(beside, request, opened, &course))
        .unwrap_or_else(|failure| failed(course.phase(), failure))
}

fn greet(beside: &Beside, request: &DataRequest) -> Result<DataAnswer, Failure> {
    let DataRequest::Hello { wire, wire_min, friday, fleet } = request else {
        return Err(Failure::new("the greeting comes first"));
    };
    if *fleet != beside.fleet {
        let why =
            format!("this program was started for the fleet `{}`, not for `{fleet}`", beside.fleet);
        return Err(Failure::new(why));
    }
    let spoken = (*wire).min(DATA_WIRE_VERSION);
    if spoken < DATA_WIRE_VERSION_MIN || spoken < *wire_min {
        return Err(Failure::with_help(
            format!(
                "friday {friday} speaks versions {wire_min} to {wire} of this protocol, this program \
                 {DATA_WIRE_VERSION_MIN} to {DATA_WIRE_VERSION}"
            ),
            "use the program that this friday carries",
        ));
    }
    Ok(DataAnswer::Hello { wire: spoken, version: env!("CARGO_PKG_VERSION").to_owned() })
}

fn failed(phase: DataPhase, failure: Failure) -> DataAnswer {
    DataAnswer::Failed { phase, why: failure.why, help: failure.help }
}

#[cfg(test)]
mod tests;
