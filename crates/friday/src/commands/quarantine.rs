//! `friday quarantine`: make every host refuse a release, or lift that.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use friday_core::controller::input;

use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::Ui;

/// Which release, and why.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday quarantine v42 --reason \"loses orders\"\n  friday quarantine --lift v42 --reason \"it was the load balancer\"\n\nA rollback quarantines what it takes off by itself."
)]
pub struct QuarantineArgs {
    /// A label, or the first digits of a release's identity.
    #[arg(add = ArgValueCompleter::new(complete::releases))]
    pub release: String,
    /// Let hosts take it again.
    #[arg(long)]
    pub lift: bool,
    /// Kept on the hosts, and told to everybody who pushes it.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Runs it.
///
/// # Errors
/// When there is no such release, it is refused, or hosts do not answer.
pub fn run(ui: &Ui, global: &Global, args: &QuarantineArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let release = Journal::read(&context)?.release(&args.release)?;
    driver::drive(ui, &context, Purpose::Act, |rollout, driver| input::Command::SetQuarantine {
        rollout,
        driver,
        release,
        active: !args.lift,
        reason: args.reason.clone(),
        fleet: Box::new(context.settings.fleet_plan()),
    })
}
