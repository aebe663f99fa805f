//! `friday.toml`: text in, settings or every problem out.
//!
//! Three stages, each a type of its own:
//!
//! 1. [`document`]: what the file says, with the place of every word;
//! 2. [`draft`]: the base with the chosen environment laid over it, every key known and every value
//!    of its key's kind;
//! 3. [`Settings`]: what friday acts on. After it nobody checks again.
//!
//! Nothing here opens a file, reads the environment or runs a command: paths, variables and
//! commands are kept as they are written, for the edge.
//!
//! One file describes one service. Several in one file will be an array `[[service]]` whose tables
//! have the keys that the file's top level has now: a draft is already made from a table, not from
//! a document, so [`parse`] will give one [`Settings`] for each.

pub mod problem;
pub mod settings;

pub use problem::Problem;
pub use settings::{
    Address, HostSettings, LoginSettings, MigrationSettings, OutsideSettings, ReleaseFacts,
    SecretSource, Settings,
};

/// The configuration's usual name.
pub const FILE_NAME: &str = "friday.toml";

/// Reads a configuration: `file` is its name for problems, `env` the chosen environment.
///
/// # Errors
/// Every problem at once, in the order of their places.
pub fn parse(file: &str, text: &str, env: Option<&str>) -> Result<Settings, Vec<Problem>> {
    let _ = (text, env);
    Err(vec![Problem {
        file: file.to_owned(),
        span: 0..0,
        message: "configurations are not read yet".to_owned(),
        label: String::new(),
        hint: None,
    }])
}
