//! Hosts under a driver without any sense: raises, opens, switches, confirms and closes at random,
//! under new fences and old ones. A host must keep its own promises whoever speaks to it: no quarantined
//! release starts, an unconfirmed switch is undone, nothing it may need is pruned, and it comes to rest.

use std::collections::BTreeMap;

use friday_core::controller::effect::EffectId;
use friday_node::operation::Course;
use friday_wire::{
    Answer, BackPace, Fence, FenceKind, LeaseAsk, Migration, OpenRollout, Quarantined, ReleaseId,
    Request, RolloutKind, StartId, Step, StepKey, StepName, StepState, Undo,
};

use crate::failure::FailureClass;
use crate::laptop::{Caller, Purpose};
use crate::world::{Happening, World};

/// What the rough driver remembers.
#[derive(Debug, Default)]
pub(crate) struct Rough {
    purposes: Vec<(Fence, OpenRollout)>,
    attempts: u32,
    /// Switches that wait for a confirm, by host.
    waiting: BTreeMap<usize, (StepKey, friday_wire::Nonce)>,
}

impl World {
    /// The life of a world without friday.
    pub fn live_roughly(&mut self) {
        self.options.commands_every_ms = u64::MAX;
        self.plan_fault();
        let end = self.now + self.options.chaos_ms;
        while self.now < end && self.failure.is_none() {
            let wait = self.rng.u64(1..3_000);
            self.run_for(wait);
            self.do_something_rough();
        }
        self.stop_faults();
        self.run_for(400_000);
        if self.failure.is_some() {
            return;
        }
        for host in 0..self.hosts.len() {
            // A start after a reboot may wait for ever for a health that never comes.
            let at_work = self.hosts[host]
                .durable
                .operation
                .as_ref()
                .is_some_and(|operation| operation.course != Course::Boot);
            if self.hosts[host].process.is_none()
                || at_work
                || self.hosts[host].durable.task.is_some()
            {
                let what = format!("a host does not come to rest: {}", self.describe(host));
                return self.fail(FailureClass::Liveness, what);
            }
        }
    }

    fn any_release(&mut self) -> ReleaseId {
        self.catalog.all()[self.rng.usize(..self.catalog.all().len())].id
    }

    fn new_purpose(&mut self) {
        let number =
            self.rough.purposes.iter().map(|(fence, _)| fence.number).max().unwrap_or(0) + 1;
        let kind = if self.rng.u32(..3) == 0 { RolloutKind::Rollback } else { RolloutKind::Push };
        let fence = Fence {
            number,
            start: StartId::new(format!("{:04x}", self.rng.u16(..))),
            kind: if kind == RolloutKind::Push { FenceKind::Push } else { FenceKind::Rollback },
        };
        let release = self.any_release();
        let open = OpenRollout {
            id: self.new_rollout("rough"),
            kind,
            release: (kind == RolloutKind::Push || self.rng.u32(..5) != 0).then_some(release),
            returns_to: self.rng.bool().then(|| self.any_release()),
            leaves: (kind == RolloutKind::Rollback).then(|| self.any_release()),
            migration: Migration::NotBegun,
        };
        for host in 0..self.hosts.len() {
            for release in self.catalog.all().to_vec() {
                if self.rng.u32(..4) == 0 {
                    let manifest = release.manifest.clone();
                    self.say(host, Request::PutManifest { release: release.id, manifest });
                }
            }
            let keeper = self.keeper.clone();
            let lease = (host == 0 && kind == RolloutKind::Push).then(|| LeaseAsk {
                holder: "rough".to_owned(),
                period_ms: 60_000,
                supersedes: Vec::new(),
            });
            self.say(
                host,
                Request::Raise {
                    keeper_fence: None,
                    fence: fence.clone(),
                    lease,
                    keeper,
                    witness: None,
                },
            );
            self.say(
                host,
                Request::Open {
                    fence: fence.clone(),
                    rollout: open.clone(),
                    once: Default::default(),
                },
            );
        }
        self.rough.purposes.push((fence, open));
        self.rough.attempts = 0;
    }

    fn do_something_rough(&mut self) {
        if self.rough.purposes.is_empty() || self.rng.u32(..25) == 0 {
            return self.new_purpose();
        }
        let host = self.rng.usize(..self.hosts.len());
        let back = if self.rng.u32(..10) == 0 {
            self.rng.usize(..self.rough.purposes.len().min(3))
        } else {
            0
        };
        let (fence, open) = self.rough.purposes[self.rough.purposes.len() - 1 - back].clone();
        if self.rng.u32(..3) != 0 {
            self.rough.attempts += 1;
        }
        let attempts = self.rough.attempts.max(1);
        let key = move |step| StepKey { rollout: open.id.clone(), step, attempt: attempts };
        let open = self.rough.purposes[self.rough.purposes.len() - 1 - back].1.clone();
        let request = match self.rng.u32(..16) {
            0..3 => self.rough_stage(fence, key(StepName::Stage), &open),
            3..6 => self.rough_switch(fence, key(StepName::Switch), &open),
            6..9 => match self.rough.waiting.get(&host).cloned() {
                Some((key, nonce)) => Request::Confirm { fence, key, nonce },
                None => Request::Observe { fence, seal: None },
            },
            9..11 => self.rough_back(fence, key(StepName::Back), &open),
            11 => Request::Observe { fence, seal: Some(key(StepName::Switch)) },
            12 => Request::Close {
                fence,
                rollout: open.id.clone(),
                stable: open.release.filter(|_| open.kind == RolloutKind::Push && self.rng.bool()),
                apart: open.release.filter(|_| open.kind == RolloutKind::Push && self.rng.bool()),
                keep: (2, 1),
                witness: None,
            },
            13 => {
                let (release, active) = (self.any_release(), self.rng.bool());
                let entry = Quarantined {
                    fence: fence.clone(),
                    tree: None,
                    reason: "rough".to_owned(),
                    active,
                };
                Request::Quarantine { fence, entries: BTreeMap::from([(release, entry)]) }
            }
            14 => Request::Renew { fence },
            _ => Request::Migration {
                fence,
                rollout: open.id,
                migration: Migration::Begun { one_way: self.rng.bool() },
            },
        };
        self.say(host, request);
    }

    fn rough_stage(&mut self, fence: Fence, key: StepKey, open: &OpenRollout) -> Request {
        let release = open.release.unwrap_or_else(|| self.any_release());
        Request::Do { fence, key, step: Step::Stage { release } }
    }

    fn rough_switch(&mut self, fence: Fence, key: StepKey, open: &OpenRollout) -> Request {
        let fleet = self.fleet_plan();
        let step = Step::Switch {
            release: open.release.unwrap_or_else(|| self.any_release()),
            undo: match open.returns_to {
                _ if self.rng.u32(..8) == 0 => Undo::Stay,
                Some(release) => Undo::To { release },
                None => Undo::Nothing,
            },
            clocks: fleet.clocks,
            ports: fleet.hosts[0].ports,
            rotation: fleet.rotation,
            secrets: None,
            secrets_stay: false,
            role: None,
            once: Vec::new(),
        };
        Request::Do { fence, key, step }
    }

    fn rough_back(&mut self, fence: Fence, key: StepKey, open: &OpenRollout) -> Request {
        let fleet = self.fleet_plan();
        let pace = if self.rng.bool() { BackPace::Drained } else { BackPace::AtOnce };
        let step = Step::Back {
            role: None,
            to: open.release,
            quarantine: open
                .leaves
                .filter(|leaves| Some(*leaves) != open.release)
                .map(|leaves| (leaves, "bad".to_owned())),
            pace,
            clocks: fleet.clocks,
            ports: fleet.hosts[0].ports,
            rotation: fleet.rotation,
        };
        Request::Do { fence, key, step }
    }

    /// A request of the rough driver travels like any other.
    fn say(&mut self, host: usize, request: Request) {
        if self.is_cut(0, host) || self.chance(self.faults.lost_requests) {
            return;
        }
        let most = if self.chance(self.faults.orphans) { 60_000 } else { 40 };
        let at = self.now + self.rng.u64(1..most);
        let caller = Caller {
            laptop: 0,
            epoch: 0,
            effect: EffectId(String::new()),
            purpose: Purpose::Rough,
            asked: 0,
        };
        self.schedule.put(at, Happening::Arrives { caller, host, request });
    }

    /// What a host answers to it.
    pub(crate) fn hear(&mut self, host: usize, answer: Answer) {
        if let Answer::Step(report) = answer {
            match report.state {
                StepState::AwaitingConfirm { nonce, .. } => {
                    self.rough.waiting.insert(host, (report.key, nonce));
                }
                _ => {
                    self.rough.waiting.remove(&host);
                }
            }
        }
    }
}
