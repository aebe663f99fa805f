//! Restore points: before anything is switched or migrated, each guarded database gets a place that its data
//! can be returned to. Making one twice under one name does no harm, so an unknown end is asked again.

use friday_wire::DatabaseName;

use super::{View, push};
use crate::controller::input::Outcome;
use crate::journal::Event;
use crate::journal::round::Work;
use crate::reason::Reason;
use crate::rollout::plan::Plan;
use crate::rollout::run::Point;
use crate::time::Timestamp;

/// Beside its own time, for the connection, and for putting the program there that makes it, milliseconds.
const WAY_THERE_MS: u64 = 120_000;

/// So often is asked again of which nobody knows what came: a connection that breaks each time at once must
/// not fill the journal.
const ASKS_MAX: u32 = 5;

/// Whether a guarded database has none.
pub fn is_lacking(view: View<'_>, plan: &Plan) -> bool {
    lacking(view, plan).next().is_some()
}

fn lacking<'a>(view: View<'a>, plan: &'a Plan) -> impl Iterator<Item = &'a DatabaseName> {
    let made =
        move |name: &&DatabaseName| matches!(view.rollout.points.get(*name), Some(Point::Made(_)));
    plan.databases.iter().map(|database| &database.name).filter(move |name| !made(name))
}

/// All of them are asked for, side by side.
pub fn begin(view: View<'_>, plan: &Plan) -> Event {
    let longest = plan.databases.iter().map(|database| database.point_timeout_ms).max();
    let allowance = longest.unwrap_or(0).saturating_add(WAY_THERE_MS);
    let deadline = view.now.plus_ms(allowance);
    Event::WorkBegun { rollout: view.id(), work: Work::RestorePoints, deadline }
}

/// What came of asking.
pub fn answered(view: View<'_>, database: DatabaseName, outcome: Outcome) -> Event {
    let rollout = view.id();
    match outcome {
        Outcome::Pointed(point) => Event::RestorePointMade { rollout, database, point: *point },
        Outcome::Failed { why } => Event::RestorePointFailed { rollout, database, why },
        Outcome::Unknown { why } if view.rollout.asked_for_point(&database) < ASKS_MAX => {
            Event::RestorePointUnknown { rollout, database, why }
        }
        Outcome::Unknown { why } => {
            let why = format!("nobody knows what came of it: {why}");
            Event::RestorePointFailed { rollout, database, why }
        }
        Outcome::Answered(_) | Outcome::Done | Outcome::Judged(_) => {
            let why = "it was answered with something else".to_owned();
            Event::RestorePointFailed { rollout, database, why }
        }
    }
}

/// One that failed ends the push; once all are there, it goes on.
pub fn advance(view: View<'_>, plan: &Plan, deadline: Timestamp) -> Vec<Event> {
    let failed =
        plan.databases.iter().find_map(|database| match view.rollout.points.get(&database.name) {
            Some(Point::Failed(why)) => Some((database.name.clone(), why.clone())),
            Some(Point::Made(_) | Point::Unknown(_)) | None => None,
        });
    if let Some((database, why)) = failed {
        return push::stop(view, vec![Reason::NoRestorePoint { database, why }]);
    }
    if !is_lacking(view, plan) {
        return push::after_restore_points(view, plan);
    }
    if view.now < push::hook_ends(deadline) {
        return Vec::new();
    }
    let late = |name: &DatabaseName| Event::RestorePointFailed {
        rollout: view.id(),
        database: name.clone(),
        why: "it was not safe in time".to_owned(),
    };
    lacking(view, plan).map(late).collect()
}
