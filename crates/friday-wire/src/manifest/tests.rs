use proptest::prelude::*;

use super::*;
use crate::supervisor::{Supervisor, UnitSpec};

fn file(path: &str) -> Entry {
    let kind = EntryKind::File { digest: Digest([1; 32]), size: 3, executable: false };
    Entry { path: path.to_owned(), kind }
}

fn directory(path: &str) -> Entry {
    Entry { path: path.to_owned(), kind: EntryKind::Directory }
}

fn link(path: &str, target: &str) -> Entry {
    Entry { path: path.to_owned(), kind: EntryKind::Link { target: target.to_owned() } }
}

fn release(tree: Vec<Entry>) -> Manifest {
    let run = RunSpec {
        command: None,
        env: BTreeMap::new(),
        health: HealthSpec::default(),
        shared: Vec::new(),
        unit: UnitSpec::default(),
        processes: Processes::default(),
    };
    Manifest { tree, run }
}

fn wrong(tree: Vec<Entry>) -> ManifestError {
    release(tree).check().expect_err("this must not pass")
}

#[test]
fn an_ordinary_tree_passes() {
    let tree = vec![
        directory("bin"),
        file("bin/shop"),
        link("bin/shop-old", "shop"),
        directory("lib"),
        link("lib/bin", "../bin"),
        link("run", "lib/bin/shop"),
    ];
    assert_eq!(release(tree).check(), Ok(()));
}

#[test]
fn a_path_that_does_not_stay_inside_is_named() {
    let long = format!("{}a", "a/".repeat(PATH_LEN_MAX / 2));
    let part = "a".repeat(256);
    for path in ["/etc/passwd", "../a", "a/../b", "./a", "a//b", "a/", "", "a\0b", &long, &part] {
        let tree = vec![file(path)];
        assert_eq!(wrong(tree), ManifestError::Path(path.to_owned()), "{path:?}");
    }
}

#[test]
fn order_parents_and_emptiness_are_checked() {
    assert_eq!(wrong(vec![]), ManifestError::Empty);
    assert_eq!(wrong(vec![directory("a")]), ManifestError::Empty);
    assert_eq!(wrong(vec![file("a"), file("a")]), ManifestError::Order("a".to_owned()));
    assert_eq!(wrong(vec![file("b"), file("a")]), ManifestError::Order("a".to_owned()));
    assert_eq!(wrong(vec![file("a/b")]), ManifestError::Parent("a/b".to_owned()));
    assert_eq!(wrong(vec![file("a"), file("a/b")]), ManifestError::Parent("a/b".to_owned()));
    let under_link = vec![directory("d"), link("e", "d"), file("e/f")];
    assert_eq!(wrong(under_link), ManifestError::Parent("e/f".to_owned()));
}

#[test]
fn a_link_that_leads_out_is_refused() {
    for target in ["/etc/passwd", "..", "../x", "d/../../x", "", "a\0b"] {
        let tree = vec![directory("d"), file("f"), link("l", target)];
        assert!(matches!(wrong(tree), ManifestError::Escape { .. }), "{target:?}");
    }
    // Each link looks as if it stayed inside; one through the other climbs out.
    let tree = vec![directory("a"), file("a/f"), link("a/up", ".."), link("x", "a/up/../f")];
    assert!(matches!(wrong(tree), ManifestError::Escape { .. }));
}

#[test]
fn links_in_a_circle_are_refused() {
    let circle = |tree| assert!(matches!(wrong(tree), ManifestError::Circle(_)));
    circle(vec![file("f"), link("l", "l")]);
    circle(vec![file("f"), link("l", "m"), link("m", "l")]);
    circle(vec![directory("d"), link("d/l", "../d/l/x"), file("f")]);
    circle(vec![file("f"), link("l", "m"), link("m", "n"), link("n", "m")]);
}

#[test]
fn shared_paths_stay_inside_too() {
    let mut manifest = release(vec![file("f")]);
    manifest.run.shared = vec!["uploads".to_owned(), "../uploads".to_owned()];
    assert_eq!(manifest.check(), Err(ManifestError::Path("../uploads".to_owned())));
}

#[test]
fn a_file_that_stands_twice_is_counted_once() {
    let manifest = release(vec![file("a"), file("b")]);
    assert_eq!((manifest.size(), manifest.files().count()), (3, 1));
}

#[test]
fn identity_covers_the_run_and_the_tree_hash_does_not() {
    let one = release(vec![file("a")]);
    let mut other = one.clone();
    other.run.env.insert("LOG".to_owned(), "info".to_owned());
    assert_eq!(one.tree_bytes(), other.tree_bytes());
    assert_ne!(one.identity_bytes(), other.identity_bytes());
}

/// Where following every link from here ends, by a plain walk; `None` when it leaves or never ends.
fn walk(tree: &[Entry], from: &[&str], target: &str, depth: u32) -> Option<Vec<String>> {
    let mut at: Vec<String> = from.iter().map(|&part| part.to_owned()).collect();
    if depth > 200 || target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(at.pop()?),
            name => {
                at.push(name.to_owned());
                let here = at.join("/");
                let next = tree.iter().find(|entry| entry.path == here);
                if let Some(EntryKind::Link { target }) = next.map(|entry| &entry.kind) {
                    let parent: Vec<&str> = at[..at.len() - 1].iter().map(String::as_str).collect();
                    at = walk(tree, &parent, target, depth + 1)?;
                }
            }
        }
    }
    Some(at)
}

proptest! {
    #[test]
    fn whatever_passes_stays_inside(
        links in prop::collection::btree_map("[abc]", "(\\.\\./|\\./|[abcd]/){0,3}(\\.\\.|[abcd])", 0..4)
    ) {
        let mut tree = vec![directory("d"), file("d/f")];
        for (name, target) in &links {
            tree.push(link(&format!("d/{name}"), target));
        }
        tree.sort_by(|one, other| one.path.cmp(&other.path));
        let manifest = release(tree);
        if manifest.check().is_ok() {
            for target in links.values() {
                prop_assert!(walk(&manifest.tree, &["d"], target, 0).is_some(), "{links:?}");
            }
        }
    }

    #[test]
    fn no_tree_makes_the_check_panic(paths in prop::collection::vec(".{0,12}", 0..5)) {
        let tree = paths.iter().map(|path| link(path, path)).chain([file("z")]).collect();
        let _ = release(tree).check();
    }
}

#[test]
fn a_release_from_before_units_keeps_its_identity() {
    let plain = release(vec![file("shop")]);
    let bytes = plain.identity_bytes();
    let written = String::from_utf8(bytes.clone()).expect("JSON is text");
    assert!(written.ends_with(r#""shared":[]}}"#), "{written}");
    assert!(!written.contains("notify"), "{written}");
    let read: Manifest = serde_json::from_slice(&bytes).expect("its own bytes");
    assert_eq!(read, plain);
    let mut units = plain;
    units.run.unit.supervisor = Supervisor::UserUnits;
    assert_ne!(units.identity_bytes(), bytes);
}
