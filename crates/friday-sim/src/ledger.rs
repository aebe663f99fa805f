//! A simulated journal: the real records on a disk that can fail.

use std::collections::BTreeSet;

use friday_core::controller::Controller;
use friday_core::controller::input::Way;
use friday_core::journal::event::Event;
use friday_core::journal::record::JOURNAL_FORMAT;
use friday_core::journal::{AppendError, Position, ReadError, Record, RecordError, Store};
use friday_core::time::Timestamp;
use friday_wire::{JournalId, RolloutId};

/// What the next append comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AppendFault {
    /// It is written, and said so.
    #[default]
    None,
    /// Nothing is written, and said so.
    Fails,
    /// It is written, and nobody says so.
    UnknownWritten,
    /// It is not written, and nobody says so.
    UnknownLost,
    /// The process dies in the middle: only with the atomic turn switched off does a part stay.
    Torn {
        /// How many records stay.
        kept: usize,
    },
}

/// One journal.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    records: Vec<Record>,
    /// Records that a crash would still lose: only with law 3 switched off.
    unsynced: usize,
    pub(crate) syncs: bool,
    pub(crate) next: AppendFault,
    pub(crate) tears: bool,
    /// A walk's word: what the next append comes to that has a record of this kind.
    pub(crate) meddling: Option<(&'static str, AppendFault)>,
    /// The last append was torn by a walk's word.
    pub(crate) tore: bool,
    /// What the records add up to, as far as somebody asked: each is read from the disk once.
    replayed: Option<Box<Controller>>,
}

impl Ledger {
    /// A journal with its first record.
    pub(crate) fn created(id: JournalId, fleet: &str, at: Timestamp) -> Self {
        let event =
            Event::JournalCreated { journal: id, format: JOURNAL_FORMAT, fleet: fleet.to_owned() };
        Self {
            records: vec![Record::after(&Position::START, at, &event)],
            unsynced: 0,
            syncs: true,
            next: AppendFault::None,
            tears: false,
            meddling: None,
            tore: false,
            replayed: None,
        }
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// What a process that starts now makes of it.
    ///
    /// # Errors
    /// A record that does not open or cannot follow.
    pub(crate) fn replayed(&mut self) -> Result<Controller, RecordError> {
        let known = self.replayed.take().filter(|known| self.holds(known.position()));
        let mut known = match known {
            Some(known) => known,
            None => Box::new(Controller::replay(&[])?),
        };
        let from = usize::try_from(known.position().seq).unwrap_or(usize::MAX);
        known.take_in(&self.records[from..])?;
        // Whoever starts looks at all that is owed.
        known.take_touched();
        Ok(self.replayed.insert(known).as_ref().clone())
    }

    fn holds(&self, position: &Position) -> bool {
        let last = usize::try_from(position.seq).ok().and_then(|seq| seq.checked_sub(1));
        last.is_none_or(|last| {
            self.records.get(last).is_some_and(|record| record.position() == *position)
        })
    }

    /// Another process than the driver's writes a record, and says so only once it is on the disk.
    pub(crate) fn write_beside(&mut self, at: Timestamp, event: &Event) {
        let record = Record::after(&self.end(), at, event);
        self.records.push(record);
        if self.unsynced > 0 {
            self.unsynced += 1;
        }
    }

    /// The process that wrote it died.
    pub(crate) fn lose_unsynced(&mut self) {
        self.records.truncate(self.records.len() - self.unsynced);
        self.unsynced = 0;
    }

    fn end(&self) -> Position {
        self.records.last().map_or(Position::START, Record::position)
    }

    fn meddled(&mut self, records: &[Record]) -> Option<AppendFault> {
        self.tore = false;
        let (kind, fault) = self.meddling?;
        let at = records.iter().position(|record| record.kind == kind)?;
        self.meddling = None;
        Some(match fault {
            // What was written up to that record.
            AppendFault::Torn { .. } => {
                self.tore = true;
                AppendFault::Torn { kept: at + 1 }
            }
            fault => fault,
        })
    }

    fn keep(&mut self, records: &[Record]) {
        self.unsynced = if self.syncs { 0 } else { records.len() };
        self.records.extend_from_slice(records);
    }
}

impl Store for Ledger {
    fn append(&mut self, after: &Position, records: &[Record]) -> Result<(), AppendError> {
        if *after != self.end() {
            return Err(AppendError::Moved);
        }
        let fault = std::mem::take(&mut self.next);
        match self.meddled(records).unwrap_or(fault) {
            AppendFault::None => {
                self.keep(records);
                Ok(())
            }
            AppendFault::Fails => Err(AppendError::Failed("no space left on device".to_owned())),
            AppendFault::UnknownWritten => {
                self.keep(records);
                Err(AppendError::Unknown("the disk did not answer".to_owned()))
            }
            AppendFault::UnknownLost => {
                Err(AppendError::Unknown("the disk did not answer".to_owned()))
            }
            AppendFault::Torn { kept } => {
                let kept = if self.tears { kept.min(records.len()) } else { 0 };
                self.keep(&records[..kept]);
                Err(AppendError::Unknown("the process died".to_owned()))
            }
        }
    }

    fn read_after(&mut self, seq: u64) -> Result<Vec<Record>, ReadError> {
        let from = usize::try_from(seq).unwrap_or(usize::MAX).min(self.records.len());
        Ok(self.records[from..].to_vec())
    }
}

/// What an operator learns from a journal: just enough to act plausibly.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    /// Rollouts begun and not ended, in the order they began.
    pub(crate) open: Vec<RolloutId>,
    /// Of these, pushes.
    pub(crate) pushes: BTreeSet<RolloutId>,
    /// Of these, the ones that wait for a person.
    pub(crate) held: BTreeSet<RolloutId>,
    /// The last way chosen.
    pub(crate) way: Option<Way>,
    read: usize,
}

impl Summary {
    /// Takes in one record's event.
    pub(crate) fn take_in(&mut self, event: &Event) {
        match event {
            Event::RolloutBegun { rollout, intent, .. } => {
                self.open.push(rollout.clone());
                if matches!(**intent, friday_core::journal::intent::Intent::Push { .. }) {
                    self.pushes.insert(rollout.clone());
                }
            }
            Event::Held { rollout, .. } => {
                self.held.insert(rollout.clone());
            }
            Event::Resumed { rollout, way, .. } => {
                self.held.remove(rollout);
                self.way = Some(*way);
            }
            Event::RolloutEnded { rollout, .. } => {
                self.open.retain(|open| open != rollout);
                self.held.remove(rollout);
                self.pushes.remove(rollout);
            }
            _ => {}
        }
    }

    /// The events that were appended since it was last asked.
    pub(crate) fn news<'a>(&mut self, ledger: &'a Ledger) -> &'a [Record] {
        let from = self.read.min(ledger.records.len());
        self.read = ledger.records.len();
        &ledger.records[from..]
    }

    /// The open push of this journal.
    pub(crate) fn open_push(&self) -> Option<&RolloutId> {
        self.open.iter().find(|rollout| self.pushes.contains(*rollout))
    }
}
