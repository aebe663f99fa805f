//! The first `friday.toml`: written from what `friday init` saw in the directory.
//!
//! Pure: the command line looks, this writes. Whatever it is told, what it writes is read without a
//! problem: a first file that does not work is worse than none. It guesses what a person can correct
//! in a minute, and says where it guessed.

mod guess;

use std::collections::BTreeMap;

use super::value::plain_name;
use guess::{Guess, guess};

/// Files whose text is worth handing in as [`DirectoryFacts::texts`].
pub const TEXTS: [&str; 3] = ["Cargo.toml", "package.json", "Procfile"];

/// Directories in which [`DirectoryFacts::executables`] are worth looking for, without going deeper.
pub const LOOKED_INTO: [&str; 5] = ["", "bin", "dist", "build", "out"];

/// What was seen in a directory. Everything may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryFacts {
    /// The directory's own name.
    pub name: String,
    /// Names of files in it.
    pub files: Vec<String>,
    /// Names of directories in it.
    pub directories: Vec<String>,
    /// Executable files, relative: `bin/shop`. See [`LOOKED_INTO`].
    pub executables: Vec<String>,
    /// The URL of git's remote `origin`.
    pub remote: Option<String>,
    /// Texts of the files that [`TEXTS`] names, where they are.
    pub texts: BTreeMap<String, String>,
}

impl DirectoryFacts {
    fn has_file(&self, name: &str) -> bool {
        self.files.iter().any(|file| file == name)
    }

    fn has_directory(&self, name: &str) -> bool {
        self.directories.iter().any(|directory| directory == name)
    }
}

/// A first configuration with comments, for three hosts that are directories of this machine.
pub fn first_file(facts: &DirectoryFacts) -> String {
    let name = plain_name(repository(facts).as_deref().unwrap_or(&facts.name));
    let Guess { seen, build, path, run } = guess(facts);
    let build = build.map_or_else(
        || {
            "# build = \"make dist\"            # run by every push before anything else\n"
                .to_owned()
        },
        |build| format!("build = {}\n", quoted(&build)),
    );
    let serves = run.is_some();
    let run = run.map_or_else(
        || "# run = \"bin/app --port $PORT\"   # without it a release is files only\n".to_owned(),
        |run| format!("run = {}\n", quoted(&run)),
    );
    let check = if serves { CHECK_TCP } else { CHECK_NONE };
    let (path, name, port) = (quoted(&path), quoted(&name), if serves { PORT } else { NO_PORT });
    format!(
        "# How friday pushes this directory. Every key: docs/reference/configuration.md\n\
         # {seen}\n\
         name = {name}\n\
         \n\
         [release]\n\
         {build}path = {path}{PATH_COMMENT}{run}{port}\
         # env = {{ LOG = \"info\" }}\n\
         # secrets = {{ DATABASE_URL = {{ command = \"pass show {plain}/db\" }} }}\n\
         # shared = [\"uploads\"]            # outlives releases\n\
         # migrate = \"bin/app migrate\"     # and say whether there is a way back:\n\
         # migrate_back = \"safe\"\n\
         \n\
         {check}{REST}",
        plain = name.trim_matches('"'),
    )
}

const PATH_COMMENT: &str = "  # what is shipped: a file, a directory or a tar archive\n";
const PORT: &str =
    "port = 8080                      # given to the application as PORT; local hosts count up\n";
const NO_PORT: &str = "# port = 8080                    # given to the application as PORT\n";

const CHECK_TCP: &str = "\
[health]
tcp = true                       # better: an address that looks at what the application needs
# http = \"/healthz\"
# outside = \"http://{host}:{port}/\"   # asked from here, through soak and bake
passes = 2
steady = \"1s\"
interval_after = \"500ms\"      # three failures in a row fit into a soak of 2s
";

const CHECK_NONE: &str = "\
[health]
# http = \"/healthz\"              # needs `port`
# outside = \"http://{host}/\"     # asked from here, through soak and bake
passes = 2
steady = \"1s\"
interval_after = \"500ms\"      # three failures in a row fit into a soak of 2s
";

const REST: &str = "
[hosts]
web = [\"local:[1-3]\"]            # three directories of this machine, to try friday

# Short, to try friday. Leave this section out for servers: the defaults are for them.
[rollout]
soak = \"2s\"                      # each wave is watched so long
bake = \"5s\"                      # then the whole fleet, and the release is stable
settle = \"0s\"
drain = \"1s\"
observe = \"1s\"

# Servers, for when you are ready: `friday push --env production`. An environment has hosts of its
# own; everything else is taken from above unless it says otherwise.
# [env.production.hosts]
# web = [\"deploy@web-[01-03].example.com\"]
# [env.production.health]
# passes = 3
# steady = \"10s\"
# interval_after = \"5s\"
# [env.production.rollout]
# waves = [\"1\", \"10%\", \"33%\", \"100%\"]
# soak = [\"5m\", \"10m\", \"10m\"]
# bake = \"60m\"
# settle = \"5s\"
# drain = \"30s\"
# observe = \"5s\"
";

/// The repository's name in a remote's URL: the last part of its path.
fn repository(facts: &DirectoryFacts) -> Option<String> {
    let remote = facts.remote.as_deref()?.trim().trim_end_matches('/');
    let last = remote.rsplit(['/', ':']).next()?;
    let name = last.strip_suffix(".git").unwrap_or(last);
    (!name.is_empty() && remote.len() > last.len()).then(|| name.to_owned())
}

/// A text as a TOML string. Control characters are left out: they are in no path that is meant.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|character| !character.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
