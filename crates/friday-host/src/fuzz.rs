//! What must hold for any bytes at all: called by fuzzers, and by the tests, which replay what fuzzers
//! found. Compiled for nobody else. A function here panics where something does not hold.
//!
//! Nothing is run and nothing is upgraded: in the state machine's place sits somebody who refuses. The
//! state machine has inputs of its own, in friday-node.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::thread;

use friday_wire::frame::{self, Call, Frame, Reply};
use friday_wire::{Answer, BootIdentity, Digest, Fence, FleetName, HostName, Refusal};

use serde::Deserialize;

use crate::host::{Host, Opened};
use crate::page::Pages;
use crate::place::{Owner, Place};
use crate::serve::connection::converse;
use crate::serve::connections::ConnectionId;
use crate::serve::event::Event;

/// What a peer may send on a connection: every question gets one answer, and what lies in the store
/// under a hash has it.
pub fn conversation(input: &[u8]) {
    let bytes = friday_wire::fuzz::connection(input);
    let host = host();
    let (near, far) = UnixStream::pair().expect("two ends");
    let sending = near.try_clone().expect("one end twice");
    let asked = questions(&bytes);
    let peer = thread::spawn(move || {
        let mut sending = sending;
        // The host may close before it has read everything.
        let _ = sending.write_all(&bytes);
        let _ = sending.shutdown(Shutdown::Write);
    });
    let hearing = thread::spawn(move || {
        let mut answers = Vec::new();
        let _ = (&near).read_to_end(&mut answers);
        answers
    });
    converse(host, ConnectionId::default(), &far);
    // Its second thread still writes what is answered, and closes after that.
    drop(far);
    peer.join().expect("the peer");
    let heard = hearing.join().expect("the answers");
    check_answers(&asked, &heard);
    check_store(host.place.dir());
    empty(host.place.dir());
}

#[derive(Deserialize)]
struct NumberOnly {
    number: u64,
}

/// The numbers of what a host must answer, in order, as far as it can read.
fn questions(bytes: &[u8]) -> Vec<u64> {
    let mut rest = bytes;
    let mut numbers = Vec::new();
    while let Ok(read) = frame::read_frame(&mut rest) {
        if let Frame::Json(body) = read {
            // What is not understood is answered, too, where it has a number.
            let number = frame::parse::<Call>(&body).map(|call| call.number);
            let number =
                number.or_else(|_| frame::parse(&body).map(|NumberOnly { number }| number));
            numbers.extend(number.ok());
        }
    }
    numbers
}

fn check_answers(asked: &[u64], heard: &[u8]) {
    let mut rest = heard;
    let mut answered = 0;
    loop {
        match frame::read_frame(&mut rest) {
            Ok(Frame::Json(body)) => {
                let reply: Reply = frame::parse(&body).expect("the host's own words");
                if let Answer::Error { why } = &reply.answer {
                    assert!(!why.is_empty());
                }
                answered += usize::from(asked.contains(&reply.number));
            }
            Ok(Frame::Data(_)) => panic!("a host sends no files"),
            Err(frame::FrameError::Closed) => break,
            Err(error) => panic!("the host's own frames: {error}"),
        }
    }
    assert!(answered <= asked.len(), "{answered} answers to {} questions", asked.len());
}

fn check_store(dir: &Path) {
    for shelf in listed(&dir.join("store")) {
        if shelf.ends_with("tmp") {
            continue;
        }
        for file in listed(&shelf) {
            let found = crate::machine::digest_of(&file).expect("it can be read").to_string();
            assert!(file.ends_with(&found), "{} hashes to {found}", file.display());
        }
    }
}

/// The next input finds the host as the first did.
fn empty(dir: &Path) {
    for part in ["store", "manifests", "secrets"] {
        for entry in listed(&dir.join(part)) {
            let _ = crate::tree::remove_tree(&entry);
        }
    }
    fs::create_dir_all(dir.join("store/tmp")).expect("our own directory");
}

fn listed(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .map_or_else(|_| Vec::new(), |found| found.flatten().map(|entry| entry.path()).collect())
}

/// One host for the life of the process, in memory where there is such a place.
fn host() -> &'static Host {
    static HOST: OnceLock<&'static Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let dir = memory().join(format!("friday-fuzz-host-{}", std::process::id()));
        let place = Place::open(&dir).expect("a directory of its own");
        let boot = BootIdentity { boot_id: "a".to_owned(), init_start: 1 };
        let (inbox, events) = mpsc::sync_channel(64);
        thread::spawn(move || events.into_iter().for_each(refuse));
        let lock = fs::File::create(place.join("lock")).expect("our own directory");
        let owner = Owner { fleet: FleetName::new("shop"), host: HostName::new("web-1") };
        let pages = Pages::resume(place.clone(), boot);
        Host::new(Opened { place, owner, pages, inbox, program: Digest([7; 32]), lock })
    })
}

/// Where inputs by the thousand wear out no disk.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn refuse(event: Event) {
    match event {
        Event::Asked { reply, .. } => reply.send(Answer::Error { why: "not here".to_owned() }),
        Event::Admits { answer, .. } => {
            let highest = Fence::zero();
            let _ = answer.try_send(Err(Refusal::Fenced { highest }));
        }
        Event::HandOver { answer } => {
            let _ = answer.try_send(Err("not here".to_owned()));
        }
        Event::Finished { .. } | Event::Exited { .. } => {}
    }
}

mod packs;
pub use packs::packs;

#[cfg(test)]
mod tests;
