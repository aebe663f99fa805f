//! A base backup: what is written down of it, and what a restore needs to know.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use friday_wire::data::Position;
use serde::Deserialize;

use super::error::PostgresError;
use super::facts::{AT_LEAST, Cluster};
use super::lsn::{Lsn, Segment, SegmentSize};
use crate::repository::manifest::Manifest;

/// The object of an older backup that holds the data directory in one; newer ones hold it in parts.
pub const OBJECT: &str = "base.tar";

/// What a restore needs to know of the cluster that a backup is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `system_identifier`.
    pub system: String,
    /// Its timeline.
    pub timeline: u32,
    /// From here on WAL is needed.
    pub start: Lsn,
    /// Up to here at least: before that the copy is not consistent.
    pub end: Lsn,
    /// Of its WAL files.
    pub segment: SegmentSize,
    /// `15`.
    pub major: u32,
    /// A role that may everything.
    pub bootstrap: String,
    /// The role that the connection string stood for.
    pub role: String,
    /// The database that it stood for.
    pub database: String,
    /// What the cluster loads when it starts.
    pub preload: String,
    /// In which sessions see times: invariants must mean the same on a copy.
    pub timezone: String,
    /// Settings that a standby must have at least as large.
    pub at_least: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct BackupManifest {
    #[serde(rename = "WAL-Ranges")]
    ranges: Vec<WalRange>,
}

#[derive(Deserialize)]
struct WalRange {
    #[serde(rename = "Timeline")]
    timeline: u32,
    #[serde(rename = "Start-LSN")]
    start: String,
    #[serde(rename = "End-LSN")]
    end: String,
}

/// What a backup that somebody else's program makes notes of its cluster: [`Base::facts`] without where it begins and
/// ends, which that program knows.
pub fn noted(cluster: &Cluster) -> BTreeMap<String, String> {
    let nowhere = Base {
        system: cluster.system.clone(),
        timeline: 0,
        start: Lsn(0),
        end: Lsn(0),
        segment: cluster.segment,
        major: cluster.major,
        bootstrap: cluster.bootstrap.clone(),
        role: cluster.role.clone(),
        database: cluster.database.clone(),
        preload: cluster.preload.clone(),
        timezone: cluster.timezone.clone(),
        at_least: cluster.at_least.clone(),
    };
    let mut facts = nowhere.facts();
    facts.retain(|key, _| !["timeline", "start", "end"].contains(&key.as_str()));
    facts
}

impl Base {
    /// From what `pg_basebackup` said about its backup, and from the cluster.
    ///
    /// # Errors
    /// When that makes no sense, or when the timeline changed meanwhile.
    pub fn told(manifest: &[u8], cluster: &Cluster) -> Result<Self, PostgresError> {
        let strange = |why: String| PostgresError::Ended {
            program: "pg_basebackup".to_owned(),
            says: format!("its manifest makes no sense: {why}"),
        };
        let manifest: BackupManifest =
            serde_json::from_slice(manifest).map_err(|error| strange(error.to_string()))?;
        let [range] = &manifest.ranges[..] else {
            return Err(strange("the timeline changed during the backup".to_owned()));
        };
        let place = |text: &str| Lsn::from_str(text).map_err(|error| strange(error.to_string()));
        Ok(Self {
            system: cluster.system.clone(),
            timeline: range.timeline,
            start: place(&range.start)?,
            end: place(&range.end)?,
            segment: cluster.segment,
            major: cluster.major,
            bootstrap: cluster.bootstrap.clone(),
            role: cluster.role.clone(),
            database: cluster.database.clone(),
            preload: cluster.preload.clone(),
            timezone: cluster.timezone.clone(),
            at_least: cluster.at_least.clone(),
        })
    }

    /// As a backup's manifest keeps it.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let mut facts: BTreeMap<String, String> =
            self.at_least.iter().map(|(key, value)| (key.clone(), value.to_string())).collect();
        for (key, value) in [
            ("engine", "postgres".to_owned()),
            ("system", self.system.clone()),
            ("timeline", self.timeline.to_string()),
            ("start", self.start.to_string()),
            ("end", self.end.to_string()),
            ("segment", self.segment.bytes().to_string()),
            ("major", self.major.to_string()),
            ("bootstrap", self.bootstrap.clone()),
            ("role", self.role.clone()),
            ("database", self.database.clone()),
            ("preload", self.preload.clone()),
            ("timezone", self.timezone.clone()),
        ] {
            facts.insert(key.to_owned(), value);
        }
        facts
    }

    /// From a backup's manifest.
    ///
    /// # Errors
    /// When it is not of this engine.
    pub fn of(manifest: &Manifest) -> Result<Self, PostgresError> {
        let id = &manifest.backup.id;
        let absent = |key: &str| {
            PostgresError::NoBackup(format!(
                "backup {id} is none of PostgreSQL's: it has no `{key}`"
            ))
        };
        let fact = |key: &str| manifest.facts.get(key).cloned().ok_or_else(|| absent(key));
        let number = |key: &str| fact(key)?.parse::<u64>().map_err(|_| absent(key));
        let small = |key: &str| u32::try_from(number(key)?).map_err(|_| absent(key));
        let place = |key: &str| Lsn::from_str(&fact(key)?).map_err(|_| absent(key));
        let mut at_least = BTreeMap::new();
        for key in AT_LEAST {
            at_least.insert(key.to_owned(), number(key)?);
        }
        Ok(Self {
            system: fact("system")?,
            timeline: small("timeline")?,
            start: place("start")?,
            end: place("end")?,
            segment: SegmentSize::new(number("segment")?).ok_or_else(|| absent("segment"))?,
            major: small("major")?,
            bootstrap: fact("bootstrap")?,
            role: fact("role")?,
            database: fact("database")?,
            preload: fact("preload")?,
            timezone: fact("timezone")?,
            at_least,
        })
    }

    /// The first segment that it needs.
    pub fn first(&self) -> Segment {
        Segment::holding(self.timeline, self.start, self.segment)
    }

    /// The last segment without which it is not consistent.
    pub fn last(&self) -> Segment {
        Segment::ending(self.timeline, self.end, self.segment)
    }

    /// From which place on it can be returned to.
    pub fn position(&self) -> Position {
        self.position_at(self.end)
    }

    /// A place of its history.
    pub fn position_at(&self, lsn: Lsn) -> Position {
        let (system, timeline) = (self.system.clone(), self.timeline);
        Position::Postgres { system, timeline, lsn: lsn.to_string() }
    }
}
