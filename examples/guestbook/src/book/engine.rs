//! The two databases that can keep a book.
//!
//! They differ in how a transaction begins, in how a parameter is written and in little else.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use postgres::{Client, NoTls};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{Entry, Made, Shown};
use crate::address::Address;
use crate::schema::{Dialect, Schema};

/// How long a writer waits for another one, and a connection for its server.
const PATIENCE: Duration = Duration::from_secs(5);

/// Held by whoever makes or reshapes a book on PostgreSQL: three hosts may begin at once.
const LOCK: &str = "select pg_advisory_xact_lock(7073867)";

/// The book cannot be read or written.
#[derive(Debug)]
pub struct StorageError(String);

impl StorageError {
    /// For a reason of our own.
    pub fn refusal(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StorageError {}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<postgres::Error> for StorageError {
    fn from(error: postgres::Error) -> Self {
        // The server's own words say what is wrong; the driver's alone do not.
        Self(error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned()))
    }
}

/// An open database.
pub enum Engine {
    /// SQLite.
    Sqlite(Connection),
    /// PostgreSQL: the connection, and where a lost one is made anew.
    Postgres(Box<Client>, String),
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({:?})", self.dialect())
    }
}

impl Engine {
    /// Opens it; SQLite's file is made where it is missing.
    pub fn open(address: &Address) -> Result<Self, StorageError> {
        match address {
            Address::Sqlite(path) => open_file(path).map(Self::Sqlite),
            Address::Postgres(url) => Ok(Self::Postgres(Box::new(connect(url)?), url.clone())),
        }
    }

    /// Which it is.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(..) => Dialect::Postgres,
        }
    }

    /// Makes a book where there is none, and brings it to a shape.
    pub fn make(&mut self, first: &str, schema: Schema) -> Result<Made, StorageError> {
        let steps: Vec<&str> = schema.way_from(1).map(Schema::step).collect();
        let (steps, number) = (steps.join(";"), schema.number());
        let note = format!("update shape set number = {number}");
        match self {
            Self::Sqlite(connection) => {
                let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let sql = "select 1 from sqlite_schema where name = 'entry'";
                if all.query_row(sql, [], |_| Ok(())).optional()?.is_some() {
                    return Ok(Made::Before);
                }
                all.execute_batch(&format!("{first};{steps};{note}"))?;
                all.commit()?;
            }
            Self::Postgres(client, _) => {
                let mut all = client.transaction()?;
                all.execute(LOCK, &[])?;
                let row = all.query_one("select to_regclass('entry') is not null", &[])?;
                if row.get(0) {
                    return Ok(Made::Before);
                }
                all.batch_execute(&format!("{first};{steps};{note}"))?;
                all.commit()?;
            }
        }
        Ok(Made::Now)
    }

    /// Runs what `plan` makes of the number of the book's shape, and notes the new one, in one transaction.
    pub fn reshape(
        &mut self,
        plan: impl FnOnce(i64) -> Result<(String, i64), StorageError>,
    ) -> Result<(), StorageError> {
        const NUMBER: &str = "select number from shape";
        let note = |number: i64| format!("update shape set number = {number}");
        match self {
            Self::Sqlite(connection) => {
                let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let (steps, number) = plan(all.query_row(NUMBER, [], |row| row.get(0))?)?;
                all.execute_batch(&format!("{steps};{}", note(number)))?;
                all.commit()?;
            }
            Self::Postgres(client, _) => {
                let mut all = client.transaction()?;
                all.execute(LOCK, &[])?;
                let (steps, number) = plan(all.query_one(NUMBER, &[])?.try_get(0)?)?;
                all.batch_execute(&format!("{steps};{}", note(number)))?;
                all.commit()?;
            }
        }
        Ok(())
    }

    /// Runs a statement.
    pub fn run(&mut self, sql: &str) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql)?,
            Self::Postgres(client, _) => client.batch_execute(sql)?,
        }
        Ok(())
    }

    /// Writes an entry with so many cents, and adds what was given to the jar.
    pub fn sign(
        &mut self,
        entry: &Entry,
        written: i64,
        schema: Schema,
    ) -> Result<(), StorageError> {
        const FILL: &str = "update jar set cents = cents + $1";
        let insert = match schema.has_places() {
            true => {
                "insert into entry (name, words, gift, place) values ($1, $2, $3, nullif($4, ''))"
            }
            false => "insert into entry (name, words, gift) values ($1, $2, $3)",
        };
        let Entry { name, words, place, gift, .. } = entry;
        match self {
            Self::Sqlite(connection) => {
                let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                match schema.has_places() {
                    true => all.execute(insert, (name, words, written, place))?,
                    false => all.execute(insert, (name, words, written))?,
                };
                all.execute(FILL, (gift,))?;
                all.commit()?;
            }
            Self::Postgres(..) => {
                let mut all = self.server()?.transaction()?;
                match schema.has_places() {
                    true => all.execute(insert, &[name, words, &written, place])?,
                    false => all.execute(insert, &[name, words, &written])?,
                };
                all.execute(FILL, &[gift])?;
                all.commit()?;
            }
        }
        Ok(())
    }

    /// The newest entries with all that a release reads, and the jar.
    pub fn shown(&mut self, schema: Schema, most: i64) -> Result<Shown, StorageError> {
        const JAR: &str = "select cents from jar";
        let time = match (schema.has_times(), self.dialect()) {
            (false, _) => "''",
            (true, Dialect::Sqlite) => "strftime('%Y-%m-%d %H:%M', at, 'unixepoch')",
            (true, Dialect::Postgres) => {
                "to_char(to_timestamp(at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI')"
            }
        };
        let place = if schema.has_places() { "coalesce(place, '')" } else { "''" };
        let select = format!(
            "select name, words, gift, {time}, {place} from entry order by id desc limit $1"
        );
        match self {
            Self::Sqlite(connection) => {
                let mut select = connection.prepare_cached(&select)?;
                let rows = select.query_map([most], |row| {
                    Ok(Entry {
                        name: row.get(0)?,
                        words: row.get(1)?,
                        gift: row.get(2)?,
                        at: row.get(3)?,
                        place: row.get(4)?,
                    })
                })?;
                let entries = rows.collect::<Result<_, _>>()?;
                let jar = connection.query_row(JAR, [], |row| row.get(0))?;
                Ok(Shown { entries, jar })
            }
            Self::Postgres(..) => {
                let client = self.server()?;
                let rows = client.query(&select, &[&most])?;
                let entries = rows.iter().map(|row| {
                    Ok(Entry {
                        name: row.try_get(0)?,
                        words: row.try_get(1)?,
                        gift: row.try_get(2)?,
                        at: row.try_get(3)?,
                        place: row.try_get(4)?,
                    })
                });
                let entries = entries.collect::<Result<_, postgres::Error>>()?;
                let jar = client.query_one(JAR, &[])?.try_get(0)?;
                Ok(Shown { entries, jar })
            }
        }
    }

    /// The connection to a server, a new one where it was lost: servers are restarted.
    fn server(&mut self) -> Result<&mut Client, StorageError> {
        match self {
            Self::Postgres(client, url) => {
                if client.is_closed() {
                    **client = connect(url)?;
                }
                Ok(client)
            }
            Self::Sqlite(_) => Err(StorageError::refusal("a file is no server")),
        }
    }
}

fn open_file(path: &Path) -> Result<Connection, StorageError> {
    if let Some(directory) = path.parent() {
        let made = std::fs::create_dir_all(directory);
        let dir = directory.display();
        made.map_err(|error| StorageError(format!("cannot make {dir}: {error}")))?;
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    Ok(connection)
}

fn connect(url: &str) -> Result<Client, StorageError> {
    let mut config: postgres::Config = url.parse()?;
    config.connect_timeout(PATIENCE).application_name("guestbook");
    Ok(config.connect(NoTls)?)
}
