//! The pure crates touch nothing: no files, network, environment, processes, threads, clock.
//!
//! Clippy's bans name functions; this rule names whole modules, and looks at tests less strictly:
//! a test of a pure crate may read its golden files.

use super::problem::Problem;
use super::source::Source;

const PURE: [&str; 5] = [
    "crates/friday-wire/src",
    "crates/friday-node/src",
    "crates/friday-core/src",
    "crates/friday-time/src",
    "crates/friday-judge/src",
];

// Addresses as values are pure; what opens them is not.
const WORLD: [&str; 10] = [
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
];

/// Refuses the world in a pure crate.
pub fn check(source: &Source) -> Vec<Problem> {
    if source.is_test() || !PURE.iter().any(|room| source.is_under(room)) {
        return Vec::new();
    }
    let found = source.code.lines().enumerate().filter_map(|(number, line)| {
        let world = WORLD.iter().find(|world| has_path(line, world))?;
        let mend = format!("a pure crate must not touch `{world}`; let it come in as data");
        Some(Problem::new(&source.path, number + 1, "purity", mend))
    });
    found.collect()
}

fn has_path(line: &str, path: &str) -> bool {
    let continues = |letter: Option<char>| {
        letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    };
    line.match_indices(path).any(|(at, _)| {
        !continues(line[..at].chars().next_back())
            && !continues(line[at + path.len()..].chars().next())
    })
}
