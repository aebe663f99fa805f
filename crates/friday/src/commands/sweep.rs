//! `friday sweep`: make every host what the fleet should be.

use clap::Args;
use friday_core::controller::input;

use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::Ui;

/// Nothing to choose.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday sweep        after a host that was down is back\n\nA push does this for every host before it begins."
)]
pub struct SweepArgs {}

/// Runs it.
///
/// # Errors
/// When it is refused, or not every host could be put right.
pub fn run(ui: &Ui, global: &Global, _: &SweepArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    driver::settle(ui, &context)?;
    driver::drive(ui, &context, Purpose::Act, |rollout, driver| input::Command::Sweep {
        rollout,
        driver,
        fleet: Box::new(context.settings.fleet_plan()),
    })
}
