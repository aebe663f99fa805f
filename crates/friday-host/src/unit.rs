//! Applications as units of systemd.
//!
//! - **The login's systemd**: a transient unit for each start, made with `systemd-run --user`. Nothing
//!   is written anywhere, so nothing of it starts at a boot by itself: what a boot starts is the state
//!   machine's to decide. Without lingering these units would end with the last login.
//! - **The machine's systemd**: a socket and a template that a person installed. The socket belongs to
//!   this user and nobody else may connect to it; each connection starts an instance, which reads the
//!   number of a start from it. So the permission is for exactly that unit, and neither sudo nor
//!   polkit is needed.
//!
//! In both, what runs is [`crate::shim`]: locks, records, exit status and stopping are the same whoever
//! the supervisor is. No unit is restarted by systemd: crash loops and quarantine are friday's.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use friday_wire::{FleetName, Supervisor, UnitSpec};

use crate::app::ShimSpec;
use crate::machine::user_name;
use crate::place::Place;
use crate::tool::ask;

/// How long systemd may take to accept a unit.
const ACCEPT_DEADLINE: Duration = Duration::from_secs(8);

/// After a boot the login's systemd may come up a moment after friday-host.
const MANAGER_DEADLINE: Duration = Duration::from_secs(8);

/// How long a started instance waits for the number of its start.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// The name of a start's unit in the login's systemd.
fn transient_name(fleet: &FleetName, generation: u64) -> String {
    format!("friday-{fleet}-{generation}.service")
}

/// The socket through which instances of the template are started.
pub fn request_socket(fleet: &FleetName) -> PathBuf {
    PathBuf::from(format!("/run/friday-{fleet}.sock"))
}

/// Starts the shim of a start as a unit. It is there once it holds its lock.
///
/// # Errors
/// One sentence, with what is missing.
pub fn start(place: &Place, fleet: &FleetName, spec: &ShimSpec) -> Result<(), String> {
    usable(fleet, spec.unit.supervisor)?;
    match spec.unit.supervisor {
        Supervisor::Own => Ok(()),
        Supervisor::UserUnits => start_transient(place, fleet, spec),
        Supervisor::SystemUnits => {
            template_allows(fleet, spec)?;
            start_instance(fleet, spec.app.generation)
        }
    }
}

/// Whether the installed template sets the limits that this release is to have: it was written for
/// another configuration, perhaps.
fn template_allows(fleet: &FleetName, spec: &ShimSpec) -> Result<(), String> {
    let path = format!("/etc/systemd/system/friday-{fleet}@.service");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("`{path}`: {error}"))?;
    let lacking = limits(spec).into_iter().find(|wanted| text.lines().all(|line| line != wanted));
    lacking.map_or(Ok(()), |line| {
        Err(format!("`{path}` lacks `{line}`; `friday doctor` prints it anew"))
    })
}

/// Whether a supervisor can be used here now.
///
/// # Errors
/// One sentence, with what is missing.
pub fn usable(fleet: &FleetName, supervisor: Supervisor) -> Result<(), String> {
    match supervisor {
        Supervisor::Own => Ok(()),
        _ if !Path::new("/run/systemd/system").exists() => {
            Err("systemd does not run on this host".to_owned())
        }
        Supervisor::UserUnits if !lingers() => Err(format!(
            "{user} does not linger: its units would end with its last login \
             (loginctl enable-linger {user}, once, as root)",
            user = user_name()
        )),
        Supervisor::UserUnits => Ok(()),
        Supervisor::SystemUnits => {
            let socket = request_socket(fleet);
            let found = std::fs::metadata(&socket).map_err(|_| {
                format!("`{}` is not there: its socket unit is not installed", socket.display())
            })?;
            let user = rustix::process::geteuid().as_raw();
            if found.uid() == user {
                Ok(())
            } else {
                Err(format!(
                    "`{}` belongs to user id {}, not to {}",
                    socket.display(),
                    found.uid(),
                    user_name()
                ))
            }
        }
    }
}

/// Whether this user's systemd runs without a login.
pub fn lingers() -> bool {
    Path::new("/var/lib/systemd/linger").join(user_name()).exists()
}

/// Where the login's systemd listens.
pub fn runtime_directory() -> PathBuf {
    PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()))
}

/// A command that speaks with the login's systemd, also where no login set the environment.
pub fn with_user_manager(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("XDG_RUNTIME_DIR", runtime_directory()).arg("--user");
    command
}

fn start_transient(place: &Place, fleet: &FleetName, spec: &ShimSpec) -> Result<(), String> {
    await_manager()?;
    let program = program(place)?;
    let generation = spec.app.generation;
    let mut command = with_user_manager("systemd-run");
    command
        .args(["--quiet", "--collect", "--no-block"])
        .arg(format!("--unit={}", transient_name(fleet, generation)))
        .arg(format!("--description=friday: {fleet} {}", spec.app.release.short()))
        .args(properties(spec).iter().map(|property| format!("--property={property}")))
        .arg(format!("--property=ExecStop={program} end --dir {}", place.dir().display()))
        .args(["--", &program, "run", "--spec"])
        .arg(place.generation(generation).join("spec.json"));
    let said =
        ask(&mut command, ACCEPT_DEADLINE).map_err(|error| format!("systemd-run: {error}"))?;
    if said.status.success() {
        return Ok(());
    }
    // An earlier friday-host may have asked for it just before it ended.
    if active(fleet, generation) {
        Ok(())
    } else {
        Err(format!("systemd-run: {}", said.complaint()))
    }
}

fn active(fleet: &FleetName, generation: u64) -> bool {
    let mut command = with_user_manager("systemctl");
    command.args(["is-active", "--quiet", &transient_name(fleet, generation)]);
    ask(&mut command, ACCEPT_DEADLINE).is_ok_and(|said| said.status.success())
}

/// What a unit is told of a release; the template has the same lines.
fn properties(spec: &ShimSpec) -> Vec<String> {
    let kind = if spec.notify { "notify" } else { "exec" };
    let mut lines = vec![
        format!("Type={kind}"),
        // A start has the health deadline; systemd need not count as well.
        "TimeoutStartSec=infinity".to_owned(),
        "TimeoutStopSec=90".to_owned(),
        "Restart=no".to_owned(),
    ];
    lines.extend(limits(spec));
    lines
}

/// The lines for a release's limits, spelled as `friday doctor` spells them.
fn limits(spec: &ShimSpec) -> Vec<String> {
    let UnitSpec { limits, .. } = spec.unit;
    let mut lines = Vec::new();
    lines.extend(limits.memory.map(|bytes| format!("MemoryMax={bytes}")));
    lines.extend(limits.cpu_percent.map(|percent| format!("CPUQuota={percent}%")));
    lines.extend(limits.tasks.map(|tasks| format!("TasksMax={tasks}")));
    lines.extend(limits.files.map(|files| format!("LimitNOFILE={files}")));
    lines
}

fn await_manager() -> Result<(), String> {
    let socket = runtime_directory().join("systemd/private");
    let deadline = Instant::now() + MANAGER_DEADLINE;
    while !socket.exists() {
        if Instant::now() > deadline {
            return Err(format!(
                "no systemd of {} runs: `{}` is not there",
                user_name(),
                socket.display()
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The program that runs now, by a name that units can hold.
fn program(place: &Place) -> Result<String, String> {
    let own = std::env::current_exe().ok().filter(|path| path.exists());
    let path = own.unwrap_or_else(|| place.join("bin/friday-host"));
    let plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte))
    };
    match (path.to_str(), place.dir().to_str()) {
        (Some(path), Some(dir)) if plain(path) && plain(dir) => Ok(path.to_owned()),
        _ => Err(format!(
            "`{}` has characters that units cannot hold; name another `directory` under `[hosts]`",
            place.dir().display()
        )),
    }
}

fn start_instance(fleet: &FleetName, generation: u64) -> Result<(), String> {
    let socket = request_socket(fleet);
    let failed = |error: io::Error| format!("`{}`: {error}", socket.display());
    let mut stream = UnixStream::connect(&socket).map_err(failed)?;
    stream.set_write_timeout(Some(ACCEPT_DEADLINE)).map_err(failed)?;
    stream.write_all(format!("{generation}\n").as_bytes()).map_err(failed)?;
    stream.shutdown(Shutdown::Write).map_err(failed)
}

/// In an instance of the template: which start was asked for, read from standard input.
///
/// # Errors
/// One sentence when nothing that makes sense comes in time.
pub fn requested(place: &Place) -> Result<PathBuf, String> {
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let mut stream = UnixStream::from(stdin);
    stream.set_read_timeout(Some(REQUEST_DEADLINE)).map_err(|error| error.to_string())?;
    let mut line = Vec::new();
    let mut byte = [0_u8];
    while line.len() < 20 {
        match stream.read(&mut byte) {
            Ok(1) if byte[0] != b'\n' => line.push(byte[0]),
            Ok(_) => break,
            Err(error) => return Err(format!("the number of a start: {error}")),
        }
    }
    let text = String::from_utf8_lossy(&line);
    let generation: u64 =
        text.parse().map_err(|_| format!("`{}` is no start", crate::output::shown(&line)))?;
    Ok(place.generation(generation).join("spec.json"))
}

/// Tells the systemd that started this process something, where one did and waits for it.
pub fn tell(message: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = send(Path::new(&socket), message.as_bytes());
    }
}

/// Hands a message on to a notify socket.
///
/// # Errors
/// The system's.
pub fn send(socket: &Path, message: &[u8]) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    let sender = UnixDatagram::unbound()?;
    let address = match socket.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    sender.send_to_addr(message, &address).map(drop)
}
