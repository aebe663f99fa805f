//! friday-core's tests from outside: one binary.

mod golden;
