//! Fills a data directory from a backup that is stored in parts: a part of which everything lies there already, by
//! its hashes, is not fetched.
//!
//! What lies there is believed for its bytes only. Files that are not in the backup go, so that the directory is the
//! backup's in the end, and nothing else. Whatever was written is read back: in the end every byte of the directory was
//! read once, and is what was stored, by our hashes, and what PostgreSQL read, by its own list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::data::Check;

use super::error::PostgresError;
use super::layout::{Layout, Piece, part_name};
use super::listed::{self, Sum};
use super::unpack::Unpacked;
use crate::course::{Course, Watch, ms};
use crate::failure::Failure;
use crate::progress::Teller;
use crate::repository::Repository;
use crate::repository::manifest::{Manifest, Object};

/// Parts are worked on at the same time: one waits for the disk while another is unpacked. More would be in the way
/// of the live database.
const WORKERS: usize = 2;

/// How often is said how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// What that proof is called in a report.
const CHECK: &str = "files";

/// Read at a time, and so often it is asked whether to stop.
const BLOCK: usize = 1 << 20;

/// Fills it, and proves what lies there then.
///
/// # Errors
/// The repository's, and the system's; [`PostgresError::Damaged`].
pub fn unpack(
    repository: &Repository,
    manifest: &Manifest,
    layout: &Layout,
    data: &Path,
    course: &Course,
) -> Result<Unpacked, PostgresError> {
    let failed = || PostgresError::file("preparing the copy's data directory");
    let warm = fs::read_dir(data).map_err(failed())?.next().is_some();
    clear(data, Path::new(""), &Names::of(layout)).map_err(failed())?;
    make(data, layout).map_err(failed())?;
    let mut objects = Vec::new();
    for number in 0..layout.parts.len() {
        let name = part_name(number);
        let object = manifest.object(&name);
        // The last one ended where the stream did.
        if object.is_none() && layout.parts.get(number).is_some_and(|part| !part.is_empty()) {
            return Err(PostgresError::NoBackup(format!(
                "backup {} has no `{name}` in it",
                manifest.backup.id
            )));
        }
        objects.push(object);
    }
    let work = Work {
        repository,
        manifest,
        layout,
        objects,
        data,
        warm,
        watch: course.watch().clone(),
        next: AtomicUsize::new(0),
        ended: AtomicBool::new(false),
        fetched: AtomicU64::new(0),
        found: AtomicU64::new(0),
        reading: AtomicU64::new(0),
        sums: Mutex::new(vec![Vec::new(); layout.parts.len()]),
        failure: Mutex::new(None),
    };
    work.run(course)
}

/// What every file is made of, by its pieces, against PostgreSQL's own list.
fn prove(layout: &Layout, data: &Path, sums: &[Vec<Sum>]) -> Result<String, PostgresError> {
    let mut files = vec![Sum::EMPTY; layout.entries.len()];
    for (piece, sum) in layout.parts.iter().flatten().zip(sums.iter().flatten()) {
        if let Some(file) = files.get_mut(piece.entry) {
            *file = file.then(*sum);
        }
    }
    let list = fs::read(data.join(listed::FILE))
        .map_err(PostgresError::file("reading the server's list of the backup's files"))?;
    let named = layout.entries.iter().zip(files).filter(|(entry, _)| entry.bytes.is_some());
    let there = named.map(|(entry, sum)| (&*entry.path, sum)).collect();
    let agree = listed::compare(&list, &there).map_err(damaged)?;
    Ok(format!(
        "{agree} read to their last byte, against what was stored and the server's own list"
    ))
}

fn damaged(says: String) -> PostgresError {
    PostgresError::Damaged { check: CHECK.to_owned(), says }
}

struct Work<'a> {
    repository: &'a Repository,
    manifest: &'a Manifest,
    layout: &'a Layout,
    /// One for each part; none for one in which nothing is.
    objects: Vec<Option<&'a Object>>,
    data: &'a Path,
    /// Something lay there before.
    warm: bool,
    watch: Watch,
    next: AtomicUsize,
    ended: AtomicBool,
    fetched: AtomicU64,
    found: AtomicU64,
    /// What reading took all workers, milliseconds.
    reading: AtomicU64,
    /// For each part that was read, the sums of its pieces.
    sums: Mutex<Vec<Vec<Sum>>>,
    failure: Mutex<Option<PostgresError>>,
}

impl Work<'_> {
    fn run(self, course: &Course) -> Result<Unpacked, PostgresError> {
        let of = self.layout.bytes();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| self.work())).collect();
            let mut told = 0;
            let mut last = false;
            // One more time after the end.
            while !last {
                last = workers.iter().all(std::thread::ScopedJoinHandle::is_finished);
                let fetched = self.fetched.load(Ordering::Relaxed);
                let found = self.found.load(Ordering::Relaxed);
                // Who shall stop is told by the workers, who ask the same watch.
                let _ = course.moved(fetched - told, Some(of.saturating_sub(found)));
                told = fetched;
                if !last {
                    std::thread::sleep(LOOK);
                }
            }
        });
        course.poll()?;
        if let Some(failure) = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure);
        }
        let began = Instant::now();
        let sums = self.sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        let says = prove(self.layout, self.data, &sums)?;
        let took = ms(began.elapsed()) + self.reading.into_inner() / WORKERS as u64;
        let proof = Check { name: CHECK.to_owned(), says, ms: took };
        Ok(Unpacked { warm_bytes: self.found.into_inner(), proof: Some(proof) })
    }

    fn work(&self) {
        while !self.ended.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let (Some(object), Some(pieces)) =
                (self.objects.get(number), self.layout.parts.get(number))
            else {
                return;
            };
            let Some(object) = object else { continue };
            let done = self.part(object, pieces).map(|sums| {
                let mut all = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(part) = all.get_mut(number) {
                    *part = sums;
                }
            });
            if let Err(error) = done {
                self.ended.store(true, Ordering::Relaxed);
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                return;
            }
        }
    }

    /// Sees to it that a part lies there; the sums of its pieces, as they were read.
    fn part(&self, object: &Object, pieces: &[Piece]) -> Result<Vec<Sum>, PostgresError> {
        self.watch.poll()?;
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let mut open = Open { data: self.data, layout: self.layout, file: None };
        if self.warm
            && let Some(sums) = self.read(pieces, &mut open)?
        {
            let bytes = pieces.iter().map(|piece| piece.bytes).sum();
            self.found.fetch_add(bytes, Ordering::Relaxed);
            return Ok(sums);
        }
        let mut target = Target { pieces, open, at: 0, fetched: &self.fetched };
        let course = Course::new(self.watch.clone(), Teller::quiet());
        let fetched = self.repository.fetch(self.manifest, object, &mut target, &course);
        fetched.map_err(Failure::from)?;
        let mut open = target.open;
        self.read(pieces, &mut open)?
            .ok_or_else(|| damaged(format!("`{}` is not read back as it was written", object.name)))
    }

    /// Reads a part where it lies; `None`: it is not what was stored.
    fn read(
        &self,
        pieces: &[Piece],
        open: &mut Open<'_>,
    ) -> Result<Option<Vec<Sum>>, PostgresError> {
        let began = Instant::now();
        let mut block = vec![0_u8; BLOCK];
        let mut sums = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let file =
                open.file(piece.entry).map_err(PostgresError::file("reading the scratch"))?;
            let Some(sum) = self.piece(piece, file, &mut block)? else { return Ok(None) };
            sums.push(sum);
        }
        self.reading.fetch_add(ms(began.elapsed()), Ordering::Relaxed);
        Ok(Some(sums))
    }

    fn piece(
        &self,
        piece: &Piece,
        file: &File,
        block: &mut [u8],
    ) -> Result<Option<Sum>, PostgresError> {
        let mut hash = blake3::Hasher::new();
        let mut crc = 0;
        let (mut at, end) = (piece.at, piece.at + piece.bytes);
        while at < end {
            self.watch.poll()?;
            let now = usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK);
            let Some(block) = block.get_mut(..now) else { return Ok(None) };
            // What cannot be read is fetched.
            if file.read_exact_at(block, at).is_err() {
                return Ok(None);
            }
            hash.update(block);
            crc = crc32c::crc32c_append(crc, block);
            at += now as u64;
        }
        let same = hash.finalize().as_bytes() == &piece.hash.0;
        Ok(same.then_some(Sum { bytes: piece.bytes, crc }))
    }
}

/// The file that is worked on.
struct Open<'a> {
    data: &'a Path,
    layout: &'a Layout,
    file: Option<(usize, File)>,
}

impl Open<'_> {
    fn file(&mut self, entry: usize) -> io::Result<&File> {
        let (number, file) = match self.file.take() {
            Some((number, file)) if number == entry => (number, file),
            _ => {
                let path = self.layout.entries.get(entry).map(|entry| self.data.join(&entry.path));
                let path = path.ok_or_else(|| io::Error::other("no such entry"))?;
                (entry, OpenOptions::new().read(true).write(true).open(path)?)
            }
        };
        let (_, file) = self.file.insert((number, file));
        Ok(file)
    }
}

/// Where the bytes of a part go.
struct Target<'a> {
    /// Those that are not written yet.
    pieces: &'a [Piece],
    open: Open<'a>,
    /// In the part.
    at: u64,
    fetched: &'a AtomicU64,
}

impl Write for Target<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(piece) = self.pieces.first() else {
                self.at += rest.len() as u64;
                break;
            };
            // Heads of files, and what fills them up, are nobody's content.
            let before = piece.from.saturating_sub(self.at);
            if before > 0 {
                let skipped = usize::try_from(before).unwrap_or(usize::MAX).min(rest.len());
                rest = rest.get(skipped..).unwrap_or_default();
                self.at += skipped as u64;
                continue;
            }
            let done = self.at - piece.from;
            let left = usize::try_from(piece.bytes - done).unwrap_or(usize::MAX);
            let (now, after) = rest.split_at(left.min(rest.len()));
            self.open.file(piece.entry)?.write_all_at(now, piece.at + done)?;
            self.at += now.len() as u64;
            if now.len() == left {
                self.pieces = self.pieces.get(1..).unwrap_or_default();
            }
            rest = after;
        }
        self.fetched.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is to be in the directory.
struct Names<'a> {
    files: BTreeMap<&'a Path, u64>,
    directories: BTreeSet<&'a Path>,
}

impl<'a> Names<'a> {
    fn of(layout: &'a Layout) -> Self {
        let mut names = Self { files: BTreeMap::new(), directories: BTreeSet::new() };
        for entry in &layout.entries {
            let path = Path::new(&entry.path);
            names.directories.extend(path.ancestors().skip(1));
            match entry.bytes {
                Some(bytes) => {
                    names.files.insert(path, bytes);
                }
                None => {
                    names.directories.insert(path);
                }
            }
        }
        names
    }
}

/// Removes what is not to be there: other files, links, files where directories are to be.
fn clear(data: &Path, below: &Path, names: &Names<'_>) -> io::Result<()> {
    for entry in fs::read_dir(data.join(below))? {
        let entry = entry?;
        let (kind, path): (_, PathBuf) = (entry.file_type()?, below.join(entry.file_name()));
        let wanted = if kind.is_dir() {
            names.directories.contains(&*path)
        } else {
            kind.is_file() && names.files.contains_key(&*path)
        };
        match (wanted, kind.is_dir()) {
            (true, true) => clear(data, &path, names)?,
            (true, false) => {}
            (false, true) => fs::remove_dir_all(entry.path())?,
            (false, false) => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Makes what is lacking, with its length.
fn make(data: &Path, layout: &Layout) -> io::Result<()> {
    for entry in &layout.entries {
        let path = data.join(&entry.path);
        let dir = if entry.bytes.is_some() { path.parent().unwrap_or(data) } else { &path };
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        if let Some(bytes) = entry.bytes {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(path)?;
            if file.metadata()?.len() != bytes {
                file.set_len(bytes)?;
            }
        }
    }
    Ok(())
}
