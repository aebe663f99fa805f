//! `friday man`: manual pages, made from the command line's own words.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;
use serde::Serialize;

use crate::cli::Cli;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ink, Text, Ui};

/// Where to.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday man | man -l -                    read it now\n  friday man --out ~/.local/share/man/man1  then `man friday-push`"
)]
pub struct ManArgs {
    /// Write a page for friday and one for each command into this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Serialize)]
struct ManView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// When a page cannot be written.
pub fn run(ui: &Ui, args: &ManArgs) -> Result<Exit, CommandError> {
    let mut root = Cli::command();
    root.build();
    let Some(out) = &args.out else {
        let page = page(&root)?;
        if ui.is_json() {
            ui.json(&ManView { page: Some(&page), written: Vec::new() });
        } else {
            ui.text(&page);
        }
        return Ok(Exit::Done);
    };
    fs::create_dir_all(out).map_err(|error| unwritten(out, &error))?;
    let mut written = Vec::new();
    write(&root, "friday", out, &mut written)?;
    if ui.is_json() {
        ui.json(&ManView { page: None, written });
    } else {
        let many = friday_core::view::words::count(written.len(), "page");
        let shown = out.display().to_string();
        ui.say(Text::new().plain(&format!("Wrote {many} to ")).ink(Ink::Name, &shown).plain("."));
    }
    Ok(Exit::Done)
}

/// A command's page, and those of the commands below it.
fn write(
    command: &clap::Command,
    name: &str,
    out: &Path,
    written: &mut Vec<PathBuf>,
) -> Result<(), CommandError> {
    let path = out.join(format!("{name}.1"));
    fs::write(&path, page(command)?).map_err(|error| unwritten(&path, &error))?;
    written.push(path);
    for below in command.get_subcommands() {
        if below.is_hide_set() || below.get_name() == "help" {
            continue;
        }
        write(below, &format!("{name}-{}", below.get_name()), out, written)?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> Result<String, CommandError> {
    let mut page = Vec::new();
    let manual = format!("friday {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).section("1").source(manual).date("");
    man.render(&mut page).map_err(CommandError::bug)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn unwritten(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::new(Exit::Internal, format!("`{}` could not be written", path.display()))
        .because(error.to_string())
}
