//! `friday init`: look at this directory and write a first friday.toml.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use friday_core::config::init::{LOOKED_INTO, TEXTS};
use friday_core::config::{DirectoryFacts, FILE_NAME, first_file};
use serde::Serialize;

use crate::cli::Global;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ink, Text, Ui};

/// The longest text worth reading for a guess, bytes.
const TEXT_LEN_MAX: u64 = 256 * 1024;

/// The most names looked at in one directory: a guess needs no more.
const NAMES_MAX: usize = 2_000;

/// Where to.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday init\n  friday init --stdout        only show it\n  friday init --config deploy/friday.toml"
)]
pub struct InitArgs {
    /// Print the file instead of writing it.
    #[arg(long)]
    pub stdout: bool,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Serialize)]
struct InitView<'a> {
    path: Option<&'a Path>,
    text: &'a str,
}

/// Runs it.
///
/// # Errors
/// When there is a file already, or it cannot be written.
pub fn run(ui: &Ui, global: &Global, args: &InitArgs) -> Result<Exit, CommandError> {
    let path = global.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let text = first_file(&look(&directory));
    if args.stdout {
        if ui.is_json() {
            ui.json(&InitView { path: None, text: &text });
        } else {
            text.lines().for_each(|line| ui.data(line));
        }
        return Ok(Exit::Done);
    }
    write(&path, &text, args.force)?;
    if ui.is_json() {
        ui.json(&InitView { path: Some(&path), text: &text });
    } else {
        let shown = path.display().to_string();
        ui.say(Text::new().plain("Wrote ").ink(Ink::Name, &shown).plain("."));
        ui.say("Look at `path` and `run` in it; then `friday plan` shows what a push would do,");
        ui.say("and `friday push` pushes to three hosts that are directories of this machine.");
    }
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), CommandError> {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let shown = path.display();
        if error.kind() == ErrorKind::AlreadyExists {
            CommandError::new(Exit::Refused, format!("`{shown}` is there already"))
                .hint("`friday plan` shows what it says; `friday init --force` writes over it")
        } else {
            CommandError::new(Exit::Internal, format!("`{shown}` could not be written"))
                .because(error.to_string())
        }
    })
}

/// What is worth knowing for a guess. What cannot be read is not there.
fn look(directory: &Path) -> DirectoryFacts {
    let whole = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let (files, directories) = names(directory);
    let executables = LOOKED_INTO.iter().flat_map(|inside| {
        let (files, _) = names(&directory.join(inside));
        let runs = |name: &String| is_executable(&directory.join(inside).join(name));
        let path = |name: String| {
            if inside.is_empty() { name } else { format!("{inside}/{name}") }
        };
        files.into_iter().filter(runs).map(path).collect::<Vec<_>>()
    });
    let texts: BTreeMap<String, String> = TEXTS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), short_text(&directory.join(name))?)))
        .collect();
    DirectoryFacts {
        name: whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        executables: executables.collect(),
        files,
        directories,
        remote: remote(directory),
        texts,
    }
}

fn names(directory: &Path) -> (Vec<String>, Vec<String>) {
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    let Ok(entries) = fs::read_dir(directory) else {
        return (files, directories);
    };
    for entry in entries.take(NAMES_MAX).flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if entry.path().is_dir() {
            directories.push(name);
        } else {
            files.push(name);
        }
    }
    files.sort();
    directories.sort();
    (files, directories)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn short_text(path: &Path) -> Option<String> {
    let short = fs::metadata(path).ok()?.len() <= TEXT_LEN_MAX;
    short.then(|| fs::read_to_string(path).ok()).flatten()
}

/// The URL of `origin`, read from git's file: no git is run in a directory that nobody has looked at.
fn remote(directory: &Path) -> Option<String> {
    let text = short_text(&directory.join(".git/config"))?;
    let mut in_origin = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_origin = line == "[remote \"origin\"]";
        } else if in_origin
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "url"
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}
