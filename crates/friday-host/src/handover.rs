//! Handing over: the state machine stands still, so that another program can take its place or this one
//! can be taken off.
//!
//! Small work is waited for: after a close the host still puts away what nothing needs any more, and whoever
//! asks in just that moment should not be refused for it. A switch is not waited for.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::serve::event::Event;

/// How long the loop may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// How long work that is under way may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks whether it ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Returns when the state machine takes in nothing any more.
///
/// # Errors
/// Says what is still at work; then nothing has changed.
pub fn stand_still(host: &Host) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (answer, idle) = mpsc::sync_channel(1);
        host.inbox
            .send(Event::HandOver { answer })
            .map_err(|_| "friday-host is ending".to_owned())?;
        let asked = idle.recv_timeout(ANSWER_DEADLINE);
        match asked.map_err(|_| "friday-host is too busy".to_owned())? {
            Err(_) if Instant::now() < deadline => thread::sleep(PAUSE),
            stands => return stands,
        }
    }
}
