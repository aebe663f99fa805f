//! The manifest of a release: every file, and how it is run. Two equal manifests are one release.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::health::HealthSpec;
use crate::id::{Digest, ProcessName};
use crate::process::{PROCESSES_MAX, Processes};
use crate::supervisor::{UnitSpec, is_default};
use crate::timetable::TimetableError;

/// The longest path in a release, bytes. Leaves room for the host's own directories under PATH_MAX.
pub const PATH_LEN_MAX: usize = 2_048;

/// The most entries in one release.
pub const ENTRIES_MAX: usize = 1_000_000;

/// What a release is made of and how it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Sorted by path, each path once.
    pub tree: Vec<Entry>,
    /// How it runs.
    pub run: RunSpec,
}

/// One entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative, `/` between parts, no `.`, `..` or empty part.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file, found in the store by its digest.
    File {
        /// BLAKE3 of its bytes.
        digest: Digest,
        /// Bytes.
        size: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link that stays inside the release.
    Link {
        /// As written in the link; relative.
        target: String,
    },
}

/// How a release runs. Part of its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Given to `/bin/sh -c` in the release's directory. `None`: files only, nothing to start.
    pub command: Option<String>,
    /// The environment, without secrets.
    pub env: BTreeMap<String, String>,
    /// How it proves that it works.
    pub health: HealthSpec,
    /// Paths linked to directories of the host that outlive releases.
    pub shared: Vec<String>,
    /// Who runs its processes, and what they may use.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: UnitSpec,
    /// What else runs, and where.
    #[serde(default, skip_serializing_if = "Processes::is_none")]
    pub processes: Processes,
}

/// Which port a release listens on; given to it as `PORT`. Not part of a release's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ports", rename_all = "snake_case")]
pub enum Ports {
    /// It needs none.
    None,
    /// Releases take this one in turn.
    Fixed {
        /// The port.
        port: u16,
    },
    /// One per release, from this range; needs a rotation that re-points.
    PerRelease {
        /// First port.
        first: u16,
        /// Last port, at least `first` + 1.
        last: u16,
    },
}

/// What is wrong with a manifest. Friday's side and the host check alike: neither trusts the other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// No files.
    #[error("the release has no files")]
    Empty,
    /// Too many.
    #[error("the release has {0} entries, more than {ENTRIES_MAX}")]
    TooMany(usize),
    /// A path that is absolute, climbs, or has an empty part, NUL or undue length.
    #[error("path `{0}` does not stay inside the release")]
    Path(String),
    /// Not sorted, or twice.
    #[error("path `{0}` stands twice, or out of order")]
    Order(String),
    /// Something lies under a path that is not a directory.
    #[error("path `{0}` lies under something that is not a directory")]
    Parent(String),
    /// A link that leads outside.
    #[error("link `{path}` leads out of the release: `{target}`")]
    Escape {
        /// The link.
        path: String,
        /// Its target.
        target: String,
    },
    /// Links that lead in a circle.
    #[error("link `{0}` leads in a circle")]
    Circle(String),
    /// Too many processes.
    #[error("the release has {0} processes, more than {PROCESSES_MAX}")]
    Processes(usize),
    /// A process's or a role's name that cannot stand in a path.
    #[error("`{0}` is not a name for a process or a role")]
    Name(String),
    /// When a job runs.
    #[error("the times of the process `{0}`: {1}")]
    Timetable(ProcessName, TimetableError),
}

impl Manifest {
    /// Checks that every path and link stays inside, each path stands once, and parents are directories.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        if !self.tree.iter().any(|entry| matches!(entry.kind, EntryKind::File { .. })) {
            return Err(ManifestError::Empty);
        }
        if self.tree.len() > ENTRIES_MAX {
            return Err(ManifestError::TooMany(self.tree.len()));
        }
        let mut before: Option<&str> = None;
        let mut directories = BTreeSet::new();
        let links: BTreeMap<&str, &str> = self.tree.iter().filter_map(Entry::as_link).collect();
        for entry in &self.tree {
            if !is_inside(&entry.path) {
                return Err(ManifestError::Path(entry.path.clone()));
            }
            if before.is_some_and(|before| before >= entry.path.as_str()) {
                return Err(ManifestError::Order(entry.path.clone()));
            }
            if let Some((parent, _)) = entry.path.rsplit_once('/')
                && !directories.contains(parent)
            {
                return Err(ManifestError::Parent(entry.path.clone()));
            }
            match &entry.kind {
                EntryKind::Directory => {
                    directories.insert(entry.path.as_str());
                }
                EntryKind::File { .. } => {}
                EntryKind::Link { target } => check_link(&entry.path, target, &links)?,
            }
            before = Some(&entry.path);
        }
        self.run.processes.check()?;
        self.run.shared.iter().try_for_each(|path| {
            if is_inside(path) { Ok(()) } else { Err(ManifestError::Path(path.clone())) }
        })
    }

    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files().map(|(_, size)| size).sum()
    }

    /// Each distinct file: digest and size.
    pub fn files(&self) -> impl Iterator<Item = (Digest, u64)> {
        let distinct: BTreeMap<Digest, u64> = self
            .tree
            .iter()
            .filter_map(|entry| match &entry.kind {
                EntryKind::File { digest, size, .. } => Some((*digest, *size)),
                EntryKind::Directory | EntryKind::Link { .. } => None,
            })
            .collect();
        distinct.into_iter()
    }

    /// The bytes whose BLAKE3 hash is the [`crate::TreeId`].
    pub fn tree_bytes(&self) -> Vec<u8> {
        canonical(&self.tree)
    }

    /// The bytes whose BLAKE3 hash is the [`crate::ReleaseId`]: tree, command, environment and health.
    pub fn identity_bytes(&self) -> Vec<u8> {
        canonical(self)
    }
}

/// JSON with the fields in declaration order and maps sorted: the same value gives the same bytes.
fn canonical(value: &impl Serialize) -> Vec<u8> {
    // These types hold strings, numbers and maps with string keys only; none of them can fail.
    serde_json::to_vec(value).unwrap_or_default()
}

impl Entry {
    fn as_link(&self) -> Option<(&str, &str)> {
        match &self.kind {
            EntryKind::Link { target } => Some((&self.path, target)),
            EntryKind::Directory | EntryKind::File { .. } => None,
        }
    }
}

/// Whether a path is relative, has no `.`, `..` or empty part, no NUL, and a bearable length.
pub fn is_inside(path: &str) -> bool {
    path.len() <= PATH_LEN_MAX
        && !path.contains('\0')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= 255)
}

/// Follows a link through the release's other links; it must end inside and must end.
fn check_link(path: &str, target: &str, links: &BTreeMap<&str, &str>) -> Result<(), ManifestError> {
    let escape = || ManifestError::Escape { path: path.to_owned(), target: target.to_owned() };
    let circle = || ManifestError::Circle(path.to_owned());
    let mut todo: Vec<&str> = Vec::new();
    let mut at: Vec<&str> = path.split('/').collect();
    at.pop();
    let mut hops = 0;
    let mut follow = |target: &'_ str| -> Result<(), ManifestError> {
        hops += 1;
        if hops > 40 {
            return Err(circle());
        }
        if target.starts_with('/')
            || target.is_empty()
            || target.contains('\0')
            || target.len() > PATH_LEN_MAX
        {
            return Err(escape());
        }
        Ok(())
    };
    follow(target)?;
    todo.extend(target.split('/').rev());
    while let Some(part) = todo.pop() {
        match part {
            "" | "." => continue,
            ".." => {
                at.pop().ok_or_else(escape)?;
                continue;
            }
            name => at.push(name),
        }
        let here = at.join("/");
        if here == path {
            return Err(circle());
        }
        if let Some(next) = links.get(here.as_str()) {
            follow(next)?;
            at.pop();
            todo.extend(next.split('/').rev());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
