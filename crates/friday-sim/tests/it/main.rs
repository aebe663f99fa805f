//! The simulator's tests: one binary.

mod fleets;
mod rollouts;
mod safeguards;
mod seeds;
mod switches;
mod walks;
