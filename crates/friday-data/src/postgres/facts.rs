//! What a live cluster is: the facts that a backup keeps for its restore.
//!
//! It asks and writes nothing; what a fact means for somebody is said where it is used.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use super::error::PostgresError;
use super::lsn::{Lsn, SegmentSize};
use super::server::Server;
use crate::course::Watch;

/// Settings that a standby must have at least as large as its primary.
pub const AT_LEAST: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

/// A cluster, as it is now.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `system_identifier`.
    pub system: String,
    /// `15.18 (Debian …)`.
    pub version: String,
    /// `15`.
    pub major: u32,
    /// Of its WAL files.
    pub segment: SegmentSize,
    /// Each of [`AT_LEAST`].
    pub at_least: BTreeMap<String, u64>,
    /// What it loads when it starts; empty where the role may not know.
    pub preload: String,
    /// In which sessions see times.
    pub timezone: String,
    /// The role that made the cluster: there is always one that may everything.
    pub bootstrap: String,
    /// The role of this connection.
    pub role: String,
    /// The database of this connection.
    pub database: String,
    /// Bytes of all databases.
    pub bytes: u64,
    /// Tablespaces besides the two that each cluster has.
    pub tablespaces: u32,
    /// Whether it is itself a standby.
    pub standby: bool,
}

impl Cluster {
    /// Asks a server.
    ///
    /// # Errors
    /// PostgreSQL's, or an answer that makes no sense.
    pub fn ask(server: &Server, watch: &Watch) -> Result<Self, PostgresError> {
        let doing = "asking what this cluster is";
        let [system, version, number, segment, preload, bootstrap, role, database] = server.row(
            watch,
            doing,
            "SELECT (SELECT system_identifier FROM pg_control_system()), \
             current_setting('server_version'), current_setting('server_version_num'), \
             (SELECT bytes_per_wal_segment FROM pg_control_init()), \
             CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') \
             THEN coalesce(current_setting('shared_preload_libraries', true), '') ELSE '' END, \
             (SELECT rolname FROM pg_roles WHERE oid = 10), session_user, current_database()",
        )?;
        let [bytes, tablespaces, standby, timezone] = server.row(
            watch,
            doing,
            "SELECT (SELECT coalesce(sum(CASE WHEN has_database_privilege(oid, 'CONNECT') \
             OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(oid) END), 0)::int8 \
             FROM pg_database), \
             (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')), \
             pg_is_in_recovery(), current_setting('TimeZone')",
        )?;
        let strange = |what: &str| PostgresError::Sql {
            doing: doing.to_owned(),
            says: format!("the {what} makes no sense"),
        };
        let mut at_least = BTreeMap::new();
        for name in AT_LEAST {
            let value = server.value(watch, doing, &format!("SELECT current_setting('{name}')"))?;
            at_least.insert(name.to_owned(), value.parse().map_err(|_| strange(name))?);
        }
        let number: u32 = number.parse().map_err(|_| strange("version"))?;
        Ok(Self {
            system,
            version,
            major: number / 10_000,
            segment: segment
                .parse()
                .ok()
                .and_then(SegmentSize::new)
                .ok_or_else(|| strange("segment size"))?,
            at_least,
            preload,
            timezone,
            bootstrap,
            role,
            database,
            bytes: bytes.parse().map_err(|_| strange("size"))?,
            tablespaces: tablespaces.parse().map_err(|_| strange("count of tablespaces"))?,
            standby: standby == "t",
        })
    }
}

/// Where a live cluster writes now: its timeline and the end of its write-ahead log.
///
/// # Errors
/// PostgreSQL's; a standby has no such place.
pub fn present(server: &Server, watch: &Watch) -> Result<(u32, Lsn), PostgresError> {
    let doing = "asking where the write-ahead log ends";
    let [lsn, file] = server.row(
        watch,
        doing,
        "SELECT lsn, pg_walfile_name(lsn) FROM (SELECT pg_current_wal_insert_lsn() AS lsn) AS now",
    )?;
    let strange =
        || PostgresError::Sql { doing: doing.to_owned(), says: format!("`{lsn}` in `{file}`") };
    let timeline = file.get(0..8).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    Ok((timeline.ok_or_else(strange)?, Lsn::from_str(&lsn).map_err(|_| strange())?))
}
