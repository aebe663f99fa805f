use std::collections::BTreeMap;

use friday_wire::{HealthSpec, RunSpec, UnitSpec};

use super::*;

fn store_file(place: &Place, bytes: &[u8]) -> Digest {
    let digest = Digest(*blake3::hash(bytes).as_bytes());
    let path = place.stored(digest);
    private_directory(path.parent().expect("has one")).expect("makes");
    fs::write(path, bytes).expect("writes");
    digest
}

fn release(place: &Place, store: &Store, shared: &[&str]) -> (ReleaseId, Digest) {
    let digest = store_file(place, b"hello");
    let file = |executable| EntryKind::File { digest, size: 5, executable };
    let entry = |path: &str, kind| Entry { path: path.to_owned(), kind };
    let manifest = Manifest {
        tree: vec![
            entry("bin", EntryKind::Directory),
            entry("bin/app", file(true)),
            entry("data", EntryKind::Directory),
            entry("data/old", file(false)),
            entry("link", EntryKind::Link { target: "bin/app".to_owned() }),
        ],
        run: RunSpec {
            command: None,
            env: BTreeMap::new(),
            health: HealthSpec::default(),
            shared: shared.iter().map(|path| (*path).to_owned()).collect(),
            unit: UnitSpec::default(),
            processes: friday_wire::Processes::default(),
        },
    };
    let id = ReleaseId(Digest(*blake3::hash(&manifest.identity_bytes()).as_bytes()));
    store.put_manifest(id, &manifest).expect("is well-formed");
    (id, digest)
}

fn place() -> (tempfile::TempDir, Place, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Place::open(&dir.path().join("f")).expect("opens");
    let store = Store::new(place.clone());
    (dir, place, store)
}

#[test]
fn a_tree_is_built_with_modes_links_and_shared_paths() {
    let (_dir, place, store) = place();
    let (id, _) = release(&place, &store, &["data", "var/state"]);
    build(&place, &store, id).expect("builds");
    let root = place.tree(id);
    let mode = |path: &str| fs::metadata(root.join(path)).expect("is there").permissions().mode();
    assert_eq!(mode("bin/app") & 0o777, 0o755);
    assert_eq!(fs::read(root.join("link")).expect("reads"), b"hello");
    assert_eq!(fs::read_link(root.join("data")).expect("a link"), place.join("shared/data"));
    assert!(root.join("var/state").is_dir());
    fs::write(root.join("var/state/kept"), b"x").expect("writes through the link");
    build(&place, &store, id).expect("again is nothing new");
    assert!(place.join("shared/var/state/kept").exists());
}

#[test]
fn a_changed_tree_is_seen_and_built_anew() {
    let (_dir, place, store) = place();
    let (id, digest) = release(&place, &store, &[]);
    build(&place, &store, id).expect("builds");
    point(&place, Some(id)).expect("points");
    assert_eq!(drift::look(&place, &store, Some(id)), None);
    fs::write(place.tree(id).join("data/old"), b"jello").expect("writes");
    let seen = drift::look(&place, &store, Some(id)).expect("sees it");
    assert!(seen.contains("data/old"), "{seen}");
    assert_eq!(fs::read(place.stored(digest)).expect("reads"), b"hello", "the store is untouched");
    build(&place, &store, id).expect("builds anew");
    assert_eq!(drift::look(&place, &store, Some(id)), None);
    point(&place, None).expect("removes");
    assert!(drift::look(&place, &store, Some(id)).is_some_and(|why| why.contains("nothing")));
}

#[test]
fn a_damaged_store_is_noticed_and_asked_for_again() {
    let (_dir, place, store) = place();
    let (id, digest) = release(&place, &store, &[]);
    fs::write(place.stored(digest), b"jello").expect("writes");
    assert!(matches!(build(&place, &store, id), Err(BuildError::Damaged { .. })));
    assert!(!place.tree(id).exists() && !store.has(digest));
    assert!(matches!(build(&place, &store, id), Err(BuildError::NotStored { .. })));
}

#[test]
fn a_shared_path_under_a_file_is_an_error() {
    let (_dir, place, store) = place();
    let (id, _) = release(&place, &store, &["bin/app/deep"]);
    assert!(matches!(build(&place, &store, id), Err(BuildError::Shared(_))));
}

#[test]
fn no_two_trees_share_a_file() {
    let (_dir, place, store) = place();
    let digest = store_file(&place, b"hello");
    let (size, executable) = (5, false);
    let manifest = |path: &str| Manifest {
        tree: vec![Entry {
            path: path.to_owned(),
            kind: EntryKind::File { digest, size, executable },
        }],
        run: RunSpec {
            command: None,
            env: BTreeMap::new(),
            health: HealthSpec::default(),
            shared: Vec::new(),
            unit: UnitSpec::default(),
            processes: friday_wire::Processes::default(),
        },
    };
    let stage = |path: &str| {
        let manifest = manifest(path);
        let id = ReleaseId(Digest(*blake3::hash(&manifest.identity_bytes()).as_bytes()));
        store.put_manifest(id, &manifest).expect("is well-formed");
        store.note_right(digest);
        build(&place, &store, id).map(|()| place.tree(id).join(path))
    };
    let mut built = Vec::new();
    for path in ["one", "two", "three"] {
        built.push(stage(path).expect("builds"));
    }
    let inode = |path: &Path| fs::metadata(path).expect("is there").ino();
    let inodes: std::collections::BTreeSet<u64> = built.iter().map(|path| inode(path)).collect();
    assert_eq!(inodes.len(), 3);
    // The tree's own file may change; then the store knows that it has not got it any more.
    fs::write(&built[0], b"jello").expect("writes");
    assert_eq!(fs::read(&built[1]).expect("reads"), b"hello");
    if inode(&place.stored(digest)) == inode(&built[0]) {
        assert!(matches!(stage("four"), Err(BuildError::Damaged { .. })));
        assert!(!store.has(digest));
        assert!(matches!(stage("four"), Err(BuildError::NotStored { .. })));
        store_file(&place, b"hello");
    }
    let four = stage("four").expect("builds");
    assert_eq!(fs::read(&four).expect("reads"), b"hello");
    assert_eq!(fs::read(&built[0]).expect("reads"), b"jello");
}

#[test]
fn a_file_is_lent_again_when_the_tree_that_had_it_is_gone() {
    let (_dir, place, store) = place();
    let (id, digest) = release(&place, &store, &[]);
    for _ in 0..2 {
        store.note_right(digest);
        build(&place, &store, id).expect("builds");
        let links = fs::metadata(place.stored(digest)).expect("is there").nlink();
        let shares_blocks = copy::shares_blocks(place.dir());
        assert_eq!(links, if shares_blocks { 1 } else { 2 });
        remove_tree(&place.tree(id)).expect("goes");
    }
    assert_eq!(fs::metadata(place.stored(digest)).expect("is there").nlink(), 1);
}
