//! Frames as friday reads them. It shares the corpus of `frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_edge::fuzz::answers(input));
