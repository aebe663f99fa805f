//! A request on its way: at which phase it is, how long each took, and whether it shall stop.
//!
//! Every long step asks [`Course::poll`], or a [`Watch`] that it was given, at least some times a second.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use friday_wire::data::{DataPhase, PhaseTime};

use crate::failure::Failure;
use crate::progress::Teller;

/// Why work stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The connection was closed.
    #[error("the connection was closed")]
    Closed,
    /// The time is over.
    #[error("it took longer than its limit of {0} s")]
    Late(u64),
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        let help = match stopped {
            Stopped::Closed => None,
            Stopped::Late(_) => {
                Some("give it more time, or look what keeps the database or the disk busy".into())
            }
        };
        Self::of(&stopped, help)
    }
}

/// Whether to stop; for threads and for the engines' own callbacks.
#[derive(Debug, Clone)]
pub struct Watch {
    closed: Arc<AtomicBool>,
    limit: Duration,
    deadline: Instant,
}

impl Watch {
    /// One that stops when `closed` is set, or when `limit` is over.
    pub fn new(closed: Arc<AtomicBool>, limit: Duration) -> Self {
        Self { closed, limit, deadline: Instant::now() + limit }
    }

    /// Asks.
    ///
    /// # Errors
    /// When it shall stop.
    pub fn poll(&self) -> Result<(), Stopped> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Stopped::Closed);
        }
        if Instant::now() >= self.deadline {
            return Err(Stopped::Late(self.limit.as_secs()));
        }
        Ok(())
    }

    /// The same, with less time: for a part of the work.
    pub fn within(&self, limit: Duration) -> Self {
        let deadline = (Instant::now() + limit).min(self.deadline);
        Self { closed: self.closed.clone(), limit: limit.min(self.limit), deadline }
    }

    /// Of the same connection, with a time of its own: for what outlives the request that began it.
    pub fn anew(&self, limit: Duration) -> Self {
        Self::new(self.closed.clone(), limit)
    }

    /// What is left of the time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits a little, and asks.
    ///
    /// # Errors
    /// When it shall stop.
    pub fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.poll()?;
        std::thread::sleep(time.min(self.left()));
        self.poll()
    }
}

/// A request on its way.
pub struct Course {
    watch: Watch,
    teller: Teller,
    began: Instant,
    phase: Cell<DataPhase>,
    since: Cell<Instant>,
    moved: Cell<u64>,
    past: RefCell<Vec<PhaseTime>>,
}

impl Course {
    /// Begins with [`DataPhase::Find`].
    pub fn new(watch: Watch, teller: Teller) -> Self {
        let now = Instant::now();
        Self {
            watch,
            teller,
            began: now,
            phase: Cell::new(DataPhase::Find),
            since: Cell::new(now),
            moved: Cell::new(0),
            past: RefCell::default(),
        }
    }

    /// One that nobody watches and nobody hears, with an hour of time.
    pub fn quiet() -> Self {
        let watch = Watch::new(Arc::default(), Duration::from_secs(3_600));
        Self::new(watch, Teller::quiet())
    }

    /// Goes on to a phase.
    pub fn enter(&self, phase: DataPhase) {
        if phase != self.phase.get() {
            self.begin(phase);
            self.teller.tell(phase, 0, None);
        }
    }

    /// Goes on to another part of the same phase, with a time and a count of its own.
    pub fn enter_again(&self) {
        self.begin(self.phase.get());
    }

    fn begin(&self, phase: DataPhase) {
        let now = Instant::now();
        self.past.borrow_mut().push(self.present(now));
        self.phase.set(phase);
        self.since.set(now);
        self.moved.set(0);
    }

    /// At which it is.
    pub fn phase(&self) -> DataPhase {
        self.phase.get()
    }

    /// Counts what this phase moved, says how far it is, and asks whether to stop.
    ///
    /// # Errors
    /// When it shall stop.
    pub fn moved(&self, bytes: u64, of: Option<u64>) -> Result<(), Stopped> {
        self.moved.set(self.moved.get() + bytes);
        self.teller.tell(self.phase.get(), self.moved.get(), of);
        self.watch.poll()
    }

    /// Says how far it is, where that is no count of bytes.
    pub fn tell(&self, done: u64, of: Option<u64>) {
        self.teller.tell(self.phase.get(), done, of);
    }

    /// Asks whether to stop.
    ///
    /// # Errors
    /// When it shall.
    pub fn poll(&self) -> Result<(), Stopped> {
        self.watch.poll()
    }

    /// For threads and callbacks.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Each phase that began so far, in order; the present one up to now.
    pub fn phases(&self) -> Vec<PhaseTime> {
        let mut phases = self.past.borrow().clone();
        phases.push(self.present(Instant::now()));
        phases
    }

    /// Milliseconds since it began.
    pub fn elapsed_ms(&self) -> u64 {
        ms(self.began.elapsed())
    }

    fn present(&self, now: Instant) -> PhaseTime {
        let took = now.duration_since(self.since.get());
        PhaseTime { phase: self.phase.get(), ms: ms(took), bytes: self.moved.get() }
    }
}

/// A span in milliseconds.
pub fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_stand_in_order_with_what_they_moved() {
        let course = Course::quiet();
        course.enter(DataPhase::Fetch);
        course.moved(10, None).unwrap();
        course.moved(5, None).unwrap();
        course.enter(DataPhase::Fetch);
        course.enter_again();
        course.moved(3, None).unwrap();
        course.enter(DataPhase::Check);
        let phases: Vec<_> = course.phases().iter().map(|time| (time.phase, time.bytes)).collect();
        let fetch = |bytes| (DataPhase::Fetch, bytes);
        assert_eq!(phases, [(DataPhase::Find, 0), fetch(15), fetch(3), (DataPhase::Check, 0)]);
    }

    #[test]
    fn it_stops_when_the_connection_ends_and_when_time_is_over() {
        let closed: Arc<AtomicBool> = Arc::default();
        let watch = Watch::new(closed.clone(), Duration::from_secs(600));
        assert_eq!(watch.poll(), Ok(()));
        assert_eq!(watch.within(Duration::ZERO).poll(), Err(Stopped::Late(0)));
        closed.store(true, Ordering::Relaxed);
        assert_eq!(watch.poll(), Err(Stopped::Closed));
    }
}
