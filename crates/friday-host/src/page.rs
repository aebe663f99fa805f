//! Health pages: friday-host answers a balancer's probe for the application, 200 in rotation and 503
//! out of it. What a page answers is on disk, so that a restart of friday-host is no reason for a
//! balancer to take the host out; after a boot every page says 503 until the application is back.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use friday_node::Direction;
use friday_wire::BootIdentity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use crate::place::{Place, read_json, write_json};

/// A probe's request is read for this long and up to this size.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_LEN_MAX: usize = 8 * 1024;

/// Requests answered at the same time, per page; more are closed.
const REQUESTS_MAX: usize = 16;

/// What a page answers, as stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    boot: Option<BootIdentity>,
    pages: BTreeMap<String, Direction>,
}

#[derive(Debug)]
struct Page {
    into: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

/// All pages of one directory.
#[derive(Debug)]
pub struct Pages {
    place: Place,
    boot: BootIdentity,
    open: Mutex<BTreeMap<String, Page>>,
}

impl Pages {
    /// Opens the pages that were open before, as they were if this is the same boot.
    pub fn resume(place: Place, boot: BootIdentity) -> Self {
        let pages = Self { place, boot, open: Mutex::default() };
        for (listen, direction) in pages.stored().pages {
            if let Err(error) = pages.open(&listen, direction) {
                crate::note::note(&format!("health page {listen}: {error}"));
            }
        }
        pages
    }

    fn stored(&self) -> Stored {
        let mut stored: Stored =
            read_json(&self.place.join("rotation.json")).ok().flatten().unwrap_or_default();
        if stored.boot.as_ref() != Some(&self.boot) {
            stored.pages.values_mut().for_each(|direction| *direction = Direction::Out);
            stored.boot = Some(self.boot.clone());
        }
        stored
    }

    /// Makes a page answer so, durably. A page that cannot listen is out: that is no failure when
    /// out is what was asked.
    ///
    /// # Errors
    /// One sentence.
    pub fn turn(&self, listen: &str, direction: Direction) -> Result<(), String> {
        let opened = self.open(listen, direction);
        if let (Err(error), Direction::Into) = (&opened, direction) {
            return Err(format!("the health page cannot listen on {listen}: {error}"));
        }
        let mut stored = self.stored();
        stored.pages.insert(listen.to_owned(), direction);
        write_json(&self.place.join("rotation.json"), &stored)
            .map_err(|error| format!("the rotation could not be stored: {error}"))
    }

    fn open(&self, listen: &str, direction: Direction) -> io::Result<()> {
        let into = direction == Direction::Into;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = open.get(listen) {
            page.into.store(into, Ordering::SeqCst);
            return Ok(());
        }
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let answers = Arc::new(AtomicBool::new(into));
        let end = Arc::new(AtomicBool::new(false));
        let (seen, ended) = (Arc::clone(&answers), Arc::clone(&end));
        let listening = thread::Builder::new()
            .name("health page".to_owned())
            .spawn(move || listen_until(&ended, &listener, &seen))?;
        let page = Page { into: answers, end, listening: Some(listening) };
        open.insert(listen.to_owned(), page);
        Ok(())
    }

    /// Closes all pages, so that another process can open them.
    pub fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for page in open.values() {
            page.end.store(true, Ordering::SeqCst);
        }
        for (_, mut page) in std::mem::take(&mut *open) {
            page.listening.take().map(JoinHandle::join);
        }
    }
}

fn listen_until(end: &AtomicBool, listener: &TcpListener, into: &Arc<AtomicBool>) {
    let busy = Arc::new(AtomicUsize::new(0));
    let pause = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !end.load(Ordering::SeqCst) {
        let mut waits = [PollFd::new(listener, PollFlags::IN)];
        let _ = poll(&mut waits, Some(&pause));
        let Ok((stream, _)) = listener.accept() else { continue };
        if busy.fetch_add(1, Ordering::SeqCst) >= REQUESTS_MAX {
            busy.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let (done, into) = (Arc::clone(&busy), Arc::clone(into));
        let spawned = thread::Builder::new().spawn(move || {
            let _ = answer(stream, into.load(Ordering::SeqCst));
            done.fetch_sub(1, Ordering::SeqCst);
        });
        if spawned.is_err() {
            busy.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Reads the request to its empty line, whatever it asks, and answers.
fn answer(mut stream: TcpStream, into: bool) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    let mut request = Vec::new();
    let mut buffer = [0_u8; 1_024];
    while request.len() < REQUEST_LEN_MAX && !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => break,
            got => request.extend_from_slice(&buffer[..got]),
        }
    }
    let (status, body) = if into {
        ("200 OK", "in rotation\n")
    } else {
        ("503 Service Unavailable", "out of rotation\n")
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(listen: &str) -> String {
        let mut stream = TcpStream::connect(listen).expect("connects");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").expect("asks");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answers");
        text.lines().next().unwrap_or_default().to_owned()
    }

    fn free_address() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        listener.local_addr().expect("has one").to_string()
    }

    #[test]
    fn a_page_keeps_its_answer_over_a_restart_but_not_over_a_boot() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Place::open(&dir.path().join("f")).expect("opens");
        let boot = |id: &str| BootIdentity { boot_id: id.to_owned(), init_start: 1 };
        let listen = free_address();
        let pages = Pages::resume(place.clone(), boot("a"));
        pages.turn(&listen, Direction::Out).expect("opens");
        assert_eq!(ask(&listen), "HTTP/1.1 503 Service Unavailable");
        pages.turn(&listen, Direction::Into).expect("turns");
        assert_eq!(ask(&listen), "HTTP/1.1 200 OK");
        pages.close();
        let pages = Pages::resume(place.clone(), boot("a"));
        assert_eq!(ask(&listen), "HTTP/1.1 200 OK");
        pages.close();
        let pages = Pages::resume(place, boot("b"));
        assert_eq!(ask(&listen), "HTTP/1.1 503 Service Unavailable");
        pages.close();
    }

    #[test]
    fn an_address_that_is_taken_is_a_failure_only_on_the_way_in() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Place::open(&dir.path().join("f")).expect("opens");
        let other = TcpListener::bind("127.0.0.1:0").expect("listens");
        let listen = other.local_addr().expect("has one").to_string();
        let pages = Pages::resume(place, BootIdentity { boot_id: String::new(), init_start: 0 });
        assert!(pages.turn(&listen, Direction::Into).is_err());
        pages.turn(&listen, Direction::Out).expect("is out anyway");
    }
}
