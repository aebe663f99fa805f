//! `friday rollback`: take the open or current release off every host.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use friday_core::controller::input::{self, BackTo};

use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::Ui;

/// Where to, how fast and why.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday rollback\n  friday rollback --reason \"checkout fails\" --now\n  friday rollback v41\n\nNo lock, lease, freeze or damaged journal stops a rollback. What it takes off is quarantined:\nhosts refuse it until somebody lifts that."
)]
pub struct RollbackArgs {
    /// A label, or the first digits of a release's identity; without it, what the open push returns to,
    /// else the stable release before this one.
    #[arg(add = ArgValueCompleter::new(complete::releases))]
    pub release: Option<String>,
    /// Every host at once, healthy ones too: faster, and nothing serves in between.
    #[arg(long)]
    pub now: bool,
    /// For the journal and for everybody who pushes the release again.
    #[arg(long, value_name = "TEXT", default_value = "asked for by hand")]
    pub reason: String,
    /// Do not quarantine what it takes off.
    #[arg(long)]
    pub no_quarantine: bool,
}

/// Runs it.
///
/// # Errors
/// When there is nothing to go back to, or not every host could be put right.
pub fn run(ui: &Ui, global: &Global, args: &RollbackArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let to = match &args.release {
        None => BackTo::LastStable,
        // A damaged journal may not name releases any more; a whole identity needs none.
        Some(named) => match named.parse() {
            Ok(digest) => BackTo::Release { release: friday_wire::ReleaseId(digest) },
            Err(_) => BackTo::Release { release: Journal::read(&context)?.release(named)? },
        },
    };
    driver::drive(ui, &context, Purpose::Rollback, |rollout, driver| input::Command::Rollback {
        rollout,
        driver,
        to,
        now: args.now,
        quarantine: !args.no_quarantine,
        reason: args.reason.clone(),
        fleet: Box::new(context.settings.fleet_plan()),
    })
}
