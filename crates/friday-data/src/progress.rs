//! Tells the other side how far a request is, a few times a second at most.
//!
//! It must never hold up the work: where nobody reads, nothing is told.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::data::{DataAnswer, DataPhase};
use friday_wire::frame::{self, FrameError, Reply};

/// A person cannot read faster, and a slow line is not filled with it.
const PAUSE: Duration = Duration::from_millis(200);

/// Where answers go. Asks before it writes whether somebody reads.
pub trait Outlet: Write + Send {
    /// Whether a short message can be written without waiting.
    fn is_ready(&self) -> bool;
}

/// Standard output, as a pipe or a socket.
#[derive(Debug)]
pub struct StandardOutput(pub io::Stdout);

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Outlet for StandardOutput {
    fn is_ready(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready == 1)
    }
}

impl Outlet for Vec<u8> {
    fn is_ready(&self) -> bool {
        true
    }
}

/// Answers one call.
#[derive(Clone)]
pub struct Teller {
    number: u64,
    outlet: Arc<Mutex<dyn Outlet>>,
    told: Arc<Mutex<Option<(Instant, DataPhase)>>>,
}

impl Teller {
    /// For the call of that number.
    pub fn new(number: u64, outlet: Arc<Mutex<dyn Outlet>>) -> Self {
        Self { number, outlet, told: Arc::default() }
    }

    /// One whom nobody hears.
    pub fn quiet() -> Self {
        Self::new(0, Arc::new(Mutex::new(Vec::new())))
    }

    /// Says how far it is, unless that was said a moment ago. A new phase is always worth saying.
    pub fn tell(&self, phase: DataPhase, done: u64, of: Option<u64>) {
        let now = Instant::now();
        let mut told = locked(&self.told);
        if told.is_some_and(|(at, last)| last == phase && now.duration_since(at) < PAUSE) {
            return;
        }
        *told = Some((now, phase));
        if locked(&self.outlet).is_ready() {
            // A connection that broke is noticed by who reads from it.
            let _ = self.answer(&DataAnswer::Progress { phase, done, of });
        }
    }

    /// Writes an answer.
    ///
    /// # Errors
    /// When the other side is gone.
    pub fn answer(&self, answer: &DataAnswer) -> Result<(), FrameError> {
        let bytes = frame::json_frame(&Reply { number: self.number, answer })?;
        let mut outlet = locked(&self.outlet);
        outlet.write_all(&bytes).and_then(|()| outlet.flush()).map_err(FrameError::Io)
    }
}

/// A poisoned lock guards nothing that could be half changed.
fn locked<T: ?Sized>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_told_once_in_a_while_and_a_new_one_at_once() {
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let teller = Teller::new(7, heard.clone());
        for done in 0..1_000 {
            teller.tell(DataPhase::Copy, done, Some(1_000));
        }
        teller.tell(DataPhase::Check, 0, None);
        let bytes = heard.lock().unwrap().clone();
        let mut rest = &bytes[..];
        let mut phases = Vec::new();
        while let Ok(frame::Frame::Json(body)) = frame::read_frame(&mut rest) {
            let reply: Reply<DataAnswer> = frame::parse(&body).unwrap();
            assert_eq!(reply.number, 7);
            let DataAnswer::Progress { phase, .. } = reply.answer else { panic!("{reply:?}") };
            phases.push(phase);
        }
        assert_eq!(phases.first(), Some(&DataPhase::Copy));
        assert_eq!(phases.last(), Some(&DataPhase::Check));
        assert!(phases.len() < 900, "{} messages", phases.len());
    }
}
