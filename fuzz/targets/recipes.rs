//! Recipes that a host tells.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_edge::fuzz::recipes(input));
