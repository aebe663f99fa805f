//! Each rule refuses what it is for, and lets its neighbour pass.

use std::path::Path;

use serde_json::json;

use super::source::Source;
use super::{check_source, edge, exit_code, function, mask, name};

fn rules(path: &str, text: &str) -> Vec<&'static str> {
    check_source(&Source::new(path, text)).iter().map(super::Problem::rule).collect()
}

const HOST: &str = "crates/friday-host/src/store.rs";

#[test]
fn masks_text_and_keeps_code() {
    let cases = [
        ("let a = 1; // fn\nb", "let a = 1;      \nb"),
        ("x(\"a\\\"{\", '{', 'a')", "x(\"     ,    ,    )"),
        ("r#\"{\"}\"#; y", "        ; y"),
        ("/* a /* b */ c */ d", "                  d"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("'\\'' + b'\\\\' + z", "     + b     + z"),
    ];
    for (text, expected) in cases {
        assert_eq!(mask::mask(text), expected, "{text}");
    }
}

#[test]
fn unfinished_work_is_refused_in_comments_too() {
    let text = format!("//! A store.\n// {}: mend\n", concat!("TO", "DO"));
    assert_eq!(rules(HOST, &text), ["unfinished"]);
    assert!(rules(HOST, "//! A store.\nlet todo = 1;\n").is_empty());
}

#[test]
fn outside_references_are_refused_everywhere() {
    let text = format!("see {}here", concat!("/wo", "rk/"));
    assert_eq!(rules("README.md", &text), ["outside reference"]);
    assert!(rules("README.md", "it works/fails").is_empty());
}

#[test]
fn silenced_lints_and_skipped_tests_are_refused() {
    assert_eq!(rules(HOST, "//! S.\n#[allow(dead_code)]\nfn f() {}\n"), ["silenced lint"]);
    assert_eq!(rules(HOST, "//! S.\n#[ignore = \"slow\"]\nfn f() {}\n"), ["skipped test"]);
    assert!(rules(HOST, "//! S.\n// not #[ignore] here\n").is_empty());
}

#[test]
fn prints_stand_in_ui_only() {
    let text = "//! S.\nfn f() { eprintln!(\"a\") }\n";
    assert_eq!(rules(HOST, text), ["print"]);
    assert!(rules("crates/friday/src/ui/line.rs", text).is_empty());
    assert!(rules("crates/friday-edge/tests/ssh.rs", text).is_empty());
}

#[test]
fn a_header_is_asked_for() {
    assert_eq!(rules(HOST, "use a;\n"), ["module header"]);
    assert_eq!(rules(HOST, "//!\nuse a;\n"), ["module header"]);
    assert!(rules(HOST, "//! S.\n").is_empty());
    assert!(rules("crates/friday-host/src/store/tests.rs", "use a;\n").is_empty());
}

#[test]
fn long_files_are_refused() {
    let text = |header: &str, lines: usize| format!("{header}\n{}", "a\n".repeat(lines - 1));
    assert_eq!(rules(HOST, &text("//! S.", 601)), ["file length"]);
    assert!(rules(HOST, &text("//! S.", 600)).is_empty());
    assert!(rules(HOST, &text("//! Long because it lists.", 800)).is_empty());
    assert_eq!(rules(HOST, &text("//! Long because it lists.", 801)), ["file length"]);
    assert!(rules("crates/friday-host/src/store/tests.rs", &text("//! S.", 1_200)).is_empty());
    assert_eq!(rules("crates/friday-host/tests/a.rs", &text("//! S.", 1_201)), ["file length"]);
}

#[test]
fn pure_crates_touch_nothing() {
    let text = "//! S.\nuse std::fs;\n";
    assert_eq!(rules("crates/friday-core/src/a.rs", text), ["purity"]);
    assert!(rules(HOST, text).is_empty());
    assert!(rules("crates/friday-core/src/a/tests.rs", text).is_empty());
    assert!(rules("crates/friday-core/src/a.rs", "//! S.\nfn f(a: MyInstant) {}\n").is_empty());
    assert_eq!(rules("crates/friday-node/src/a.rs", "//! S.\nfn f(a: Instant) {}\n"), ["purity"]);
}

#[test]
fn empty_names_are_refused() {
    for path in ["a/utils.rs", "docs/common/a.md", "src/release_manager.rs", "helper/x"] {
        assert!(name::check(Path::new(path)).is_some(), "{path}");
    }
    for path in ["a/utility-poles.md", "commons.rs"] {
        assert!(name::check(Path::new(path)).is_none(), "{path}");
    }
}

#[test]
fn functions_are_measured() {
    let code = "fn a() {\n}\ntrait T { fn b(&self, x: [u8; 2]); }\nfn c(\n) {\n  if x { }\n}\n";
    let found: Vec<_> =
        function::functions(code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("a".to_owned(), 1, 2), ("c".to_owned(), 4, 4)]);
}

#[test]
fn the_list_of_long_functions_only_shrinks() {
    let body = |lines: usize| format!("//! S.\nfn long() {{\n{}}}\n", "a;\n".repeat(lines - 2));
    let says = |lines: usize, list: &str| -> Vec<String> {
        let sources = [Source::new("a.rs", body(lines))];
        let found = function::check(&sources, list, Path::new("list"));
        found.iter().map(ToString::to_string).collect()
    };
    assert!(says(70, "").is_empty());
    assert_eq!(says(71, "").len(), 1, "a new long function");
    assert!(says(71, "a.rs long 71\n").is_empty());
    assert!(says(72, "a.rs long 71\n")[0].contains("grew from 71 to 72"));
    assert!(says(80, "a.rs long 90\n")[0].contains("write 80"));
    assert!(says(70, "a.rs long 90\n")[0].contains("remove it"));
    assert_eq!(says(70, "nonsense\n").len(), 1);
}

#[test]
fn edges_outside_the_picture_are_refused() {
    let package = |name: &str, wanted: &[&str]| {
        let wanted: Vec<_> = wanted.iter().map(|name| json!({ "name": name })).collect();
        json!({ "name": name, "manifest_path": "Cargo.toml", "dependencies": wanted })
    };
    let found = |name: &str, wanted: &[&str]| {
        let packages = ["friday-wire", "friday-core", "friday-edge"].map(|name| package(name, &[]));
        let mut packages = packages.to_vec();
        packages.push(package(name, wanted));
        edge::check(&json!({ "packages": packages })).len()
    };
    assert_eq!(found("friday-node", &["friday-wire", "serde"]), 0);
    assert_eq!(found("friday-node", &["friday-core"]), 1, "sideways");
    assert_eq!(found("friday-core", &["friday-edge", "friday-wire"]), 1, "up");
    assert_eq!(found("friday-core", &["tokio"]), 1, "not on the short list");
    assert_eq!(found("friday-edge", &["tokio"]), 0);
    assert_eq!(found("friday-new", &[]), 1, "a crate without a place");
}

#[test]
fn exit_statuses_match_the_reference() {
    let code = "pub enum ExitStatus {\n    Done = 0,\n    Refused = 4,\n}\n";
    assert!(exit_code::compare(code, "| 0 | done |\n| `4` | refused |\n").is_empty());
    assert_eq!(exit_code::compare(code, "| 0 | done |\n").len(), 1);
    assert_eq!(exit_code::compare(code, "| 0 | done |\n| 4 | r |\n| 5 | more |\n").len(), 1);
}
