//! friday-core's tests from outside: one binary.

mod apart;
mod audits;
mod golden;
mod holds;
mod hours;
mod invariants;
mod members;
mod paces;
mod pushes;
mod quarantines;
mod rehearsals;
mod restore_points;
mod resumes;
mod rollbacks;
mod scene;
mod stops;
mod upgrades;
mod wave_hooks;
