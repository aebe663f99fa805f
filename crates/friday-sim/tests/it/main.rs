//! The simulator's tests: one binary. The runs join as soon as node and core behave.
