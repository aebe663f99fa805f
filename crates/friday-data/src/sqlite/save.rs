//! Backups and restore points: the same copy, made for two reasons.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use friday_wire::BackupId;
use friday_wire::data::{Backup, DataPhase, Position, RestorePoint};

use super::live::{Live, look};
use super::{OBJECT, SqliteError, check, copy};
use crate::failure::Failure;
use crate::lock::{self, LockKind};
use crate::repository::manifest::Manifest;
use crate::repository::{Finished, Kept, Repository};
use crate::request::Setting;
use crate::{course, room};

/// Makes a backup, then prunes.
pub fn backup(path: &Path, setting: &Setting<'_>) -> Result<(Backup, Vec<BackupId>), Failure> {
    let _held = lock::take(setting.place, LockKind::Backup)?;
    let repository = setting.repository()?;
    repository.put_away_leftovers()?;
    let manifest = save(path, None, LockKind::Backup, &repository, setting)?;
    setting.course.enter(DataPhase::Prune);
    let pruned = repository.prune(Kept::Backups, setting.database.keep, setting.course)?;
    Ok((manifest.backup, pruned))
}

/// Makes a restore point, or finds the one of that name: who asks again after a crash gets the same.
pub fn point(path: &Path, name: &str, setting: &Setting<'_>) -> Result<RestorePoint, Failure> {
    let _held = lock::wait(setting.place, LockKind::Point, setting.course.watch())?;
    let repository = setting.repository()?;
    if let Some(point) = existing(name, &repository)? {
        return Ok(point);
    }
    repository.put_away_leftovers()?;
    let manifest = save(path, Some(name), LockKind::Point, &repository, setting)?;
    // Points of old rollouts would fill the disk where nobody makes backups.
    repository.prune(Kept::Points, setting.database.keep, setting.course)?;
    manifest.point.ok_or_else(|| Failure::new("the backup was not written down as a restore point"))
}

fn existing(name: &str, repository: &Repository) -> Result<Option<RestorePoint>, Failure> {
    let backups = repository.list()?.backups;
    // One that is not whole any more is made anew: the push shall stand on something.
    let whole = backups.into_iter().rev().filter(|manifest| repository.is_there(manifest));
    let mut points = whole.filter_map(|manifest| manifest.point);
    Ok(points.find(|point| point.name == name))
}

fn save(
    path: &Path,
    point: Option<&str>,
    kind: LockKind,
    repository: &Repository,
    setting: &Setting<'_>,
) -> Result<Manifest, SqliteError> {
    let course = setting.course;
    let work = setting.place.work(kind)?;
    // A file that is not there is looked for in vain; to wait for its lock belongs to the mark.
    look(path)?;
    course.enter(DataPhase::Mark);
    let live = Live::open(path, course)?;
    let (holds_ms, held) = (live.at_ms, Instant::now());
    match repository.disk() {
        Some(dir) => {
            room::ask_both((work.dir(), live.bytes), (dir, repository.forecast(live.bytes)))?;
        }
        None => room::ask(work.dir(), live.bytes)?,
    }
    let mut draft = repository.begin()?;
    course.enter(DataPhase::Copy);
    let file = work.dir().join(OBJECT);
    // Once by SQLite, once into the repository.
    let of = live.bytes.saturating_mul(2);
    copy::copy(&live, path, &file, of, course)?;
    drop(live);
    let held_ms = course::ms(held.elapsed());
    check::quick(&file, course)?;
    let mut source =
        File::open(&file).map_err(|error| SqliteError::File(file.display().to_string(), error))?;
    let object = draft.store(OBJECT, &mut source, Some(of), course)?;
    let manifest = draft.finish(Finished {
        position: Position::Sqlite { digest: object.plain },
        engine_version: format!("SQLite {}", rusqlite::version()),
        holds_ms,
        point: point.map(str::to_owned),
        facts: BTreeMap::from([("held_ms".to_owned(), held_ms.to_string())]),
    })?;
    Ok(manifest)
}
