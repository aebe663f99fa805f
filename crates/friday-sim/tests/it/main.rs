//! The simulator's tests: one binary.

mod fleets;
mod guarded;
mod processes;
mod rollouts;
mod safeguards;
mod seeds;
mod switches;
mod walks;
