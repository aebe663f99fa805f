//! A guarded database, as the configuration has it. Its secrets are still where they come from.

use std::collections::BTreeMap;

use friday_wire::data::{Invariant, PostgresBackup};
use friday_wire::{DatabaseName, HostName};

use super::{Address, SecretSource};
use crate::rollout::plan::PlannedDatabase;

/// A guarded database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// Its name.
    pub name: DatabaseName,
    /// The host that it is on; may be one of the fleet's.
    pub host: HostName,
    /// How that is reached, perhaps by another login than the fleet's.
    pub address: Address,
    /// What it is.
    pub engine: EngineSettings,
    /// Where its backups are.
    pub repository: RepositorySettings,
    /// Backups kept.
    pub keep: u32,
    /// Where drills restore to; `None`: the program's own choice.
    pub scratch: Option<String>,
    /// What must hold in it.
    pub invariants: Vec<Invariant>,
    /// From one judgement to the next question while a push runs, milliseconds.
    pub invariants_every_ms: u64,
    /// About drills.
    pub drill: DrillSettings,
    /// Where drills and rehearsals restore to; `None`: on the database's own host.
    pub drill_host: Option<(HostName, Address)>,
    /// About rehearsals; `None`: pushes are not rehearsed on it.
    pub rehearse: Option<RehearseSettings>,
    /// How long a recovery may take, milliseconds; `None`: any time.
    pub recovery_time_ms: Option<u64>,
    /// How long a restore point may take, milliseconds.
    pub point_timeout_ms: u64,
}

impl DatabaseSettings {
    /// Where drills and rehearsals restore to.
    pub fn drilled_on(&self) -> (&HostName, &Address) {
        match &self.drill_host {
            Some((host, address)) => (host, address),
            None => (&self.host, &self.address),
        }
    }
}

impl DatabaseSettings {
    /// What a push must know of it.
    pub fn planned(&self) -> PlannedDatabase {
        PlannedDatabase {
            name: self.name.clone(),
            point_timeout_ms: self.point_timeout_ms,
            drill_max_age_ms: self.drill.max_age_ms,
            recovery_time_ms: self.recovery_time_ms,
            rehearse: self.rehearse.is_some(),
            invariants: self.invariants.clone(),
            invariants_every_ms: self.invariants_every_ms,
        }
    }
}

/// What a guarded database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineSettings {
    /// A file.
    Sqlite {
        /// Absolute, or relative to the login's home.
        path: String,
    },
    /// A server.
    Postgres {
        /// The connection string, seen from the database's host.
        url: SecretSource,
        /// A replica's, seen from there too: it is asked for invariants once a push has begun; `None`: the live
        /// server is.
        replica: Option<SecretSource>,
        /// How backups are made.
        backup: PostgresBackup,
        /// Where its programs are; `None`: where the server says.
        programs: Option<String>,
    },
}

/// Where backups are, and how they are kept from strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Where.
    pub place: RepositoryPlaceSettings,
    /// An identity of age; `None`: they lie in clear.
    pub key: Option<SecretSource>,
}

/// Where backups are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryPlaceSettings {
    /// A directory on the database's host.
    Directory {
        /// Absolute, or relative to the login's home; `None`: the program's own choice.
        path: Option<String>,
    },
    /// A bucket of a store that speaks S3.
    S3 {
        /// Its name.
        bucket: String,
        /// What stands before every name in it; may be empty.
        prefix: String,
        /// A URL; `None`: AWS.
        endpoint: Option<String>,
        /// As the store names it.
        region: String,
        /// The access key's name.
        access_key: SecretSource,
        /// The access key.
        secret_key: SecretSource,
    },
}

/// About drills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillSettings {
    /// The oldest that the last one may be, milliseconds.
    pub max_age_ms: u64,
    /// What was restored stays for the next one.
    pub keep_scratch: bool,
    /// How long one may take, milliseconds.
    pub timeout_ms: u64,
    /// A file of this machine, from the configuration on: statements that take personal data out of copies; `None`:
    /// copies are as the database is.
    pub mask: Option<String>,
}

/// About rehearsals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearseSettings {
    /// The variable by which a release finds the database.
    pub variable: String,
    /// What it is set to, with `{path}` (SQLite) or `{url}` (PostgreSQL) in it; `None`: that alone.
    pub value: Option<String>,
    /// Variables that a rehearsal sets instead of the release's own.
    pub env: BTreeMap<String, String>,
    /// Writes through the new release, in its tree; for `/bin/sh -c`.
    pub write: Option<String>,
    /// Reads through the old release, in its tree; for `/bin/sh -c`.
    pub read: Option<String>,
    /// A host of the fleet where the releases are tried; `None`: see
    /// [`Settings::rehearsal_host`](super::Settings::rehearsal_host).
    pub host: Option<HostName>,
    /// How long the migration, and each command, may take, milliseconds.
    pub timeout_ms: u64,
}

impl RehearseSettings {
    /// The variable's value, for a copy that is found there: the file's path, or the connection string.
    pub fn value_for(&self, place: &str) -> String {
        match &self.value {
            Some(value) => value.replace("{path}", place).replace("{url}", place),
            None => place.to_owned(),
        }
    }
}
