//! What an event makes of its rollout. The only writer; decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use friday_wire::{
    DatabaseName, Fault, HostName, Migration, OpenRollout, ProcessName, Refusal, RolloutId,
    StartId, StepState,
};

use super::plan::PlannedHost;
use super::run::host::Found;
use super::run::{
    Baked, Drained, HookState, HostRun, HostState, Pace, Part, Phase, Point, Probed, Rollout,
    Round, Soaked, Stopped, Swept, WatcherKey, WayBack,
};
use crate::journal::Event;
use crate::journal::intent::Intent;
use crate::journal::round::{HostAnswer, RoundAsk, StepAnswer, Work};
use crate::reason::Reason;
use crate::shared::walked;
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
        let fleet = intent.fleet();
        let named: BTreeSet<&HostName> = match &intent {
            Intent::Push { plan } => plan.only.iter().collect(),
            _ => BTreeSet::new(),
        };
        let run = |(place, host): (usize, &PlannedHost)| {
            let probed = fleet.outside.is_some() && host.outside_url.is_some();
            let probed = if probed { Probed::Yes } else { Probed::No };
            let takes = named.is_empty() || named.contains(&host.name);
            let part = if takes { Part::Takes } else { Part::Aside };
            (host.name.clone(), HostRun::waiting(place, probed, part))
        };
        let hosts = fleet.hosts.iter().enumerate().map(run).collect();
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
            reads: Default::default(),
            heads: Default::default(),
            seen: Default::default(),
            refilled: Default::default(),
            bound: None,
            once: Default::default(),
            migration: Migration::NotBegun,
            swept: Swept::No,
            migrated_back: HookState::Waiting,
            hook_before: HookState::Waiting,
            hook_after: HookState::Waiting,
            hook_wave: HookState::Waiting,
            way_back: None,
            points: BTreeMap::new(),
            invariants: BTreeMap::new(),
            wave: 0,
            soaked: Soaked::Yes,
            wave_hosts: Arc::default(),
            wave_next: 0,
            drained: Drained::No,
            baked: Baked::No,
            hosts,
            gates: Vec::new(),
            reasons: Arc::default(),
            ending: None,
            moved_at: at,
            ended_at: None,
        }
    }

    /// A rollback took over.
    pub(crate) fn goes_back(&mut self, at: Timestamp, by: &RolloutId) {
        self.enter(at, Phase::GoingBack { by: by.clone() });
    }

    /// A host that still has the release in quarantine where the fleet calls it stable: a person may lift it.
    fn would_not(&mut self, answer: &StepAnswer) {
        let StepAnswer::Refused { refusal: Refusal::Quarantined { release, reason } } = answer
        else {
            return;
        };
        let reason = Reason::Quarantined { release: *release, why: reason.clone() };
        if !self.reasons.contains(&reason) {
            Arc::make_mut(&mut self.reasons).push(reason);
        }
    }

    fn enter(&mut self, at: Timestamp, phase: Phase) {
        self.round = None;
        self.drained = Drained::No;
        self.phase = phase;
        self.phase_since = at;
        self.moved_at = at;
    }

    /// Another driver goes on, and asks everything anew.
    fn resumed(&mut self, at: Timestamp, start: &StartId) {
        self.start = start.clone();
        self.fence = None;
        self.ending = None;
        self.reasons = Arc::default();
        self.reads.clear();
        self.heads.clear();
        self.seen.clear();
        self.hosts.change_all(HostRun::starts_over);
        self.forget_verdicts();
        self.enter(at, Phase::Begun);
    }

    fn change(&mut self, host: &HostName, change: impl FnOnce(&mut HostRun)) -> Result<(), String> {
        self.hosts.change(host, |run| {
            change(run);
            Ok(())
        })
    }

    /// Notes what an answer says that budgets ask for.
    fn found(&mut self, host: &HostName, note: impl FnOnce(&mut Found)) {
        // Whoever was asked and is no host of the rollout costs no budget.
        let _ = self.change(host, |run| note(&mut run.found));
    }

    /// What was known of hosts while it ran serves nobody after its end, and is as long as the fleet.
    fn forget(&mut self) {
        self.reads.clear();
        self.heads.clear();
        self.seen.clear();
        self.refilled.clear();
        self.wave_hosts = Arc::default();
    }

    /// Databases are asked anew how their invariants are.
    fn forget_verdicts(&mut self) {
        self.invariants.values_mut().for_each(|known| known.last = None);
    }

    /// Steps over hosts of the wave that have had their turn.
    fn step_over(&mut self) {
        let waits =
            |host: &HostName| self.hosts.get(host).map(|run| &run.at) == Some(&HostState::Waiting);
        let left = walked::count(self.wave_hosts.iter().skip(self.wave_next));
        self.wave_next += left.take_while(|host| !waits(host)).count();
    }

    fn bind(&mut self, open: &OpenRollout, once: &BTreeMap<ProcessName, HostName>) {
        self.once.clone_from(once);
        self.migration = open.migration;
        self.bound = Some(open.clone());
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
            begin_round(rollout, at, (*round, *ask), hosts, *deadline)?;
        }
        Event::HostAnswered { round, host, answer, .. } => {
            answered(rollout, at, *round, host, answer)?
        }
        Event::FenceChosen { fence, .. } => rollout.fence = Some(fence.clone()),
        Event::GateJudged { gate, result, says, .. } => {
            rollout.gates.retain(|(known, _, _)| known != gate);
            rollout.gates.push((*gate, *result, says.clone()));
        }
        Event::RolloutBound { open, once, .. } => rollout.bind(open, once),
        Event::WayBackDecided { database, back, says, .. } => {
            let (database, back, says) = (database.clone(), back.clone(), says.clone());
            rollout.way_back = Some(Arc::new(WayBack { database, back, says }));
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
        Event::HookEnded { name, failed, .. } => hook_ended(rollout, at, name, failed.as_deref()),
        Event::RestorePointMade { database, .. }
        | Event::RestorePointFailed { database, .. }
        | Event::RestorePointUnknown { database, .. } => pointed(rollout, at, database, event),
        Event::InvariantsJudged { database, .. } | Event::InvariantsUnknown { database, .. } => {
            judged(rollout, at, database, event);
        }
        Event::WaveBegun { wave, hosts, .. } => {
            rollout.enter(at, Phase::Wave);
            rollout.wave = *wave;
            rollout.soaked = Soaked::No;
            rollout.wave_hosts = Arc::new(hosts.clone());
            rollout.wave_next = 0;
            for host in hosts {
                rollout.change(host, HostRun::waits_in_wave)?;
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
            rollout.change(host, |run| run.comes_to(HostState::Done))?;
            rollout.moved_at = at;
        }
        Event::HostStopped { host, .. } => {
            rollout.change(host, HostRun::is_stopped)?;
            rollout.moved_at = at;
        }
        Event::HostFailed { host, why, fault, .. } => {
            rollout.change(host, |run| run.fails(why, *fault))?;
            rollout.moved_at = at;
        }
        Event::HostLeft { host, why, .. } => {
            rollout.change(host, |run| run.at = HostState::Gone { why: why.clone() })?;
            rollout.moved_at = at;
        }
        Event::HealthChanged { host, by, sick, .. } => {
            let key = WatcherKey::from(*by);
            rollout.change(host, |run| match sick {
                Some(why) => drop(run.sick.insert(key, why.clone())),
                None => drop(run.sick.remove(&key)),
            })?;
        }
        Event::SoakBegun { until, .. } => rollout.enter(at, Phase::Soak { until: *until }),
        Event::BakeBegun { until, .. } => rollout.enter(at, Phase::Bake { until: *until }),
        Event::BakeEnded { .. } => rollout.baked = Baked::Yes,
        Event::LeaseRenewed { .. } => {}
        Event::Held { reasons, .. } => {
            rollout.reasons = Arc::new(reasons.clone());
            rollout.enter(at, Phase::Held);
        }
        Event::Resumed { start, .. } => rollout.resumed(at, start),
        Event::EndDecided { end, .. } => {
            rollout.ending = Some(Arc::new(end.clone()));
            rollout.moved_at = at;
        }
        Event::RolloutEnded { end, .. } => {
            rollout.ended_at = Some(at);
            rollout.enter(at, Phase::Ended { end: end.clone() });
            rollout.forget();
        }
        Event::JournalCreated { .. }
        | Event::DriverStarted { .. }
        | Event::RolloutBegun { .. }
        | Event::Observed { .. }
        | Event::DataActBegun { .. }
        | Event::DataActEnded { .. }
        | Event::Requested { .. } => return Err("it is not about a rollout".to_owned()),
    }
    if rollout.phase == Phase::Wave {
        rollout.step_over();
    }
    Ok(())
}

fn begin_round(
    rollout: &mut Rollout,
    at: Timestamp,
    (round, ask): (u32, RoundAsk),
    hosts: &[HostName],
    deadline: Timestamp,
) -> Result<(), String> {
    if round != rollout.rounds + 1 {
        return Err(format!("round {round} follows round {}", rollout.rounds));
    }
    let was_wave = leaves_wave(&rollout.phase);
    rollout.enter(at, Phase::Asking(ask));
    rollout.rounds = round;
    if was_wave && ask == RoundAsk::RaiseWave {
        rollout.soaked = Soaked::Yes;
    }
    let keeper = rollout.keeper();
    rollout.round = Some(Round::begun(round, ask, hosts, deadline, keeper));
    Ok(())
}

fn hook_ended(rollout: &mut Rollout, at: Timestamp, name: &str, failed: Option<&str>) {
    let hook = match name {
        "before" => &mut rollout.hook_before,
        "before_wave" | "after_wave" => &mut rollout.hook_wave,
        _ => &mut rollout.hook_after,
    };
    *hook = failed.map_or(HookState::Done, |why| HookState::Failed(why.to_owned()));
    rollout.moved_at = at;
}

fn pointed(rollout: &mut Rollout, at: Timestamp, database: &DatabaseName, event: &Event) {
    let point = match event {
        Event::RestorePointMade { point, .. } => Point::Made(point.clone()),
        Event::RestorePointFailed { why, .. } => Point::Failed(why.clone()),
        _ => Point::Unknown(rollout.asked_for_point(database) + 1),
    };
    rollout.points.insert(database.clone(), point);
    rollout.moved_at = at;
}

fn judged(rollout: &mut Rollout, at: Timestamp, database: &DatabaseName, event: &Event) {
    let word = match &*rollout.intent {
        Intent::Push { plan } => plan.invariants_override.clone(),
        _ => None,
    };
    let known = rollout.invariants.entry(database.clone()).or_default();
    match event {
        Event::InvariantsJudged { moment, judged, .. } => {
            known.judged(*moment, judged, word.as_deref());
        }
        Event::InvariantsUnknown { moment, why, .. } => known.unknown(*moment, why),
        _ => {}
    }
    rollout.moved_at = at;
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
    round.answered(host, answer)?;
    let ask = round.ask;
    rollout.moved_at = at;
    match answer {
        HostAnswer::Head { head } => {
            rollout.found(host, |found| found.by_head(head));
            rollout.heads.insert(host.clone(), Arc::new((**head).clone()));
        }
        HostAnswer::Seen { observation } => {
            let head = Arc::new(observation.head.clone());
            rollout.found(host, |found| found.by_observation(observation));
            if ask == RoundAsk::Read {
                rollout.reads.insert(host.clone(), head);
            } else {
                rollout.found(host, |found| found.by_head(&head));
                rollout.heads.insert(host.clone(), head);
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

/// Whether what comes next is another wave. The last one does not soak: hosts that failed are tried
/// again at once, or after its hook.
fn leaves_wave(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Wave
            | Phase::Soak { .. }
            | Phase::Working { work: Work::HookAfterWave | Work::JudgeWave, .. }
    )
}

fn begin_work(rollout: &mut Rollout, at: Timestamp, work: Work, deadline: Timestamp) {
    if work == Work::Sweep {
        rollout.swept = Swept::Yes;
    }
    if work == Work::RestorePoints {
        // What is made stays; the rest is asked for anew.
        rollout.points.retain(|_, point| matches!(point, Point::Made(_)));
    }
    if work.judges() {
        rollout.forget_verdicts();
    }
    if matches!(work, Work::HookBeforeWave | Work::HookAfterWave) {
        rollout.hook_wave = HookState::Waiting;
    }
    if work == Work::HookBeforeWave && leaves_wave(&rollout.phase) {
        rollout.soaked = Soaked::Yes;
    }
    rollout.enter(at, Phase::Working { work, deadline });
    if work == Work::StopAll {
        rollout.hosts.change_all(HostRun::is_to_be_stopped);
    }
}

impl HostRun {
    /// Its wave began; one that failed is tried again.
    fn waits_in_wave(&mut self) {
        if self.at != HostState::Done {
            self.at = HostState::Waiting;
        }
        self.sick.clear();
    }

    /// Another driver goes on, and asks anew.
    fn starts_over(&mut self) {
        self.at = HostState::Waiting;
        self.sick.clear();
        self.found = Found::default();
    }

    /// It runs the release, or nobody knows what it runs: it is not taken for stopped any more, and
    /// costs the budget when it is ordered again.
    fn comes_to(&mut self, at: HostState) {
        self.at = at;
        self.stopped = Stopped::No;
    }

    fn fails(&mut self, why: &str, fault: Fault) {
        self.comes_to(HostState::Failed { why: why.to_owned(), fault });
    }

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
    rollout.hosts.change(host, |run| {
        run.stopped = Stopped::No;
        let last = if stops { &mut run.stops } else { &mut run.attempts };
        if attempt <= *last {
            return Err(format!("attempt {attempt} on `{host}` follows attempt {last}"));
        }
        *last = attempt;
        run.sick.clear();
        run.at = HostState::Ordered { deadline, pace };
        Ok(())
    })?;
    if pace == Pace::Drained {
        rollout.drained = Drained::Yes;
    }
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
    rollout.hosts.change(host, |run| {
        run.at = after_answer(run, at, answer, confirm_ms)
            .ok_or_else(|| format!("nothing was ordered of `{host}`"))?;
        Ok(())
    })?;
    if !matches!(*rollout.intent, Intent::Push { .. }) {
        rollout.would_not(answer);
    }
    rollout.moved_at = at;
    Ok(())
}

/// Where an answer brings a host. `None`: nothing was ordered of it.
fn after_answer(
    run: &HostRun,
    at: Timestamp,
    answer: &StepAnswer,
    confirm_ms: u64,
) -> Option<HostState> {
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
        | HostState::Gone { .. } => return None,
    };
    Some(match answer {
        StepAnswer::Report { report } => match &report.state {
            StepState::AwaitingConfirm { nonce, remaining_ms } => {
                let left = (*remaining_ms).min(confirm_ms);
                HostState::Proving { nonce: nonce.clone(), deadline: at.plus_ms(left) }
            }
            _ => run.at.clone(),
        },
        StepAnswer::Unknown { .. } => {
            let more = at.plus_ms(confirm_ms);
            HostState::Looking { deadline: deadline.max(more), pace }
        }
        StepAnswer::Refused { .. } | StepAnswer::NotSent { .. } => run.at.clone(),
    })
}

fn outside_proved(rollout: &mut Rollout, at: Timestamp, host: &HostName) -> Result<(), String> {
    rollout.hosts.change(host, |run| {
        let HostState::Proving { nonce, deadline } = &run.at else {
            return Err(format!("`{host}` is not being proved"));
        };
        run.at = HostState::Confirming { nonce: nonce.clone(), deadline: *deadline };
        Ok(())
    })?;
    rollout.moved_at = at;
    Ok(())
}
