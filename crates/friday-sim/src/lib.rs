//! A simulated world around the real core and the real node, deterministic from one seed.
//!
//! A seed draws a fleet, releases, and how likely each fault is; then laptops push, roll back, die and
//! come back while hosts reboot, disks fill and messages arrive late or not at all. Promises 2 to 7 and
//! 10 are checked against the truth of the world, not against what friday says. Then the faults stop,
//! and the fleet must come to rest. Start with `world`, then `run` and `promise`.
//!
//! It must not decide anything that friday decides: whatever is wrong here must be wrong there.

mod application;
mod catalog;
mod command;
mod cost;
mod driving;
mod failure;
mod fault;
mod guarded;
mod host;
mod judging;
mod laptop;
mod ledger;
mod meddling;
mod members;
mod network;
mod operator;
mod options;
mod promise;
mod rehearsed;
mod rough;
mod run;
mod schedule;
mod shell;
mod switch;
mod walk;
mod world;

pub use cost::{Cost, QuietFleet};
pub use failure::{Failure, FailureClass};
pub use guarded::PointFate;
pub use judging::JudgeFate;
pub use meddling::Message;
pub use options::Options;
pub use rehearsed::Showing;
pub use run::run_seed;
pub use switch::{NoSuchSwitch, Switch};
pub use walk::{Laptop, Walk};
pub use world::World;
