//! What a host is told to do with the release that runs on it: switch, go back, stop.

use friday_wire::{
    BackPace, HostName, Migration, ReleaseId, Request, RoleName, Step, StepName, Undo,
};

use super::{LOOK_EVERY_MS, key};
use crate::controller::effect::Effect;
use crate::journal::intent::Intent;
use crate::rollout::run::{Pace, Rollout};

/// A switch or a back. It stands, because a host that is busy is asked again with the same key, under
/// which nothing is ever done twice.
pub(super) fn order(rollout: &Rollout, host: &HostName, pace: Pace) -> Option<Effect> {
    let fence = rollout.fence.clone()?;
    let attempt = rollout.hosts.get(host)?.attempts;
    let fleet = rollout.fleet();
    let bound = rollout.bound.as_ref()?;
    let planned = rollout.planned(host)?;
    let ports = planned.ports;
    let rotation = planned.rotation(fleet);
    let role = Some(RoleName::new(planned.role.clone()));
    let step = match &*rollout.intent {
        Intent::Push { plan } => Step::Switch {
            release: plan.release,
            undo: undo(rollout.migration, bound.returns_to),
            clocks: fleet.clocks,
            ports,
            rotation,
            secrets: plan.secrets.clone(),
            secrets_stay: plan.secrets_stay,
            role,
            once: rollout
                .once
                .iter()
                .filter(|(_, holder)| *holder == host)
                .map(|(process, _)| process.clone())
                .collect(),
        },
        Intent::Rollback { quarantine, reason, .. } => Step::Back {
            to: bound.release,
            quarantine: bound.leaves.filter(|_| *quarantine).map(|leaves| (leaves, reason.clone())),
            pace: back_pace(pace),
            clocks: fleet.clocks,
            ports,
            rotation,
            role,
        },
        _ => Step::Back {
            to: bound.release,
            quarantine: None,
            pace: back_pace(pace),
            clocks: fleet.clocks,
            ports,
            rotation,
            role,
        },
    };
    let request = Request::Do { fence, key: key(rollout, step.name(), attempt), step };
    Some(Effect::Follow {
        host: host.clone(),
        request: Box::new(request),
        every_ms: LOOK_EVERY_MS,
        timeout_ms: fleet.clocks.first_deadline_ms().saturating_add(fleet.answer_deadline_ms),
    })
}

/// The stop before the migration; as an order it stands.
pub(super) fn stop(rollout: &Rollout, host: &HostName) -> Option<Effect> {
    let Intent::Push { plan } = &*rollout.intent else { return None };
    let fleet = rollout.fleet();
    let step = Step::Stop {
        hold_ms: plan.migration.as_ref()?.hold_ms(fleet, host),
        clocks: fleet.clocks,
        ports: rollout.planned(host)?.ports,
        rotation: rollout.planned(host)?.rotation(fleet),
    };
    let key = key(rollout, StepName::Stop, rollout.hosts.get(host)?.stops);
    Some(Effect::Follow {
        host: host.clone(),
        request: Box::new(Request::Do { fence: rollout.fence.clone()?, key, step }),
        every_ms: LOOK_EVERY_MS,
        timeout_ms: fleet.stop_all_ms(),
    })
}

fn back_pace(pace: Pace) -> BackPace {
    match pace {
        Pace::Drained => BackPace::Drained,
        Pace::AtOnce => BackPace::AtOnce,
    }
}

fn undo(migration: Migration, returns_to: Option<ReleaseId>) -> Undo {
    if migration.forbids_automatic_return() {
        return Undo::Stay;
    }
    returns_to.map_or(Undo::Nothing, |release| Undo::To { release })
}
