//! One host's state machine, without I/O: the host's half of the protocol.
//!
//! The shell (friday-host, or the simulator) hands in what happened and the boot clock's time, then
//! takes the turn: it persists first, and only then performs the actions and sends the answers.
//! Nothing here reads a clock, a file or a random number.
//!
//! Reading order: [`input`], [`action`], [`durable`], then [`node`].

pub mod action;
pub mod durable;
pub mod input;
pub mod node;

pub use action::{Action, ActionId, App, Direction, Turn};
pub use durable::Durable;
pub use input::{ActionResult, CallId, Input};
pub use node::Node;
