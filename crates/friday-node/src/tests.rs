//! Stories and random histories of one host.

mod booting;
mod switching;
mod world;
