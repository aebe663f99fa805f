//! friday-host, carried inside: built by the build script for the machine that friday is built for.

/// The program's bytes.
pub static HOST_PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/friday-host"));
