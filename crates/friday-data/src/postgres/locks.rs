//! Looks which locks others hold on a copy, many times a second, on a connection of its own.
//!
//! It takes no lock that anybody has to wait for, and must not judge what a lock would have meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::data::{Blocked, LockSeen};
use rustix::process::{Pid, Signal, kill_process};

use super::address::Address;
use super::server::Server;
use crate::course::{Watch, ms};
use crate::room;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// How often it looks for room on the disk.
const ROOM_LOOK: Duration = Duration::from_secs(1);

/// One look may take so long: after that the connection is made anew.
const ASK_LIMIT: Duration = Duration::from_secs(10);

/// Locks that are told of.
const TOLD: usize = 32;

/// Locks that keep writers out, of tables and indexes that others can see. An index is told as its table.
const HELD: &str = "SELECT DISTINCT coalesce(i.indrelid, c.oid)::regclass::text, l.mode FROM pg_locks l \
     JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_index i ON i.indexrelid = c.oid \
     WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() \
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND n.nspname <> 'pg_toast' \
     AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";

/// Looks until it is dropped.
pub struct Locks {
    end: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    held: BTreeMap<(String, String), Duration>,
    trouble: Option<String>,
}

/// What it looks at.
pub struct Looked {
    /// The copy.
    pub address: Address,
    /// Its server's process.
    pub pid: u32,
    /// Where it lies.
    pub dir: PathBuf,
}

impl Locks {
    /// Begins to look.
    ///
    /// # Errors
    /// The system's.
    pub fn begin(looked: Looked) -> std::io::Result<Self> {
        let (end, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Seen>>::default());
        let (ends, sees) = (Arc::clone(&end), Arc::clone(&seen));
        let looking = std::thread::Builder::new().name("locks".to_owned());
        let thread = looking.spawn(move || look(&looked, &ends, &sees))?;
        Ok(Self { end, seen, thread: Some(thread) })
    }

    /// What was held since the last time, the longest first.
    pub fn take(&self) -> Vec<LockSeen> {
        let held = std::mem::take(&mut lock(&self.seen).held);
        let told = |((on, mode), time): ((String, String), Duration)| LockSeen {
            on,
            blocks: if mode == "AccessExclusiveLock" {
                Blocked::Everybody
            } else {
                Blocked::Writers
            },
            mode,
            held_ms: ms(time),
        };
        let mut locks: Vec<LockSeen> = held.into_iter().map(told).collect();
        locks.sort_by_key(|lock| std::cmp::Reverse(lock.held_ms));
        locks.truncate(TOLD);
        locks
    }

    /// Why the copy had to be ended, if it had.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.seen).trouble.clone()
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look(looked: &Looked, end: &Arc<AtomicBool>, seen: &Mutex<Seen>) {
    let (mut server, mut before) = (None, Vec::new());
    let (mut last, mut room_looked) = (Instant::now(), Instant::now());
    while !end.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if room_looked.elapsed() >= ROOM_LOOK {
            room_looked = Instant::now();
            if let Some(trouble) = lacks_room(&looked.dir) {
                lock(seen).trouble = Some(trouble);
                if let Some(pid) = Pid::from_raw(looked.pid.cast_signed()) {
                    let _ = kill_process(pid, Signal::QUIT);
                }
                return;
            }
        }
        let watch = Watch::new(Arc::clone(end), ASK_LIMIT);
        let Some(copy) = &server else {
            // Somebody may have ended it, as migrations do with others' connections.
            server = Server::connect(&looked.address, &watch).ok();
            continue;
        };
        let Ok(rows) = copy.rows(&watch, "looking at locks", HELD) else {
            server = None;
            continue;
        };
        let passed = last.elapsed();
        last = Instant::now();
        let mut now = Vec::new();
        for row in rows {
            if let [Some(on), Some(mode)] = &row[..] {
                now.push((on.clone(), mode.clone()));
            }
        }
        let mut seen = lock(seen);
        for held in &now {
            // When a new one was taken is not known: not before the last look.
            let for_sure = if before.contains(held) { passed } else { passed.min(LOOK) };
            *seen.held.entry(held.clone()).or_default() += for_sure;
        }
        before = now;
    }
}

/// A migration that writes more than there is room for must not stop the live database.
fn lacks_room(dir: &Path) -> Option<String> {
    let free = room::free(dir).ok()?;
    let shown = room::shown(room::RESERVE);
    (free < room::RESERVE).then(|| {
        format!("the copy left less than {shown} of its disk free, and was ended for the sake of everybody else")
    })
}
