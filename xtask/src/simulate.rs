//! The simulator's long run, built for speed.

use crate::workspace;

/// Hands the arguments on; 100,000 seeds unless told.
pub fn run(words: &[&str]) -> Result<(), String> {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--release", "--package", "friday-sim", "--"]);
    if words.contains(&"--seeds") {
        cargo.args(words);
    } else {
        cargo.args(["--seeds", "100000"]).args(words);
    }
    workspace::run(&mut cargo)
}
