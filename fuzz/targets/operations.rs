//! What befalls a host, in any order.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| friday_node::fuzz::operations(input));
