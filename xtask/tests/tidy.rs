//! The whole workspace keeps the rules of `cargo xtask tidy`.

use std::process::Command;

#[test]
fn the_workspace_is_tidy() {
    let done = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("tidy")
        .output()
        .expect("the program that was just built runs");
    assert!(done.status.success(), "\n{}", String::from_utf8_lossy(&done.stderr));
}
