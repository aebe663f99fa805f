//! `friday logs HOST`: the last lines of an application's output.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;

use super::hosts::known;
use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::sight;
use crate::ui::Ui;

/// Whose output.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday logs web-1\n  friday logs web-1 -n 500\n  friday logs web-1 --release v41    also of a release that was taken off\n  friday logs web-1 --process worker"
)]
pub struct LogsArgs {
    /// A host of the configuration.
    #[arg(add = ArgValueCompleter::new(complete::hosts))]
    pub host: String,
    /// How many lines, counted from the end.
    #[arg(
        long,
        short = 'n',
        default_value_t = 100,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub lines: u32,
    /// Of this release: a label or the first digits of its identity. Without it, the current one.
    #[arg(long, value_name = "RELEASE", add = ArgValueCompleter::new(complete::releases))]
    pub release: Option<String>,
    /// Of this process of the release. Without it, of its `run` command, or of the only one that wrote anything.
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::processes))]
    pub process: Option<String>,
}

#[derive(Serialize)]
struct LogsView<'a> {
    host: &'a str,
    lines: &'a [String],
}

/// Runs it.
///
/// # Errors
/// When the host does not answer, or there is no such release.
pub fn run(ui: &Ui, global: &Global, args: &LogsArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let host = known(&context, &args.host)?;
    let release = match &args.release {
        None => None,
        Some(named) => Some(Journal::read(&context)?.release(named)?),
    };
    let lines = sight::log(&context, &host, release, args.process.as_deref(), args.lines)?;
    if ui.is_json() {
        ui.json(&LogsView { host: host.as_str(), lines: &lines });
    } else if lines.is_empty() {
        ui.say(format!("`{host}` has no output of it."));
    } else {
        for line in lines {
            ui.data(line);
        }
    }
    Ok(Exit::Done)
}
