//! The journal for commands that look: opened without writing, folded for people.

use friday_core::journal::event::Event;
use friday_core::journal::intent::Intent;
use friday_core::journal::{Position, Record, RecordError, Store as _};
use friday_core::time::Timestamp;
use friday_core::view::chronicle::ReleaseView;
use friday_core::view::{Chronicle, Line, Paces};
use friday_edge::journal_file::{OpenJournalError, SqliteStore};
use friday_edge::stock::Stock;
use friday_wire::{Digest, ReleaseId, RolloutId, SecretsVersion};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

/// The fewest digits that name a release: fewer are more likely a label.
const PREFIX_MIN: usize = 4;

/// A journal that was read to its end, or to where it is damaged.
#[derive(Debug, Default)]
pub struct Journal {
    /// What it adds up to.
    pub chronicle: Chronicle,
    /// How long its pushes took.
    pub paces: Paces,
    /// Its records.
    pub records: Vec<Record>,
    /// What they say, in order.
    pub lines: Vec<Line>,
    /// Where it ends.
    pub end: Option<Position>,
    /// The first record that is not what friday wrote. Nothing after it was taken in.
    pub damage: Option<RecordError>,
}

impl Journal {
    /// Reads the journal; an empty one where there is none yet.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub fn read(context: &Context) -> Result<Self, CommandError> {
        let mut store = match SqliteStore::open_read_only(context.state.path()) {
            Ok(store) => store,
            Err(OpenJournalError::Missing { .. }) => {
                let mut journal = Self::default();
                journal.take_labels(context);
                return Ok(journal);
            }
            Err(error) => return Err(not_opened(&error)),
        };
        let records = store
            .read_after(0)
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        let mut journal = Self::fold(records);
        journal.take_labels(context);
        Ok(journal)
    }

    /// Releases that hosts run and this journal never pushed are called what the stock calls them:
    /// after a lost journal people still know them by name.
    fn take_labels(&mut self, context: &Context) {
        let releases = &mut self.chronicle.releases;
        let nameless = releases.is_empty() || releases.values().any(|known| known.label.is_none());
        if !nameless || !context.state.path().join("releases").is_dir() {
            return;
        }
        // A stock that cannot be read names nothing; what needs its files will say so.
        let stocked = Stock::open(&context.state).and_then(|stock| stock.releases());
        for stocked in stocked.unwrap_or_default() {
            let known = releases.entry(stocked.release).or_insert(ReleaseView {
                release: stocked.release,
                label: None,
                first_pushed: None,
                stable_since: None,
                quarantined: None,
            });
            known.label.get_or_insert(stocked.label);
        }
    }

    /// As `read`, and refuses a damaged one.
    ///
    /// # Errors
    /// As `read`, or the damage.
    pub fn read_whole(context: &Context) -> Result<Self, CommandError> {
        let journal = Self::read(context)?;
        match &journal.damage {
            None => Ok(journal),
            Some(damage) => Err(damaged(damage)),
        }
    }

    /// Folds records.
    pub fn fold(records: Vec<Record>) -> Self {
        let mut journal = Self::default();
        let mut position = Position::START;
        for record in &records {
            match record.open(&position) {
                Ok(event) => {
                    journal.lines.extend(journal.chronicle.take_in(record.at, &event));
                    journal.paces.take_in(record.at, &event);
                    position = record.position();
                }
                Err(damage) => {
                    journal.damage = Some(damage);
                    break;
                }
            }
        }
        journal.end = (position.seq > 0).then_some(position);
        journal.records = records;
        journal
    }

    /// The release that a person named: by its label, or by the first digits of its identity.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn release(&self, named: &str) -> Result<ReleaseId, CommandError> {
        if let Ok(digest) = named.parse::<Digest>() {
            return Ok(ReleaseId(digest));
        }
        let releases = &self.chronicle.releases;
        let labelled = releases.values().filter(|known| known.label.as_deref() == Some(named));
        // The same label twice means the later one: people reuse `main` and `latest`.
        let newest = labelled.max_by_key(|known| known.first_pushed.unwrap_or(Timestamp(0)));
        if let Some(known) = newest {
            return Ok(known.release);
        }
        let matching: Vec<ReleaseId> = releases
            .keys()
            .filter(|release| {
                named.len() >= PREFIX_MIN && release.to_string().starts_with(&named.to_lowercase())
            })
            .copied()
            .collect();
        match matching.as_slice() {
            [one] => Ok(*one),
            [] => Err(CommandError::new(Exit::Usage, format!("no release is called `{named}`"))
                .hint("see `friday history --releases`")),
            many => Err(CommandError::new(
                Exit::Usage,
                format!("`{named}` could be any of {} releases", many.len()),
            )
            .hint("write more of its digits")),
        }
    }

    /// The secrets that a release was last pushed with.
    pub fn secrets_of(&self, release: &ReleaseId) -> Option<SecretsVersion> {
        self.records.iter().rev().find_map(|record| match record.event().ok()? {
            Event::RolloutBegun { intent, .. } => match *intent {
                Intent::Push { plan } if plan.release == *release => Some(plan.secrets),
                _ => None,
            },
            _ => None,
        })?
    }

    /// The rollout that a person named; the last acting one without a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn rollout(&self, named: Option<&str>) -> Result<RolloutId, CommandError> {
        let found = match named {
            None => self.chronicle.last_acting(),
            Some(named) => {
                let ends = |id: &RolloutId| id.as_str() == named || id.as_str().ends_with(named);
                self.chronicle.rollouts.iter().rev().find(|rollout| ends(&rollout.rollout))
            }
        };
        found.map(|rollout| rollout.rollout.clone()).ok_or_else(|| {
            let says = match named {
                None => "there was no rollout yet".to_owned(),
                Some(named) => format!("no rollout is called `{named}`"),
            };
            CommandError::new(Exit::Usage, says).hint("see `friday history`")
        })
    }
}

/// Why the journal could not be opened.
pub fn not_opened(error: &OpenJournalError) -> CommandError {
    CommandError::from_error(Exit::Internal, error).hint(error.hint())
}

/// What a damaged journal means.
pub fn damaged(damage: &RecordError) -> CommandError {
    CommandError::new(Exit::Internal, "the journal is damaged")
        .because(damage.to_string())
        .hint("move `.friday/journal.db` away with its `-wal` and `-shm`, and keep it: friday makes a new one from what the hosts know")
        .hint("`friday rollback` works without it; `friday log` shows what can be read")
}
