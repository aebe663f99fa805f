//! friday-host: the small program on each server, an I/O shell around `friday-node`.
//!
//! It must decide nothing that the state machine could decide, act on nothing that is not on disk
//! yet, and never touch an application because of its own troubles. Threads and channels; no
//! runtime.
//!
//! Reading order: [`arguments`], [`connect`], [`serve`] with [`serve::owner`] and
//! [`serve::connection`], then [`perform`] and what it calls: [`tree`], [`app`], [`shim`] and [`job`],
//! [`adopted`], [`probe`], [`page`], [`prune`]. [`upgrade`] replaces the program itself, [`leave`] takes it
//! off; both begin with a [`handover`]. [`trial`] runs a release beside the one that serves, in a process of its
//! own. [`place`] says where everything lies.

mod adopted;
mod app;
mod arguments;
mod boot_hook;
mod command;
mod connect;
mod environment;
mod examine;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handover;
mod host;
mod job;
mod journald;
mod leave;
mod machine;
mod note;
mod output;
mod page;
mod perform;
mod place;
mod port;
mod probe;
mod process;
mod prune;
mod restart;
mod serve;
mod shim;
mod signature;
mod store;
mod tool;
mod tree;
mod trial;
mod unit;
mod upgrade;
mod zone;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use arguments::{Command, Root, Start};
use serve::ServeError;

/// Something failed.
const EXIT_FAILED: u8 = 1;
/// Wrong usage.
const EXIT_USAGE: u8 = 2;
/// Another process serves the directory already.
pub(crate) const EXIT_TAKEN: u8 = 3;

/// The whole program, from its arguments to its exit status.
pub fn main() -> ExitCode {
    // Everything that this program writes is its user's alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match arguments::parse(std::env::args_os().skip(1)) {
        Ok(command) => run(command),
        Err(error) => fail(EXIT_USAGE, &error.to_string()),
    }
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Help => print(arguments::HELP),
        Command::Version => print(concat!("friday-host ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Connect { root: Root::Refused, .. }
        | Command::Trial { root: Root::Refused, .. }
            if rustix::process::geteuid().is_root() =>
        {
            fail(
                EXIT_FAILED,
                "friday-host does not work as root: give friday an ordinary user on this server \
                 (`user@host`), or insist with `--as-root`",
            )
        }
        Command::Connect { dir, owner, .. } => ended(connect::run(&dir, &owner)),
        Command::Trial { dir, owner, .. } => trial::over_standard_streams(&dir, &owner),
        Command::TrialEnd { dir, fleet } => {
            trial::await_end(&dir, &fleet);
            ExitCode::SUCCESS
        }
        Command::Boot { dir } => ended(connect::boot(&dir)),
        Command::Serve { dir, guard, turn } => match serve::run(&dir, guard, turn) {
            Err(ServeError::Taken) => fail(EXIT_TAKEN, &ServeError::Taken.to_string()),
            other => ended(other),
        },
        Command::Run { start } => match run_start(start) {
            Ok(shim::Ending(code)) => ExitCode::from(code),
            Err(why) => fail(EXIT_FAILED, &why),
        },
        Command::Job { spec } => match job::keep(&spec) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => fail(EXIT_FAILED, &why),
        },
        Command::End { dir } => match end_start(&dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => fail(EXIT_FAILED, &why),
        },
    }
}

fn run_start(start: Start) -> Result<shim::Ending, String> {
    match start {
        Start::Named(spec) => shim::run(&spec),
        Start::Requested(dir) => {
            let place = place::Place::open(&dir).map_err(|error| error.to_string())?;
            shim::run(&unit::requested(&place)?)
        }
    }
}

/// systemd names the unit's main process.
fn end_start(dir: &Path) -> Result<(), String> {
    let place = place::Place::open(dir).map_err(|error| error.to_string())?;
    let main = std::env::var("MAINPID").ok().and_then(|pid| pid.parse().ok());
    // Without one it has ended already.
    if let Some(shim) = main {
        app::end(&place, shim);
    }
    Ok(())
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_FAILED),
    }
}

fn ended<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EXIT_FAILED, &told(&error)),
    }
}

fn fail(code: u8, why: &str) -> ExitCode {
    // Standard error may be gone; the code still tells.
    let _ = writeln!(std::io::stderr().lock(), "friday-host: {why}");
    ExitCode::from(code)
}

/// An error as one line, with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // A variant that shows its cause itself has shown it.
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}
