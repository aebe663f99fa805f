//! The pure core: domain, events, fold, controller, gates; all decisions.
//!
//! Nothing here reads a clock, a file, the environment or a random number, prints or logs. In
//! reading order: [`time`], [`release`], [`rollout::plan`], [`journal`], [`controller`], [`reason`].

pub mod answer;
pub mod audit;
pub mod calendar;
pub mod config;
pub mod controller;
pub mod cover;
pub mod database;
pub mod doctor;
pub mod fleet;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod journal;
pub mod reason;
pub mod release;
pub mod rollout;
pub mod shared;
pub mod state;
pub mod time;
pub mod view;
pub mod zone;
