//! What a rollout asks of guarded databases: restore points, and whether what must hold holds.

use super::{NEVER, whole_prefix};
use crate::controller::effect::{Asks, Effect, EffectId, Owed};
use crate::journal::moment::Moment;
use crate::rollout::decide::judge;
use crate::rollout::plan::{Plan, PlannedDatabase};
use crate::rollout::run::{Point, Rollout};
use crate::time::Timestamp;

/// The restore points that are neither made nor failed. The name stays the same whoever asks, and however
/// often: the place is, too.
pub(super) fn points(rollout: &Rollout, plan: &Plan, deadline: Timestamp) -> Vec<(EffectId, Owed)> {
    let lacks = |database: &&PlannedDatabase| {
        !matches!(rollout.points.get(&database.name), Some(Point::Made(_) | Point::Failed(_)))
    };
    let owed = plan.databases.iter().filter(lacks).map(|database| {
        let (name, times) = (&database.name, rollout.asked_for_point(&database.name));
        let id = EffectId(format!("{}point/{name}/{times}", whole_prefix(&rollout.id)));
        let effect = Effect::Point {
            database: name.clone(),
            name: rollout.id.to_string(),
            timeout_ms: database.point_timeout_ms,
        };
        (id, Owed { effect, deadline })
    });
    owed.collect()
}

/// Questions for invariants. Their names change with the phase, so that each begins with a question.
pub(super) fn judgements(rollout: &Rollout, plan: &Plan) -> Vec<(EffectId, Owed)> {
    let Some(moment) = judge::moment(rollout) else { return Vec::new() };
    let awaited = judge::is_awaited(&rollout.phase);
    let owed = |database: &PlannedDatabase| {
        let (name, phase) = (&database.name, rollout.phase.name().replace(' ', "-"));
        let prefix = whole_prefix(&rollout.id);
        let id = EffectId(format!("{prefix}judge/{name}/{phase}-{}", rollout.wave));
        let asks = if moment == Moment::Before { Asks::Live } else { Asks::Replica };
        let every_ms =
            if awaited { judge::AGAIN_MS } else { database.invariants_every_ms.max(1_000) };
        let effect = Effect::Judge {
            database: name.clone(),
            asks,
            invariants: judge::question(rollout, database),
            every_ms,
            again_ms: judge::AGAIN_MS.min(every_ms),
            timeout_ms: judge::timeout_ms(rollout, database),
        };
        (id, Owed { effect, deadline: NEVER })
    };
    if awaited {
        judge::lacking(rollout, plan).map(owed).collect()
    } else {
        judge::asked(plan).map(owed).collect()
    }
}
