//! The first file: what it guesses, and that it is always read.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{DirectoryFacts, first_file};
use crate::config::{Settings, parse};

fn read(facts: &DirectoryFacts) -> Settings {
    let text = first_file(facts);
    parse("friday.toml", &text, None).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

fn facts(files: &[&str], directories: &[&str], executables: &[&str]) -> DirectoryFacts {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    DirectoryFacts {
        name: "Shop Front".to_owned(),
        files: owned(files),
        directories: owned(directories),
        executables: owned(executables),
        ..DirectoryFacts::default()
    }
}

#[test]
fn the_fleet_is_quick_and_local() {
    let settings = read(&facts(&["Cargo.toml"], &[], &[]));
    assert_eq!(settings.fleet.as_str(), "shop-front");
    assert_eq!((settings.soak_ms.as_slice(), settings.bake_ms), ([2_000].as_slice(), 5_000));
    assert_eq!(settings.health.passes, 2);
    assert_eq!(settings.hosts.len(), 3);
    assert!(settings.health.tcp);
}

#[test]
fn projects_are_recognised() {
    for (files, directories, executables, path, run) in [
        (&["Cargo.toml"][..], &[][..], &[][..], "dist", Some("exec bin/app")),
        (&["go.mod"], &["bin"], &["bin/x"], "dist", Some("exec bin/app")),
        (&["Gemfile"], &["bin"], &["bin/rails"], ".", Some("exec bin/rails server -p $PORT")),
        (
            &["requirements.txt", "manage.py"],
            &[],
            &[],
            ".",
            Some("exec python3 manage.py runserver --noreload 127.0.0.1:$PORT"),
        ),
        (&["package.json"], &["dist"], &[], "dist", None),
        (&[], &["dist"], &["dist/zeta", "dist/alpha"], "dist", Some("exec ./alpha")),
        (&[], &["bin"], &["bin/shop"], ".", Some("exec bin/shop")),
        (&["shop"], &[], &["shop"], "shop", Some("exec ./shop")),
        (&["index.html"], &[], &[], ".", None),
    ] {
        let settings = read(&facts(files, directories, executables));
        assert_eq!((settings.path.as_str(), settings.run.as_deref()), (path, run), "{files:?}");
    }
}

#[test]
fn texts_say_more() {
    let mut facts = facts(&["Cargo.toml", "Procfile"], &[], &[]);
    facts.texts =
        BTreeMap::from([("Cargo.toml".to_owned(), "[package]\nname = \"till\"\n".to_owned())]);
    assert_eq!(read(&facts).run.as_deref(), Some("exec bin/till"));
    facts.texts.insert("Procfile".to_owned(), "job: x\nweb: bin/till \"a\\b\"\n".to_owned());
    assert_eq!(read(&facts).run.as_deref(), Some("bin/till \"a\\b\""));
}

#[test]
fn the_remote_names_the_fleet() {
    for (remote, name) in [
        ("git@example.com:team/Till.git", "till"),
        ("https://example.com/team/till/", "till"),
        ("/srv/git/till.git", "till"),
        ("till", "shop-front"),
        ("", "shop-front"),
        ("https://example.com/\u{1b}[31m.git", "31m"),
    ] {
        let facts = DirectoryFacts { remote: Some(remote.to_owned()), ..facts(&[], &[], &[]) };
        assert_eq!(read(&facts).fleet.as_str(), name, "{remote}");
    }
}

/// The part for servers is in comments; a person who removes them must get what friday can read.
#[test]
fn the_comments_are_true() {
    let text = first_file(&facts(&["Cargo.toml"], &[], &[]));
    let begin = text.find("# [env.production.hosts]").expect("the part for servers");
    let (head, servers) = text.split_at(begin);
    let text = head.to_owned() + &servers.replace("# ", "");
    let settings = parse("friday.toml", &text, Some("production")).expect("no problem");
    assert_eq!(settings.hosts.len(), 3);
    assert_eq!(settings.health.steady_ms, 10_000);
    assert_eq!(settings.clocks, friday_wire::Clocks::default());
}

proptest! {
    #[test]
    fn whatever_was_seen_the_file_is_read(
        name in "(?s).{0,12}",
        files in proptest::collection::vec("Cargo\\.toml|package\\.json|Procfile|go\\.mod|Gemfile|pyproject\\.toml|(?s).{0,8}", 0..4),
        directories in proptest::collection::vec("bin|dist|build|out|(?s).{0,8}", 0..3),
        executables in proptest::collection::vec("(bin/|dist/|build/)?(?s).{0,8}", 0..4),
        remote in proptest::option::of("(?s)(git@|https://)?.{0,16}"),
        text in "(?s)(web:|\\[package\\]\nname = |\\{\"scripts\":\\{\"start\":\"x\"\\}\\}|.{0,20}){0,3}",
    ) {
        let texts = files.iter().map(|file| (file.clone(), text.clone())).collect();
        let facts = DirectoryFacts { name, files, directories, executables, remote, texts };
        read(&facts);
    }
}
