//! `friday backup`: make, list and verify the backups of guarded databases.

use clap::{Args, Subcommand};
use friday_core::database::DataAct;
use friday_core::time::Timestamp;
use friday_core::view::words::{count, duration, size};
use friday_wire::data::{Backup, DataAnswer, DataRequest, VerifyReport};
use friday_wire::{BackupId, DatabaseName};
use serde::Serialize;

use crate::cli::Global;
use crate::commands::members::consent;
use crate::context::Context;
use crate::data_work::{DataWork, LOOK_LIMIT, VERIFY_LIMIT};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ink, Table, Text, Ui};

/// Which database, and what to do.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  friday backup                   of every guarded database\n  friday backup orders\n  friday backup list\n  friday backup verify orders     read every backup to its last byte\n  friday backup --forget orders   before it is guarded no more\n\nA backup proves nothing until it was restored: `friday drill`."
)]
pub struct BackupArgs {
    /// The database; all without it.
    pub database: Option<String>,
    /// End what goes on beside this database: receiving PostgreSQL's log, and the slot for it. Backups stay.
    #[arg(long, value_name = "DATABASE", conflicts_with = "database")]
    pub forget: Option<String>,
    /// Something else than making one.
    #[command(subcommand)]
    pub action: Option<BackupAction>,
}

/// What else can be done with backups.
#[derive(Debug, Subcommand)]
pub enum BackupAction {
    /// What is in the repositories.
    List {
        /// The database; all without it.
        database: Option<String>,
    },
    /// Read backups to their last byte, and compare with what was written.
    Verify {
        /// The database; all without it.
        database: Option<String>,
        /// Only this backup.
        #[arg(long, value_name = "BACKUP", requires = "database")]
        backup: Option<String>,
    },
}

#[derive(Serialize)]
struct BackupsView<'a> {
    database: &'a DatabaseName,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<&'a Backup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backups: Option<&'a [Backup]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<&'a [BackupId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<&'a VerifyReport>,
}

impl<'a> BackupsView<'a> {
    fn of(database: &'a DatabaseName) -> Self {
        Self { database, backup: None, backups: None, pruned: None, verified: None }
    }
}

/// Runs it.
///
/// # Errors
/// When one could not be made, or the database's host not be reached.
pub fn run(ui: &Ui, global: &Global, args: &BackupArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let work = DataWork::new(ui, &context)?;
    if let Some(database) = &args.forget {
        return forget(ui, global, &work, database);
    }
    match &args.action {
        None => make(ui, &work, args.database.as_deref()),
        Some(BackupAction::List { database }) => list(ui, &work, database.as_deref()),
        Some(BackupAction::Verify { database, backup }) => {
            verify(ui, &work, database.as_deref(), backup.as_deref())
        }
    }
}

fn make(ui: &Ui, work: &DataWork<'_>, named: Option<&str>) -> Result<Exit, CommandError> {
    for database in work.chosen(named)? {
        let answer = work.backup(&database.name)?;
        let DataAnswer::BackedUp { backup, pruned } = answer else { continue };
        if ui.is_json() {
            let (backup, pruned) = (Some(&backup), Some(pruned.as_slice()));
            ui.json(&BackupsView { backup, pruned, ..BackupsView::of(&database.name) });
            continue;
        }
        ui.say(
            Text::new()
                .ink(Ink::Good, "✓")
                .plain(" ")
                .ink(Ink::Name, database.name.as_str())
                .plain(&format!(
                    ": backup {}, {} as {}{}, in {}",
                    backup.id,
                    size(backup.bytes),
                    size(backup.stored),
                    if backup.encrypted { ", encrypted" } else { "" },
                    duration(backup.took_ms),
                )),
        );
        if !pruned.is_empty() {
            ui.say(format!("  {} put away", count(pruned.len(), "old backup")));
        }
    }
    Ok(Exit::Done)
}

fn forget(
    ui: &Ui,
    global: &Global,
    work: &DataWork<'_>,
    named: &str,
) -> Result<Exit, CommandError> {
    let database = &work.one(Some(named))?.name;
    ui.say(format!(
        "`{database}`: the log is not received any more, and the server keeps none of it for friday."
    ));
    ui.say("Backups stay; nothing later can be returned to until the next one.");
    consent(ui, global, "End it?")?;
    work.look(database, LOOK_LIMIT, |database| DataRequest::Forget { database })?;
    ui.say(format!("`{database}`: nothing goes on beside it"));
    Ok(Exit::Done)
}

fn list(ui: &Ui, work: &DataWork<'_>, named: Option<&str>) -> Result<Exit, CommandError> {
    let mut table =
        Table::new(&["DATABASE", "BACKUP", "WHEN", "SIZE", "STORED", "ENCRYPTED", "FOR", "FROM"]);
    for database in work.chosen(named)? {
        let request = |database| DataRequest::List { database };
        let answer = work.look(&database.name, LOOK_LIMIT, request)?;
        let DataAnswer::Backups { backups } = answer else { continue };
        if ui.is_json() {
            ui.json(&BackupsView { backups: Some(&backups), ..BackupsView::of(&database.name) });
            continue;
        }
        if backups.is_empty() {
            ui.say(format!("`{}` has no backup yet. `friday backup` makes one.", database.name));
        }
        for backup in backups.iter().rev() {
            let began = i64::try_from(backup.began_at_ms).unwrap_or(i64::MAX);
            table.row([
                Text::new().ink(Ink::Name, database.name.as_str()),
                Text::from(backup.id.as_str()),
                Text::from(ui.clock().long(Timestamp(began))),
                Text::from(size(backup.bytes)),
                Text::from(size(backup.stored)),
                Text::from(if backup.encrypted { "yes" } else { "no" }),
                Text::from(backup.point.clone().unwrap_or_default()),
                Text::new().ink(Ink::Faint, &backup.position.to_string()),
            ]);
        }
    }
    if !ui.is_json() && table.rows().len() > 1 {
        ui.table(&table);
    }
    Ok(Exit::Done)
}

fn verify(
    ui: &Ui,
    work: &DataWork<'_>,
    named: Option<&str>,
    backup: Option<&str>,
) -> Result<Exit, CommandError> {
    let mut damaged = 0;
    for database in work.chosen(named)? {
        let request =
            |database| DataRequest::Verify { database, backup: backup.map(BackupId::new) };
        let answer = work.journalled(&database.name, DataAct::Verify, VERIFY_LIMIT, request)?;
        let DataAnswer::Verified { report } = answer else { continue };
        damaged += report.damage.len();
        if ui.is_json() {
            ui.json(&BackupsView { verified: Some(&report), ..BackupsView::of(&database.name) });
            continue;
        }
        let backups = usize::try_from(report.backups).unwrap_or(usize::MAX);
        let read = format!("{}, {} read", count(backups, "backup"), size(report.bytes));
        let (ink, mark) =
            if report.damage.is_empty() { (Ink::Good, "✓") } else { (Ink::Bad, "✗") };
        let says = if report.damage.is_empty() { "nothing is damaged" } else { "damaged:" };
        ui.data(
            Text::new()
                .ink(ink, mark)
                .plain(" ")
                .ink(Ink::Name, database.name.as_str())
                .plain(&format!(": {read}; {says}")),
        );
        for damage in &report.damage {
            ui.data(Text::new().plain("    ").plain(damage));
        }
    }
    if damaged > 0 {
        let says = format!("{} found in backups", count(damaged, "damage"));
        return Err(CommandError::new(Exit::Person, says)
            .hint("`friday backup` makes a new one; `friday drill` proves it"));
    }
    Ok(Exit::Done)
}
