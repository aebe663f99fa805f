//! `cargo xtask bench recovery`: friday-data beside pgBackRest, `pg_dump` and the disk, on one server of its own.
//!
//! The measuring is done by `benches/recovery/run.py`, which speaks friday-data's protocol; this builds the program as
//! it is released. Needs root, python3, and the Debian packages postgresql and pgbackrest.

use std::path::Path;
use std::process::Command;

use crate::workspace;

/// pgbench's scale unless one is given: about 0.9 GB.
const SCALE: &str = "60";

/// Builds and measures; `words`: a new directory on the disk to be measured, and a scale.
pub fn run(words: &[&str]) -> Result<(), String> {
    let (directory, scale) = match words {
        [] => ("/var/tmp/friday-bench-recovery", SCALE),
        [directory] => (*directory, SCALE),
        [directory, scale] => (*directory, *scale),
        _ => return Err("usage: cargo xtask bench recovery [DIRECTORY [SCALE]]".to_owned()),
    };
    if Path::new(directory).exists() {
        return Err(format!("`{directory}` is there already; name a new directory"));
    }
    let triple = workspace::triple()?;
    let build = ["build", "--locked", "-p", "friday-data", "--profile", "host", "--target"];
    workspace::run(workspace::cargo().args(build).arg(&triple))?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace::root().join("target"), std::path::PathBuf::from);
    let program = target.join(&triple).join("host/friday-data");
    let script = workspace::root().join("benches/recovery/run.py");
    let own = std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
    let mut measuring = Command::new("python3");
    measuring.arg(script).arg(program).arg(directory).arg(scale).arg(own);
    workspace::run(&mut measuring)
}
