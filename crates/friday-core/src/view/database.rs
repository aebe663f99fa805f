//! A guarded database, before a push or at any time: whether its recovery is proven, and how long one would take.

use std::collections::BTreeMap;

use friday_wire::DatabaseName;
use serde::Serialize;

use super::words::duration;
use crate::database::{DatabaseKnown, Demand, Forecast, Proof};
use crate::rollout::plan::{Plan, PlannedDatabase};
use crate::time::Timestamp;

/// One guarded database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseView {
    /// Which.
    pub database: DatabaseName,
    /// When the last drill that ended well did.
    pub drilled: Option<Timestamp>,
    /// The oldest that it may be, milliseconds.
    pub drill_max_age_ms: u64,
    /// How long a recovery would take now.
    pub forecast: Option<Forecast>,
    /// How long one may take, milliseconds; `None`: any time.
    pub recovery_time_ms: Option<u64>,
    /// Why its recovery is not proven, where it is not.
    pub unproven: Option<String>,
    /// The line.
    pub says: String,
}

impl DatabaseView {
    /// Those of a plan, in its order, as a push would judge them now.
    pub fn of_plan(
        plan: &Plan,
        known: &BTreeMap<DatabaseName, DatabaseKnown>,
        now: Timestamp,
    ) -> Vec<Self> {
        let of = |database| Self::of(database, known, now);
        plan.databases.iter().map(of).collect()
    }

    /// One of them.
    pub fn of(
        database: &PlannedDatabase,
        known: &BTreeMap<DatabaseName, DatabaseKnown>,
        now: Timestamp,
    ) -> Self {
        let of_it = known.get(&database.name);
        let proof = Proof::judge(of_it, Demand::from(database), now);
        let unproven = proof.as_ref().err().map(ToString::to_string);
        let says = match (&proof, database.recovery_time_ms) {
            (Ok(proof), Some(most)) => {
                format!("{}; it may take {}", proof.says(), duration(most))
            }
            (Ok(proof), None) => proof.says(),
            (Err(why), _) => format!("not proven: {why}"),
        };
        Self {
            database: database.name.clone(),
            drilled: of_it.and_then(|known| Some(known.drilled.as_ref()?.at)),
            drill_max_age_ms: database.drill_max_age_ms,
            forecast: of_it.and_then(Forecast::of),
            recovery_time_ms: database.recovery_time_ms,
            unproven,
            says,
        }
    }
}
