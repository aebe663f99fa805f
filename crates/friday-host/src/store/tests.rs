use super::*;

fn place() -> (tempfile::TempDir, Place) {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Place::open(&dir.path().join("f")).expect("opens");
    (dir, place)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("compresses")
}

fn take(transfer: &Transfer) -> Receiving {
    transfer.lock().expect("whole").take().expect("still ours")
}

#[test]
fn a_cut_transfer_goes_on_where_it_stopped() {
    let (_dir, place) = place();
    let store = Store::new(place);
    let whole = b"0123456789".repeat(1_000);
    let name = digest(&whole);
    let first = store.receive(name, 10_000, 0).expect("begins");
    let mut receiving = take(&first);
    receiving.write(&packed(&whole[..4_000])).expect("writes");
    let short = receiving.finish().expect_err("it is not whole");
    assert!(matches!(short, ReceiveError::Short { held: 4_000, .. }), "{short}");
    assert_eq!(store.missing(&[name]), [(name, 4_000)]);

    let second = store.receive(name, 10_000, 4_000).expect("goes on");
    let mut receiving = take(&second);
    receiving.write(&packed(&whole[4_000..])).expect("writes");
    receiving.finish().expect("is whole");
    assert!(store.has(name) && store.missing(&[name]).is_empty());
}

#[test]
fn a_damaged_file_leaves_nothing() {
    let (_dir, place) = place();
    let store = Store::new(place);
    let name = digest(b"right");
    let mut receiving = take(&store.receive(name, 5, 0).expect("begins"));
    receiving.write(&packed(b"wrong")).expect("writes");
    assert!(matches!(receiving.finish(), Err(ReceiveError::Damaged { .. })));
    assert_eq!(store.missing(&[name]), [(name, 0)]);
}

#[test]
fn more_than_announced_is_refused_early() {
    let (_dir, place) = place();
    let store = Store::new(place);
    let bomb = vec![0_u8; 1_000_000];
    let mut receiving = take(&store.receive(digest(&bomb), 1_000, 0).expect("begins"));
    let why = receiving.write(&packed(&bomb)).err().map(|error| error.to_string());
    let why = why.or_else(|| receiving.finish().err().map(|error| error.to_string()));
    assert!(why.is_some_and(|why| why.contains("longer than announced")));
}

#[test]
fn a_newer_transfer_takes_over() {
    let (_dir, place) = place();
    let store = Store::new(place);
    let name = digest(b"file");
    let older = store.receive(name, 4, 0).expect("begins");
    let newer = store.receive(name, 4, 0).expect("begins again");
    assert!(older.lock().expect("whole").is_none(), "the older one is over");
    let mut receiving = take(&newer);
    receiving.write(&packed(b"file")).expect("writes");
    receiving.finish().expect("is whole");
    store.ended(name, &older);
    store.ended(name, &newer);
    assert!(store.has(name));
}

#[test]
fn what_does_not_fit_is_refused_before_a_byte_is_sent() {
    let (_dir, place) = place();
    let store = Store::new(place);
    let why = store.receive(digest(b""), u64::MAX / 2, 0).expect_err("it cannot fit");
    assert!(why.to_string().contains("not enough disk space"), "{why}");
}
