//! Stories and random histories of one host.

mod booting;
mod fencing;
mod histories;
mod stepping;
mod stopping;
mod switching;
mod watching;
mod world;
