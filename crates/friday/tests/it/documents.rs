//! The generated reference is what the code says now. `cargo xtask docs` writes it; so does this test
//! with `UPDATE_DOCS=1`.

use std::fs;
use std::path::Path;
use std::process::Command;

fn fresh(page: &str, file: &str) {
    // Not as the sandbox reads it, which takes dates out: examples have some.
    let said = Command::new(env!("CARGO_BIN_EXE_friday")).args(["__docs", page]).output();
    let said = said.expect("friday starts");
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{stderr}");
    let said = String::from_utf8(said.stdout).expect("text");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().expect("inside")).expect("a directory");
        fs::write(&path, &said).expect("written");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == said, "docs/reference/{file} is stale: cargo xtask docs");
}

#[test]
fn the_reference_of_commands_is_fresh() {
    fresh("commands", "commands.md");
}

#[test]
fn the_reference_of_exit_codes_is_fresh() {
    fresh("exit-codes", "exit-codes.md");
}
