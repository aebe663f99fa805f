//! What reaches the thread that owns the state machine.

use std::sync::mpsc::SyncSender;

use friday_node::{ActionId, ActionResult, App};
use friday_wire::{Answer, Fence, Refusal, Request, Scrutiny};

/// One event.
#[derive(Debug)]
pub enum Event {
    /// A request that the state machine answers.
    Asked {
        /// What.
        request: Box<Request>,
        /// To whom the answer goes.
        reply: ReplyTo,
    },
    /// Whether a fence is let in; for what the shell does itself.
    Admits {
        /// It.
        fence: Fence,
        /// Answered at once.
        answer: SyncSender<Result<(), Refusal>>,
    },
    /// An action ended.
    Finished {
        /// Which.
        action: ActionId,
        /// How.
        result: ActionResult,
    },
    /// An application ended by itself.
    Exited {
        /// Which.
        app: App,
        /// How.
        status: String,
        /// The last lines of its output.
        log: Vec<String>,
    },
    /// Stop acting: another program takes over. Answered with what is still at work, if something is;
    /// then nothing has changed.
    HandOver {
        /// Answered at once.
        answer: SyncSender<Result<(), String>>,
    },
}

/// A message for a connection's writer.
#[derive(Debug)]
pub struct Outgoing {
    /// The call's number.
    pub number: u64,
    /// How its observation is made, if it is one.
    pub scrutiny: Scrutiny,
    /// Its answer.
    pub answer: Answer,
}

/// Where the answer of one call goes.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    /// The call's number on its connection.
    pub number: u64,
    /// How an observation for it is made.
    pub scrutiny: Scrutiny,
    /// The connection's writer.
    pub writer: SyncSender<Outgoing>,
}

impl ReplyTo {
    /// Hands the answer to the writer, never waiting for it: a connection that lets its answers pile
    /// up loses them, and finds out when it observes.
    pub fn send(&self, answer: Answer) {
        let Self { number, scrutiny, writer } = self;
        let outgoing = Outgoing { number: *number, scrutiny: *scrutiny, answer };
        if writer.try_send(outgoing).is_err() {
            crate::note::note("an answer was dropped: its connection is gone or does not read");
        }
    }
}
