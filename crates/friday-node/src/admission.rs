//! Who is let in: fence, lease, keeper.

use friday_wire::{
    Answer, Fence, FenceKind, HostName, JournalId, Lease, LeaseAsk, Refusal, Stamped, Witness,
};

use crate::durable::HeldLease;
use crate::node::Node;

/// Journals remembered. More laptops than this hardly push one fleet.
const WITNESSES_MAX: usize = 64;

impl Node {
    /// Lets in a request with this fence. One higher than the highest counts as raised by it.
    pub(crate) fn let_in(&mut self, now_ms: u64, fence: &Fence) -> Result<(), Refusal> {
        self.admits(fence)?;
        if *fence == self.durable.head.fence {
            return Ok(());
        }
        if let Some(lease) = self.living_lease(now_ms)
            && lease.start != fence.start
        {
            if fence.kind != FenceKind::Rollback {
                return Err(Refusal::Leased { lease });
            }
            self.durable.lease = None;
        }
        self.durable.head.fence = fence.clone();
        self.dirty = true;
        self.end_lower_operation();
        self.end_lower_task();
        Ok(())
    }

    /// Of two keepers the one written under the higher fence holds, and this host may have missed
    /// the change.
    pub(crate) fn believe_keeper(&mut self, keeper: &HostName, written: Option<Fence>) {
        let Some(fence) = written else { return };
        let known = self.durable.head.keeper.as_ref();
        if known.is_some_and(|known| known.value != *keeper && known.fence < fence) {
            self.durable.head.keeper = Some(Stamped { fence, value: keeper.clone() });
            self.dirty = true;
        }
    }

    pub(crate) fn raise(
        &mut self,
        now_ms: u64,
        fence: &Fence,
        lease: Option<LeaseAsk>,
        keeper: HostName,
        witness: Option<(JournalId, Witness)>,
    ) -> Result<Answer, Refusal> {
        self.admits(fence)?;
        let known = self.durable.head.keeper.as_ref().map(|keeper| &keeper.value);
        if let Some(known) = known
            && *known != keeper
            && fence.kind != FenceKind::Rollback
        {
            return Err(Refusal::Keeper { keeper: known.clone() });
        }
        let held = self.durable.lease.as_ref().map(|held| held.start.clone());
        if let (Some(ask), Some(held)) = (&lease, held)
            && ask.supersedes.contains(&held)
        {
            self.durable.lease = None;
            self.dirty = true;
        }
        self.let_in(now_ms, fence)?;
        if self.durable.head.keeper.is_none() {
            // Lower than any act that names a keeper: one that this host then misses, though it was
            // begun under this very fence, must outrank what the raise left here.
            self.durable.head.keeper = Some(Stamped { fence: Fence::zero(), value: keeper });
        }
        if let Some(ask) = lease {
            self.durable.lease = Some(HeldLease {
                start: fence.start.clone(),
                holder: ask.holder,
                period_ms: ask.period_ms,
                expires_ms: now_ms.saturating_add(ask.period_ms),
            });
        }
        self.witness(witness);
        self.dirty = true;
        Ok(Answer::Raised(Box::new(self.head_at(now_ms))))
    }

    /// Notes how far a journal was. A shorter one than before is not believed.
    pub(crate) fn witness(&mut self, witness: Option<(JournalId, Witness)>) {
        let Some((journal, witness)) = witness else {
            return;
        };
        let witnesses = &mut self.durable.head.witnesses;
        if witnesses.get(&journal).is_some_and(|known| known.seq >= witness.seq) {
            return;
        }
        if witnesses.len() >= WITNESSES_MAX && !witnesses.contains_key(&journal) {
            let least = witnesses.iter().min_by_key(|(_, known)| known.seq);
            if let Some(least) = least.map(|(journal, _)| journal.clone()) {
                witnesses.remove(&least);
            }
        }
        witnesses.insert(journal, witness);
        self.dirty = true;
    }

    /// The lease, while it lives.
    pub(crate) fn living_lease(&self, now_ms: u64) -> Option<Lease> {
        let held = self.durable.lease.as_ref()?;
        (now_ms < held.expires_ms).then(|| Lease {
            start: held.start.clone(),
            holder: held.holder.clone(),
            remaining_ms: held.expires_ms.saturating_sub(now_ms),
        })
    }

    /// Nobody else took it, so it can be prolonged even when it ran out meanwhile.
    pub(crate) fn renew(&mut self, now_ms: u64, fence: &Fence) -> Result<Answer, Refusal> {
        match &mut self.durable.lease {
            Some(held) if held.start == fence.start => {
                held.expires_ms = now_ms.saturating_add(held.period_ms);
                self.dirty = true;
                Ok(Answer::Ok)
            }
            Some(_) | None => Err(Refusal::LeaseLost),
        }
    }

    pub(crate) fn release_lease(&mut self, fence: &Fence) -> Answer {
        if self.durable.lease.as_ref().is_some_and(|held| held.start == fence.start) {
            self.durable.lease = None;
            self.dirty = true;
        }
        Answer::Ok
    }
}
