use std::collections::BTreeMap;
use std::io::Read as _;

use friday_wire::{Entry, EntryKind, HealthSpec, RunSpec, UnitSpec};

use super::*;

fn stock() -> (tempfile::TempDir, Stock) {
    let directory = tempfile::tempdir().expect("a directory");
    let stock = Stock::open(&StateDirectory::at(directory.path().join(".friday"))).expect("opened");
    (directory, stock)
}

fn take(stock: &Stock, bytes: &[u8]) -> Digest {
    let mut intake = stock.intake().expect("begun");
    let (digest, size) = intake.take(&mut &bytes[..], u64::MAX).expect("taken");
    assert_eq!(size, bytes.len() as u64);
    intake.finish().expect("finished");
    digest
}

fn manifest_of(digest: Digest, size: u64) -> Manifest {
    let run = RunSpec {
        command: None,
        env: BTreeMap::new(),
        health: HealthSpec::default(),
        shared: Vec::new(),
        unit: UnitSpec::default(),
        processes: friday_wire::Processes::default(),
    };
    let kind = EntryKind::File { digest, size, executable: false };
    Manifest { tree: vec![Entry { path: "a".into(), kind }], run }
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect()
}

#[test]
fn a_file_comes_out_as_it_went_in_from_any_offset() {
    let (_directory, stock) = stock();
    let bytes = noise(300_000);
    let digest = take(&stock, &bytes);
    assert_eq!(digest, friday_core::release::digest(&bytes));
    for offset in [0, 1, 131_072, 299_999, 300_000] {
        let mut compressed = Vec::new();
        stock
            .read_compressed(&digest, offset)
            .expect("opened")
            .read_to_end(&mut compressed)
            .expect("read");
        let plain = zstd::decode_all(&compressed[..]).expect("zstd");
        assert_eq!(plain, bytes[usize::try_from(offset).expect("small")..], "offset {offset}");
    }
    assert!(matches!(stock.read_compressed(&digest, 300_001), Err(StockError::File(_))));
}

#[test]
fn an_intake_that_is_dropped_leaves_nothing() {
    let (_directory, stock) = stock();
    let mut intake = stock.intake().expect("begun");
    let (digest, _) = intake.take(&mut &b"x"[..], 10).expect("taken");
    drop(intake);
    assert!(!stock.has(&digest));
    let left: Vec<_> = entries(&stock.state).expect("listed");
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn prune_keeps_what_a_kept_release_needs() {
    let (_directory, stock) = stock();
    let (one, two) = (take(&stock, b"one"), take(&stock, b"two"));
    let first = stock.note(&manifest_of(one, 3), "v1", Timestamp(1)).expect("noted");
    let second = stock.note(&manifest_of(two, 3), "v2", Timestamp(2)).expect("noted");
    let labels: Vec<String> =
        stock.releases().expect("listed").into_iter().map(|stocked| stocked.label).collect();
    assert_eq!(labels, ["v2", "v1"]);
    let freed = stock.prune(&BTreeSet::from([second])).expect("pruned");
    assert!(freed > 0);
    assert!(!stock.has(&one) && stock.has(&two));
    assert!(matches!(stock.release(&first), Err(StockError::NotHeld(_))));
    assert_eq!(stock.release(&second).expect("kept").label, "v2");
}

#[test]
fn a_changed_manifest_is_seen() {
    let (_directory, stock) = stock();
    let digest = take(&stock, b"one");
    let release = stock.note(&manifest_of(digest, 3), "v1", Timestamp(1)).expect("noted");
    let path = stock.release_path(&release);
    let body = fs::read_to_string(&path).expect("read").replace("\"size\":3", "\"size\":4");
    fs::write(&path, body).expect("written");
    assert!(matches!(stock.release(&release), Err(StockError::Damaged { .. })));
    assert!(stock.prune(&BTreeSet::from([release])).is_err());
    assert!(stock.has(&digest));
}
