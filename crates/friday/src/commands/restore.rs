//! `friday restore`: a copy of a guarded database beside the live one, and what a person can do with it.

use std::time::Duration;

use clap::{ArgGroup, Args};
use clap_complete::engine::ArgValueCompleter;
use friday_core::config::settings::DatabaseSettings;
use friday_core::database::{DataAct, DatabaseKnown};
use friday_core::view::words::{duration, size};
use friday_wire::data::{DataAnswer, DataRequest, DrillReport, DrillTarget, RestoreStep};
use friday_wire::{BackupId, DatabaseName};
use serde::Serialize;

use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::data_work::{DataWork, LOOK_LIMIT};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::{Ink, Text, Ui, now};

/// What to restore, and where to.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("target").required(true).args(["rollout", "backup", "at", "newest"])),
    after_help = "Examples:\n  friday restore --rollout 3kq           the restore point of that push\n  friday restore --at 14:03              as it was then\n  friday restore --at '2026-11-27 14:03' orders\n  friday restore --at '20 minutes ago'\n  friday restore --newest --to /srv/restored\n\nThe live database is never touched: what friday makes is a copy, and it says how one table, or all of it, is taken over from there."
)]
pub struct RestoreArgs {
    /// The database; not needed where there is only one.
    pub database: Option<String>,
    /// The restore point of this rollout, or the end of its name.
    #[arg(long, value_name = "ROLLOUT", add = ArgValueCompleter::new(complete::rollouts))]
    pub rollout: Option<String>,
    /// This backup, as it is.
    #[arg(long, value_name = "BACKUP")]
    pub backup: Option<String>,
    /// As it was at this time, by this machine's time zone: `14:03`, `2026-11-27 14:03`, `20 minutes ago`.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The newest that can be had.
    #[arg(long)]
    pub newest: bool,
    /// A new or empty directory on the database's host, relative to the login's home.
    #[arg(long, value_name = "DIRECTORY")]
    pub to: Option<String>,
}

#[derive(Serialize)]
struct RestoreView<'a> {
    database: &'a DatabaseName,
    host: String,
    report: &'a DrillReport,
    steps: &'a [RestoreStep],
}

/// Runs it.
///
/// # Errors
/// When what is meant does not exist, or could not be restored.
pub fn run(ui: &Ui, global: &Global, args: &RestoreArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let work = DataWork::new(ui, &context)?;
    let database = work.one(args.database.as_deref())?;
    let target = target(ui, &context, &work, database, args)?;
    let directory = args.to.clone().unwrap_or_else(|| {
        format!("friday-restored/{}-{}", database.name, ui.clock().stamp(now()))
    });
    let directory = work.databases().there(database, &directory);
    let limit = Duration::from_millis(database.drill.timeout_ms);
    let answer = work.journalled(&database.name, DataAct::Restore, limit, |database| {
        let timeout_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        DataRequest::Restore { database, target, directory, timeout_ms }
    })?;
    let DataAnswer::Restored { report, steps } = answer else {
        return Err(CommandError::bug("a restore ended as something else"));
    };
    if ui.is_json() {
        let host = database.host.to_string();
        ui.json(&RestoreView { database: &database.name, host, report: &report, steps: &steps });
    } else {
        draw(ui, database, &report, &steps);
    }
    Ok(Exit::Done)
}

fn target(
    ui: &Ui,
    context: &Context,
    work: &DataWork<'_>,
    database: &DatabaseSettings,
    args: &RestoreArgs,
) -> Result<DrillTarget, CommandError> {
    if let Some(rollout) = &args.rollout {
        return of_rollout(context, database, rollout);
    }
    if let Some(id) = &args.backup {
        let request = |database| DataRequest::List { database };
        let answer = work.look(&database.name, LOOK_LIMIT, request)?;
        let DataAnswer::Backups { backups } = answer else {
            return Err(CommandError::bug("a list came as something else"));
        };
        let backup = BackupId::new(id.as_str());
        let found = backups.into_iter().find(|known| known.id == backup).ok_or_else(|| {
            let says = format!("database `{}` has no backup `{id}`", database.name);
            CommandError::new(Exit::Usage, says).hint("see `friday backup list`")
        })?;
        return Ok(DrillTarget::Point { position: found.position, backup });
    }
    match &args.at {
        Some(text) => Ok(DrillTarget::Time { at_ms: time(ui, text)? }),
        None => Ok(DrillTarget::Newest),
    }
}

fn of_rollout(
    context: &Context,
    database: &DatabaseSettings,
    named: &str,
) -> Result<DrillTarget, CommandError> {
    let journal = Journal::read(context)?;
    let rollout = journal.rollout(Some(named))?;
    let known: Option<&DatabaseKnown> = journal.chronicle.databases.get(&database.name);
    let points = known.map(|known| &known.points);
    let point = points.and_then(|points| points.get(&rollout)).ok_or_else(|| {
        let says =
            format!("rollout {rollout} made no restore point of database `{}`", database.name);
        let newest = points.and_then(|points| points.keys().next_back());
        let error = CommandError::new(Exit::Usage, says);
        match newest {
            Some(newest) => error.hint(format!("the newest one is that of {newest}")),
            None => error.hint("`friday backup list` says what else there is"),
        }
    })?;
    Ok(DrillTarget::Point { position: point.position.clone(), backup: point.backup.clone() })
}

/// A moment in the past, milliseconds since 1970.
fn time(ui: &Ui, text: &str) -> Result<u64, CommandError> {
    let moment = ui.clock().moment(text, now()).ok_or_else(|| {
        CommandError::new(Exit::Usage, format!("`{text}` is not a time that friday understands"))
            .hint("write 14:03, \"2026-11-27 14:03\", 2026-11-27T14:03:00Z or \"20 minutes ago\"")
    })?;
    if moment > now() {
        let says = format!("{} has not come yet", ui.clock().long(moment));
        return Err(CommandError::new(Exit::Usage, says));
    }
    u64::try_from(moment.0)
        .map_err(|_| CommandError::new(Exit::Usage, "nothing was backed up before 1970"))
}

fn draw(ui: &Ui, database: &DatabaseSettings, report: &DrillReport, steps: &[RestoreStep]) {
    let place = &report.scratch.path;
    ui.data(
        Text::new().ink(Ink::Good, "✓").plain(" ").ink(Ink::Name, database.name.as_str()).plain(
            &format!(
                ": a copy lies on {} in {place}, {}, made in {}",
                database.host,
                size(report.scratch.bytes),
                duration(report.rto_ms),
            ),
        ),
    );
    let from = format!(
        "    it stands at {}, from backup {}; the login user alone can read it",
        report.reached, report.backup
    );
    ui.data(Text::new().plain(&from));
    for check in &report.checks {
        let says = format!(" {}: {}", check.name, check.says);
        ui.data(Text::new().plain("    ").ink(Ink::Good, "✓").plain(&says));
    }
    ui.data(Text::new());
    ui.data(Text::new().plain("What can be done with it, there, as the login user:"));
    for step in steps {
        ui.data(Text::new());
        ui.data(Text::new().plain(&format!("  {}", step.what)));
        for line in &step.run {
            ui.data(Text::new().plain("      ").ink(Ink::Name, line));
        }
    }
}

#[cfg(test)]
mod tests {
    use friday_core::time::Timestamp;

    use crate::ui::Clock;

    const NOW: Timestamp = Timestamp(1_795_465_860_000);

    fn seconds_before(text: &str) -> Option<i64> {
        let moment = Clock::utc().moment(text, NOW)?;
        Some((NOW.0 - moment.0) / 1_000)
    }

    #[test]
    fn people_write_times_in_several_ways() {
        let then = Clock::utc().long(Timestamp(NOW.0 - 3_600_000));
        assert_eq!(seconds_before(&then), Some(3_600));
        assert_eq!(seconds_before(&then.replace(' ', "T")), Some(3_600));
        assert_eq!(seconds_before(&format!("{}Z", then.replace(' ', "T"))), Some(3_600));
        assert_eq!(seconds_before("20 minutes ago"), Some(1_200));
        assert_eq!(seconds_before("1h 30m ago"), Some(5_400));
        assert_eq!(seconds_before("yesterday-ish"), None);
        assert_eq!(seconds_before(""), None);
        // A time of day is the last one.
        let short = Clock::utc().short(Timestamp(NOW.0 - 60_000));
        assert_eq!(seconds_before(&short), Some(60));
        let later = Clock::utc().short(Timestamp(NOW.0 + 60_000));
        assert_eq!(seconds_before(&later), Some(86_340));
    }
}
