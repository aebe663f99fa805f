//! Guarded databases from friday's side: who is asked, with which secrets, and what came of it.
//!
//! Each question is a connection of its own, and ends with it: what a dropped question began, the program beside the
//! database puts away. What an answer means is decided in core.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use friday_core::config::settings::{
    Address, DatabaseSettings, EngineSettings, RepositoryPlaceSettings, SecretSource,
};
use friday_core::controller::effect::Asks;
use friday_wire::data::{
    DataAnswer, DataPhase, DataRequest, Engine, Guarded, Hidden, Invariant, Mask, Repository,
    RepositoryPlace,
};
use friday_wire::{DatabaseName, HostName};
use tokio::time::Instant;

use crate::fleet::ConnectError;
use crate::fleet::data::{DataCallError, DataLink, DataProgress, DataSetup};
use crate::last_lines::shown;
use crate::secrets::{self, SecretError};

/// The secret's name while it is fetched, in complaints, too.
const URL: &str = "postgres.url";

/// As above.
const REPLICA: &str = "postgres.replica";

/// As above.
const KEY: &str = "backups.key";

/// As above.
const ACCESS_KEY: &str = "backups.s3.access_key";

/// As above.
const SECRET_KEY: &str = "backups.s3.secret_key";

/// The longest mask, bytes. Longer ones are dumps by mistake.
const MASK_LEN_MAX: usize = 1024 * 1024;

/// The databases of a configuration, connected to nobody.
#[derive(Debug, Clone)]
pub struct Databases {
    setup: DataSetup,
    databases: Vec<DatabaseSettings>,
}

/// A question without a good answer. The live database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The configuration has none of that name.
    #[error("the configuration has no database `{0}`")]
    NoSuchDatabase(DatabaseName),
    /// A password or a key.
    #[error("database `{database}`: {source}")]
    Secret {
        /// Which database.
        database: DatabaseName,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// What copies are masked with.
    #[error("database `{database}`: the mask `{path}` {why}", path = path.display())]
    Mask {
        /// Which database.
        database: DatabaseName,
        /// The file.
        path: PathBuf,
        /// `cannot be read: …`.
        why: String,
    },
    /// It was not asked.
    #[error("`{host}` cannot be reached: {source}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        source: ConnectError,
    },
    /// It was, and no answer came.
    #[error(transparent)]
    Lost(DataCallError),
    /// It said no.
    #[error("{why}")]
    Failed {
        /// At what.
        phase: DataPhase,
        /// What happened.
        why: String,
        /// What to do.
        help: Option<String>,
    },
}

impl DataError {
    /// What happened and what to do, in one sentence.
    pub fn told(&self) -> String {
        match self {
            Self::Failed { why, help: Some(help), .. } => format!("{why}; {help}"),
            other => other.to_string(),
        }
    }
}

/// A connection to the program beside a database. When it is dropped, what was opened on it is put away there.
pub struct DataSession {
    link: DataLink,
    guarded: Guarded,
}

impl DataSession {
    /// Asks. `watch` hears how far it is.
    ///
    /// # Errors
    /// As [`Databases::ask`].
    pub async fn ask(
        &mut self,
        limit: Duration,
        request: impl FnOnce(Guarded) -> DataRequest,
        watch: impl FnMut(DataProgress),
    ) -> Result<DataAnswer, DataError> {
        self.ask_until(Instant::now() + limit, request, watch).await
    }

    async fn ask_until(
        &mut self,
        deadline: Instant,
        request: impl FnOnce(Guarded) -> DataRequest,
        watch: impl FnMut(DataProgress),
    ) -> Result<DataAnswer, DataError> {
        let request = request(self.guarded.clone());
        if request.needs_version() > self.link.wire() {
            return Err(older());
        }
        let answer = self.link.call(request, deadline, watch).await.map_err(DataError::Lost)?;
        match answer {
            DataAnswer::Failed { phase, why, help } => {
                let help = help.map(|help| shown(&help));
                Err(DataError::Failed { phase, why: shown(&why), help })
            }
            answer => Ok(answer),
        }
    }
}

/// The program beside the database would leave the mask out, and keep the copy as it is.
fn older() -> DataError {
    DataError::Failed {
        phase: DataPhase::Find,
        why: "the program beside the database is an older one, and cannot mask a copy".to_owned(),
        help: Some("use the one that this friday carries".to_owned()),
    }
}

impl Databases {
    /// Connects to nobody yet.
    pub fn new(setup: DataSetup, databases: Vec<DatabaseSettings>) -> Self {
        Self { setup, databases }
    }

    /// As the configuration has it.
    ///
    /// # Errors
    /// `NoSuchDatabase`.
    pub fn settings(&self, name: &DatabaseName) -> Result<&DatabaseSettings, DataError> {
        let found = self.databases.iter().find(|database| database.name == *name);
        found.ok_or_else(|| DataError::NoSuchDatabase(name.clone()))
    }

    /// Asks the program beside a database. `watch` hears how far it is.
    ///
    /// # Errors
    /// See [`DataError`]. An answer that is no answer to the question is handed on for the caller to see.
    pub async fn ask(
        &self,
        name: &DatabaseName,
        limit: Duration,
        request: impl FnOnce(Guarded) -> DataRequest,
        watch: impl FnMut(DataProgress),
    ) -> Result<DataAnswer, DataError> {
        let deadline = Instant::now() + limit;
        let settings = self.settings(name)?;
        let guarded = self.guarded(settings).await?;
        let request = request(guarded.clone());
        let place = match &request {
            DataRequest::Drill { .. } | DataRequest::Open { .. } | DataRequest::Clean { .. } => {
                settings.drilled_on()
            }
            _ => (&settings.host, &settings.address),
        };
        let mut session = self.connect(guarded, place).await?;
        session.ask_until(deadline, |_| request, watch).await
    }

    /// What takes personal data out of a copy of a database; `None`: nothing is to.
    ///
    /// # Errors
    /// `NoSuchDatabase`, `Mask`.
    pub async fn mask(&self, name: &DatabaseName) -> Result<Option<Mask>, DataError> {
        let Some(path) = &self.settings(name)?.drill.mask else { return Ok(None) };
        let path = self.setup.base.join(path);
        let read = tokio::fs::read(&path).await;
        let sql = match read.map(String::from_utf8) {
            Ok(Ok(sql)) if sql.trim().is_empty() => Err("is empty".to_owned()),
            Ok(Ok(sql)) if sql.len() > MASK_LEN_MAX => Err("is longer than 1 MiB".to_owned()),
            Ok(Ok(sql)) if sql.contains('\0') => Err("is no text".to_owned()),
            Ok(Ok(sql)) => Ok(sql),
            Ok(Err(_)) => Err("is no text".to_owned()),
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        let of = |why| DataError::Mask { database: name.clone(), path, why };
        sql.map(|sql| Some(Mask { sql })).map_err(of)
    }

    /// A connection to where drills restore to, on which one question can follow another: what one of them opens lives
    /// until it ends.
    ///
    /// # Errors
    /// See [`DataError`].
    pub async fn session(&self, name: &DatabaseName) -> Result<DataSession, DataError> {
        let settings = self.settings(name)?;
        let guarded = self.guarded(settings).await?;
        self.connect(guarded, settings.drilled_on()).await
    }

    async fn connect(
        &self,
        guarded: Guarded,
        (host, address): (&HostName, &Address),
    ) -> Result<DataSession, DataError> {
        let unreachable = |source| DataError::Unreachable { host: host.to_string(), source };
        let link = DataLink::open(&self.setup, host, address).await.map_err(unreachable)?;
        Ok(DataSession { link, guarded })
    }

    /// Asks a database for its invariants: itself, or a replica where it has one and that may answer.
    ///
    /// # Errors
    /// As of [`ask`](Self::ask).
    pub async fn judge(
        &self,
        name: &DatabaseName,
        limit: Duration,
        asks: Asks,
        invariants: Vec<Invariant>,
    ) -> Result<DataAnswer, DataError> {
        let replica = match (asks, &self.settings(name)?.engine) {
            (Asks::Replica, EngineSettings::Postgres { replica: Some(source), .. }) => {
                let sources = [(REPLICA.to_owned(), source.clone())].into();
                let failed = |source| DataError::Secret { database: name.clone(), source };
                let found = secrets::collect(&sources, &self.setup.base).await.map_err(failed)?;
                found.values.get(REPLICA).map(|value| Hidden::new(value.expose()))
            }
            (Asks::Live | Asks::Replica, _) => None,
        };
        let request = |database| DataRequest::Judge { database, invariants, replica };
        self.ask(name, limit, request, |_| {}).await
    }

    async fn guarded(&self, settings: &DatabaseSettings) -> Result<Guarded, DataError> {
        let mut secrets = self.secrets(settings).await?;
        let mut secret = |name: &str| secrets.remove(name);
        let engine = match &settings.engine {
            EngineSettings::Sqlite { path } => Engine::Sqlite { path: self.there(settings, path) },
            EngineSettings::Postgres { backup, programs, .. } => Engine::Postgres {
                // It was asked for above.
                url: secret(URL).unwrap_or_else(|| Hidden::new("")),
                backup: backup.clone(),
                programs: programs.clone(),
            },
        };
        let place = match &settings.repository.place {
            RepositoryPlaceSettings::Directory { path } => RepositoryPlace::Directory {
                path: path.as_ref().map(|path| self.there(settings, path)),
            },
            RepositoryPlaceSettings::S3 { bucket, prefix, endpoint, region, .. } => {
                // Both were asked for above.
                let mut needed = |name: &str| secret(name).unwrap_or_else(|| Hidden::new(""));
                RepositoryPlace::S3 {
                    bucket: bucket.clone(),
                    prefix: prefix.clone(),
                    endpoint: endpoint.clone(),
                    region: region.clone(),
                    access_key: needed(ACCESS_KEY),
                    secret_key: needed(SECRET_KEY),
                }
            }
        };
        Ok(Guarded {
            name: settings.name.clone(),
            engine,
            repository: Repository { place, key: secret(KEY) },
            keep: settings.keep,
            scratch: settings.scratch.as_ref().map(|path| self.there(settings, path)),
        })
    }

    /// A path on the database's host: where a directory of this machine plays the host, relative ones are seen from
    /// the configuration, as everything there is.
    pub fn there(&self, settings: &DatabaseSettings, path: &str) -> String {
        match &settings.address {
            Address::Ssh { .. } => path.to_owned(),
            Address::Local { .. } => {
                let path: PathBuf = self.setup.base.join(path);
                std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned()
            }
        }
    }

    async fn secrets(
        &self,
        settings: &DatabaseSettings,
    ) -> Result<BTreeMap<String, Hidden>, DataError> {
        let mut sources: BTreeMap<String, SecretSource> = BTreeMap::new();
        if let EngineSettings::Postgres { url, .. } = &settings.engine {
            sources.insert(URL.to_owned(), url.clone());
        }
        if let Some(key) = &settings.repository.key {
            sources.insert(KEY.to_owned(), key.clone());
        }
        if let RepositoryPlaceSettings::S3 { access_key, secret_key, .. } =
            &settings.repository.place
        {
            sources.insert(ACCESS_KEY.to_owned(), access_key.clone());
            sources.insert(SECRET_KEY.to_owned(), secret_key.clone());
        }
        let failed = |source| DataError::Secret { database: settings.name.clone(), source };
        let secrets = secrets::collect(&sources, &self.setup.base).await.map_err(failed)?;
        let hidden = secrets.values.iter();
        Ok(hidden.map(|(name, value)| (name.clone(), Hidden::new(value.expose()))).collect())
    }
}
