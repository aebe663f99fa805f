//! The guestbook on three hosts of this machine: the first thing a newcomer runs.

use std::path::PathBuf;
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

fn stop() -> Result<(), String> {
    Err("not yet".to_owned())
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

fn guestbook() -> PathBuf {
    workspace::root().join("examples/guestbook")
}

fn show(command: &Command) {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    crate::print(&format!("$ cd examples/guestbook && friday {}\n", words.join(" ")));
}
