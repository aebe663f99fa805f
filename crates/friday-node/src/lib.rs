//! One host's state machine, without I/O: the host's half of the protocol.
//!
//! The shell (friday-host, or the simulator) hands in what happened and the boot clock's time, then
//! takes the turn: it persists first, and only then performs the actions and sends the answers.
//! Nothing here reads a clock, a file or a random number.
//!
//! Reading order: [`input`], [`action`], [`durable`], [`node`]; then what requests do (`admission`,
//! `rollout`, `steps`), how operations go ([`operation`], `motion`, `phase`, `outcome`, `unit`,
//! `stop`, `ending`, [`task`]), and what the host does by itself (`supervision`, `stray`, `boot`, `retention`).

pub mod action;
mod admission;
pub mod attempts;
mod boot;
pub mod durable;
mod ending;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod input;
mod lane;
mod motion;
pub mod node;
mod once;
pub mod operation;
mod outcome;
mod phase;
mod report;
mod retention;
mod rollout;
mod steps;
mod stop;
mod stray;
mod supervision;
pub mod task;
#[cfg(any(test, fuzzing))]
mod tests;
mod unit;

pub use action::{Action, ActionId, App, Direction, Turn};
pub use durable::Durable;
pub use input::{ActionResult, CallId, Input};
pub use node::Node;
