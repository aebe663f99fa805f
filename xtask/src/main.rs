//! The project's own chores, in Rust so that they need nothing installed: `cargo xtask COMMAND`.
//!
//! Not part of the product; nothing in `crates/` may depend on it. Each command has its module:
//! [`tidy`], [`docs`], [`suite`], [`demo`], [`mod@bench`], [`simulate`], [`fuzz`].

mod bench;
mod demo;
mod docs;
mod fuzz;
mod simulate;
mod suite;
mod tidy;
mod workspace;

/// The bed of SSH servers that the tests of real fleets stand on; benchmarks stand on it, too.
#[expect(dead_code, unused_imports, reason = "benchmarks need no partitions and power cuts")]
#[path = "../../crates/friday/tests/real"]
mod real {
    pub mod bed;
}

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo         push the guestbook to three local hosts and show its address
  demo bad     push its bad release, which comes back by itself
  demo good    push its second good release
  demo stop    stop the guestbook and remove the three hosts
  test         install what the tests need (Debian packages) and run them all
  fleet-test   the stories on many real servers: --hosts N (default 16), --plain: without systemd
  tidy         check the project's rules that no compiler checks
  docs         write the generated documents again
  bench        friday beside other tools on real servers: peers, warm, floor
  simulate     the simulator's long run: --seeds N (default 100000), --from SEED
  fuzz         run a fuzzer: TARGET, --minutes N (default 10); TARGET --keep: keep what it learned
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["bench", rest @ ..] => bench::run(rest),
        ["demo", rest @ ..] => demo::run(rest),
        ["test", rest @ ..] => suite::run(rest),
        ["fleet-test", rest @ ..] => suite::fleet(rest),
        ["tidy"] => tidy::run(),
        ["docs"] => docs::write(),
        ["simulate", rest @ ..] => simulate::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["help" | "--help" | "-h"] => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print(&format!("{why}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Says something to the person at the terminal.
fn print(text: &str) {
    use std::io::Write;
    // If nobody reads it there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
