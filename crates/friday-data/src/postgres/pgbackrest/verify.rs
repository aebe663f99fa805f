//! `pgbackrest verify`, and what of the log is missing.

use friday_wire::BackupId;
use friday_wire::data::VerifyReport;

use super::stanza::Stanza;
use crate::postgres::base::Base;
use crate::postgres::chain;
use crate::postgres::error::PostgresError;
use crate::request::Setting;

/// Lets pgBackRest read everything that it has, and tells what is not as it should be; of one backup, if named.
///
/// # Errors
/// pgBackRest's; that there is no such backup.
pub fn verify(
    stanza: &Stanza,
    backup: Option<&BackupId>,
    setting: &Setting<'_>,
) -> Result<VerifyReport, PostgresError> {
    let mut backups = stanza.backups(setting)?;
    if let Some(id) = backup {
        backups.retain(|one| one.backup.id == *id);
        if backups.is_empty() {
            return Err(PostgresError::NoBackup(format!("there is no backup {id}")));
        }
    }
    let mut command = stanza.command("verify");
    command.args(["--output=text", "--verbose"]);
    let said = stanza.run(command, setting.course.watch())?;
    let mut damage = damage(&said, backup.map(BackupId::as_str));
    if let Some(newest) = backups.last()
        && let Ok(base) = Base::of(newest)
    {
        let names = stanza.archive(&base.system, setting.place.dir())?.names()?;
        damage.extend(chain::first_missing(&names, &base).map(|segment| {
            format!(
                "WAL segment {} is missing: nothing after it can be reached from backup {}",
                segment.name(base.segment),
                newest.backup.id
            )
        }));
    }
    let count = u32::try_from(backups.len()).unwrap_or(u32::MAX);
    let bytes = backups.iter().map(|one| one.backup.stored).sum();
    Ok(VerifyReport { backups: count, bytes, damage })
}

/// Lines of its answer that tell of damage.
///
/// ```text
/// stanza: main
/// status: error
///   archiveId: 15-1, total WAL checked: 3, total valid WAL: 2
///     missing: 0, checksum invalid: 1, size invalid: 0, other: 0
///   backup: 20261124-084932F, status: invalid, total files checked: 964, total valid files: 963
///     missing: 0, checksum invalid: 1, size invalid: 0, other: 0
/// ```
fn damage(said: &str, only: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let mut about = None;
    for line in said.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("backup: ") {
            let label = rest.split(',').next().unwrap_or_default();
            let asked = only.is_none_or(|only| only == label);
            about = Some((format!("backup {label}"), asked));
            if asked && !rest.contains("status: valid") && !rest.contains("status: in-progress") {
                let status = rest.split(", ").find_map(|part| part.strip_prefix("status: "));
                found.push(format!("backup {label} is {}", status.unwrap_or("not valid")));
            }
        } else if let Some(rest) = line.strip_prefix("archiveId: ") {
            about = Some((format!("WAL {}", rest.split(',').next().unwrap_or_default()), true));
        } else if line.starts_with("missing: ") {
            let bad = line.split(", ").any(|part| !part.ends_with(": 0"));
            if let Some((of, true)) = about.take().filter(|_| bad) {
                found.push(format!("{of}: {line}"));
            }
        } else if line.starts_with("status: ") && line != "status: ok" && only.is_none() {
            found.push(format!("pgBackRest says {line}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::damage;

    const SAID: &str = "stanza: main\nstatus: error\n  archiveId: 15-1, total WAL checked: 3, total valid WAL: 2\n    \
        missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n  backup: A, status: invalid, total files checked: 9, \
        total valid files: 8\n    missing: 1, checksum invalid: 0, size invalid: 0, other: 0\n  backup: B, status: valid, \
        total files checked: 9, total valid files: 9\n    missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n";

    #[test]
    fn damage_is_told_by_what_it_is_of() {
        assert_eq!(
            damage(SAID, None),
            [
                "pgBackRest says status: error",
                "WAL 15-1: missing: 0, checksum invalid: 1, size invalid: 0, other: 0",
                "backup A is invalid",
                "backup A: missing: 1, checksum invalid: 0, size invalid: 0, other: 0",
            ]
        );
    }

    #[test]
    fn of_one_backup_only_its_own_and_the_log_s() {
        assert_eq!(
            damage(SAID, Some("B")),
            ["WAL 15-1: missing: 0, checksum invalid: 1, size invalid: 0, other: 0"]
        );
    }
}
