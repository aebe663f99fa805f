//! friday-data: the small program beside a guarded database. It makes backups and restore points, and
//! proves by drills that they can be returned to.
//!
//! It must never change the live database, decide nothing about a rollout, and leave nothing running when
//! its connection ends. Each connection is one process; each request brings the whole description of
//! the database. It keeps no configuration.
//!
//! Reading order: [`arguments`], [`connect`], [`request`], [`course`]; then [`place`] (what lies where),
//! [`lock`], [`room`] and [`repository`]; then the engines.

mod arguments;
mod clock;
mod connect;
pub mod course;
pub mod failure;
pub mod lock;
mod opened;
pub mod place;
pub mod postgres;
pub mod progress;
pub mod repository;
mod request;
pub mod room;
mod sqlite;
mod words;

use std::io::Write;
use std::process::ExitCode;

use arguments::Command;

pub use connect::converse;
pub use request::Beside;

/// Does what the command line says.
pub fn main() -> ExitCode {
    match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Connect { beside }) => connect::over_standard_streams(beside),
        Ok(Command::Keep) => match postgres::keep::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                let _ = writeln!(std::io::stderr().lock(), "friday-data keep: {}", failure.why);
                ExitCode::FAILURE
            }
        },
        Ok(Command::FetchWal { socket, name, target }) => {
            postgres::feed::fetch(&socket, &name, &target)
        }
        Ok(Command::Version) => say(&format!("friday-data {}\n", env!("CARGO_PKG_VERSION"))),
        Ok(Command::Help) => say(arguments::HELP),
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "friday-data: {error}");
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
