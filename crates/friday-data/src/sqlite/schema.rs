//! The schema of a database as one digest: the same tables, indexes, views and triggers give the same one.
//!
//! Rows, statistics, and what SQLite makes by itself do not count.

use friday_wire::Digest;
use rusqlite::Connection;

const LISTING: &str = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema \
     WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name, tbl_name";

/// Reads it.
///
/// # Errors
/// SQLite's.
pub fn digest(connection: &Connection) -> rusqlite::Result<Digest> {
    let mut hash = blake3::Hasher::new_derive_key("friday-data schema of SQLite 1");
    let mut statement = connection.prepare(LISTING)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            let text: String = row.get(column)?;
            hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }
    Ok(Digest(*hash.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sql: &str) -> Digest {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").unwrap();
        connection.execute_batch(sql).unwrap();
        digest(&connection).unwrap()
    }

    #[test]
    fn what_changes_the_schema_changes_it_and_rows_do_not() {
        let before = after("");
        assert_eq!(after("INSERT INTO t (b) VALUES ('x'); ANALYZE"), before);
        assert_eq!(after("ALTER TABLE t ADD c; ALTER TABLE t DROP c"), before);
        for changes in [
            "ALTER TABLE t ADD c",
            "CREATE INDEX i ON t (b)",
            "CREATE VIEW v AS SELECT a FROM t",
            "DROP TABLE t; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)",
        ] {
            assert_ne!(after(changes), before, "{changes}");
        }
    }
}
