//! The controller: one fleet's driver as a state machine without I/O.
//!
//! Calling order: [`Controller::replay`] once; then for each input [`turn::turn`], which drafts,
//! appends, commits; after it the shell begins what [`Controller::owed`] lists and is not in flight,
//! and ends what is in flight and no longer owed. Wake it at [`Controller::next_wakeup`]. Time comes
//! in with each input and must not run backwards within a process.

pub mod command;
pub mod draft;
pub mod effect;
pub mod index;
pub mod input;
pub mod turn;

use std::collections::{BTreeMap, BTreeSet};

use draft::Draft;
use effect::{EffectId, Owed};
use index::Index;

use crate::journal::{Event, Position, Record, RecordError};
use crate::rollout::decide::{self, Memory, View};
use crate::state::State;
use crate::time::Timestamp;

/// Records taken in before anybody asks what is owed.
const RECORDS_AT_ONCE: usize = 1_024;

/// The fold over a journal, and what it owes.
#[derive(Debug, Clone)]
pub struct Controller {
    state: State,
    index: Index,
    memory: Memory,
}

impl Controller {
    /// From a journal's records, from the first on.
    ///
    /// # Errors
    /// The first record that is damaged or illegal.
    pub fn replay(records: &[Record]) -> Result<Self, RecordError> {
        let mut controller =
            Self { state: State::default(), index: Index::default(), memory: Memory::default() };
        controller.take_in(records)?;
        Ok(controller)
    }

    /// Takes in records that follow the last.
    ///
    /// # Errors
    /// The first record that is damaged or illegal; those before it were taken in.
    pub fn take_in(&mut self, records: &[Record]) -> Result<(), RecordError> {
        // What is owed is asked of the state after many records, not after each: that takes as long as
        // the fleet. Not after all of them, because so many events are not to be held at once.
        for some in records.chunks(RECORDS_AT_ONCE) {
            let mut events = Vec::with_capacity(some.len());
            let opened = some.iter().try_for_each(|record| {
                events.push(self.take_in_one(record)?);
                Ok(())
            });
            self.index.follow(&self.state, &events);
            opened?;
        }
        Ok(())
    }

    fn take_in_one(&mut self, record: &Record) -> Result<Event, RecordError> {
        let event = record.open(&self.state.position)?;
        self.state.apply(record.position(), record.at, &event).map_err(|why| {
            RecordError::Illegal { seq: record.seq, kind: record.kind.clone(), why }
        })?;
        Ok(event)
    }

    /// Takes over a draft whose records are in the journal.
    fn commit(&mut self, draft: Draft) {
        let (state, memory, events) = draft.into_parts();
        self.state = state;
        self.memory = memory;
        self.index.follow(&self.state, &events);
    }

    /// Where the journal ends, as far as was taken in.
    pub fn position(&self) -> &Position {
        &self.state.position
    }

    /// Everything friday knows.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Every effect that is owed now. Begin those not in flight; end those in flight and not here.
    pub fn owed(&self) -> &BTreeMap<EffectId, Owed> {
        self.index.owed()
    }

    /// Ids of effects that came to be owed or ceased to be since this was last asked, so that nobody
    /// need compare all of them. One that came and went meanwhile may be among them.
    pub fn take_touched(&mut self) -> BTreeSet<EffectId> {
        self.index.take_touched()
    }

    /// When to hand in `Woke`.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.state
            .driven()
            .filter_map(|rollout| {
                let view =
                    View { state: &self.state, memory: &self.memory, rollout, now: Timestamp(0) };
                decide::next_wakeup(view)
            })
            .min()
    }
}
