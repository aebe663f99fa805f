//! A process that does not drive: it reads the journal as others write it, and appends facts of its own.

use friday_core::journal::{AppendError, Event, Position, Record, Store as _};
use friday_core::view::{Chronicle, RolloutWord};
use friday_edge::journal_file::SqliteStore;
use friday_wire::RolloutId;

use super::outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::{damaged, not_opened};
use crate::ui::{Ui, now};

/// Appends tried while others append too.
const TRIES_MAX: u32 = 100;

/// The journal as other processes write it.
pub struct Bystander {
    store: SqliteStore,
    /// What it tells.
    pub chronicle: Chronicle,
    position: Position,
}

impl Bystander {
    /// Opens the journal, and reads it.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn open(context: &Context) -> Result<Self, CommandError> {
        let store = SqliteStore::open_or_create(context.state.path())
            .map_err(|error| not_opened(&error))?;
        let mut bystander =
            Self { store, chronicle: Chronicle::default(), position: Position::START };
        bystander.read(None)?;
        Ok(bystander)
    }

    /// Takes in what is new, and draws it where somebody looks. Gives what is new.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn read(&mut self, ui: Option<&Ui>) -> Result<Vec<Event>, CommandError> {
        let records = self
            .store
            .read_after(self.position.seq)
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        let mut fresh = Vec::with_capacity(records.len());
        for record in &records {
            let event = record.open(&self.position).map_err(|error| damaged(&error))?;
            let lines = self.chronicle.take_in(record.at, &event);
            self.position = record.position();
            let drawn = |ui: &&Ui| ui.is_live() || !outcome::is_said_at_the_end(&event);
            if let Some(ui) = ui.filter(|ui| !ui.is_json()).filter(drawn) {
                lines.iter().for_each(|line| ui.story(line));
            }
            fresh.push(event);
        }
        Ok(fresh)
    }

    /// A push that is under way.
    pub fn open_push(&self) -> Option<RolloutId> {
        let open = self.chronicle.open().find(|view| view.word == RolloutWord::Push);
        open.map(|view| view.rollout.clone())
    }

    /// Appends a fact, which no other fact equals: where it is not known whether it was written, it is looked for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, event: &Event) -> Result<(), CommandError> {
        let mut why = String::new();
        for _ in 0..TRIES_MAX {
            let record = Record::after(&self.position, now(), event);
            match self.store.append(&self.position, &[record]) {
                Ok(()) => return Ok(()),
                Err(AppendError::Moved) => {
                    self.read(None)?;
                }
                Err(error) => {
                    why = error.to_string();
                    if self.read(None)?.contains(event) {
                        return Ok(());
                    }
                }
            }
        }
        Err(CommandError::new(Exit::Internal, "it could not be journalled").because(why))
    }
}
