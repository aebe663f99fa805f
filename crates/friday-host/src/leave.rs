//! Leaving the fleet: what runs here is taken out of rotation, drained and stopped, and then everything
//! of friday's is removed, this program too. What lies in `shared` is people's data and stays.
//!
//! The state machine stands still from the beginning on. Should this process die on the way, the state is
//! still on the disk until nothing runs any more: the next start serves as before, and whoever asked asks
//! again. No file is removed that friday did not put here.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use friday_node::Direction;
use friday_wire::{Answer, Fence, Rotation};

use crate::handover::stand_still;
use crate::host::Host;
use crate::note::note;
use crate::place::Place;
use crate::serve::event::ReplyTo;
use crate::tree::remove_tree;

/// The longest drain and the longest grace that anybody may ask for.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// Before this process ends: its last answer reaches the connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What friday puts into its directory, but `shared`. `upgrade.*` and half-written files are found by their
/// beginnings.
const OURS: [&str; 20] = [
    "state.json",
    "host.json",
    "command.json",
    "rotation.json",
    "current",
    "sock",
    "run",
    "releases",
    "trials",
    "manifests",
    "signatures",
    "store",
    "secrets",
    "logs",
    "bin",
    "start.lock",
    "upgrade.lock",
    "upgrade.pending",
    "upgrade.confirmed",
    "upgrade.undone",
];

/// Begins to leave, and answers when nothing is left that could start again. `waits_ms`: the drain, and the
/// grace between the two signals.
pub fn begin(host: &'static Host, fence: &Fence, waits_ms: (u64, u64), reply: ReplyTo) {
    let prepared = crate::upgrade::admit(host, fence)
        .and_then(|()| stand_still(host).map_err(|why| Answer::Error { why }));
    if let Err(answer) = prepared {
        return reply.send(answer);
    }
    let wait = |ms| Duration::from_millis(ms).min(WAIT_MAX);
    let (drain, grace) = (wait(waits_ms.0), wait(waits_ms.1));
    let leaving = thread::Builder::new().name("leaving".to_owned());
    let spawned = leaving.spawn({
        let reply = reply.clone();
        move || leave(host, drain, grace, &reply)
    });
    if spawned.is_err() {
        reply.send(Answer::Error { why: "no thread could be made".to_owned() });
        crate::restart::restart(host);
    }
}

fn leave(host: &'static Host, drain: Duration, grace: Duration, reply: &ReplyTo) {
    match stop_everything(host, drain, grace).and_then(|()| {
        take_off(&host.place).map_err(|error| format!("not everything could be removed: {error}"))
    }) {
        Ok(()) => {
            reply.send(Answer::Ok);
            thread::sleep(LAST_WORDS);
            std::process::exit(0);
        }
        Err(why) => {
            note(&format!("leaving: {why}"));
            reply.send(Answer::Error { why });
            crate::restart::restart(host);
        }
    }
}

fn stop_everything(host: &'static Host, drain: Duration, grace: Duration) -> Result<(), String> {
    let owner = host.owner();
    let durable =
        crate::serve::state::load(&host.place, &owner).map_err(|error| error.to_string())?;
    if let Some(entered) = &durable.entered {
        let release = entered.app.release;
        let (rotation, port) = (&entered.rotation, entered.port);
        let out = crate::perform::rotate(host, Direction::Out, rotation, release, port);
        if let friday_node::ActionResult::Failed { why, .. }
        | friday_node::ActionResult::Hindered { why } = out
        {
            return Err(format!("it could not be taken out of rotation: {why}"));
        }
        if *rotation != Rotation::None {
            thread::sleep(drain);
        }
    }
    for placed in &durable.apps {
        crate::adopted::end(host, placed.app, grace)?;
    }
    host.pages.close();
    Ok(())
}

/// Removes what friday put here, the state first: without it nothing is started again. The directory itself
/// goes when nothing else is in it.
fn take_off(place: &Place) -> io::Result<()> {
    OURS.iter().try_for_each(|name| remove_tree(&place.join(name)))?;
    let half_written = |name: &str| name.ends_with(".new") || name.starts_with("friday-host.log");
    let left: Vec<PathBuf> = fs::read_dir(place.dir())?
        .flatten()
        .filter(|entry| half_written(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    left.iter().try_for_each(|path| remove_tree(path))?;
    remove_tree(&place.join("lock"))?;
    // Fails where people's files are, and then they stay.
    let _ = fs::remove_dir(place.join("shared"));
    let _ = fs::remove_dir(place.dir());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_fridays_stays() {
        let home = tempfile::tempdir().expect("a directory can be made");
        let dir = home.path().join("shop");
        let place = Place::open(&dir).expect("a new directory can be used");
        let write = |name: &str| fs::write(dir.join(name), "x").expect("it takes files");
        ["state.json", "host.json", "lock", "friday-host.log", "a.new"]
            .iter()
            .for_each(|name| write(name));
        write("shared/orders.db");
        write("theirs.txt");
        take_off(&place).expect("all of it can be removed");
        let mut left: Vec<String> = fs::read_dir(&dir)
            .expect("it is still there")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["shared", "theirs.txt"]);
        assert!(dir.join("shared/orders.db").exists());
    }

    #[test]
    fn an_empty_directory_goes_too() {
        let home = tempfile::tempdir().expect("a directory can be made");
        let dir = home.path().join("shop");
        let place = Place::open(&dir).expect("a new directory can be used");
        take_off(&place).expect("all of it can be removed");
        assert!(!dir.exists());
    }
}
