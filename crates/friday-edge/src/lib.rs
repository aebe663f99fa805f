//! Everything that touches the world on friday's side: one module per outside thing.
//!
//! In reading order: [`clock`], [`identity`], [`journal_file`], [`driver_lock`]; [`release_source`]
//! into [`stock`]; [`secrets`]; [`fleet`] and [`ship`] with [`packing`] and [`bandwidth`]; [`probe`], [`hook`]; [`outbound`] with [`notify`]; and [`dispatcher`], which
//! runs the effects that the controller owes. Nothing here decides what should be done: what came of
//! it goes back as an input. tokio stays inside; the driver's thread sees plain channels.

pub mod bandwidth;
pub mod clock;
pub mod data;
pub mod dispatcher;
pub mod driver_lock;
pub mod fleet;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod hook;
pub mod identity;
pub mod journal_file;
pub mod last_lines;
pub mod notify;
pub mod outbound;
pub mod packing;
pub mod probe;
pub mod progress;
pub mod rehearsal;
pub mod release_source;
pub mod secrets;
pub mod ship;
pub mod signature;
pub mod state_directory;
pub mod stock;
