//! The truth of a fleet, merged from the heads of its hosts. Several laptops may hold different
//! journals, or none; what the heads say together is what every acting command decides from.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{
    Fence, Head, HostName, Lock, Migration, OpenRollout, Quarantined, ReleaseId, RolloutId, Stamped,
};

/// An open rollout and the fence it was written under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFound {
    /// It, with the furthest migration state any head has for it.
    pub open: OpenRollout,
    /// Its fence.
    pub fence: Fence,
}

/// What the heads say together. Of fleet-wide values the one under the highest fence holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// The fleet's stable release; `None`: nothing, or never pushed to.
    pub stable: Option<ReleaseId>,
    /// The one before.
    pub previous_stable: Option<ReleaseId>,
    /// The rollout that is open, if any is.
    pub open: Option<OpenFound>,
    /// Releases that hosts run apart from the fleet, on purpose.
    pub apart: BTreeSet<ReleaseId>,
    /// Quarantine, merged per release.
    pub quarantine: BTreeMap<ReleaseId, Quarantined>,
    /// The human lock.
    pub lock: Option<Lock>,
    /// The keeper.
    pub keeper: Option<HostName>,
    /// The highest fence seen.
    pub fence: Option<Fence>,
}

impl Truth {
    /// Merges heads.
    pub fn merge<'a>(heads: impl IntoIterator<Item = &'a Head>) -> Self {
        let heads: Vec<&Head> = heads.into_iter().collect();
        let heads = heads.iter().copied();
        let stable = heads
            .clone()
            .max_by_key(|head| (&head.stable_fence, head.stable))
            .and_then(|head| head.stable);
        // A host that was set up anew, and was given the stable release since, has the highest fence
        // and knows nothing of what was before.
        let previous_stable = heads
            .clone()
            .filter(|head| head.stable == stable && head.previous_stable.is_some())
            .max_by_key(|head| (&head.stable_fence, head.previous_stable))
            .and_then(|head| head.previous_stable);
        Self {
            stable,
            previous_stable,
            apart: heads.clone().filter_map(Head::runs_apart).collect(),
            open: open_rollout(heads.clone()),
            quarantine: merge_quarantine(heads.clone().map(|head| &head.quarantine)),
            lock: highest(heads.clone().filter_map(|head| head.lock.as_ref())).cloned().flatten(),
            keeper: highest(heads.clone().filter_map(|head| head.keeper.as_ref())).cloned(),
            fence: heads.map(|head| &head.fence).max().cloned(),
        }
    }

    /// Whether a release must not be started.
    pub fn refuses(&self, release: &ReleaseId) -> Option<&Quarantined> {
        self.quarantine.get(release).filter(|entry| entry.active)
    }

    /// Whether a host's head falls short of this truth, and how: what a sweep puts right.
    pub fn drift(&self, head: &Head) -> Option<String> {
        if let Some(current) = head.current
            && self.refuses(&current).is_some()
        {
            return Some(format!("runs the quarantined release {}", current.short()));
        }
        let expected = head.runs_apart().or(self.stable);
        if head.current != expected {
            return Some(match (head.current, self.stable) {
                (Some(runs), Some(stable)) => {
                    format!("runs {}, not {}", runs.short(), stable.short())
                }
                (Some(runs), None) => format!("runs {}, and nothing should run", runs.short()),
                (None, Some(stable)) => format!("runs nothing, not {}", stable.short()),
                (None, None) => String::new(),
            });
        }
        if head.stable != self.stable {
            return Some("does not know the stable release".to_owned());
        }
        if head.rollout.is_some() {
            return Some("still has a rollout open that is over".to_owned());
        }
        if head.undo.is_some() {
            return Some("still has an undo armed".to_owned());
        }
        let lacks = self
            .quarantine
            .iter()
            .any(|(release, entry)| !knows(head.quarantine.get(release), entry));
        lacks.then(|| "does not know every quarantined release".to_owned())
    }
}

/// Whether a host refuses or takes a release as the truth says. Which files it had, only hosts know that
/// held it.
fn knows(known: Option<&Quarantined>, entry: &Quarantined) -> bool {
    known.is_some_and(|known| known.fence >= entry.fence && known.active == entry.active)
}

fn highest<'a, T: 'a>(values: impl Iterator<Item = &'a Stamped<T>>) -> Option<&'a T> {
    values.max_by(|a, b| a.fence.cmp(&b.fence)).map(|stamped| &stamped.value)
}

/// The open rollout with the highest fence, unless some head closed that rollout, or closed another
/// one under the same or a higher fence.
fn open_rollout<'a>(heads: impl Iterator<Item = &'a Head> + Clone) -> Option<OpenFound> {
    let found = heads
        .clone()
        .filter_map(|head| head.rollout.as_ref())
        .max_by(|a, b| a.fence.cmp(&b.fence))?;
    let over =
        |closed: &Stamped<RolloutId>| closed.value == found.value.id || closed.fence >= found.fence;
    if heads.clone().filter_map(|head| head.closed.as_ref()).any(over) {
        return None;
    }
    let mut open = found.value.clone();
    open.migration = heads
        .filter_map(|head| head.rollout.as_ref())
        .map(|stamped| stamped.value.migration)
        .fold(open.migration, further);
    Some(OpenFound { open, fence: found.fence.clone() })
}

/// The later of two migration states. *Done* was seen by somebody and outranks *unknown*.
pub fn further(a: Migration, b: Migration) -> Migration {
    if a >= b { a } else { b }
}

/// Merges quarantine entries: per release the higher fence holds.
pub fn merge_quarantine<'a>(
    entries: impl Iterator<Item = &'a BTreeMap<ReleaseId, Quarantined>>,
) -> BTreeMap<ReleaseId, Quarantined> {
    let mut merged: BTreeMap<ReleaseId, Quarantined> = BTreeMap::new();
    for (release, entry) in entries.flatten() {
        match merged.get(release) {
            // Of two of one rollout, the host that held the release knows its files, too.
            Some(known) if known.fence > entry.fence => {}
            Some(known)
                if known.fence == entry.fence && (known.tree.is_some() || entry.tree.is_none()) => {
            }
            Some(_) | None => {
                merged.insert(*release, entry.clone());
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests;
