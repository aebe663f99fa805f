//! Frames and envelopes as either end reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_wire::fuzz::frames(input));
