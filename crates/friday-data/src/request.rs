//! What each request does, and which engine does it.
//!
//! What is the same for all engines is done here with the [`repository`]; the rest is theirs.

use std::path::PathBuf;
use std::time::Duration;

use friday_wire::FleetName;
use friday_wire::data::{DataAnswer, DataPhase, DataRequest, Engine, Guarded};

use crate::course::Course;
use crate::failure::Failure;
use crate::lock::{self, LockKind};
use crate::opened::{self, Opened};
use crate::place::{self, Place};
use crate::postgres;
use crate::repository::{self, Repository};
use crate::sqlite;

/// What a person waits for who looks.
const LOOK_LIMIT: Duration = Duration::from_secs(120);

/// What reads or writes a whole database, where the request names no limit: longer than any that one host can hold.
const WHOLE_LIMIT: Duration = Duration::from_secs(48 * 3_600);

/// Where this program works, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What it keeps lies here.
    pub base: PathBuf,
    /// Whose databases.
    pub fleet: FleetName,
}

/// What an engine is given with each request.
pub struct Setting<'a> {
    /// Whose.
    pub fleet: &'a FleetName,
    /// Which database.
    pub database: &'a Guarded,
    /// What lies where.
    pub place: &'a Place,
    /// How far it is.
    pub course: &'a Course,
}

impl Setting<'_> {
    /// Its backups.
    ///
    /// # Errors
    /// See [`repository::RepositoryError`].
    pub fn repository(&self) -> Result<Repository, repository::RepositoryError> {
        let repository = Repository::open(self.place, self.fleet, self.database)?;
        Ok(repository.watched(self.course.watch()))
    }
}

/// How long a request may take.
pub fn limit(request: &DataRequest) -> Duration {
    match request {
        DataRequest::Hello { .. } | DataRequest::Examine { .. } | DataRequest::List { .. } => {
            LOOK_LIMIT
        }
        DataRequest::Point { timeout_ms, .. }
        | DataRequest::Open { timeout_ms, .. }
        | DataRequest::Drill { timeout_ms, .. }
        | DataRequest::Restore { timeout_ms, .. } => Duration::from_millis(*timeout_ms),
        DataRequest::Judge { invariants, .. } | DataRequest::JudgeOpen { invariants, .. } => {
            let asked =
                invariants.iter().fold(0_u64, |sum, one| sum.saturating_add(one.timeout_ms));
            LOOK_LIMIT.saturating_add(Duration::from_millis(asked)).min(WHOLE_LIMIT)
        }
        DataRequest::Watched { .. } | DataRequest::Shut { .. } | DataRequest::Forget { .. } => {
            LOOK_LIMIT
        }
        DataRequest::Backup { .. } | DataRequest::Verify { .. } | DataRequest::Clean { .. } => {
            WHOLE_LIMIT
        }
    }
}

/// How much of the processor work that nobody waits for gives way to the database and the application.
const NICE: i32 = 10;

/// Lets everything else on the host go first, where nobody waits: a restore point and a restore are in a hurry.
fn give_way(request: &DataRequest) {
    match request {
        DataRequest::Backup { .. }
        | DataRequest::Verify { .. }
        | DataRequest::Drill { .. }
        | DataRequest::Clean { .. } => {
            // Where that is not allowed, it works as it is.
            let _ = rustix::process::setpriority_process(None, NICE);
        }
        DataRequest::Hello { .. }
        | DataRequest::Examine { .. }
        | DataRequest::Point { .. }
        | DataRequest::List { .. }
        | DataRequest::Judge { .. }
        | DataRequest::Open { .. }
        | DataRequest::Watched { .. }
        | DataRequest::JudgeOpen { .. }
        | DataRequest::Shut { .. }
        | DataRequest::Forget { .. }
        | DataRequest::Restore { .. } => {}
    }
}

/// Does what is asked. `opened`: the copy that this connection has open.
///
/// # Errors
/// Why it could not be done; at which phase is known by the course.
pub fn perform(
    beside: &Beside,
    request: &DataRequest,
    opened: &mut Option<Opened>,
    course: &Course,
) -> Result<DataAnswer, Failure> {
    let Some(database) = database_of(request) else {
        return Err(Failure::new("the greeting comes first, and once"));
    };
    give_way(request);
    let place = Place::open(&beside.base, &beside.fleet, database)?;
    let setting = Setting { fleet: &beside.fleet, database, place: &place, course };
    if postgres::keeps_elsewhere(&setting)
        && matches!(request, DataRequest::List { .. } | DataRequest::Verify { .. })
    {
        return postgres::ask(request, &setting);
    }
    match request {
        DataRequest::List { .. } => {
            let backups = repository::told(setting.repository()?.list()?);
            Ok(DataAnswer::Backups { backups })
        }
        DataRequest::Verify { backup, .. } => {
            let repository = setting.repository()?;
            course.enter(DataPhase::Fetch);
            let mut report = repository.verify(backup.as_ref(), course)?;
            if let (Engine::Postgres { .. }, None) = (&database.engine, backup) {
                report.damage.extend(postgres::missing(&repository)?);
            }
            Ok(DataAnswer::Verified { report })
        }
        DataRequest::Clean { .. } => clean(&setting),
        DataRequest::Open { target, mask, .. } => {
            opened::open(opened, target, mask.as_ref(), &setting)
        }
        DataRequest::Watched { .. } => opened::watched(opened, &setting),
        DataRequest::JudgeOpen { invariants, .. } => opened::judge(opened, invariants, &setting),
        DataRequest::Shut { .. } => opened::shut(opened, &setting),
        DataRequest::Drill { .. } => {
            // A drill has a lock of its own; that something is left there does not disprove a backup.
            let _ = opened::put_away_left(&setting);
            ask_engine(request, &setting)
        }
        other => ask_engine(other, &setting),
    }
}

fn ask_engine(request: &DataRequest, setting: &Setting<'_>) -> Result<DataAnswer, Failure> {
    match &setting.database.engine {
        Engine::Sqlite { path } => sqlite::perform(request, path, setting),
        Engine::Postgres { .. } => postgres::ask(request, setting),
    }
}

fn clean(setting: &Setting<'_>) -> Result<DataAnswer, Failure> {
    setting.course.enter(DataPhase::Clean);
    opened::put_away_left(setting)?;
    let _held = lock::take(setting.place, LockKind::Drill)?;
    if let Engine::Postgres { .. } = setting.database.engine {
        // What is stopped and removed there is known to be ours.
        return postgres::clean(setting).map(|()| DataAnswer::Ok);
    }
    let scratch = setting.place.scratch_path();
    place::remove(scratch).map_err(|error| {
        Failure::of(&place::PlaceError::Make(scratch.display().to_string(), error), None)
    })?;
    Ok(DataAnswer::Ok)
}

fn database_of(request: &DataRequest) -> Option<&Guarded> {
    match request {
        DataRequest::Hello { .. } => None,
        DataRequest::Examine { database }
        | DataRequest::Point { database, .. }
        | DataRequest::Backup { database }
        | DataRequest::List { database }
        | DataRequest::Verify { database, .. }
        | DataRequest::Drill { database, .. }
        | DataRequest::Judge { database, .. }
        | DataRequest::Restore { database, .. }
        | DataRequest::Open { database, .. }
        | DataRequest::Watched { database }
        | DataRequest::JudgeOpen { database, .. }
        | DataRequest::Shut { database }
        | DataRequest::Clean { database }
        | DataRequest::Forget { database } => Some(database),
    }
}
