//! The thread that owns the state machine: takes in events one by one, and carries out each turn in
//! the order that everything rests on: persist, then act, then answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use friday_node::{Action, ActionId, ActionResult, CallId, Input, Node, Turn};
use friday_wire::{Answer, Request};

use super::event::{Event, ReplyTo};
use super::{ServeError, state};
use crate::host::Host;
use crate::machine::{boot_clock_ms, random_text};
use crate::note::note;

/// Actions at work at the same time. The state machine asks for a handful; this stops a mistake.
const ACTIONS_MAX: usize = 64;

/// The longest sleep: a boot clock that stood still while the machine slept is noticed by then.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// The loop and what it remembers between two events.
#[derive(Debug)]
pub struct Loop {
    host: &'static Host,
    node: Node,
    calls: BTreeMap<CallId, ReplyTo>,
    calls_made: u64,
    /// Actions at work; probes apart, since they change nothing.
    working: BTreeSet<ActionId>,
    probing: BTreeSet<ActionId>,
}

impl Loop {
    /// Around a state machine that has seen nothing yet.
    pub fn new(host: &'static Host, node: Node) -> Self {
        Self {
            host,
            node,
            calls: BTreeMap::new(),
            calls_made: 0,
            working: BTreeSet::new(),
            probing: BTreeSet::new(),
        }
    }

    /// Runs for as long as the process.
    ///
    /// # Errors
    /// Only when every sender is gone, which does not happen while the host lives.
    pub fn run(mut self, first: Input, events: &Receiver<Event>) -> Result<(), ServeError> {
        self.take_in(first);
        loop {
            let due = self.node.next_wakeup();
            let wait = due.map_or(SLEEP_MAX, |due| {
                Duration::from_millis(due.saturating_sub(boot_clock_ms())).min(SLEEP_MAX)
            });
            match events.recv_timeout(wait) {
                Ok(_) | Err(RecvTimeoutError::Timeout) if self.host.is_handed_over() => {}
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ServeError::Io("inbox", std::io::ErrorKind::BrokenPipe.into()));
                }
            }
            // Also when events never pause: a timer must not wait behind them.
            if !self.host.is_handed_over() && due.is_some_and(|due| due <= boot_clock_ms()) {
                self.take_in(Input::Woke);
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Asked { request, reply } => self.ask(*request, reply),
            Event::Finished { action, result } => {
                self.working.remove(&action);
                self.probing.remove(&action);
                self.take_in(Input::Finished { action, result });
            }
            Event::Exited { app, status, log } => {
                self.take_in(Input::Exited { app, status, log });
            }
            Event::Admits { fence, answer } => {
                let _ = answer.try_send(self.node.admits(&fence));
            }
            Event::HandOver { answer } => self.hand_over(&answer),
        }
    }

    /// Whoever asked may have given up meanwhile: then nobody takes over, and everything goes on.
    fn hand_over(&self, answer: &SyncSender<Result<(), String>>) {
        let stands = if self.working.is_empty() {
            Ok(())
        } else {
            Err("an operation is at work on this host".to_owned())
        };
        self.host.handed_over.store(stands.is_ok(), Ordering::SeqCst);
        if answer.try_send(stands).is_err() {
            self.host.handed_over.store(false, Ordering::SeqCst);
        }
    }

    fn ask(&mut self, request: Request, reply: ReplyTo) {
        let random = match random_text() {
            Ok(random) => random,
            Err(error) => {
                return reply.send(Answer::Error { why: format!("no random numbers: {error}") });
            }
        };
        self.calls_made += 1;
        let call = CallId(self.calls_made);
        self.calls.insert(call, reply);
        self.take_in(Input::Asked { call, request, random });
    }

    fn take_in(&mut self, input: Input) {
        self.node.handle(boot_clock_ms(), input);
        let turn = self.node.take_turn();
        self.carry_out(turn);
    }

    fn carry_out(&mut self, turn: Turn) {
        if let Some(durable) = &turn.persist
            && let Err(error) = state::persist(&self.host.place, durable)
        {
            self.start_over(&error);
        }
        for (id, action) in turn.actions {
            self.begin(id, action);
        }
        for (call, answer) in turn.answers {
            if let Some(reply) = self.calls.remove(&call) {
                reply.send(answer);
            }
        }
    }

    fn begin(&mut self, id: ActionId, action: Action) {
        let inbox = self.host.inbox.clone();
        let host = self.host;
        if self.working.len() + self.probing.len() >= ACTIONS_MAX {
            return self.refuse(id, "too many operations at the same time");
        }
        let is_probe = matches!(action, Action::Probe { .. });
        let worker = thread::Builder::new().name(format!("action {}", id.0));
        let spawned = worker.spawn(move || {
            let result = crate::perform::perform(host, action);
            if let ActionResult::Failed { why, .. } | ActionResult::Hindered { why } = &result {
                note(&format!("action {}: {}", id.0, crate::output::shown(why.as_bytes())));
            }
            // Fails only when the process ends.
            let _ = inbox.send(Event::Finished { action: id, result });
        });
        match spawned {
            Ok(_) => {
                let at_work = if is_probe { &mut self.probing } else { &mut self.working };
                at_work.insert(id);
            }
            Err(_) => self.refuse(id, "no thread could be made"),
        }
    }

    /// Fails an action that was not begun; in a thread of the inbox's own order, not in this turn.
    fn refuse(&mut self, id: ActionId, why: &str) {
        let result = ActionResult::Failed { why: why.to_owned(), log: Vec::new() };
        if self.host.inbox.try_send(Event::Finished { action: id, result }).is_err() {
            self.start_over(&std::io::Error::other("the inbox is full"));
        }
    }

    /// The state in memory is ahead of the disk: nobody may be answered from it, and nothing done.
    fn start_over(&mut self, error: &std::io::Error) -> ! {
        note(&format!("the state cannot be written ({error}); friday-host starts over"));
        for reply in std::mem::take(&mut self.calls).into_values() {
            reply.send(Answer::Error {
                why: format!("the host's state cannot be written: {error}; nothing was done"),
            });
        }
        crate::restart::restart(self.host)
    }
}
