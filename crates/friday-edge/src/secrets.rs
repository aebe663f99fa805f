//! Secrets: from the environment, a file or a command, to `.friday/secrets/VERSION.json`, to hosts.
//!
//! A value never stands in an argument, a log, a journal or a debug print: it lives in a
//! [`SecretValue`], which shows itself to nobody. The files are there so that `resume` can put the
//! same secrets on hosts that did not get them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use friday_core::config::settings::SecretSource;
use friday_wire::SecretsVersion;

use crate::hook::{self, CommandEnd, ShellCommand};
use crate::identity::{NoRandomness, new_secrets_version};
use crate::state_directory::{StateDirectory, make_private};

/// The longest value, bytes. Longer ones are files by mistake.
pub const SECRET_LEN_MAX: usize = 1024 * 1024;

/// How long a command may take: long enough for a person to touch a key.
pub const SECRET_COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// A secret. Prints as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Wraps it.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, to be put on a host.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A set of secrets by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// They.
    pub values: BTreeMap<String, SecretValue>,
}

/// Why a secret could not be had. Never contains a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such variable, or not UTF-8.
    #[error("secret `{name}`: the environment has no variable `{variable}`")]
    Env {
        /// The secret.
        name: String,
        /// The variable.
        variable: String,
    },
    /// The file.
    #[error("secret `{name}`: `{path}` could not be read: {source}", path = path.display())]
    File {
        /// The secret.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The command.
    #[error("secret `{name}`: the command failed: {why}")]
    Command {
        /// The secret.
        name: String,
        /// How; with what it wrote to standard error.
        why: String,
    },
    /// Empty, too long, or with a NUL byte, which no environment can carry.
    #[error("secret `{name}` {what}")]
    Value {
        /// The secret.
        name: String,
        /// `is empty`.
        what: &'static str,
    },
    /// Friday's own copy.
    #[error("the secrets in `{path}` could not be kept or read: {source}", path = path.display())]
    Kept {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No randomness for a name.
    #[error(transparent)]
    Randomness(NoRandomness),
}

/// Gets every secret from its source. Relative files and commands are seen from `directory`.
///
/// # Errors
/// The first secret that cannot be had.
pub async fn collect(
    sources: &BTreeMap<String, SecretSource>,
    directory: &Path,
) -> Result<Secrets, SecretError> {
    let mut values = BTreeMap::new();
    for (name, source) in sources {
        let value = match source {
            SecretSource::Env { variable } => std::env::var(variable)
                .map_err(|_| SecretError::Env { name: name.clone(), variable: variable.clone() })?,
            SecretSource::File { path } => read_file(name, &directory.join(path))?,
            SecretSource::Command { command } => run(name, command, directory).await?,
        };
        let wrong = match value {
            _ if value.is_empty() => Some("is empty"),
            _ if value.len() > SECRET_LEN_MAX => Some("is longer than 1 MiB"),
            _ if value.contains('\0') => Some("contains a NUL byte"),
            _ => None,
        };
        if let Some(what) = wrong {
            return Err(SecretError::Value { name: name.clone(), what });
        }
        values.insert(name.clone(), SecretValue(value));
    }
    Ok(Secrets { values })
}

fn read_file(name: &str, path: &Path) -> Result<String, SecretError> {
    let text = fs::read_to_string(path).map_err(|source| SecretError::File {
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    Ok(without_newline(text))
}

async fn run(name: &str, command: &str, directory: &Path) -> Result<String, SecretError> {
    let failed = |why: String| SecretError::Command { name: name.to_owned(), why };
    let command = ShellCommand { command, env: &[], directory };
    match hook::capture(&command, SECRET_COMMAND_TIMEOUT, SECRET_LEN_MAX + 2).await {
        (CommandEnd::Done, output) => {
            let text = String::from_utf8(output)
                .map_err(|_| failed("what it printed is not UTF-8".to_owned()))?;
            Ok(without_newline(text))
        }
        (CommandEnd::Failed { why } | CommandEnd::Unknown { why }, _) => Err(failed(why)),
    }
}

fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// The secrets that friday has put on hosts, so that it can again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SecretStore {
    directory: PathBuf,
}

impl SecretStore {
    /// The one in friday's directory.
    ///
    /// # Errors
    /// When its directory cannot be made, 0700.
    pub fn open(state: &StateDirectory) -> Result<Self, SecretError> {
        let directory = state.path().join("secrets");
        make_private(&directory)
            .map_err(|source| SecretError::Kept { path: directory.clone(), source })?;
        Ok(Self { directory })
    }

    /// Keeps a set and names it. The same values as a set kept before have the same name, so that
    /// pushing unchanged secrets changes nothing on hosts.
    ///
    /// # Errors
    /// `Kept`, `Randomness`.
    pub fn keep(&self, secrets: &Secrets) -> Result<SecretsVersion, SecretError> {
        for version in self.versions()? {
            if self.load(&version).is_ok_and(|kept| kept == *secrets) {
                // Wanted again now. Where that cannot be noted, it is only older than it could be.
                let _ = fs::File::options()
                    .write(true)
                    .open(self.path(&version))
                    .and_then(|file| file.set_modified(SystemTime::now()));
                return Ok(version);
            }
        }
        let version = new_secrets_version().map_err(SecretError::Randomness)?;
        let path = self.path(&version);
        let values: BTreeMap<&str, &str> =
            secrets.values.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        let write = || -> io::Result<()> {
            let body = serde_json::to_vec(&values).map_err(io::Error::other)?;
            let new = path.with_extension("new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&body)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(&self.directory)?.sync_all()
        };
        write().map_err(|source| SecretError::Kept { path: path.clone(), source })?;
        Ok(version)
    }

    /// A set by its name.
    ///
    /// # Errors
    /// `Kept`, also when it is not there.
    pub fn load(&self, version: &SecretsVersion) -> Result<Secrets, SecretError> {
        let path = self.path(version);
        let broken = |source| SecretError::Kept { path: path.clone(), source };
        let body = fs::read(&path).map_err(broken)?;
        // The parser's words could quote a value.
        let values: BTreeMap<String, String> =
            serde_json::from_slice(&body).map_err(|_| broken(io::Error::other("it is damaged")))?;
        let values = values.into_iter().map(|(name, value)| (name, SecretValue(value))).collect();
        Ok(Secrets { values })
    }

    /// Removes every set but these, and those that were kept or wanted again within the last `recent`.
    ///
    /// # Errors
    /// `Kept`.
    pub fn prune(
        &self,
        keep: &BTreeSet<SecretsVersion>,
        recent: Duration,
    ) -> Result<(), SecretError> {
        for version in self.versions()? {
            let path = self.path(&version);
            let age = fs::metadata(&path).and_then(|found| found.modified()).ok();
            let age = age.and_then(|at| at.elapsed().ok());
            if !keep.contains(&version) && age.is_some_and(|age| age >= recent) {
                fs::remove_file(&path).map_err(|source| SecretError::Kept { path, source })?;
            }
        }
        Ok(())
    }

    fn versions(&self) -> Result<Vec<SecretsVersion>, SecretError> {
        let broken = |source| SecretError::Kept { path: self.directory.clone(), source };
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(broken)? {
            let name = entry.map_err(broken)?.file_name();
            if let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".json")) {
                versions.push(SecretsVersion::new(stem));
            }
        }
        versions.sort();
        Ok(versions)
    }

    fn path(&self, version: &SecretsVersion) -> PathBuf {
        // A version that came from a journal must not name a file elsewhere.
        let safe: String =
            version.as_str().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        self.directory.join(format!("{safe}.json"))
    }
}

#[cfg(test)]
mod tests;
