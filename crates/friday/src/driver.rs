//! The driver: the one thread that takes inputs through turns, hands what is owed to the dispatcher,
//! and draws what was journalled, until the command's rollout is over or waits for a person.
//!
//! It decides nothing. What a driver may do without the journal's file, and what another process's
//! request means, PROTOCOL 1 says; here it is only wired.
//!
//! Long because the loop reads from top to bottom; what it calls for has modules of its own.

mod early;
mod handover;
pub(crate) mod interrupt;
mod interrupted;
mod kept;
mod leaving;
mod meeting;
mod outcome;
mod place;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use friday_core::controller::Controller;
use friday_core::controller::input::{self, Command, Input, Way};
use friday_core::controller::turn::{self, Reply, TurnError};
use friday_core::journal::record::JOURNAL_FORMAT;
use friday_core::journal::{AppendError, Event, Position, Record, Store as _};
use friday_core::reason::Reason;
use friday_core::view::words::size;
use friday_core::view::{Chronicle, Line, RolloutWord};
use friday_edge::dispatcher::{Dispatcher, DispatcherSetup};
use friday_edge::driver_lock::{DriverLock, DriverLockError, driver_here};
use friday_edge::fleet::Fleet;
use friday_edge::identity;
use friday_edge::journal_file::SqliteStore;
use friday_edge::progress::Progress;
use friday_edge::secrets::SecretStore;
use friday_edge::state_directory::StateDirectory;
use friday_edge::stock::Stock;
use friday_wire::RolloutId;
use tokio::runtime::Runtime;

use crate::commands::log::RecordView;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::{damaged, not_opened};
use crate::ui::{Board, Ui, now};
pub use early::Early;
use interrupt::Interrupt;
pub use interrupted::{Telling, look_after, settle, tell};
use kept::Kept;
use leaving::{Asking, left};
use outcome::ResultView;
pub use outcome::taken_back_by;
use place::{Place, WithoutFile};

/// Inputs that wait while a turn syncs; then effects wait.
const INBOX_MAX: usize = 4_096;

/// Inputs taken into one turn, and one sync: a round's answers of a large fleet. More would keep what
/// follows from the first of them waiting.
const INPUTS_A_TURN_MAX: usize = 256;

/// Between two drawings of the board: more often nobody can read it.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// How long the thread sleeps at most before it draws again.
const POLL: Duration = Duration::from_millis(200);

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

/// What a command drives for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Needs the driver's lock and the journal.
    Act,
    /// As `Act`; where another process drives, it is asked to.
    Abort,
    /// Needs neither lock nor journal; where another process drives, it is asked first.
    Rollback,
}

/// Drives a command to its end.
///
/// # Errors
/// Whatever it came to, if not to what was asked.
pub fn drive(
    ui: &Ui,
    context: &Context,
    purpose: Purpose,
    command: impl FnOnce(RolloutId, input::Driver) -> Command,
) -> Result<Exit, CommandError> {
    drive_over(ui, context, (purpose, None), command)
}

/// As [`drive`], over connections that may have been begun.
///
/// # Errors
/// As [`drive`].
pub fn drive_over(
    ui: &Ui,
    context: &Context,
    (purpose, early): (Purpose, Option<Early>),
    command: impl FnOnce(RolloutId, input::Driver) -> Command,
) -> Result<Exit, CommandError> {
    let id = identity::new_rollout_id(now())
        .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    let command = command(id.clone(), context.driver()?);
    if let Err(error) = context.state.make()
        && purpose != Purpose::Rollback
    {
        return Err(CommandError::from_error(Exit::Internal, &error));
    }
    let lock = match DriverLock::acquire(&context.state) {
        Ok(lock) => Some(lock),
        Err(DriverLockError::Held { holder }) if purpose == Purpose::Act => {
            return Err(refused_beside(&holder));
        }
        Err(DriverLockError::Held { holder }) => {
            ui.say(format!("{holder} is driving; asking it."));
            if let Some(exit) = handover::ask(ui, context, &id, &command)? {
                return Ok(exit);
            }
            ui.warn(
                "it was not taken up in time; this rollback goes on alone, under a higher fence",
            );
            return Session::alone(ui, context)?.run(&id, command);
        }
        Err(error @ DriverLockError::File { .. }) if purpose != Purpose::Rollback => {
            return Err(CommandError::from_error(Exit::Internal, &error).hint(error.hint()));
        }
        Err(DriverLockError::File { .. }) => None,
    };
    match Session::begin(ui, context, (purpose, early), lock) {
        Ok(session) => {
            // Nobody drives the push: then its way back is driven from here.
            let command = match command {
                Command::Abort { .. } => Command::Resume {
                    rollout: id.clone(),
                    driver: context.driver()?,
                    way: Way::Back,
                },
                other => other,
            };
            session.run(&id, command)
        }
        Err(error) if purpose == Purpose::Rollback => {
            ui.warn(format!("{}; this rollback goes on without the journal", error.message()));
            Session::alone(ui, context)?.run(&id, command)
        }
        Err(error) => Err(error),
    }
}

/// Refuses early, before anything is built, where another process drives.
///
/// # Errors
/// When it does.
pub fn refuse_beside_another(context: &Context) -> Result<(), CommandError> {
    match driver_here(&context.state) {
        None => Ok(()),
        Some(holder) => Err(refused_beside(&holder)),
    }
}

fn refused_beside(holder: &str) -> CommandError {
    CommandError::new(Exit::Refused, "another friday is driving here; nothing was changed")
        .because(holder)
        .hint("`friday status` shows what it does")
        .hint("`friday abort` and `friday rollback` ask it to go back")
}

/// One driver from its start to its end.
struct Session<'a> {
    ui: &'a Ui,
    place: Place,
    controller: Controller,
    chronicle: Chronicle,
    dispatcher: Dispatcher,
    fleet: Fleet,
    inbox: Receiver<Input>,
    progress: Receiver<Progress>,
    doing: BTreeMap<String, String>,
    board: Board,
    drawn: Option<Instant>,
    telling: Telling,
    kept: Kept,
    version: i64,
    interrupt: Interrupt,
    asking: Option<Asking>,
    // Dropped last: what still runs on it is ended before.
    runtime: Runtime,
    _lock: Option<DriverLock>,
}

impl<'a> Session<'a> {
    /// On the journal's file.
    fn begin(
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
    fn alone(ui: &'a Ui, context: &Context) -> Result<Self, CommandError> {
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
    fn run(mut self, id: &RolloutId, command: Command) -> Result<Exit, CommandError> {
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

    fn follow(&mut self, id: &RolloutId) -> Result<Exit, CommandError> {
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
    fn wait(&mut self) -> Result<(), CommandError> {
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
    fn next_input(&self, within: Duration) -> Result<Option<Input>, CommandError> {
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

    fn take(&mut self, input: Input) -> Result<Reply, CommandError> {
        let replies = self.take_all(vec![input])?;
        Ok(replies.into_iter().next().unwrap_or(Reply::Taken))
    }

    fn take_all(&mut self, inputs: Vec<Input>) -> Result<Vec<Reply>, CommandError> {
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

    fn catch_up(&mut self) -> Result<(), CommandError> {
        match turn::catch_up(&mut self.controller, &mut self.place) {
            Ok(_) => self.tell_new(),
            Err(error) => Err(self.stopped(&error)),
        }
    }

    /// The journal cannot be relied on: nothing further happens from here.
    fn stopped(&mut self, error: &TurnError) -> CommandError {
        self.dispatcher.stop();
        self.board.clear();
        CommandError::from_error(Exit::Person, error)
            .because("nothing further starts; a switch that is not confirmed undoes itself")
            .hint("see that the disk is there and has room, then `friday resume`")
            .hint("`friday rollback` works without the journal")
    }

    /// Draws what was journalled since the last time.
    fn tell_new(&mut self) -> Result<(), CommandError> {
        if let Some(why) = self.place.take_lost() {
            self.ui.warn(format!(
                "the journal could not be written ({why}); this rollback goes on without it"
            ));
        }
        for record in self.place.take_fresh() {
            let event = record.event().map_err(|error| damaged(&error))?;
            let lines = self.chronicle.take_in(record.at, &event);
            if self.telling == Telling::Silent {
                continue;
            }
            if self.ui.is_json() {
                let (seq, at, hash) = (record.seq, record.at, record.hash());
                self.ui.json(&serde_json::json!({
                    "record": RecordView { seq, at, hash, event }
                }));
            } else if self.ui.is_live() || !outcome::is_said_at_the_end(&event) {
                self.tell(&lines);
            }
        }
        Ok(())
    }

    /// Above the board, or above a question that waits for its answer.
    fn tell(&self, lines: &[Line]) {
        let Some(asking) = &self.asking else {
            return lines.iter().for_each(|line| self.ui.story_above(&self.board, line));
        };
        if lines.iter().any(|line| self.ui.tells(line)) {
            self.ui.clear_line();
            lines.iter().for_each(|line| self.ui.story(line));
            asking.show(self.ui);
        }
    }

    fn draw(&mut self, id: &RolloutId) {
        while let Ok(progress) = self.progress.try_recv() {
            self.note(progress);
        }
        let back = outcome::taken_back_by(&self.chronicle, id);
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAW_EVERY) {
            return;
        }
        if let Some(view) = back.or(self.chronicle.rollout(id)) {
            self.drawn = Some(Instant::now());
            self.board.draw(view, &self.doing, now());
        }
    }

    fn note(&mut self, progress: Progress) {
        let (host, says) = match progress {
            Progress::Connecting { host } => (host, "connecting".to_owned()),
            Progress::PuttingHostProgram { host, sent, bytes } => {
                let says = format!("putting friday-host there, {} of {}", size(sent), size(bytes));
                (host, says)
            }
            Progress::Shipping { host, done, total, .. } => {
                (host, format!("{} of {}", size(done), size(total)))
            }
            Progress::Disconnected { host, why } => (host, format!("(connection lost: {why})")),
            Progress::Probed { host, failed: Some(why) } => (host, format!("({why})")),
            Progress::Connected { host, .. }
            | Progress::Shipped { host, .. }
            | Progress::Probed { host, failed: None } => {
                self.doing.remove(host.as_str());
                return;
            }
            Progress::HookSays { name, line } => {
                if !self.ui.is_json() && self.asking.is_none() {
                    self.board.pause(|| self.ui.say(format!("  {name}: {line}")));
                }
                return;
            }
        };
        self.doing.insert(host.to_string(), says);
    }

    /// Puts away what friday's own directory need not keep. Without the journal nobody knows what.
    fn prune(&self, id: &RolloutId) {
        let word = self.chronicle.rollout(id).map(|view| view.word);
        let over = matches!(word, Some(RolloutWord::Push | RolloutWord::Rollback));
        if !over || !self.place.is_file() {
            return;
        }
        if let Err(why) = self.kept.prune(self.controller.state(), now()) {
            self.ui.warn(format!("old releases stay in friday's directory: {why}"));
        }
    }

    fn finish(self, id: &RolloutId, exit: Exit) -> Result<Exit, CommandError> {
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

fn noun(command: &Command) -> &'static str {
    match command {
        Command::Push { .. } => "push",
        Command::Rollback { .. } => "rollback",
        Command::Sweep { .. } => "sweep",
        Command::Resume { .. } => "resume",
        Command::Abort { .. } => "abort",
        Command::Hold { .. } => "hold",
        Command::SetLock { lock: Some(_), .. } => "lock",
        Command::SetLock { lock: None, .. } => "unlock",
        Command::SetQuarantine { .. } => "quarantine",
        Command::SetKeeper { .. } => "change of keeper",
        Command::SetOnce { .. } => "move of a process",
        Command::Upgrade { .. } => "upgrade of friday-host",
        Command::Look { .. } => "look",
        Command::ChangeMembers { .. } => "change of the fleet's hosts",
    }
}
