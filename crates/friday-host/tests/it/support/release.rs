//! Releases of the little server, each with a version of its own.

use std::collections::BTreeMap;
use std::path::Path;

use friday_wire::{
    Digest, Entry, EntryKind, HealthSpec, HttpCheck, Manifest, ReleaseId, RunSpec, UnitSpec,
};

use super::server::PROGRAM;

pub struct Made {
    pub id: ReleaseId,
    pub manifest: Manifest,
    pub files: BTreeMap<Digest, Vec<u8>>,
}

pub fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// The usual: serves, and says its version.
pub fn serving(version: &str) -> Made {
    running(version, "exec ./server", http_health())
}

pub fn http_health() -> HealthSpec {
    HealthSpec {
        http: Some(HttpCheck { path: "/".to_owned(), expect: Some(200) }),
        interval_first_ms: 50,
        interval_later_ms: 200,
        passes: 1,
        steady_ms: 0,
        ..HealthSpec::default()
    }
}

/// Nothing to start.
pub fn files_only(version: &str, health: HealthSpec) -> Made {
    made(version, None, health)
}

/// Any command, in a tree with the server and its version.
pub fn running(version: &str, command: &str, health: HealthSpec) -> Made {
    made(version, Some(command.to_owned()), health)
}

fn made(version: &str, command: Option<String>, health: HealthSpec) -> Made {
    let example = Path::new(PROGRAM).with_file_name("examples").join("little_server");
    let server = std::fs::read(example).expect("cargo builds the example beside the tests");
    let mut files = BTreeMap::new();
    let mut file = |path: &str, bytes: Vec<u8>, executable| {
        let (digest, size) = (digest(&bytes), bytes.len() as u64);
        files.insert(digest, bytes);
        Entry { path: path.to_owned(), kind: EntryKind::File { digest, size, executable } }
    };
    let tree =
        vec![file("server", server, true), file("version", version.as_bytes().to_vec(), false)];
    let run = RunSpec {
        command,
        env: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        health,
        shared: Vec::new(),
        unit: UnitSpec::default(),
        processes: friday_wire::Processes::default(),
    };
    let manifest = Manifest { tree, run };
    Made { id: ReleaseId(digest(&manifest.identity_bytes())), manifest, files }
}
