//! Drills and restores: a backup becomes a database again, beside the live one, and is proven to be the one that was meant.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use friday_wire::data::{
    Check, DataPhase, DrillReport, DrillTarget, Invariant, Judged, Mask, Position, RestoreStep,
    ScratchFacts,
};
use friday_wire::{BackupId, Digest};
use serde::{Deserialize, Serialize};

use super::{OBJECT, SqliteError, check, judge, mask, steps};
use crate::course::Course;
use crate::failure::Failure;
use crate::lock::{self, LockKind};
use crate::place::{self, PlaceError};
use crate::repository::manifest::{Manifest, Object};
use crate::repository::{Repository, RepositoryError};
use crate::request::Setting;
use crate::{clock, room};

/// Written beside a copy that stays for the next drill. Without it, what lies there was left by somebody who was killed.
const KEPT_FILE: &str = "kept.json";

/// What a drill is to reach and to hold.
#[derive(Debug, Clone, Copy)]
pub struct Aim<'a> {
    /// Where to arrive.
    pub target: &'a DrillTarget,
    /// What must hold on the copy.
    pub invariants: &'a [Invariant],
}

/// What becomes of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After<'a> {
    /// It stays for the next drill.
    Keep,
    /// It stays for people to look at, without personal data. The next drill fetches all of it again.
    KeepMasked(&'a Mask),
    /// It goes.
    Remove,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    backup: BackupId,
    digest: Digest,
}

/// What goes unless it is said to stay: whatever ends a drill in the middle leaves nothing.
struct Scratch {
    dir: PathBuf,
    file: PathBuf,
    stays: Stays,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    Yes,
    No,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.stays == Stays::No {
            // What stays is put away by the next drill. Only the copy goes: a person's directory is theirs.
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// Restores a backup into the scratch and proves it.
pub fn drill(
    _live: &Path,
    aim: Aim<'_>,
    after: After<'_>,
    setting: &Setting<'_>,
) -> Result<DrillReport, Failure> {
    let _held = lock::take(setting.place, LockKind::Drill)?;
    let dir = setting.place.scratch()?.to_owned();
    let warm = warm(&dir);
    if warm.is_none() {
        empty(&dir).map_err(|error| file(&dir, error))?;
    }
    // From now on what lies there is nobody's, until it is proven again.
    let _ = fs::remove_file(dir.join(KEPT_FILE));
    let mut scratch = Scratch { file: dir.join(OBJECT), dir, stays: Stays::No };
    let proven = prove(aim, &scratch, warm, setting)?;
    let masked = match after {
        After::Keep | After::Remove => None,
        After::KeepMasked(mask) => {
            let masked = mask::mask(&scratch.file, mask, setting.course);
            // Not a part of it stays that was not masked.
            Some(masked.inspect_err(|_| drop(empty(&scratch.dir)))?)
        }
    };
    setting.course.enter(DataPhase::Clean);
    let kept = match after {
        After::Keep => keep(&scratch.dir, &proven.manifest).map(|()| Stays::Yes)?,
        After::KeepMasked(_) => Stays::Yes,
        After::Remove => {
            empty(&scratch.dir).map_err(|error| file(&scratch.dir, error))?;
            Stays::No
        }
    };
    scratch.stays = kept;
    Ok(DrillReport { masked, ..proven.report(&scratch.dir, kept, setting.course) })
}

/// Restores a backup into a directory that a person names, and proves it there.
pub fn restore(
    live: &Path,
    aim: Aim<'_>,
    directory: &str,
    setting: &Setting<'_>,
) -> Result<(DrillReport, Vec<RestoreStep>), Failure> {
    let _held = lock::take(setting.place, LockKind::Restore)?;
    let dir = place::from_home(directory);
    let made = Made::begin(&dir)?;
    let name = live.file_name().map_or_else(|| OBJECT.into(), std::ffi::OsStr::to_owned);
    let mut scratch = Scratch { file: dir.join(name), dir: dir.clone(), stays: Stays::No };
    let proven = prove(aim, &scratch, None, setting)?;
    scratch.stays = Stays::Yes;
    made.stay();
    setting.course.enter(DataPhase::Clean);
    let steps = steps::with_copy(live, &scratch.file, clock::now_ms());
    Ok((proven.report(&dir, Stays::Yes, setting.course), steps))
}

/// A restored copy that was proven to be what was meant.
struct Proven {
    manifest: Manifest,
    target: Position,
    warm_bytes: u64,
    rto_ms: u64,
    rpo_ms: u64,
    checks: Vec<Check>,
    invariants: Vec<Judged>,
}

impl Proven {
    fn report(self, dir: &Path, stays: Stays, course: &Course) -> DrillReport {
        let backup = self.manifest.backup;
        DrillReport {
            backup: backup.id,
            target: self.target,
            // The bytes were hashed as they were restored, and are those that were copied.
            reached: backup.position,
            phases: course.phases(),
            rto_ms: self.rto_ms,
            rpo_ms: Some(self.rpo_ms),
            checks: self.checks,
            invariants: self.invariants,
            scratch: ScratchFacts {
                path: dir.display().to_string(),
                bytes: backup.bytes,
                warm_bytes: self.warm_bytes,
                kept: stays == Stays::Yes,
            },
            masked: None,
        }
    }
}

fn prove(
    aim: Aim<'_>,
    scratch: &Scratch,
    warm: Option<Kept>,
    setting: &Setting<'_>,
) -> Result<Proven, SqliteError> {
    let course = setting.course;
    let repository = setting.repository()?;
    let newest_ms = repository.newest().map(|newest| newest.holds_ms);
    let (manifest, object) = meant(aim.target, &repository)?;
    let (object, target) = (&object, manifest.backup.position.clone());
    let _reading = repository.reading(&manifest)?;
    let warm_bytes = if is_warm(warm, object, scratch, course)? { object.plain_bytes } else { 0 };
    if warm_bytes == 0 {
        let _ = fs::remove_file(&scratch.file);
        room::ask(&scratch.dir, object.plain_bytes)?;
        course.enter(DataPhase::Fetch);
        fetch(&repository, &manifest, object, &scratch.file, course)?;
    }
    course.enter(DataPhase::Check);
    let checks = check::whole(&scratch.file, course)?;
    course.enter(DataPhase::Invariants);
    let invariants = judge::copy(&scratch.file, aim.invariants, setting)?;
    Ok(Proven {
        target,
        warm_bytes,
        rto_ms: course.elapsed_ms(),
        rpo_ms: clock::now_ms().saturating_sub(newest_ms.unwrap_or(manifest.holds_ms)),
        checks,
        invariants,
        manifest,
    })
}

/// The backup that is meant, and its object: a backup of SQLite holds one place only.
///
/// # Errors
/// When there is no such backup, or it holds another place.
pub fn meant(
    target: &DrillTarget,
    repository: &Repository,
) -> Result<(Manifest, Object), SqliteError> {
    let (manifest, target) = choose(target, repository)?;
    let object = manifest
        .object(OBJECT)
        .cloned()
        .ok_or_else(|| SqliteError::OtherEngine(manifest.backup.id.to_string()))?;
    let whole = Position::Sqlite { digest: object.plain };
    if manifest.backup.position != whole || target != whole {
        return Err(SqliteError::OtherTarget {
            backup: manifest.backup.id.to_string(),
            holds: whole.to_string(),
            target: target.to_string(),
        });
    }
    Ok((manifest, object))
}

fn choose(
    target: &DrillTarget,
    repository: &Repository,
) -> Result<(Manifest, Position), RepositoryError> {
    match target {
        DrillTarget::Newest => {
            let newest = repository.newest()?;
            let position = newest.backup.position.clone();
            Ok((newest, position))
        }
        DrillTarget::Point { position, backup } => Ok((repository.find(backup)?, position.clone())),
        DrillTarget::Time { at_ms } => {
            let found = repository.before(*at_ms)?;
            let position = found.backup.position.clone();
            Ok((found, position))
        }
    }
}

/// Fetches a backup's object into a new file, and proves its bytes.
///
/// # Errors
/// The repository's, and the system's.
pub fn fetch(
    repository: &Repository,
    manifest: &Manifest,
    object: &Object,
    into: &Path,
    course: &Course,
) -> Result<(), SqliteError> {
    let failed = |error: io::Error| file(into, error);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into);
    let mut target = BufWriter::with_capacity(1024 * 1024, opened.map_err(failed)?);
    repository.fetch(manifest, object, &mut target, course)?;
    let whole = target.into_inner().map_err(|error| failed(error.into_error()))?;
    // A recovery is over when a power cut could not undo it.
    let dir = into.parent().unwrap_or(into);
    whole.sync_all().and_then(|()| File::open(dir)?.sync_all()).map_err(failed)
}

/// The copy that a drill before this one left; nothing where it was not finished.
fn warm(dir: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(dir.join(KEPT_FILE)).ok()?).ok()
}

/// Whether that copy is the one that would be fetched: by its bytes, not by what is written of it.
fn is_warm(
    warm: Option<Kept>,
    object: &Object,
    scratch: &Scratch,
    course: &Course,
) -> Result<bool, SqliteError> {
    let Some(_) = warm.filter(|kept| kept.digest == object.plain) else { return Ok(false) };
    let Ok(mut copy) = File::open(&scratch.file) else { return Ok(false) };
    course.enter(DataPhase::Fetch);
    let mut hash = blake3::Hasher::new();
    let mut block = vec![0_u8; 1024 * 1024];
    loop {
        let got =
            io::Read::read(&mut copy, &mut block).map_err(|error| file(&scratch.file, error))?;
        if got == 0 {
            break;
        }
        hash.update(&block[..got]);
        course.tell(0, Some(object.plain_bytes));
        course.poll()?;
    }
    Ok(Digest(*hash.finalize().as_bytes()) == object.plain)
}

fn keep(dir: &Path, manifest: &Manifest) -> Result<(), SqliteError> {
    let path = dir.join(KEPT_FILE);
    let digest = manifest.objects.first().map_or(Digest([0; 32]), |object| object.plain);
    let kept = Kept { backup: manifest.backup.id.clone(), digest };
    let text = serde_json::to_vec(&kept).map_err(|error| file(&path, error.into()))?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    opened.and_then(|mut kept| kept.write_all(&text)).map_err(|error| file(&path, error))
}

/// A directory for a person's copy; taken away again unless it is said to stay.
struct Made {
    dir: Option<PathBuf>,
}

impl Made {
    fn begin(dir: &Path) -> Result<Self, SqliteError> {
        match fs::read_dir(dir) {
            Ok(mut entries) => match entries.next() {
                Some(_) => Err(SqliteError::NotEmpty(dir.display().to_string())),
                None => Ok(Self { dir: None }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
                made.map_err(|error| PlaceError::Make(dir.display().to_string(), error))?;
                Ok(Self { dir: Some(dir.to_owned()) })
            }
            Err(error) => Err(file(dir, error)),
        }
    }

    fn stay(mut self) {
        self.dir = None;
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(dir) = &self.dir {
            // It goes only where it is empty, as it was made.
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Empties a directory of our own.
fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            place::remove(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn file(path: &Path, error: io::Error) -> SqliteError {
    SqliteError::File(path.display().to_string(), error)
}
