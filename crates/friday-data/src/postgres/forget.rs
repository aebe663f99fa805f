//! Ends what goes on without a connection: the process that receives the log, and the replication slot for which the
//! live server keeps it. Backups and the log in the repository stay.

use std::path::Path;
use std::time::Duration;

use super::error::PostgresError;
use super::keep;
use super::live::Live;
use crate::course::Stopped;
use crate::place;
use crate::request::Setting;

/// What the server may take to see that nobody receives any more.
const NOTICE_LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

/// Forgets.
///
/// # Errors
/// When the process does not end, or the server cannot be asked to remove the slot: then what to type is said.
pub fn forget(setting: &Setting<'_>) -> Result<(), PostgresError> {
    let watch = setting.course.watch();
    // First, for this needs no server.
    keep::stop(setting.place.dir(), watch)?;
    let removed = Live::open(setting).and_then(|live| {
        let patience = watch.within(NOTICE_LIMIT);
        while live.slot_state(watch)?.is_some_and(|state| state.active) {
            match patience.pause(LOOK) {
                Ok(()) => {}
                // Its own words say who receives.
                Err(Stopped::Late(_)) => break,
                Err(stopped) => return Err(stopped.into()),
            }
        }
        live.drop_slot(watch)
    });
    if let Err(error @ PostgresError::Stopped(_)) = removed {
        return Err(error);
    }
    // From what was received nothing goes on without the slot.
    let received = setting.place.dir().join("wal");
    place::remove(&received).map_err(PostgresError::file("removing received WAL"))?;
    removed.map_err(|error| PostgresError::Refused {
        why: format!("receiving has ended, and the server still keeps its log for it: {error}"),
        help: Some(format!(
            "on the server, or it fills its disk: SELECT pg_drop_replication_slot('{}')",
            slot(setting)
        )),
    })
}

fn slot(setting: &Setting<'_>) -> String {
    // A place is BASE/FLEET/DATABASE.
    let base = setting.place.dir().ancestors().nth(2).unwrap_or(Path::new("/"));
    keep::slot(base, setting.fleet, &setting.database.name)
}
