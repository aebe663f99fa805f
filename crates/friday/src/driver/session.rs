//! One driver from its start to its end: the one thread that takes inputs through turns, hands what is owed
//! to the dispatcher, and shows what was journalled.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use friday_core::controller::Controller;
use friday_core::controller::input::{Command, Input, Way};
use friday_core::controller::turn::{self, Reply, TurnError};
use friday_core::journal::record::JOURNAL_FORMAT;
use friday_core::journal::{AppendError, Event, Position, Record, Store as _};
use friday_core::reason::Reason;
use friday_core::view::{Chronicle, RolloutWord};
use friday_edge::dispatcher::{Dispatcher, DispatcherSetup};
use friday_edge::driver_lock::DriverLock;
use friday_edge::fleet::Fleet;
use friday_edge::identity;
use friday_edge::journal_file::SqliteStore;
use friday_edge::progress::Progress;
use friday_edge::secrets::SecretStore;
use friday_edge::state_directory::StateDirectory;
use friday_edge::stock::Stock;
use friday_wire::RolloutId;
use tokio::runtime::Runtime;

use super::early::Early;
use super::interrupt::Interrupt;
use super::interrupted::Telling;
use super::kept::Kept;
use super::leaving::{Asking, left};
use super::outcome::{self, ResultView};
use super::place::{Place, WithoutFile};
use super::{POLL, Purpose, meeting, noun};
use crate::context::Context;
use crate::data_work::databases;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::{damaged, not_opened};
use crate::ui::{Board, Ui, now};

/// Inputs that wait while a turn syncs; then effects wait.
const INBOX_MAX: usize = 4_096;

/// Inputs taken into one turn, and one sync: a round's answers of a large fleet. More would keep what
/// follows from the first of them waiting.
const INPUTS_A_TURN_MAX: usize = 256;

/// Between glances at the journal: requests by other processes are seen by then. Somebody who wants a bad
/// release off waits for nothing else so long, and a glance reads one number from memory.
const GLANCE: Duration = Duration::from_millis(20);

/// How often a resumed push waits for a lease. A second time means that somebody prolongs it.
const LEASE_WAITS_MAX: u32 = 1;

/// How often one input is decided again because nobody knows whether it was written. What is really
/// wrong, a full disk, does not go away by trying.
const UNKNOWN_MAX: u32 = 3;

/// How often one input is decided again because others appended. Each time somebody got further.
const TRIES_MAX: u32 = 100;

/// What one driver works with.
pub(super) struct Session<'a> {
    pub(super) ui: &'a Ui,
    pub(super) place: Place,
    pub(super) controller: Controller,
    pub(super) chronicle: Chronicle,
    pub(super) dispatcher: Dispatcher,
    pub(super) fleet: Fleet,
    pub(super) inbox: Receiver<Input>,
    pub(super) progress: Receiver<Progress>,
    pub(super) doing: BTreeMap<String, String>,
    pub(super) board: Board,
    pub(super) drawn: Option<Instant>,
    pub(super) telling: Telling,
    pub(super) kept: Kept,
    pub(super) version: i64,
    pub(super) interrupt: Interrupt,
    pub(super) asking: Option<Asking>,
    // Dropped last: what still runs on it is ended before.
    pub(super) runtime: Runtime,
    _lock: Option<DriverLock>,
}

impl<'a> Session<'a> {
    /// On the journal's file.
    pub(super) fn begin(
        ui: &'a Ui,
        context: &Context,
        (purpose, early): (Purpose, Option<Early>),
        lock: Option<DriverLock>,
    ) -> Result<Self, CommandError> {
        let early = early.map_or_else(|| Early::begin(context), Ok)?;
        let store = SqliteStore::open_or_create(context.state.path())
            .map_err(|error| not_opened(&error))?;
        let without_file = match purpose {
            Purpose::Rollback => WithoutFile::GoOn,
            Purpose::Act | Purpose::Abort => WithoutFile::Stop,
        };
        Self::on(ui, context, (Place::file(store, without_file), early), &context.state, lock)
    }

    /// In memory only: no lock, no journal.
    pub(super) fn alone(ui: &'a Ui, context: &Context) -> Result<Self, CommandError> {
        let early = Early::begin(context)?;
        Self::on(ui, context, (Place::memory(), early), &scratch(context)?, None)
    }

    fn on(
        ui: &'a Ui,
        context: &Context,
        (mut place, early): (Place, Early),
        state: &StateDirectory,
        lock: Option<DriverLock>,
    ) -> Result<Self, CommandError> {
        let internal =
            |error: &dyn std::error::Error| CommandError::from_error(Exit::Internal, error);
        let mut records = place.read_after(0).map_err(|error| internal(&error))?;
        if records.is_empty() {
            records = vec![create(context, &mut place)?];
        }
        let controller = Controller::replay(&records).map_err(|error| damaged(&error))?;
        let chronicle = history(context, &records)?;
        place.take_fresh();
        let Early { fleet, progress, progress_in, runtime } = early;
        let (inputs, inbox) = sync_channel(INBOX_MAX);
        let kept = Kept {
            stock: Stock::open(state).map_err(|error| internal(&error))?,
            secrets: SecretStore::open(state).map_err(|error| internal(&error))?,
            most: context.settings.keep,
        };
        let setup = DispatcherSetup {
            fleet: fleet.clone(),
            databases: databases(context, progress_in.clone()),
            stock: kept.stock.clone(),
            secrets: kept.secrets.clone(),
            bandwidth: friday_edge::bandwidth::Bandwidth::new(context.settings.bandwidth),
            directory: context.base.clone(),
            progress: progress_in,
        };
        let dispatcher = Dispatcher::new(runtime.handle().clone(), setup, inputs);
        Ok(Self {
            ui,
            version: place.version(),
            place,
            controller,
            chronicle,
            dispatcher,
            fleet,
            inbox,
            progress,
            doing: BTreeMap::new(),
            board: ui.board(),
            drawn: None,
            telling: Telling::Aloud,
            kept,
            interrupt: Interrupt::listen(runtime.handle()),
            asking: None,
            runtime,
            _lock: lock,
        })
    }

    /// Takes the command, and then whatever follows from it.
    pub(super) fn run(mut self, id: &RolloutId, command: Command) -> Result<Exit, CommandError> {
        let wanted_back =
            matches!(command, Command::Abort { .. } | Command::Resume { way: Way::Back, .. });
        let follow = match &command {
            Command::Resume { .. } | Command::Abort { .. } => {
                self.chronicle.open().next().map_or_else(|| id.clone(), |open| open.rollout.clone())
            }
            _ => id.clone(),
        };
        let noun = noun(&command);
        if meeting::is_wanted(&command) {
            self.meet()?;
        }
        let again =
            matches!(command, Command::Resume { way: Way::Forward, .. }).then(|| command.clone());
        if let Reply::Refused(reasons) = self.take(Input::Command(command))? {
            return Err(CommandError::for_reasons(
                Exit::Refused,
                format!("the {noun} was refused; nothing was changed"),
                &reasons,
            ));
        }
        let mut exit = self.follow(&follow)?;
        if let Some(again) = again {
            for _ in 0..LEASE_WAITS_MAX {
                let Some(wait) = self.lease_left(&follow) else { break };
                self.wait_for_lease(wait)?;
                if let Reply::Refused(_) = self.take(Input::Command(again.clone()))? {
                    break;
                }
                exit = self.follow(&follow)?;
            }
        }
        self.dispatcher.stop();
        self.board.clear();
        // Who asked for the way back got what was asked for.
        let exit = if wanted_back && exit == Exit::TakenBack { Exit::Done } else { exit };
        self.finish(&follow, exit)
    }

    /// How long the lease lasts that a resumed push was refused for.
    fn lease_left(&self, id: &RolloutId) -> Option<Duration> {
        let held = &self.chronicle.rollout(id)?.held;
        held.iter().find_map(|reason| match reason {
            Reason::Leased { remaining_secs, .. } => {
                Some(Duration::from_secs(remaining_secs.saturating_add(1)))
            }
            _ => None,
        })
    }

    /// The driver that was killed still holds the lease, and nobody but time may end it: somebody
    /// else's living push looks the same.
    fn wait_for_lease(&mut self, wait: Duration) -> Result<(), CommandError> {
        self.board.clear();
        self.board = self.ui.board();
        self.ui.say(format!(
            "Waiting {} s: until then the lease could be a living push's. (`friday resume --back` waits for nothing.)",
            wait.as_secs()
        ));
        let until = Instant::now() + wait;
        while Instant::now() < until {
            if self.interrupt.sign().is_some() {
                return Err(left());
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    pub(super) fn follow(&mut self, id: &RolloutId) -> Result<Exit, CommandError> {
        loop {
            let touched = self.controller.take_touched();
            if !self.place.is_file() {
                self.dispatcher.show_no_journal();
            }
            self.dispatcher.settle_touched(self.controller.owed(), touched);
            self.draw(id);
            if let Some(exit) = outcome::over(&self.chronicle, id) {
                if self.asking.take().is_some() {
                    self.ui.clear_line();
                }
                return Ok(exit);
            }
            self.heed(id)?;
            self.wait()?;
        }
    }

    /// Waits for an input, and takes those with it that came meanwhile: one sync for all of them. Or
    /// for the next wake-up, or another process's records.
    pub(super) fn wait(&mut self) -> Result<(), CommandError> {
        let due = self.controller.next_wakeup();
        let until = due.map_or(POLL, |due| Duration::from_millis(due.since_ms(now())).min(POLL));
        if let Some(first) = self.next_input(until)? {
            let more = self.inbox.try_iter().take(INPUTS_A_TURN_MAX - 1);
            self.take_all(std::iter::once(first).chain(more).collect())?;
        }
        // After every input too: a busy inbox must not keep requests and wake-ups waiting.
        let version = self.place.version();
        let moved = version != self.version;
        if moved {
            self.version = version;
            self.catch_up()?;
        }
        if moved || due.is_some_and(|due| due <= now()) {
            return self.take(Input::Woke).map(drop);
        }
        Ok(())
    }

    /// The next input, if one comes in this time and nobody else appends to the journal meanwhile.
    pub(super) fn next_input(&self, within: Duration) -> Result<Option<Input>, CommandError> {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left.min(GLANCE)) {
                Ok(input) => return Ok(Some(input)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(CommandError::bug("whatever runs effects has ended"));
                }
            }
            if left <= GLANCE || self.place.version() != self.version {
                return Ok(None);
            }
        }
    }

    pub(super) fn take(&mut self, input: Input) -> Result<Reply, CommandError> {
        let replies = self.take_all(vec![input])?;
        Ok(replies.into_iter().next().unwrap_or(Reply::Taken))
    }

    pub(super) fn take_all(&mut self, inputs: Vec<Input>) -> Result<Vec<Reply>, CommandError> {
        let mut unknown = 0;
        for _ in 0..TRIES_MAX {
            let inputs = inputs.iter().cloned();
            match turn::turn_of(&mut self.controller, &mut self.place, now(), inputs) {
                Ok(replies) => {
                    self.tell_new()?;
                    return Ok(replies);
                }
                Err(TurnError::Append(AppendError::Moved)) => self.catch_up()?,
                Err(TurnError::Append(AppendError::Unknown(why))) => {
                    self.catch_up()?;
                    unknown += 1;
                    if unknown >= UNKNOWN_MAX && !self.place.give_up(&why) {
                        return Err(self.stopped(&TurnError::Append(AppendError::Unknown(why))));
                    }
                }
                Err(error) => return Err(self.stopped(&error)),
            }
        }
        Err(CommandError::bug("other processes kept appending to the journal"))
    }

    pub(super) fn catch_up(&mut self) -> Result<(), CommandError> {
        match turn::catch_up(&mut self.controller, &mut self.place) {
            Ok(_) => self.tell_new(),
            Err(error) => Err(self.stopped(&error)),
        }
    }

    /// The journal cannot be relied on: nothing further happens from here.
    pub(super) fn stopped(&mut self, error: &TurnError) -> CommandError {
        self.dispatcher.stop();
        self.board.clear();
        CommandError::from_error(Exit::Person, error)
            .because("nothing further starts; a switch that is not confirmed undoes itself")
            .hint("see that the disk is there and has room, then `friday resume`")
            .hint("`friday rollback` works without the journal")
    }

    /// Puts away what friday's own directory need not keep. Without the journal nobody knows what.
    pub(super) fn prune(&self, id: &RolloutId) {
        let word = self.chronicle.rollout(id).map(|view| view.word);
        let over = matches!(word, Some(RolloutWord::Push | RolloutWord::Rollback));
        if !over || !self.place.is_file() {
            return;
        }
        if let Err(why) = self.kept.prune(self.controller.state(), now()) {
            self.ui.warn(format!("old releases stay in friday's directory: {why}"));
        }
    }

    pub(super) fn finish(self, id: &RolloutId, exit: Exit) -> Result<Exit, CommandError> {
        self.prune(id);
        if self.ui.is_json()
            && let Some(rollout) = self.chronicle.rollout(id)
        {
            let taken_back_by = outcome::taken_back_by(&self.chronicle, id);
            let unjournalled = !self.place.is_file();
            let (kind, code) = (exit, exit.code());
            self.ui.json(&serde_json::json!({
                "result": ResultView { kind, exit: code, rollout, taken_back_by, unjournalled }
            }));
        }
        match outcome::complaint(&self.chronicle, id, exit) {
            None => Ok(exit),
            Some(error) => Err(error),
        }
    }
}

/// The journal's first record.
fn create(context: &Context, place: &mut Place) -> Result<Record, CommandError> {
    let internal = |error: &dyn std::error::Error| CommandError::from_error(Exit::Internal, error);
    let event = Event::JournalCreated {
        journal: identity::new_journal_id().map_err(|error| internal(&error))?,
        format: JOURNAL_FORMAT,
        fleet: context.settings.fleet.to_string(),
    };
    let record = Record::after(&Position::START, now(), &event);
    place
        .append(&Position::START, std::slice::from_ref(&record))
        .map_err(|error| internal(&error))?;
    Ok(record)
}

/// The journal so far, as people see it; refuses one of another fleet.
fn history(context: &Context, records: &[Record]) -> Result<Chronicle, CommandError> {
    let mut chronicle = Chronicle::default();
    for record in records {
        let event = record.event().map_err(|error| damaged(&error))?;
        chronicle.take_in(record.at, &event);
    }
    let fleet = context.settings.fleet.as_str();
    match &chronicle.fleet {
        Some(known) if known != fleet => Err(CommandError::new(
            Exit::Configuration,
            format!("the journal here is of the fleet `{known}`, the configuration of `{fleet}`"),
        )
        .hint("a fleet keeps its `name`; another fleet needs a directory of its own")),
        _ => Ok(chronicle),
    }
}

/// Where a rollback works that may not write friday's directory.
fn scratch(context: &Context) -> Result<StateDirectory, CommandError> {
    let internal = |error: &dyn std::error::Error| CommandError::from_error(Exit::Internal, error);
    if Stock::open(&context.state).is_ok() && SecretStore::open(&context.state).is_ok() {
        return Ok(context.state.clone());
    }
    let start = identity::new_start_id().map_err(|error| internal(&error))?;
    let directory = StateDirectory::at(std::env::temp_dir().join(format!("friday-{start}")));
    directory.make().map_err(|error| internal(&error))?;
    Ok(directory)
}
