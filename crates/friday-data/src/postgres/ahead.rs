//! WAL that is fetched ahead: while a scratch server replays one segment, the next come from the repository.
//!
//! What cannot be had ahead is not complained of here: who asks for it then is told why.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::PostgresError;
use super::log::Log;
use super::lsn::{Segment, SegmentSize};
use crate::course::{Course, Watch};
use crate::failure::Failure;
use crate::place;
use crate::progress::Teller;

/// So many at most: each is a whole segment on the scratch's disk.
pub const DEPTH: usize = 2;

/// How often somebody who waits looks whether to go on waiting.
const LOOK: Duration = Duration::from_millis(50);

/// How long one segment may take.
const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// Fetches, as long as it lives.
pub struct Ahead {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    log: Log,
    size: SegmentSize,
    dir: PathBuf,
    watch: Watch,
    state: Mutex<State>,
    bell: Condvar,
}

struct State {
    /// The one that is asked for next, if it goes on as it does.
    next: Option<Segment>,
    /// From here on none is fetched: beyond the target, or not to be had.
    until: Segment,
    ready: BTreeSet<Segment>,
    busy: Option<Segment>,
    end: bool,
}

impl Ahead {
    /// Fetches into a new directory `dir`, no segment after `last`.
    ///
    /// # Errors
    /// The system's.
    pub fn start(
        log: Log,
        (size, last): (SegmentSize, Segment),
        dir: &Path,
        watch: &Watch,
    ) -> Result<Self, PostgresError> {
        // What somebody left who was killed.
        place::remove(dir).map_err(PostgresError::file("making room for WAL ahead"))?;
        place::private(dir).map_err(Failure::from)?;
        let state = State {
            next: None,
            until: last.next(),
            ready: BTreeSet::new(),
            busy: None,
            end: false,
        };
        let shared = Arc::new(Shared {
            log,
            size,
            dir: dir.to_owned(),
            watch: watch.clone(),
            state: Mutex::new(state),
            bell: Condvar::new(),
        });
        let working = Arc::clone(&shared);
        let thread = std::thread::spawn(move || working.work());
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Moves a segment to `target` if it was fetched, and goes on with those after it.
    ///
    /// # Errors
    /// The system's.
    pub fn take(&self, segment: Segment, target: &Path) -> io::Result<bool> {
        let shared = &*self.shared;
        let mut state = shared.state();
        while state.busy == Some(segment) && shared.watch.poll().is_ok() {
            state = shared.wait(state);
        }
        state.next = Some(segment.next());
        let found = state.ready.remove(&segment);
        shared.bell.notify_all();
        drop(state);
        if found {
            fs::rename(shared.path(segment), target)?;
        }
        Ok(found)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.state().end = true;
        self.shared.bell.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = place::remove(&self.shared.dir);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.bell.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0
    }

    fn path(&self, segment: Segment) -> PathBuf {
        self.dir.join(segment.name(self.size))
    }

    fn work(&self) {
        let mut state = self.state();
        while !state.end && self.watch.poll().is_ok() {
            let Some(segment) = state.wanted() else {
                state = self.wait(state);
                continue;
            };
            state.busy = Some(segment);
            drop(state);
            let done = self.fetch(segment);
            state = self.state();
            state.busy = None;
            if done {
                state.ready.insert(segment);
            } else {
                state.until = segment;
            }
            self.bell.notify_all();
        }
    }

    fn fetch(&self, segment: Segment) -> bool {
        let name = segment.name(self.size);
        if !self.log.has(&name) {
            return false;
        }
        let wal = match &self.log {
            Log::Repository(wal) => wal,
            // One that is being fetched is waited for: it is one program, and soon done.
            Log::Stanza(archive) => {
                let watch = self.watch.within(FETCH_LIMIT);
                return archive.fetch(&name, &self.path(segment), &watch).is_ok();
            }
        };
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let Ok(file) = options.open(self.path(segment)) else { return false };
        let course = Course::new(self.watch.within(FETCH_LIMIT), Teller::quiet());
        wal.fetch(&name, &mut UntilEnd { inner: file, shared: self }, &course).is_ok()
    }
}

impl State {
    fn wanted(&self) -> Option<Segment> {
        let mut segment = self.next?;
        for _ in 0..DEPTH {
            if segment >= self.until {
                return None;
            }
            if !self.ready.contains(&segment) {
                return Some(segment);
            }
            segment = segment.next();
        }
        None
    }
}

/// Writes that fail when nobody wants them any more.
struct UntilEnd<'a, W> {
    inner: W,
    shared: &'a Shared,
}

impl<W: Write> Write for UntilEnd<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.shared.state().end {
            return Err(io::Error::other("it is not wanted any more"));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
