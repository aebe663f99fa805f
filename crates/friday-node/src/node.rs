//! The state machine's surface: inputs in, turns out.

use std::collections::{BTreeMap, BTreeSet};

use friday_wire::{Answer, Fence, ProcessName, Refusal, Request, RolloutKind, StepKey};

use crate::action::{Action, ActionId, Turn};
use crate::durable::Durable;
use crate::input::{CallId, Input};
use crate::lane::Flight;
use crate::operation::drawing::Transition;
use crate::operation::{Course, Phase};
use crate::retention::Pruning;
use crate::rollout::Left;
use crate::supervision::Watch;

/// Rounds of work that one input may set off. Each round ends a phase or issues an action, so far
/// fewer ever happen; the limit is there so that a mistake cannot hang a host.
const ROUNDS_MAX: u32 = 256;

/// One host. Call order: [`Node::new`], `handle(Started)`, [`Node::take_turn`]; then for each thing
/// that happens `handle` and `take_turn`; wake it at [`Node::next_wakeup`]. All times are the boot
/// clock's, milliseconds, and never go back while the process lives.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) durable: Durable,
    /// `Started` was handled.
    pub(crate) ready: bool,
    pub(crate) boot_hook: bool,
    /// The durable state changed since the last turn.
    pub(crate) dirty: bool,
    pub(crate) actions: Vec<(ActionId, Action)>,
    pub(crate) answers: Vec<(CallId, Answer)>,
    pub(crate) next_action: u64,
    pub(crate) app_lane: Option<Flight>,
    pub(crate) side_lane: Option<Flight>,
    /// Overdue actions.
    pub(crate) forgotten: Vec<Flight>,
    /// Changes with each phase, so that an older phase's action cannot move a newer one.
    pub(crate) serial: u64,
    /// The action of the present phase was issued.
    pub(crate) phase_issued: bool,
    pub(crate) task_issued: bool,
    pub(crate) watches: BTreeMap<u64, Watch>,
    pub(crate) strays_after_ms: u64,
    /// Apps that the operation at work could not stop.
    pub(crate) stuck: BTreeSet<u64>,
    pub(crate) waiters: Vec<(CallId, StepKey)>,
    /// Calls that are answered once nothing of a process is left.
    pub(crate) yielding: Vec<(CallId, ProcessName)>,
    pub(crate) pruning: Pruning,
    #[cfg(any(test, fuzzing))]
    pub(crate) trace: Vec<Transition>,
}

impl Node {
    /// From what the disk holds.
    pub fn new(durable: Durable) -> Self {
        Self {
            durable,
            ready: false,
            boot_hook: false,
            dirty: false,
            actions: Vec::new(),
            answers: Vec::new(),
            next_action: 0,
            app_lane: None,
            side_lane: None,
            forgotten: Vec::new(),
            serial: 0,
            phase_issued: false,
            task_issued: false,
            watches: BTreeMap::new(),
            strays_after_ms: 0,
            stuck: BTreeSet::new(),
            waiters: Vec::new(),
            yielding: Vec::new(),
            pruning: Pruning::default(),
            #[cfg(any(test, fuzzing))]
            trace: Vec::new(),
        }
    }

    /// Takes in one input. Changes memory only; what must be durable and done is in the next turn.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        match input {
            Input::Started { boot, alive, boot_hook } => {
                self.boot_hook = boot_hook;
                if !self.ready {
                    self.started(now_ms, boot, &alive);
                }
            }
            Input::Asked { call, .. } if !self.ready => {
                let why = "the host program is starting".to_owned();
                self.answers.push((call, Answer::Error { why }));
            }
            Input::Asked { call, request, random } => self.asked(now_ms, call, request, random),
            Input::Finished { action, result } => self.action_finished(now_ms, action, result),
            Input::Exited { app, status, log } => self.exited(now_ms, app, status, log),
            Input::Woke => {}
        }
        if self.ready {
            self.drive(now_ms);
            self.answer_waiters(now_ms);
            self.answer_yielding();
        }
    }

    /// Works until there is nothing to do but wait.
    fn drive(&mut self, now_ms: u64) {
        for _ in 0..ROUNDS_MAX {
            let progress = self.drive_overdue(now_ms)
                || self.drive_yield(now_ms)
                || self.drive_operation(now_ms)
                || self.drive_task(now_ms)
                || self.drive_prune(now_ms)
                || self.drive_supervision(now_ms);
            if !progress {
                return;
            }
        }
    }

    fn asked(&mut self, now_ms: u64, call: CallId, request: Request, random: String) {
        if let Some(fence) = request.fence()
            && !matches!(request, Request::Raise { .. })
            && let Err(refusal) = self.let_in(now_ms, &fence.clone())
        {
            self.answers.push((call, Answer::Refused(refusal)));
            return;
        }
        let answer = match request {
            Request::Do { fence, key, step } => {
                match self.step(now_ms, call, (fence, key, step), random) {
                    Ok(()) => return,
                    Err(answer) => answer,
                }
            }
            Request::Once { fence, process, holder } => {
                self.set_once(call, &fence, process, holder);
                return;
            }
            Request::Prune { keep, .. } => {
                self.want_prune(keep, Some(call));
                return;
            }
            request => self.answered_at_once(now_ms, request).unwrap_or_else(Answer::Refused),
        };
        self.answers.push((call, answer));
    }

    fn answered_at_once(&mut self, now_ms: u64, request: Request) -> Result<Answer, Refusal> {
        match request {
            Request::Read { .. } => Ok(Answer::Observed(Box::new(self.observation(now_ms)))),
            Request::Raise { fence, lease, keeper, keeper_fence, witness } => {
                // A driver that is refused for its fence changes nothing here.
                self.admits(&fence)?;
                self.believe_keeper(&keeper, keeper_fence);
                self.raise(now_ms, &fence, lease, keeper, witness)
            }
            Request::Renew { fence } => self.renew(now_ms, &fence),
            Request::Release { fence } => Ok(self.release_lease(&fence)),
            Request::Open { fence, rollout, once } => {
                let kind = rollout.kind;
                let answer = self.open(fence.clone(), rollout)?;
                for (process, host) in once {
                    self.note_holder(&fence, process, host);
                }
                // Whoever goes back wants to know next what runs here.
                Ok(match kind {
                    RolloutKind::Rollback => {
                        Answer::Observed(Box::new(self.observation_of(now_ms, None)))
                    }
                    RolloutKind::Push | RolloutKind::Sweep => answer,
                })
            }
            Request::Migration { fence, rollout, migration } => {
                self.migration(fence, &rollout, migration)
            }
            Request::Close { fence, rollout, stable, apart, keep, witness } => {
                let answer = self.close(now_ms, fence, &rollout, Left { stable, apart })?;
                if answer == Answer::Ok {
                    self.witness(witness);
                    self.want_prune(keep, None);
                }
                Ok(answer)
            }
            Request::Lock { fence, lock } => Ok(self.lock(fence, lock)),
            Request::Quarantine { entries, .. } => Ok(self.quarantine(now_ms, entries)),
            Request::Keeper { fence, keeper } => Ok(self.name_keeper(fence, keeper)),
            Request::PutManifest { release, manifest } => Ok(self.put_manifest(release, &manifest)),
            Request::Confirm { key, nonce, .. } => Ok(self.confirm(now_ms, &key, &nonce)),
            Request::Observe { seal, .. } => {
                if let Some(key) = &seal {
                    self.seal(key);
                }
                Ok(Answer::Observed(Box::new(self.observation_of(now_ms, seal.as_ref()))))
            }
            Request::Do { .. }
            | Request::Once { .. }
            | Request::Prune { .. }
            | Request::Hello { .. }
            | Request::Missing { .. }
            | Request::Put { .. }
            | Request::PutSecrets { .. }
            | Request::PutSignature { .. }
            | Request::Log { .. }
            | Request::GetManifest { .. }
            | Request::Offer { .. }
            | Request::Pack { .. }
            | Request::Recipe { .. }
            | Request::Verify
            | Request::Examine
            | Request::Upgrade { .. }
            | Request::Leave { .. }
            | Request::Rename { .. }
            | Request::ConfirmUpgrade { .. } => {
                Ok(Answer::Error { why: "the state machine does not answer that".to_owned() })
            }
        }
    }

    /// What the inputs so far ask for.
    pub fn take_turn(&mut self) -> Turn {
        Turn {
            persist: std::mem::take(&mut self.dirty).then(|| Box::new(self.durable.clone())),
            actions: std::mem::take(&mut self.actions),
            answers: std::mem::take(&mut self.answers),
        }
    }

    /// When to hand in [`Input::Woke`].
    pub fn next_wakeup(&self) -> Option<u64> {
        if !self.ready {
            return None;
        }
        let operation = self.durable.operation.as_ref().and_then(|op| {
            let phase = match op.course {
                Course::Ended(_) => None,
                _ => op.phase.until_ms().filter(|until_ms| *until_ms != u64::MAX),
            };
            // Only a wait ends by its time; a proof of health also ends by a probe.
            let waits = matches!(
                op.phase,
                Phase::Settling { .. }
                    | Phase::Draining { .. }
                    | Phase::Proving { .. }
                    | Phase::Confirming { .. }
            );
            let armed = op.armed().map(|armed| armed.deadline_ms);
            phase.filter(|_| waits).into_iter().chain(armed).min()
        });
        [operation, self.lanes_wakeup(), self.supervision_wakeup()].into_iter().flatten().min()
    }

    /// The durable state, as the next persist would write it.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Whether a request with this fence would be let in; for what the shell does itself.
    ///
    /// # Errors
    /// `Fenced`, with the highest fence seen.
    pub fn admits(&self, fence: &Fence) -> Result<(), Refusal> {
        if *fence < self.durable.head.fence {
            return Err(Refusal::Fenced { highest: self.durable.head.fence.clone() });
        }
        Ok(())
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn note_transition(&mut self, transition: Transition) {
        self.trace.push(transition);
    }

    #[cfg(not(any(test, fuzzing)))]
    pub(crate) fn note_transition(&mut self, _transition: Transition) {}
}
