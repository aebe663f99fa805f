//! The controller: one fleet's driver as a state machine without I/O.
//!
//! Calling order: [`Controller::replay`] once; then for each input [`turn::turn`], which drafts,
//! appends, commits; after it the shell begins what [`Controller::owed`] lists and is not in flight,
//! and ends what is in flight and no longer owed. Wake it at [`Controller::next_wakeup`].

pub mod effect;
pub mod input;
pub mod turn;

use std::collections::BTreeMap;

use effect::{EffectId, Owed};

use crate::journal::{Position, Record, RecordError};
use crate::time::Timestamp;

/// The fold over a journal, and what it owes.
#[derive(Debug, Clone)]
pub struct Controller {
    position: Position,
    owed: BTreeMap<EffectId, Owed>,
}

impl Controller {
    /// From a journal's records, from the first on.
    ///
    /// # Errors
    /// The first record that is damaged or illegal.
    pub fn replay(records: &[Record]) -> Result<Self, RecordError> {
        let mut controller = Self { position: Position::START, owed: BTreeMap::new() };
        controller.take_in(records)?;
        Ok(controller)
    }

    /// Takes in records that follow the last.
    ///
    /// # Errors
    /// The first record that is damaged or illegal; those before it were taken in.
    pub fn take_in(&mut self, records: &[Record]) -> Result<(), RecordError> {
        for record in records {
            let _ = record.open(&self.position)?;
            self.position = record.position();
        }
        Ok(())
    }

    /// Where the journal ends, as far as was taken in.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Every effect that is owed now. Begin those not in flight; end those in flight and not here.
    pub fn owed(&self) -> &BTreeMap<EffectId, Owed> {
        &self.owed
    }

    /// When to hand in `Woke`.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        None
    }
}
