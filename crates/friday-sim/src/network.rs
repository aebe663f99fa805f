//! Messages between laptops and hosts: late, lost, cut off, and sometimes executed long after whoever
//! sent them has died.

use friday_core::controller::input::Outcome;
use friday_wire::{Answer, Fence, Holder, HostName, Request, Step};

use crate::laptop::{Caller, Purpose};
use crate::meddling::{Deed, Stuck};
use crate::switch::Switch;
use crate::world::{Happening, World};

impl World {
    pub(crate) fn is_cut(&self, laptop: usize, host: usize) -> bool {
        self.cuts.get(&(laptop, host)).is_some_and(|until| *until > self.now)
    }

    /// An outcome that will reach the laptop after so long.
    pub(crate) fn answered(&mut self, after_ms: u64, caller: Caller, outcome: Outcome) {
        let at = self.now + after_ms;
        self.schedule.put(at, Happening::Answered { caller, outcome });
    }

    /// A request leaves a laptop.
    pub(crate) fn send(&mut self, caller: Caller, host: &HostName, request: Request) {
        if self.process_of(caller.laptop, caller.epoch).is_none() {
            return;
        }
        let Some(number) = self.numbers.get(host).copied() else {
            let why = format!("`{host}` has no address");
            return self.answered(1, caller, Outcome::Failed { why });
        };
        if self.silent.contains(&number) {
            return;
        }
        if !self.answers_to(&caller, number, host) {
            let why = format!("it is host `{}`, not `{host}`", self.hosts[number].name);
            return self.answered(1, caller, Outcome::Failed { why });
        }
        if self.is_cut(caller.laptop, number) {
            return self.never_arrives(caller);
        }
        match self.deed(&caller, number, &request) {
            Some(Deed::Hold) => return self.stuck.push(Stuck { caller, host: number, request }),
            Some(Deed::Copy) => {
                let caller = Caller { purpose: Purpose::Echo, ..caller.clone() };
                self.stuck.push(Stuck { caller, host: number, request: request.clone() });
            }
            Some(Deed::LoseAnswer) | None => {}
        }
        if self.chance(self.faults.lost_requests) {
            return self.breaks(caller);
        }
        let pair = (caller.laptop, number);
        let travel = self.rng.u64(1..40);
        if self.chance(self.faults.orphans) {
            // Stuck in a buffer on the way: it arrives, whatever becomes of its sender.
            let at = self.now + self.rng.u64(500..90_000);
            return self.schedule.put(at, Happening::Arrives { caller, host: number, request });
        }
        let at = (self.now + travel).max(self.arrivals.get(&pair).copied().unwrap_or(0));
        self.arrivals.insert(pair, at);
        if self.chance(self.faults.duplicates) {
            let echo = Caller { purpose: Purpose::Echo, ..caller.clone() };
            let again = at + self.rng.u64(1..30_000);
            self.schedule.put(
                again,
                Happening::Arrives { caller: echo, host: number, request: request.clone() },
            );
        }
        self.schedule.put(at, Happening::Arrives { caller, host: number, request });
    }

    /// No packet passes: the connection is refused at once, or nobody ever answers.
    fn never_arrives(&mut self, caller: Caller) {
        match self.rng.u32(..3) {
            0 => {
                let after = self.rng.u64(1..5_000);
                self.answered(
                    after,
                    caller,
                    Outcome::Failed { why: "no route to host".to_owned() },
                );
            }
            1 => self.breaks(caller),
            _ => {}
        }
    }

    /// The connection breaks, and nobody knows what was done.
    pub(crate) fn breaks(&mut self, caller: Caller) {
        if self.rng.u32(..4) != 0 {
            let after = self.rng.u64(1..8_000);
            self.answered(
                after,
                caller,
                Outcome::Unknown { why: "the connection broke".to_owned() },
            );
        }
    }

    /// A request reaches a host.
    pub(crate) fn arrives(&mut self, caller: Caller, host: usize, request: Request) {
        let machine = &self.hosts[host];
        if machine.booted_at.is_none() {
            return self.never_arrives(caller);
        }
        if machine.process.is_none() {
            // Contact brings the host program up; this connection finds nothing yet.
            let epoch = machine.process_epoch;
            let at = self.now + self.rng.u64(5..500);
            self.schedule.put(at, Happening::ProgramStarts { host, epoch });
            let after = self.rng.u64(1..500);
            let why = "the host program does not answer".to_owned();
            return self.answered(after, caller, Outcome::Failed { why });
        }
        let request = self.weaken(host, request);
        self.ask(host, caller, request);
    }

    /// An answer leaves a host.
    pub(crate) fn reply(&mut self, host: usize, caller: Caller, answer: Answer) {
        if caller.purpose == Purpose::Echo {
            return;
        }
        if caller.purpose == Purpose::Rough {
            return self.hear(host, answer);
        }
        if self.is_cut(caller.laptop, host) || self.chance(self.faults.lost_answers) {
            return self.breaks(caller);
        }
        if self.loses_answer(&caller, host, &answer) {
            let why = "the connection broke".to_owned();
            return self.answered(100, caller, Outcome::Unknown { why });
        }
        let after = self.rng.u64(1..40);
        self.answered(after, caller, Outcome::Answered(Box::new(answer)));
    }

    /// What a switched-off safeguard makes of a request.
    fn weaken(&self, host: usize, mut request: Request) -> Request {
        match self.switch {
            Some(Switch::Fence) => {
                let highest = &self.hosts[host].durable.head.fence;
                if let Some(fence) = fence_of(&mut request)
                    && *fence < *highest
                {
                    *fence = highest.clone();
                }
            }
            Some(Switch::Timer) => {
                if let Request::Do { step: Step::Switch { clocks, .. }, .. } = &mut request {
                    clocks.health_deadline_ms = u64::MAX / 8;
                    clocks.confirm_ms = u64::MAX / 8;
                }
            }
            Some(Switch::Quarantine) => match &mut request {
                Request::Do { step: Step::Back { quarantine, .. }, .. } => *quarantine = None,
                Request::Quarantine { entries, .. } => entries.clear(),
                _ => {}
            },
            Some(Switch::Yield) => {
                if let Request::Once { fence, holder: Holder::Host { .. }, .. } = request {
                    // Answered as a host that does what it was asked.
                    request = Request::Quarantine { fence, entries: Default::default() };
                }
            }
            _ => {}
        }
        request
    }
}

/// The fence a request carries.
fn fence_of(request: &mut Request) -> Option<&mut Fence> {
    match request {
        Request::Hello { .. }
        | Request::Read { .. }
        | Request::Missing { .. }
        | Request::Put { .. }
        | Request::PutManifest { .. }
        | Request::PutSecrets { .. }
        | Request::PutSignature { .. }
        | Request::Log { .. }
        | Request::GetManifest { .. }
        | Request::Offer { .. }
        | Request::Pack { .. }
        | Request::Recipe { .. }
        | Request::Verify
        | Request::Examine => None,
        Request::Raise { fence, .. }
        | Request::Renew { fence }
        | Request::Release { fence }
        | Request::Open { fence, .. }
        | Request::Migration { fence, .. }
        | Request::Close { fence, .. }
        | Request::Lock { fence, .. }
        | Request::Quarantine { fence, .. }
        | Request::Keeper { fence, .. }
        | Request::Once { fence, .. }
        | Request::Do { fence, .. }
        | Request::Confirm { fence, .. }
        | Request::Observe { fence, .. }
        | Request::Prune { fence, .. }
        | Request::Upgrade { fence, .. }
        | Request::Leave { fence, .. }
        | Request::Rename { fence, .. }
        | Request::ConfirmUpgrade { fence } => Some(fence),
    }
}
