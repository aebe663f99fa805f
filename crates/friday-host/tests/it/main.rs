//! The real program in a temporary directory, spoken to over pipes as friday does it.

#![expect(missing_docs, reason = "a test program has no users")]

mod applications;
mod connections;
mod releases;
mod support;
mod switches;
mod upgrades;
