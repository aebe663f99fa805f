//! The real program over pipes, beside real databases of SQLite that a thread writes to.

mod bed;
mod drills;
mod saves;
mod trouble;
