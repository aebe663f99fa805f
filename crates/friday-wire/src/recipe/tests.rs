use proptest::prelude::*;

use super::*;

fn recipe(bytes: &[u8], step: usize) -> Recipe {
    let mut chunker = Chunker::default();
    bytes.chunks(step.max(1)).for_each(|part| chunker.feed(part));
    chunker.finish()
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

#[test]
fn it_does_not_matter_in_which_parts_a_file_is_read() {
    let bytes = noise(700_000, 3);
    let whole = recipe(&bytes, bytes.len());
    assert_eq!(whole.size(), bytes.len() as u64);
    for step in [1_000, 4_096, 65_536, 65_537, 262_144] {
        assert_eq!(recipe(&bytes, step), whole, "in steps of {step}");
    }
    assert_eq!(Recipe::from_bytes(&whole.to_bytes()), Ok(whole));
    assert_eq!(recipe(&[], 1), Recipe::default());
}

#[test]
fn a_place_that_changed_costs_a_few_chunks() {
    let before = noise(4_000_000, 5);
    let mut after = before.clone();
    after.splice(1_000_000..1_000_000, noise(333, 9));
    let (before, after) = (recipe(&before, 65_536), recipe(&after, 65_536));
    let held: std::collections::BTreeSet<u64> =
        before.chunks.iter().map(|chunk| chunk.hash).collect();
    let new: u64 = after
        .chunks
        .iter()
        .filter(|chunk| !held.contains(&chunk.hash))
        .map(|chunk| u64::from(chunk.length))
        .sum();
    assert!(new > 0 && new < 150_000, "{new}");
}

#[test]
fn what_no_chunker_made_is_refused() {
    assert_eq!(Recipe::from_bytes(&[0; 11]), Err(RecipeError));
    assert_eq!(Recipe::from_bytes(&[0; 12]), Err(RecipeError), "a chunk of no bytes");
    assert_eq!(Recipe::from_bytes(&[255; 12]), Err(RecipeError), "a chunk that is too long");
}

proptest! {
    #[test]
    fn cuts_keep_their_bounds(length in 0_usize..200_000, seed in any::<u64>()) {
        let bytes = noise(length, seed);
        let chunks = recipe(&bytes, 10_000).chunks;
        prop_assert_eq!(chunks.iter().map(|chunk| chunk.length as usize).sum::<usize>(), bytes.len());
        let last = chunks.len().saturating_sub(1);
        for (at, chunk) in chunks.iter().enumerate() {
            prop_assert!(chunk.length as usize <= CHUNK_LEN.2);
            prop_assert!(at == last || chunk.length as usize >= CHUNK_LEN.0);
        }
    }
}
