//! What a rollout wants of the world, derived from where it is. Requested and not finished means
//! owed: starting, recovering and the normal step are the same code.

use friday_wire::{
    DatabaseName, Fence, FenceKind, Holder, HostName, LeaseAsk, Request, RolloutId, Scrutiny, Step,
    StepKey, StepName,
};

mod databases;
mod order;

use self::databases::{judgements, points};
use self::order::{order, stop};
use super::decide::wave::upcoming;
use super::plan::MigrationBack;
use super::run::{HostState, Phase, Rollout};
use crate::controller::effect::{Effect, EffectId, Owed};
use crate::journal::event::End;
use crate::journal::intent::{Intent, MemberChange};
use crate::journal::round::{RoundAsk, Work};
use crate::state::State;
use crate::time::Timestamp;

/// Standing effects have no end of their own.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// Between two looks at a host whose order had no answer, milliseconds.
const LOOK_EVERY_MS: u64 = 1_000;

/// Effects on friday's own side, and those about the rollout as a whole.
pub fn of_rollout(rollout: &Rollout) -> Vec<(EffectId, Owed)> {
    let mut owed = Vec::new();
    let id = |what: &str| EffectId(format!("{}{what}", whole_prefix(&rollout.id)));
    if let Some(fence) = &rollout.fence
        && holds_lease(rollout)
    {
        owed.push((
            id(&format!("lease/{}", fence.number)),
            Owed { effect: renew(rollout, fence), deadline: NEVER },
        ));
    }
    if let Intent::Push { plan } = &*rollout.intent {
        owed.extend(judgements(rollout, plan));
    }
    let Phase::Working { work, deadline } = &rollout.phase else { return owed };
    match (work, &*rollout.intent) {
        (Work::HookBefore, Intent::Push { plan }) => {
            owed.extend(hook(rollout, "before", plan.hooks.before.as_ref(), *deadline));
        }
        (Work::RestorePoints, Intent::Push { plan }) => {
            owed.extend(points(rollout, plan, *deadline));
        }
        (Work::HookAfter, Intent::Push { plan }) => {
            owed.extend(hook(rollout, "after", plan.hooks.after.as_ref(), *deadline));
        }
        (Work::HookBeforeWave, Intent::Push { plan }) => {
            let (wave, hosts) = upcoming(rollout, plan);
            let command = plan.hooks.before_wave.as_ref();
            owed.extend(wave_hook(rollout, "before_wave", command, (wave, &hosts), *deadline));
        }
        (Work::HookAfterWave, Intent::Push { plan }) => {
            let (wave, command) = (rollout.wave, plan.hooks.after_wave.as_ref());
            let of = (wave, rollout.wave_hosts.as_slice());
            owed.extend(wave_hook(rollout, "after_wave", command, of, *deadline));
        }
        (Work::Migrate, Intent::Push { .. }) => {
            owed.extend(
                migrate(rollout).map(|effect| (id("migrate"), Owed { effect, deadline: NEVER })),
            );
        }
        (Work::MigrateBack, Intent::Rollback { .. }) => {
            owed.extend(
                migrate(rollout)
                    .map(|effect| (id("migrate-back"), Owed { effect, deadline: NEVER })),
            );
        }
        (
            Work::Sweep
            | Work::Back
            | Work::HookBefore
            | Work::HookAfter
            | Work::HookBeforeWave
            | Work::HookAfterWave
            | Work::StopAll
            | Work::Migrate
            | Work::MigrateBack
            | Work::RestorePoints
            | Work::JudgeBefore
            | Work::JudgeMigrated
            | Work::JudgeWave
            | Work::JudgeAfter,
            _,
        ) => {}
    }
    owed
}

/// Effects about one host.
pub fn of_host(state: &State, rollout: &Rollout, host: &HostName) -> Vec<(EffectId, Owed)> {
    let mut owed = Vec::new();
    let Some(run) = rollout.hosts.get(host) else { return owed };
    match &rollout.phase {
        Phase::Asking(ask) => owed.extend(round(state, rollout, *ask, host)),
        Phase::Wave | Phase::Working { work: Work::Back | Work::StopAll, .. } => match &run.at {
            HostState::Ordered { deadline, pace } => {
                let (effect, what) = if rollout.stops_all() {
                    (stop(rollout, host), format!("order/stop/{}", run.stops))
                } else {
                    (order(rollout, host, *pace), format!("order/{}", run.attempts))
                };
                let deadline = *deadline;
                owed.extend(
                    effect.map(|effect| (id(rollout, host, &what), Owed { effect, deadline })),
                );
            }
            HostState::Looking { .. } => owed.extend(look(rollout, host)),
            HostState::Proving { .. } => owed.extend(watch(rollout, host)),
            HostState::Confirming { nonce, deadline } => {
                if let Some(fence) = rollout.fence.clone() {
                    let key = key(rollout, StepName::Switch, run.attempts);
                    let request = Request::Confirm { fence, key, nonce: nonce.clone() };
                    owed.push(ask_host(
                        rollout,
                        host,
                        &format!("confirm/{}", run.attempts),
                        request,
                        *deadline,
                    ));
                }
            }
            HostState::Done => owed.extend(guard(rollout, host)),
            HostState::Waiting | HostState::Failed { .. } | HostState::Gone { .. } => {}
        },
        Phase::Soak { .. }
        | Phase::Bake { .. }
        | Phase::Working {
            work: Work::HookBeforeWave | Work::HookAfterWave | Work::JudgeWave | Work::JudgeAfter,
            ..
        } => {
            if run.at == HostState::Done {
                owed.extend(guard(rollout, host));
            }
        }
        Phase::Begun
        | Phase::Working { .. }
        | Phase::GoingBack { .. }
        | Phase::Held
        | Phase::Ended { .. } => {}
    }
    owed
}

/// Whether a push is in a phase in which its lease must live.
fn holds_lease(rollout: &Rollout) -> bool {
    let at_work = match &rollout.phase {
        Phase::Asking(ask) => !matches!(ask, RoundAsk::Read | RoundAsk::Raise | RoundAsk::Release),
        Phase::Working { work, .. } => *work != Work::Sweep,
        Phase::Wave | Phase::Soak { .. } | Phase::Bake { .. } => true,
        Phase::Begun | Phase::GoingBack { .. } | Phase::Held | Phase::Ended { .. } => false,
    };
    at_work && matches!(*rollout.intent, Intent::Push { .. }) && rollout.bound.is_some()
}

fn renew(rollout: &Rollout, fence: &Fence) -> Effect {
    let fleet = rollout.fleet();
    Effect::Follow {
        host: rollout.keeper().0,
        request: Box::new(Request::Renew { fence: fence.clone() }),
        every_ms: fleet.heartbeat_ms,
        timeout_ms: fleet.answer_deadline_ms.min(fleet.heartbeat_ms),
    }
}

fn hook(
    rollout: &Rollout,
    name: &str,
    command: Option<&String>,
    deadline: Timestamp,
) -> Option<(EffectId, Owed)> {
    let Intent::Push { plan } = &*rollout.intent else { return None };
    let env = vec![
        ("FRIDAY_ROLLOUT".to_owned(), rollout.id.to_string()),
        ("FRIDAY_RELEASE".to_owned(), plan.release.to_string()),
        ("FRIDAY_LABEL".to_owned(), plan.label.clone()),
    ];
    let effect = Effect::Hook { name: name.to_owned(), command: command?.clone(), env };
    Some((EffectId(format!("{}hook/{name}", whole_prefix(&rollout.id))), Owed { effect, deadline }))
}

/// A hook of a wave also knows which, and its hosts.
fn wave_hook(
    rollout: &Rollout,
    name: &str,
    command: Option<&String>,
    (wave, hosts): (u32, &[HostName]),
    deadline: Timestamp,
) -> Option<(EffectId, Owed)> {
    let (EffectId(id), mut owed) = hook(rollout, name, command, deadline)?;
    if let Effect::Hook { env, .. } = &mut owed.effect {
        let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
        env.push(("FRIDAY_WAVE".to_owned(), wave.to_string()));
        env.push(("FRIDAY_HOSTS".to_owned(), hosts.join(" ")));
    }
    Some((EffectId(format!("{id}/{wave}")), owed))
}

/// The migration's key is always the same: asking again is answered with how far it came, and never
/// runs it twice.
fn migrate(rollout: &Rollout) -> Option<Effect> {
    let fence = rollout.fence.clone()?;
    let (plan, release, secrets) = match &*rollout.intent {
        Intent::Push { plan } => (plan.migration.as_ref()?, plan.release, plan.secrets.clone()),
        Intent::Rollback { migration, .. } => {
            // A release that was pushed over itself is not left, and knows the way back as well.
            let bound = rollout.bound.as_ref()?;
            (migration.as_ref()?, bound.leaves.or(bound.release)?, None)
        }
        _ => return None,
    };
    let (name, step) = match (&*rollout.intent, &plan.back) {
        (Intent::Rollback { .. }, MigrationBack::Command { command }) => (
            StepName::MigrateBack,
            Step::MigrateBack {
                release,
                command: command.clone(),
                timeout_ms: plan.timeout_ms,
                secrets,
            },
        ),
        (Intent::Rollback { .. }, MigrationBack::Safe | MigrationBack::OneWay) => return None,
        (_, _) => (
            StepName::Migrate,
            Step::Migrate {
                release,
                command: plan.command.clone(),
                timeout_ms: plan.timeout_ms,
                secrets,
            },
        ),
    };
    Some(Effect::Follow {
        host: plan.host.clone(),
        request: Box::new(Request::Do { fence, key: key(rollout, name, 1), step }),
        every_ms: LOOK_EVERY_MS,
        timeout_ms: plan.timeout_ms.saturating_add(rollout.fleet().answer_deadline_ms),
    })
}

fn id(rollout: &Rollout, host: &HostName, what: &str) -> EffectId {
    EffectId(format!("{}{what}", host_prefix(&rollout.id, host)))
}

/// What ids of effects about a whole rollout begin with.
pub fn whole_prefix(rollout: &RolloutId) -> String {
    format!("{rollout}/!")
}

/// What ids of effects about one host begin with.
pub fn host_prefix(rollout: &RolloutId, host: &HostName) -> String {
    format!("{rollout}/@{host}/")
}

/// What an effect is for, read from its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// An answer to the present round.
    Round,
    /// A switch, a back or a stop.
    Order,
    /// The confirm of a switch.
    Confirm,
    /// A look after an order without an answer.
    Look,
    /// A look at a switched host in wave, soak and bake.
    Guard,
    /// The outside probe.
    Watch,
    /// The lease's renewal.
    Lease,
    /// A hook.
    Hook(String),
    /// A restore point.
    Point(DatabaseName),
    /// A database's invariants.
    Judge(DatabaseName),
    /// The migration.
    Migrate,
    /// Its way back.
    MigrateBack,
}

/// Takes an id apart: rollout, host where it is about one, purpose. `None` for text that is no id.
pub fn parse(id: &EffectId) -> Option<(RolloutId, Option<HostName>, Purpose)> {
    let (rollout, rest) = id.0.split_once('/')?;
    let rollout = RolloutId::new(rollout);
    if let Some(whole) = rest.strip_prefix('!') {
        let (what, after) = whole.split_once('/').unwrap_or((whole, ""));
        let purpose = match what {
            "lease" => Purpose::Lease,
            "hook" => {
                // A wave's hook has the wave's number behind its name.
                let name = after.split_once('/').map_or(after, |(name, _)| name);
                Purpose::Hook(name.to_owned())
            }
            "point" => Purpose::Point(DatabaseName::new(after.rsplit_once('/')?.0)),
            "judge" => Purpose::Judge(DatabaseName::new(after.rsplit_once('/')?.0)),
            "migrate" => Purpose::Migrate,
            "migrate-back" => Purpose::MigrateBack,
            _ => return None,
        };
        return Some((rollout, None, purpose));
    }
    let (host, what) = rest.strip_prefix('@')?.split_once('/')?;
    let purpose = match what.split('/').next()? {
        "order" => Purpose::Order,
        "confirm" => Purpose::Confirm,
        "look" => Purpose::Look,
        "follow" => Purpose::Guard,
        "watch" => Purpose::Watch,
        _ => Purpose::Round,
    };
    Some((rollout, Some(HostName::new(host)), purpose))
}

/// The key of a step of this rollout.
pub fn key(rollout: &Rollout, step: StepName, attempt: u32) -> StepKey {
    StepKey { rollout: rollout.id.clone(), step, attempt }
}

fn ask_host(
    rollout: &Rollout,
    host: &HostName,
    what: &str,
    request: Request,
    deadline: Timestamp,
) -> (EffectId, Owed) {
    let effect = Effect::Ask { host: host.clone(), request: Box::new(request) };
    (id(rollout, host, what), Owed { effect, deadline })
}

/// What a round still owes a host.
fn round(
    state: &State,
    rollout: &Rollout,
    ask: RoundAsk,
    host: &HostName,
) -> Option<(EffectId, Owed)> {
    let round = rollout.round.as_ref()?;
    if !round.awaits(host) {
        return None;
    }
    let what = format!("round/{}/{ask:?}", round.number).to_lowercase();
    if ask == RoundAsk::Ship {
        let (release, secrets) = match &*rollout.intent {
            Intent::Push { plan } => (plan.release, plan.secrets.clone()),
            _ => (rollout.bound.as_ref()?.release?, None),
        };
        let effect = Effect::Ship { host: host.clone(), release, secrets };
        return Some((id(rollout, host, &what), Owed { effect, deadline: round.deadline }));
    }
    if ask == RoundAsk::Upgrade {
        let effect = Effect::Upgrade { host: host.clone(), fence: rollout.fence.clone()? };
        return Some((id(rollout, host, &what), Owed { effect, deadline: round.deadline }));
    }
    let request = round_request(state, rollout, ask, host)?;
    if let (RoundAsk::Stage, Intent::Push { .. }) = (ask, &*rollout.intent) {
        // It stands: a host that is still at work for a driver that is gone is asked again.
        let effect = Effect::Follow {
            host: host.clone(),
            request: Box::new(request),
            every_ms: LOOK_EVERY_MS,
            timeout_ms: rollout.fleet().stage_deadline_ms,
        };
        return Some((id(rollout, host, &what), Owed { effect, deadline: round.deadline }));
    }
    Some(ask_host(rollout, host, &what, request, round.deadline))
}

fn round_request(
    state: &State,
    rollout: &Rollout,
    ask: RoundAsk,
    host: &HostName,
) -> Option<Request> {
    if ask == RoundAsk::Read {
        // A push's gates go by what a close look finds.
        let scrutiny = match &*rollout.intent {
            Intent::Rollback { .. } => Scrutiny::Brief,
            _ => Scrutiny::Close,
        };
        return Some(Request::Read { scrutiny });
    }
    let fence = rollout.fence.clone()?;
    let fleet = rollout.fleet();
    let of_round = &rollout.round.as_ref()?.keeper;
    let keeper = rollout.keeper_for(host, of_round);
    let witness = || Some((state.journal.clone()?, rollout.round.as_ref()?.witness.clone()?));
    Some(match ask {
        RoundAsk::Read | RoundAsk::Ship | RoundAsk::Upgrade => return None,
        RoundAsk::Raise | RoundAsk::RaiseWave => Request::Raise {
            lease: (*host == rollout.host_of_keeper(&of_round.0) && fence.kind != FenceKind::Sweep)
                .then(|| LeaseAsk {
                    holder: holder(state),
                    period_ms: fleet.lease_ms,
                    supersedes: state.earlier_starts.to_vec(),
                }),
            fence,
            keeper,
            keeper_fence: of_round.1.clone(),
            witness: witness(),
        },
        RoundAsk::Open => {
            Request::Open { fence, rollout: rollout.bound.clone()?, once: rollout.once.clone() }
        }
        RoundAsk::Stage => Request::Do {
            fence,
            key: key(rollout, StepName::Stage, rollout.rounds),
            step: Step::Stage { release: rollout.release()? },
        },
        RoundAsk::MigrationBegins | RoundAsk::MigrationEnds => {
            Request::Migration { fence, rollout: rollout.id.clone(), migration: rollout.migration }
        }
        RoundAsk::Look | RoundAsk::Observe => Request::Observe { fence, seal: None },
        RoundAsk::Quarantine => {
            let stable = rollout.bound.as_ref().and_then(|open| open.release);
            Request::Quarantine { fence, entries: state.quarantine_but(stable) }
        }
        RoundAsk::Act => act_request(state, rollout, fence, host)?,
        RoundAsk::Close => Request::Close {
            fence,
            rollout: rollout.id.clone(),
            stable: stable_on_close(rollout, host),
            apart: apart_on_close(rollout, host),
            keep: fleet.keep,
            witness: witness(),
        },
        RoundAsk::Release => Request::Release { fence },
        RoundAsk::Leave => Request::Leave {
            fence,
            drain_ms: fleet.clocks.settle_ms.saturating_add(fleet.clocks.drain_ms),
            stop_ms: fleet.clocks.stop_ms,
        },
        RoundAsk::Rename => Request::Rename { fence, to: host.clone() },
    })
}

fn act_request(state: &State, rollout: &Rollout, fence: Fence, host: &HostName) -> Option<Request> {
    Some(match &*rollout.intent {
        Intent::Lock { lock, .. } => Request::Lock { fence, lock: lock.clone() },
        Intent::Quarantine { .. } => {
            let entries = state.quarantine_but(state.stable.flatten());
            Request::Quarantine { fence, entries }
        }
        Intent::Keeper { keeper, .. }
        | Intent::Members { change: MemberChange::Rename { to: keeper, .. }, .. } => {
            Request::Keeper { fence, keeper: keeper.clone() }
        }
        Intent::Once { process, host: holder, .. } => Request::Once {
            fence,
            process: process.clone(),
            holder: if host == holder {
                Holder::Here
            } else {
                Holder::Host { host: holder.clone() }
            },
        },
        Intent::Push { .. }
        | Intent::Rollback { .. }
        | Intent::Sweep { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => return None,
    })
}

/// A push that baked makes its release stable with the close; a rollback's `back` did so before. Some
/// hosts that were given the fleet's stable release only catch up with it.
fn stable_on_close(rollout: &Rollout, host: &HostName) -> Option<friday_wire::ReleaseId> {
    match (&*rollout.intent, rollout.ending.as_deref()) {
        (Intent::Push { plan }, Some(End::Stable)) => Some(plan.release),
        (Intent::Push { plan }, Some(End::Apart { .. }))
            if rollout.takes(host) && is_fleets(rollout, plan.release) =>
        {
            Some(plan.release)
        }
        _ => None,
    }
}

/// What a push to some hosts only leaves on those.
fn apart_on_close(rollout: &Rollout, host: &HostName) -> Option<friday_wire::ReleaseId> {
    match (&*rollout.intent, rollout.ending.as_deref()) {
        (Intent::Push { plan }, Some(End::Apart { .. }))
            if rollout.takes(host) && !is_fleets(rollout, plan.release) =>
        {
            Some(plan.release)
        }
        _ => None,
    }
}

/// Whether a release was the fleet's stable one when the rollout was bound.
fn is_fleets(rollout: &Rollout, release: friday_wire::ReleaseId) -> bool {
    rollout.bound.as_ref().is_some_and(|open| open.returns_to == Some(release))
}

fn holder(state: &State) -> String {
    state
        .driver
        .as_ref()
        .map_or_else(String::new, |driver| format!("{}@{}", driver.person, driver.machine))
}

/// After an order without an answer: observe, and seal the attempt.
fn look(rollout: &Rollout, host: &HostName) -> Option<(EffectId, Owed)> {
    let fence = rollout.fence.clone()?;
    let run = rollout.hosts.get(host)?;
    let (name, attempt, what) = match &*rollout.intent {
        Intent::Push { .. } if rollout.stops_all() => (StepName::Stop, run.stops, "look/stop"),
        Intent::Push { .. } => (StepName::Switch, run.attempts, "look"),
        _ => (StepName::Back, run.attempts, "look"),
    };
    let request = Request::Observe { fence, seal: Some(key(rollout, name, attempt)) };
    let effect = Effect::Follow {
        host: host.clone(),
        request: Box::new(request),
        every_ms: LOOK_EVERY_MS,
        timeout_ms: rollout.fleet().answer_deadline_ms,
    };
    Some((id(rollout, host, &format!("{what}/{attempt}")), Owed { effect, deadline: NEVER }))
}

/// The outside probe of a host.
fn watch(rollout: &Rollout, host: &HostName) -> Option<(EffectId, Owed)> {
    let outside = rollout.fleet().outside.as_ref()?;
    let url = rollout.planned(host)?.outside_url.clone()?;
    let effect = Effect::Watch {
        host: host.clone(),
        url,
        expect: outside.expect,
        health: outside.health.clone(),
    };
    Some((id(rollout, host, "watch"), Owed { effect, deadline: NEVER }))
}

/// A switched host through wave, soak and bake: the outside probe, and its own word.
fn guard(rollout: &Rollout, host: &HostName) -> Vec<(EffectId, Owed)> {
    let mut owed: Vec<_> = Vec::new();
    if !matches!(*rollout.intent, Intent::Push { .. }) {
        return owed;
    }
    owed.extend(watch(rollout, host));
    if let Some(fence) = &rollout.fence {
        let effect = Effect::Follow {
            host: host.clone(),
            request: Box::new(Request::Observe { fence: fence.clone(), seal: None }),
            every_ms: rollout.fleet().observe_ms,
            timeout_ms: rollout.fleet().answer_deadline_ms,
        };
        owed.push((
            id(rollout, host, &format!("follow/{}", fence.number)),
            Owed { effect, deadline: NEVER },
        ));
    }
    owed
}
