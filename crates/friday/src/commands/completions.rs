//! `friday completions SHELL`: what a shell needs to complete friday's words.

use clap::Args;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use serde::Serialize;

use crate::complete::VARIABLE;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::Ui;

/// The shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// Which shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday completions bash >> ~/.bashrc\n  friday completions zsh >> ~/.zshrc\n  friday completions fish > ~/.config/fish/completions/friday.fish\n\nThe shell then asks friday itself: hosts come from friday.toml, releases and rollouts from the journal\nbeside it. No host is contacted."
)]
pub struct CompletionsArgs {
    /// It.
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Serialize)]
struct CompletionsView<'a> {
    script: &'a str,
}

/// Runs it.
///
/// # Errors
/// A bug in what writes the script.
pub fn run(ui: &Ui, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "friday", "friday", "friday", &mut script)
        .map_err(CommandError::bug)?;
    let script = String::from_utf8_lossy(&script);
    if ui.is_json() {
        ui.json(&CompletionsView { script: &script });
    } else {
        ui.text(&script);
    }
    Ok(Exit::Done)
}
