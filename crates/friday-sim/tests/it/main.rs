//! The simulator's tests: one binary.

mod rollouts;
mod safeguards;
mod seeds;
mod switches;
mod walks;
