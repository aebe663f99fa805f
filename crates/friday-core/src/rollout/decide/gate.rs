//! The gates of a push: what must hold before its first effect. Each is data, with its evidence.

use std::collections::BTreeMap;

use friday_wire::{HostFacts, HostName, Migration, Quarantined, Refusal, ReleaseId, Supervisor};

use super::{View, round};
use crate::database::Proof;
use crate::fleet::{OpenFound, Truth};
use crate::journal::Event;
use crate::journal::finding::{Fact, Gate, GateResult};
use crate::journal::round::HostAnswer;
use crate::reason::Reason;
use crate::rollout::budget::failures_allowed;
use crate::rollout::plan::Plan;
use crate::rollout::run::Round;
use crate::view::words::size;

/// The protocol's version from which hosts know supervisors.
const WIRE_UNITS: u32 = 2;

/// What friday-host always leaves free for its own state, bytes.
const RESERVE: u64 = 16 << 20;

/// What a gate came to.
pub struct Judged {
    /// Which.
    pub gate: Gate,
    /// `None`: pass, with a sentence.
    pub refuses: Option<Reason>,
    /// The evidence.
    pub says: String,
    /// Not proven, and a person vouched.
    vouched: bool,
}

impl Judged {
    pub(super) fn pass(gate: Gate, says: impl Into<String>) -> Self {
        Self { gate, refuses: None, says: says.into(), vouched: false }
    }

    pub(super) fn refuse(gate: Gate, reason: Reason) -> Self {
        Self { gate, says: reason.to_string(), refuses: Some(reason), vouched: false }
    }

    /// A refusal, unless a person gave a word for it.
    pub(super) fn unless(gate: Gate, reason: Reason, word: Option<&str>) -> Self {
        match word {
            None => Self::refuse(gate, reason),
            Some(word) => {
                let says = format!("{reason}; it is pushed all the same: {word}");
                Self { gate, refuses: None, says, vouched: true }
            }
        }
    }

    /// As a push that has switched a host or migrated was judged before it did: its way on is not barred
    /// by what became too old meanwhile.
    pub(super) fn before(view: View<'_>, gate: Gate) -> Option<Self> {
        if !has_begun(view) {
            return None;
        }
        let before = view.rollout.gates.iter().find(|(known, ..)| *known == gate);
        let (_, result, says) = before.filter(|(_, result, _)| *result != GateResult::Fail)?;
        let vouched = *result == GateResult::Inconclusive;
        Some(Self { gate, refuses: None, says: says.clone(), vouched })
    }

    /// As an event.
    pub fn event(&self, view: View<'_>) -> Event {
        let result = match (&self.refuses, self.vouched) {
            (Some(_), _) => GateResult::Fail,
            (None, true) => GateResult::Inconclusive,
            (None, false) => GateResult::Pass,
        };
        Event::GateJudged { rollout: view.id(), gate: self.gate, result, says: self.says.clone() }
    }
}

/// Whether a push has switched a host, or migrated.
pub(super) fn has_begun(view: View<'_>) -> bool {
    view.rollout.has_switched() || view.rollout.migration != Migration::NotBegun
}

/// Judges every gate of a push.
pub fn judge_push(view: View<'_>, plan: &Plan, truth: &Truth, raised: &Round) -> Vec<Judged> {
    let mut judged = vec![
        reachable(view, raised),
        unlocked(view, truth),
        lease_of_a_push(view, raised),
        nothing_open(view, truth),
        quarantine(view, plan, truth),
        way_back(view, plan, truth),
        room(view, plan),
        supervised(view, plan),
    ];
    if !plan.only.is_empty() {
        judged.push(apart(view, plan));
    }
    judged.extend(once(view, plan));
    judged.extend(recovery(view, plan));
    judged.extend(super::rehearsed::judge(view, plan, truth.stable));
    judged.extend(hour(view, plan));
    judged
}

/// What calendars and rotas said when the push was asked for. An inconclusive gate refuses.
fn hour(view: View<'_>, plan: &Plan) -> Vec<Judged> {
    let gates = plan.hour.iter().flat_map(|hour| &hour.gates);
    let judged = gates.map(|said| {
        if let Some(before) = Judged::before(view, said.gate) {
            return before;
        }
        match said.result {
            GateResult::Pass => Judged::pass(said.gate, &said.says),
            GateResult::Inconclusive | GateResult::Fail => {
                let reason = Reason::NotNow { gate: said.gate, why: said.says.clone() };
                Judged::unless(said.gate, reason, said.vouched.as_deref())
            }
        }
    });
    judged.collect()
}

/// Each guarded database can be recovered, in the time that the team gives it; nothing to judge where there
/// is none.
fn recovery(view: View<'_>, plan: &Plan) -> Option<Judged> {
    if plan.databases.is_empty() {
        return None;
    }
    let gate = Gate::Recovery;
    if let Some(before) = Judged::before(view, gate) {
        return Some(before);
    }
    let mut says = Vec::new();
    for database in &plan.databases {
        let name = &database.name;
        match Proof::judge(view.state.databases.get(name), database.into(), view.now) {
            Ok(proof) => says.push(format!("`{name}`: {}", proof.says())),
            Err(unproven) => {
                let why = unproven.to_string();
                let reason = Reason::RecoveryUnproven { database: name.clone(), why };
                return Some(Judged::unless(gate, reason, plan.recovery_override.as_deref()));
            }
        }
    }
    Some(Judged::pass(gate, says.join("; ")))
}

/// What the read told of each host's machine. It is minutes old at most, and nothing else tells it.
fn machines(view: View<'_>) -> impl Iterator<Item = (&HostName, &HostFacts)> {
    let takes = move |(host, _): &(&HostName, &HostFacts)| view.rollout.takes(host);
    view.rollout.seen.iter().map(|(host, seen)| (host, &seen.facts)).filter(takes)
}

/// Each host has room for the release: its files in the store, and its tree.
fn room(view: View<'_>, plan: &Plan) -> Judged {
    let holds = |host| {
        let head = view.rollout.heads.get(host);
        head.is_some_and(|head| head.held.contains(&plan.release))
    };
    let lacking = machines(view).find_map(|(host, facts)| {
        let why = no_room(plan, facts).filter(|_| !holds(host))?;
        Some(Reason::Full { host: host.clone(), why })
    });
    match lacking {
        Some(reason) => Judged::refuse(Gate::Room, reason),
        None => Judged::pass(Gate::Room, "the hosts have room for it"),
    }
}

/// Only what cannot work is refused: what a host holds of the files already it need not find room for.
fn no_room(plan: &Plan, facts: &HostFacts) -> Option<String> {
    if plan.bytes == 0 {
        // A plan from before releases were measured.
        return None;
    }
    if facts.disk_total > 0 && facts.disk_free < plan.bytes.saturating_add(RESERVE) {
        let (free, needed) = (size(facts.disk_free), size(plan.bytes));
        return Some(format!("{free} are free, and the release's tree alone takes {needed}"));
    }
    if facts.files_total > 0 && facts.files_free < plan.files {
        let free = facts.files_free;
        return Some(format!(
            "{free} files can still be made there, and its tree has {}",
            plan.files
        ));
    }
    None
}

/// Each host can run it under the supervisor that the plan names.
fn supervised(view: View<'_>, plan: &Plan) -> Judged {
    let supervisor = plan.supervisor;
    let too_old = |facts: &HostFacts| supervisor != Supervisor::Own && facts.wire < WIRE_UNITS;
    if let Some((host, _)) = machines(view).find(|(_, facts)| too_old(facts)) {
        return Judged::refuse(Gate::Supervisor, Reason::HostProgramOld { host: host.clone() });
    }
    let unusable = machines(view).find_map(|(host, facts)| {
        let why = facts.unusable.get(&supervisor)?.clone();
        Some(Reason::Supervisor { host: host.clone(), supervisor, why })
    });
    match unusable {
        Some(reason) => Judged::refuse(Gate::Supervisor, reason),
        None => Judged::pass(Gate::Supervisor, format!("every host can run it ({supervisor})")),
    }
}

/// At most one release runs apart, and every host that takes it knows what that means.
fn apart(view: View<'_>, plan: &Plan) -> Judged {
    let too_old = plan.only.iter().find(|host| {
        let seen = view.rollout.seen.get(*host);
        seen.is_some_and(|seen| seen.facts.wire < friday_wire::WIRE_MEMBERS)
    });
    if let Some(host) = too_old {
        return Judged::refuse(Gate::Apart, Reason::HostProgramOld { host: host.clone() });
    }
    let mut known = (*view.state.apart).clone();
    for (host, head) in view.rollout.heads.iter() {
        match head.runs_apart() {
            Some(release) => known.insert(host.clone(), release),
            None => known.remove(host),
        };
    }
    let other = known.iter().find(|(host, release)| {
        **release != plan.release
            && !view.rollout.takes(host)
            && view.rollout.planned(host).is_some()
    });
    match other {
        Some((host, release)) => {
            Judged::refuse(Gate::Apart, Reason::RunsApart { host: host.clone(), release: *release })
        }
        None => Judged::pass(
            Gate::Apart,
            format!("{} of {} hosts take it", plan.only.len(), view.rollout.hosts.len()),
        ),
    }
}

fn reachable(view: View<'_>, raised: &Round) -> Judged {
    let takes = |(host, _): &(&HostName, String)| view.rollout.takes(host);
    let missing: Vec<_> = round::silent(raised).filter(takes).collect();
    let all = view.rollout.size();
    match missing.first() {
        Some((host, why)) if missing.len() > failures_allowed(all, 0) => Judged::refuse(
            Gate::Reachable,
            Reason::Unreachable {
                host: (*host).clone(),
                why: if missing.len() > 1 {
                    format!("{why} (and {} more of {all} hosts)", missing.len() - 1)
                } else {
                    why.clone()
                },
            },
        ),
        _ => {
            Judged::pass(Gate::Reachable, format!("{} of {all} hosts answer", all - missing.len()))
        }
    }
}

/// Nobody locked the fleet; and every host that was locked was also told that it is not any more. One
/// that was not would refuse its switch.
fn unlocked(view: View<'_>, truth: &Truth) -> Judged {
    let untold = || view.rollout.heads.values().find_map(|head| head.lock.as_ref()?.value.as_ref());
    match truth.lock.as_ref().or_else(untold) {
        Some(lock) => Judged::refuse(
            Gate::Unlocked,
            Reason::Locked { person: lock.person.clone(), reason: lock.reason.clone() },
        ),
        None => Judged::pass(Gate::Unlocked, "nobody locked the fleet"),
    }
}

/// The keeper's answer to the raise, which asked for the lease.
pub fn lease(view: View<'_>, raised: &Round) -> Judged {
    let (keeper, _) = view.rollout.keeper();
    let keeper = &keeper;
    let other = raised.answers().find_map(|(_, answer)| match answer {
        Some(HostAnswer::Refused { refusal: Refusal::Keeper { keeper } }) => Some(keeper.clone()),
        _ => None,
    });
    if let Some(known) = other {
        return Judged::refuse(Gate::Lease, Reason::Keeper { known, configured: keeper.clone() });
    }
    match raised.answer(&view.rollout.host_of_keeper(keeper)) {
        Some(HostAnswer::Head { .. }) => {
            Judged::pass(Gate::Lease, format!("`{keeper}` gave the lease"))
        }
        Some(HostAnswer::Refused { refusal: Refusal::Leased { lease } }) => Judged::refuse(
            Gate::Lease,
            Reason::Leased {
                holder: lease.holder.clone(),
                remaining_secs: lease.remaining_ms.div_ceil(1_000),
            },
        ),
        Some(HostAnswer::Refused { refusal }) => Judged::refuse(
            Gate::Lease,
            keeper_silent(keeper, super::outcome::refusal_says(refusal)),
        ),
        Some(
            HostAnswer::Failed { why, .. }
            | HostAnswer::Unreachable { why }
            | HostAnswer::Unknown { why },
        ) => Judged::refuse(Gate::Lease, keeper_silent(keeper, why.clone())),
        Some(HostAnswer::Seen { .. } | HostAnswer::Ok) | None => {
            Judged::refuse(Gate::Lease, keeper_silent(keeper, "it was not asked".to_owned()))
        }
    }
}

/// Nor may another host keep a lease that lives: one that was the keeper before does not let the push in,
/// and would be found to fail in its wave.
fn lease_of_a_push(view: View<'_>, raised: &Round) -> Judged {
    let judged = lease(view, raised);
    let kept = raised.answers().find_map(|(_, answer)| match answer {
        Some(HostAnswer::Refused { refusal: Refusal::Leased { lease } }) => Some(lease),
        _ => None,
    });
    match kept {
        Some(lease) if judged.refuses.is_none() => Judged::refuse(
            Gate::Lease,
            Reason::Leased {
                holder: lease.holder.clone(),
                remaining_secs: lease.remaining_ms.div_ceil(1_000),
            },
        ),
        _ => judged,
    }
}

fn keeper_silent(keeper: &HostName, why: String) -> Reason {
    Reason::Unreachable { host: keeper.clone(), why: format!("{why}; it keeps the lease") }
}

fn nothing_open(view: View<'_>, truth: &Truth) -> Judged {
    match &truth.open {
        Some(found) if found.open.kind == friday_wire::RolloutKind::Sweep => {
            Judged::pass(Gate::NothingOpen, "a sweep was left open, and is made again first")
        }
        Some(found) if found.open.id != view.rollout.id => Judged::refuse(
            Gate::NothingOpen,
            Reason::RolloutOpen { rollout: found.open.id.clone(), kind: kind_of(found).to_owned() },
        ),
        Some(_) | None if heads_changed(view) => {
            Judged::refuse(Gate::NothingOpen, Reason::HeadsChanged)
        }
        Some(_) => Judged::pass(Gate::NothingOpen, "only this push is open"),
        None => Judged::pass(Gate::NothingOpen, "no rollout is open"),
    }
}

/// What an open rollout is, in a word.
pub fn kind_of(found: &OpenFound) -> &'static str {
    match found.open.kind {
        friday_wire::RolloutKind::Push => "push",
        friday_wire::RolloutKind::Rollback => "rollback",
        friday_wire::RolloutKind::Sweep => "sweep",
    }
}

/// Whether a head that was read differs in open rollout or migration state from the one raised.
fn heads_changed(view: View<'_>) -> bool {
    view.rollout.heads.iter().any(|(host, raised)| {
        view.rollout.reads.get(host).is_some_and(|read| {
            read.rollout.as_ref().map(|open| &open.value)
                != raised.rollout.as_ref().map(|open| &open.value)
        })
    })
}

fn quarantine(view: View<'_>, plan: &Plan, truth: &Truth) -> Judged {
    if let Some(entry) =
        truth.refuses(&plan.release).or_else(|| only_known_here(view, plan.release, truth))
    {
        return Judged::refuse(
            Gate::Quarantine,
            Reason::Quarantined { release: plan.release, why: entry.reason.clone() },
        );
    }
    let same_tree =
        truth.quarantine.iter().find(|(_, entry)| entry.active && entry.tree == Some(plan.tree));
    match (same_tree, &plan.quarantine_override) {
        (Some((release, entry)), None) => Judged::refuse(
            Gate::Quarantine,
            Reason::Quarantined {
                release: *release,
                why: format!("{} (the same files)", entry.reason),
            },
        ),
        (Some((_, _)), Some(fix)) => Judged::pass(
            Gate::Quarantine,
            format!("the same files were quarantined; named as the fix: {fix}"),
        ),
        (None, _) => Judged::pass(Gate::Quarantine, "neither release nor files are quarantined"),
    }
}

/// A quarantine that this journal ordered and no host was there to be told: whoever made the release
/// stable since, or lifted it, did so under a higher fence.
fn only_known_here<'a>(
    view: View<'a>,
    release: ReleaseId,
    truth: &Truth,
) -> Option<&'a Quarantined> {
    let entry = view.state.quarantine.get(&release).filter(|entry| entry.active)?;
    let is_lifted = truth.quarantine.get(&release).is_some_and(|there| there.fence > entry.fence);
    let mut heads = view.rollout.heads.iter().map(|(_, head)| head);
    let is_stable_since =
        heads.any(|head| head.stable == Some(release) && head.stable_fence > entry.fence);
    (!is_lifted && !is_stable_since).then_some(entry)
}

/// There is something to return to: the stable release, held by every host that answers, or nothing.
fn way_back(view: View<'_>, plan: &Plan, truth: &Truth) -> Judged {
    let Some(stable) = truth.stable else {
        return Judged::pass(
            Gate::WayBack,
            "a first push: it returns to nothing, stopped and removed",
        );
    };
    // Made stable under a higher fence than the entry that some host still has.
    if let Some(entry) = truth.refuses(&stable) {
        let why = entry.reason.clone();
        return Judged::refuse(Gate::WayBack, Reason::Quarantined { release: stable, why });
    }
    let lacking = view.rollout.heads.iter().find(|(host, head)| {
        view.rollout.takes(host)
            && head.current.is_some()
            && head.current != Some(plan.release)
            && !head.held.contains(&stable)
    });
    match lacking {
        Some((host, _)) => {
            Judged::refuse(Gate::WayBack, Reason::NotHeld { host: host.clone(), release: stable })
        }
        None => Judged::pass(
            Gate::WayBack,
            format!("it returns to {}, held by the hosts", stable.short()),
        ),
    }
}

/// It is known of each once process which host runs it; nothing to judge where there is none.
fn once(view: View<'_>, plan: &Plan) -> Option<Judged> {
    if plan.once.is_empty() {
        return None;
    }
    let wrong = plan.once.iter().find_map(|(process, hosts)| {
        super::once::holder(view, process, hosts).err().map(|why| (process.clone(), why))
    });
    Some(match wrong {
        Some((process, why)) => Judged::refuse(Gate::Once, Reason::Once { process, why }),
        None => {
            let all = super::once::assigned(view, plan);
            let says: Vec<String> =
                all.iter().map(|(process, host)| format!("`{process}` on `{host}`")).collect();
            Judged::pass(Gate::Once, format!("runs once: {}", says.join(", ")))
        }
    })
}

/// What the heads say and this journal does not know yet.
pub fn facts(view: View<'_>, truth: &Truth) -> Vec<Event> {
    let state = view.state;
    let mut facts = Vec::new();
    let news = state.stable != Some(truth.stable) || state.previous_stable != truth.previous_stable;
    if news && !(truth.stable.is_none() && only_forgetful(view)) {
        facts.push(Fact::Stable { release: truth.stable, previous: truth.previous_stable });
    }
    if truth.quarantine.iter().any(|(release, entry)| state.quarantine.get(release) != Some(entry))
    {
        facts.push(Fact::Quarantine { entries: truth.quarantine.clone() });
    }
    if state.lock != truth.lock {
        facts.push(Fact::Lock { lock: truth.lock.clone() });
    }
    if let Some(keeper) = &truth.keeper
        && state.keeper.as_ref() != Some(keeper)
    {
        facts.push(Fact::Keeper { keeper: keeper.clone() });
    }
    let apart = apart_now(view);
    if *state.apart != apart {
        facts.push(Fact::Apart { hosts: apart });
    }
    if let Some(found) = &truth.open
        && !state.rollouts.contains_key(&found.open.id)
        && state.foreign.as_ref().map(|(open, _)| open) != Some(&found.open)
    {
        facts.push(Fact::OpenRollout { open: found.open.clone(), fence: found.fence.clone() });
    }
    facts.into_iter().map(|fact| Event::Observed { fact }).collect()
}

/// A stable release is known here, and some hosts did not answer the raise: that the others, which may have
/// been set up anew, know of none says nothing of the fleet.
fn only_forgetful(view: View<'_>) -> bool {
    let knows = view.state.stable.flatten().is_some();
    knows && view.answering().len() < view.rollout.fleet().hosts.len()
}

/// Hosts that run a release apart from the fleet: by their heads, and by the journal where a host does not
/// answer.
fn apart_now(view: View<'_>) -> BTreeMap<HostName, ReleaseId> {
    let known =
        |host: &HostName| match view.rollout.heads.get(host).or(view.rollout.reads.get(host)) {
            Some(head) => head.runs_apart(),
            None => view.state.apart.get(host).copied(),
        };
    let hosts = view.rollout.fleet().hosts.iter();
    hosts.filter_map(|host| Some((host.name.clone(), known(&host.name)?))).collect()
}
