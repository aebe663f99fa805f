//! What the stories need: a server (a directory with the real program), a connection, releases.

pub mod connection;
pub mod release;
pub mod server;

use std::time::{Duration, Instant};

pub use connection::Connection;
pub use release::Made;
pub use server::Server;

/// Generous: a busy machine is no failure.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Looks until something is so.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, look)
}

/// As [`until`], for what takes its time by itself.
pub fn until_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
