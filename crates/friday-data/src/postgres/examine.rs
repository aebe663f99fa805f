//! What is possible with a server as it is set up, and which one change would add what is missing. Changes nothing.

use friday_wire::data::{Finding, FindingState};

use super::error::PostgresError;
use super::keep;
use super::live::{Live, described};
use super::lsn::Lsn;
use super::pgbackrest::{self, Stanza};
use super::scratch::bytes_below;
use super::server::Server;
use super::{facts, known_bugs};
use crate::course::Watch;
use crate::failure::Failure;
use crate::request::Setting;
use crate::room::{self, shown};

/// A receiving process says something each second: longer silence is trouble.
const SILENCE_MS: u64 = 15_000;

/// Tables that are named.
const NAMED: usize = 5;

/// Looks at everything. A server that cannot be reached is one finding among those that do not need it.
///
/// # Errors
/// When the description itself makes no sense, or time is over.
pub fn examine(setting: &Setting<'_>) -> Result<Vec<Finding>, PostgresError> {
    let described = described(setting)?;
    let watch = setting.course.watch();
    let mut findings = vec![user()];
    let stanza = Stanza::of(setting);
    let server = match Server::connect(&described.address, watch) {
        Ok(server) => server,
        Err(error @ PostgresError::Stopped(_)) => return Err(error),
        Err(error) => {
            let failure = Failure::from(error);
            findings.push(bad("server", failure.why, failure.help));
            if let Some(stanza) = &stanza {
                findings.extend(pgbackrest::examine(stanza, None, setting)?);
            }
            return Ok(findings);
        }
    };
    match Live::open(setting) {
        Ok(live) => {
            findings.push(good("server", format!("PostgreSQL {} answers", live.cluster.version)));
            findings.push(version(&live));
            let bugs = known_bugs::known(&live.cluster.version);
            findings.extend(bugs.map(|(says, help)| warn("version", says, &help)));
            findings.extend(privileges(&server, stanza.is_none(), watch)?);
            match &stanza {
                Some(stanza) => findings.extend(pgbackrest::examine(stanza, Some(&live), setting)?),
                None => {
                    findings.push(receiving(&live, setting)?);
                    findings.push(tablespaces(&live));
                }
            }
            findings.extend(space(&live, setting));
        }
        Err(error @ PostgresError::Stopped(_)) => return Err(error),
        Err(error) => {
            let failure = Failure::from(error);
            findings.push(bad("server", failure.why, failure.help));
            findings.extend(privileges(&server, stanza.is_none(), watch)?);
        }
    }
    findings.extend(settings(&server, stanza.is_none(), watch)?);
    findings.extend(tables(&server, watch)?);
    Ok(findings)
}

fn finding(subject: &str, state: FindingState, says: String, help: Option<String>) -> Finding {
    Finding { subject: subject.to_owned(), state, says, help }
}

fn good(subject: &str, says: impl Into<String>) -> Finding {
    finding(subject, FindingState::Good, says.into(), None)
}

fn warn(subject: &str, says: impl Into<String>, help: &str) -> Finding {
    finding(subject, FindingState::Warn, says.into(), Some(help.to_owned()))
}

fn bad(subject: &str, says: impl Into<String>, help: Option<String>) -> Finding {
    finding(subject, FindingState::Bad, says.into(), help)
}

fn user() -> Finding {
    if rustix::process::geteuid().is_root() {
        return bad(
            "user",
            "friday-data runs as root; backups work so, drills do not: PostgreSQL's server refuses it",
            Some("log in as another user on this host, for instance `postgres`".to_owned()),
        );
    }
    good("user", "the login user can run PostgreSQL's programs")
}

fn version(live: &Live) -> Finding {
    let there = live.programs.directory().display();
    if !live.programs.has("postgres") || !live.programs.has("pg_waldump") {
        return bad(
            "programs",
            format!("`{there}` has the programs for backups, not those for drills"),
            Some(format!("apt-get install postgresql-{}", live.cluster.major)),
        );
    }
    let disk = live.programs.version("postgres").unwrap_or_default();
    let runs = live.cluster.version.split_whitespace().next().unwrap_or_default();
    if disk != runs {
        return warn(
            "programs",
            format!("the server runs {runs}, and the programs on disk are {disk}"),
            "restart the server at a quiet time: it was upgraded under its feet, and extensions may fail to load",
        );
    }
    good("programs", format!("PostgreSQL {disk} in `{there}`"))
}

fn privileges(
    server: &Server,
    streams: bool,
    watch: &Watch,
) -> Result<Vec<Finding>, PostgresError> {
    let [role, replicates, superuser, names, switches, settings] = server.row(
        watch,
        "asking what the role may do",
        "SELECT rolname, rolreplication OR rolsuper, rolsuper, \
         has_function_privilege('pg_create_restore_point(text)', 'EXECUTE'), \
         has_function_privilege('pg_switch_wal()', 'EXECUTE'), \
         pg_has_role('pg_read_all_settings', 'USAGE') FROM pg_roles WHERE rolname = current_user",
    )?;
    let mut findings = Vec::new();
    if !streams {
        // pgBackRest connects as somebody else.
    } else if replicates == "t" {
        findings.push(good("replication", format!("role `{role}` may replicate")));
    } else {
        let help = format!("ALTER ROLE \"{role}\" REPLICATION");
        findings.push(bad("replication", format!("role `{role}` may not replicate"), Some(help)));
    }
    if switches != "t" {
        let help = format!("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO \"{role}\"");
        let says = format!("role `{role}` may not end a WAL segment, and restore points need that");
        findings.push(bad("restore points", says, Some(help)));
    } else if names != "t" {
        findings.push(warn(
            "restore points",
            format!("role `{role}` may not name places; they are known by their numbers alone"),
            &format!("GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO \"{role}\""),
        ));
    } else {
        findings.push(good("restore points", format!("role `{role}` may make them")));
    }
    if settings != "t" {
        findings.push(warn(
            "libraries",
            format!("role `{role}` may not see which libraries the server loads; copies start without them"),
            &format!("GRANT pg_read_all_settings TO \"{role}\""),
        ));
    }
    if superuser == "t" {
        findings.push(warn(
            "role",
            format!("role `{role}` may everything, and friday needs much less"),
            &format!(
                "CREATE ROLE friday LOGIN{}; GRANT pg_read_all_settings TO friday; GRANT EXECUTE ON FUNCTION \
             pg_switch_wal(), pg_create_restore_point(text) TO friday, in the database it connects to; and SELECT \
             where invariants look",
                if streams { " REPLICATION" } else { "" },
            ),
        ));
    }
    Ok(findings)
}

fn receiving(live: &Live, setting: &Setting<'_>) -> Result<Finding, PostgresError> {
    let slot = live.slot_state(setting.course.watch())?;
    if slot.is_some_and(|slot| slot.lost) {
        return Ok(bad(
            "receiving WAL",
            "the server gave up what the replication slot still needed",
            Some("friday backup, and raise max_slot_wal_keep_size".to_owned()),
        ));
    }
    let Some(status) = keep::status(setting.place.dir()) else {
        return Ok(warn(
            "receiving WAL",
            "WAL is not being received",
            "the next backup, restore point or drill starts it: friday backup",
        ));
    };
    let silent = crate::clock::now_ms().saturating_sub(status.beat_at_ms);
    if let Some(trouble) = status.trouble {
        return Ok(bad("receiving WAL", trouble, None));
    }
    if silent > SILENCE_MS || !status.receives || !slot.is_some_and(|slot| slot.active) {
        let says = format!("process {} does not receive", status.pid);
        return Ok(warn(
            "receiving WAL",
            says,
            "look again in a minute; then at keep.log beside its backups",
        ));
    }
    let asked = format!(
        "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{}' AND restart_lsn IS NOT NULL",
        live.slot()
    );
    let behind =
        live.server.value(setting.course.watch(), "asking how far WAL is received", &asked);
    let (_, now) = facts::present(&live.server, setting.course.watch())?;
    let behind = behind
        .ok()
        .and_then(|lsn| lsn.parse::<Lsn>().ok())
        .map_or(0, |lsn| now.0.saturating_sub(lsn.0));
    let says =
        format!("process {} receives it; the server keeps {} for it", status.pid, shown(behind));
    Ok(good("receiving WAL", says))
}

fn tablespaces(live: &Live) -> Finding {
    match live.cluster.tablespaces {
        0 => good("tablespaces", "none besides the default"),
        count => bad(
            "tablespaces",
            format!("{count} besides the default, which friday does not back up"),
            Some("move their tables to pg_default".to_owned()),
        ),
    }
}

fn space(live: &Live, setting: &Setting<'_>) -> Vec<Finding> {
    let bytes = live.cluster.bytes;
    let mut findings = Vec::new();
    if Stanza::of(setting).is_none() {
        findings.extend(crate::repository::reach::finding(setting));
    }
    if Stanza::of(setting).is_none()
        && let Ok(repository) = setting.repository()
        && let Some(dir) = repository.disk()
    {
        findings.push(fits("room for a backup", dir, repository.forecast(bytes)));
    }
    let scratch = setting.place.scratch_path();
    // It may not be there yet: what is nearest above it is on the same disk.
    if let Some(there) = scratch.ancestors().find(|place| place.exists()) {
        // What the last drill left there is written over.
        let lacks = bytes.saturating_sub(bytes_below(&scratch.join("data")));
        findings.push(fits("room for a drill", there, lacks));
    }
    findings
}

fn fits(subject: &str, place: &std::path::Path, need: u64) -> Finding {
    match room::ask(place, need) {
        Ok(()) => good(subject, format!("about {} are needed, and there", shown(need))),
        Err(error) => {
            let failure = Failure::from(error);
            bad(subject, failure.why, failure.help)
        }
    }
}

fn settings(server: &Server, streams: bool, watch: &Watch) -> Result<Vec<Finding>, PostgresError> {
    let [level, senders, slots, keeps, sums, archive] = server.row(
        watch,
        "asking the server's settings",
        "SELECT current_setting('wal_level'), current_setting('max_wal_senders'), \
         current_setting('max_replication_slots'), coalesce(current_setting('max_slot_wal_keep_size', true), '-1'), \
         current_setting('data_checksums'), current_setting('archive_mode')",
    )?;
    let mut findings = Vec::new();
    if level == "minimal" {
        let help = "wal_level = replica, and one restart".to_owned();
        findings.push(bad(
            "wal_level",
            "the log holds too little to return to a place",
            Some(help),
        ));
    } else {
        findings.push(good("wal_level", level));
    }
    if streams {
        findings.extend(for_receiving(&senders, &slots, keeps));
        let says = format!("{archive}; friday needs none and leaves it alone");
        findings.push(good("archive_mode", says));
    }
    if sums == "on" {
        findings.push(good("data_checksums", "on"));
    } else {
        findings.push(warn(
            "data_checksums",
            "off: a page that a disk damaged is backed up as it is",
            "pg_checksums --enable, with the server stopped",
        ));
    }
    Ok(findings)
}

/// What a backup and the receiver need at the same time.
fn for_receiving(senders: &str, slots: &str, keeps: String) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, value) in [("max_wal_senders", senders), ("max_replication_slots", slots)] {
        let count: u32 = value.parse().unwrap_or(0);
        if count < 2 {
            let help = format!("{name} = 10, and one restart");
            findings.push(bad(name, format!("{value}, and friday needs 2"), Some(help)));
        }
    }
    if keeps == "-1" {
        findings.push(warn(
            "max_slot_wal_keep_size",
            "a receiver that is away for long lets pg_wal fill the server's disk",
            "max_slot_wal_keep_size = 10GB, and a reload: a third of the free room is a good size",
        ));
    } else {
        findings.push(good("max_slot_wal_keep_size", keeps));
    }
    findings
}

fn tables(server: &Server, watch: &Watch) -> Result<Vec<Finding>, PostgresError> {
    let rows = server.rows(
        watch,
        "looking for tables without a primary key",
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
         AND n.nspname NOT LIKE 'pg\\_%' AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid \
         AND i.indisprimary) ORDER BY 1",
    )?;
    let names: Vec<String> = rows.into_iter().flatten().flatten().collect();
    if names.is_empty() {
        return Ok(vec![good("primary keys", "each table of this database has one")]);
    }
    let mut shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        shown.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    Ok(vec![warn(
        "primary keys",
        format!("without one: {shown}"),
        "ALTER TABLE … ADD PRIMARY KEY: else damage there cannot be mended row by row later",
    )])
}
