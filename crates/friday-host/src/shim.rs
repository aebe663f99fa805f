//! The shim: parent of one application. It outlives the serving process, so that an upgrade, a crash
//! or a killed connection never touches an application; it collects its output and writes down how
//! it ended. It decides nothing.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, WaitStatus, getpid};

use crate::app::{Ended, Running, ShimSpec, take_lock};
use crate::environment;
use crate::output::RotatingFile;
use crate::place::{Place, read_json, write_json};
use crate::store::Store;

/// After the last process ended, what is still in the pipe is read for this long.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs one application to its end.
///
/// # Errors
/// One sentence; then the exit file, where one could be written, says the same.
pub fn run(spec_path: &Path) -> Result<(), String> {
    let spec: ShimSpec = read_json(spec_path)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("`{}` is not there", spec_path.display()))?;
    let dir = spec_path.parent().ok_or("the spec has no directory")?;
    let _lock = take_lock(dir).map_err(|error| format!("another shim runs it: {error}"))?;
    // What an earlier start of this generation left; only who holds the lock may touch it.
    for left in ["process.json", "exit.json"] {
        crate::tree::remove_tree(&dir.join(left)).map_err(|error| error.to_string())?;
    }
    // Fails only for one that leads a session already.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("no subreaper: {error}"))?;
    let begun = begin(&spec, dir);
    let ended = match begun {
        Ok((first, output)) => {
            let status = wait_for_all(first);
            let _ = output.recv_timeout(LAST_WORDS);
            Ended { status, ran: true }
        }
        Err(why) => Ended { status: why, ran: false },
    };
    write_json(&dir.join("exit.json"), &ended).map_err(|error| error.to_string())
}

/// Starts the first process and the reader of its output.
fn begin(spec: &ShimSpec, dir: &Path) -> Result<(Pid, mpsc::Receiver<()>), String> {
    let place = Place::open(&spec.dir).map_err(|error| error.to_string())?;
    let release = spec.app.release;
    let manifest =
        Store::new(place.clone()).manifest(release).map_err(|error| error.to_string())?;
    let env = environment::of_release(
        &place,
        &spec.host,
        release,
        &manifest,
        spec.port,
        spec.secrets.as_ref(),
    )
    .map_err(|error| error.to_string())?;
    let command = manifest.run.command.as_deref().ok_or("the release has no run command")?;
    let output = RotatingFile::open(place.output(release)).map_err(|e| format!("its log: {e}"))?;
    let (reader, writer) = io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    let errors = writer.try_clone().map_err(|error| format!("no pipe: {error}"))?;
    // What the application makes is as open as a login shell would leave it; the directory above is
    // closed to others anyway.
    let closed = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let spawned = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir(place.tree(release))
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .process_group(0)
        .spawn();
    rustix::process::umask(closed);
    let child = spawned.map_err(|error| format!("/bin/sh: {error}"))?;
    let first = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let done = collect(reader, output);
    let running = Running { shim: getpid().as_raw_nonzero().get(), first };
    write_json(&dir.join("process.json"), &running).map_err(|error| {
        crate::process::send_to_group(first, rustix::process::Signal::KILL);
        format!("its record: {error}")
    })?;
    let first = Pid::from_raw(first).ok_or("no process id")?;
    Ok((first, done))
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
fn wait_for_all(first: Pid) -> String {
    let mut told = "ended".to_owned();
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == first => told = describe(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return told,
        }
    }
}

fn describe(status: WaitStatus) -> String {
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
