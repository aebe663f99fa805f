//! The entries and the jar. The only place that writes SQL, beside the shapes in [`crate::schema`].
//!
//! What each gift adds to the jar is added in the transaction that writes its entry: whoever sums the gifts of all
//! entries finds what the jar holds.

mod engine;
#[cfg(test)]
mod tests;

use crate::address::Address;
use crate::look::Look;
use crate::schema::Schema;
use engine::Engine;
pub use engine::StorageError;

/// Entries shown on the page: enough to see that the book is kept, and one screen long.
const SHOWN: i64 = 50;

/// What a new book begins with: name, words, place, cents.
const SEED: [(&str, &str, i64); 4] = [
    ("Ada", "A lovely house. The engine in the cellar computes by itself.", 1250),
    ("Grace", "Found a moth behind the wardrobe; it is in the book now.", 2000),
    ("Alan", "Is anybody there? I could not tell by the answers.", 575),
    ("Barbara", "The other guests may take my place at any time.", 375),
];

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Who signed.
    pub name: String,
    /// What they wrote.
    pub words: String,
    /// Where they are from; empty where the book does not know.
    pub place: String,
    /// What they gave, cents.
    pub gift: i64,
    /// When, `2026-11-20 17:04`, UTC; empty where the book does not know, and for a new one.
    pub at: String,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The newest entries, newest first.
    pub entries: Vec<Entry>,
    /// What is in the jar, cents.
    pub jar: i64,
}

/// Whether a book was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was made now.
    Now,
    /// It was there, and was left as it is.
    Before,
}

/// An open book, and how a release works with it.
#[derive(Debug)]
pub struct Book {
    engine: Engine,
    schema: Schema,
    rounds_gifts: bool,
}

impl Book {
    /// Opens it. A new book gets the shape that this release needs; one that is there keeps its own, until
    /// somebody migrates it.
    pub fn open(address: &Address, look: &Look) -> Result<Self, StorageError> {
        Self::open_or_make(address, look).map(|(book, _)| book)
    }

    /// As [`Book::open`]; a new book gets a few entries.
    pub fn init(address: &Address, look: &Look) -> Result<Made, StorageError> {
        let (mut book, made) = Self::open_or_make(address, look)?;
        if made == Made::Now {
            for (name, words, gift) in SEED {
                let (name, words) = (name.to_owned(), words.to_owned());
                book.sign(&Entry { name, words, gift, ..Entry::default() })?;
            }
        }
        Ok(made)
    }

    fn open_or_make(address: &Address, look: &Look) -> Result<(Self, Made), StorageError> {
        let mut engine = Engine::open(address)?;
        let first = Schema::first(engine.dialect());
        let made = engine.make(&first, look.schema)?;
        Ok((Self { engine, schema: look.schema, rounds_gifts: look.rounds_gifts }, made))
    }

    /// Brings the book to the shape that this release needs. One that is further stays as it is.
    pub fn migrate(&mut self) -> Result<(), StorageError> {
        let schema = self.schema;
        self.engine.reshape(|number| {
            let steps: Vec<&str> = schema.way_from(number).map(Schema::step).collect();
            Ok((steps.join(";"), number.max(schema.number())))
        })
    }

    /// Undoes what [`Book::migrate`] of this release did.
    pub fn migrate_back(&mut self) -> Result<(), StorageError> {
        let schema = self.schema;
        self.engine.reshape(|number| {
            if number != schema.number() {
                return Ok((String::new(), number));
            }
            let step = schema.step_back().ok_or_else(|| {
                StorageError::refusal("this migration cannot be undone: what it removed is gone")
            })?;
            Ok((step.to_owned(), schema.number().max(2) - 1))
        })
    }

    /// What a release does with the book before it serves. Only the one that damages it does anything.
    pub fn tidy(&mut self) -> Result<(), StorageError> {
        // Rounded are the gifts alone: the jar still holds every cent.
        if self.rounds_gifts {
            self.engine.run("update entry set gift = gift / 100 * 100")
        } else {
            Ok(())
        }
    }

    /// Adds an entry, and its gift to the jar.
    pub fn sign(&mut self, entry: &Entry) -> Result<(), StorageError> {
        let written = if self.rounds_gifts { entry.gift / 100 * 100 } else { entry.gift };
        self.engine.sign(entry, written, self.schema)
    }

    /// The newest entries, and the jar.
    pub fn shown(&mut self) -> Result<Shown, StorageError> {
        self.engine.shown(self.schema, SHOWN)
    }

    /// Whether the database answers with all that this release reads.
    pub fn check(&mut self) -> Result<(), StorageError> {
        self.engine.shown(self.schema, 1).map(drop)
    }
}
