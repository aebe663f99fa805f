//! Recipes: what a host tells of a file that friday does not have, and what is made of it.

use friday_wire::{Chunk, Chunker, Recipe};

use crate::stock::delta::{Origin, Stretch, stretches};

/// Bytes of content that one byte of the input stands for, so that short inputs have many chunks.
const BLOCK: usize = 2 * 1024;

/// Blocks of one file, at most: an input takes milliseconds.
const BLOCKS_MAX: usize = 96;

/// The first byte of an input that is a host's own words; all others are files that were cut.
const WORDS: u8 = 0x01;

/// A recipe as a host may tell it, and those of two files: how one is made from the other has no gaps
/// and stays inside, and what is the same is the same.
pub fn recipes(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let half = rest.iter().position(|byte| *byte == 0xff).unwrap_or(rest.len());
    let (one, other) = (&rest[..half], rest.get(half + 1..).unwrap_or_default());
    if *kind == WORDS {
        told(one, other);
        return;
    }
    let (old, new) = (content(one), content(other));
    let (base, recipe) = (cut(&old, old.len().max(1)), cut(&new, usize::from(*kind) * 64 + 1));
    assert_eq!(recipe, cut(&new, new.len().max(1)), "cuts depend on how the bytes come");
    for stretch in &made(&base, &recipe) {
        if let Origin::Same { offset } = stretch.from {
            let part = |bytes: &[u8], from: u64| {
                let from = usize::try_from(from).expect("short files");
                let length = usize::try_from(stretch.length).expect("short files");
                bytes[from..from + length].to_vec()
            };
            assert_eq!(part(&old, offset), part(&new, stretch.offset), "not the same");
        }
    }
}

/// Recipes that no file has.
fn told(one: &[u8], other: &[u8]) {
    let recipe = |bytes: &[u8]| {
        let short = bytes.iter().map(|byte| Chunk {
            hash: u64::from(byte & 0x1f),
            length: 1 + u32::from(byte >> 5) * 9_000,
        });
        Recipe { chunks: short.collect() }
    };
    made(&recipe(one), &recipe(other));
    if let Ok(read) = Recipe::from_bytes(one) {
        assert_eq!(read.to_bytes(), one, "it does not mean what it says");
        made(&read, &recipe(other));
        made(&recipe(other), &read);
    }
}

fn made(base: &Recipe, new: &Recipe) -> Vec<Stretch> {
    let found = stretches(base, new);
    let mut at = 0;
    for stretch in &found {
        assert_eq!(stretch.offset, at, "a gap");
        assert!(stretch.length > 0, "an empty stretch");
        let end = match stretch.from {
            Origin::Same { offset } => offset + stretch.length,
            Origin::Near { offset, length } => offset + length,
        };
        assert!(end <= base.size(), "beyond the base");
        at += stretch.length;
    }
    assert_eq!(at, new.size(), "it is not all there");
    found
}

fn cut(bytes: &[u8], step: usize) -> Recipe {
    let mut chunker = Chunker::default();
    bytes.chunks(step).for_each(|part| chunker.feed(part));
    let recipe = chunker.finish();
    assert_eq!(recipe.size(), bytes.len() as u64);
    let again = Recipe::from_bytes(&recipe.to_bytes()).expect("our own words");
    assert_eq!(again, recipe);
    recipe
}

/// A block for each byte: the same byte, the same block.
fn content(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().min(BLOCKS_MAX) * BLOCK);
    for byte in bytes.iter().take(BLOCKS_MAX) {
        let mut block = [0; BLOCK];
        if *byte != 0 {
            let mut reader = blake3::Hasher::new().update(&[*byte]).finalize_xof();
            reader.fill(&mut block);
        }
        out.extend_from_slice(&block);
    }
    out
}
