//! Who is connected. The number is bounded; the idlest makes room, because a connection whose
//! network died looks exactly like one that is merely quiet.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use friday_wire::frame::PREAMBLE;

use super::connection;
use crate::host::Host;
use crate::note::note;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 64;

/// A peer that does not read for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Names a connection of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

#[derive(Debug)]
struct Open {
    stream: UnixStream,
    heard: Instant,
}

/// The open ones.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<(u64, BTreeMap<ConnectionId, Open>)>,
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, (u64, BTreeMap<ConnectionId, Open>)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, stream: UnixStream) -> ConnectionId {
        let mut open = self.open();
        if open.1.len() >= CONNECTIONS_MAX
            && let Some(idlest) = open.1.iter().min_by_key(|(_, o)| o.heard).map(|(id, _)| *id)
            && let Some(closed) = open.1.remove(&idlest)
        {
            note("too many connections: the idlest is closed");
            let _ = closed.stream.shutdown(Shutdown::Both);
        }
        open.0 += 1;
        let id = ConnectionId(open.0);
        open.1.insert(id, Open { stream, heard: Instant::now() });
        id
    }

    /// Notes that something was read.
    pub fn heard(&self, id: ConnectionId) {
        if let Some(open) = self.open().1.get_mut(&id) {
            open.heard = Instant::now();
        }
    }

    fn remove(&self, id: ConnectionId) {
        self.open().1.remove(&id);
    }

    /// Closes every connection.
    pub fn close_all(&self) {
        for open in std::mem::take(&mut self.open().1).into_values() {
            let _ = open.stream.shutdown(Shutdown::Both);
        }
    }
}

/// Accepts connections for as long as the process serves.
pub fn accept_all(host: &'static Host, listener: &UnixListener) {
    for stream in listener.incoming() {
        if host.is_handed_over() {
            return;
        }
        match stream.and_then(|stream| begin(host, stream)) {
            Ok(()) => {}
            Err(error) => {
                note(&format!("a connection could not be taken: {error}"));
                // Out of descriptors or threads: others must end first.
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn begin(host: &'static Host, mut stream: UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    // That these bytes come is how the other side knows that somebody is here.
    stream.write_all(PREAMBLE)?;
    let id = host.connections.add(stream.try_clone()?);
    let spawned = thread::Builder::new().name("connection".to_owned()).spawn(move || {
        connection::converse(host, id, &stream);
        let _ = stream.shutdown(Shutdown::Both);
        host.connections.remove(id);
    });
    if spawned.is_err() {
        host.connections.remove(id);
    }
    spawned.map(drop)
}
