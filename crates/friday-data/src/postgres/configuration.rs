//! The configuration of a scratch server: everything that must differ from the live one.

use std::path::{Path, PathBuf};

use super::base::Base;
use super::lsn::Lsn;

/// Libraries that act by themselves, on other servers or on the outside world: a copy must not load them.
const DANGEROUS: [&str; 11] = [
    "pg_cron",
    "pg_net",
    "pg_partman_bgw",
    "pglogical",
    "bdr",
    "repmgr",
    "powa",
    "pg_squeeze",
    "pg_background",
    "wal2mongo",
    "pg_auto_failover",
];

/// Where replay is to stop, and how WAL is had.
#[derive(Debug, Clone)]
pub struct Target {
    /// The first record at this place or after it is the last that is replayed.
    pub lsn: Lsn,
    /// Where WAL is asked for.
    pub feed: PathBuf,
    /// This program.
    pub program: PathBuf,
}

/// The text of `postgresql.conf` while it is ours.
pub fn configuration(base: &Base, target: &Target, sockets: &Path) -> String {
    let restore = format!(
        "{} fetch-wal {} %f %p",
        shell(&target.program.display().to_string()),
        shell(&target.feed.display().to_string())
    );
    let lsn = target.lsn.to_string();
    let mut text = quiet(base, sockets);
    for (name, value) in [
        ("cluster_name", "friday scratch"),
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("hot_standby", "on"),
        ("primary_conninfo", ""),
        ("checkpoint_timeout", "1h"),
        ("max_wal_size", "4GB"),
        // Log that is needed no more is removed, and not kept under another name.
        ("wal_recycle", "off"),
        ("log_min_messages", "log"),
        // Who came to a copy is read there.
        ("log_connections", "on"),
        // A statement may hold somebody's data.
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("restore_command", &restore),
        ("recovery_target_lsn", &lsn),
        ("recovery_target_inclusive", "on"),
        ("recovery_target_action", "pause"),
        // The backup's own: nobody's later timeline is followed.
        ("recovery_target_timeline", "current"),
    ] {
        text.push_str(&line(name, value));
    }
    text
}

/// What follows that text when a release works on the copy: it waits for the disk as on the live server, and gets
/// no more WAL.
pub fn of_a_rehearsal() -> String {
    let settings = [("fsync", "on"), ("full_page_writes", "on"), ("restore_command", "")];
    settings.iter().map(|(name, value)| line(name, value)).collect()
}

/// The text of `postgresql.conf` when it is left to a person.
pub fn left_to_a_person(base: &Base, sockets: &Path) -> String {
    let mut text = quiet(base, sockets);
    text.push_str(&line("cluster_name", "restored by friday"));
    text
}

/// What both have: no way out, and what the data needs.
fn quiet(base: &Base, sockets: &Path) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("listen_addresses", ""),
        ("port", "5432"),
        ("unix_socket_directories", &directory(sockets)),
        ("unix_socket_permissions", "0700"),
        ("shared_buffers", "128MB"),
        ("huge_pages", "off"),
        ("archive_mode", "off"),
        ("ssl", "off"),
        ("max_logical_replication_workers", "0"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("shared_preload_libraries", &harmless(&base.preload)),
        ("timezone", &base.timezone),
    ] {
        text.push_str(&line(name, value));
    }
    for (name, value) in &base.at_least {
        text.push_str(&line(name, &value.to_string()));
    }
    text
}

fn line(name: &str, value: &str) -> String {
    format!("{name} = {}\n", quoted(value))
}

/// A setting's value, as `postgresql.conf` has it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// One word for a shell, in which PostgreSQL looks for `%`.
fn shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''").replace('%', "%%"))
}

/// A directory in a list that is separated by commas.
fn directory(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('"', "\"\""))
}

fn harmless(preload: &str) -> String {
    let names = preload.split(',').map(|name| name.trim().trim_matches('"'));
    let kept = names.filter(|name| {
        let plain = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".so");
        !plain.is_empty() && !DANGEROUS.contains(&plain)
    });
    kept.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{harmless, quoted, shell};

    #[test]
    fn what_acts_by_itself_is_not_loaded() {
        assert_eq!(
            harmless("pg_stat_statements, pg_cron,\"$libdir/pg_net.so\""),
            "pg_stat_statements"
        );
        assert_eq!(harmless(""), "");
    }

    #[test]
    fn words_come_through_shell_and_configuration() {
        assert_eq!(quoted(&shell("/a b/it's 5%")), r"'''/a b/it''\\''''s 5%%'''");
    }
}
