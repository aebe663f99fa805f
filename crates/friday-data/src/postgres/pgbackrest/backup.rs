//! Asks pgBackRest for a backup, and notes with it what a copy needs to know.

use std::collections::BTreeSet;

use friday_wire::BackupId;
use friday_wire::data::{Backup, DataPhase};

use super::info::ANNOTATION;
use super::stanza::Stanza;
use crate::postgres::base;
use crate::postgres::error::PostgresError;
use crate::postgres::live::Live;
use crate::request::Setting;

/// Makes one, full or not as pgBackRest's configuration says, which expires older ones by it, too.
///
/// # Errors
/// pgBackRest's.
pub fn back_up(
    stanza: &Stanza,
    setting: &Setting<'_>,
) -> Result<(Backup, Vec<BackupId>), PostgresError> {
    let live = Live::open(setting)?;
    let before: BTreeSet<BackupId> = ids(stanza, setting)?;
    setting.course.enter(DataPhase::Copy);
    let note = serde_json::to_string(&base::noted(&live.cluster))
        .map_err(|error| PostgresError::file("noting the cluster's facts")(error.into()))?;
    let mut command = stanza.command("backup");
    command.arg(format!("--annotation={ANNOTATION}={note}"));
    stanza.run(command, setting.course.watch())?;
    let mut made = stanza.backups(setting)?;
    let after: BTreeSet<BackupId> = made.iter().map(|one| one.backup.id.clone()).collect();
    made.retain(|one| !before.contains(&one.backup.id) && !one.facts.is_empty());
    let newest = made.pop().ok_or_else(|| PostgresError::Ended {
        program: "pgbackrest backup".to_owned(),
        says: format!("stanza `{}` has no backup that it had not before", stanza.name()),
    })?;
    Ok((newest.backup, before.difference(&after).cloned().collect()))
}

fn ids(stanza: &Stanza, setting: &Setting<'_>) -> Result<BTreeSet<BackupId>, PostgresError> {
    Ok(stanza.backups(setting)?.into_iter().map(|one| one.backup.id).collect())
}
