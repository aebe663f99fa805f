//! The guestbook: a small real web application to push with friday.
//!
//! One binary, several releases: what a release looks like, and how it works with its database, stands in the
//! templates and settings beside the binary ([`look`]), so that all of them need one build. It must not know
//! friday: whatever it does, any application could do.

mod address;
mod arguments;
mod book;
mod form;
mod look;
mod page;
mod schema;
mod server;
mod smoke;

use std::io::Write;
use std::process::ExitCode;

use address::Address;
use arguments::{Command, Task};
use book::Book;
use look::Look;

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
    let Command { look, task } = Command::parse(std::env::args().skip(1))?;
    let opened = || -> Result<(Look, Address), Box<dyn std::error::Error>> {
        Ok((Look::read(&look)?, Address::from_environment()?))
    };
    match task {
        Task::Serve { listen } => {
            let (look, address) = opened()?;
            let mut book = Book::open(&address, &look)?;
            book.tidy()?;
            server::serve(&listen, book, look)
        }
        Task::Init => {
            let (look, address) = opened()?;
            let made = Book::init(&address, &look)?;
            let told = match made {
                book::Made::Now => "a new book, with its first entries",
                book::Made::Before => "there is a book already; it stays as it is",
            };
            writeln!(std::io::stdout(), "{told}")?;
            Ok(())
        }
        Task::Migrate => {
            let (look, address) = opened()?;
            Ok(Book::open(&address, &look)?.migrate()?)
        }
        Task::MigrateBack => {
            let (look, address) = opened()?;
            Ok(Book::open(&address, &look)?.migrate_back()?)
        }
        Task::SmokeWrite => Ok(smoke::write()?),
        Task::SmokeRead => Ok(smoke::read()?),
    }
}
