//! The command line: small, strict, parsed by hand.

use std::ffi::OsString;
use std::path::PathBuf;

use friday_wire::FleetName;

use crate::request::Beside;

/// What `--help` says.
pub const HELP: &str = "\
friday-data: the part of friday that works beside a guarded database

usage:
  friday-data connect --base DIR --fleet NAME
      Speak friday's protocol on standard input and output. What it keeps lies
      in DIR. `friday` runs this, over ssh or a pipe; closing its standard input
      ends what it does.
  friday-data --version | --help

It works as the user who may read the database, and never writes to the
database.
";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Speak the protocol.
    Connect {
        /// Where, and for whom.
        beside: Beside,
    },
    /// Receive WAL without a pause; started by ourselves.
    Keep,
    /// Fetch a file of the write-ahead log; started by a scratch server.
    FetchWal {
        /// Where it is asked for.
        socket: PathBuf,
        /// The file.
        name: String,
        /// Where it is to be, seen from the data directory.
        target: String,
    },
    /// Print the version.
    Version,
    /// Print the help.
    Help,
}

/// Wrong usage.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No command, or none that exists.
    #[error("expected `connect`, got `{0}`; see `friday-data --help`")]
    Command(String),
    /// An option that does not exist.
    #[error("unknown option `{0}`; see `friday-data --help`")]
    Option(String),
    /// An option without its value.
    #[error("option `{0}` needs a value")]
    Value(String),
    /// An option that must be there.
    #[error("option `{0}` is missing")]
    Missing(&'static str),
    /// Text that is not UTF-8, is empty, or cannot be a name.
    #[error("the value of `{0}` is not a name")]
    Name(&'static str),
}

/// Parses the words after the program's name.
///
/// # Errors
/// See [`UsageError`].
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut words = words.into_iter();
    let first = words.next().unwrap_or_default();
    match &*first.to_string_lossy() {
        "--help" | "-h" | "help" => return Ok(Command::Help),
        "--version" | "-V" => return Ok(Command::Version),
        "keep" => {
            return words.next().map_or(Ok(Command::Keep), |word| {
                Err(UsageError::Option(word.to_string_lossy().into_owned()))
            });
        }
        "fetch-wal" => return fetch_wal(words),
        "connect" => {}
        other => return Err(UsageError::Command(other.to_owned())),
    }
    let (mut base, mut fleet) = (None, None);
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        let slot = match &*text {
            "--base" => &mut base,
            "--fleet" => &mut fleet,
            _ => return Err(UsageError::Option(text)),
        };
        *slot = Some(words.next().ok_or(UsageError::Value(text))?);
    }
    let base = PathBuf::from(base.ok_or(UsageError::Missing("--base"))?);
    let fleet = fleet.ok_or(UsageError::Missing("--fleet"))?;
    let fleet = fleet
        .into_string()
        .ok()
        .filter(|text| !text.is_empty() && text.len() <= 256 && !text.contains(char::is_control))
        .ok_or(UsageError::Name("--fleet"))?;
    Ok(Command::Connect { beside: Beside { base, fleet: FleetName::new(fleet) } })
}

fn fetch_wal(mut words: impl Iterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut next = |name| words.next().ok_or(UsageError::Missing(name));
    let socket = PathBuf::from(next("SOCKET")?);
    let mut text = |name| next(name)?.into_string().map_err(|_| UsageError::Name(name));
    let (name, target) = (text("NAME")?, text("TARGET")?);
    Ok(Command::FetchWal { socket, name, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_command_is_understood() {
        let beside = Beside { base: "/d".into(), fleet: FleetName::new("shop") };
        assert_eq!(words("connect --base /d --fleet shop"), Ok(Command::Connect { beside }));
        assert_eq!(words("--version"), Ok(Command::Version));
        assert_eq!(words("--help"), Ok(Command::Help));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(words(""), Err(UsageError::Command(String::new())));
        assert_eq!(words("connect --base /d"), Err(UsageError::Missing("--fleet")));
        assert_eq!(words("connect --fleet f"), Err(UsageError::Missing("--base")));
        assert_eq!(words("connect --fleet"), Err(UsageError::Value("--fleet".to_owned())));
        assert_eq!(words("connect --dir x"), Err(UsageError::Option("--dir".to_owned())));
    }
}
