//! What a person asks for, as the first events of what follows.

use friday_wire::{Migration, RolloutId};

use super::draft::Draft;
use super::input::{BackTo, Command, Driver, Way};
use super::turn::Reply;
use crate::journal::Event;
use crate::journal::event::{End, Requested};
use crate::journal::intent::Intent;
use crate::journal::round::{RoundAsk, Work};
use crate::reason::Reason;
use crate::rollout::decide::{View, push, rehearsed};
use crate::rollout::plan::{FleetPlan, MigrationPlan};
use crate::rollout::run::{HookState, Phase, Rollout};
use crate::state::State;

/// Takes a command, or says why not.
pub fn handle(draft: &mut Draft, command: Command) -> Reply {
    match command {
        Command::Push { rollout, driver, plan } => {
            let open = in_the_way(&draft.state, &driver);
            if !open.is_empty() {
                return Reply::Refused(open);
            }
            start(draft, &driver);
            begin(draft, rollout, Intent::Push { plan: *plan }, None)
        }
        Command::Rollback { rollout, driver, to, now, quarantine, reason, fleet } => {
            start(draft, &driver);
            roll_back(draft, rollout, Asked { to, now, quarantine, reason }, *fleet)
        }
        Command::Sweep { rollout, driver, fleet } => {
            let open = in_the_way(&draft.state, &driver);
            if !open.is_empty() {
                return Reply::Refused(open);
            }
            start(draft, &driver);
            begin(draft, rollout, Intent::Sweep { fleet: *fleet }, None)
        }
        Command::Resume { rollout, driver, way } => resume(draft, rollout, &driver, way),
        Command::Abort { rollout, person, reason } => abort(draft, rollout, person, reason),
        Command::Hold { rollout, person, reason } => hold(draft, rollout, person, reason),
        Command::SetLock { rollout, driver, lock, fleet } => {
            start(draft, &driver);
            begin(draft, rollout, Intent::Lock { lock, fleet: *fleet }, None)
        }
        Command::SetQuarantine { rollout, driver, release, active, reason, fleet } => {
            start(draft, &driver);
            begin(
                draft,
                rollout,
                Intent::Quarantine { release, active, reason, fleet: *fleet },
                None,
            )
        }
        Command::SetKeeper { rollout, driver, keeper, proven, fleet } => {
            start(draft, &driver);
            begin(draft, rollout, Intent::Keeper { keeper, proven, fleet: *fleet }, None)
        }
        Command::SetOnce { rollout, driver, process, host, dead, fleet } => {
            start(draft, &driver);
            let person = driver.person.clone();
            begin(draft, rollout, Intent::Once { process, host, dead, person, fleet: *fleet }, None)
        }
        Command::Upgrade { rollout, driver, fleet } => {
            start(draft, &driver);
            begin(draft, rollout, Intent::Upgrade { fleet: *fleet }, None)
        }
        Command::Look { rollout, driver, fleet } => {
            start(draft, &driver);
            begin(draft, rollout, Intent::Look { fleet: *fleet }, None)
        }
        Command::ChangeMembers { rollout, driver, change, fleet } => {
            let open = in_the_way(&draft.state, &driver);
            if !open.is_empty() {
                return Reply::Refused(open);
            }
            start(draft, &driver);
            begin(draft, rollout, Intent::Members { change, fleet: *fleet }, None)
        }
    }
}

/// What other processes asked of this driver, taken up.
pub fn requests(draft: &Draft) -> Option<Vec<Event>> {
    // A hold waits for hosts in flight, and whoever wants back meanwhile does not wait for it.
    let is_hold = |request: &Requested| matches!(request, Requested::Hold { .. });
    let requests = &draft.state.requests;
    let first = requests.iter().find(|(_, _, request)| !is_hold(request));
    let (id, person, request) = first.or(requests.first())?;
    let push = running_push(&draft.state)?;
    let view = draft.view(&push)?;
    if matches!(view.rollout.phase, Phase::GoingBack { .. }) || view.rollout.ending.is_some() {
        return None;
    }
    Some(match request {
        Requested::Abort { reason } => {
            let asked = Reason::Asked { person: person.clone(), reason: reason.clone() };
            aborted(view, id.clone(), asked)
        }
        Requested::Rollback { to, now, reason } => {
            let asked = Asked { to: *to, now: *now, quarantine: true, reason: reason.clone() };
            vec![rollback_event(
                id.clone(),
                asked,
                Some(view.rollout),
                view.rollout.fleet().clone(),
            )]
        }
        Requested::Hold { reason } => {
            let asked = Reason::HeldBy { person: person.clone(), reason: reason.clone() };
            return held(view, asked);
        }
    })
}

/// Holds a push that somebody wants held; `None` while something that was begun has not ended.
fn held(view: View<'_>, asked: Reason) -> Option<Vec<Event>> {
    let rollout = view.rollout;
    let rests = match &rollout.phase {
        Phase::Begun | Phase::Soak { .. } | Phase::Bake { .. } => true,
        Phase::Asking(ask) => match ask {
            RoundAsk::MigrationBegins
            | RoundAsk::MigrationEnds
            | RoundAsk::Observe
            | RoundAsk::Close
            | RoundAsk::Release
            | RoundAsk::Leave
            | RoundAsk::Rename => false,
            RoundAsk::Read
            | RoundAsk::Raise
            | RoundAsk::RaiseWave
            | RoundAsk::Open
            | RoundAsk::Ship
            | RoundAsk::Stage
            | RoundAsk::Look
            | RoundAsk::Quarantine
            | RoundAsk::Act
            | RoundAsk::Upgrade => true,
        },
        Phase::Wave => !rollout.hosts.any_in_flight(),
        Phase::Working { work: Work::HookBefore, .. } => rollout.hook_before == HookState::Done,
        Phase::Working { work: Work::HookBeforeWave | Work::HookAfterWave, .. } => {
            rollout.hook_wave == HookState::Done
        }
        Phase::Working { work, .. } if work.judges() => true,
        Phase::Working { .. } | Phase::GoingBack { .. } | Phase::Held | Phase::Ended { .. } => {
            false
        }
    };
    if !rests {
        return None;
    }
    if rollout.has_switched() || rollout.migration != Migration::NotBegun {
        return Some(view.hold(vec![asked]));
    }
    Some(view.wind_up(End::NotSwitched { reasons: vec![asked] }))
}

/// Open rollouts that must be resumed or taken back before anything else.
pub fn in_the_way(state: &State, driver: &Driver) -> Vec<Reason> {
    open_rollouts(state)
        .filter(|rollout| rollout.start != driver.start && !leaves_nothing(rollout))
        .map(|rollout| match rollout.phase {
            Phase::Held => rollout.reasons.to_vec(),
            _ => vec![Reason::DriverGone],
        })
        .flat_map(|mut reasons| {
            reasons.truncate(1);
            reasons
        })
        .chain(open_rollouts(state).filter(|rollout| !leaves_nothing(rollout)).map(|rollout| {
            Reason::RolloutOpen { rollout: rollout.id.clone(), kind: kind(rollout).to_owned() }
        }))
        .collect()
}

fn open_rollouts(state: &State) -> impl Iterator<Item = &Rollout> {
    state.open.iter().filter_map(|id| state.rollout(id))
}

fn kind(rollout: &Rollout) -> &'static str {
    match &*rollout.intent {
        Intent::Push { .. } => "push",
        Intent::Rollback { .. } => "rollback",
        Intent::Sweep { .. } => "sweep",
        Intent::Lock { .. }
        | Intent::Quarantine { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => "act",
    }
}

/// Whether an open rollout whose driver is gone can be dropped: it stored nothing on hosts, or what it
/// stored is made again by the next one.
fn leaves_nothing(rollout: &Rollout) -> bool {
    match &*rollout.intent {
        Intent::Push { .. } | Intent::Rollback { .. } => {
            rollout.bound.is_none()
                && !matches!(rollout.phase, Phase::GoingBack { .. } | Phase::Held)
        }
        Intent::Sweep { .. }
        | Intent::Lock { .. }
        | Intent::Quarantine { .. }
        | Intent::Keeper { .. }
        | Intent::Once { .. }
        | Intent::Upgrade { .. }
        | Intent::Look { .. }
        | Intent::Members { .. } => true,
    }
}

/// A driver starts; what earlier ones left behind without a trace on hosts is closed.
fn start(draft: &mut Draft, driver: &Driver) {
    draft.emit(Event::DriverStarted {
        start: driver.start.clone(),
        person: driver.person.clone(),
        machine: driver.machine.clone(),
        version: driver.version.clone(),
    });
    let dropped: Vec<RolloutId> = draft
        .state
        .abandoned()
        .filter(|rollout| leaves_nothing(rollout))
        .map(|rollout| rollout.id.clone())
        .collect();
    for rollout in dropped {
        draft.emit(Event::RolloutEnded { rollout, end: End::Dropped });
    }
}

fn begin(
    draft: &mut Draft,
    rollout: RolloutId,
    intent: Intent,
    because_of: Option<RolloutId>,
) -> Reply {
    draft.emit(Event::RolloutBegun { rollout, intent: Box::new(intent), because_of });
    Reply::Taken
}

struct Asked {
    to: BackTo,
    now: bool,
    quarantine: bool,
    reason: String,
}

/// A person's rollback. Takes the place of a rollback of this journal that is still open, and takes
/// back the push that is.
fn roll_back(draft: &mut Draft, id: RolloutId, asked: Asked, fleet: FleetPlan) -> Reply {
    let open: Vec<Rollout> = open_rollouts(&draft.state).cloned().collect();
    for other in open.iter().filter(|other| matches!(*other.intent, Intent::Rollback { .. })) {
        draft.emit(Event::RolloutEnded {
            rollout: other.id.clone(),
            end: End::TakenOver { by: id.clone() },
        });
    }
    let push = open.iter().find(|other| matches!(*other.intent, Intent::Push { .. }));
    let event = rollback_event(id, asked, push, fleet);
    draft.emit(event);
    Reply::Taken
}

fn rollback_event(id: RolloutId, asked: Asked, push: Option<&Rollout>, fleet: FleetPlan) -> Event {
    let migration: Option<MigrationPlan> = push.and_then(Rollout::migration_plan);
    Event::RolloutBegun {
        rollout: id,
        intent: Box::new(Intent::Rollback {
            to: asked.to,
            now: asked.now,
            quarantine: asked.quarantine,
            reason: asked.reason,
            automatic: false,
            migration,
            fleet,
        }),
        because_of: push.map(|push| push.id.clone()),
    }
}

/// Goes on with what a driver left: an open rollback only back, a push as the person says.
fn resume(draft: &mut Draft, id: RolloutId, driver: &Driver, way: Way) -> Reply {
    let open: Vec<Rollout> =
        open_rollouts(&draft.state).filter(|open| !leaves_nothing(open)).cloned().collect();
    let rollback = open.iter().rev().find(|open| matches!(*open.intent, Intent::Rollback { .. }));
    let push = open.iter().rev().find(|open| matches!(*open.intent, Intent::Push { .. }));
    match (rollback, push, way) {
        (Some(rollback), _, Way::Forward) => Reply::Refused(vec![Reason::RolloutOpen {
            rollout: rollback.id.clone(),
            kind: "rollback".to_owned(),
        }]),
        (Some(rollback), _, Way::Back) => {
            start(draft, driver);
            resumed(draft, rollback, driver, way);
            Reply::Taken
        }
        (None, Some(push), Way::Forward) => {
            start(draft, driver);
            resumed(draft, push, driver, way);
            if let Migration::Unknown { one_way } = push.migration {
                let migration = Migration::Done { one_way };
                draft.emit(Event::MigrationMoved { rollout: push.id.clone(), migration });
            }
            Reply::Taken
        }
        (None, Some(push), Way::Back) => {
            start(draft, driver);
            let asked = Asked {
                to: BackTo::LastStable,
                now: false,
                // A push that was only interrupted, or held by a person or a host's own fault, has shown no harm.
                quarantine: push.phase == Phase::Held && !is_spared(push),
                reason: format!("{} resumed back", driver.person),
            };
            let event = rollback_event(id, asked, Some(push), push.fleet().clone());
            draft.emit(event);
            Reply::Taken
        }
        (None, None, _) => {
            Reply::Refused(vec![Reason::NothingToDo { what: "no open push to resume".to_owned() }])
        }
    }
}

fn is_spared(push: &Rollout) -> bool {
    let spares =
        |reason: &Reason| reason.spares_the_release() || matches!(reason, Reason::HeldBy { .. });
    push.reasons.iter().all(spares)
}

fn resumed(draft: &mut Draft, rollout: &Rollout, driver: &Driver, way: Way) {
    draft.emit(Event::Resumed { rollout: rollout.id.clone(), start: driver.start.clone(), way });
}

/// The push that this driver is running, if one is.
fn running_push(state: &State) -> Option<RolloutId> {
    state
        .driven()
        .find(|rollout| {
            matches!(*rollout.intent, Intent::Push { .. }) && rollout.phase != Phase::Held
        })
        .map(|rollout| rollout.id.clone())
}

fn abort(draft: &mut Draft, id: RolloutId, person: String, reason: String) -> Reply {
    let nothing = || {
        Reply::Refused(vec![Reason::NothingToDo { what: "no running push to abort".to_owned() }])
    };
    let Some(push) = running_push(&draft.state) else { return nothing() };
    let Some(view) = draft.view(&push) else { return nothing() };
    // What has baked is stable on some hosts already: only a rollback takes that off.
    if let Some(End::Stable | End::Apart { .. }) = view.rollout.ending.as_deref() {
        return nothing();
    }
    if matches!(view.rollout.phase, Phase::GoingBack { .. }) || view.rollout.ending.is_some() {
        return Reply::Taken;
    }
    let events = aborted(view, id, Reason::Asked { person, reason });
    draft.emit_all(events);
    Reply::Taken
}

fn hold(draft: &mut Draft, id: RolloutId, person: String, reason: String) -> Reply {
    let runs = running_push(&draft.state).and_then(|push| draft.state.rollout(&push)).is_some_and(
        |push| !matches!(push.phase, Phase::GoingBack { .. }) && push.ending.is_none(),
    );
    if !runs {
        let what = "no running push to hold".to_owned();
        return Reply::Refused(vec![Reason::NothingToDo { what }]);
    }
    let request = Requested::Hold { reason };
    draft.emit(Event::Requested { rollout: id, person, request });
    Reply::Taken
}

/// Ends a running push by a person's word: back where a host was switched, else put away.
fn aborted(view: View<'_>, id: RolloutId, asked: Reason) -> Vec<Event> {
    if view.rollout.forbids_automatic_return() {
        let mut reasons = vec![asked];
        reasons.extend(rehearsed::barred(view));
        return view.hold(reasons);
    }
    if !view.rollout.has_switched() && view.rollout.migration == Migration::NotBegun {
        return view.wind_up(End::NotSwitched { reasons: vec![asked] });
    }
    push::go_back(view, &[asked], Some(id))
}
