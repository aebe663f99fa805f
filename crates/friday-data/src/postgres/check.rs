//! Checks of a restored copy: amcheck in each database that has it, else every table is read once.
//!
//! With data checksums, reading a page proves it. A standby that stopped at its target takes no writes, so no extension
//! can be made there.

use std::time::Instant;

use friday_wire::data::Check;

use super::base::Base;
use super::error::PostgresError;
use super::scratch::Sockets;
use super::server::Server;
use crate::course::{Course, ms};

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
        let server = Server::connect(&sockets.address(&base.bootstrap, database), watch)?;
        let found = "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                     WHERE e.extname = 'amcheck'";
        let schema = server.rows(watch, "looking for amcheck", found)?;
        match schema.into_iter().flatten().flatten().next() {
            Some(schema) => {
                indexes += all(&server, course, database, &of_indexes(&schema), "bt_index_check")?;
                tables += all(&server, course, database, &of_tables(&schema), "verify_heapam")?;
            }
            None => read += all(&server, course, database, READ, "reading tables")?,
        }
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

/// Statements, each of which checks one thing: the copy makes them itself, so every name is quoted by it.
fn of_indexes(schema: &str) -> String {
    let schema = schema.replace('\'', "''");
    format!(
        "SELECT c.oid::regclass::text, format('SELECT 1 FROM %I.bt_index_check(%s::oid::regclass)', '{schema}', c.oid) \
         FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid \
         WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready"
    )
}

fn of_tables(schema: &str) -> String {
    let schema = schema.replace('\'', "''");
    format!(
        "SELECT c.oid::regclass::text, format('SELECT msg FROM %I.verify_heapam(%s::oid::regclass) LIMIT 1', '{schema}', c.oid) \
         FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' \
         AND EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'verify_heapam')"
    )
}

/// The system's own tables with the team's: what is in neither is not known to be there.
const READ: &str = "SELECT c.oid::regclass::text, format('SELECT count(*) FROM %s', c.oid::regclass) \
    FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' ORDER BY c.relpages";

fn all(
    server: &Server,
    course: &Course,
    database: &str,
    statements: &str,
    check: &str,
) -> Result<u64, PostgresError> {
    let watch = course.watch();
    let found = server.rows(watch, "listing what to check", statements)?;
    let of = found.len() as u64;
    for (done, row) in found.into_iter().enumerate() {
        let [Some(name), Some(statement)] = &row[..] else { continue };
        let damaged = |says: String| PostgresError::Damaged {
            check: check.to_owned(),
            says: format!("`{name}` in database `{database}`: {says}"),
        };
        match server.rows(watch, check, statement) {
            // What it found, in its own words: a place in a file, and no row.
            Ok(rows) if check == "verify_heapam" => {
                if let Some(says) = rows.into_iter().flatten().flatten().next() {
                    return Err(damaged(says));
                }
            }
            Ok(_) => {}
            Err(PostgresError::Sql { says, .. }) => return Err(damaged(says)),
            Err(error) => return Err(error),
        }
        course.tell(done as u64 + 1, Some(of));
    }
    Ok(of)
}
