//! A peer's side of a conversation with friday-host.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_host::fuzz::conversation(input));
