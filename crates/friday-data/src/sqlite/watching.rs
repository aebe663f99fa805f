//! Watches a copy that others work on: who opens it, and which locks keep others out.
//!
//! Locks are asked for (`F_GETLK`), never taken. It must not close a file of the copy while SQLite in this process
//! has it open: the system would take SQLite's own locks away with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::data::{Blocked, LockSeen};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::course::ms;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// Locks that are told of.
const TOLD: usize = 32;

/// SQLite's lock bytes, in the file's address: `PENDING`, `RESERVED`, and those that readers share.
const PENDING: u64 = 0x4000_0000;
const RESERVED: u64 = PENDING + 1;
const SHARED: (u64, u64) = (PENDING + 2, 510);

/// In the shared memory's file: who writes to the log, and who mends it.
const WAL_WRITE: u64 = 120;
const WAL_RECOVER: u64 = 122;

/// Watches until it is dropped.
pub struct Watching {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    end: AtomicBool,
    seen: Mutex<Seen>,
}

struct Seen {
    events: OwnedFd,
    name: Vec<u8>,
    /// By others.
    opens: u64,
    held: BTreeMap<Lock, Duration>,
}

type Lock = (&'static str, Blocked);

/// What was seen since the last look.
pub struct Witnessed {
    /// Somebody else opened the file.
    pub visited: bool,
    /// The longest first.
    pub locks: Vec<LockSeen>,
}

impl Watching {
    /// Begins to watch a file that is alone in its directory.
    ///
    /// # Errors
    /// The system's.
    pub fn begin(path: &Path) -> io::Result<Self> {
        // Opened before anybody counts.
        let mut main = Probe::new(path.to_owned());
        main.look();
        let mut log = path.as_os_str().to_owned();
        log.push("-shm");
        let mut log = Probe::new(log.into());
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let dir = path.parent().unwrap_or(path);
        inotify::add_watch(&events, dir, WatchFlags::OPEN)?;
        let name = path.file_name().map(|name| name.as_encoded_bytes().to_vec());
        let name = name.unwrap_or_default();
        let seen = Mutex::new(Seen { events, name, opens: 0, held: BTreeMap::new() });
        let shared = Arc::new(Shared { end: AtomicBool::new(false), seen });
        let sees = Arc::clone(&shared);
        let looking = std::thread::Builder::new().name("watching".to_owned());
        let thread = looking.spawn(move || {
            let (mut last, mut before) = (Instant::now(), Vec::new());
            while !sees.end.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                let now = held(&mut main, &mut log);
                let mut seen = sees.locked();
                seen.count();
                let passed = last.elapsed();
                last = Instant::now();
                for lock in &now {
                    // When a new one was taken is not known: not before the last look.
                    let for_sure = if before.contains(lock) { passed } else { passed.min(LOOK) };
                    *seen.held.entry(*lock).or_default() += for_sure;
                }
                before = now;
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Opens the file, which is not counted as somebody else's visit.
    pub fn ours<T>(&self, open: impl FnOnce() -> T) -> T {
        let mut seen = self.shared.locked();
        seen.count();
        let before = seen.opens;
        let opened = open();
        seen.count();
        if seen.opens > before {
            seen.opens -= 1;
        }
        opened
    }

    /// What was seen since the last time.
    pub fn take(&self) -> Witnessed {
        let mut seen = self.shared.locked();
        seen.count();
        let visited = std::mem::take(&mut seen.opens) > 0;
        let held = std::mem::take(&mut seen.held);
        drop(seen);
        let told = |((mode, blocks), time): (Lock, Duration)| LockSeen {
            on: "the database".to_owned(),
            mode: mode.to_owned(),
            blocks,
            held_ms: ms(time),
        };
        let mut locks: Vec<LockSeen> = held.into_iter().map(told).collect();
        locks.sort_by_key(|lock| std::cmp::Reverse(lock.held_ms));
        locks.truncate(TOLD);
        Witnessed { visited, locks }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Counts what was opened since.
    fn count(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        // It ends where there are no more for now.
        while let Ok(event) = events.next() {
            let ours = event.file_name().is_some_and(|name| name.to_bytes() == self.name);
            if ours || event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                self.opens += 1;
            }
        }
    }
}

/// A file whose locks are asked for; it may be made, removed or replaced by others.
struct Probe {
    path: PathBuf,
    open: Option<(u64, File)>,
}

impl Probe {
    fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    fn look(&mut self) -> Option<&File> {
        let there = std::fs::metadata(&self.path).map(|found| found.ino()).ok();
        if there != self.open.as_ref().map(|(number, _)| *number) {
            // One that was removed or replaced is nobody's any more: closing it takes no lock away.
            self.open = there.and_then(|number| Some((number, File::open(&self.path).ok()?)));
        }
        self.open.as_ref().map(|(_, file)| file)
    }

    /// Whether another process keeps others out of these bytes.
    fn is_kept(&mut self, start: u64, length: u64) -> bool {
        let Some(file) = self.look() else { return false };
        // Who wants to read is refused by writers only.
        let asked = Flock { start, length, ..Flock::from(FlockType::ReadLock) };
        fcntl_getlk(file, &asked).is_ok_and(|found| found.is_some())
    }
}

fn held(main: &mut Probe, log: &mut Probe) -> Vec<Lock> {
    let mut held = Vec::new();
    let mut see = |kept: bool, lock: Lock| {
        if kept {
            held.push(lock);
        }
    };
    see(main.is_kept(RESERVED, 1), ("RESERVED", Blocked::Writers));
    see(main.is_kept(PENDING, 1), ("PENDING", Blocked::Everybody));
    see(main.is_kept(SHARED.0, SHARED.1), ("EXCLUSIVE", Blocked::Everybody));
    see(log.is_kept(WAL_WRITE, 1), ("WAL_WRITE_LOCK", Blocked::Writers));
    see(log.is_kept(WAL_RECOVER, 1), ("WAL_RECOVER_LOCK", Blocked::Everybody));
    held
}
