//! The simulator's tests: one binary.

mod fleets;
mod guarded;
mod processes;
mod rehearsed;
mod rollouts;
mod safeguards;
mod seeds;
mod switches;
mod walks;
