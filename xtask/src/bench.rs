//! `cargo xtask bench`: friday beside the tools that people use, on real SSH servers, in one run.
//!
//! `bench peers` gives every tool the same release, hosts and checks; `bench floor` measures what no
//! tool can beat that uses this machine's OpenSSH. `bench controller` needs no servers: it pushes to
//! simulated fleets of growing size, `bench recovery` has a database server of its own, and `bench hour` times what `friday check` reckons. Results are lines of JSON, and a table of them.
//! Nothing here knows how friday works: it is called as any other tool is, by a script in
//! `benches/peers`.

mod account;
mod controller;
mod delay;
mod floor;
mod forecast;
mod ground;
mod hour;
mod options;
mod payload;
mod peer;
mod recovery;
mod table;
mod warm;

use options::Options;

/// Runs what was asked for.
pub fn run(words: &[&str]) -> Result<(), String> {
    match words {
        ["controller", sizes @ ..] => controller::run(sizes),
        ["recovery", rest @ ..] => recovery::run(rest),
        ["forecast"] => forecast::run(),
        ["hour"] => hour::run(),
        ["table", files @ ..] if !files.is_empty() => table::print_files(files),
        [what @ ("peers" | "floor" | "warm"), rest @ ..] => {
            let options = Options::parse(rest)?;
            let ground = ground::Ground::up(&options)?;
            match *what {
                "peers" => peer::run(&ground, &options),
                "floor" => floor::run(&ground, &options),
                _ => warm::run(&ground, &options),
            }
        }
        _ => Err(options::USAGE.to_owned()),
    }
}
