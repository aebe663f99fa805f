//! The command line. Only parses; opens nothing.

use std::path::PathBuf;

/// What to do, and with which release beside it.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// The directory of templates and settings.
    pub look: PathBuf,
    /// What to do.
    pub task: Task,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Answer requests until SIGTERM.
    Serve {
        /// Address and port.
        listen: String,
    },
    /// Make a book with a few entries where there is none, and end.
    Init,
    /// Bring the book to what this release needs, and end.
    Migrate,
    /// Undo what `migrate` of this release did, and end.
    MigrateBack,
    /// Write an entry through the guestbook that listens on `PORT`, and end.
    SmokeWrite,
    /// Read that entry through the guestbook that listens on `PORT`, and end.
    SmokeRead,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\n\
             usage: guestbook --listen ADDRESS:PORT [--look DIR]\n\
             \x20      guestbook init | migrate | migrate back [--look DIR]\n\
             \x20      guestbook smoke write | read\n\
             DATABASE_URL says which database: a file (sqlite:PATH) or a server (postgres://...)",
            self.0
        )
    }
}

impl std::error::Error for UsageError {}

impl Command {
    /// Parses the arguments after the program's name.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, UsageError> {
        let (mut words, mut listen, mut look) = (Vec::new(), None, PathBuf::from("."));
        let mut arguments = arguments;
        while let Some(word) = arguments.next() {
            if !word.starts_with('-') {
                words.push(word);
                continue;
            }
            let value = arguments.next();
            let value = value.ok_or_else(|| UsageError(format!("`{word}` needs a value")))?;
            match word.as_str() {
                "--listen" => listen = Some(value),
                "--look" => look = PathBuf::from(value),
                _ => return Err(UsageError(format!("`{word}` is not known"))),
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let task = match (words.as_slice(), listen) {
            ([], Some(listen)) => Task::Serve { listen },
            ([], None) => return Err(UsageError("`--listen` is missing".to_owned())),
            (["init"], None) => Task::Init,
            (["migrate"], None) => Task::Migrate,
            (["migrate", "back"], None) => Task::MigrateBack,
            (["smoke", "write"], None) => Task::SmokeWrite,
            (["smoke", "read"], None) => Task::SmokeRead,
            (words, _) => return Err(UsageError(format!("`{}` is not known", words.join(" ")))),
        };
        Ok(Self { look, task })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, UsageError> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_command_is_understood() {
        let serve = Task::Serve { listen: "127.0.0.1:1".to_owned() };
        let wanted = [
            ("--listen 127.0.0.1:1", serve),
            ("init", Task::Init),
            ("migrate", Task::Migrate),
            ("migrate back", Task::MigrateBack),
            ("smoke write", Task::SmokeWrite),
            ("smoke read", Task::SmokeRead),
        ];
        for (line, task) in wanted {
            assert_eq!(parse(line), Ok(Command { look: ".".into(), task }), "{line}");
        }
        let look = parse("migrate --look d").map(|command| command.look);
        assert_eq!(look, Ok(PathBuf::from("d")));
    }

    #[test]
    fn says_what_is_wrong() {
        for line in ["", "--listen", "--data d", "migrate away", "init --listen a:1", "smoke"] {
            assert!(parse(line).is_err(), "`{line}` should be refused");
        }
    }
}
