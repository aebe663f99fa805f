//! A push's rehearsal before it: what it came to, what it costs the live database, and whether it lets the
//! push pass.

use std::collections::BTreeMap;

use friday_wire::{DatabaseName, ReleaseId};
use serde::Serialize;

use super::words::duration;
use crate::database::{DatabaseKnown, Judgement, RehearsalDemand, measured};
use crate::rollout::plan::{MigrationBack, Plan};
use crate::time::Timestamp;

/// A rehearsal of a push on one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RehearsalView {
    /// On which.
    pub database: DatabaseName,
    /// When the last one of this very push ended; `None`: there is none.
    pub rehearsed: Option<Timestamp>,
    /// What it came to, and what proved it.
    pub judgement: Option<Judgement>,
    /// How long the migration takes, and whom it keeps waiting.
    pub measured: Vec<String>,
    /// The way back as it is then, where the rehearsal decides it.
    pub way_back: Option<MigrationBack>,
    /// Why the push would be refused, where it would.
    pub refused: Option<String>,
    /// The line.
    pub says: String,
}

impl RehearsalView {
    /// Those of a plan, in its order, as a push over the stable release would judge them now; without those
    /// that nothing is asked of, or known of.
    pub fn of_plan(
        plan: &Plan,
        known: &BTreeMap<DatabaseName, DatabaseKnown>,
        stable: Option<ReleaseId>,
        now: Timestamp,
    ) -> Vec<Self> {
        let views = plan.databases.iter().filter_map(|database| {
            let of_it = known.get(&database.name);
            let demand = RehearsalDemand::of(plan, database, stable);
            let refused = demand.judge(of_it, now).err().map(|why| why.to_string());
            let found = demand.find(of_it, now).ok();
            if refused.is_none() && found.is_none() {
                return None;
            }
            let measured =
                found.as_ref().map(|found| measured(&found.rehearsed.report)).unwrap_or_default();
            let says = match &found {
                None => "not rehearsed".to_owned(),
                Some(found) => {
                    let ago = format!("rehearsed {} ago", duration(found.age_ms));
                    let all: Vec<String> = [ago, found.judgement.says()]
                        .into_iter()
                        .chain(measured.iter().cloned())
                        .collect();
                    all.join("; ")
                }
            };
            Some(Self {
                database: database.name.clone(),
                rehearsed: found.as_ref().map(|found| found.rehearsed.at),
                way_back: found.as_ref().and_then(|found| demand.way_back(found)),
                judgement: found.map(|found| found.judgement),
                measured,
                refused,
                says,
            })
        });
        views.collect()
    }
}
