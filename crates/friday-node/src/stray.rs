//! Strays: what runs between operations and belongs to nothing, and a pointer that points elsewhere. Put
//! right one by one, and never while an operation is at work.

use friday_wire::ReleaseId;

use crate::action::Action;
use crate::durable::Placed;
use crate::lane::{Flight, Lane, Owner};
use crate::node::Node;

/// What cannot be put right is tried again after this.
const STRAY_PAUSE_MS: u64 = 60_000;

impl Node {
    /// Where `current` should point between operations, if it points elsewhere or nobody knows: a pointing that was
    /// given up may end long after another release was put back, and this process may end before it hears of that.
    fn misses_pointer(&self) -> Option<Option<ReleaseId>> {
        if self.durable.operation.is_some() {
            return None;
        }
        let serving = self.durable.serving.and_then(|serving| self.durable.placed(serving));
        let meant = serving.map(|serving| serving.app.release);
        let elsewhere = meant.is_some() && self.durable.head.current != meant;
        let unsure = self.durable.pointer_unsure && !self.points_late();
        (elsewhere || unsure).then_some(meant)
    }

    /// Whether a pointing that was given up has not ended.
    pub(crate) fn points_late(&self) -> bool {
        self.forgotten.iter().any(|flight| matches!(flight.action, Action::Point { .. }))
    }

    /// Between operations `current` points to what serves.
    pub(crate) fn drive_pointer(&mut self, now_ms: u64) -> bool {
        if self.flight(Lane::App).is_some() || now_ms < self.strays_after_ms {
            return false;
        }
        let Some(to) = self.misses_pointer() else { return false };
        self.issue(now_ms, Action::Point { to }, Owner::Nobody);
        true
    }

    /// Between operations nothing runs but the current release and the warm one.
    pub(crate) fn drive_strays(&mut self, now_ms: u64) -> bool {
        let idle = self.durable.operation.is_none();
        if !idle || self.flight(Lane::App).is_some() || now_ms < self.strays_after_ms {
            return false;
        }
        let stray = self.durable.apps.iter().find(|placed| self.is_stray(placed));
        let Some((app, has_process)) = stray.map(|stray| (stray.app, self.has_process(stray)))
        else {
            return false;
        };
        if has_process {
            let grace_ms =
                self.durable.manner.as_ref().map_or(10_000, |manner| manner.clocks.stop_ms);
            self.issue(now_ms, Action::Stop { app, grace_ms }, Owner::Nobody);
        } else {
            self.remove_app(app.generation);
        }
        true
    }

    /// Whether an app belongs neither to what serves nor to what is warm, or may not run here any more.
    fn is_stray(&self, placed: &Placed) -> bool {
        let leader = Some(self.leader_of(placed.app.generation));
        (leader != self.durable.serving && leader != self.durable.warm)
            || !self.may_run(&placed.app.release, &placed.part)
    }

    /// What could not be put right is left alone for a while.
    pub(crate) fn pause_strays(&mut self, now_ms: u64, flight: &Flight) {
        let again = matches!(flight.action, Action::Stop { .. } | Action::Point { .. });
        if again && flight.owner == Owner::Nobody {
            self.strays_after_ms = now_ms.saturating_add(STRAY_PAUSE_MS);
        }
    }

    /// When the next stray is due.
    pub(crate) fn strays_wakeup(&self) -> Option<u64> {
        let idle = self.durable.operation.is_none();
        let goes = |placed: &Placed| {
            !self.may_run(&placed.app.release, &placed.part) || (idle && self.is_stray(placed))
        };
        let astray = self.durable.apps.iter().any(goes) || self.misses_pointer().is_some();
        (self.flight(Lane::App).is_none() && astray).then_some(self.strays_after_ms)
    }
}
