use std::collections::BTreeMap;

use friday_wire::{Entry, EntryKind, HealthSpec, Lacks, Manifest, ReleaseId, RunSpec};

use super::*;

struct Bench {
    _dir: tempfile::TempDir,
    store: Store,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Place::open(&dir.path().join("f")).expect("opens");
    Bench { _dir: dir, store: Store::new(place) }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn packed(bytes: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut context = zstd::zstd_safe::CCtx::create();
    context.ref_prefix(prefix).expect("taken");
    let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(bytes.len()));
    context.compress2(&mut out, bytes).expect("compresses");
    out
}

/// Offered files in this order, not in that of their hashes: tests name them by place.
fn offered(files: &[&[u8]], base: &[&[u8]]) -> Offered {
    let named = |files: &[&[u8]]| -> Vec<(Digest, u64)> {
        files.iter().map(|bytes| (digest(bytes), bytes.len() as u64)).collect()
    };
    let entry = |(at, (digest, size)): (usize, (Digest, u64))| Entry {
        path: format!("{at:03}"),
        kind: EntryKind::File { digest, size, executable: false },
    };
    let run = RunSpec {
        command: None,
        env: BTreeMap::new(),
        health: HealthSpec::default(),
        unit: friday_wire::UnitSpec::default(),
        shared: Vec::new(),
        processes: friday_wire::Processes::default(),
    };
    let tree = named(files).into_iter().enumerate().map(entry).collect();
    Offered {
        release: ReleaseId(digest(b"release")),
        manifest: Manifest { tree, run },
        files: named(files),
        base_files: named(base),
    }
}

impl Bench {
    fn keep(&self, bytes: &[u8]) {
        let path = self.store.place.stored(digest(bytes));
        private_directory(path.parent().expect("a shelf")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    fn take(&self, offered: &Offered, items: &[Item<'_>]) -> Result<Lacks, UnpackError> {
        let mut bytes = Vec::new();
        items.iter().for_each(|item| item.write_to(&mut bytes));
        let mut unpacking = Unpacking::begin(&self.store, offered)?;
        // However the network cuts it.
        bytes.chunks(7).try_for_each(|part| unpacking.feed(part))?;
        unpacking.finish()?;
        Ok(self.store.lacks(offered).expect("looked"))
    }

    fn stored(&self, bytes: &[u8]) -> bool {
        fs::read(self.store.place.stored(digest(bytes))).is_ok_and(|found| found == bytes)
    }
}

#[test]
fn groups_pieces_copies_patches_and_zeros_become_files() {
    let bench = bench();
    let base: Vec<u8> = (0..100_000_u32).flat_map(|word| word.to_be_bytes()).collect();
    bench.keep(&base);
    let mut new = b"begin".to_vec();
    new.extend_from_slice(&base[1_000..300_000]);
    let changed: Vec<u8> = base[300_000..310_000].iter().map(|byte| byte ^ 1).collect();
    new.extend_from_slice(&changed);
    new.extend_from_slice(&[0; 100_000]);
    let offered = offered(&[b"one", b"", b"three", &new], &[&base]);
    let items = [
        Item::Group { files: vec![0, 1, 2], packed: &packed(b"onethree", &[]) },
        Item::File { file: 3, offset: 0 },
        Item::Base { file: 0 },
        Item::Piece { packed: &packed(b"begin", &[]) },
        Item::Copy { offset: 1_000, length: 299_000 },
        Item::Patch {
            offset: 300_000,
            length: 10_000,
            packed: &packed(&changed, &base[300_000..310_000]),
        },
        Item::Zeros { length: 100_000 },
        Item::End,
    ];
    assert!(bench.take(&offered, &items).expect("taken").is_empty());
    assert!([&b"one"[..], b"", b"three", &new].iter().all(|bytes| bench.stored(bytes)));
    let place = bench.store.place.stored(digest(&new));
    let found = fs::metadata(&place).expect("told");
    assert!(bench.store.was_verified(digest(&new), &found), "it need not be hashed again");
    let left = fs::read_dir(bench.store.place.join("store/tmp")).expect("listed").count();
    assert_eq!(left, 0);
}

#[test]
fn a_damaged_base_spoils_what_is_made_from_it_and_is_removed() {
    let bench = bench();
    let base = b"0123456789".repeat(1_000);
    bench.keep(&base);
    let mut bad = base.clone();
    bad[5_000] ^= 1;
    fs::write(bench.store.place.stored(digest(&base)), bad).expect("damaged");
    let offered = offered(&[&base[..9_000], b"other"], &[&base]);
    let items = [
        Item::File { file: 0, offset: 0 },
        Item::Base { file: 0 },
        Item::Copy { offset: 0, length: 9_000 },
        Item::End,
        Item::Group { files: vec![1], packed: &packed(b"other", &[]) },
    ];
    let lacks = bench.take(&offered, &items).expect("taken");
    assert_eq!(lacks, Lacks { runs: vec![(0, 1)], begun: vec![] });
    assert!(bench.stored(b"other"));
    assert!(!bench.store.has(digest(&base)), "it is found and removed");
    let whole = [
        Item::File { file: 0, offset: 0 },
        Item::Piece { packed: &packed(&base[..9_000], &[]) },
        Item::End,
    ];
    assert!(bench.take(&offered, &whole).expect("taken").is_empty());
}

#[test]
fn a_base_that_is_not_there_spoils_one_file_only() {
    let bench = bench();
    let offered = offered(&[b"abc", b"other"], &[b"gone"]);
    let items = [
        Item::File { file: 0, offset: 0 },
        Item::Base { file: 0 },
        Item::Copy { offset: 0, length: 3 },
        Item::End,
        Item::File { file: 1, offset: 0 },
        Item::Piece { packed: &packed(b"other", &[]) },
        Item::End,
    ];
    let lacks = bench.take(&offered, &items).expect("taken");
    assert_eq!(lacks.runs, [(0, 1)]);
}

#[test]
fn a_transfer_that_was_cut_goes_on_where_it_stopped() {
    let bench = bench();
    let whole = b"0123456789".repeat(1_000);
    let offered = offered(&[&whole], &[]);
    let mut bytes = Vec::new();
    Item::File { file: 0, offset: 0 }.write_to(&mut bytes);
    Item::Piece { packed: &packed(&whole[..4_000], &[]) }.write_to(&mut bytes);
    let mut unpacking = Unpacking::begin(&bench.store, &offered).expect("begins");
    unpacking.feed(&bytes).expect("fed");
    drop(unpacking);
    let lacks = bench.store.lacks(&offered).expect("looked");
    assert_eq!(lacks, Lacks { runs: vec![], begun: vec![(0, 4_000)] });
    let items = [
        Item::File { file: 0, offset: 4_000 },
        Item::Piece { packed: &packed(&whole[4_000..], &[]) },
        Item::End,
    ];
    assert!(bench.take(&offered, &items).expect("taken").is_empty());
    assert!(bench.stored(&whole));
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = bench();
    let offered = offered(&[b"abc", b"de"], &[]);
    let piece = packed(b"abcd", &[]);
    let wrong: [&[Item<'_>]; 9] = [
        &[Item::Piece { packed: &piece }],
        &[Item::End],
        &[Item::File { file: 2, offset: 0 }],
        &[Item::File { file: 0, offset: 1 }],
        &[Item::File { file: 0, offset: 0 }, Item::Piece { packed: &piece }],
        &[Item::File { file: 0, offset: 0 }, Item::End],
        &[Item::File { file: 0, offset: 0 }, Item::Zeros { length: u64::MAX }],
        &[Item::Group { files: vec![0, 1], packed: &piece }],
        &[Item::File { file: 0, offset: 0 }, Item::Base { file: 0 }],
    ];
    for items in wrong {
        bench.take(&offered, items).expect_err("refused");
    }
    let bomb = packed(&vec![0; PIECE_LEN + 1], &[]);
    let items = [Item::File { file: 0, offset: 0 }, Item::Piece { packed: &bomb }];
    bench.take(&offered, &items).expect_err("more than a piece");
}

#[test]
fn a_file_that_is_not_what_it_should_be_stays_lacking() {
    let bench = bench();
    let offered = offered(&[b"right", b"group"], &[]);
    let items = [
        Item::File { file: 0, offset: 0 },
        Item::Piece { packed: &packed(b"wrong", &[]) },
        Item::End,
        Item::Group { files: vec![1], packed: &packed(b"graup", &[]) },
    ];
    let lacks = bench.take(&offered, &items).expect("taken");
    assert_eq!(lacks, Lacks { runs: vec![(0, 2)], begun: vec![] });
}

#[test]
fn damage_on_the_disk_is_found_by_an_offer() {
    let bench = bench();
    bench.keep(b"kept");
    let offered = offered(&[b"kept"], &[]);
    assert!(bench.store.lacks(&offered).expect("looked").is_empty());
    fs::write(bench.store.place.stored(digest(b"kept")), b"kapt").expect("damaged");
    let lacks = bench.store.lacks(&offered).expect("looked");
    assert_eq!(lacks.runs, [(0, 1)]);
    assert!(!bench.store.has(digest(b"kept")));
}

#[test]
fn a_newer_pack_takes_the_turn() {
    let bench = bench();
    let older = bench.store.pack_turn();
    assert!(older.is_newest());
    std::thread::scope(|scope| {
        let newer = scope.spawn(|| bench.store.pack_turn().is_newest());
        while older.is_newest() {
            std::thread::yield_now();
        }
        drop(older);
        assert!(newer.join().expect("joined"));
    });
}

proptest::proptest! {
    #[test]
    fn no_pack_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
        let bench = bench();
        bench.keep(b"base of something");
        let offered = offered(&[b"abc", b"de"], &[b"base of something"]);
        let mut unpacking = Unpacking::begin(&bench.store, &offered).expect("begins");
        if unpacking.feed(&bytes).is_ok() {
            let _ = unpacking.finish();
        }
    }
}

/// A prune takes what only a release needed that is not kept, also from under an offer.
#[test]
fn what_a_prune_took_after_the_offer_is_lacking_and_no_manifest_is_stored() {
    let bench = bench();
    bench.keep(b"old");
    let mut offered = offered(&[b"old"], &[]);
    offered.release = ReleaseId(digest(&offered.manifest.identity_bytes()));
    assert!(bench.store.lacks(&offered).expect("looked").is_empty());
    fs::remove_file(bench.store.place.stored(digest(b"old"))).expect("as a prune does");
    let lacks = bench.store.take_manifest(&offered).expect("looked");
    assert_eq!(lacks, Lacks { runs: vec![(0, 1)], begun: vec![] });
    assert!(bench.store.manifest(offered.release).is_err(), "its tree could not be built");

    let whole = [Item::Group { files: vec![0], packed: &packed(b"old", &[]) }];
    assert!(bench.take(&offered, &whole).expect("taken").is_empty());
    assert!(bench.store.take_manifest(&offered).expect("stored").is_empty());
    assert!(bench.store.manifest(offered.release).is_ok());
}
