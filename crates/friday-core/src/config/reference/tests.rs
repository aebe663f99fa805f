//! The table of keys holds together, and the page made from it is fresh.

use std::collections::BTreeSet;

use super::{SECTIONS, find, is_section, keys, names_in, reference_markdown, section_of};
use crate::config::document::read_value;

#[test]
fn every_default_and_example_is_of_its_keys_kind() {
    for key in keys() {
        for value in key.default.into_iter().chain([key.example]) {
            let node = read_value(value).unwrap_or_else(|| panic!("{}: {value}", key.path));
            assert_eq!(key.kind.check(key.path, &node), [], "{}: {value}", key.path);
        }
    }
}

#[test]
fn every_key_is_listed_once_and_in_a_section_that_is_described() {
    let paths: BTreeSet<&str> = keys().map(|key| key.path).collect();
    assert_eq!(paths.len(), keys().count());
    for key in keys() {
        let section = section_of(key.path);
        assert!(SECTIONS.iter().any(|described| described.path == section), "{}", key.path);
        assert!(key.meaning.ends_with('.'), "{}", key.path);
    }
}

#[test]
fn keys_are_found_by_path_and_by_free_name() {
    assert_eq!(find("release.run").map(|key| key.path), Some("release.run"));
    assert_eq!(find("release.env.LOG").map(|key| key.path), Some("release.env.*"));
    assert_eq!(find("hosts.web").map(|key| key.path), Some("hosts.*"));
    assert_eq!(find("hosts.user").map(|key| key.path), Some("hosts.user"));
    assert!(find("release").is_none() && find("release.x").is_none());
    assert!(is_section("release") && is_section("rollout.keep") && !is_section("rel"));
    assert_eq!(names_in("rollout.keep"), ["good", "failed"]);
}

#[test]
fn the_reference_is_what_the_code_says() {
    let stored = include_str!("../../../../../docs/reference/configuration.md");
    assert!(
        stored == reference_markdown(),
        "docs/reference/configuration.md is stale: run `cargo xtask docs`"
    );
}
