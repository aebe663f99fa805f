//! A push: what follows what, from the raise to stable.

use friday_wire::{
    Answer, Fault, HostName, Migration, OpenRollout, Refusal, RolloutId, RolloutKind, StepState,
};

use super::gate::{facts, judge_push};
use super::{View, judge, once, outcome, rehearsed, restore_point, round, stop_all, wave};
use crate::controller::input::{BackTo, Outcome};
use crate::fleet::truth::further;
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::finding::Fact;
use crate::journal::intent::Intent;
use crate::journal::round::{HostAnswer, RoundAsk, Work};
use crate::reason::{Reason, Signing};
use crate::rollout::budget::failures_allowed;
use crate::rollout::plan::{MigrationBack, Plan};
use crate::rollout::run::{Baked, HookState, HostState, Phase, Round, Swept};

/// How long after its deadline a hook may still be heard of, milliseconds: killing it, and the way of its
/// last words into the journal, take their time.
const HOOK_GRACE_MS: u64 = 30_000;

/// The next step of a push that is not in a round.
pub fn advance(view: View<'_>, plan: &Plan) -> Vec<Event> {
    match &view.rollout.phase {
        Phase::Begun => vec![round::begin(view, RoundAsk::Read, view.all())],
        Phase::Working { work, deadline } => working(view, plan, *work, *deadline),
        Phase::Wave => wave::advance(view, plan),
        Phase::Soak { until } => wave::soak(view, plan, *until),
        Phase::Bake { until } => wave::bake(view, plan, *until),
        Phase::GoingBack { by } => taken_back(view, by),
        Phase::Asking(_) | Phase::Held | Phase::Ended { .. } => Vec::new(),
    }
}

/// Decides from the answers to the own raise.
pub fn raised(view: View<'_>, plan: &Plan, raised: &Round) -> Vec<Event> {
    let truth = view.truth();
    let mut events = facts(view, &truth);
    let judged = judge_push(view, plan, &truth, raised);
    events.extend(judged.iter().map(|judged| judged.event(view)));
    let reasons: Vec<Reason> = judged.iter().filter_map(|judged| judged.refuses.clone()).collect();
    if !reasons.is_empty() {
        let unreachable = reasons.iter().all(|reason| matches!(reason, Reason::Unreachable { .. }));
        let end = if unreachable { End::Unreachable { reasons } } else { End::Refused { reasons } };
        events.extend(give_up_before_effects(view, end));
        return events;
    }
    let own = truth.open.as_ref().filter(|found| found.open.id == view.rollout.id);
    let resumed = own.is_some();
    let drifts =
        |host| view.rollout.heads.get(host).is_some_and(|head| truth.drift(head).is_some());
    if !resumed && view.rollout.swept == Swept::No && view.answering_part().iter().any(drifts) {
        events.extend(sweep_first(view));
        return events;
    }
    events.extend(rehearsed::way_back(view, plan, truth.stable));
    let found = own.map_or(Migration::NotBegun, |found| found.open.migration);
    let migration = further(found, view.rollout.migration);
    let open = OpenRollout {
        id: view.id(),
        kind: RolloutKind::Push,
        release: Some(plan.release),
        returns_to: own.map_or(truth.stable, |found| found.open.returns_to),
        leaves: None,
        migration,
    };
    let once = once::assigned(view, plan);
    events.push(Event::RolloutBound { rollout: view.id(), open, once });
    events.extend(hosts_as_found(view, plan, raised));
    events.push(round::begin(view, RoundAsk::Open, view.answering()));
    events
}

/// Hosts that already run the release, confirmed: a resumed push goes on behind them. Hosts that do
/// not answer count as failed from the beginning.
fn hosts_as_found(view: View<'_>, plan: &Plan, raised: &Round) -> Vec<Event> {
    let mut events = Vec::new();
    for (host, head) in view.rollout.heads.iter() {
        let is_ours = head.rollout.as_ref().is_some_and(|open| open.value.id == view.rollout.id);
        if is_ours && head.current == Some(plan.release) && head.undo.is_none() {
            events.push(Event::HostDone { rollout: view.id(), host: host.clone() });
        }
    }
    let silent = round::silent(raised).filter(|(host, _)| view.rollout.takes(host));
    events.extend(silent.map(|(host, why)| wave::fail(view, host, why)));
    events
}

/// Nothing is open on hosts yet; only the lease may be held.
fn give_up_before_effects(view: View<'_>, end: End) -> Vec<Event> {
    let is_ours = |head: &friday_wire::Head| {
        head.rollout.as_ref().is_some_and(|open| open.value.id == view.rollout.id)
    };
    if view.rollout.heads.values().any(|head| is_ours(head)) {
        let (End::Refused { reasons } | End::Unreachable { reasons }) = end else {
            return Vec::new();
        };
        return view.hold(reasons);
    }
    view.wind_up(end)
}

fn sweep_first(view: View<'_>) -> Vec<Event> {
    let allowance = view.rollout.fleet().progress_deadline_ms;
    vec![
        Event::WorkBegun {
            rollout: view.id(),
            work: Work::Sweep,
            deadline: view.now.plus_ms(allowance),
        },
        Event::RolloutBegun {
            rollout: next_id(view, "sweep"),
            intent: Box::new(Intent::Sweep { fleet: view.rollout.fleet().clone() }),
            because_of: Some(view.id()),
        },
    ]
}

/// An id for a rollout that this one begets: unique, and the same when decided again.
fn next_id(view: View<'_>, what: &str) -> RolloutId {
    let begotten = |id: &&RolloutId| {
        view.state
            .rollout(id)
            .is_some_and(|other| other.because_of.as_ref() == Some(&view.rollout.id))
    };
    let count = view.state.order.iter().filter(begotten).count();
    RolloutId::new(format!("{}-{what}{}", view.rollout.id, count + 1))
}

/// After open, ship and stage.
pub fn prepared(view: View<'_>, plan: &Plan, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let unsigned = unsigned(done);
    let untouched = !view.rollout.has_switched() && view.rollout.migration == Migration::NotBegun;
    if !unsigned.is_empty() && untouched {
        // Nothing is wrong with the release, and nothing was changed: it is let be.
        return view.wind_up(End::Refused { reasons: unsigned });
    }
    let not_ok = || round::not_ok(done).filter(|(host, _)| view.rollout.takes(host));
    let failed = |(host, why)| wave::failed_by(view, host, why, round::fault(done, host));
    let mut events: Vec<Event> = not_ok().map(failed).collect();
    let failed_now = events.len();
    if view.rollout.hosts.failed_len() + failed_now > failures_allowed(view.rollout.size(), 0) {
        let mut reasons: Vec<Reason> = reasons_of(done, not_ok());
        reasons.extend(view.rollout.failed().into_iter().map(|host| {
            let fault = match view.rollout.hosts.get(&host).map(|run| &run.at) {
                Some(HostState::Failed { fault, .. }) => *fault,
                _ => Fault::Release,
            };
            Reason::HostFailed { host, why: "it failed before".to_owned(), fault }
        }));
        events.extend(stop(view, reasons));
        return events;
    }
    let on: Vec<_> =
        round::answers(done).filter(|host| view.rollout.takes(host)).cloned().collect();
    events.extend(match done.ask {
        RoundAsk::Open => vec![round::begin(view, RoundAsk::Ship, on)],
        RoundAsk::Ship => vec![round::begin(view, RoundAsk::Stage, on)],
        _ => after_staging(view, plan),
    });
    events
}

/// Hosts that do not take the release because nobody they trust has signed it.
fn unsigned(done: &Round) -> Vec<Reason> {
    let refusals = done.answers().filter_map(|(host, answer)| match answer {
        Some(HostAnswer::Refused { refusal: Refusal::Unsigned { release, signers, key, why } }) => {
            Some(Reason::Unsigned {
                host: host.clone(),
                release: *release,
                signing: Box::new(Signing {
                    signers: signers.clone(),
                    key: key.clone(),
                    why: why.clone(),
                }),
            })
        }
        _ => None,
    });
    refusals.collect()
}

/// A failure: back if any host was switched, else just put away. After a one-way migration began, a
/// person is called.
pub fn stop(view: View<'_>, reasons: Vec<Reason>) -> Vec<Event> {
    if view.rollout.forbids_automatic_return() {
        let mut reasons = reasons;
        reasons.extend(rehearsed::barred(view));
        return view.hold(reasons);
    }
    let migrated = view.rollout.migration != Migration::NotBegun;
    if !view.rollout.has_switched() && !migrated {
        return view.wind_up(End::NotSwitched { reasons });
    }
    go_back(view, &reasons, None)
}

/// Begins the rollback that takes this push back. Where hosts failed by their own fault only, nothing is
/// known against the release, and it may be pushed again.
pub fn go_back(view: View<'_>, reasons: &[Reason], asked: Option<RolloutId>) -> Vec<Event> {
    // What is held against the release is told first.
    let blames = reasons.iter().find(|reason| !reason.spares_the_release());
    let told = blames.or(reasons.first());
    let reason = told.map_or_else(|| "it failed".to_owned(), ToString::to_string);
    let intent = Intent::Rollback {
        to: BackTo::LastStable,
        now: false,
        quarantine: blames.is_some() || reasons.is_empty(),
        reason,
        automatic: asked.is_none(),
        migration: view.rollout.migration_plan(),
        fleet: view.rollout.fleet().clone(),
    };
    vec![Event::RolloutBegun {
        rollout: asked.unwrap_or_else(|| next_id(view, "back")),
        intent: Box::new(intent),
        because_of: Some(view.id()),
    }]
}

fn after_staging(view: View<'_>, plan: &Plan) -> Vec<Event> {
    if restore_point::is_lacking(view, plan) {
        return vec![restore_point::begin(view, plan)];
    }
    after_restore_points(view, plan)
}

/// Every guarded database can be returned to what it is now.
pub fn after_restore_points(view: View<'_>, plan: &Plan) -> Vec<Event> {
    if judge::is_lacking_before(view, plan) {
        return vec![judge::begin(view, plan, Work::JudgeBefore)];
    }
    judged_before(view, plan)
}

/// What must hold in guarded databases does.
fn judged_before(view: View<'_>, plan: &Plan) -> Vec<Event> {
    if plan.hooks.before.is_some() && view.rollout.hook_before != HookState::Done {
        let deadline = view.now.plus_ms(plan.hooks.timeout_ms);
        return vec![Event::WorkBegun { rollout: view.id(), work: Work::HookBefore, deadline }];
    }
    after_hook_before(view, plan)
}

fn after_hook_before(view: View<'_>, plan: &Plan) -> Vec<Event> {
    match (&plan.migration, view.rollout.migration) {
        (None, _) | (Some(_), Migration::Done { .. }) => to_waves(view),
        (Some(_), Migration::Unknown { .. }) => view.hold(vec![Reason::MigrationUnknown]),
        (Some(_), Migration::NotBegun) if stop_all::lacks_hosts(view, plan) => {
            stop(view, stop_all::failures(view))
        }
        (Some(migration), Migration::NotBegun) => {
            let decided = view.rollout.way_back.as_ref().map(|decided| &decided.back);
            let one_way = *decided.unwrap_or(&migration.back) == MigrationBack::OneWay;
            vec![
                Event::MigrationMoved {
                    rollout: view.id(),
                    migration: Migration::Begun { one_way },
                },
                round::begin(view, RoundAsk::MigrationBegins, view.answering()),
            ]
        }
        (Some(_), Migration::Begun { .. }) => {
            vec![round::begin(view, RoundAsk::MigrationBegins, view.answering())]
        }
    }
}

fn reasons_of<'a>(
    done: &Round,
    not_ok: impl Iterator<Item = (&'a HostName, String)>,
) -> Vec<Reason> {
    let reason = |(host, why): (&HostName, String)| {
        let fault = round::fault(done, host);
        Reason::HostFailed { host: host.clone(), why, fault }
    };
    not_ok.map(reason).collect()
}

/// A migration begins only when every host of the rollout has stored that it does.
pub fn migration_stored(view: View<'_>, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let missing = reasons_of(done, round::not_ok(done));
    if done.ask == RoundAsk::MigrationEnds {
        return if missing.is_empty() { to_waves(view) } else { stop(view, missing) };
    }
    if !missing.is_empty() {
        return view.hold(missing);
    }
    let Intent::Push { plan } = &*view.rollout.intent else { return Vec::new() };
    if stop_all::is_needed(view, plan) {
        return vec![stop_all::begin(view)];
    }
    vec![migrate(view, plan)]
}

/// The migration's turn.
pub fn migrate(view: View<'_>, plan: &Plan) -> Event {
    let allowance = plan.migration.as_ref().map_or(0, |migration| migration.timeout_ms);
    let deadline =
        view.now.plus_ms(allowance.saturating_add(2 * view.rollout.fleet().answer_deadline_ms));
    Event::WorkBegun { rollout: view.id(), work: Work::Migrate, deadline }
}

/// What came of asking the migrating host, which may be asked again and again.
pub fn migrated(view: View<'_>, outcome: Outcome) -> Vec<Event> {
    let one_way = view.rollout.migration.forbids_automatic_return();
    let moved = |migration| Event::MigrationMoved { rollout: view.id(), migration };
    let Outcome::Answered(answer) = outcome else { return Vec::new() };
    match *answer {
        Answer::Step(report) => match report.state {
            StepState::Done => vec![
                moved(Migration::Done { one_way }),
                round::begin(view, RoundAsk::MigrationEnds, view.answering()),
            ],
            StepState::Failed { why, .. } => stop(view, vec![Reason::MigrationFailed { why }]),
            StepState::Running { .. }
            | StepState::NeverSeen
            | StepState::AwaitingConfirm { .. } => Vec::new(),
            StepState::Undone { .. }
            | StepState::Ended { .. }
            | StepState::Sealed
            | StepState::Lost { .. } => {
                let mut events = vec![moved(Migration::Unknown { one_way })];
                events.extend(view.hold(vec![Reason::MigrationUnknown]));
                events
            }
        },
        Answer::Refused(friday_wire::Refusal::Fenced { highest }) => {
            vec![view.end(End::Fenced { by: highest })]
        }
        Answer::Refused(refusal) => {
            stop(view, vec![Reason::MigrationFailed { why: outcome::refusal_says(&refusal) }])
        }
        _ => Vec::new(),
    }
}

/// After a migration, and for as long as no host runs the release, guarded databases are judged first.
fn to_waves(view: View<'_>) -> Vec<Event> {
    let Intent::Push { plan } = &*view.rollout.intent else { return Vec::new() };
    let migrated = matches!(view.rollout.migration, Migration::Done { .. });
    let is_news = migrated && view.rollout.hosts.tally().done == 0;
    if is_news && judge::asked(plan).next().is_some() {
        return vec![judge::begin(view, plan, Work::JudgeMigrated)];
    }
    wave::approach(view, plan)
}

/// Verdicts that the push stands for. Once hosts run the release they are watched meanwhile.
fn judging(
    view: View<'_>,
    plan: &Plan,
    work: Work,
    deadline: crate::time::Timestamp,
) -> Vec<Event> {
    let watched = matches!(work, Work::JudgeWave | Work::JudgeAfter);
    if let Some(events) = watched.then(|| wave::beyond_budget(view)).flatten() {
        return events;
    }
    if let Some(events) = judge::advance(view, plan, deadline) {
        return events;
    }
    match work {
        Work::JudgeBefore => judged_before(view, plan),
        Work::JudgeAfter => wave::baked(view, plan),
        _ => wave::approach(view, plan),
    }
}

fn working(
    view: View<'_>,
    plan: &Plan,
    work: Work,
    deadline: crate::time::Timestamp,
) -> Vec<Event> {
    match work {
        Work::Sweep => swept(view),
        Work::HookBefore => match &view.rollout.hook_before {
            HookState::Waiting => hook_overdue(view, "before", deadline),
            HookState::Done => after_hook_before(view, plan),
            HookState::Failed(why) => {
                stop(view, vec![Reason::HookFailed { name: "before".to_owned(), why: why.clone() }])
            }
        },
        Work::RestorePoints => restore_point::advance(view, plan, deadline),
        Work::JudgeBefore | Work::JudgeMigrated | Work::JudgeWave | Work::JudgeAfter => {
            judging(view, plan, work, deadline)
        }
        Work::HookAfter => match &view.rollout.hook_after {
            HookState::Waiting => hook_overdue(view, "after", deadline),
            HookState::Done | HookState::Failed(_) => vec![view.end(good_end(view))],
        },
        Work::HookBeforeWave | Work::HookAfterWave => wave::hooked(view, plan, work, deadline),
        Work::StopAll => stop_all::advance(view, plan, deadline),
        Work::Migrate if view.now >= deadline => {
            let one_way = view.rollout.migration.forbids_automatic_return();
            let mut events = vec![Event::MigrationMoved {
                rollout: view.id(),
                migration: Migration::Unknown { one_way },
            }];
            events.extend(view.hold(vec![Reason::MigrationUnknown]));
            events
        }
        Work::Migrate | Work::MigrateBack | Work::Back => Vec::new(),
    }
}

/// When a hook has failed of which nothing was heard.
pub fn hook_ends(deadline: crate::time::Timestamp) -> crate::time::Timestamp {
    deadline.plus_ms(HOOK_GRACE_MS)
}

/// Whoever runs a hook ends it at its deadline, and tells; if nothing is heard of that, it has failed.
pub fn hook_overdue(view: View<'_>, name: &str, deadline: crate::time::Timestamp) -> Vec<Event> {
    if view.now < hook_ends(deadline) {
        return Vec::new();
    }
    let failed = Some("it did not end in time, and nothing was heard of it".to_owned());
    vec![Event::HookEnded { rollout: view.id(), name: name.to_owned(), failed }]
}

/// The sweep before the push has ended.
fn swept(view: View<'_>) -> Vec<Event> {
    let sweep =
        view.state.order.iter().rev().filter_map(|id| view.state.rollout(id)).find(|other| {
            other.because_of.as_ref() == Some(&view.rollout.id)
                && matches!(*other.intent, Intent::Sweep { .. })
        });
    match sweep.and_then(|sweep| sweep.end()) {
        Some(End::Converged) => vec![round::begin(view, RoundAsk::Read, view.all())],
        Some(End::Owed { hosts }) => {
            let mut reasons = vec![Reason::SweepOwed { hosts: hosts.clone() }];
            reasons.extend(sweep.iter().flat_map(|sweep| sweep.reasons.iter().cloned()));
            vec![view.end(End::Refused { reasons })]
        }
        Some(End::Refused { reasons } | End::Unreachable { reasons }) => {
            vec![view.end(End::Refused { reasons: reasons.clone() })]
        }
        Some(End::Fenced { by }) => vec![view.end(End::Fenced { by: by.clone() })],
        Some(
            End::Stable
            | End::Apart { .. }
            | End::TakenBack { .. }
            | End::NotSwitched { .. }
            | End::TakenOver { .. }
            | End::Done
            | End::Dropped,
        ) => {
            vec![view.end(End::Dropped)]
        }
        None if sweep.is_some_and(|sweep| sweep.phase == Phase::Held) => {
            let reasons = sweep.map(|sweep| sweep.reasons.to_vec()).unwrap_or_default();
            vec![view.end(End::Refused { reasons })]
        }
        None => Vec::new(),
    }
}

/// The rollback that takes this push back has ended.
fn taken_back(view: View<'_>, by: &RolloutId) -> Vec<Event> {
    let Some(rollback) = view.state.rollout(by) else { return Vec::new() };
    match rollback.end() {
        Some(End::Converged | End::Owed { .. }) => {
            vec![view.end(End::TakenBack { by: by.clone() })]
        }
        Some(End::Fenced { by }) => vec![
            Event::Observed { fact: Fact::Superseded { rollout: view.id(), by: by.clone() } },
            view.end(End::Fenced { by: by.clone() }),
        ],
        Some(End::Refused { reasons } | End::Unreachable { reasons }) => view.hold(reasons.clone()),
        Some(
            End::Stable
            | End::Apart { .. }
            | End::TakenBack { .. }
            | End::NotSwitched { .. }
            | End::TakenOver { .. }
            | End::Done
            | End::Dropped,
        ) => view.hold(vec![Reason::DriverGone]),
        None => Vec::new(),
    }
}

/// The convergence sweep before the release is called stable.
pub fn observed(view: View<'_>, plan: &Plan, done: &Round) -> Vec<Event> {
    if let Some(highest) = round::fenced_by(done) {
        return vec![view.end(End::Fenced { by: highest })];
    }
    let mut reasons = Vec::new();
    for host in to_be_observed(view, plan) {
        let why = match (view.rollout.seen.get(&host), done.answer(&host)) {
            (Some(seen), Some(crate::journal::round::HostAnswer::Seen { .. })) => {
                outcome::unproven(view, seen)
            }
            _ => Some("it was not observed".to_owned()),
        };
        let fault = Fault::Release;
        reasons.extend(why.map(|why| Reason::HostFailed { host: host.clone(), why, fault }));
    }
    if reasons.is_empty() {
        return view.wind_up(if is_everywhere(view, plan) {
            End::Stable
        } else {
            End::Apart { hosts: plan.only.clone() }
        });
    }
    let sick = |reason: &Reason| matches!(reason, Reason::HostFailed { host, .. } if view.rollout.hosts.get(host).is_some_and(|run| run.at == HostState::Done));
    if reasons.iter().any(sick) { stop(view, reasons) } else { view.hold(reasons) }
}

/// After the close: the hook, then the end.
pub fn after_hook(view: View<'_>, plan: &Plan) -> Vec<Event> {
    if plan.hooks.after.is_some() && view.rollout.hook_after == HookState::Waiting {
        let deadline = view.now.plus_ms(plan.hooks.timeout_ms);
        return vec![Event::WorkBegun { rollout: view.id(), work: Work::HookAfter, deadline }];
    }
    vec![view.end(good_end(view))]
}

/// As was decided before the hosts closed.
fn good_end(view: View<'_>) -> End {
    view.rollout.ending.as_deref().cloned().unwrap_or(End::Stable)
}

/// Whether the release runs on every host once it runs on those that take it: the others run it
/// already, apart from the fleet until now.
fn is_everywhere(view: View<'_>, plan: &Plan) -> bool {
    let runs = |host: &friday_wire::HostName| {
        let head = view.rollout.heads.get(host);
        head.is_some_and(|head| head.runs_apart() == Some(plan.release))
    };
    view.rollout.hosts.keys().all(|host| view.rollout.takes(host) || runs(host))
}

/// Whom the end of a push is seen on: every host that is to run the release then.
pub fn to_be_observed(view: View<'_>, plan: &Plan) -> Vec<friday_wire::HostName> {
    let everywhere = is_everywhere(view, plan);
    view.all().into_iter().filter(|host| everywhere || view.rollout.takes(host)).collect()
}

/// Whether a resumed push has baked already.
pub fn has_baked(view: View<'_>) -> bool {
    view.rollout.baked == Baked::Yes
}
