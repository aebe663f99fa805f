//! The guestbook on three hosts of this machine: the first thing a newcomer runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// The directory of the example's book and its backups.
const BOOK: &str = "book";

/// Pushes a release of the guestbook, or stops it.
pub fn run(words: &[&str]) -> Result<(), String> {
    let release = match words {
        [] => "v1",
        ["good"] => "v2",
        ["bad"] => "v3",
        ["stop"] => return stop(),
        _ => return Err("usage: cargo xtask demo [good | bad | stop]".to_owned()),
    };
    let program = friday()?;
    workspace::run(&mut build())?;
    prepare(&program)?;
    let path = format!("dist/{release}");
    // What it found, the push goes by; and of what is stable already there is nothing to find.
    told(&program, &["rehearse", &path])
        .status()
        .map_err(|error| format!("cannot run friday: {error}"))?;
    let mut push = told(&program, &["push", "--yes", &path]);
    let status = push.status().map_err(|error| format!("cannot run friday: {error}"))?;
    match (release, status.code()) {
        ("v3", Some(5)) => {
            crate::print(
                "\nThe bad release came back by itself: every host runs the good one again.\n\
                 Look at it: http://127.0.0.1:8101/\n\
                 Stop it:    cargo xtask demo stop\n",
            );
            Ok(())
        }
        (_, Some(0)) => {
            crate::print(
                "\nThe guestbook is on three hosts: http://127.0.0.1:8101/ (and ports 8102, 8103)\n\
                 Push a bad release:  cargo xtask demo bad\n\
                 Stop it:             cargo xtask demo stop\n",
            );
            Ok(())
        }
        _ => Err(format!("friday ended with {status}")),
    }
}

/// A book with a few entries where there is none, a backup of it, and the proof that it can be restored: without
/// them a push is refused. Anew for each push: the copy of a rehearsal is made of the newest backup, and the release that
/// runs now must find its own migration there.
fn prepare(program: &Path) -> Result<(), String> {
    let mut init = Command::new("dist/v1/bin/guestbook");
    init.args(["init", "--look", "dist/v1"]).env_remove("DATABASE_URL").current_dir(guestbook());
    crate::print("$ cd examples/guestbook && dist/v1/bin/guestbook init --look dist/v1\n");
    workspace::run(&mut init)?;
    workspace::run(&mut told(program, &["backup"]))?;
    workspace::run(&mut told(program, &["drill"]))
}

/// Ends what runs in the three hosts' directories, and removes them, and the book. Only processes whose program
/// or working directory lies in there are touched.
fn stop() -> Result<(), String> {
    let (state, book) = (guestbook().join(".friday"), book());
    let state = state.canonicalize();
    if state.is_err() && !book.exists() {
        crate::print("There is nothing to stop.\n");
        return Ok(());
    }
    if let Ok(state) = &state {
        end_processes_in(state)?;
    }
    for directory in state.into_iter().chain([book]) {
        match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", directory.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    crate::print("The guestbook, its book and its three hosts are gone.\n");
    Ok(())
}

fn end_processes_in(directory: &Path) -> Result<(), String> {
    // Again, for what a host started between the look and the end.
    for _ in 0..3 {
        let pids = processes_in(directory);
        if pids.is_empty() {
            break;
        }
        Command::new("/bin/sh")
            .args(["-c", "kill -KILL \"$@\"", "sh"])
            .args(&pids)
            .status()
            .map_err(|error| format!("cannot end {pids:?}: {error}"))?;
    }
    Ok(())
}

fn processes_in(directory: &Path) -> Vec<String> {
    let Ok(listed) = std::fs::read_dir("/proc") else { return Vec::new() };
    let processes = listed.filter_map(|entry| entry.ok()).filter(|entry| {
        let is_inside = |link: &str| {
            let target = std::fs::read_link(entry.path().join(link));
            target.is_ok_and(|target| target.starts_with(directory))
        };
        is_inside("exe") || is_inside("cwd")
    });
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// friday, built in release mode.
fn friday() -> Result<PathBuf, String> {
    crate::print("Building friday (some minutes the first time) ...\n");
    workspace::run(workspace::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "friday",
    ]))?;
    workspace::target().map(|target| target.join("release/friday"))
}

/// Builds the guestbook's releases. They are no part of the repository, and a push that names a release
/// builds nothing.
fn build() -> Command {
    let mut build = Command::new("./build");
    build.current_dir(guestbook());
    build
}

fn guestbook() -> PathBuf {
    workspace::root().join("examples/guestbook")
}

/// Where the book and its backups lie, as `friday.toml` there says.
fn book() -> PathBuf {
    guestbook().join(BOOK)
}

/// A command of friday's in the guestbook's directory, told to whoever looks on.
fn told(program: &Path, words: &[&str]) -> Command {
    crate::print(&format!("$ cd examples/guestbook && friday {}\n", words.join(" ")));
    let mut command = Command::new(program);
    command.args(words).current_dir(guestbook());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_that_is_pushed_is_one_that_is_built() {
        let script = guestbook().join(build().get_program());
        let text = std::fs::read_to_string(&script).expect("the demo runs what is there");
        assert!(text.contains("for release in releases/*"), "it lays out each of them");
        for release in ["v1", "v2", "v3"] {
            assert!(guestbook().join("releases").join(release).is_dir(), "{release}");
        }
    }

    #[test]
    fn what_is_removed_is_the_book_of_the_configuration() {
        let text = std::fs::read_to_string(guestbook().join("friday.toml")).expect("it is there");
        assert!(text.contains(&format!("sqlite = \"{BOOK}/book.sqlite\"")), "{text}");
        assert!(text.contains(&format!("$PWD/{BOOK}/book.sqlite")), "{text}");
    }
}
