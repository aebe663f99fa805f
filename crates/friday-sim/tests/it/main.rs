//! The simulator's tests: one binary.

mod seeds;
mod switches;
mod walks;
