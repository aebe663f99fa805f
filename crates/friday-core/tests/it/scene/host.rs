//! A host that does as it is told: enough of the protocol to let stories go on, none of its safety.

use friday_wire::{
    Answer, BootDefault, Fence, FenceKind, FleetName, Head, HealthState, HostFacts, Nonce,
    Observation, Quarantined, Refusal, ReleaseId, Request, RolloutKind, RunningApp, Stamped, Step,
    StepKey, StepReport, StepState, WIRE_VERSION,
};

/// One host.
#[derive(Debug, Clone)]
pub struct ScriptedHost {
    pub head: Head,
    pub last: Option<StepReport>,
    pub sick: Option<String>,
    pub wire: u32,
    switched_to: Option<ReleaseId>,
}

impl ScriptedHost {
    /// Runs a release that is stable, and holds it.
    pub fn running(release: ReleaseId) -> Self {
        let head = Head {
            once: Default::default(),
            fleet: FleetName::new("shop"),
            user: "deploy".to_owned(),
            keeper: None,
            fence: Fence::zero(),
            current: Some(release),
            open: None,
            stable: Some(release),
            stable_fence: Fence::zero(),
            previous_stable: None,
            undo: None,
            rollout: None,
            closed: None,
            apart: None,
            quarantine: Default::default(),
            lock: None,
            lease: None,
            witnesses: Default::default(),
            boot: None,
            held: vec![release],
        };
        Self { head, last: None, sick: None, wire: WIRE_VERSION, switched_to: None }
    }

    /// A server that was set up anew, or that friday has never been on.
    pub fn empty() -> Self {
        let mut host = Self::running(ReleaseId(friday_wire::Digest([0; 32])));
        (host.head.current, host.head.stable) = (None, None);
        host.head.held.clear();
        host
    }

    /// What it answers.
    pub fn answer(&mut self, request: &Request) -> Answer {
        if let Some(fence) = request.fence() {
            if *fence < self.head.fence {
                return Answer::Refused(Refusal::Fenced { highest: self.head.fence.clone() });
            }
            self.head.fence = fence.clone();
        }
        match request {
            Request::Raise { fence, keeper, keeper_fence, .. } => {
                if let Some(known) = &self.head.keeper
                    && known.value != *keeper
                    && keeper_fence.as_ref().is_none_or(|written| *written <= known.fence)
                    && fence.kind != FenceKind::Rollback
                {
                    return Answer::Refused(Refusal::Keeper { keeper: known.value.clone() });
                }
                let stamped = || Stamped { fence: fence.clone(), value: keeper.clone() };
                self.head.keeper.get_or_insert_with(stamped);
                return Answer::Raised(Box::new(self.head.clone()));
            }
            Request::Read { .. } => return self.observed(None),
            Request::Observe { seal, .. } => return self.observed(seal.as_ref()),
            Request::Do { fence, key, step } => return self.does(fence, key, step),
            Request::Confirm { key, .. } => {
                self.head.current = self.switched_to;
                return self.report(key, StepState::Done);
            }
            Request::Open { fence, rollout, .. } => {
                self.head.rollout = Some(Stamped { fence: fence.clone(), value: rollout.clone() });
                if rollout.kind == RolloutKind::Rollback && self.wire == WIRE_VERSION {
                    return self.observed(None);
                }
            }
            Request::Migration { migration, .. } => {
                if let Some(open) = &mut self.head.rollout {
                    open.value.migration = *migration;
                }
            }
            Request::Close { fence, rollout, stable, apart, .. } => {
                self.head.apart = apart.or(self.head.apart);
                self.head.rollout = None;
                self.head.closed = Some(Stamped { fence: fence.clone(), value: rollout.clone() });
                if let Some(stable) = stable {
                    self.becomes_stable(fence, Some(*stable));
                }
            }
            Request::Lock { fence, lock } => {
                self.head.lock = Some(Stamped { fence: fence.clone(), value: lock.clone() });
            }
            Request::Quarantine { entries, .. } => self.head.quarantine.extend(entries.clone()),
            Request::Keeper { fence, keeper } => {
                self.head.keeper = Some(Stamped { fence: fence.clone(), value: keeper.clone() });
            }
            _ => {}
        }
        Answer::Ok
    }

    fn becomes_stable(&mut self, fence: &Fence, release: Option<ReleaseId>) {
        if self.head.stable != release {
            self.head.previous_stable = self.head.stable;
        }
        self.head.apart = None;
        self.head.stable = release;
        self.head.stable_fence = fence.clone();
    }

    fn does(&mut self, fence: &Fence, key: &StepKey, step: &Step) -> Answer {
        match step {
            Step::Stage { release } => self.head.held.push(*release),
            Step::Switch { release, .. } => {
                self.switched_to = Some(*release);
                let nonce = Nonce::new(format!("{key}"));
                return self
                    .report(key, StepState::AwaitingConfirm { nonce, remaining_ms: 30_000 });
            }
            Step::Back { to, quarantine, .. } => {
                self.head.current = *to;
                self.becomes_stable(fence, *to);
                if let Some((release, reason)) = quarantine {
                    let (fence, reason) = (fence.clone(), reason.clone());
                    let entry = Quarantined { fence, tree: None, reason, active: true };
                    self.head.quarantine.insert(*release, entry);
                }
            }
            _ => {}
        }
        self.report(key, StepState::Done)
    }

    fn report(&mut self, key: &StepKey, state: StepState) -> Answer {
        let report = StepReport { key: key.clone(), state };
        self.last = Some(report.clone());
        Answer::Step(report)
    }

    fn observed(&mut self, seal: Option<&StepKey>) -> Answer {
        if let Some(key) = seal
            && self.last.as_ref().is_none_or(|last| last.key != *key)
        {
            self.last = Some(StepReport { key: key.clone(), state: StepState::Sealed });
        }
        Answer::Observed(Box::new(self.observation()))
    }

    /// As it is.
    pub fn observation(&self) -> Observation {
        let health =
            self.sick.clone().map_or(HealthState::Healthy, |why| HealthState::Sick { why });
        let app = self.head.current.map(|release| RunningApp {
            processes: Vec::new(),
            release,
            port: Some(8_000),
            running: true,
            health,
            in_rotation: true,
            restarts: 0,
        });
        Observation {
            head: self.head.clone(),
            app,
            warm: None,
            last: self.last.clone(),
            armed: false,
            boot_default: BootDefault::Nothing,
            facts: HostFacts { wire: self.wire, ..HostFacts::default() },
        }
    }
}
