//! Processes of which the fleet runs one: this host is the one, or another is.
//!
//! The rule. The head says *here* or names another host; only *here* starts the process, on every way a
//! host has to start anything: a switch, its undo, a back, a reboot, a restart. A driver says *here* to one
//! host only after every other one said, under that driver's fence, that it is not, and that nothing of
//! it runs there. So nothing that a host does alone can make it two.

use friday_wire::{Answer, Fence, Holder, HostName, Part, ProcessName, Stamped};

use crate::action::Action;
use crate::input::CallId;
use crate::lane::{Flight, Lane};
use crate::node::Node;

/// Calls that may wait for processes to end.
const YIELDING_MAX: usize = 64;

impl Node {
    /// The driver made sure of all other hosts: this one runs these from here on.
    pub(crate) fn take_once(&mut self, fence: &Fence, processes: Vec<ProcessName>) {
        for process in processes {
            let here = Stamped { fence: fence.clone(), value: Holder::Here };
            self.durable.head.once.insert(process, here);
            self.dirty = true;
        }
    }

    /// A driver says which host runs it. Where this one ran it, the answer waits for its end.
    pub(crate) fn set_once(
        &mut self,
        call: CallId,
        fence: &Fence,
        process: ProcessName,
        holder: Holder,
    ) {
        if self.yielding.len() >= YIELDING_MAX {
            let why = "too many calls wait here".to_owned();
            return self.answers.push((call, Answer::Error { why }));
        }
        self.durable
            .head
            .once
            .insert(process.clone(), Stamped { fence: fence.clone(), value: holder });
        self.dirty = true;
        self.yielding.push((call, process));
    }

    /// Answers the calls whose process this host may run, or of which nothing is left.
    pub(crate) fn answer_yielding(&mut self) {
        for (call, process) in std::mem::take(&mut self.yielding) {
            if self.is_holder(&process) || !self.may_live(&process) {
                self.answers.push((call, Answer::Ok));
            } else {
                self.yielding.push((call, process));
            }
        }
    }

    /// Whether something of a process may live here: placed, being started, or started by an action that
    /// was given up and has not ended.
    fn may_live(&self, process: &ProcessName) -> bool {
        let is = |part: &Part| part.name() == Some(process);
        let starts =
            |flight: &&Flight| matches!(&flight.action, Action::Start { part, .. } if is(part));
        self.durable.apps.iter().any(|placed| is(&placed.part))
            || self.flight(Lane::App).filter(starts).is_some()
            || self.forgotten.iter().any(|flight| starts(&flight))
    }

    /// Notes who runs a once process before that host does. Never takes it from this one.
    pub(crate) fn note_holder(&mut self, fence: &Fence, process: ProcessName, host: HostName) {
        if !self.is_holder(&process) {
            let value = Holder::Host { host };
            self.durable.head.once.insert(process, Stamped { fence: fence.clone(), value });
            self.dirty = true;
        }
    }
}
