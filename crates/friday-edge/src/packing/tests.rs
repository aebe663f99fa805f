//! Packs are taken apart here by the plainest reader there can be: what comes out must be the files.

use std::collections::BTreeMap;
use std::path::Path;

use friday_wire::pack::read_item;
use friday_wire::{Chunker, Entry, EntryKind, HealthSpec, Manifest, RunSpec};
use proptest::prelude::*;
use zstd::zstd_safe::DCtx;

use super::*;
use crate::release_source::{SourceLimits, read_release};
use crate::state_directory::StateDirectory;

struct Bench {
    directory: tempfile::TempDir,
    stock: Stock,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().expect("a directory");
    let stock = Stock::open(&StateDirectory::at(directory.path().join(".friday"))).expect("opened");
    Bench { directory, stock }
}

fn run_spec() -> RunSpec {
    RunSpec {
        command: None,
        env: BTreeMap::new(),
        health: HealthSpec::default(),
        shared: Vec::new(),
        processes: friday_wire::Processes::default(),
        unit: friday_wire::UnitSpec::default(),
    }
}

type Files<'a> = [(&'a str, &'a [u8])];

fn digest(bytes: &[u8]) -> Digest {
    friday_core::release::digest(bytes)
}

impl Bench {
    fn release(&self, files: &Files<'_>) -> Arc<Parcel> {
        let source = tempfile::tempdir_in(self.directory.path()).expect("a directory");
        for (name, bytes) in files {
            let path = source.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        let limits = SourceLimits::default();
        let release = read_release(source.path(), run_spec(), "v", &self.stock, &limits);
        self.stock.parcel(&release.expect("read").release).expect("a parcel")
    }

    /// A release that a host has and the stock has not.
    fn foreign(files: &Files<'_>) -> Arc<Parcel> {
        let entry = |(name, bytes): &(&str, &[u8])| Entry {
            path: (*name).to_owned(),
            kind: EntryKind::File {
                digest: digest(bytes),
                size: bytes.len() as u64,
                executable: false,
            },
        };
        let manifest = Manifest { tree: files.iter().map(entry).collect(), run: run_spec() };
        Arc::new(Parcel::new(friday_core::release::release_id(&manifest), &manifest))
    }

    fn packing(&self, new: &Arc<Parcel>, base: Option<&Arc<Parcel>>) -> Packing {
        let held = |digest: &Digest| {
            base.is_some_and(|base| base.files.iter().any(|(file, _)| file == digest))
        };
        let files = (0_u32..).zip(&new.files);
        Packing {
            stock: self.stock.clone(),
            parcel: Arc::clone(new),
            base: base.cloned(),
            lacking: files.filter(|(_, (file, _))| !held(file)).map(|(at, _)| (at, 0)).collect(),
            recipes: BTreeMap::new(),
        }
    }
}

fn packed(packing: &Packing) -> Vec<u8> {
    let mut bytes = Vec::new();
    let made = packing.run(&mut |frame| {
        bytes.extend_from_slice(&frame.bytes);
        ControlFlow::Continue(())
    });
    made.expect("packed");
    bytes
}

fn unpack(packed: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(PIECE_LEN);
    let mut context = DCtx::create();
    context.ref_prefix(prefix).expect("taken");
    context.decompress(&mut plain, packed).expect("unpacks");
    plain
}

/// The files of a pack, by digest; `begun` is what was there of each.
fn files(
    packing: &Packing,
    mut bytes: &[u8],
    base_files: &Files<'_>,
    begun: &BTreeMap<u32, Vec<u8>>,
) -> BTreeMap<Digest, Vec<u8>> {
    let by_digest: BTreeMap<Digest, &[u8]> =
        base_files.iter().map(|(_, bytes)| (digest(bytes), *bytes)).collect();
    let mut out = BTreeMap::new();
    let mut open: Option<(u32, Vec<u8>)> = None;
    let mut base: &[u8] = &[];
    while let Some((item, length)) = read_item(bytes).expect("an item") {
        match item {
            Item::Group { files, packed } => {
                let plain = unpack(packed, &[]);
                let mut at = 0;
                for file in files {
                    let (digest, size) = packing.parcel.files[file as usize];
                    let end = at + usize::try_from(size).expect("small");
                    out.insert(digest, plain[at..end].to_vec());
                    at = end;
                }
                assert_eq!(at, plain.len());
            }
            Item::File { file, offset } => {
                let there = begun.get(&file).cloned().unwrap_or_default();
                assert_eq!(there.len() as u64, offset);
                open = Some((file, there));
            }
            Item::Base { file } => {
                let parcel = packing.base.as_ref().expect("a base");
                base = by_digest[&parcel.files[file as usize].0];
            }
            Item::Piece { packed } => grow(&mut open, &unpack(packed, &[])),
            Item::Copy { offset, length } => grow(&mut open, part(base, offset, length)),
            Item::Patch { offset, length, packed } => {
                grow(&mut open, &unpack(packed, part(base, offset, u64::from(length))));
            }
            Item::Zeros { length } => {
                grow(&mut open, &vec![0; usize::try_from(length).expect("small")]);
            }
            Item::End => {
                let (file, bytes) = open.take().expect("a file");
                out.insert(packing.parcel.files[file as usize].0, bytes);
            }
        }
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty() && open.is_none(), "it ends with an item");
    out
}

fn grow(open: &mut Option<(u32, Vec<u8>)>, bytes: &[u8]) {
    open.as_mut().expect("a file").1.extend_from_slice(bytes);
}

fn part(bytes: &[u8], offset: u64, length: u64) -> &[u8] {
    let at = usize::try_from(offset).expect("small");
    &bytes[at..at + usize::try_from(length).expect("small")]
}

fn assert_right(packing: &Packing, found: &BTreeMap<Digest, Vec<u8>>) {
    for file in packing.lacking.keys() {
        let (name, _) = packing.parcel.files[*file as usize];
        let bytes = found.get(&name).expect("it came");
        assert!(digest(bytes) == name, "{} bytes are not {}", bytes.len(), name.short());
    }
    assert_eq!(found.len(), packing.lacking.len());
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

fn text(len: usize, seed: u64) -> Vec<u8> {
    noise(len, seed).iter().map(|byte| b"etaoin shrdlu\n"[usize::from(byte % 14)]).collect()
}

fn recipe(bytes: &[u8]) -> Arc<Recipe> {
    let mut chunker = Chunker::default();
    chunker.feed(bytes);
    Arc::new(chunker.finish())
}

#[test]
fn a_first_release_comes_whole() {
    let bench = bench();
    let mut zeros = noise(300_000, 1);
    zeros.extend_from_slice(&[0; 700_000]);
    let (big, small) = (noise(1_000_000, 2), text(60_000, 3));
    let files_in: [(&str, &[u8]); 5] =
        [("a/big", &big), ("a/none", b""), ("b/small", &small), ("b/x", b"x"), ("zeros", &zeros)];
    let parcel = bench.release(&files_in);
    let packing = bench.packing(&parcel, None);
    let bytes = packed(&packing);
    assert_right(&packing, &files(&packing, &bytes, &[], &BTreeMap::new()));
    assert!(bytes.len() < 1_400_000, "zeros and text are small: {}", bytes.len());
    assert_eq!(packed(&packing), bytes, "the same bytes go to the next host");
}

#[test]
fn small_files_go_together_and_are_smaller_so() {
    let bench = bench();
    let texts: Vec<(String, Vec<u8>)> =
        (0..100).map(|at| (format!("{at:03}.txt"), text(3_000, at / 2))).collect();
    let files_in: Vec<(&str, &[u8])> =
        texts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let parcel = bench.release(&files_in);
    let packing = bench.packing(&parcel, None);
    let bytes = packed(&packing);
    assert_right(&packing, &files(&packing, &bytes, &[], &BTreeMap::new()));
    let (_, length) = read_item(&bytes).expect("an item").expect("whole");
    assert!(length * 3 > bytes.len(), "they go in a few groups");
}

#[test]
fn a_change_in_a_few_places_costs_about_these_places() {
    let bench = bench();
    let before = noise(15_000_000, 1);
    let mut after = before.clone();
    for place in 0..10 {
        let at = place * 1_500_000 + 700_000;
        after[at..at + 15_000].copy_from_slice(&noise(15_000, place as u64 + 10));
    }
    let old: [(&str, &[u8]); 1] = [("app", &before)];
    let base = bench.release(&old);
    let new = bench.release(&[("app", &after)]);
    let packing = bench.packing(&new, Some(&base));
    let bytes = packed(&packing);
    assert_right(&packing, &files(&packing, &bytes, &old, &BTreeMap::new()));
    assert!(bytes.len() < 153_000, "{} for 150 000 that changed", bytes.len());
    // From another machine, whose stock does not have the old one: the host's recipe helps.
    let other = self::bench();
    let new = other.release(&[("app", &after)]);
    let base = Bench::foreign(&old);
    let mut packing = other.packing(&new, Some(&base));
    packing.recipes.insert(digest(&before), recipe(&before));
    let bytes = packed(&packing);
    assert_right(&packing, &files(&packing, &bytes, &old, &BTreeMap::new()));
    assert!(bytes.len() < 500_000, "{} for 150 000 that changed", bytes.len());
}

#[test]
fn a_small_file_that_changed_a_little_costs_little() {
    let bench = bench();
    let before = noise(50_000, 4);
    let mut after = before.clone();
    after.splice(20_000..20_000, *b"a line more");
    let old: [(&str, &[u8]); 2] = [("lib/app-1.2.jar", &before), ("same", b"same")];
    let base = bench.release(&old);
    let new = bench.release(&[("lib/app-1.3.jar", &after), ("same", b"same")]);
    let packing = bench.packing(&new, Some(&base));
    let bytes = packed(&packing);
    assert_right(&packing, &files(&packing, &bytes, &old, &BTreeMap::new()));
    assert!(bytes.len() < 200, "{}", bytes.len());
}

#[test]
fn what_has_nothing_in_common_comes_whole() {
    let bench = bench();
    let (before, after) = (noise(2_000_000, 5), noise(2_000_000, 6));
    let old: [(&str, &[u8]); 1] = [("app", &before)];
    let (base, new) = (bench.release(&old), bench.release(&[("app", &after)]));
    let packing = bench.packing(&new, Some(&base));
    let bytes = packed(&packing);
    assert_right(&packing, &files(&packing, &bytes, &old, &BTreeMap::new()));
    assert!(bytes.len() < 2_001_000, "{}", bytes.len());
}

#[test]
fn a_file_that_an_older_friday_stored_is_cut_when_it_is_needed() {
    let bench = bench();
    let bytes = noise(900_000, 7);
    let parcel = bench.release(&[("app", &bytes)]);
    let name = digest(&bytes).to_string();
    let path = bench.directory.path().join(".friday/store").join(&name[..2]).join(&name);
    std::fs::remove_file(path.with_extension("pieces")).expect("removed");
    std::fs::write(path.with_extension("zst"), zstd::encode_all(&bytes[..], 3).expect("packed"))
        .expect("written");
    let packing = bench.packing(&parcel, None);
    assert_right(&packing, &files(&packing, &packed(&packing), &[], &BTreeMap::new()));
    assert!(path.with_extension("pieces").exists());
}

/// One edit of a file: where, how many bytes go, how many come.
type Edit = (usize, usize, usize, u64);

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (at, less, more, seed) in edits {
        let at = at % (out.len() + 1);
        let end = (at + less).min(out.len());
        out.splice(at..end, noise(*more, *seed));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_edits_come_out_exactly(
        length in 200_000_usize..1_500_000,
        seed in any::<u64>(),
        edits in proptest::collection::vec(
            (any::<usize>(), 0_usize..60_000, 0_usize..60_000, any::<u64>()), 0..6),
        cut in any::<u64>(),
        stocked in any::<bool>(),
    ) {
        let before = noise(length, seed);
        let after = edited(&before, &edits);
        let old: [(&str, &[u8]); 1] = [("app", &before)];
        let bench = bench();
        let base = if stocked { bench.release(&old) } else { Bench::foreign(&old) };
        let new = bench.release(&[("app", &after)]);
        let mut packing = bench.packing(&new, Some(&base));
        packing.recipes.insert(digest(&before), recipe(&before));
        let bytes = packed(&packing);
        assert_right(&packing, &files(&packing, &bytes, &old, &BTreeMap::new()));
        // The same again, from anywhere.
        if !packing.lacking.is_empty() {
            let held = usize::try_from(cut % (after.len() as u64 + 1)).expect("small");
            packing.lacking.insert(0, held as u64);
            let begun = BTreeMap::from([(0, after[..held].to_vec())]);
            let bytes = packed(&packing);
            assert_right(&packing, &files(&packing, &bytes, &old, &begun));
        }
    }
}
