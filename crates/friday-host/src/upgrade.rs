//! The upgrade of friday-host itself, commit-confirmed like every other change.
//!
//! 1. The new program was put into the store. The old process copies it to `bin/friday-host-DIGEST`,
//!    tries whether it runs at all, and stops acting; it refuses while an operation stays at work.
//! 2. It gives up socket, health pages and lock, starts the new program, and answers `Ok` once that
//!    one greets. Then it closes its connections and stays behind as the guardian.
//! 3. A connection to the new program confirms: the new one renames `upgrade.pending` to
//!    `upgrade.confirmed` and points `bin/friday-host`, which boot hooks use, to itself. The guardian
//!    sees that and ends. Connections to the old one cannot confirm: it no longer takes requests.
//! 4. Not confirmed in time, or the new one ends: the guardian renames `upgrade.pending` away (only
//!    one of the two renames can win), kills the new program, starts its own again, and ends.
//!    The state is read from the disk, so whatever the new one wrote counts: fences never fall. A
//!    program that knows a newer state format must therefore write the old one until it is confirmed.
//!    While it waits it holds `upgrade.lock`, so that no connection's helpful start of a serving
//!    process, which may well be the unconfirmed program, comes before it.
//! 5. A boot inside the window starts `bin/friday-host`, still the old one, which forgets the upgrade.
//!
//! Applications have shims of their own and are not touched by any of this.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use friday_wire::{Answer, Digest, Fence, Refusal};

use crate::connect::dial;
use crate::handover::stand_still;
use crate::host::Host;
use crate::note::note;
use crate::place::{Place, sync_directory, write_durably};
use crate::serve::event::{Event, ReplyTo};
use crate::tree::remove_tree;

/// How long the new program may take to greet.
const GREET_DEADLINE: Duration = Duration::from_secs(10);

/// How long a trial run may take.
const TRIAL_DEADLINE: Duration = Duration::from_secs(5);

/// Programs kept beside the one that serves.
const PROGRAMS_KEPT: usize = 6;

/// The longest confirm window anybody may ask for.
const CONFIRM_MAX: Duration = Duration::from_secs(3_600);

/// Whether somebody stands behind this process and waits for a confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// An older friday-host does.
    Guarded,
    /// An older one did, and has it serve again: this is the program from before the upgrade.
    Restored,
    /// Nobody: a usual start.
    Alone,
}

fn pending(place: &Place) -> PathBuf {
    place.join("upgrade.pending")
}

/// At the start of every serving process: forgets an upgrade that nobody guards any more, and keeps
/// a copy of the program that serves where a boot hook finds it.
///
/// # Errors
/// The disk's.
pub fn settle(place: &Place, guard: Guard, program: Digest) -> io::Result<()> {
    match guard {
        Guard::Guarded => return Ok(()),
        Guard::Restored => {}
        Guard::Alone => drop(guard_lock(place)?),
    }
    remove_tree(&pending(place))?;
    remove_tree(&place.join("upgrade.confirmed"))?;
    install(place, Path::new("/proc/self/exe"), program)?;
    point_to(place, program)?;
    forget_old(place, program)
}

/// The ending of the mark beside a program that a connecting shell has hashed.
const MARK: &str = "ok";

/// Programs of earlier upgrades go; some stay, because a friday of that version may connect again.
fn forget_old(place: &Place, program: Digest) -> io::Result<()> {
    let serving = program_path(place, program);
    let mut programs: Vec<_> = fs::read_dir(place.join("bin"))?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| entry.path().extension().is_none_or(|ending| ending != MARK))
        .map(|entry| (entry.metadata().and_then(|found| found.modified()).ok(), entry.path()))
        .filter(|(_, path)| *path != serving)
        .collect();
    programs.sort();
    programs.iter().rev().skip(PROGRAMS_KEPT).try_for_each(|(_, path)| {
        remove_tree(&path.with_extension(MARK))?;
        remove_tree(path)
    })
}

/// Held by a guardian, for as long as it is one.
fn guard_lock(place: &Place) -> io::Result<File> {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(place.join("upgrade.lock"))?;
    lock.try_lock()?;
    Ok(lock)
}

fn program_path(place: &Place, program: Digest) -> PathBuf {
    place.join("bin").join(format!("friday-host-{program}"))
}

/// Copies a program to its place, verified.
fn install(place: &Place, from: &Path, program: Digest) -> io::Result<PathBuf> {
    let path = program_path(place, program);
    if crate::machine::digest_of(&path).is_ok_and(|found| found == program) {
        return Ok(path);
    }
    let bytes = fs::read(from)?;
    if *blake3::hash(&bytes).as_bytes() != program.0 {
        return Err(io::Error::other("the program's file is damaged"));
    }
    write_durably(&path, &bytes)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

fn point_to(place: &Place, program: Digest) -> io::Result<()> {
    let bin = place.join("bin");
    let name = format!("friday-host-{program}");
    if fs::read_link(bin.join("friday-host")).is_ok_and(|target| target == Path::new(&name)) {
        return Ok(());
    }
    let fresh = bin.join("friday-host.new");
    remove_tree(&fresh)?;
    symlink(name, &fresh)?;
    fs::rename(&fresh, bin.join("friday-host"))?;
    sync_directory(&bin)
}

/// Asks the state machine whether a fence is let in.
pub(crate) fn admit(host: &Host, fence: &Fence) -> Result<(), Answer> {
    let (answer, admitted) = mpsc::sync_channel(1);
    let asked = host.inbox.send(Event::Admits { fence: fence.clone(), answer });
    let result: Option<Result<(), Refusal>> =
        asked.ok().and_then(|()| admitted.recv_timeout(GREET_DEADLINE).ok());
    match result {
        Some(Ok(())) => Ok(()),
        Some(Err(refusal)) => Err(Answer::Refused(refusal)),
        None => Err(Answer::Error { why: "friday-host is too busy to ask".to_owned() }),
    }
}

/// Begins an upgrade, and answers when the new program greets or it failed.
pub fn begin(host: &'static Host, fence: &Fence, program: Digest, confirm_ms: u64, reply: ReplyTo) {
    let window = Duration::from_millis(confirm_ms).min(CONFIRM_MAX);
    let prepared = admit(host, fence)
        .and_then(|()| prepare(host, program).map_err(|why| Answer::Error { why }));
    let path = match prepared {
        Ok(path) => path,
        Err(answer) => return reply.send(answer),
    };
    let handing = thread::Builder::new().name("guardian".to_owned());
    let spawned = handing.spawn({
        let reply = reply.clone();
        move || hand_over(host, &path, window, &reply)
    });
    if spawned.is_err() {
        reply.send(Answer::Error { why: "no thread could be made".to_owned() });
        crate::restart::restart(host);
    }
}

/// Everything that can fail before anything is given up; at the end the state machine stands still.
fn prepare(host: &Host, program: Digest) -> Result<PathBuf, String> {
    if program == host.program {
        return Err("this program serves already".to_owned());
    }
    if !host.store.has(program) {
        return Err(format!("the program {} was not transferred", program.short()));
    }
    let path = install(&host.place, &host.place.stored(program), program)
        .map_err(|error| format!("the program could not be put in place: {error}"))?;
    try_out(&path)?;
    stand_still(host)?;
    Ok(path)
}

/// A program for another machine, or half of one, is noticed here.
fn try_out(path: &Path) -> Result<(), String> {
    let failed = |what: String| format!("the new program does not run: {what}");
    let mut child = Command::new(path)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let deadline = Instant::now() + TRIAL_DEADLINE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(status.to_string())),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed("it does not answer".to_owned()));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

/// Gives up what only one process can hold, starts the new program, and guards it.
fn hand_over(host: &Host, path: &Path, window: Duration, reply: &ReplyTo) {
    let guarding = guard_lock(&host.place).map_err(|error| format!("the guard: {error}"));
    let started = guarding.and_then(|lock| Ok((lock, release_and_start(host, path)?)));
    let (_guard, mut new) = match started {
        Ok(new) => new,
        Err(why) => {
            note(&format!("upgrade: {why}"));
            reply.send(Answer::Error { why });
            let _ = remove_tree(&pending(&host.place));
            crate::restart::restart(host);
        }
    };
    note(&format!("upgrade: {} serves and waits for its confirm", path.display()));
    let deadline = Instant::now() + window;
    reply.send(Answer::Ok);
    let mut told = Some(Instant::now() + Duration::from_secs(1));
    let why = loop {
        if told.is_some_and(|told| told < Instant::now()) {
            host.connections.close_all();
            told = None;
        }
        if !pending(&host.place).exists() {
            note("upgrade: confirmed; the old friday-host ends");
            let _ = remove_tree(&host.place.join("upgrade.confirmed"));
            std::process::exit(0);
        }
        match new.try_wait() {
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            Ok(None) => break "it was not confirmed in time".to_owned(),
            Ok(Some(status)) => break format!("the new program ended with {status}"),
            Err(error) => break error.to_string(),
        }
    };
    take_back(host, new, &why);
}

/// Only one of confirm and this can rename the mark.
fn take_back(host: &Host, mut new: Child, why: &str) -> ! {
    let undone = host.place.join("upgrade.undone");
    if fs::rename(pending(&host.place), &undone).is_err()
        && new.try_wait().is_ok_and(|s| s.is_none())
    {
        note("upgrade: confirmed at the last moment; the old friday-host ends");
        std::process::exit(0);
    }
    note(&format!("upgrade: {why}; the old friday-host serves again"));
    let _ = new.kill();
    let _ = new.wait();
    let _ = remove_tree(&undone);
    // The guard's lock is held until that one greets: a start by a connection would be refused.
    match start_program(host, Path::new("/proc/self/exe"), "--restored") {
        Ok(_) => std::process::exit(0),
        Err(why) => note(&format!("upgrade: {why}")),
    }
    crate::restart::restart(host)
}

fn release_and_start(host: &Host, path: &Path) -> Result<Child, String> {
    let said = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    write_durably(&pending(&host.place), b"").map_err(said("the upgrade could not be noted"))?;
    remove_tree(&host.place.join("sock")).map_err(said("the socket"))?;
    host.pages.close();
    host.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    start_program(host, path, "--guarded")
}

/// Starts a program as the one that serves, and waits until it greets.
fn start_program(host: &Host, path: &Path, guard: &str) -> Result<Child, String> {
    let said = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    let log = crate::shim::own_log(&host.place).map_err(said("the log"))?;
    let errors = log.try_clone().map_err(said("the log"))?;
    let mut new = Command::new(path)
        .arg0("friday-host")
        .args(["serve", guard, "--dir"])
        .arg(host.place.dir())
        .current_dir(host.place.dir())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(said("the program could not be started"))?;
    let deadline = Instant::now() + GREET_DEADLINE;
    loop {
        if dial(&host.place, deadline).is_ok() {
            return Ok(new);
        }
        if let Ok(Some(status)) = new.try_wait() {
            return Err(format!("the program ended with {status}; the log says why"));
        }
        if Instant::now() > deadline {
            let _ = new.kill();
            let _ = new.wait();
            return Err("the program does not answer".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Confirms the upgrade that brought this program. Connections to it are all younger than itself.
pub fn confirm(host: &Host, fence: &Fence) -> Answer {
    if let Err(answer) = admit(host, fence) {
        return answer;
    }
    let confirmed = host.place.join("upgrade.confirmed");
    match fs::rename(pending(&host.place), confirmed) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Answer::Error { why: "there is no upgrade to confirm".to_owned() };
        }
        Err(error) => return Answer::Error { why: format!("the confirm was not stored: {error}") },
    }
    let stored =
        sync_directory(host.place.dir()).and_then(|()| point_to(&host.place, host.program));
    match stored {
        Ok(()) => Answer::Ok,
        Err(error) => Answer::Error {
            why: format!("confirmed, but the boot hook would start the old program: {error}"),
        },
    }
}
