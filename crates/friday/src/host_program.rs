//! friday-host and friday-data, carried inside: built by the build script for the machine that friday is built for.

/// friday-host's bytes.
pub static HOST_PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/friday-host"));

/// friday-data's bytes.
pub static DATA_PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/friday-data"));
