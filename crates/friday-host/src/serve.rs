//! The one long-lived process of a directory. One thread owns the state machine; a pair of threads
//! per connection reads and writes; a thread per action does the work.
//!
//! Start with [`run`], then [`owner`], then [`connection`].

pub mod connection;
pub mod connections;
pub mod event;
pub mod owner;
pub mod shipment;
pub mod state;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use friday_node::{Input, Node};
use friday_wire::{BootHook, Scrutiny};

use crate::app;
use crate::arguments::Turn;
use crate::host::{Host, Opened};
use crate::machine;
use crate::note::note;
use crate::page::Pages;
use crate::place::{Owner, Place};
use crate::unit;
use crate::upgrade::{self, Guard};

/// Inputs that wait for the node's thread; then whoever has more waits.
const INBOX_MAX: usize = 1_024;

/// Between two looks whether the one that serves has ended.
const TURN_PAUSE: Duration = Duration::from_millis(500);

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory.
    #[error(transparent)]
    Place(#[from] crate::place::PlaceError),
    /// Nobody said whose it is.
    #[error("`{0}` belongs to no fleet yet; `friday-host connect` makes it")]
    NoOwner(String),
    /// A file cannot be used.
    #[error(transparent)]
    Read(#[from] crate::place::ReadError),
    /// The state.
    #[error(transparent)]
    State(#[from] state::StateError),
    /// Another process serves it.
    #[error("another friday-host serves this directory")]
    Taken,
    /// The system.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
}

/// Serves a directory until the process is killed, replaced or restarted.
///
/// # Errors
/// When it cannot begin. Nothing was changed then.
pub fn run(dir: &Path, guard: Guard, turn: Turn) -> Result<(), ServeError> {
    // Fails only for one that leads a session already.
    let _ = rustix::process::setsid();
    let place = Place::open(dir)?;
    let lock = match turn {
        Turn::Leave => take_lock(&place)?,
        Turn::Wait => wait_for_lock(&place)?,
    };
    let owner: Owner =
        place.owner()?.ok_or_else(|| ServeError::NoOwner(place.dir().display().to_string()))?;
    let durable = state::load(&place, &owner)?;
    let program = machine::own_digest().map_err(|error| ServeError::Io("own program", error))?;
    upgrade::settle(&place, guard, program).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => ServeError::Taken,
        _ => ServeError::Io("upgrade", error),
    })?;
    let boot = machine::boot_identity();
    let pages = Pages::resume(place.clone(), boot.clone());
    let listener = listen(&place).map_err(|error| ServeError::Io("socket", error))?;
    let (inbox, events) = mpsc::sync_channel(INBOX_MAX);
    let host = Host::new(Opened { place, owner, pages, inbox, program, lock });
    let alive = app::adopt(&host.apps);
    crate::command::end_left_behind(host.place.command_record());
    note(&format!(
        "friday-host {} serves {} with {} applications",
        env!("CARGO_PKG_VERSION"),
        host.place.dir().display(),
        alive.len()
    ));
    thread::Builder::new()
        .name("listener".to_owned())
        .spawn(move || connections::accept_all(host, &listener))
        .map_err(|error| ServeError::Io("listener", error))?;
    // A unit's systemd now knows which process to look after, also after an upgrade.
    unit::tell(&format!("MAINPID={}\nREADY=1\nSTATUS=serves", std::process::id()));
    let first = Input::Started {
        boot,
        alive,
        boot_hook: host.boot_hook(Scrutiny::Brief) != BootHook::None,
    };
    owner::Loop::new(host, Node::new(durable)).run(first, &events)
}

/// The lock that only one serving process holds.
fn take_lock(place: &Place) -> Result<File, ServeError> {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(place.join("lock"))
        .map_err(|error| ServeError::Io("lock", error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(ServeError::Taken),
        Err(fs::TryLockError::Error(error)) => Err(ServeError::Io("lock", error)),
    }
}

/// Waits for its turn. The unit counts as started meanwhile: somebody does serve.
fn wait_for_lock(place: &Place) -> Result<File, ServeError> {
    unit::tell("READY=1\nSTATUS=another friday-host serves; waits for its end");
    loop {
        match take_lock(place) {
            Err(ServeError::Taken) => thread::sleep(TURN_PAUSE),
            other => return other,
        }
    }
}

fn listen(place: &Place) -> io::Result<UnixListener> {
    // The lock is ours: a socket that lies here is nobody's.
    crate::tree::remove_tree(&place.join("sock"))?;
    let (_dir, path) = place.socket()?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(place.join("sock"), fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
