//! Something large in a bucket: objects of a bounded size, one after the other, so that neither memory nor a
//! request that fails costs more than a part.
//!
//! ```text
//! database.sqlite.zst.age.part-000000
//! database.sqlite.zst.age.part-000001      concatenated, they are what was stored
//! ```
//!
//! One part travels while the next is made or read. What is not finished stays to whoever owns the place.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::{Bucket, BucketError, Depth};

/// How large a part is, bytes. Three of them are in memory at most.
pub const PART: usize = 8 * 1024 * 1024;

/// Parts that wait for the one that travels.
const AHEAD: usize = 1;

fn part(name: &str, number: usize) -> String {
    format!("{name}.part-{number:06}")
}

/// Writes parts.
pub struct PartsWriter {
    part: Vec<u8>,
    sender: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<Result<(), BucketError>>>,
}

impl PartsWriter {
    /// Begins something new.
    pub fn begin(bucket: &Bucket, name: &str) -> Self {
        let (sender, parts) = sync_channel::<Vec<u8>>(AHEAD);
        let (bucket, name) = (bucket.clone(), name.to_owned());
        let thread = std::thread::spawn(move || {
            for (number, bytes) in parts.into_iter().enumerate() {
                bucket.put(&part(&name, number), &bytes)?;
            }
            Ok(())
        });
        Self { part: Vec::new(), sender: Some(sender), thread: Some(thread) }
    }

    /// Waits until the store has all of it.
    ///
    /// # Errors
    /// See [`BucketError`].
    pub fn finish(mut self) -> io::Result<()> {
        self.send()?;
        self.end()
    }

    fn send(&mut self) -> io::Result<()> {
        let part = std::mem::take(&mut self.part);
        let sent = self.sender.as_ref().map(|sender| sender.send(part));
        match sent {
            Some(Ok(())) => Ok(()),
            // The thread has gone, and says why.
            Some(Err(_)) | None => {
                self.end()?;
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let ended = thread.join();
        ended.map_err(|_| io::Error::other("the thread that writes parts ended"))??;
        Ok(())
    }
}

impl Write for PartsWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        if self.part.len() == PART {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PartsWriter {
    fn drop(&mut self) {
        // Nobody writes what is removed next.
        let _ = self.end();
    }
}

/// Lengths of the parts of something, in order.
///
/// # Errors
/// [`BucketError::Absent`] where there is none, or not each.
pub fn lengths(bucket: &Bucket, name: &str) -> Result<Vec<u64>, BucketError> {
    let found = bucket.below(&format!("{name}.part-"), Depth::All)?.objects;
    let whole = found.iter().enumerate().all(|(number, (key, _))| *key == part(name, number));
    if found.is_empty() || !whole {
        return Err(BucketError::Absent);
    }
    Ok(found.into_iter().map(|(_, length)| length).collect())
}

/// Reads parts.
pub struct PartsReader {
    parts: Receiver<Result<Vec<u8>, BucketError>>,
    part: io::Cursor<Vec<u8>>,
}

impl PartsReader {
    /// Begins to read.
    pub fn begin(bucket: &Bucket, name: &str, lengths: Vec<u64>) -> Self {
        let (sender, parts) = sync_channel(AHEAD);
        let (bucket, name) = (bucket.clone(), name.to_owned());
        // It ends when nobody takes what it reads.
        std::thread::spawn(move || {
            for (number, length) in lengths.into_iter().enumerate() {
                let came = bucket.get(&part(&name, number), length);
                let ended = came.is_err();
                if sender.send(came).is_err() || ended {
                    return;
                }
            }
        });
        Self { parts, part: io::Cursor::default() }
    }
}

impl Read for PartsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.part.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            match self.parts.recv() {
                Ok(part) => self.part = io::Cursor::new(part?),
                Err(_) => return Ok(0),
            }
        }
    }
}
