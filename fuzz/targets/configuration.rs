//! A configuration as somebody may write it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_core::fuzz::configuration(input));
