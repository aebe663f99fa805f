//! The guestbook on three hosts of this machine: the first thing a newcomer runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// Pushes a release of the guestbook, or stops it.
pub fn run(words: &[&str]) -> Result<(), String> {
    let release = match words {
        [] => "v1",
        ["good"] => "v2",
        ["bad"] => "v3",
        ["stop"] => return stop(),
        _ => return Err("usage: cargo xtask demo [good | bad | stop]".to_owned()),
    };
    let mut push = friday()?;
    workspace::run(&mut build())?;
    push.args(["push", "--yes"]).arg(format!("dist/{release}"));
    show(&push);
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

/// Ends what runs in the three hosts' directories, and removes them. Only processes whose program or
/// working directory lies in there are touched.
fn stop() -> Result<(), String> {
    let state = guestbook().join(".friday");
    let Ok(state) = state.canonicalize() else {
        crate::print("There is nothing to stop.\n");
        return Ok(());
    };
    // Again, for what a host started between the look and the end.
    for _ in 0..3 {
        let pids = processes_in(&state);
        if pids.is_empty() {
            break;
        }
        Command::new("/bin/sh")
            .args(["-c", "kill -KILL \"$@\"", "sh"])
            .args(&pids)
            .status()
            .map_err(|error| format!("cannot end {pids:?}: {error}"))?;
    }
    std::fs::remove_dir_all(&state).map_err(|error| format!("{}: {error}", state.display()))?;
    crate::print("The guestbook and its three hosts are gone.\n");
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

/// friday, built in release mode, in the guestbook's directory.
fn friday() -> Result<Command, String> {
    crate::print("Building friday (some minutes the first time) ...\n");
    workspace::run(workspace::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "friday",
    ]))?;
    let mut friday = Command::new(workspace::target()?.join("release/friday"));
    friday.current_dir(guestbook());
    Ok(friday)
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

fn show(command: &Command) {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    crate::print(&format!("$ cd examples/guestbook && friday {}\n", words.join(" ")));
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
}
