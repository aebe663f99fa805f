//! `friday unlock`: lift the lock.

use clap::Args;
use friday_core::controller::input;

use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::Ui;

/// Nothing to choose.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday unlock\n\nOn a terminal it asks before it lifts somebody else's lock; `--yes` answers that."
)]
pub struct UnlockArgs {}

/// Runs it.
///
/// # Errors
/// When it is refused, or hosts do not answer.
pub fn run(ui: &Ui, global: &Global, _: &UnlockArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let me = friday_edge::identity::person();
    let journal = Journal::read(&context)?;
    if let Some(lock) = journal.chronicle.lock.as_ref().filter(|lock| lock.person != me) {
        ui.say(format!("{} locked the fleet: {}", lock.person, lock.reason));
        if !ui.confirm("Lift it?") {
            return Err(CommandError::new(Exit::Refused, "the lock stays"));
        }
    }
    driver::drive(ui, &context, Purpose::Act, |rollout, driver| input::Command::SetLock {
        rollout,
        driver,
        lock: None,
        fleet: Box::new(context.settings.fleet_plan()),
    })
}
