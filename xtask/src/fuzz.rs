//! Fuzzing: builds `fuzz/` with coverage that libFuzzer reads, and runs one target for a while.
//!
//! libFuzzer comes as a crate and is fed by flags of the compiler's own, so that the stable compiler is
//! enough and nothing else has to be installed but a C++ compiler.

use std::fs;
use std::path::PathBuf;

use crate::workspace;

/// The targets, each with the directory of its corpus.
const TARGETS: [(&str, &str); 8] = [
    ("archives", "archives"),
    ("frames", "frames"),
    ("answers", "frames"),
    ("conversation", "conversation"),
    ("configuration", "configuration"),
    ("operations", "operations"),
    ("packs", "packs"),
    ("recipes", "recipes"),
];

/// How every crate is compiled: counters at each edge and at each comparison.
const FLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
];

/// How long a target runs where nobody says.
const MINUTES: u64 = 10;

/// No input of ours takes longer, seconds; else it is a finding.
const TIMEOUT: u64 = 20;

/// The largest input that is tried, bytes: enough for several blocks of tar.
const LEN_MAX: usize = 16 * 1024;

const USAGE: &str = "usage: cargo xtask fuzz TARGET [--minutes N] [--keep]   \
                     (targets: archives frames answers conversation configuration operations packs recipes)";

/// Runs one target; `--keep` writes the smallest set of inputs that reaches the same into `fuzz/corpus`.
pub fn run(words: &[&str]) -> Result<(), String> {
    let (target, corpus, wish) = read(words)?;
    let build = workspace::target()?.join("fuzz");
    let grown = build.join("corpus").join(target);
    let found = build.join("found").join(target);
    for directory in [&grown, &found] {
        fs::create_dir_all(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let kept = workspace::root().join("fuzz/corpus").join(corpus);
    let program = compile(target, &build)?;
    let mut fuzzer = std::process::Command::new(program);
    fuzzer.current_dir(&found).arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.args(["-rss_limit_mb=4096", "-print_final_stats=1"]);
    fuzzer.arg(format!("-timeout={TIMEOUT}")).arg(format!("-max_len={LEN_MAX}"));
    let dictionary = workspace::root().join("fuzz/words").join(format!("{corpus}.dict"));
    if dictionary.exists() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    match wish {
        Wish::Minutes(minutes) => {
            fuzzer.arg(format!("-max_total_time={}", minutes * 60)).arg(&grown).arg(&kept);
            workspace::run(&mut fuzzer)
        }
        Wish::Keep => keep(&mut fuzzer, &kept, &grown),
    }
}

enum Wish {
    Minutes(u64),
    Keep,
}

fn read(words: &[&str]) -> Result<(&'static str, &'static str, Wish), String> {
    let [target, rest @ ..] = words else { return Err(USAGE.to_owned()) };
    let known = TARGETS.iter().find(|(name, _)| name == target);
    let (target, corpus) = known.ok_or_else(|| USAGE.to_owned())?;
    let wish = match rest {
        [] => Wish::Minutes(MINUTES),
        ["--minutes", number] => Wish::Minutes(minutes(number)?),
        ["--keep"] => Wish::Keep,
        _ => return Err(USAGE.to_owned()),
    };
    Ok((target, corpus, wish))
}

/// At least one: libFuzzer takes none for "without end".
fn minutes(word: &str) -> Result<u64, String> {
    word.parse().ok().filter(|minutes| *minutes > 0).ok_or_else(|| USAGE.to_owned())
}

fn compile(target: &str, build: &std::path::Path) -> Result<PathBuf, String> {
    // Named, so that the flags are not for build scripts, which have no fuzzer to be linked with.
    let triple = workspace::triple()?;
    // The versions that the product has; only the fuzzer itself comes on top.
    let (product, ours) = ("Cargo.lock", "fuzz/Cargo.lock");
    fs::copy(workspace::root().join(product), workspace::root().join(ours))
        .map_err(|error| format!("{ours}: {error}"))?;
    let mut cargo = workspace::cargo();
    cargo.current_dir(workspace::root().join("fuzz"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).env("CARGO_TARGET_DIR", build);
    cargo.args(["build", "--release", "--target", &triple, "--bin", target]);
    workspace::run(&mut cargo)?;
    Ok(build.join(triple).join("release").join(target))
}

/// Into a new directory first: the fuzzer only adds.
fn keep(
    fuzzer: &mut std::process::Command,
    kept: &std::path::Path,
    grown: &std::path::Path,
) -> Result<(), String> {
    let fresh = kept.with_extension("new");
    let failed = |error| format!("{}: {error}", fresh.display());
    fs::create_dir_all(&fresh).map_err(failed)?;
    workspace::run(fuzzer.arg("-merge=1").arg(&fresh).arg(kept).arg(grown))?;
    fs::remove_dir_all(kept).map_err(failed)?;
    fs::rename(&fresh, kept).map_err(failed)
}
