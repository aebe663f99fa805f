//! Processes of which the fleet runs one: this host is the one, or another is.
//!
//! The rule. The head says *here* or names another host; only *here* starts the process, on every way a
//! host has to start anything: a switch, its undo, a back, a reboot, a restart. A driver says *here* to one
//! host only after every other one said, under that driver's fence, that it is not, and that nothing of
//! it runs there. So nothing that a host does alone can make it two.

use friday_wire::{Fence, Holder, HostName, ProcessName, Stamped};

use crate::node::Node;

impl Node {
    /// The driver made sure of all other hosts: this one runs these from here on.
    pub(crate) fn take_once(&mut self, fence: &Fence, processes: Vec<ProcessName>) {
        for process in processes {
            let here = Stamped { fence: fence.clone(), value: Holder::Here };
            self.durable.head.once.insert(process, here);
            self.dirty = true;
        }
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
