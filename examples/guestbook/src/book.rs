//! The entries, in SQLite. The only place that writes SQL.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// The file in the data directory.
const FILE: &str = "guestbook.sqlite";

/// Entries shown on the page: enough to see that the book is kept, and one screen long.
const SHOWN: u32 = 50;

/// Schema steps, in order. `user_version` counts how many are done; a step is never changed later.
const STEPS: [&str; 1] = ["create table entry (
    id integer primary key,
    at integer not null default (unixepoch()),
    name text not null,
    words text not null
) strict"];

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who signed.
    pub name: String,
    /// What they wrote.
    pub words: String,
    /// When, `2026-11-20 17:04`, UTC.
    pub at: String,
}

/// An open database, at the schema that this version needs.
#[derive(Debug)]
pub struct Book {
    connection: Connection,
}

impl Book {
    /// Opens the database in a directory, makes both where they are missing, and brings the schema up
    /// to date. Steps only ever add, so the release before can go on beside it.
    pub fn open(directory: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        std::fs::create_dir_all(directory)
            .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        let mut connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let steps =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let done: u32 = steps.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for step in STEPS.iter().skip(done as usize) {
            steps.execute_batch(step)?;
        }
        steps.pragma_update(None, "user_version", done.max(STEPS.len() as u32))?;
        steps.commit()?;
        Ok(Self { connection })
    }

    /// Adds an entry.
    pub fn sign(&self, name: &str, words: &str) -> rusqlite::Result<()> {
        self.connection
            .execute("insert into entry (name, words) values (?1, ?2)", (name, words))
            .map(|_| ())
    }

    /// The newest entries, newest first.
    pub fn newest(&self) -> rusqlite::Result<Vec<Entry>> {
        let mut select = self.connection.prepare_cached(
            "select name, words, strftime('%Y-%m-%d %H:%M', at, 'unixepoch')
             from entry order by id desc limit ?1",
        )?;
        let rows = select.query_map([SHOWN], |row| {
            Ok(Entry { name: row.get(0)?, words: row.get(1)?, at: row.get(2)? })
        })?;
        rows.collect()
    }

    /// Whether the database answers and has its table.
    pub fn check(&self) -> rusqlite::Result<()> {
        self.connection.query_row("select count(*) from entry", [], |_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_entries_and_opens_again() {
        let directory = std::env::temp_dir().join(format!("guestbook-test-{}", std::process::id()));
        let book = Book::open(&directory).expect("a new book opens");
        book.sign("Anna", "first").expect("signing works");
        book.sign("Bela", "second").expect("signing works");
        drop(book);
        let book = Book::open(&directory).expect("an existing book opens");
        let names: Vec<String> =
            book.newest().expect("reading works").into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["Bela", "Anna"]);
        assert!(book.check().is_ok());
        book.connection.execute_batch("drop table entry").expect("the table goes");
        assert!(book.check().is_err(), "a book without its table is not healthy");
        drop(book);
        std::fs::remove_dir_all(&directory).expect("the directory goes");
    }
}
