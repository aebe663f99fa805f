//! What fuzzers found, once more: the kept corpus must not fail.

#[path = "../../../../fuzz/tests/replay.rs"]
mod replay;

use replay::replay;

use super::*;

#[test]
fn the_kept_corpus_holds() {
    replay("conversation", conversation);
    replay("packs", packs);
}
