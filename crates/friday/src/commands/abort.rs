//! `friday abort`: stop the running push and go back.

use clap::Args;
use friday_core::controller::input;

use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Purpose, Telling};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::Ui;

/// Why.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday abort\n  friday abort --reason \"wrong branch\"\n\nWorks from another terminal: whoever drives the push stops it. Hosts in flight finish or go back,\nno other host starts, then everything goes back."
)]
pub struct AbortArgs {
    /// For the journal.
    #[arg(long, value_name = "TEXT", default_value = "asked for by hand")]
    pub reason: String,
}

/// Runs it.
///
/// # Errors
/// When no push is open, or not every host could be taken back.
pub fn run(ui: &Ui, global: &Global, args: &AbortArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    driver::look_after(ui, &context, Telling::Aloud)?;
    driver::drive(ui, &context, Purpose::Abort, |rollout, driver| input::Command::Abort {
        rollout,
        person: driver.person,
        reason: args.reason.clone(),
    })
}
