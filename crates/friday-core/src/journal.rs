//! The journal: an append-only chain of records. Everything that happens is an event in it.

pub mod event;
pub mod finding;
pub mod intent;
pub mod moment;
pub mod record;
pub mod round;
pub mod store;

pub use event::Event;
pub use record::{Position, Record, RecordError};
pub use store::{AppendError, ReadError, Store};
