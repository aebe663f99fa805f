//! Invariants in a push: when they are asked, what counts as an answer, and what follows from it.
//!
//! At five moments the push stands until every database has said how its invariants are. In between, in
//! waves, soaks and the bake, they are asked again and again, and only what does not hold is written. What
//! could not be asked is asked again; without a verdict for long it counts as broken, but accuses no release.

use std::collections::BTreeMap;

use friday_wire::DatabaseName;
use friday_wire::data::{Invariant, InvariantResult, Judged, Rule};

use super::{View, push};
use crate::controller::input::Outcome;
use crate::journal::Event;
use crate::journal::moment::Moment;
use crate::journal::round::Work;
use crate::reason::{Evidence, Reason};
use crate::rollout::plan::{Plan, PlannedDatabase};
use crate::rollout::run::{InvariantState, InvariantsSaid, Phase, Rollout};
use crate::time::Timestamp;

/// Between two questions of which the first had no verdict, milliseconds.
pub const AGAIN_MS: u64 = 10_000;

/// So many questions in a row without a verdict are none at all: about a minute of a database that refuses
/// at once, which outlasts a restart; a rollout must not bake for hours past a database that nobody can ask.
const TRIES_MAX: u32 = 6;

/// Beside the deadlines of the questions, milliseconds: these are what ends a wait, unless nobody asks at all.
const SLACK_MS: u64 = 60_000;

/// Broken invariants that are told as reasons; the journal has them all.
const REASONS_MAX: usize = 8;

/// The databases in which something must hold.
pub fn asked(plan: &Plan) -> impl Iterator<Item = &PlannedDatabase> {
    plan.databases.iter().filter(|database| !database.invariants.is_empty())
}

/// What a question asks: a change is measured from the number before the push.
pub fn question(rollout: &Rollout, database: &PlannedDatabase) -> Vec<Invariant> {
    let none = BTreeMap::new();
    let known = rollout.invariants.get(&database.name).and_then(|known| known.before.as_ref());
    let before = known.unwrap_or(&none);
    let filled = |invariant: &Invariant| {
        let mut invariant = invariant.clone();
        if let Rule::Change { was, .. } = &mut invariant.rule {
            *was = before.get(&invariant.name).cloned();
        }
        invariant
    };
    database.invariants.iter().map(filled).collect()
}

/// How long one question may take, milliseconds: each invariant its time, and the way there.
pub fn timeout_ms(rollout: &Rollout, database: &PlannedDatabase) -> u64 {
    let each = database.invariants.iter().map(|invariant| invariant.timeout_ms);
    each.fold(rollout.fleet().answer_deadline_ms, u64::saturating_add)
}

/// When it is, where a push is judged now.
pub fn moment(rollout: &Rollout) -> Option<Moment> {
    let wave = Moment::Wave { wave: rollout.wave };
    match &rollout.phase {
        Phase::Working { work, .. } => match work {
            Work::JudgeBefore => Some(Moment::Before),
            Work::JudgeMigrated => Some(Moment::Migrated),
            Work::JudgeWave | Work::HookBeforeWave | Work::HookAfterWave if rollout.wave > 0 => {
                Some(wave)
            }
            Work::JudgeAfter => Some(Moment::After),
            _ => None,
        },
        Phase::Wave | Phase::Soak { .. } => Some(wave),
        Phase::Bake { .. } => Some(Moment::Bake),
        Phase::Begun
        | Phase::Asking(_)
        | Phase::GoingBack { .. }
        | Phase::Held
        | Phase::Ended { .. } => None,
    }
}

/// Whether the push stands until all of them are judged.
pub fn is_awaited(phase: &Phase) -> bool {
    matches!(phase, Phase::Working { work, .. } if work.judges())
}

/// Whether invariants have not been judged before the push, or not everything held.
pub fn is_lacking_before(view: View<'_>, plan: &Plan) -> bool {
    let judged = |database: &PlannedDatabase| {
        let known = view.rollout.invariants.get(&database.name);
        known.is_some_and(|known| known.before.is_some())
    };
    asked(plan).any(|database| !judged(database))
}

/// The databases that have no verdict in this phase.
pub fn lacking<'a>(
    rollout: &'a Rollout,
    plan: &'a Plan,
) -> impl Iterator<Item = &'a PlannedDatabase> {
    asked(plan).filter(|database| {
        rollout.invariants.get(&database.name).is_none_or(|known| known.last.is_none())
    })
}

/// All of them are asked, side by side.
pub fn begin(view: View<'_>, plan: &Plan, work: Work) -> Event {
    let longest = asked(plan).map(|database| timeout_ms(view.rollout, database)).max();
    let once = longest.unwrap_or(0).saturating_add(AGAIN_MS);
    let allowance = once.saturating_mul(u64::from(TRIES_MAX)).saturating_add(SLACK_MS);
    Event::WorkBegun { rollout: view.id(), work, deadline: view.now.plus_ms(allowance) }
}

/// What an answer says.
enum Said {
    Holds(Vec<Judged>),
    Broken(Vec<Judged>),
    Nothing(String),
}

fn said(database: &PlannedDatabase, known: Option<&InvariantState>, outcome: Outcome) -> Said {
    let excused = |name: &str| known.is_some_and(|known| known.excused.contains(name));
    let judged = match outcome {
        Outcome::Judged(judged) => judged,
        Outcome::Failed { why } | Outcome::Unknown { why } => return Said::Nothing(why),
        Outcome::Answered(_) | Outcome::Done | Outcome::Pointed(_) => {
            return Said::Nothing("it was answered with something else".to_owned());
        }
    };
    let is_broken =
        |one: &Judged| matches!(one.result, InvariantResult::Broken { .. }) && !excused(&one.name);
    if judged.iter().any(is_broken) {
        return Said::Broken(judged);
    }
    for invariant in database.invariants.iter().filter(|invariant| !excused(&invariant.name)) {
        match judged.iter().find(|one| one.name == invariant.name).map(|one| &one.result) {
            Some(InvariantResult::Holds { .. }) => {}
            Some(InvariantResult::Failed { why }) => {
                return Said::Nothing(format!("`{}` could not be asked: {why}", invariant.name));
            }
            Some(InvariantResult::Broken { .. }) | None => {
                return Said::Nothing(format!("nothing was said of `{}`", invariant.name));
            }
        }
    }
    Said::Holds(judged)
}

/// What came of asking, after so many questions in a row without a verdict: whether this had one, and what is
/// to be written.
pub fn heard(
    view: View<'_>,
    database: &DatabaseName,
    outcome: Outcome,
    in_vain: u32,
) -> (u32, Option<Event>) {
    let found = match &*view.rollout.intent {
        crate::journal::intent::Intent::Push { plan } => {
            asked(plan).find(|planned| planned.name == *database)
        }
        _ => None,
    };
    let (Some(planned), Some(moment)) = (found, moment(view.rollout)) else { return (0, None) };
    let (rollout, database) = (view.id(), database.clone());
    let known = view.rollout.invariants.get(&database);
    match said(planned, known, outcome) {
        Said::Holds(judged) => {
            let awaited = is_awaited(&view.rollout.phase);
            (0, awaited.then_some(Event::InvariantsJudged { rollout, database, moment, judged }))
        }
        Said::Broken(judged) => {
            (0, Some(Event::InvariantsJudged { rollout, database, moment, judged }))
        }
        Said::Nothing(why) => {
            let in_vain = in_vain + 1;
            let given_up = in_vain >= TRIES_MAX;
            let event = Event::InvariantsUnknown { rollout, database, moment, why };
            (in_vain, given_up.then_some(event))
        }
    }
}

/// What follows where an invariant is broken, or nobody could be made to say.
pub fn trouble(view: View<'_>) -> Option<Vec<Event>> {
    let mut reasons: Vec<Reason> = Vec::new();
    for (database, known) in &view.rollout.invariants {
        match &known.last {
            Some(InvariantsSaid::Broken { moment, broken }) => {
                reasons.extend(broken.iter().map(|one| is_broken(database, *moment, one)));
            }
            Some(InvariantsSaid::Unknown { moment, why }) => {
                reasons.push(Reason::InvariantsUnknown {
                    database: database.clone(),
                    moment: *moment,
                    why: why.clone(),
                })
            }
            Some(InvariantsSaid::Holds) | None => {}
        }
    }
    reasons.truncate(REASONS_MAX);
    (!reasons.is_empty()).then(|| push::stop(view, reasons))
}

fn is_broken(database: &DatabaseName, moment: Moment, judged: &Judged) -> Reason {
    let (rows, value, listed) = match &judged.result {
        InvariantResult::Broken { rows, value, listed } => (*rows, value.clone(), listed.clone()),
        InvariantResult::Holds { .. } | InvariantResult::Failed { .. } => (0, None, None),
    };
    Reason::InvariantBroken {
        database: database.clone(),
        name: judged.name.clone(),
        moment,
        evidence: Box::new(Evidence { rows, value, listed }),
    }
}

/// The push waits for verdicts: `Some` while it does, or where one of them stops it. `None`: all hold.
pub fn advance(view: View<'_>, plan: &Plan, deadline: Timestamp) -> Option<Vec<Event>> {
    if let Some(events) = trouble(view) {
        return Some(events);
    }
    let mut lacking = lacking(view.rollout, plan).peekable();
    lacking.peek()?;
    if view.now < deadline {
        return Some(Vec::new());
    }
    let moment = moment(view.rollout)?;
    let late = |database: &PlannedDatabase| Event::InvariantsUnknown {
        rollout: view.id(),
        database: database.name.clone(),
        moment,
        why: "no answer in time".to_owned(),
    };
    Some(lacking.map(late).collect())
}
