//! What an event makes of its rollout. The only writer; decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use friday_wire::{HostName, Migration, RolloutId, StartId, StepState};

use super::run::{
    Baked, HookState, HostRun, HostState, Pace, Phase, Rollout, Round, Soaked, Stopped, Swept,
    WatcherKey,
};
use crate::journal::Event;
use crate::journal::event::{HostAnswer, Intent, RoundAsk, StepAnswer, Work};
use crate::time::Timestamp;

impl Rollout {
    /// A rollout that was just asked for.
    pub(crate) fn begun(
        id: RolloutId,
        intent: Intent,
        because_of: Option<RolloutId>,
        at: Timestamp,
        start: StartId,
    ) -> Self {
        let hosts = intent
            .fleet()
            .hosts
            .iter()
            .map(|host| {
                let run = HostRun {
                    at: HostState::Waiting,
                    attempts: 0,
                    stops: 0,
                    stopped: Stopped::No,
                    sick: BTreeMap::new(),
                };
                (host.name.clone(), run)
            })
            .collect();
        Self {
            id,
            intent: Arc::new(intent),
            because_of,
            begun_at: at,
            start,
            phase: Phase::Begun,
            phase_since: at,
            round: None,
            rounds: 0,
            fence: None,
            reads: BTreeMap::new(),
            heads: BTreeMap::new(),
            seen: BTreeMap::new(),
            refilled: BTreeSet::new(),
            bound: None,
            migration: Migration::NotBegun,
            swept: Swept::No,
            migrated_back: HookState::Waiting,
            hook_before: HookState::Waiting,
            hook_after: HookState::Waiting,
            wave: 0,
            soaked: Soaked::Yes,
            wave_hosts: Vec::new(),
            baked: Baked::No,
            hosts,
            gates: Vec::new(),
            reasons: Vec::new(),
            ending: None,
            moved_at: at,
            ended_at: None,
        }
    }

    /// A rollback took over.
    pub(crate) fn goes_back(&mut self, at: Timestamp, by: &RolloutId) {
        self.enter(at, Phase::GoingBack { by: by.clone() });
    }

    fn enter(&mut self, at: Timestamp, phase: Phase) {
        self.round = None;
        self.phase = phase;
        self.phase_since = at;
        self.moved_at = at;
    }

    fn host_mut(&mut self, host: &HostName) -> Result<&mut HostRun, String> {
        self.hosts.get_mut(host).ok_or_else(|| format!("`{host}` is not of this rollout"))
    }
}

/// Applies an event to its rollout.
///
/// # Errors
/// Why it cannot follow.
pub(crate) fn apply_to_rollout(
    rollout: &mut Rollout,
    at: Timestamp,
    event: &Event,
) -> Result<(), String> {
    if rollout.is_ended() {
        return Err(format!("the rollout {} has ended", rollout.id));
    }
    match event {
        Event::RoundBegun { round, ask, hosts, deadline, .. } => {
            if *round != rollout.rounds + 1 {
                return Err(format!("round {round} follows round {}", rollout.rounds));
            }
            let was_soak = matches!(rollout.phase, Phase::Soak { .. });
            rollout.enter(at, Phase::Asking(*ask));
            rollout.rounds = *round;
            if was_soak && *ask == RoundAsk::RaiseWave {
                rollout.soaked = Soaked::Yes;
            }
            let answers = hosts.iter().map(|host| (host.clone(), None)).collect();
            let keeper = rollout.keeper();
            rollout.round = Some(Round {
                number: *round,
                ask: *ask,
                answers,
                deadline: *deadline,
                witness: None,
                keeper,
            });
        }
        Event::HostAnswered { round, host, answer, .. } => {
            answered(rollout, at, *round, host, answer)?
        }
        Event::FenceChosen { fence, .. } => rollout.fence = Some(fence.clone()),
        Event::GateJudged { gate, result, says, .. } => {
            rollout.gates.retain(|(known, _, _)| known != gate);
            rollout.gates.push((*gate, *result, says.clone()));
        }
        Event::RolloutBound { open, .. } => {
            rollout.migration = open.migration;
            rollout.bound = Some(open.clone());
        }
        Event::WorkBegun { work, deadline, .. } => {
            begin_work(rollout, at, *work, *deadline);
        }
        Event::MigrationWentBack { failed, .. } => {
            rollout.migrated_back = failed.clone().map_or(HookState::Done, HookState::Failed);
            rollout.moved_at = at;
        }
        Event::MigrationMoved { migration, .. } => {
            rollout.migration = *migration;
            if let Some(bound) = &mut rollout.bound {
                bound.migration = *migration;
            }
            rollout.moved_at = at;
        }
        Event::HookEnded { name, failed, .. } => {
            let hook =
                if name == "before" { &mut rollout.hook_before } else { &mut rollout.hook_after };
            *hook = failed.clone().map_or(HookState::Done, HookState::Failed);
            rollout.moved_at = at;
        }
        Event::WaveBegun { wave, hosts, .. } => {
            rollout.enter(at, Phase::Wave);
            rollout.wave = *wave;
            rollout.soaked = Soaked::No;
            rollout.wave_hosts = hosts.clone();
            for host in hosts {
                let run = rollout.host_mut(host)?;
                if run.at != HostState::Done {
                    run.at = HostState::Waiting;
                }
                run.sick.clear();
            }
        }
        Event::StepBegun { host, attempt, at_once, deadline, .. } => {
            begin_step(
                rollout,
                at,
                host,
                *attempt,
                if *at_once { Pace::AtOnce } else { Pace::Drained },
                *deadline,
            )?;
        }
        Event::StepAnswered { host, answer, .. } => step_answered(rollout, at, host, answer)?,
        Event::OutsideProved { host, .. } => outside_proved(rollout, at, host)?,
        Event::HostDone { host, .. } => {
            rollout.host_mut(host)?.at = HostState::Done;
            rollout.moved_at = at;
        }
        Event::HostStopped { host, .. } => {
            rollout.host_mut(host)?.is_stopped();
            rollout.moved_at = at;
        }
        Event::HostFailed { host, why, .. } => {
            rollout.host_mut(host)?.at = HostState::Failed { why: why.clone() };
            rollout.moved_at = at;
        }
        Event::HostLeft { host, why, .. } => {
            rollout.host_mut(host)?.at = HostState::Gone { why: why.clone() };
            rollout.moved_at = at;
        }
        Event::HealthChanged { host, by, sick, .. } => {
            let run = rollout.host_mut(host)?;
            let key = WatcherKey::from(*by);
            match sick {
                Some(why) => run.sick.insert(key, why.clone()),
                None => run.sick.remove(&key),
            };
        }
        Event::SoakBegun { until, .. } => rollout.enter(at, Phase::Soak { until: *until }),
        Event::BakeBegun { until, .. } => rollout.enter(at, Phase::Bake { until: *until }),
        Event::BakeEnded { .. } => rollout.baked = Baked::Yes,
        Event::LeaseRenewed { .. } => {}
        Event::Held { reasons, .. } => {
            rollout.reasons = reasons.clone();
            rollout.enter(at, Phase::Held);
        }
        Event::Resumed { start, .. } => {
            rollout.start = start.clone();
            rollout.fence = None;
            rollout.ending = None;
            rollout.reasons.clear();
            rollout.reads.clear();
            rollout.heads.clear();
            rollout.seen.clear();
            for run in rollout.hosts.values_mut() {
                run.at = HostState::Waiting;
                run.sick.clear();
            }
            rollout.enter(at, Phase::Begun);
        }
        Event::EndDecided { end, .. } => {
            rollout.ending = Some(end.clone());
            rollout.moved_at = at;
        }
        Event::RolloutEnded { end, .. } => {
            rollout.ended_at = Some(at);
            rollout.enter(at, Phase::Ended { end: end.clone() });
        }
        Event::JournalCreated { .. }
        | Event::DriverStarted { .. }
        | Event::RolloutBegun { .. }
        | Event::Observed { .. }
        | Event::Requested { .. } => return Err("it is not about a rollout".to_owned()),
    }
    Ok(())
}

fn answered(
    rollout: &mut Rollout,
    at: Timestamp,
    number: u32,
    host: &HostName,
    answer: &HostAnswer,
) -> Result<(), String> {
    let round = rollout.round.as_mut().filter(|round| round.number == number);
    let round = round.ok_or_else(|| format!("round {number} is not the present one"))?;
    let slot = round.answers.get_mut(host).ok_or_else(|| format!("`{host}` was not asked"))?;
    if slot.is_some() {
        return Err(format!("`{host}` has answered round {number}"));
    }
    *slot = Some(answer.clone());
    let ask = round.ask;
    rollout.moved_at = at;
    match answer {
        HostAnswer::Head { head } => {
            rollout.heads.insert(host.clone(), Arc::new((**head).clone()));
        }
        HostAnswer::Seen { observation } => {
            let head = Arc::new(observation.head.clone());
            match ask {
                RoundAsk::Read => drop(rollout.reads.insert(host.clone(), head)),
                _ => drop(rollout.heads.insert(host.clone(), head)),
            }
            rollout.seen.insert(host.clone(), Arc::new((**observation).clone()));
        }
        HostAnswer::Ok if ask == RoundAsk::Stage => {
            rollout.refilled.insert(host.clone());
        }
        HostAnswer::Ok
        | HostAnswer::Refused { .. }
        | HostAnswer::Failed { .. }
        | HostAnswer::Unreachable { .. }
        | HostAnswer::Unknown { .. } => {}
    }
    Ok(())
}

fn begin_work(rollout: &mut Rollout, at: Timestamp, work: Work, deadline: Timestamp) {
    if work == Work::Sweep {
        rollout.swept = Swept::Yes;
    }
    rollout.enter(at, Phase::Working { work, deadline });
    if work == Work::StopAll {
        rollout.hosts.values_mut().for_each(HostRun::is_to_be_stopped);
    }
}

impl HostRun {
    /// Whatever was found of it before, it has to be stopped, and switched afterwards.
    fn is_to_be_stopped(&mut self) {
        self.stopped = Stopped::No;
        if self.at == HostState::Done {
            self.at = HostState::Waiting;
        }
    }

    /// Nothing runs there, and it waits for its wave.
    fn is_stopped(&mut self) {
        self.stopped = Stopped::Yes;
        self.at = HostState::Waiting;
    }
}

fn begin_step(
    rollout: &mut Rollout,
    at: Timestamp,
    host: &HostName,
    attempt: u32,
    pace: Pace,
    deadline: Timestamp,
) -> Result<(), String> {
    let stops = rollout.stops_all();
    let run = rollout.host_mut(host)?;
    run.stopped = Stopped::No;
    let last = if stops { &mut run.stops } else { &mut run.attempts };
    if attempt <= *last {
        return Err(format!("attempt {attempt} on `{host}` follows attempt {last}"));
    }
    *last = attempt;
    run.sick.clear();
    run.at = HostState::Ordered { deadline, pace };
    rollout.moved_at = at;
    Ok(())
}

/// Reports move an order on; what they mean for the rollout (done, failed) is decided and comes as an
/// event of its own.
fn step_answered(
    rollout: &mut Rollout,
    at: Timestamp,
    host: &HostName,
    answer: &StepAnswer,
) -> Result<(), String> {
    let confirm_ms = rollout.fleet().clocks.confirm_ms;
    let run = rollout.host_mut(host)?;
    let (deadline, pace) = match &run.at {
        HostState::Ordered { deadline, pace } | HostState::Looking { deadline, pace } => {
            (*deadline, *pace)
        }
        HostState::Proving { deadline, .. } | HostState::Confirming { deadline, .. } => {
            (*deadline, Pace::Drained)
        }
        HostState::Waiting
        | HostState::Done
        | HostState::Failed { .. }
        | HostState::Gone { .. } => {
            return Err(format!("nothing was ordered of `{host}`"));
        }
    };
    match answer {
        StepAnswer::Report { report } => {
            if let StepState::AwaitingConfirm { nonce, remaining_ms } = &report.state {
                let left = (*remaining_ms).min(confirm_ms);
                run.at = HostState::Proving { nonce: nonce.clone(), deadline: at.plus_ms(left) };
            }
        }
        StepAnswer::Unknown { .. } => {
            let more = at.plus_ms(confirm_ms);
            run.at = HostState::Looking { deadline: deadline.max(more), pace };
        }
        StepAnswer::Refused { .. } | StepAnswer::NotSent { .. } => {}
    }
    rollout.moved_at = at;
    Ok(())
}

fn outside_proved(rollout: &mut Rollout, at: Timestamp, host: &HostName) -> Result<(), String> {
    let run = rollout.host_mut(host)?;
    let HostState::Proving { nonce, deadline } = &run.at else {
        return Err(format!("`{host}` is not being proved"));
    };
    run.at = HostState::Confirming { nonce: nonce.clone(), deadline: *deadline };
    rollout.moved_at = at;
    Ok(())
}
