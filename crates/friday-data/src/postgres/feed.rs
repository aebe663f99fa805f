//! Feeds WAL to a scratch server: its `restore_command` is this program again, which asks here over a socket.
//!
//! So a key of the repository is in no file and no environment, and a scratch server whose drill was killed gets
//! nothing more and ends. Only files of the write-ahead log are given, and only into the scratch's `pg_wal`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::ahead::Ahead;
use super::error::PostgresError;
use super::log::Log;
use super::lsn::{Segment, SegmentSize, is_history};
use super::received::Received;
use crate::course::{Course, Watch};
use crate::failure::Failure;
use crate::progress::Teller;

/// How long one segment may take to be fetched.
const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// How long somebody who connected may take to ask.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// How often it looks whether it shall end.
const LOOK: Duration = Duration::from_millis(10);

/// A question may be so long: two names.
const QUESTION_LIMIT: u64 = 4 * 1024;

/// What tells PostgreSQL to give up, rather than to take it for the end of the log.
const GIVE_UP: u8 = 200;

/// Where WAL comes from.
#[derive(Clone)]
pub struct Source {
    /// Where it is kept.
    pub log: Log,
    /// What was received and is not there yet.
    pub received: Received,
    /// Of its files.
    pub size: SegmentSize,
}

/// Feeds, as long as it lives.
pub struct Feed {
    socket: PathBuf,
    end: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    trouble: Arc<Mutex<Option<Failure>>>,
    bytes: Arc<AtomicU64>,
}

impl Feed {
    /// Begins to feed a scratch's data directory `data` up to the segment `last`, over a socket at `socket`.
    ///
    /// # Errors
    /// The system's.
    pub fn start(
        socket: &Path,
        (source, last): (Source, Segment),
        data: &Path,
        watch: &Watch,
    ) -> Result<Self, PostgresError> {
        let doing = "making the scratch server's source of WAL";
        let listener = UnixListener::bind(socket).map_err(PostgresError::file(doing))?;
        listener.set_nonblocking(true).map_err(PostgresError::file(doing))?;
        let end = Arc::new(AtomicBool::new(false));
        let (trouble, bytes) = (Arc::default(), Arc::default());
        // Beside the data directory, so that a segment is moved there and not copied.
        let ahead = data.with_file_name("ahead");
        let ahead = Ahead::start(source.log.clone(), (source.size, last), &ahead, watch)?;
        let server = Serving {
            source,
            ahead,
            data: data.to_owned(),
            watch: watch.clone(),
            trouble: Arc::clone(&trouble),
            bytes: Arc::clone(&bytes),
        };
        let ending = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => server.serve(stream),
                    // Also where the system refuses for a moment.
                    Err(_) => std::thread::sleep(LOOK),
                }
            }
        });
        Ok(Self { socket: socket.to_owned(), end, thread: Some(thread), trouble, bytes })
    }

    /// Why a segment could not be given, if one could not.
    pub fn trouble(&self) -> Option<Failure> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes given so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.socket);
    }
}

struct Serving {
    source: Source,
    ahead: Ahead,
    data: PathBuf,
    watch: Watch,
    trouble: Arc<Mutex<Option<Failure>>>,
    bytes: Arc<AtomicU64>,
}

impl Serving {
    fn serve(&self, stream: UnixStream) {
        let Ok(answer) = self.answer(&stream) else { return };
        // Who does not hear it asks again, or ends.
        let _ = (&stream).write_all(&[answer]);
    }

    fn answer(&self, stream: &UnixStream) -> io::Result<u8> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(ASK_LIMIT))?;
        stream.set_write_timeout(Some(ASK_LIMIT))?;
        let mut question = String::new();
        BufReader::new(stream.take(QUESTION_LIMIT)).read_line(&mut question)?;
        let Some((name, target)) = question.trim_end().split_once('\t') else { return Ok(b'e') };
        let segment = Segment::parse(name, self.source.size);
        let plain = target.strip_prefix("pg_wal/").is_some_and(|file| !file.contains(['/', '\0']));
        if !plain || (segment.is_none() && !is_history(name)) {
            return Ok(b'n');
        }
        match self.give(name, segment, &self.data.join(target)) {
            Ok(true) => Ok(b'y'),
            Ok(false) => Ok(b'n'),
            Err(failure) => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                Ok(b'e')
            }
        }
    }

    fn give(&self, name: &str, segment: Option<Segment>, target: &Path) -> Result<bool, Failure> {
        let writing =
            |error: io::Error| PostgresError::file("giving WAL to the scratch server")(error);
        if let Some(segment) = segment
            && self.ahead.take(segment, target).map_err(writing)?
        {
            self.bytes.fetch_add(self.source.size.bytes(), Ordering::Relaxed);
            return Ok(true);
        }
        if self.source.log.has(name) {
            let course = Course::new(self.watch.within(FETCH_LIMIT), Teller::quiet());
            self.source.log.fetch(name, target, &course)?;
            self.bytes
                .fetch_add(fs::metadata(target).map_or(0, |meta| meta.len()), Ordering::Relaxed);
            return Ok(true);
        }
        let Some(segment) = segment else { return Ok(false) };
        let (received, size) = (&self.source.received, self.source.size);
        for path in [received.path(segment, size), received.partial_path(segment, size)] {
            match fs::copy(&path, target) {
                // What is still being received is as long as a whole one.
                Ok(length) if length == size.bytes() => {
                    self.bytes.fetch_add(length, Ordering::Relaxed);
                    return Ok(true);
                }
                Ok(_) => fs::remove_file(target).map_err(writing)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(writing(error).into()),
            }
        }
        // It may have become whole, and gone to the repository, between the looks.
        if self.source.log.has(name) { self.give(name, None, target) } else { Ok(false) }
    }
}

/// What the scratch server runs: `friday-data fetch-wal SOCKET NAME TARGET`.
pub fn fetch(socket: &Path, name: &str, target: &str) -> ExitCode {
    match ask(socket, name, target) {
        Ok(b'y') => ExitCode::SUCCESS,
        Ok(b'n') => ExitCode::FAILURE,
        Ok(_) | Err(_) => ExitCode::from(GIVE_UP),
    }
}

fn ask(socket: &Path, name: &str, target: &str) -> io::Result<u8> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(ASK_LIMIT))?;
    stream.set_read_timeout(Some(FETCH_LIMIT))?;
    stream.write_all(format!("{name}\t{target}\n").as_bytes())?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0])
}
