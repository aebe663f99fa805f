//! The log of one cluster in a stanza: what is there, and how it comes from there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::IgnoredAny;

use super::stanza::Stanza;
use crate::course::Watch;
use crate::postgres::error::PostgresError;

/// The first so many digits of a segment name its directory.
const DIRECTORY: usize = 16;

/// A segment's name.
const SEGMENT: usize = 24;

/// Segments of one cluster.
#[derive(Debug, Clone)]
pub struct Archive {
    stanza: Stanza,
    /// `15-1`.
    id: String,
    data: PathBuf,
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl Archive {
    pub(super) fn open(stanza: Stanza, id: String, data: &Path) -> Result<Self, PostgresError> {
        let archive = Self { stanza, id, data: data.to_owned(), seen: Arc::default() };
        // One list, or each segment of a long chain would be a question.
        let names = archive.names()?;
        archive.seen().extend(names);
        Ok(archive)
    }

    /// Names of all that are there.
    ///
    /// # Errors
    /// pgBackRest's.
    pub fn names(&self) -> Result<Vec<String>, PostgresError> {
        self.list("", None)
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        if self.seen().contains(name) {
            return true;
        }
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if !plain {
            return false;
        }
        let below = if name.len() == SEGMENT { &name[..DIRECTORY] } else { "" };
        // One that cannot be asked for cannot be built upon.
        let found = self.list(below, Some(name)).is_ok_and(|names| names.iter().any(|n| n == name));
        if found {
            self.seen().insert(name.to_owned());
        }
        found
    }

    /// Fetches a file, which pgBackRest compares with what was archived.
    ///
    /// # Errors
    /// pgBackRest's; that it is not there, too: ask [`Self::has`] first.
    pub fn fetch(&self, name: &str, target: &Path, watch: &Watch) -> Result<(), PostgresError> {
        let mut command = self.stanza.command("archive-get");
        command.arg(format!("--pg1-path={}", self.data.display()));
        command.args(["--no-archive-async", "--log-level-file=off"]);
        command.arg(name).arg(target).current_dir(&self.data);
        let fetched = self.stanza.run(command, watch).map(drop);
        fetched.inspect_err(|_| {
            self.seen().remove(name);
        })
    }

    fn list(&self, below: &str, name: Option<&str>) -> Result<Vec<String>, PostgresError> {
        let mut command = self.stanza.command("repo-ls");
        command.arg(format!("archive/{}/{}/{below}", self.stanza.name(), self.id));
        command.arg("--output=json");
        match name {
            Some(name) => command.arg(format!("--filter=^{}", name.replace('.', "\\."))),
            None => command.arg("--recurse"),
        };
        let said = self.stanza.ask(command)?;
        let files: BTreeMap<String, IgnoredAny> =
            serde_json::from_str(&said).map_err(|error| PostgresError::Ended {
                program: "pgbackrest repo-ls".to_owned(),
                says: format!("its answer makes no sense: {error}"),
            })?;
        Ok(files.keys().filter_map(|path| named(path)).map(str::to_owned).collect())
    }

    fn seen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What PostgreSQL calls a file of the archive; `None`: it is none of its log.
fn named(path: &str) -> Option<&str> {
    let file = path.rsplit('/').next()?;
    if file.ends_with(".history") {
        return Some(file);
    }
    let (name, _) = file.split_once('-')?;
    (name.len() == SEGMENT && name.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn segments_and_histories_are_told_from_the_rest() {
        let segment = "000000010000000000000003";
        let stored =
            format!("0000000100000000/{segment}-54a75b597f0bf1bd31d2036290f5240f6959d84d.zst");
        assert_eq!(named(&stored), Some(segment));
        assert_eq!(named("00000002.history"), Some("00000002.history"));
        for other in [
            ".",
            "0000000100000000",
            "0000000100000000/000000010000000000000002.00000028.backup",
            "0000000100000000/000000010000000000000004.partial-54a7.gz",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
