//! Builds friday-host and friday-data, the programs that friday puts on servers, and leaves them where
//! `include_bytes!` finds them: one download is the whole product.
//!
//! They are built by a cargo of its own in a target directory of its own: the outer cargo holds its own
//! directory's lock while this runs, so sharing one would wait for ever. `FRIDAY_HOST_PROGRAM` and
//! `FRIDAY_DATA_PROGRAM` name programs built elsewhere, for packagers who cross-compile.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the outer cargo sets for itself and must not leak into the inner one: clippy's wrapper would
/// lint instead of build, and the outer flags are not the static ones.
const NOT_INHERITED: [&str; 7] = [
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
];

/// The programs, and where one that was built elsewhere is named.
const PROGRAMS: [(&str, &str); 2] =
    [("friday-host", "FRIDAY_HOST_PROGRAM"), ("friday-data", "FRIDAY_DATA_PROGRAM")];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    rerun_when_changed(&root);
    let elsewhere = PROGRAMS.map(|(_, variable)| env::var_os(variable).map(PathBuf::from));
    let built = match elsewhere.iter().all(Option::is_some) {
        true => PathBuf::new(),
        false => build(&root, &out)?,
    };
    for ((name, _), elsewhere) in PROGRAMS.into_iter().zip(elsewhere) {
        let program = elsewhere.unwrap_or_else(|| built.join(name));
        fs::copy(&program, out.join(name))
            .map_err(|error| format!("cannot take {name} from {}: {error}", program.display()))?;
    }
    Ok(())
}

fn rerun_when_changed(root: &Path) {
    for (_, variable) in PROGRAMS {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let crates = ["friday-host", "friday-data", "friday-node", "friday-wire"];
    let crates = crates.map(|name| format!("crates/{name}"));
    for place in crates.iter().map(String::as_str).chain(["Cargo.toml"]) {
        println!("cargo::rerun-if-changed={}", root.join(place).display());
    }
}

fn build(root: &Path, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    // OUT_DIR is TARGET/PROFILE/build/friday-HASH/out.
    let target_dir = out.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?;
    let target_dir = target_dir.join("friday-host");
    let triple = env::var("TARGET")?;
    // With the lock file and everything downloaded, this needs no network.
    let profile = if env::var("PROFILE")? == "debug" { "host-debug" } else { "host" };
    let built = cargo(root, &target_dir, &triple, profile)?;
    if !built.success() {
        return Err(format!(
            "friday-host and friday-data could not be built for {triple} ({built}). The messages stand above. \
             To see them alone: cargo build -p friday-host -p friday-data --profile {profile} --target {triple}"
        )
        .into());
    }
    Ok(target_dir.join(triple).join(profile))
}

fn cargo(
    root: &Path,
    target_dir: &Path,
    triple: &str,
    profile: &str,
) -> Result<std::process::ExitStatus, Box<dyn Error>> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
        .current_dir(root)
        .args([
            "build",
            "--locked",
            "--package",
            "friday-host",
            "--package",
            "friday-data",
            "--profile",
            profile,
            "--target",
            triple,
        ])
        .arg("--target-dir")
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    Ok(command.status().map_err(|error| format!("cargo could not be started: {error}"))?)
}
