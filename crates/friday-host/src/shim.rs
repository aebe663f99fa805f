//! The shim: parent of one application. It outlives the serving process, so that an upgrade, a crash
//! or a killed connection never touches an application; it collects its output and writes down how
//! it ended. It decides nothing. As a unit of systemd it is the unit's main process.

mod ready;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use friday_wire::{RunSpec, Supervisor};
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid};

use crate::app::{Ended, LEFT_BY_SHIM, Running, ShimSpec, take_lock};
use crate::environment;
use crate::journald;
use crate::output::RotatingFile;
use crate::place::{Place, read_json, write_json};
use crate::store::Store;

/// After the last process ended, what is still in the pipe is read for this long.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs one application to its end.
///
/// # Errors
/// One sentence; then the exit file, where one could be written, says the same.
pub fn run(spec_path: &Path) -> Result<Ending, String> {
    let spec: ShimSpec = read_json(spec_path)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("`{}` is not there", spec_path.display()))?;
    let dir = spec_path.parent().ok_or("the spec has no directory")?;
    let _lock = take_lock(dir).map_err(|error| format!("another shim runs it: {error}"))?;
    // What an earlier start of this generation left; only who holds the lock may touch it.
    for left in LEFT_BY_SHIM {
        crate::tree::remove_tree(&dir.join(left)).map_err(|error| error.to_string())?;
    }
    // Fails only for one that leads a session already.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("no subreaper: {error}"))?;
    if spec.trial.is_some() {
        crate::trial::leash::hold(&spec.dir)?;
    }
    let begun = begin(&spec, dir);
    let ended = match begun {
        Ok((first, output)) => {
            let status = wait_for_all(first);
            if let Some(output) = output {
                let _ = output.recv_timeout(LAST_WORDS);
            }
            let told = status.map_or_else(|| "ended".to_owned(), describe);
            (Ended { status: told, ran: true }, Ending::of(status))
        }
        Err(why) => (Ended { status: why, ran: false }, Ending(1)),
    };
    let told = write_json(&dir.join("exit.json"), &ended.0).map_err(|error| error.to_string());
    if spec.trial.is_some() {
        crate::trial::leash::put_away(&spec.dir);
    }
    told.map(|()| ended.1)
}

/// The exit status with which the shim ends: the application's, as a shell would tell it. Whoever looks
/// at the unit sees what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending(pub u8);

impl Ending {
    fn of(status: Option<WaitStatus>) -> Self {
        let code = status.and_then(|status| {
            let signal = status.terminating_signal().map(|signal| signal.saturating_add(128));
            status.exit_status().or(signal)
        });
        Self(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

/// Starts the first process and the reader of its output.
fn begin(spec: &ShimSpec, dir: &Path) -> Result<(Pid, Option<mpsc::Receiver<()>>), String> {
    let place = Place::open(&spec.dir).map_err(|error| error.to_string())?;
    let release = spec.app.release;
    let manifest =
        Store::new(place.clone()).manifest(release).map_err(|error| error.to_string())?;
    let mut env = environment::of_release(
        &place,
        &spec.host,
        (release, &spec.part),
        &manifest,
        spec.port,
        spec.secrets.as_ref(),
    )
    .map_err(|error| error.to_string())?;
    if spec.trial.is_some() {
        env.extend(crate::trial::leash::instead(dir)?);
    }
    let mut program = program(&manifest.run, spec, dir)?;
    let (writer, errors, collecting) = output(&place, spec, dir)?;
    if spec.notify {
        let socket = ready::listen(dir, spec.unit.supervisor)?;
        env.insert("NOTIFY_SOCKET".to_owned(), socket.into());
    }
    if !spec.notify && spec.unit.supervisor == Supervisor::SystemUnits {
        // The template waits for it from every release.
        crate::unit::tell("READY=1");
    }
    if let Some(files) = spec.unit.limits.files {
        limit_files(files.into())?;
    }
    // What the application makes is as open as a login shell would leave it; the directory above is
    // closed to others anyway.
    let closed = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let spawned = program
        .current_dir(place.tree(release))
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .process_group(0)
        .spawn();
    rustix::process::umask(closed);
    let name = program.get_program().to_string_lossy();
    let child = spawned.map_err(|error| format!("{name}: {error}"))?;
    let first = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let done = collecting.map(|(reader, output)| collect(reader, output));
    let running = Running { shim: getpid().as_raw_nonzero().get(), first };
    write_json(&dir.join("process.json"), &running).map_err(|error| {
        crate::process::send_to_group(first, rustix::process::Signal::KILL);
        format!("its record: {error}")
    })?;
    let first = Pid::from_raw(first).ok_or("no process id")?;
    Ok((first, done))
}

/// What to start: the command, or what waits for its times.
fn program(run: &RunSpec, spec: &ShimSpec, dir: &Path) -> Result<Command, String> {
    let tried = spec.trial.as_ref().and_then(|trial| trial.command.as_deref());
    let command =
        tried.or_else(|| run.command_of(&spec.part)).ok_or("the release has no such command")?;
    if spec.trial.is_some() || run.timetable_of(&spec.part).is_none() {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]);
        return Ok(shell);
    }
    let mut keeper = Command::new("/proc/self/exe");
    // The name that a person sees in a list of processes.
    keeper.arg0("friday-host").args(["job", "--spec"]).arg(dir.join("spec.json"));
    Ok(keeper)
}

/// Where the application writes to, twice; and, where that is our own log, what is to be copied.
type Output = (OwnedFd, OwnedFd, Option<(io::PipeReader, RotatingFile)>);

/// A unit's output goes into the system's journal, by a stream under the release's own name.
fn output(place: &Place, spec: &ShimSpec, dir: &Path) -> Result<Output, String> {
    let owner = place.owner().map_err(|error| error.to_string())?;
    if let (Supervisor::UserUnits | Supervisor::SystemUnits, Some(owner)) =
        (spec.unit.supervisor, owner)
    {
        let name = journald::identifier(&owner.fleet, spec.app.release, &spec.part);
        let twice = journald::stream(&name).and_then(|stream| Ok((stream.try_clone()?, stream)));
        let (writer, errors) = twice.map_err(|error| format!("the journal: {error}"))?;
        return Ok((writer.into(), errors.into(), None));
    }
    // What is tried has a log of its own for each start.
    let path = match &spec.trial {
        Some(_) => dir.join(crate::trial::leash::OUTPUT),
        None => place.output(spec.app.release, &spec.part),
    };
    let log = RotatingFile::open(path);
    let log = log.map_err(|error| format!("its log: {error}"))?;
    let piped = io::pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?, writer)));
    let (reader, writer, errors) = piped.map_err(|error| format!("no pipe: {error}"))?;
    Ok((writer.into(), errors.into(), Some((reader, log))))
}

/// Sets how many files the application may open, up to what this user may set.
fn limit_files(wanted: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    let current = most.map_or(wanted, |most| wanted.min(most));
    if current < wanted {
        return Err(format!("this server allows {current} open files, not {wanted}"));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: Some(current) })
        .map_err(|error| format!("the limit of open files: {error}"))
}

/// Copies output into the log until the last writer is gone. A full disk loses lines, never blocks
/// the application.
fn collect(mut reader: io::PipeReader, mut output: RotatingFile) -> mpsc::Receiver<()> {
    let (done, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0_u8; 16 * 1024];
        while let Ok(got @ 1..) = reader.read(&mut buffer) {
            let _ = output.write(&buffer[..got]);
        }
        let _ = done.send(());
    });
    receiver
}

/// Waits for every descendant: whatever loses its parent becomes ours. Tells how the first ended.
fn wait_for_all(first: Pid) -> Option<WaitStatus> {
    let mut told = None;
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == first => told = Some(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return told,
        }
    }
}

/// How a process ended that ended well, in words.
pub const WELL: &str = "exit status 0";

/// How a process ended, in words.
pub fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Opens the log of the serving process for a child's output.
///
/// # Errors
/// The system's.
pub fn own_log(place: &Place) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = place.join("friday-host.log");
    if std::fs::metadata(&path).is_ok_and(|found| found.len() >= crate::output::FILE_LEN_MAX) {
        crate::output::set_aside(&path)?;
    }
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
