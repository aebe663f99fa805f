//! Frames on standard input and output, one call at a time.
//!
//! A thread of its own reads, so that the end of the connection is noticed while something is at work. It must
//! never leave this process behind: who cannot be answered any more is not waited for.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use friday_wire::frame::{self, Call, Frame, FrameError, Reply};
use friday_wire::trial::{
    TRIAL_PREAMBLE, TRIAL_WIRE_VERSION, TRIAL_WIRE_VERSION_MIN, TrialAnswer, TrialRequest,
};
use serde::Deserialize;

use super::{Refusal, Trial, failed};
use crate::output::shown;
use crate::place::Owner;

/// Calls that were sent ahead. A peer waits for its answer, so more is no peer of ours.
const AHEAD: usize = 8;

/// After the connection ended: what runs is ended and put away within this, or the shims do it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

/// A peer that asks nothing for so long is gone, though its connection stands. Between two calls the invariants of
/// a large database are judged.
const IDLE_MAX: Duration = Duration::from_secs(12 * 3_600);

/// Speaks on standard input and output until the input ends.
pub fn over_standard_streams(dir: &Path, owner: &Owner) -> ExitCode {
    // Fails only for one that leads a session already. A person's Ctrl-C ends the input, and that is enough.
    let _ = rustix::process::setsid();
    // Whatever loses its shim is still this process's to end.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let mut out = io::stdout();
    if out.write_all(TRIAL_PREAMBLE).and_then(|()| out.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    let closed: Arc<AtomicBool> = Arc::default();
    let (calls, asked) = sync_channel(AHEAD);
    let (ended, has_ended) = sync_channel::<()>(0);
    let noticed = Arc::clone(&closed);
    let reading = thread::Builder::new().name("reading".to_owned()).spawn(move || {
        read(&mut io::stdin().lock(), &calls);
        noticed.store(true, Ordering::Relaxed);
        drop(calls);
        // The main thread may wait in a write that nobody reads any more.
        if matches!(has_ended.recv_timeout(CLOSE_PATIENCE), Err(RecvTimeoutError::Timeout)) {
            std::process::exit(1);
        }
    });
    if reading.is_err() {
        return ExitCode::FAILURE;
    }
    let mut trial = None;
    let kept = answer_all((dir, owner), &closed, &mut trial, &asked, &mut out);
    let put_away = trial.map_or(Ok(()), Trial::end);
    drop(ended);
    if kept.is_ok() && put_away.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was read: a call, or what is wrong with it.
enum Asked {
    Call(Box<Call<TrialRequest>>),
    Unclear { number: u64, why: String },
}

#[derive(Deserialize)]
struct NumberOnly {
    number: u64,
}

/// Reads calls until the connection ends, or is none of ours.
fn read(input: &mut impl Read, calls: &SyncSender<Asked>) {
    loop {
        let unclear = |number, error: &FrameError| {
            let why = shown(crate::told(error).as_bytes());
            Asked::Unclear { number, why }
        };
        let asked = match frame::read_frame(input) {
            Ok(Frame::Json(body)) => match frame::parse::<Call<TrialRequest>>(&body) {
                Ok(call) => Asked::Call(Box::new(call)),
                // What is not understood is answered where it has a number.
                Err(error) => match frame::parse::<NumberOnly>(&body) {
                    Ok(NumberOnly { number }) => unclear(number, &error),
                    Err(_) => return,
                },
            },
            Ok(Frame::Data(_)) => {
                Asked::Unclear { number: 0, why: "no file is taken here".to_owned() }
            }
            Err(FrameError::Closed | FrameError::Io(_)) => return,
            Err(error) => {
                let _ = calls.try_send(unclear(0, &error));
                return;
            }
        };
        if calls.try_send(asked).is_err() {
            return;
        }
    }
}

/// Answers until nothing more is asked, or nobody listens.
fn answer_all(
    whose: (&Path, &Owner),
    closed: &Arc<AtomicBool>,
    trial: &mut Option<Trial>,
    asked: &Receiver<Asked>,
    out: &mut impl Write,
) -> Result<(), FrameError> {
    while let Ok(asked) = asked.recv_timeout(IDLE_MAX) {
        let (number, answer) = match asked {
            Asked::Unclear { number, why } => (number, failed(why)),
            Asked::Call(call) => match (call.request, &mut *trial) {
                (TrialRequest::Hello { wire, wire_min, friday, fleet, host }, none @ None) => {
                    let named = Owner { fleet, host };
                    let met = spoken(wire, wire_min, &friday)
                        .and_then(|wire| Ok((wire, Trial::begin(whose, &named, closed)?)));
                    let answer = met.map(|(wire, begun)| {
                        *none = Some(begun);
                        let version = env!("CARGO_PKG_VERSION").to_owned();
                        TrialAnswer::Hello { wire, version }
                    });
                    (call.number, answer.unwrap_or_else(|refusal| failed(refusal.to_string())))
                }
                (_, None) => (call.number, failed("the greeting comes first".to_owned())),
                (request, Some(trial)) => (call.number, trial.answer(request)),
            },
        };
        frame::write_json(out, &Reply { number, answer })?;
    }
    Ok(())
}

/// The version that both speak.
fn spoken(wire: u32, wire_min: u32, friday: &str) -> Result<u32, Refusal> {
    let spoken = wire.min(TRIAL_WIRE_VERSION);
    if spoken < TRIAL_WIRE_VERSION_MIN || spoken < wire_min {
        let friday = shown(friday.as_bytes());
        return Err(Refusal::Version { friday, wire_min, wire });
    }
    Ok(spoken)
}
