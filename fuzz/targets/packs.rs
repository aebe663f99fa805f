//! Packs that a host is sent.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_host::fuzz::packs(input));
