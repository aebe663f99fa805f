//! Another process drives: it is asked through the journal, and its work is watched from here.

use std::time::{Duration, Instant};

use friday_core::controller::input::Command;
use friday_core::journal::event::Requested;
use friday_core::journal::{AppendError, Event, Position, Record, Store as _};
use friday_core::view::{Chronicle, RolloutWord};
use friday_edge::driver_lock::driver_here;
use friday_edge::identity;
use friday_edge::journal_file::SqliteStore;
use friday_wire::RolloutId;

use super::outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::{damaged, not_opened};
use crate::ui::{Ui, now};

/// A driver that has not taken a request up by then is not going to.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(5);

/// Between looks at the journal.
const POLL: Duration = Duration::from_millis(100);

/// Appends tried while others append too.
const TRIES_MAX: u32 = 100;

/// The journal as another process writes it.
struct Watched {
    store: SqliteStore,
    chronicle: Chronicle,
    position: Position,
}

/// Asks the driver and watches it. `None`: a rollback that it did not take up.
///
/// # Errors
/// When the request cannot be written, an abort is not taken up, or it does not end well.
pub fn ask(
    ui: &Ui,
    context: &Context,
    id: &RolloutId,
    command: &Command,
) -> Result<Option<Exit>, CommandError> {
    let request = match command {
        Command::Abort { reason, .. } => Requested::Abort { reason: reason.clone() },
        Command::Rollback { to, now, reason, .. } => {
            Requested::Rollback { to: *to, now: *now, reason: reason.clone() }
        }
        _ => return Err(CommandError::bug("only an abort or a rollback can be asked for")),
    };
    let is_rollback = matches!(request, Requested::Rollback { .. });
    let mut watched = match Watched::open(context) {
        Ok(watched) => watched,
        Err(_) if is_rollback => return Ok(None),
        Err(error) => return Err(error),
    };
    let push = watched.open_push();
    if push.is_none() && !is_rollback {
        return Err(CommandError::new(Exit::Refused, "there is no push to abort")
            .hint("`friday status` shows what is there"));
    }
    match watched.append(id, &request) {
        Ok(()) => {}
        Err(_) if is_rollback => return Ok(None),
        Err(error) => return Err(error),
    }
    let follow = push.unwrap_or_else(|| id.clone());
    let asked = Instant::now();
    loop {
        watched.read(Some(ui))?;
        // An abort may end a push without a rollback; then only the request is gone. A request for a
        // rollback can be overtaken by the beginning of a push, and is then nobody's.
        let gone_from_list =
            watched.chronicle.requests.iter().all(|request| request.rollout != *id);
        let taken_up = watched.chronicle.rollout(id).is_some() || (gone_from_list && !is_rollback);
        if let Some(exit) = outcome::over(&watched.chronicle, &follow) {
            return finish(&watched.chronicle, &follow, exit).map(Some);
        }
        let in_time = asked.elapsed() < TAKEN_UP_WITHIN;
        let gone = driver_here(&context.state).is_none();
        if !taken_up && (!in_time || gone) {
            return if is_rollback { Ok(None) } else { Err(not_taken_up()) };
        }
        if taken_up && gone {
            return Err(driver_gone());
        }
        std::thread::sleep(POLL);
    }
}

impl Watched {
    fn open(context: &Context) -> Result<Self, CommandError> {
        let store = SqliteStore::open_or_create(context.state.path())
            .map_err(|error| not_opened(&error))?;
        let mut watched =
            Self { store, chronicle: Chronicle::default(), position: Position::START };
        watched.read(None)?;
        Ok(watched)
    }

    /// Takes in what is new, and draws it where somebody looks.
    fn read(&mut self, ui: Option<&Ui>) -> Result<(), CommandError> {
        let records = self
            .store
            .read_after(self.position.seq)
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        for record in &records {
            let event = record.open(&self.position).map_err(|error| damaged(&error))?;
            let lines = self.chronicle.take_in(record.at, &event);
            self.position = record.position();
            let drawn = |ui: &&Ui| ui.is_live() || !outcome::is_said_at_the_end(&event);
            if let Some(ui) = ui.filter(|ui| !ui.is_json()).filter(drawn) {
                lines.iter().for_each(|line| ui.story(line));
            }
        }
        Ok(())
    }

    fn open_push(&self) -> Option<RolloutId> {
        let open = self.chronicle.open().find(|view| view.word == RolloutWord::Push);
        open.map(|view| view.rollout.clone())
    }

    fn append(&mut self, id: &RolloutId, request: &Requested) -> Result<(), CommandError> {
        let event = Event::Requested {
            rollout: id.clone(),
            person: identity::person(),
            request: request.clone(),
        };
        let mut why = String::new();
        for _ in 0..TRIES_MAX {
            let record = Record::after(&self.position, now(), &event);
            match self.store.append(&self.position, &[record]) {
                Ok(()) => return Ok(()),
                Err(AppendError::Moved) => self.read(None)?,
                Err(error) => {
                    why = error.to_string();
                    self.read(None)?;
                    if self.chronicle.requests.iter().any(|known| known.rollout == *id) {
                        return Ok(());
                    }
                }
            }
        }
        Err(CommandError::new(Exit::Internal, "the request could not be journalled").because(why))
    }
}

/// Who asked for the way back got what was asked for.
fn finish(chronicle: &Chronicle, follow: &RolloutId, exit: Exit) -> Result<Exit, CommandError> {
    let exit = if exit == Exit::TakenBack { Exit::Done } else { exit };
    match outcome::complaint(chronicle, follow, exit) {
        None => Ok(exit),
        Some(error) => Err(error),
    }
}

fn not_taken_up() -> CommandError {
    CommandError::new(Exit::Person, "whoever drives the push did not take the abort up")
        .hint("`friday rollback` needs nobody")
        .hint("`friday status` shows who drives")
}

fn driver_gone() -> CommandError {
    CommandError::new(Exit::Person, "the friday that drove it ended before it was done")
        .hint("`friday resume --back` goes on, `friday rollback` too")
}
