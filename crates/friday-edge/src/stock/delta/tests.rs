use super::*;

fn recipe(hashes: &[u64]) -> Recipe {
    Recipe { chunks: hashes.iter().map(|hash| Chunk { hash: *hash, length: 10 }).collect() }
}

fn told(base: &[u64], new: &[u64]) -> Vec<String> {
    let stretches = stretches(&recipe(base), &recipe(new));
    let mut at = 0;
    for stretch in &stretches {
        assert_eq!(stretch.offset, at, "no gaps");
        at += stretch.length;
    }
    assert_eq!(at, new.len() as u64 * 10);
    let tell = |stretch: &Stretch| match stretch.from {
        Origin::Same { offset } => format!("same {offset}+{}", stretch.length),
        Origin::Near { offset, length } => format!("near {offset}+{length}: {}", stretch.length),
    };
    stretches.iter().map(tell).collect()
}

#[test]
fn a_change_in_the_middle_stands_between_its_neighbours() {
    assert_eq!(
        told(&[1, 2, 3, 4], &[1, 2, 9, 9, 4]),
        ["same 0+20", "near 20+10: 20", "same 30+10"]
    );
}

#[test]
fn chunks_are_found_wherever_they_went() {
    assert_eq!(told(&[1, 2, 3, 4], &[3, 4, 1, 2]), ["same 20+20", "same 0+20"]);
    assert_eq!(told(&[1, 2], &[9, 1]), ["near 0+0: 10", "same 0+10"]);
    assert_eq!(told(&[1, 2], &[1, 2, 9]), ["same 0+20", "near 20+0: 10"]);
    assert_eq!(told(&[1], &[2, 3]), ["near 0+10: 20"]);
}

#[test]
fn equal_chunks_go_on_in_order() {
    assert_eq!(told(&[5, 5, 5, 6], &[5, 5, 6]), ["same 0+20", "same 30+10"]);
    assert!(told(&[], &[]).is_empty());
}
