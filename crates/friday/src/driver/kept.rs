//! What friday's directory keeps of releases and secrets once a push or a rollback is over: what a
//! rollout can still need, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use friday_core::controller::input::BackTo;
use friday_core::journal::intent::Intent;
use friday_core::rollout::run::Rollout;
use friday_core::state::{State, WasStable};
use friday_core::time::Timestamp;
use friday_edge::secrets::SecretStore;
use friday_edge::stock::Stock;
use friday_wire::{OpenRollout, ReleaseId, SecretsVersion};

/// What was taken in this lately may be another process's, which has not begun its push yet.
const RECENT: Duration = Duration::from_secs(3_600);

/// Pushes of one release whose secrets are kept, the last ones.
const SECRETS_OF_PUSHES: usize = 2;

/// Where releases and secrets are, and how many are kept.
#[derive(Debug)]
pub struct Kept {
    /// The releases.
    pub stock: Stock,
    /// The secrets.
    pub secrets: SecretStore,
    /// Good releases and failed ones.
    pub most: (u32, u32),
}

impl Kept {
    /// Removes what nothing can need any more.
    ///
    /// # Errors
    /// What could not be removed, one sentence.
    pub fn prune(&self, state: &State, now: Timestamp) -> Result<(), String> {
        let mut wanted = releases(state, self.most);
        let secrets = secrets(state, &wanted);
        let stocked = self.stock.releases().map_err(|error| error.to_string())?;
        let is_recent =
            |taken_at: Timestamp| u128::from(now.since_ms(taken_at)) < RECENT.as_millis();
        wanted.extend(
            stocked.iter().filter(|known| is_recent(known.taken_at)).map(|known| known.release),
        );
        self.stock.prune(&wanted).map_err(|error| error.to_string())?;
        self.secrets.prune(&secrets, RECENT).map_err(|error| error.to_string())
    }
}

fn releases(state: &State, (good, failed): (u32, u32)) -> BTreeSet<ReleaseId> {
    let mut known: Vec<_> = state.releases.iter().collect();
    known.sort_by_key(|(_, known)| std::cmp::Reverse(known.pushed_at));
    let newest = |was_stable: WasStable, most: u32| {
        let alike = known.iter().filter(move |(_, known)| known.was_stable == was_stable);
        alike.map(|(release, _)| **release).take(usize::try_from(most).unwrap_or(usize::MAX))
    };
    let mut wanted: BTreeSet<ReleaseId> =
        newest(WasStable::Yes, good).chain(newest(WasStable::No, failed)).collect();
    wanted.extend(state.stable.flatten());
    wanted.extend(state.previous_stable);
    wanted.extend(state.foreign.iter().flat_map(|(open, _)| named_by(open)));
    wanted.extend(open(state).flat_map(|rollout| {
        let intended = match &*rollout.intent {
            Intent::Push { plan } => Some(plan.release),
            Intent::Rollback { to: BackTo::Release { release }, .. } => Some(*release),
            _ => None,
        };
        intended.into_iter().chain(rollout.bound.iter().flat_map(named_by))
    }));
    wanted
}

fn secrets(state: &State, releases: &BTreeSet<ReleaseId>) -> BTreeSet<SecretsVersion> {
    let pushes = |wanted: ReleaseId| {
        let newest_first = state.order.iter().rev().filter_map(|id| state.rollout(id));
        let plans = newest_first.filter_map(|rollout| match &*rollout.intent {
            Intent::Push { plan } => Some(plan),
            _ => None,
        });
        plans.filter(move |plan| plan.release == wanted).take(SECRETS_OF_PUSHES)
    };
    let of_releases = releases.iter().flat_map(|release| pushes(*release));
    let of_releases = of_releases.filter_map(|plan| plan.secrets.clone());
    let of_open = open(state).filter_map(|rollout| match &*rollout.intent {
        Intent::Push { plan } => plan.secrets.clone(),
        _ => None,
    });
    of_releases.chain(of_open).collect()
}

fn open(state: &State) -> impl Iterator<Item = &Rollout> {
    state.open.iter().filter_map(|id| state.rollout(id))
}

fn named_by(open: &OpenRollout) -> impl Iterator<Item = ReleaseId> {
    [open.release, open.returns_to, open.leaves].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use friday_core::state::ReleaseKnown;
    use friday_edge::state_directory::StateDirectory;
    use friday_wire::{Digest, HealthSpec, Manifest, RunSpec, TreeId, UnitSpec};

    const HOUR_MS: i64 = 3_600_000;

    fn stocked(stock: &Stock, name: &str, taken_at: i64) -> ReleaseId {
        let run = RunSpec {
            command: Some(name.to_owned()),
            env: Default::default(),
            health: HealthSpec::default(),
            shared: Vec::new(),
            unit: UnitSpec::default(),
            processes: friday_wire::Processes::default(),
        };
        let manifest = Manifest { tree: Vec::new(), run };
        stock.note(&manifest, name, Timestamp(taken_at)).expect("noted")
    }

    #[test]
    fn what_a_way_back_needs_is_kept_and_what_nothing_needs_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = StateDirectory::at(directory.path().join(".friday"));
        let stock = Stock::open(&place).expect("opened");
        let secrets = SecretStore::open(&place).expect("opened");
        let names = ["oldest", "before", "stable", "bad-1", "bad-2", "unknown"];
        let ids = names.map(|name| stocked(&stock, name, 0));
        let fresh = stocked(&stock, "fresh", 9 * HOUR_MS);
        let [oldest, before, stable, bad_1, bad_2, unknown] = ids;
        let mut state = State::default();
        for (at, release, was_stable) in [
            (1, oldest, WasStable::Yes),
            (2, before, WasStable::Yes),
            (3, stable, WasStable::Yes),
            (4, bad_1, WasStable::No),
            (5, bad_2, WasStable::No),
        ] {
            let known = ReleaseKnown {
                label: String::new(),
                tree: TreeId(Digest([0; 32])),
                pushed_at: Timestamp(at),
                was_stable,
            };
            std::sync::Arc::make_mut(&mut state.releases).insert(release, known);
        }
        state.stable = Some(Some(stable));
        state.previous_stable = Some(before);
        let kept = Kept { stock: stock.clone(), secrets, most: (1, 1) };
        kept.prune(&state, Timestamp(9 * HOUR_MS + HOUR_MS / 2)).expect("pruned");
        let there = |release| stock.release(release).is_ok();
        for release in [&before, &stable, &bad_2, &fresh] {
            assert!(there(release), "{} was needed", release.short());
        }
        for release in [&oldest, &bad_1, &unknown] {
            assert!(!there(release), "{} was not needed", release.short());
        }
    }
}
