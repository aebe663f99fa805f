//! The command line: small, strict, parsed by hand.

use std::ffi::OsString;
use std::path::PathBuf;

use friday_wire::{FleetName, HostName};

use crate::place::Owner;
use crate::upgrade::Guard;

/// What `--help` says.
pub const HELP: &str = "\
friday-host: the part of friday that lives on each server

usage:
  friday-host connect --dir DIR --fleet NAME --host NAME [--local | --as-root]
      Speak friday's protocol on standard input and output. Starts the serving
      process of DIR where none answers. `friday` runs this, over ssh or a pipe.
  friday-host trial --dir DIR --fleet NAME --host NAME [--local | --as-root]
      Try a release that DIR holds, beside the one that serves: friday's protocol
      for trials on standard input and output. Ends with its input.
  friday-host trial-end --dir DIR --fleet NAME
      Wait for the end of the trial whose directory DIR is, and put away what it
      left. Started by `trial`.
  friday-host boot --dir DIR
      Start the serving process of DIR if none runs. For a crontab:
      @reboot DIR/bin/friday-host boot --dir DIR
  friday-host serve --dir DIR [--in-turn]
      Serve DIR in the foreground; with --in-turn after whoever serves it now.
      For a unit of systemd: `friday doctor` prints it.
  friday-host run --spec FILE | --dir DIR
      Run one application: the one that FILE describes, or the start of DIR
      whose number comes on standard input. Started by the serving process, or
      by systemd for it.
  friday-host job --spec FILE
      Wait for the times of the process that FILE describes, and run it then.
      Started by `run`.
  friday-host end --dir DIR
      Ask the application of the unit that systemd stops to end.
  friday-host --version | --help

friday-host works as an ordinary user. As root it refuses, except for a
directory of `local:` hosts (--local), or where somebody insists (--as-root).
";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Speak the protocol.
    Connect {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        owner: Owner,
        /// Whether root is let in.
        root: Root,
    },
    /// Try releases.
    Trial {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        owner: Owner,
        /// Whether root is let in.
        root: Root,
    },
    /// Wait for a trial's end.
    TrialEnd {
        /// The trial's directory.
        dir: PathBuf,
        /// Whose it is.
        fleet: FleetName,
    },
    /// Start the serving process if none runs.
    Boot {
        /// The directory.
        dir: PathBuf,
    },
    /// Serve.
    Serve {
        /// The directory.
        dir: PathBuf,
        /// Whether an older process waits for a confirm.
        guard: Guard,
        /// What to do where another one serves.
        turn: Turn,
    },
    /// Run one application.
    Run {
        /// What to run.
        start: Start,
    },
    /// Keep the times of one process.
    Job {
        /// Which.
        spec: PathBuf,
    },
    /// End what a unit runs.
    End {
        /// The directory.
        dir: PathBuf,
    },
    /// Print the version.
    Version,
    /// Print the help.
    Help,
}

/// Which start of an application is meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    /// That of this file.
    Named(PathBuf),
    /// One of this directory, whose number comes on standard input.
    Requested(PathBuf),
}

/// What a process that shall serve does where another one serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Ends.
    Leave,
    /// Waits until that one has ended: for a unit, which is there to begin again.
    Wait,
}

/// Whether the super-user may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// A local directory, or somebody insists.
    Allowed,
    /// It is refused.
    Refused,
}

/// Wrong usage.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No command, or none that exists.
    #[error(
        "expected `connect`, `trial`, `boot`, `serve`, `run`, `job` or `end`, got `{0}`; see `friday-host --help`"
    )]
    Command(String),
    /// An option that does not exist here.
    #[error("unknown option `{0}`; see `friday-host --help`")]
    Option(String),
    /// An option without its value.
    #[error("option `{0}` needs a value")]
    Value(String),
    /// An option that must be there.
    #[error("option `{0}` is missing")]
    Missing(&'static str),
    /// Text that is not UTF-8 or is empty.
    #[error("the value of `{0}` is not a name")]
    Name(&'static str),
}

/// Options as given.
#[derive(Default)]
struct Options {
    dir: Option<OsString>,
    fleet: Option<OsString>,
    host: Option<OsString>,
    spec: Option<OsString>,
    root: Option<Root>,
    guard: Option<Guard>,
    turn: Option<Turn>,
}

/// Parses the words after the program's name.
///
/// # Errors
/// See [`UsageError`].
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut words = words.into_iter();
    let first = words.next().unwrap_or_default();
    let first = first.to_string_lossy();
    match &*first {
        "--help" | "-h" | "help" => return Ok(Command::Help),
        "--version" | "-V" => return Ok(Command::Version),
        "connect" | "trial" | "trial-end" | "boot" | "serve" | "run" | "job" | "end" => {}
        other => return Err(UsageError::Command(other.to_owned())),
    }
    let options = read_options(words)?;
    let dir = options.dir.map(PathBuf::from).ok_or(UsageError::Missing("--dir"));
    match &*first {
        "connect" | "trial" => {
            let dir = dir?;
            let owner = Owner {
                fleet: FleetName::new(name(options.fleet, "--fleet")?),
                host: HostName::new(name(options.host, "--host")?),
            };
            let root = options.root.unwrap_or(Root::Refused);
            Ok(match &*first {
                "trial" => Command::Trial { dir, owner, root },
                _ => Command::Connect { dir, owner, root },
            })
        }
        "trial-end" => {
            let fleet = FleetName::new(name(options.fleet, "--fleet")?);
            Ok(Command::TrialEnd { dir: dir?, fleet })
        }
        "boot" => Ok(Command::Boot { dir: dir? }),
        "serve" => Ok(Command::Serve {
            dir: dir?,
            guard: options.guard.unwrap_or(Guard::Alone),
            turn: options.turn.unwrap_or(Turn::Leave),
        }),
        "end" => Ok(Command::End { dir: dir? }),
        "job" => {
            let spec = options.spec.ok_or(UsageError::Missing("--spec"))?;
            Ok(Command::Job { spec: spec.into() })
        }
        _ => match (options.spec, dir) {
            (Some(spec), _) => Ok(Command::Run { start: Start::Named(spec.into()) }),
            (None, Ok(dir)) => Ok(Command::Run { start: Start::Requested(dir) }),
            (None, Err(_)) => Err(UsageError::Missing("--spec")),
        },
    }
}

fn read_options(mut words: impl Iterator<Item = OsString>) -> Result<Options, UsageError> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        let slot = match &*text {
            "--dir" => &mut options.dir,
            "--fleet" => &mut options.fleet,
            "--host" => &mut options.host,
            "--spec" => &mut options.spec,
            "--local" | "--as-root" => {
                options.root = Some(Root::Allowed);
                continue;
            }
            "--restored" => {
                options.guard = Some(Guard::Restored);
                continue;
            }
            "--guarded" => {
                options.guard = Some(Guard::Guarded);
                continue;
            }
            "--in-turn" => {
                options.turn = Some(Turn::Wait);
                continue;
            }
            _ => return Err(UsageError::Option(text)),
        };
        *slot = Some(words.next().ok_or(UsageError::Value(text))?);
    }
    Ok(options)
}

fn name(value: Option<OsString>, option: &'static str) -> Result<String, UsageError> {
    let value = value.ok_or(UsageError::Missing(option))?;
    value
        .into_string()
        .ok()
        .filter(|text| !text.is_empty() && text.len() <= 256 && !text.contains(char::is_control))
        .ok_or(UsageError::Name(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(
            words("connect --dir /d --fleet shop --host a --local"),
            Ok(Command::Connect {
                dir: "/d".into(),
                owner: Owner { fleet: FleetName::new("shop"), host: HostName::new("a") },
                root: Root::Allowed,
            })
        );
        assert_eq!(
            words("trial --dir /d --fleet shop --host a"),
            Ok(Command::Trial {
                dir: "/d".into(),
                owner: Owner { fleet: FleetName::new("shop"), host: HostName::new("a") },
                root: Root::Refused,
            })
        );
        let fleet = FleetName::new("shop");
        let ends = Command::TrialEnd { dir: "/d".into(), fleet };
        assert_eq!(words("trial-end --dir /d --fleet shop"), Ok(ends));
        assert_eq!(
            words("serve --dir /d"),
            Ok(Command::Serve { dir: "/d".into(), guard: Guard::Alone, turn: Turn::Leave })
        );
        assert_eq!(words("run --spec /s"), Ok(Command::Run { start: Start::Named("/s".into()) }));
        assert_eq!(
            words("run --dir /d"),
            Ok(Command::Run { start: Start::Requested("/d".into()) })
        );
        assert_eq!(words("job --spec /s"), Ok(Command::Job { spec: "/s".into() }));
        assert_eq!(words("end --dir /d"), Ok(Command::End { dir: "/d".into() }));
        assert_eq!(words("--help"), Ok(Command::Help));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(words(""), Err(UsageError::Command(String::new())));
        assert_eq!(words("boot"), Err(UsageError::Missing("--dir")));
        assert_eq!(words("run"), Err(UsageError::Missing("--spec")));
        assert_eq!(words("boot --dri x"), Err(UsageError::Option("--dri".to_owned())));
        assert_eq!(words("boot --dir"), Err(UsageError::Value("--dir".to_owned())));
        assert_eq!(words("connect --dir /d --fleet f"), Err(UsageError::Missing("--host")));
    }
}
