//! Archives that somebody ships.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_edge::fuzz::archives(input));
