//! Receiving WAL without a pause: a process of its own that outlives the connection which started it.
//!
//! It runs `pg_receivewal` with a replication slot, starts it again when it ends, and puts each whole segment into
//! the repository. What it needs to know, secrets too, it is told once over its standard input and keeps in
//! memory. There is never a second one for a database: it holds the lock `keep.lock`. It ends when the file
//! `keep.stop` appears, or when its database's place is gone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use friday_wire::data::{Engine, Guarded};
use friday_wire::{DatabaseName, FleetName};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::error::PostgresError;
use super::lsn::SegmentSize;
use super::programs::{Programs, Running};
use super::received::Received;
use crate::clock;
use crate::course::Watch;
use crate::failure::Failure;
use crate::place::{self, Place};
use crate::repository::Repository;
use crate::repository::wal::Wal;

/// How often it looks whether a segment is whole. It is in the way of every restore point.
const LOOK: Duration = Duration::from_millis(15);

/// How often it says that it lives.
const BEAT: Duration = Duration::from_secs(1);

/// From one start of `pg_receivewal` to the next: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// A run so long was no failed start: the next begins without the pauses before it.
const STEADY: Duration = Duration::from_secs(30);

/// How long one may take to begin, or to end when asked.
const CHANGE_LIMIT: Duration = Duration::from_secs(20);

/// What it is told may be so long.
const JOB_LIMIT: u64 = 1 << 20;

/// Its log is begun anew when it is so long.
const LOG_LIMIT: u64 = 1 << 20;

/// What it is told when it starts.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    /// Where everything lies.
    pub base: PathBuf,
    /// Whose.
    pub fleet: FleetName,
    /// The database.
    pub database: Guarded,
    /// `system_identifier` of its cluster.
    pub system: String,
    /// Of its WAL files, bytes.
    pub segment: u64,
    /// Where PostgreSQL's programs are.
    pub programs: PathBuf,
}

/// How it is, as it last said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// [`Job::fingerprint`] of what it was told.
    pub job: String,
    /// When it began, milliseconds since 1970.
    pub began_at_ms: u64,
    /// When it last said anything.
    pub beat_at_ms: u64,
    /// Whether `pg_receivewal` runs.
    pub receives: bool,
    /// How often that was started again.
    pub restarts: u64,
    /// Why it last ended, or why a segment could not be put into the repository.
    pub trouble: Option<String>,
}

impl Job {
    /// Tells jobs apart without telling what is in them.
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut hash = blake3::Hasher::new_derive_key("friday-data keep 1");
        hash.update(env!("CARGO_PKG_VERSION").as_bytes()).update(&text);
        hash.finalize().to_hex()[..16].to_owned()
    }

    /// The name of its replication slot: of this database, from this host.
    pub fn slot(&self) -> String {
        slot(&self.base, &self.fleet, &self.database.name)
    }

    fn segment(&self) -> Result<SegmentSize, PostgresError> {
        SegmentSize::new(self.segment)
            .ok_or_else(|| PostgresError::Program("no cluster has such segments".to_owned()))
    }
}

/// The name of a database's replication slot, from this host.
pub fn slot(base: &Path, fleet: &FleetName, database: &DatabaseName) -> String {
    let mut hash = blake3::Hasher::new();
    for part in [
        fleet.as_str().as_bytes(),
        database.as_str().as_bytes(),
        base.as_os_str().as_encoded_bytes(),
        &fs::read("/etc/machine-id").unwrap_or_default(),
    ] {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let name: String = database.as_str().to_lowercase();
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let plain: String = plain.take(40).collect();
    format!("friday_{plain}_{}", &hash.finalize().to_hex()[..8])
}

/// How it is; `None`: none runs.
pub fn status(place: &Path) -> Option<Status> {
    if lock(place).ok()?.is_some() {
        return None;
    }
    read_status(place)
}

fn read_status(place: &Path) -> Option<Status> {
    serde_json::from_slice(&fs::read(place.join("keep.json")).ok()?).ok()
}

/// Sees to it that one runs with this job; one with another job is replaced.
///
/// # Errors
/// When none begins in time.
pub fn ensure(place: &Path, job: &Job, watch: &Watch) -> Result<Status, PostgresError> {
    let watch = watch.within(CHANGE_LIMIT);
    let fingerprint = job.fingerprint();
    let mut started = false;
    loop {
        match lock(place)? {
            Some(free) if !started => {
                drop(free);
                let _ = fs::remove_file(place.join("keep.stop"));
                let _ = fs::remove_file(place.join("keep.json"));
                start(place, job)?;
                started = true;
            }
            Some(free) => drop(free),
            None => match read_status(place) {
                Some(status) if status.job == fingerprint => return Ok(status),
                Some(_) if !started => ask_to_stop(place)?,
                _ => {}
            },
        }
        watch.pause(LOOK).map_err(|stopped| late(stopped, place))?;
    }
}

/// Ends it, and waits until it has ended.
///
/// # Errors
/// When it does not end in time.
pub fn stop(place: &Path, watch: &Watch) -> Result<(), PostgresError> {
    let watch = watch.within(CHANGE_LIMIT);
    while lock(place)?.is_none() {
        ask_to_stop(place)?;
        watch.pause(LOOK)?;
    }
    Ok(())
}

fn late(stopped: crate::course::Stopped, place: &Path) -> PostgresError {
    match stopped {
        crate::course::Stopped::Closed => stopped.into(),
        crate::course::Stopped::Late(_) => {
            let log = place.join("keep.log").display().to_string();
            PostgresError::Late(format!("starting the process that receives WAL; see `{log}`"))
        }
    }
}

fn ask_to_stop(place: &Path) -> Result<(), PostgresError> {
    let path = place.join("keep.stop");
    File::create(&path)
        .map(drop)
        .map_err(PostgresError::file("asking the receiving process to end"))
}

/// The lock; `None`: somebody has it.
fn lock(place: &Path) -> Result<Option<File>, PostgresError> {
    let doing = "looking for the receiving process";
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(place.join("keep.lock")).map_err(PostgresError::file(doing))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(PostgresError::file(doing)(error.into())),
    }
}

fn start(place: &Path, job: &Job) -> Result<(), PostgresError> {
    let doing = "starting the process that receives WAL";
    let path = place.join("keep.log");
    let mut options = OpenOptions::new();
    let log = options.append(true).create(true).mode(0o600).open(path);
    let log = log.map_err(PostgresError::file(doing))?;
    let other = log.try_clone().map_err(PostgresError::file(doing))?;
    let program = std::env::current_exe().map_err(PostgresError::file(doing))?;
    let mut child = Command::new(program)
        .arg("keep")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(other)
        .spawn()
        .map_err(PostgresError::file(doing))?;
    let text = serde_json::to_vec(job).map_err(|error| PostgresError::file(doing)(error.into()))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(&text).map_err(PostgresError::file(doing))?;
    }
    // Somebody must hear of its end, or it stays in the table of processes while this one lives.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// The process itself: `friday-data keep`, with its job on standard input.
///
/// # Errors
/// Why it cannot begin. After that it ends only when asked, and well.
pub fn run() -> Result<(), Failure> {
    let mut text = Vec::new();
    let read = io::stdin().lock().take(JOB_LIMIT).read_to_end(&mut text);
    read.map_err(PostgresError::file("reading the job"))?;
    let job: Job = serde_json::from_slice(&text)
        .map_err(|error| PostgresError::file("reading the job")(error.into()))?;
    // The end of the connection that started it is not its end.
    let _ = rustix::process::setsid();
    let place = Place::open(&job.base, &job.fleet, &job.database)?;
    let Some(held) = lock(place.dir())? else { return Ok(()) };
    let repository = Repository::open(&place, &job.fleet, &job.database)?;
    let wal = repository.wal(&job.system)?;
    let mut keeper = Keeper::new(job, place.dir(), wal)?;
    keeper.live();
    drop(held);
    Ok(())
}

struct Keeper {
    job: Job,
    place: PathBuf,
    wal: Wal,
    size: SegmentSize,
    received: Received,
    status: Status,
    running: Option<(Running, Instant)>,
    next_start: Instant,
    backoff: Duration,
}

impl Keeper {
    fn new(job: Job, place: &Path, wal: Wal) -> Result<Self, PostgresError> {
        let received = Received::new(place, &job.system);
        place::private(received.dir()).map_err(Failure::from)?;
        let now = clock::now_ms();
        let status = Status {
            pid: std::process::id(),
            job: job.fingerprint(),
            began_at_ms: now,
            beat_at_ms: now,
            receives: false,
            restarts: 0,
            trouble: None,
        };
        let size = job.segment()?;
        Ok(Self {
            place: place.to_owned(),
            wal,
            size,
            received,
            status,
            running: None,
            next_start: Instant::now(),
            backoff: BACKOFF.0,
            job,
        })
    }

    /// Until it is asked to end. Each turn is short: what hangs is a child, never this loop.
    fn live(&mut self) {
        let mut beat = Instant::now();
        self.say();
        while self.place.join("keep.lock").exists() && !self.place.join("keep.stop").exists() {
            let was = (self.status.receives, self.status.trouble.clone());
            self.see_to_the_receiver();
            if let Err(error) = self.put_away() {
                self.status.trouble = Some(Failure::from(error).why);
                // A full disk or a lost mount does not mend in milliseconds.
                std::thread::sleep(BEAT);
            }
            if was != (self.status.receives, self.status.trouble.clone()) || beat.elapsed() >= BEAT
            {
                beat = Instant::now();
                self.say();
            }
            std::thread::sleep(LOOK);
        }
        // Dropped: asked to end, and ended when it does not.
        self.running = None;
        let _ = fs::remove_file(self.place.join("keep.json"));
        let _ = fs::remove_file(self.place.join("keep.stop"));
    }

    fn see_to_the_receiver(&mut self) {
        if let Some((running, since)) = &mut self.running {
            let Ok(Some(ended)) = running.ended() else { return };
            let steady = since.elapsed() >= STEADY;
            self.backoff = if steady { BACKOFF.0 } else { (self.backoff * 2).min(BACKOFF.1) };
            self.next_start = Instant::now() + self.backoff;
            self.running = None;
            self.status.receives = false;
            self.status.restarts += 1;
            self.status.trouble = Some(match ended {
                Ok(()) => "pg_receivewal ended by itself".to_owned(),
                Err(error) => error.to_string(),
            });
        }
        if Instant::now() < self.next_start {
            return;
        }
        match self.receiver().and_then(Running::start) {
            Ok(running) => {
                self.running = Some((running, Instant::now()));
                self.status.receives = true;
            }
            Err(error) => {
                self.backoff = (self.backoff * 2).min(BACKOFF.1);
                self.next_start = Instant::now() + self.backoff;
                self.status.trouble = Some(Failure::from(error).why);
            }
        }
    }

    fn receiver(&self) -> Result<Command, PostgresError> {
        let Engine::Postgres { url, .. } = &self.job.database.engine else {
            return Err(PostgresError::Program("this is no PostgreSQL".to_owned()));
        };
        let programs = Programs::at(&self.job.programs);
        let mut command = programs.command("pg_receivewal", Some(&Address::parse(url)?));
        command
            .arg("--directory")
            .arg(self.received.dir())
            .arg(format!("--slot={}", self.job.slot()))
            .args(["--no-loop", "--no-password", "--status-interval=5"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Ok(command)
    }

    /// Puts what is whole into the repository, then away. The newest stays: from it `pg_receivewal` knows where
    /// to go on.
    fn put_away(&mut self) -> Result<(), PostgresError> {
        for name in self.received.histories()? {
            self.wal.put(&name, &self.received.dir().join(&name)).map_err(Failure::from)?;
        }
        let whole = self.received.whole(self.size)?;
        let newest = whole.last().copied();
        for segment in whole {
            let path = self.received.path(segment, self.size);
            let name = segment.name(self.size);
            if !self.wal.has(&name) {
                self.wal.put(&name, &path).map_err(Failure::from)?;
                self.status.trouble = None;
            }
            if Some(segment) != newest {
                fs::remove_file(&path).map_err(PostgresError::file("putting received WAL away"))?;
            }
        }
        Ok(())
    }

    fn say(&mut self) {
        self.status.beat_at_ms = clock::now_ms();
        let temporary = self.place.join("keep.json.tmp");
        let written = serde_json::to_vec(&self.status).map_err(io::Error::from).and_then(|text| {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&temporary)?.write_all(&text)?;
            fs::rename(&temporary, self.place.join("keep.json"))
        });
        // Nobody to tell: who looks sees that the last word is old.
        drop(written);
        let log = self.place.join("keep.log");
        if fs::metadata(&log).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
            let _ = OpenOptions::new().write(true).truncate(true).open(&log);
        }
    }
}
