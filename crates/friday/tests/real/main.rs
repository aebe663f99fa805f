//! Tests on real fleets: real SSH servers in network namespaces of this machine.
//!
//! [`bed`] makes the fleets; the other modules are the tests. What friday says is never taken as
//! proof of what a host runs: results are read through [`bed::Bed::file`] and [`bed::Bed::sh`].

mod adopting;
mod bad_luck;
mod bed;
mod bed_holds;
mod broken_off;
mod databases;
mod full;
mod jobs;
mod members;
mod processes;
mod project;
mod push_and_back;
mod servers;
mod systemd;
mod truth;
