//! `friday`: the commands. Thin: parse, call, render. Deciding is core's, touching the world edge's, and
//! only [`ui`] prints.

mod adoption;
mod cli;
mod commands;
mod complete;
mod context;
mod data_work;
mod driver;
mod error;
mod exit;
mod host_program;
mod hour;
mod journal;
mod preparation;
mod reference;
mod release;
mod sight;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    complete::answer();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Prints help and version to stdout, mistakes to stderr. Where neither can be written,
            // nobody is there to be told.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let ui = cli.global.ui();
    match cli.command.run(&ui, &cli.global) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui.error(&error);
            error.exit().into()
        }
    }
}
