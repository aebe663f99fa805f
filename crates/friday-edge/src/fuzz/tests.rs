//! What fuzzers found, once more: the kept corpora must not fail.

#[path = "../../../../fuzz/tests/replay.rs"]
mod replay;

use replay::replay;

use super::*;

#[test]
fn the_kept_archives_hold() {
    replay("archives", archives);
}

#[test]
fn the_kept_answers_hold() {
    replay("frames", answers);
}

#[test]
fn the_kept_recipes_hold() {
    replay("recipes", recipes);
}
