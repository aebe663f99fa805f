//! What `pgbackrest info --output=json` says of a stanza, as far as it is used here.
//!
//! <https://pgbackrest.org/command.html#command-info>

use std::collections::BTreeMap;

use serde::Deserialize;

/// The annotation that friday leaves.
pub const ANNOTATION: &str = "friday";

/// A stanza.
#[derive(Debug, Clone, Deserialize)]
pub struct Info {
    /// How it is.
    pub status: Status,
    /// `none`, or how it is encrypted.
    #[serde(default)]
    pub cipher: Option<String>,
    /// Clusters that it was made for, the present one last.
    #[serde(default)]
    pub db: Vec<Cluster>,
    /// Backups, the oldest first.
    #[serde(default)]
    pub backup: Vec<Backup>,
}

/// How it is.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// 0: good.
    pub code: u32,
    /// In words.
    pub message: String,
}

/// A cluster, before or after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Cluster {
    /// Rises with each upgrade of the stanza.
    pub id: u32,
    /// `system_identifier`.
    #[serde(rename = "system-id")]
    pub system: u64,
    /// `15`.
    pub version: String,
}

/// A backup.
#[derive(Debug, Clone, Deserialize)]
pub struct Backup {
    /// `20261124-084932F`.
    pub label: String,
    /// Which cluster it is of.
    pub database: OfCluster,
    /// The first segment that it needs, and the last; absent where none was archived.
    pub archive: Option<Span<Option<String>>>,
    /// From where to where it goes; absent in what old versions made.
    pub lsn: Option<Span<String>>,
    /// Seconds since 1970.
    pub timestamp: Span<u64>,
    /// Its sizes.
    pub info: Sizes,
    /// What somebody noted.
    #[serde(default)]
    pub annotation: Option<BTreeMap<String, String>>,
}

/// A beginning and an end.
#[derive(Debug, Clone, Deserialize)]
pub struct Span<T> {
    /// The beginning.
    pub start: T,
    /// The end.
    pub stop: T,
}

/// Which cluster.
#[derive(Debug, Clone, Deserialize)]
pub struct OfCluster {
    /// [`Cluster::id`].
    pub id: u32,
}

/// Bytes.
#[derive(Debug, Clone, Deserialize)]
pub struct Sizes {
    /// Of the cluster's files.
    pub size: u64,
    /// As stored.
    pub repository: Stored,
}

/// Bytes as stored.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    /// That this backup added.
    #[serde(default)]
    pub delta: u64,
}

impl Info {
    /// Reads an answer; `None`: it tells of no such stanza.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn parse(text: &str) -> Result<Option<Self>, serde_json::Error> {
        let mut all: Vec<Self> = serde_json::from_str(text)?;
        Ok(all.pop())
    }

    /// The cluster that a backup is of.
    pub fn cluster(&self, backup: &Backup) -> Option<&Cluster> {
        self.db.iter().find(|cluster| cluster.id == backup.database.id)
    }
}

impl Backup {
    /// Its timeline, from the name of its first segment.
    pub fn timeline(&self) -> Option<u32> {
        let first = self.archive.as_ref()?.start.as_deref()?;
        u32::from_str_radix(first.get(..8)?, 16).ok()
    }

    /// What friday noted with it.
    pub fn noted(&self) -> Option<BTreeMap<String, String>> {
        serde_json::from_str(self.annotation.as_ref()?.get(ANNOTATION)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Info;

    const SAID: &str = r#"[{"archive":[],"backup":[{"annotation":{"friday":"{\"preload\":\"\"}"},
        "archive":{"start":"000000020000000000000002","stop":"000000020000000000000002"},"database":{"id":1,"repo-key":1},
        "error":false,"info":{"delta":23213823,"repository":{"delta":2838653,"size":2838653},"size":23213823},
        "label":"20261124-084932F","lsn":{"start":"0/2000028","stop":"0/2000100"},"timestamp":{"start":1795510172,"stop":1795510176}}],
        "cipher":"none","db":[{"id":1,"repo-key":1,"system-id":7711657452165777552,"version":"15"}],"name":"main",
        "status":{"code":0,"message":"ok"}}]"#;

    #[test]
    fn an_answer_is_read_as_far_as_it_is_used() {
        let info = Info::parse(SAID).expect("it makes sense").expect("there is a stanza");
        let backup = &info.backup[0];
        assert_eq!(info.cluster(backup).map(|one| one.system), Some(7_711_657_452_165_777_552));
        assert_eq!(backup.timeline(), Some(2));
        assert_eq!(backup.noted().expect("a note").get("preload").map(String::as_str), Some(""));
    }

    #[test]
    fn one_without_a_backup_and_none_at_all_are_no_error() {
        let missing = r#"[{"backup":[],"db":[],"name":"x","status":{"code":1,"message":"missing stanza path"}}]"#;
        assert_eq!(
            Info::parse(missing).expect("it makes sense").map(|one| one.status.code),
            Some(1)
        );
        assert!(Info::parse("[]").expect("it makes sense").is_none());
        assert!(Info::parse("ERROR").is_err());
    }
}
