//! `friday resume`: go on with a rollout that is held or was interrupted.

use clap::Args;
use friday_core::controller::input::{self, Way};
use friday_core::view::RolloutView;

use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Purpose, Telling};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::Ui;

/// Which way.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday resume              asks\n  friday resume --forward\n  friday resume --back"
)]
pub struct ResumeArgs {
    /// Go on to the end.
    #[arg(long, conflicts_with = "back")]
    pub forward: bool,
    /// Take it off every host that has seen it.
    #[arg(long)]
    pub back: bool,
}

/// Runs it.
///
/// # Errors
/// When nothing is open, nobody says which way, or it does not end well.
pub fn run(ui: &Ui, global: &Global, args: &ResumeArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    driver::look_after(ui, &context, Telling::Aloud)?;
    let journal = Journal::read_whole(&context)?;
    let Some(open) = journal.chronicle.open().next() else {
        return Err(CommandError::new(Exit::Refused, "there is nothing to resume")
            .because("no rollout of this journal is open")
            .hint("`friday status` shows what is there"));
    };
    let way = way(ui, args, open)?;
    driver::drive(ui, &context, Purpose::Act, |rollout, driver| input::Command::Resume {
        rollout,
        driver,
        way,
    })
}

fn way(ui: &Ui, args: &ResumeArgs, open: &RolloutView) -> Result<Way, CommandError> {
    if args.forward {
        return Ok(Way::Forward);
    }
    if args.back {
        return Ok(Way::Back);
    }
    driver::tell(ui, open);
    match ui.ask("Forward, or back?", &["forward", "back", "neither"]) {
        Some(0) => Ok(Way::Forward),
        Some(1) => Ok(Way::Back),
        _ => Err(CommandError::new(Exit::Usage, "which way is not said")
            .hint("`friday resume --forward` goes on, `friday resume --back` takes it off")),
    }
}
