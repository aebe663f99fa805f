//! The real program in a temporary directory, spoken to over pipes as friday does it.

mod applications;
mod connections;
mod jobs;
mod members;
mod packs;
mod processes;
mod releases;
mod support;
mod switches;
mod trials;
mod trouble;
mod upgrades;
