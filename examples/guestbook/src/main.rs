//! The guestbook: a small real web application to push with friday.
//!
//! One binary, three releases: what a release looks like stands in the templates and settings beside
//! the binary ([`look`]), so that three releases need one build. It must not know friday: whatever it
//! does, any application could do.

mod arguments;
mod book;
mod form;
mod look;
mod page;
mod server;

use std::io::Write;
use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody reads stderr there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "guestbook: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    match Command::parse(std::env::args().skip(1))? {
        Command::Serve { listen, store, look } => {
            let look = look::Look::read(&look)?;
            let book = book::Book::open(&store)?;
            server::serve(&listen, book, look)
        }
        Command::Migrate { store } => {
            book::Book::open(&store)?;
            Ok(())
        }
    }
}
