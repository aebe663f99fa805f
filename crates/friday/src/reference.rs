//! The reference pages, made from the code: `docs/reference/exit-codes.md` and `commands.md`. A test
//! fails when they are stale.

use std::fmt::Write as _;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::Ui;

/// Said on each page, so that nobody mends the wrong file.
const MADE: &str = "<!-- Made from the code: `cargo xtask docs` -->";

/// The pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Page {
    /// `docs/reference/exit-codes.md`.
    ExitCodes,
    /// `docs/reference/commands.md`.
    Commands,
}

/// Which page.
#[derive(Debug, clap::Args)]
pub struct DocsArgs {
    /// It.
    #[arg(value_enum)]
    pub page: Page,
}

/// Prints a page.
///
/// # Errors
/// Never; the signature is every command's.
pub fn run(ui: &Ui, args: &DocsArgs) -> Result<Exit, CommandError> {
    for line in page(args.page).lines() {
        ui.data(line);
    }
    Ok(Exit::Done)
}

/// A page's text.
pub fn page(page: Page) -> String {
    match page {
        Page::ExitCodes => exit_codes(),
        Page::Commands => commands(),
    }
}

fn exit_codes() -> String {
    let mut out = format!(
        "# Exit codes\n\n{MADE}\n\nEvery command ends with one of these. A script can rely on them.\n\n\
         | code | means | a script best |\n| --- | --- | --- |\n"
    );
    for exit in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {} | {} | {} |", exit.code(), exit.means(), exit.advice());
    }
    out
}

fn commands() -> String {
    let mut out = format!("# Commands\n\n{MADE}\n");
    let mut root = Cli::command().term_width(100);
    root.build();
    let _ = write!(out, "\n## friday\n\n```text\n{}```\n", help(&root));
    for command in root.get_subcommands() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        section(&mut out, command, "friday", 2);
    }
    out
}

fn section(out: &mut String, command: &clap::Command, parent: &str, depth: usize) {
    let name = format!("{parent} {}", command.get_name());
    let _ = write!(out, "\n{} {name}\n\n```text\n{}```\n", "#".repeat(depth), help(command));
    for child in command.get_subcommands() {
        if child.get_name() != "help" && !child.is_hide_set() {
            section(out, child, &name, depth + 1);
        }
    }
}

fn help(command: &clap::Command) -> String {
    let text = command.clone().term_width(100).render_long_help().to_string();
    let mut out = String::new();
    for line in text.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
