//! What a fleet costs the controller: pushes and rollbacks of simulated fleets of growing size.

use crate::workspace;

/// Sizes of fleets, unless told.
const SIZES: [&str; 4] = ["10", "100", "1000", "10000"];

/// One process for each size, because each tells its own peak of memory.
pub fn run(sizes: &[&str]) -> Result<(), String> {
    let sizes = if sizes.is_empty() { &SIZES } else { sizes };
    for size in sizes {
        let mut cargo = workspace::cargo();
        cargo.args(["run", "--quiet", "--release", "--package", "friday-sim", "--"]);
        workspace::run(cargo.args(["--fleets", size]))?;
    }
    Ok(())
}
