//! Where friday is: the configuration that was found, friday's directory beside it, and who is here.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use friday_core::config::{self, FILE_NAME, Settings};
use friday_core::controller::input;
use friday_edge::identity;
use friday_edge::state_directory::{STATE_DIRECTORY, StateDirectory};
use friday_wire::HostName;

use crate::cli::Global;
use crate::error::CommandError;
use crate::exit::Exit;

/// A found and valid configuration.
#[derive(Debug)]
pub struct Context {
    /// What it says.
    pub settings: Settings,
    /// The directory it lies in: what relative paths in it start from.
    pub base: PathBuf,
    /// friday's own directory.
    pub state: StateDirectory,
    /// Hosts that may still answer to an old name, by their new one.
    pub known_as: BTreeMap<HostName, HostName>,
}

impl Context {
    /// Finds and reads the configuration.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or it has mistakes.
    pub fn load(global: &Global) -> Result<Self, CommandError> {
        let path = find(global)?;
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let name = path.display().to_string();
        let settings = config::parse(&name, &text, global.env.as_deref())
            .map_err(|problems| CommandError::configuration(text.clone(), problems))?;
        let base = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("."),
        };
        let mut directory = base.join(STATE_DIRECTORY);
        if let Some(env) = &settings.env {
            // Another environment is another fleet, and a journal is one fleet's.
            directory = directory.join("env").join(env);
        }
        let state = StateDirectory::at(directory);
        Ok(Self { settings, base, state, known_as: BTreeMap::new() })
    }

    /// Who starts a driver now.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn driver(&self) -> Result<input::Driver, CommandError> {
        let start = identity::new_start_id()
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        Ok(input::Driver {
            start,
            person: identity::person(),
            machine: identity::machine(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// A path of the configuration, from where friday runs.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}

/// The path of the configuration: as named, or `friday.toml` here or above.
///
/// # Errors
/// When there is none.
pub fn find(global: &Global) -> Result<PathBuf, CommandError> {
    if let Some(named) = &global.config {
        return Ok(named.clone());
    }
    let here = Path::new(FILE_NAME);
    if here.exists() {
        return Ok(here.to_owned());
    }
    let above = std::env::current_dir().ok().and_then(|directory| {
        directory.ancestors().skip(1).map(|above| above.join(FILE_NAME)).find(|path| path.exists())
    });
    above.ok_or_else(|| {
        CommandError::new(
            Exit::Configuration,
            format!("there is no `{FILE_NAME}` here or in a directory above"),
        )
        .hint("`friday init` writes one")
        .hint("`--config PATH` names one that lies elsewhere")
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    let shown = path.display();
    let failed = CommandError::new(Exit::Configuration, format!("`{shown}` could not be read"))
        .because(error.to_string());
    if error.kind() == ErrorKind::NotFound {
        failed.hint("`friday init` writes a `friday.toml` in this directory")
    } else {
        failed
    }
}
