//! Where the driver's records go: the journal's file; or memory, for a rollback that must run although
//! the journal cannot be written. What hosts recorded of such a rollback enters the journal with the
//! next look at them.

use friday_core::journal::{AppendError, Position, ReadError, Record, Store};
use friday_edge::journal_file::SqliteStore;

/// What to do when the file cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutFile {
    /// Stop: nothing may happen that is not journalled.
    Stop,
    /// Go on in memory: a rollback is always allowed.
    GoOn,
}

/// A store that also remembers what is new, for whoever draws it.
#[derive(Debug)]
pub struct Place {
    file: Option<SqliteStore>,
    without_file: WithoutFile,
    memory: Vec<Record>,
    fresh: Vec<Record>,
    taken: u64,
    lost: Option<String>,
}

impl Place {
    /// The journal's file.
    pub fn file(store: SqliteStore, without_file: WithoutFile) -> Self {
        Self { file: Some(store), without_file, ..Self::memory() }
    }

    /// Memory only.
    pub fn memory() -> Self {
        Self {
            file: None,
            without_file: WithoutFile::GoOn,
            memory: Vec::new(),
            fresh: Vec::new(),
            taken: 0,
            lost: None,
        }
    }

    /// The records that were not taken before.
    pub fn take_fresh(&mut self) -> Vec<Record> {
        let fresh = std::mem::take(&mut self.fresh);
        self.taken = fresh.last().map_or(self.taken, |record| record.seq);
        fresh
    }

    /// Why the file was given up, told once.
    pub fn take_lost(&mut self) -> Option<String> {
        self.lost.take()
    }

    /// Goes on in memory where that is allowed; says whether it is.
    pub fn give_up(&mut self, why: &str) -> bool {
        if self.without_file == WithoutFile::GoOn && self.file.take().is_some() {
            self.lost = Some(why.to_owned());
        }
        self.without_file == WithoutFile::GoOn
    }

    /// Whether records still go to the file.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// A number that changes when another process appended; 0 without a file.
    pub fn version(&self) -> i64 {
        // One that cannot be read is noticed at the next append.
        self.file.as_ref().and_then(|file| file.data_version().ok()).unwrap_or(0)
    }

    fn note(&mut self, records: &[Record]) {
        let known = self.fresh.last().map_or(self.taken, |record| record.seq);
        self.fresh.extend(records.iter().filter(|record| record.seq > known).cloned());
    }
}

impl Store for Place {
    fn append(&mut self, after: &Position, records: &[Record]) -> Result<(), AppendError> {
        let appended = match &mut self.file {
            Some(file) => file.append(after, records),
            None => Ok(()),
        };
        match appended {
            Ok(()) => {}
            Err(AppendError::Failed(why)) if self.give_up(&why) => {}
            Err(error) => return Err(error),
        }
        if self.file.is_none() {
            self.memory.extend_from_slice(records);
        }
        self.note(records);
        Ok(())
    }

    fn read_after(&mut self, seq: u64) -> Result<Vec<Record>, ReadError> {
        let records = match &mut self.file {
            Some(file) => file.read_after(seq)?,
            None => self.memory.iter().filter(|record| record.seq > seq).cloned().collect(),
        };
        self.note(&records);
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use friday_core::journal::Event;
    use friday_core::time::Timestamp;
    use friday_wire::JournalId;

    fn record(after: &Position) -> Record {
        let journal = JournalId::new("j-1");
        let event = Event::JournalCreated { journal, format: 1, fleet: "shop".to_owned() };
        Record::after(after, Timestamp(0), &event)
    }

    #[test]
    fn memory_keeps_what_is_appended_and_tells_it_once() {
        let mut place = Place::memory();
        let first = record(&Position::START);
        let second = record(&first.position());
        place.append(&Position::START, &[first.clone(), second.clone()]).expect("memory");
        assert_eq!(place.read_after(1).expect("memory"), std::slice::from_ref(&second));
        assert_eq!(place.take_fresh(), [first, second]);
        assert_eq!(place.read_after(0).expect("memory").len(), 2);
        assert!(place.take_fresh().is_empty());
    }

    #[test]
    fn a_rollback_goes_on_without_the_file_and_a_push_stops() {
        let directory = tempfile::tempdir().expect("a directory");
        let read_only = |without_file| {
            drop(SqliteStore::open_or_create(directory.path()).expect("made"));
            let store = SqliteStore::open_read_only(directory.path()).expect("opened");
            Place::file(store, without_file)
        };
        let first = record(&Position::START);
        let mut push = read_only(WithoutFile::Stop);
        let failed = push.append(&Position::START, std::slice::from_ref(&first));
        assert!(matches!(failed, Err(AppendError::Failed(_))), "{failed:?}");
        let mut rollback = read_only(WithoutFile::GoOn);
        rollback.append(&Position::START, std::slice::from_ref(&first)).expect("goes on");
        assert!(!rollback.is_file());
        assert!(rollback.take_lost().is_some());
        assert_eq!(rollback.take_fresh(), [first]);
        assert!(rollback.give_up("a full disk"), "it has already");
        assert_eq!(rollback.take_lost(), None, "told once");
        assert!(!push.give_up("a full disk"));
        assert!(push.is_file());
    }
}
