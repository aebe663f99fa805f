//! A guarded database, as the program beside it is told with each request: it keeps no configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::DatabaseName;

/// Text that is shown to nobody: a password, a connection string, a key. Prints as `[secret]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// Wraps it.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The text itself, for the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A guarded database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarded {
    /// As the configuration names it.
    pub name: DatabaseName,
    /// What it is, and how it is reached from its host.
    pub engine: Engine,
    /// Where its backups are.
    pub repository: Repository,
    /// Backups kept: the newest so many, and whatever they stand on.
    pub keep: u32,
    /// Where copies for drills are made; `None`: in the program's own directory.
    pub scratch: Option<String>,
}

/// A database engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum Engine {
    /// A file.
    Sqlite {
        /// Absolute, or relative to the login's home.
        path: String,
    },
    /// A server.
    Postgres {
        /// A connection string, as libpq takes it, seen from the database's host.
        url: Hidden,
        /// How its backups are made.
        backup: PostgresBackup,
        /// Where `pg_ctl` and its like are; `None`: where the server says, else `PATH`.
        programs: Option<String>,
    },
}

/// How backups of PostgreSQL are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "backup", rename_all = "snake_case")]
pub enum PostgresBackup {
    /// `pg_basebackup`, and the WAL that `pg_receivewal` receives without a pause.
    Stream,
    /// pgBackRest, whose stanza exists already.
    PgBackRest {
        /// The stanza.
        stanza: String,
        /// Its configuration; `None`: pgBackRest's own choice.
        config: Option<String>,
    },
}

/// Where backups are, and how they are kept from strangers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Where.
    pub place: RepositoryPlace,
    /// An identity of age (`AGE-SECRET-KEY-1…`) that backups are encrypted to; `None`: they lie in clear.
    pub key: Option<Hidden>,
}

/// Where backups are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum RepositoryPlace {
    /// A directory on the database's host.
    Directory {
        /// Absolute, or relative to the login's home; `None`: in the program's own directory.
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
        access_key: Hidden,
        /// The access key.
        secret_key: Hidden,
    },
}
