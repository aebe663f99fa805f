//! friday-core's tests from outside: one binary.

mod audits;
mod golden;
mod holds;
mod pushes;
mod resumes;
mod rollbacks;
mod scene;
mod stops;
mod upgrades;
