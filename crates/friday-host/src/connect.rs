//! What ssh, or a local pipe, runs: makes the directory, sees that a friday-host serves it, and then
//! passes bytes both ways. It understands nothing of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use friday_wire::frame::PREAMBLE;

use crate::place::{Owner, Place, PlaceError, ReadError, write_json};

/// How long a serving process may take to be there.
const DEADLINE: Duration = Duration::from_secs(10);

/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A file cannot be used.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody greets.
    #[error("friday-host does not answer on `{dir}` within {} s; its log says: {log}", DEADLINE.as_secs())]
    Silent {
        /// The directory.
        dir: String,
        /// The log's last line.
        log: String,
    },
    /// The serving process ended.
    #[error("friday-host could not start: {0}")]
    Ended(String),
    /// The system.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
}

/// Connects and passes bytes until either side closes.
///
/// # Errors
/// When no connection comes about. Once bytes pass, an end is an end.
pub fn run(dir: &Path, owner: &Owner) -> Result<(), ConnectError> {
    let place = Place::open(dir)?;
    let stream = reach(&place, Some(owner))?;
    relay(stream).map_err(|error| ConnectError::Io("relay", error))
}

/// For a boot hook: sees that a friday-host serves the directory.
///
/// # Errors
/// When none comes up.
pub fn boot(dir: &Path) -> Result<(), ConnectError> {
    let place = Place::open(dir)?;
    if place.owner()?.is_none() {
        return Err(ConnectError::Ended(format!(
            "`{}` belongs to no fleet yet",
            place.dir().display()
        )));
    }
    reach(&place, None).map(drop)
}

/// A connection on which friday-host has greeted; one is started where none answers.
fn reach(place: &Place, owner: Option<&Owner>) -> Result<UnixStream, ConnectError> {
    let deadline = Instant::now() + DEADLINE;
    if let Ok(stream) = dial(place, deadline) {
        return Ok(stream);
    }
    let _starter = take_start_lock(place, deadline)?;
    if let Some(owner) = owner
        && place.owner()?.is_none()
    {
        write_json(&place.join("host.json"), owner)
            .map_err(|error| ConnectError::Io("host.json", error))?;
    }
    let mut serving: Option<Child> = None;
    while Instant::now() < deadline {
        if let Ok(stream) = dial(place, deadline) {
            return Ok(stream);
        }
        match serving.as_mut().map(Child::try_wait) {
            None => {
                let started = start(place).map_err(|e| ConnectError::Io("friday-host", e))?;
                serving = Some(started);
            }
            // It found another one serving; that one will greet in a moment, or end.
            Some(Ok(Some(status))) if status.code() == Some(crate::EXIT_TAKEN.into()) => {
                serving = None;
                thread::sleep(TRY_EVERY);
            }
            Some(Ok(Some(_))) => return Err(ConnectError::Ended(last_line(place))),
            Some(_) => thread::sleep(TRY_EVERY),
        }
    }
    Err(ConnectError::Silent { dir: place.dir().display().to_string(), log: last_line(place) })
}

fn last_line(place: &Place) -> String {
    crate::output::last_lines(&place.join("friday-host.log"), 1)
        .ok()
        .and_then(|mut lines| lines.pop())
        .unwrap_or_else(|| "nothing".to_owned())
}

/// Only one starter at a time; others wait and then find it running.
fn take_start_lock(place: &Place, deadline: Instant) -> Result<File, ConnectError> {
    let failed = |error| ConnectError::Io("start.lock", error);
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(place.join("start.lock"))
        .map_err(failed)?;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(TRY_EVERY);
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// Starts the serving process. It makes a session of its own; until then a group of its own keeps
/// a hang-up of this connection away from it.
fn start(place: &Place) -> io::Result<Child> {
    let log = crate::shim::own_log(place)?;
    let errors = log.try_clone()?;
    Command::new("/proc/self/exe")
        .arg0("friday-host")
        .args(["serve", "--dir"])
        .arg(place.dir())
        .current_dir(place.dir())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
}

/// Connects and waits for the greeting.
///
/// # Errors
/// When nobody is there, or nobody greets before the deadline.
pub fn dial(place: &Place, deadline: Instant) -> io::Result<UnixStream> {
    let (_dir, path) = place.socket()?;
    let mut stream = UnixStream::connect(path)?;
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left))?;
    let mut greeting = [0_u8; PREAMBLE.len()];
    stream.read_exact(&mut greeting)?;
    if &greeting != PREAMBLE {
        return Err(io::Error::other("something else listens on the socket"));
    }
    stream.set_read_timeout(None)?;
    Ok(stream)
}

/// Passes bytes until the host closes. When the caller closes, the host is told, and closes too.
fn relay(stream: UnixStream) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(PREAMBLE)?;
    out.flush()?;
    let mut up = stream.try_clone()?;
    thread::Builder::new().spawn(move || {
        let _ = pass(&mut io::stdin().lock(), &mut up);
        let _ = up.shutdown(Shutdown::Write);
    })?;
    pass(&mut &stream, &mut out)
}

/// Copies and flushes after each read: frames must not wait for more to come.
fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => {
                to.write_all(&buffer[..got])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
