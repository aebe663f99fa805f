//! The simulator's tests: one binary.

mod rollouts;
mod seeds;
mod switches;
mod walks;
