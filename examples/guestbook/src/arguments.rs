//! The command line. Only parses; opens nothing.

use std::path::PathBuf;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Answer requests until SIGTERM.
    Serve {
        /// Address and port.
        listen: String,
        /// The directory of the database.
        store: PathBuf,
        /// The directory of templates and settings.
        look: PathBuf,
    },
    /// Bring the database to the schema this version needs, and end.
    Migrate {
        /// The directory of the database.
        store: PathBuf,
    },
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\nusage: guestbook --listen ADDRESS:PORT --data DIR [--look DIR]\n       guestbook migrate --data DIR",
            self.0
        )
    }
}

impl std::error::Error for UsageError {}

impl Command {
    /// Parses the arguments after the program's name.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, UsageError> {
        let mut arguments = arguments.peekable();
        let migrate = arguments.next_if(|word| word == "migrate").is_some();
        let (mut listen, mut store, mut look) = (None, None, PathBuf::from("."));
        while let Some(name) = arguments.next() {
            let value =
                arguments.next().ok_or_else(|| UsageError(format!("`{name}` needs a value")))?;
            match name.as_str() {
                "--listen" => listen = Some(value),
                "--data" => store = Some(PathBuf::from(value)),
                "--look" => look = PathBuf::from(value),
                _ => return Err(UsageError(format!("`{name}` is not known"))),
            }
        }
        let store = store.ok_or_else(|| UsageError("`--data` is missing".to_owned()))?;
        if migrate {
            return Ok(Self::Migrate { store });
        }
        let listen = listen.ok_or_else(|| UsageError("`--listen` is missing".to_owned()))?;
        Ok(Self::Serve { listen, store, look })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, UsageError> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn serves_and_migrates() {
        assert_eq!(
            parse("--listen 127.0.0.1:1 --data d"),
            Ok(Command::Serve {
                listen: "127.0.0.1:1".to_owned(),
                store: "d".into(),
                look: ".".into()
            })
        );
        assert_eq!(parse("migrate --data d"), Ok(Command::Migrate { store: "d".into() }));
    }

    #[test]
    fn says_what_is_missing() {
        for line in ["", "--listen", "--listen a:1", "--data d", "--date d", "migrate"] {
            assert!(parse(line).is_err(), "`{line}` should be refused");
        }
    }
}
