//! A copy that a release may write to: it is open between the requests of one connection, and gone with it.
//!
//! It must never be the live database, nor the copy that a drill left. What a killed process left of one is put away
//! by the next drill, rehearsal or clean-up.

use friday_wire::DatabaseName;
use friday_wire::data::{DataAnswer, DataPhase, DrillTarget, Engine, Invariant, Mask};

use crate::failure::Failure;
use crate::lock::{self, Held, LockError, LockKind};
use crate::place::{self, PlaceError};
use crate::postgres::{self, PostgresCopy};
use crate::request::Setting;
use crate::sqlite::SqliteCopy;

/// A copy that is open. Dropped, it is put away.
pub struct Opened {
    copy: Copy,
    database: DatabaseName,
    #[expect(dead_code, reason = "goes last: the lock ends when the copy is put away")]
    held: Held,
}

enum Copy {
    Sqlite(Box<SqliteCopy>),
    Postgres(Box<PostgresCopy>),
}

/// Opens one.
///
/// # Errors
/// When one is open, here or elsewhere; why it could not be made.
pub fn open(
    slot: &mut Option<Opened>,
    target: &DrillTarget,
    mask: Option<&Mask>,
    setting: &Setting<'_>,
) -> Result<DataAnswer, Failure> {
    if let Some(opened) = slot {
        return Err(Failure::with_help(
            format!("a copy of `{}` is open on this connection already", opened.database),
            "put it away first",
        ));
    }
    let held = lock::take(setting.place, LockKind::Rehearsal)?;
    remove(setting)?;
    let (copy, told) = match &setting.database.engine {
        Engine::Sqlite { path } => {
            let (copy, told) = SqliteCopy::open(path, target, mask, setting)?;
            (Copy::Sqlite(Box::new(copy)), told)
        }
        Engine::Postgres { .. } => {
            let (copy, told) = PostgresCopy::open(target, mask, setting)?;
            (Copy::Postgres(Box::new(copy)), told)
        }
    };
    *slot = Some(Opened { copy, database: setting.database.name.clone(), held });
    Ok(DataAnswer::Opened { copy: told })
}

/// What was seen of it since the last look.
///
/// # Errors
/// When none is open, or it cannot be looked at any more.
pub fn watched(slot: &mut Option<Opened>, setting: &Setting<'_>) -> Result<DataAnswer, Failure> {
    let seen = match &mut of(slot, setting)?.copy {
        Copy::Sqlite(copy) => copy.watched(setting)?,
        Copy::Postgres(copy) => copy.watched(setting)?,
    };
    Ok(DataAnswer::Seen { seen })
}

/// Asks it what must hold.
///
/// # Errors
/// When none is open, or it cannot be asked at all.
pub fn judge(
    slot: &mut Option<Opened>,
    invariants: &[Invariant],
    setting: &Setting<'_>,
) -> Result<DataAnswer, Failure> {
    let opened = of(slot, setting)?;
    setting.course.enter(DataPhase::Invariants);
    let invariants = match &mut opened.copy {
        Copy::Sqlite(copy) => copy.judge(invariants, setting)?,
        Copy::Postgres(copy) => copy.judge(invariants, setting)?,
    };
    Ok(DataAnswer::Judged { invariants })
}

/// Puts it away; none is well put away.
///
/// # Errors
/// When something of it stays.
pub fn shut(slot: &mut Option<Opened>, setting: &Setting<'_>) -> Result<DataAnswer, Failure> {
    setting.course.enter(DataPhase::Clean);
    if slot.is_some() {
        of(slot, setting)?;
        *slot = None;
    }
    put_away_left(setting)?;
    Ok(DataAnswer::Ok)
}

/// Puts away what a killed process left of one. One that is open somewhere is left alone.
///
/// # Errors
/// The system's, or when what lies there is not ours.
pub fn put_away_left(setting: &Setting<'_>) -> Result<(), Failure> {
    match lock::take(setting.place, LockKind::Rehearsal) {
        Ok(_held) => remove(setting),
        Err(LockError::Held { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn of<'s>(slot: &'s mut Option<Opened>, setting: &Setting<'_>) -> Result<&'s mut Opened, Failure> {
    match slot {
        None => Err(Failure::new("no copy is open on this connection")),
        Some(opened) if opened.database != setting.database.name => {
            Err(Failure::new(format!("the copy that is open is of `{}`", opened.database)))
        }
        Some(opened) => Ok(opened),
    }
}

/// Whoever asks holds the lock.
fn remove(setting: &Setting<'_>) -> Result<(), Failure> {
    let dir = setting.place.rehearsal_path();
    if let Engine::Postgres { .. } = setting.database.engine {
        return postgres::put_away(&dir);
    }
    place::remove(&dir).map_err(|error| PlaceError::Make(dir.display().to_string(), error).into())
}
