//! `.friday`: the directory beside the configuration where friday keeps its journal, its stock of
//! releases and its secrets. Private, because of the last.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Its name.
pub const STATE_DIRECTORY: &str = ".friday";

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory {
    path: PathBuf,
}

/// It could not be made or made private.
#[derive(Debug, thiserror::Error)]
#[error("friday's directory `{path}` could not be made ready: {source}", path = path.display())]
pub struct StateDirectoryError {
    /// Where.
    path: PathBuf,
    /// Why.
    #[source]
    source: io::Error,
}

impl StateDirectory {
    /// The one at this path, which may not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The one beside a configuration.
    pub fn beside(configuration: &Path) -> Self {
        let parent = configuration.parent().unwrap_or(Path::new(""));
        Self { path: parent.join(STATE_DIRECTORY) }
    }

    /// Makes it, 0700, where it does not exist.
    ///
    /// # Errors
    /// When it cannot be made, or others may look into it and that cannot be changed.
    pub fn make(&self) -> Result<(), StateDirectoryError> {
        make_private(&self.path)
            .map_err(|source| StateDirectoryError { path: self.path.clone(), source })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The directory that an environment's own one lies in, with those of all others; itself where there is
/// none around it.
pub(crate) fn whole(path: &Path) -> &Path {
    let named = |path: &&Path| path.file_name().is_some_and(|name| name == STATE_DIRECTORY);
    path.ancestors().find(named).unwrap_or(path)
}

/// Makes a directory 0700, or takes an existing one's other permissions away.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
