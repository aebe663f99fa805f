//! Checks of a restored copy: amcheck in each database that has it, else every table is read once.
//!
//! With data checksums, reading a page proves it. A standby that stopped at its target takes no writes, so no extension
//! can be made there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use friday_wire::data::Check;

use super::address::Address;
use super::base::Base;
use super::error::PostgresError;
use super::scratch::Sockets;
use super::server::Server;
use crate::course::{Course, Watch, ms};

/// So many are looked at at the same time, where the host has as many processors: more would be in the way of the
/// live database.
const LANES: usize = 4;

/// How often is said how far it is.
const LOOK: Duration = Duration::from_millis(10);

/// Checks everything.
///
/// # Errors
/// [`PostgresError::Damaged`] with the first damage.
pub fn check(sockets: &Sockets, base: &Base, course: &Course) -> Result<Vec<Check>, PostgresError> {
    let watch = course.watch();
    let first = Server::connect(&sockets.address(&base.bootstrap, "postgres"), watch)
        .or_else(|_| Server::connect(&sockets.address(&base.bootstrap, "template1"), watch))?;
    let doing = "listing the databases of the copy";
    let sql = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname";
    let databases: Vec<String> =
        first.rows(watch, doing, sql)?.into_iter().flatten().flatten().collect();
    let began = Instant::now();
    let (mut indexes, mut tables, mut read) = (0, 0, 0);
    for database in &databases {
        let address = sockets.address(&base.bootstrap, database);
        let looks = looks(&Server::connect(&address, watch)?, watch)?;
        for look in &looks {
            match look.kind {
                Kind::Index => indexes += 1,
                Kind::Table => tables += 1,
                Kind::Read => read += 1,
            }
        }
        Lanes { address: &address, database, looks: &looks, watch }.all(course)?;
    }
    let took = ms(began.elapsed());
    let mut checks = Vec::new();
    if indexes + tables > 0 {
        let says = format!("{tables} tables and {indexes} indexes");
        checks.push(Check { name: "amcheck".to_owned(), says, ms: took });
    }
    if read > 0 {
        let says = format!("{read} tables to their last row; amcheck is not installed there");
        checks.push(Check { name: "tables read".to_owned(), says, ms: took });
    }
    Ok(checks)
}

/// How one thing is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Index,
    Table,
    Read,
}

impl Kind {
    fn check(self) -> &'static str {
        match self {
            Self::Index => "bt_index_check",
            Self::Table => "verify_heapam",
            Self::Read => "reading tables",
        }
    }
}

/// One thing that is looked at.
struct Look {
    kind: Kind,
    name: String,
    statement: String,
}

/// What there is to look at in a database.
fn looks(server: &Server, watch: &Watch) -> Result<Vec<Look>, PostgresError> {
    let found = "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                 WHERE e.extname = 'amcheck'";
    let schema = server.rows(watch, "looking for amcheck", found)?;
    let lists = match schema.into_iter().flatten().flatten().next() {
        Some(schema) => {
            vec![(Kind::Table, of_tables(&schema)), (Kind::Index, of_indexes(&schema))]
        }
        None => vec![(Kind::Read, READ.to_owned())],
    };
    let mut looks = Vec::new();
    for (kind, statements) in lists {
        for row in server.rows(watch, "listing what to check", &statements)? {
            let Ok::<[_; 3], _>([Some(name), Some(statement), Some(pages)]) = row.try_into() else {
                continue;
            };
            looks.push((pages.parse::<u64>().unwrap_or(0), Look { kind, name, statement }));
        }
    }
    // The largest first: no lane is left alone with it in the end.
    looks.sort_by_key(|(pages, _)| std::cmp::Reverse(*pages));
    Ok(looks.into_iter().map(|(_, look)| look).collect())
}

/// Statements, each of which checks one thing: the copy makes them itself, so every name is quoted by it.
fn of_indexes(schema: &str) -> String {
    let schema = schema.replace('\'', "''");
    format!(
        "SELECT c.oid::regclass::text, format('SELECT 1 FROM %I.bt_index_check(%s::oid::regclass)', '{schema}', c.oid), c.relpages \
         FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid \
         WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready"
    )
}

fn of_tables(schema: &str) -> String {
    let schema = schema.replace('\'', "''");
    format!(
        "SELECT c.oid::regclass::text, format('SELECT msg FROM %I.verify_heapam(%s::oid::regclass) LIMIT 1', '{schema}', c.oid), c.relpages \
         FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' \
         AND EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'verify_heapam')"
    )
}

/// The system's own tables with the team's: what is in neither is not known to be there.
const READ: &str = "SELECT c.oid::regclass::text, format('SELECT count(*) FROM %s', c.oid::regclass), c.relpages \
    FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p'";

/// What is looked at in one database, over some connections.
struct Lanes<'a> {
    address: &'a Address,
    database: &'a str,
    looks: &'a [Look],
    watch: &'a Watch,
}

impl Lanes<'_> {
    /// Looks at all; the first damage ends it.
    fn all(&self, course: &Course) -> Result<(), PostgresError> {
        let there = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let next = AtomicUsize::new(0);
        let ended = AtomicBool::new(false);
        let failure = Mutex::new(None);
        std::thread::scope(|scope| {
            let work = || {
                if let Err(error) = self.lane(&next, &ended) {
                    ended.store(true, Ordering::Relaxed);
                    let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(error);
                }
            };
            let lanes = there.min(LANES).min(self.looks.len());
            let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(work)).collect();
            while !lanes.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let done = next.load(Ordering::Relaxed).min(self.looks.len());
                course.tell(done as u64, Some(self.looks.len() as u64));
                std::thread::sleep(LOOK);
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn lane(&self, next: &AtomicUsize, ended: &AtomicBool) -> Result<(), PostgresError> {
        let server = Server::connect(self.address, self.watch)?;
        while !ended.load(Ordering::Relaxed) {
            let Some(look) = self.looks.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            self.look(&server, look)?;
        }
        Ok(())
    }

    fn look(&self, server: &Server, look: &Look) -> Result<(), PostgresError> {
        let check = look.kind.check();
        let damaged = |says: String| PostgresError::Damaged {
            check: check.to_owned(),
            says: format!("`{}` in database `{}`: {says}", look.name, self.database),
        };
        match server.rows(self.watch, check, &look.statement) {
            // What it found, in its own words: a place in a file, and no row.
            Ok(rows) if look.kind == Kind::Table => rows
                .into_iter()
                .flatten()
                .flatten()
                .next()
                .map_or(Ok(()), |says| Err(damaged(says))),
            Ok(_) => Ok(()),
            Err(PostgresError::Sql { says, .. }) => Err(damaged(says)),
            Err(error) => Err(error),
        }
    }
}
