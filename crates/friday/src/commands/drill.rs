//! `friday drill`: restore the newest backup beside the live database, check it, and time it.

use std::time::Duration;

use clap::Args;
use friday_core::config::settings::DatabaseSettings;
use friday_core::database::DataAct;
use friday_core::view::words::{count, duration, size};
use friday_wire::DatabaseName;
use friday_wire::data::{
    DataAnswer, DataRequest, DrillReport, DrillTarget, InvariantResult, Judged, Masked,
};
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::data_work::{DataWork, LOOK_LIMIT};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ink, Text, Ui};

/// Which database.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday drill                of every guarded database\n  friday drill orders\n  friday drill --clean        put away what drills left\n\nThe live database is never touched: the copy lies in a directory of its own, for the login user alone."
)]
pub struct DrillArgs {
    /// The database; all without it.
    pub database: Option<String>,
    /// Put away the copies that drills left, and restore nothing.
    #[arg(long)]
    pub clean: bool,
}

#[derive(Serialize)]
struct DrillView<'a> {
    database: &'a DatabaseName,
    report: &'a DrillReport,
}

/// Runs it.
///
/// # Errors
/// When a drill fails, or an invariant does not hold on the copy.
pub fn run(ui: &Ui, global: &Global, args: &DrillArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let work = DataWork::new(ui, &context)?;
    let mut broken = Vec::new();
    for database in work.chosen(args.database.as_deref())? {
        if args.clean {
            work.look(&database.name, LOOK_LIMIT, |database| DataRequest::Clean { database })?;
            ui.say(format!("`{}`: nothing of drills is left", database.name));
            continue;
        }
        let report = drill(&work, database)?;
        if ui.is_json() {
            ui.json(&DrillView { database: &database.name, report: &report });
        } else {
            draw(ui, &database.name, &report);
        }
        let failed = report.invariants.iter().filter(|judged| !judged.holds());
        broken.extend(failed.map(|judged| format!("`{}`: {}", database.name, judged.name)));
    }
    if broken.is_empty() {
        return Ok(Exit::Done);
    }
    let says = format!("{} on the restored copy", count(broken.len(), "broken invariant"));
    let error = CommandError::new(Exit::Person, says);
    Err(broken
        .into_iter()
        .fold(error, CommandError::because)
        .hint("the backup can be restored; what was damaged was damaged before it was made"))
}

fn drill(
    work: &DataWork<'_>,
    settings: &DatabaseSettings,
) -> Result<Box<DrillReport>, CommandError> {
    let limit = Duration::from_millis(settings.drill.timeout_ms);
    let mask = work.mask(&settings.name)?;
    let answer =
        work.journalled(&settings.name, DataAct::Drill, limit, |database| DataRequest::Drill {
            database,
            target: DrillTarget::Newest,
            invariants: settings.invariants.clone(),
            keep_scratch: settings.drill.keep_scratch,
            timeout_ms: settings.drill.timeout_ms,
            mask,
        })?;
    match answer {
        DataAnswer::Drilled { report } => Ok(report),
        _ => Err(CommandError::bug("a drill ended as something else")),
    }
}

fn draw(ui: &Ui, database: &DatabaseName, report: &DrillReport) {
    let lost = report.rpo_ms.map_or_else(
        || "how much of the newest data would be lost now is not known".to_owned(),
        |ms| format!("at most {} of data would be lost now", duration(ms)),
    );
    ui.data(Text::new().ink(Ink::Good, "✓").plain(" ").ink(Ink::Name, database.as_str()).plain(
        &format!(
            ": recovered in {} from backup {}; {lost}",
            duration(report.rto_ms),
            report.backup,
        ),
    ));
    for phase in &report.phases {
        let moved =
            if phase.bytes > 0 { format!("  {}", size(phase.bytes)) } else { String::new() };
        ui.data(
            Text::new()
                .plain("    ")
                .append(Text::new().plain(&phase.phase.to_string()).pad_to(14))
                .plain(&duration(phase.ms))
                .plain(&moved),
        );
    }
    for check in &report.checks {
        ui.data(
            Text::new()
                .plain("    ")
                .ink(Ink::Good, "✓")
                .plain(&format!(" {}: {}", check.name, check.says)),
        );
    }
    report.invariants.iter().for_each(|judged| invariant(ui, judged));
    if let Some(masked) = &report.masked {
        let says = format!(" {}", masked_says(masked));
        ui.data(Text::new().plain("    ").ink(Ink::Good, "✓").plain(&says));
    }
    for line in place_says(report) {
        ui.data(Text::new().ink(Ink::Faint, &format!("    {line}")));
    }
}

/// That a copy was masked.
pub fn masked_says(masked: &Masked) -> String {
    let statements = usize::try_from(masked.statements).unwrap_or(usize::MAX);
    format!("masked by {} in {}", count(statements, "statement"), duration(masked.ms))
}

/// Where the copy lies, who can read it, and when it goes.
fn place_says(report: &DrillReport) -> Vec<String> {
    let scratch = &report.scratch;
    if !scratch.kept {
        return vec!["the copy was removed".to_owned()];
    }
    let holds = match report.masked {
        Some(_) => "it is masked",
        None => "it holds people's data as the database does; `mask` under `drill` takes that out",
    };
    vec![
        format!(
            "the copy stays in {} ({}), for that login alone (0700)",
            scratch.path,
            size(scratch.bytes)
        ),
        format!("it goes with the next drill or `friday drill --clean`; {holds}"),
    ]
}

fn invariant(ui: &Ui, judged: &Judged) {
    let (ink, mark, says) = match &judged.result {
        InvariantResult::Holds { value: None } => (Ink::Good, "✓", "holds".to_owned()),
        InvariantResult::Holds { value: Some(value) } => {
            (Ink::Good, "✓", format!("holds: {value}"))
        }
        InvariantResult::Broken { rows, value, listed } => {
            let what = match value {
                Some(value) => format!("broken: {value}"),
                None => {
                    format!(
                        "broken: {}",
                        count(usize::try_from(*rows).unwrap_or(usize::MAX), "row")
                    )
                }
            };
            let listed = listed.as_ref().map(|path| format!("; their keys are in {path} there"));
            (Ink::Bad, "✗", what + &listed.unwrap_or_default())
        }
        InvariantResult::Failed { why } => (Ink::Bad, "✗", format!("could not be asked: {why}")),
    };
    ui.data(Text::new().plain("    ").ink(ink, mark).plain(&format!(" {}: {says}", judged.name)));
}
