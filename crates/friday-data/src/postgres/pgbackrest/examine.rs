//! What `friday doctor` says of a stanza. Changes nothing.

use friday_wire::data::{Finding, FindingState};

use super::stanza::Stanza;
use crate::failure::Failure;
use crate::postgres::error::PostgresError;
use crate::postgres::live::Live;
use crate::request::Setting;

/// Looks at the program, the stanza and how the server archives. `live`: `None` where it cannot be reached.
///
/// # Errors
/// When time is over.
pub fn examine(
    stanza: &Stanza,
    live: Option<&Live>,
    setting: &Setting<'_>,
) -> Result<Vec<Finding>, PostgresError> {
    let mut findings = vec![match stanza.version() {
        Ok(version) => good("pgbackrest", format!("pgBackRest {version}")),
        Err(error) => return stop(error, "pgbackrest").map(|one| vec![one]),
    }];
    let info = match stanza.info() {
        Ok(info) => info,
        Err(error) => {
            findings.push(stop(error, "stanza")?);
            return Ok(findings);
        }
    };
    let name = stanza.name();
    if let Some(live) = live
        && !info.db.iter().any(|cluster| cluster.system.to_string() == live.cluster.system)
    {
        let help = "name the stanza of this server, or run pgbackrest stanza-upgrade after an upgrade of it";
        findings.push(bad("stanza", format!("`{name}` is of another cluster"), help));
        return Ok(findings);
    }
    let backups = stanza.backups(setting)?;
    findings.push(good("stanza", format!("`{name}` has {} backups", backups.len())));
    if !backups.iter().any(|one| !one.facts.is_empty()) {
        findings.push(warn(
            "backups",
            "none was made through friday, so it is not known what a copy of this cluster needs".to_owned(),
            "once: friday backup. It annotates its backup, and then those that others make can be drilled, too",
        ));
    }
    if let Some(live) = live {
        findings.extend(archiving(name, live, setting)?);
        findings.extend(left(live, setting)?);
    }
    Ok(findings)
}

fn archiving(
    name: &str,
    live: &Live,
    setting: &Setting<'_>,
) -> Result<Vec<Finding>, PostgresError> {
    let [mode, command, fails, wal] = live.server.row(
        setting.course.watch(),
        "asking how the server archives",
        "SELECT current_setting('archive_mode'), \
         CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') \
         THEN coalesce(current_setting('archive_command', true), '') ELSE 'unknown' END, \
         coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false), \
         coalesce(last_failed_wal, '') FROM pg_stat_archiver",
    )?;
    if mode == "off" {
        let help = "archive_mode = on, and one restart; then pgbackrest check";
        return Ok(vec![bad("archive_mode", "off: pgBackRest gets no WAL".to_owned(), help)]);
    }
    let mut findings = vec![good("archive_mode", mode)];
    if command == "unknown" {
        findings.push(warn(
            "archive_command",
            "the role may not see it".to_owned(),
            "GRANT pg_read_all_settings TO the role",
        ));
    } else if !command.contains("archive-push") || !command.contains(name) {
        let help =
            format!("archive_command = 'pgbackrest --stanza={name} archive-push %p', and a reload");
        let says = format!("it does not push to stanza `{name}`");
        findings.push(bad("archive_command", says, &help));
    }
    if fails == "t" {
        let help = format!("look into the server's log, and run pgbackrest --stanza={name} check");
        findings.push(bad("archiving", format!("it fails at segment {wal}"), &help));
    } else {
        findings.push(good("archiving", "the server's last try went well".to_owned()));
    }
    Ok(findings)
}

/// What friday's own backups, before the stanza was named, left running.
fn left(live: &Live, setting: &Setting<'_>) -> Result<Option<Finding>, PostgresError> {
    let slot = live.slot_state(setting.course.watch())?;
    Ok(slot.map(|_| {
        let says = format!("replication slot `{}` is left of friday's own backups", live.slot());
        let help = format!("friday backup --forget {}", setting.database.name);
        warn("receiving WAL", says, &help)
    }))
}

/// What does not work is a finding; that time is over is none.
fn stop(error: PostgresError, subject: &str) -> Result<Finding, PostgresError> {
    if let PostgresError::Stopped(_) = error {
        return Err(error);
    }
    let failure = Failure::from(error);
    Ok(finding(subject, FindingState::Bad, failure.why, failure.help))
}

fn finding(subject: &str, state: FindingState, says: String, help: Option<String>) -> Finding {
    Finding { subject: subject.to_owned(), state, says, help }
}

fn good(subject: &str, says: String) -> Finding {
    finding(subject, FindingState::Good, says, None)
}

fn warn(subject: &str, says: String, help: &str) -> Finding {
    finding(subject, FindingState::Warn, says, Some(help.to_owned()))
}

fn bad(subject: &str, says: String, help: &str) -> Finding {
    finding(subject, FindingState::Bad, says, Some(help.to_owned()))
}
