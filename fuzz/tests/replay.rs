//! The kept corpus once more, in the tests of whichever crate holds a target: what a fuzzer found must not
//! fail. Those crates name this file by its path: some are pure, and none should carry a reader of files.

use std::fs::{self, OpenOptions};
use std::io::Read as _;

/// Hands each kept input of a target to its check.
pub fn replay(target: &str, check: fn(&[u8])) {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/");
    let listed = fs::read_dir(format!("{kept}{target}")).expect("a corpus is kept");
    let mut inputs: Vec<_> = listed.map(|entry| entry.expect("listed").path()).collect();
    assert!(!inputs.is_empty(), "no input is kept for {target}");
    inputs.sort();
    for input in inputs {
        let mut bytes = Vec::new();
        // A pure crate forbids the usual ways to read a file; its tests may read this one.
        let mut file = OpenOptions::new().read(true).open(&input).expect("it can be opened");
        file.read_to_end(&mut bytes).expect("a kept input can be read");
        // The name stands above the panic: the test runner shows what a failed test printed.
        println!("{}", input.display());
        check(&bytes);
    }
}
