//! The gate *rehearsed*, and what a rehearsal leaves of a push's way back.

use friday_wire::ReleaseId;

use super::View;
use super::gate::{Judged, has_begun};
use crate::database::{Forecast, RehearsalDemand, is_asked_for};
use crate::journal::Event;
use crate::journal::finding::Gate;
use crate::reason::Reason;
use crate::rollout::plan::Plan;
use crate::view::words::duration;

/// A push that migrates was rehearsed as it will be done, and none was rehearsed badly; nothing to judge
/// where no rehearsal is asked for and none is known.
pub fn judge(view: View<'_>, plan: &Plan, stable: Option<ReleaseId>) -> Option<Judged> {
    let gate = Gate::Rehearsed;
    if let Some(before) = Judged::before(view, gate) {
        return Some(before);
    }
    let mut says = Vec::new();
    for database in &plan.databases {
        let name = &database.name;
        let demand = RehearsalDemand::of(plan, database, stable);
        match demand.judge(view.state.databases.get(name), view.now) {
            Ok(None) if is_asked_for(plan, database) => {
                says.push(format!("`{name}`: the release is the stable one already"));
            }
            Ok(None) => {}
            Ok(Some(found)) => {
                let (age, verdict) = (duration(found.age_ms), found.judgement.says());
                says.push(format!("`{name}`: rehearsed {age} ago, {verdict}"));
            }
            Err(why) => {
                let why = why.to_string();
                let reason = Reason::Unrehearsed { database: name.clone(), why };
                return Some(Judged::unless(gate, reason, plan.rehearsal_override.as_deref()));
            }
        }
    }
    (!says.is_empty()).then(|| Judged::pass(gate, says.join("; ")))
}

/// What rehearsals decide about the way back. Once a host was switched or the migration began, what was
/// decided stays, whatever is rehearsed meanwhile.
pub fn way_back(view: View<'_>, plan: &Plan, stable: Option<ReleaseId>) -> Option<Event> {
    if has_begun(view) {
        return None;
    }
    plan.databases.iter().find_map(|database| {
        let demand = RehearsalDemand::of(plan, database, stable);
        let known = view.state.databases.get(&database.name);
        let found = demand.find(known, view.now).ok()?;
        let back = demand.way_back(&found)?;
        let says = found.judgement.says_why();
        let (rollout, database) = (view.id(), database.name.clone());
        let known = view.rollout.way_back.as_ref();
        let is_news = known.is_none_or(|known| known.back != back || known.says != says);
        is_news.then_some(Event::WayBackDecided { rollout, database, back, says })
    })
}

/// Why nothing goes back by itself, and what a person can choose.
pub fn barred(view: View<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if view.rollout.migration.forbids_automatic_return() {
        reasons.push(Reason::OneWay);
    }
    reasons.extend(view.rollout.way_back.as_ref().map(|decided| {
        let known = view.state.databases.get(&decided.database);
        Reason::WayBackBarred {
            database: decided.database.clone(),
            says: decided.says.clone(),
            recovery_ms: known.and_then(Forecast::of).map(|forecast| forecast.ms),
        }
    }));
    reasons
}
