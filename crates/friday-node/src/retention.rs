//! Which releases are kept. What runs, or may have to run, is never pruned.

use std::collections::BTreeSet;

use friday_wire::{Answer, ReleaseId, Undo};

use crate::action::Action;
use crate::durable::Standing;
use crate::input::{ActionResult, CallId};
use crate::lane::{Flight, Lane, Owner};
use crate::node::Node;
use crate::operation::Course;
use crate::task::Work;

/// Calls that wait for one prune.
const PRUNERS_MAX: usize = 64;

/// A prune that was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pruning {
    /// How many releases to keep, good and failed ones, once it can be issued.
    wanted: Option<(u32, u32)>,
    /// Calls that wait for it.
    callers: Vec<CallId>,
}

impl Node {
    pub(crate) fn want_prune(&mut self, keep: (u32, u32), call: Option<CallId>) {
        if let Some(call) = call {
            if self.pruning.callers.len() >= PRUNERS_MAX {
                let why = "too many calls wait here".to_owned();
                self.answers.push((call, Answer::Error { why }));
                return;
            }
            self.pruning.callers.push(call);
        }
        self.pruning.wanted = Some(keep);
    }

    /// Issues a prune once nothing is being built. Says whether it did.
    pub(crate) fn drive_prune(&mut self, now_ms: u64) -> bool {
        if self.flight(Lane::Side).is_some() || self.durable.task.is_some() {
            return false;
        }
        let Some(keep) = self.pruning.wanted.take() else {
            return false;
        };
        let kept = self.kept(keep);
        self.durable.releases.retain(|release, _| kept.contains(release));
        self.durable.refresh_held();
        self.dirty = true;
        let keep = self.durable.releases.keys().copied().collect();
        self.issue(now_ms, Action::Prune { keep }, Owner::Nobody);
        true
    }

    pub(crate) fn pruned(&mut self, flight: &Flight, result: &ActionResult) {
        let Action::Prune { .. } = flight.action else {
            return;
        };
        for call in std::mem::take(&mut self.pruning.callers) {
            let answer = match result {
                ActionResult::Done | ActionResult::Sampled(_) => Answer::Ok,
                ActionResult::Failed { why, .. } | ActionResult::Hindered { why } => {
                    Answer::Error { why: why.clone() }
                }
            };
            self.answers.push((call, answer));
        }
    }

    /// What is needed, and the newest of each standing.
    fn kept(&self, (good, failed): (u32, u32)) -> BTreeSet<ReleaseId> {
        let mut kept = self.needed();
        // The newest that shows nothing yet may be one that is being shipped for the next push.
        for (standing, most) in [(Standing::Good, good), (Standing::Unproven, failed.max(1))] {
            let mut of: Vec<(u64, ReleaseId)> = self
                .durable
                .releases
                .iter()
                .filter(|(_, held)| held.standing == standing)
                .map(|(release, held)| (held.order, *release))
                .collect();
            of.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            kept.extend(of.into_iter().take(most).map(|(_, release)| release));
        }
        kept
    }

    fn needed(&self) -> BTreeSet<ReleaseId> {
        let durable = &self.durable;
        let head = &durable.head;
        let undo = |undo: Undo| match undo {
            Undo::To { release } => Some(release),
            Undo::Nothing | Undo::Stay => None,
        };
        let mut needed: BTreeSet<ReleaseId> =
            [head.current, head.open, head.stable, head.previous_stable, head.undo.and_then(undo)]
                .into_iter()
                .flatten()
                .collect();
        if let Some(open) = &head.rollout {
            let open = &open.value;
            needed.extend([open.release, open.returns_to, open.leaves].into_iter().flatten());
        }
        needed.extend(durable.apps.iter().map(|placed| placed.app.release));
        if let Some(op) = &durable.operation {
            needed.extend(op.to);
            if let Course::Switch(armed)
            | Course::Stop(armed)
            | Course::Ended(armed)
            | Course::Undo(armed) = &op.course
            {
                needed.extend(armed.release);
                needed.extend(undo(armed.undo));
            }
        }
        if let Some(task) = &durable.task {
            match &task.work {
                Work::Stage { release } | Work::Command { release, .. } => {
                    needed.insert(*release);
                }
            }
        }
        needed
    }
}
