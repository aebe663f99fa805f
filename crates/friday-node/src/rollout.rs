//! What drivers write into the head: the open rollout and its migration, its end, lock, quarantine,
//! keeper, and the manifests of releases.

use std::collections::BTreeMap;

use friday_wire::{
    Answer, Digest, Fence, HostName, Lock, Manifest, Migration, OpenRollout, Quarantined, Refusal,
    ReleaseId, RolloutId, RolloutKind, Stamped, TreeId,
};

use crate::durable::{Held, Migrated, Standing};
use crate::node::Node;
use crate::operation::Course;

/// Releases known at once. Far above what anybody keeps; friday prunes after each rollout.
const RELEASES_MAX: usize = 256;

/// What a rollout that is closed leaves behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// This release is stable now.
    pub(crate) stable: Option<ReleaseId>,
    /// This release runs here apart from the fleet.
    pub(crate) apart: Option<ReleaseId>,
}

impl Node {
    pub(crate) fn open(
        &mut self,
        fence: Fence,
        mut rollout: OpenRollout,
    ) -> Result<Answer, Refusal> {
        let open = self.durable.head.rollout.as_ref().map(|open| &open.value);
        let lock = self.durable.head.lock.as_ref().and_then(|lock| lock.value.as_ref());
        if let (RolloutKind::Push, Some(lock)) = (rollout.kind, lock) {
            let (person, reason) = (lock.person.clone(), lock.reason.clone());
            return Err(Refusal::Locked { person, reason });
        }
        if let Some(open) = open
            && open.id != rollout.id
            && open.kind == RolloutKind::Rollback
            && rollout.kind == RolloutKind::Push
        {
            return Err(Refusal::RollbackOpen { rollout: open.id.clone() });
        }
        if let Some(open) = open.filter(|open| open.id == rollout.id) {
            rollout.migration = later(open.migration, rollout.migration);
        }
        if let Some(kept) = &self.durable.migrated {
            // A push has a migration of its own; what was begun before it is kept beside.
            if kept.rollout == rollout.id || rollout.kind != RolloutKind::Push {
                rollout.migration = later(kept.migration, rollout.migration);
            }
        }
        self.remember_migration(&rollout.id.clone(), rollout.migration);
        let (id, migration) = (rollout.id.clone(), rollout.migration);
        self.durable.head.rollout = Some(Stamped { fence, value: rollout });
        self.end_hold(&id, migration);
        self.dirty = true;
        Ok(Answer::Ok)
    }

    pub(crate) fn migration(
        &mut self,
        fence: Fence,
        rollout: &RolloutId,
        migration: Migration,
    ) -> Result<Answer, Refusal> {
        let open = self.durable.head.rollout.as_mut();
        let Some(open) = open.filter(|open| open.value.id == *rollout) else {
            return Err(self.not_open());
        };
        open.fence = fence;
        open.value.migration = later(open.value.migration, migration);
        let migration = open.value.migration;
        self.remember_migration(rollout, migration);
        self.end_hold(rollout, migration);
        self.dirty = true;
        Ok(Answer::Ok)
    }

    fn remember_migration(&mut self, rollout: &RolloutId, migration: Migration) {
        if migration == Migration::NotBegun {
            return;
        }
        let one_way = |state: Migration| state.forbids_automatic_return();
        let kept = self.durable.migrated.as_ref().map(|kept| kept.migration);
        let migration = match kept {
            Some(kept) if one_way(kept) && !one_way(migration) => kept,
            Some(_) | None => migration,
        };
        self.durable.migrated = Some(Migrated { rollout: rollout.clone(), migration });
    }

    pub(crate) fn not_open(&self) -> Refusal {
        let open = self.durable.head.rollout.as_ref().map(|open| open.value.id.clone());
        Refusal::NotOpen { open }
    }

    /// Closes the rollout. Repeated after it was closed, it changes nothing.
    pub(crate) fn close(
        &mut self,
        now_ms: u64,
        fence: Fence,
        rollout: &RolloutId,
        left: Left,
    ) -> Result<Answer, Refusal> {
        let Some(open) = self.durable.head.rollout.clone() else {
            self.note_closed(fence, rollout);
            return Ok(Answer::Ok);
        };
        if open.value.id != *rollout {
            return Err(self.not_open());
        }
        let moving = self.durable.operation.as_ref().filter(|op| op.course != Course::Boot);
        if let Some(key) = moving.and_then(|op| op.key()).cloned() {
            return Err(Refusal::Busy { with: self.report(&key, now_ms) });
        }
        if let Some(runs) = left.stable.or(left.apart) {
            if self.durable.head.current != Some(runs) {
                let why = format!("release {} is not the current one here", runs.short());
                return Ok(Answer::Error { why });
            }
            match left.stable {
                Some(stable) => self.make_stable(Some(stable), fence.clone()),
                None => self.leave_apart(runs),
            }
            self.durable.warm = None;
        }
        if left.stable.or(left.apart).is_some() || open.value.kind == RolloutKind::Rollback {
            self.durable.migrated = None;
        }
        self.durable.head.rollout = None;
        self.note_closed(fence, rollout);
        Ok(Answer::Ok)
    }

    fn note_closed(&mut self, fence: Fence, rollout: &RolloutId) {
        self.durable.head.closed = Some(Stamped { fence, value: rollout.clone() });
        self.dirty = true;
    }

    /// Makes this the stable release, and nothing open any more.
    pub(crate) fn make_stable(&mut self, stable: Option<ReleaseId>, fence: Fence) {
        let before = self.durable.head.stable;
        let previous = [before, self.durable.head.previous_stable].into_iter().flatten();
        let previous = previous
            .filter(|release| Some(*release) != stable && !self.durable.head.refuses(release));
        let previous = previous.into_iter().next();
        let head = &mut self.durable.head;
        head.previous_stable = previous;
        head.stable = stable;
        head.stable_fence = fence;
        head.open = None;
        head.undo = None;
        head.apart = None;
        if before != stable {
            let order = self.durable.next_order();
            if let Some(held) = stable.and_then(|id| self.durable.releases.get_mut(&id)) {
                held.standing = Standing::Good;
                held.order = order;
            }
        }
        self.dirty = true;
    }

    /// What runs here is not tried any more and not the fleet's stable release either: a reboot starts
    /// it again.
    fn leave_apart(&mut self, release: ReleaseId) {
        let head = &mut self.durable.head;
        head.open = None;
        head.undo = None;
        head.apart = Some(release);
        self.dirty = true;
    }

    pub(crate) fn lock(&mut self, fence: Fence, lock: Option<Lock>) -> Answer {
        self.durable.head.lock = Some(Stamped { fence, value: lock });
        self.dirty = true;
        Answer::Ok
    }

    pub(crate) fn name_keeper(&mut self, fence: Fence, keeper: HostName) -> Answer {
        self.durable.head.keeper = Some(Stamped { fence, value: keeper });
        self.dirty = true;
        Answer::Ok
    }

    /// Merges entries: per release the higher fence holds. A switch to a release that is refused now
    /// does not go on.
    pub(crate) fn quarantine(
        &mut self,
        now_ms: u64,
        entries: BTreeMap<ReleaseId, Quarantined>,
    ) -> Answer {
        for (release, entry) in entries {
            self.quarantine_one(release, entry);
        }
        let switching = self.durable.operation.as_ref().and_then(|op| match &op.course {
            Course::Switch(armed) => armed.release,
            Course::Stop(_)
            | Course::Ended(_)
            | Course::Undo(_)
            | Course::Back { .. }
            | Course::Boot => None,
        });
        if let Some(release) = switching.filter(|release| self.durable.head.refuses(release)) {
            let why = format!("release {} was quarantined", release.short());
            self.phase_failed(now_ms, why, Vec::new(), crate::ending::Cause::Other);
        }
        Answer::Ok
    }

    pub(crate) fn quarantine_one(&mut self, release: ReleaseId, mut entry: Quarantined) {
        let known = self.durable.head.quarantine.get(&release);
        if known.is_some_and(|known| known.fence > entry.fence) {
            return;
        }
        let held_tree = self.durable.releases.get(&release).map(|held| held.tree);
        entry.tree = entry.tree.or(known.and_then(|known| known.tree)).or(held_tree);
        self.durable.head.quarantine.insert(release, entry);
        self.dirty = true;
    }

    /// Stores how a release runs. The shell has its manifest on disk already, and hashed it.
    pub(crate) fn put_manifest(&mut self, release: ReleaseId, manifest: &Manifest) -> Answer {
        if let Err(error) = manifest.check() {
            return Answer::Error { why: error.to_string() };
        }
        if self.durable.releases.contains_key(&release) {
            return Answer::Ok;
        }
        if self.durable.releases.len() >= RELEASES_MAX {
            let why = format!("{RELEASES_MAX} releases are held here; prune first");
            return Answer::Error { why };
        }
        let tree = TreeId(Digest(*blake3::hash(&manifest.tree_bytes()).as_bytes()));
        let order = self.durable.next_order();
        let held = Held {
            role: None,
            run: manifest.run.clone(),
            tree,
            staged: false,
            standing: Standing::Unproven,
            order,
            secrets: None,
        };
        self.durable.releases.insert(release, held);
        self.dirty = true;
        Answer::Ok
    }
}

/// The later of two states of one migration. That it is one-way is never forgotten.
fn later(a: Migration, b: Migration) -> Migration {
    let (rank_a, one_way_a) = rank(a);
    let (rank_b, one_way_b) = rank(b);
    let one_way = one_way_a || one_way_b;
    match rank_a.max(rank_b) {
        0 => Migration::NotBegun,
        1 => Migration::Begun { one_way },
        2 => Migration::Unknown { one_way },
        _ => Migration::Done { one_way },
    }
}

fn rank(migration: Migration) -> (u8, bool) {
    match migration {
        Migration::NotBegun => (0, false),
        Migration::Begun { one_way } => (1, one_way),
        Migration::Unknown { one_way } => (2, one_way),
        Migration::Done { one_way } => (3, one_way),
    }
}
