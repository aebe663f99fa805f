//! What fuzzers found, once more: the kept corpus must not fail.

use super::*;

#[test]
fn the_kept_corpus_holds() {
    replay("conversation", conversation);
    replay("packs", packs);
}

fn replay(target: &str, check: fn(&[u8])) {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/");
    let listed = std::fs::read_dir(format!("{kept}{target}")).expect("a corpus is kept");
    let mut inputs: Vec<_> = listed.map(|entry| entry.expect("listed").path()).collect();
    assert!(!inputs.is_empty(), "no input is kept for {target}");
    inputs.sort();
    for input in inputs {
        let bytes = std::fs::read(&input).expect("a kept input can be read");
        // The name stands above the panic: the test runner shows what a failed test printed.
        println!("{}", input.display());
        check(&bytes);
    }
}
