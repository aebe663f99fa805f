//! The real program over pipes, beside real databases: of SQLite, that a thread writes to, and servers of PostgreSQL. It
//! must use nothing that this machine already runs.

mod bed;
mod buckets;
mod drills;
mod masks;
mod postgres;
mod rehearsals;
mod saves;
mod store;
mod trouble;
