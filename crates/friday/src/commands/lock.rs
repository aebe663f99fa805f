//! `friday lock`: refuse pushes until unlocked.

use clap::Args;
use friday_core::controller::input;
use friday_wire::Lock;

use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ui, now};

/// Why.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday lock --reason \"the database moves on Saturday\"\n  friday unlock\n\nA lock has no expiry and refuses pushes from every machine. It never refuses a rollback."
)]
pub struct LockArgs {
    /// Told to everybody whose push is refused.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Runs it.
///
/// # Errors
/// When it is refused, or hosts do not answer.
pub fn run(ui: &Ui, global: &Global, args: &LockArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let at_ms = now().0;
    driver::drive(ui, &context, Purpose::Act, |rollout, driver| input::Command::SetLock {
        rollout,
        lock: Some(Lock { person: driver.person.clone(), reason: args.reason.clone(), at_ms }),
        driver,
        fleet: Box::new(context.settings.fleet_plan()),
    })
}
