//! The one private directory: where each thing lies, and how a file is written so that it is there
//! whole or not at all.
//!
//! ```text
//! host.json               fleet and host this directory belongs to
//! state.json              what friday-node keeps
//! lock  start.lock        one serving process; one starter
//! sock                    where connections are relayed to
//! bin/                    friday-host itself, by digest, and the link `friday-host`
//! store/ab/abcdef…        files by BLAKE3;  store/tmp: transfers that are not complete
//! manifests/ID.json       releases by identity
//! signatures/ID.sig       their signatures, as they came
//! allowed_signers         a person's: only what these have signed is taken
//! releases/ID/            their trees;  ID.built: when the tree was built
//! shared/                 what outlives releases
//! secrets/VERSION.json    0600
//! trials/RANDOM/          a release on trial: a directory like this one, for as long as `RANDOM.lock` is held
//! run/GENERATION/         one start of an application: spec, process, lock, exit
//! logs/SHORT.log          what applications wrote;  logs/SHORT.PROCESS.log: one process
//! jobs/PROCESS.json       the last run of a process that has times
//! command.json            the migration at work, so that it ends in time
//! rotation.json           health pages and what they answer
//! current                 link to the release that runs
//! upgrade.*               an upgrade of friday-host that waits for its confirm
//! friday-host.log         what the serving process has to say
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use friday_wire::{Digest, FleetName, HostName, Part, ProcessName, ReleaseId, SecretsVersion};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The directory, absolute.
#[derive(Debug, Clone)]
pub struct Place {
    dir: PathBuf,
}

/// Which fleet and host a directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The fleet.
    pub fleet: FleetName,
    /// The host's configured name.
    pub host: HostName,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Another user owns it.
    #[error(
        "`{dir}` belongs to user id {owner}, not to {user}; each user needs a directory of their own"
    )]
    Foreign {
        /// The directory.
        dir: String,
        /// Its owner.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Something else stands there.
    #[error("`{0}` is not a directory")]
    NotADirectory(String),
    /// Not a path that can be used.
    #[error("`{0}` cannot be made")]
    Make(String, #[source] io::Error),
}

/// Why a file of the directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("`{0}` cannot be read")]
    Io(String, #[source] io::Error),
    /// It was read and is not what was written there.
    #[error("`{0}` is damaged; it was left as it is")]
    Damaged(String, #[source] serde_json::Error),
}

impl Place {
    /// Makes the directory 0700 where it is not there, with what lies in it.
    ///
    /// # Errors
    /// When it belongs to somebody else, or cannot be made.
    pub fn open(dir: &Path) -> Result<Self, PlaceError> {
        let made = |error| PlaceError::Make(dir.display().to_string(), error);
        private_directory(dir).map_err(made)?;
        let dir = dir.canonicalize().map_err(made)?;
        let found = fs::metadata(&dir).map_err(made)?;
        if !found.is_dir() {
            return Err(PlaceError::NotADirectory(dir.display().to_string()));
        }
        let user = rustix::process::geteuid().as_raw();
        if found.uid() != user {
            return Err(PlaceError::Foreign {
                dir: dir.display().to_string(),
                owner: found.uid(),
                user,
            });
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(made)?;
        }
        let place = Self { dir };
        for part in [
            "bin",
            "store/tmp",
            "manifests",
            "signatures",
            "releases",
            "shared",
            "secrets",
            "run",
            "logs",
        ] {
            private_directory(&place.dir.join(part)).map_err(made)?;
        }
        Ok(place)
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path directly in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where a file of the store lies.
    pub fn stored(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.join("store").join(&name[..2]).join(name)
    }

    /// Where a file lies while it is being received.
    pub fn partial(&self, digest: Digest) -> PathBuf {
        self.dir.join("store/tmp").join(digest.to_string())
    }

    /// A release's manifest.
    pub fn manifest(&self, release: ReleaseId) -> PathBuf {
        self.dir.join("manifests").join(format!("{release}.json"))
    }

    /// A release's signature, as it came.
    pub fn signature(&self, release: ReleaseId) -> PathBuf {
        self.dir.join("signatures").join(format!("{release}.sig"))
    }

    /// A release's tree.
    pub fn tree(&self, release: ReleaseId) -> PathBuf {
        self.dir.join("releases").join(release.to_string())
    }

    /// One set of secrets. The name was checked with [`is_plain_name`].
    pub fn secrets(&self, version: &SecretsVersion) -> PathBuf {
        self.dir.join("secrets").join(format!("{version}.json"))
    }

    /// What one start of an application leaves.
    pub fn generation(&self, generation: u64) -> PathBuf {
        self.dir.join("run").join(generation.to_string())
    }

    /// What is kept of a job. Names of processes can stand in a path.
    pub fn job(&self, process: &ProcessName) -> PathBuf {
        self.dir.join("jobs").join(format!("{process}.json"))
    }

    /// The command at work; there is one at most.
    pub fn command_record(&self) -> PathBuf {
        self.dir.join("command.json")
    }

    /// What a part of a release wrote. Names of processes have no dot, see [`friday_wire::process::is_name`].
    pub fn output(&self, release: ReleaseId, part: &Part) -> PathBuf {
        let name = match part {
            Part::Process(process) => format!("{}.{process}.log", release.short()),
            Part::Run | Part::Files => format!("{}.log", release.short()),
        };
        self.dir.join("logs").join(name)
    }

    /// The processes of a release that wrote something and have a name.
    pub fn outputs(&self, release: ReleaseId) -> Vec<ProcessName> {
        let Ok(entries) = fs::read_dir(self.dir.join("logs")) else { return Vec::new() };
        let prefix = format!("{}.", release.short());
        let mut found: Vec<ProcessName> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let process = name.strip_prefix(&prefix)?.strip_suffix(".log")?;
                friday_wire::process::is_name(process).then(|| ProcessName::new(process))
            })
            .collect();
        found.sort();
        found
    }

    /// The socket, reached through an open directory: a socket's own path may have 107 bytes only.
    /// The file must live as long as the path is used.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub fn socket(&self) -> io::Result<(File, PathBuf)> {
        let dir = File::open(&self.dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/sock", dir.as_raw_fd()));
        Ok((dir, path))
    }

    /// Fleet and host, once somebody said them.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn owner(&self) -> Result<Option<Owner>, ReadError> {
        read_json(&self.join("host.json"))
    }
}

/// The path with something behind its last part.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether a name from outside can stand in a file's name.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Makes a directory and its parents, 0700 each.
///
/// # Errors
/// The system's.
pub fn private_directory(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Reads a JSON file; `None` where there is none.
///
/// # Errors
/// When it is there and cannot be used.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReadError> {
    let name = || path.display().to_string();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ReadError::Io(name(), error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| ReadError::Damaged(name(), error))
}

/// Writes a file so that after a crash the old or the new one is there, whole; 0600.
///
/// # Errors
/// The system's; then the old one is still there.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Two threads may write the same file; each needs a temporary file of its own.
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let temporary = with_suffix(path, &format!(".{}-{turn}.new", std::process::id()));
    let written = write_whole(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    path.parent().map_or(Ok(()), sync_directory)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a value as JSON, durably.
///
/// # Errors
/// The system's.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write_durably(path, &serde_json::to_vec(value).map_err(io::Error::other)?)
}

/// Makes renames and removals in a directory durable.
///
/// # Errors
/// The system's.
pub fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
