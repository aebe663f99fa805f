//! A server of our own on a restored data directory: listens on a socket in a private directory, replays up to a
//! target and stops there. It never archives, never connects to anybody, and is never promoted by a drill.
//!
//! Only a directory with our marker is ever touched, and only a server that runs in it is ever ended.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::address::Address;
use super::base::Base;
use super::configuration::{Target, configuration};
use super::error::PostgresError;
use super::programs::{Programs, Running};
use crate::course::Watch;
use crate::place;

/// Says that a directory was made by us, and what for.
const MARKER: &str = "friday-scratch";

/// The system takes no longer name for a socket.
const SOCKET_LIMIT: usize = 100;

/// What a server's end may take: it has nothing to save.
const END_LIMIT: Duration = Duration::from_secs(30);

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(25);

/// The end of the server's log that is looked at.
const LOG_TAIL: u64 = 16 * 1024;

/// A scratch directory.
#[derive(Debug, Clone)]
pub struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// Empties a directory of what an earlier drill left there, and marks it as ours.
    ///
    /// # Errors
    /// When something else lies there, or a server in it does not end.
    pub fn begin(dir: &Path) -> Result<Self, PostgresError> {
        put_away(dir)?;
        let failed = || PostgresError::file(format!("making the scratch in `{}`", dir.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed())?;
        let mut options = fs::OpenOptions::new();
        let marker = options.write(true).create_new(true).mode(0o600).open(dir.join(MARKER));
        marker.and_then(|mut file| file.write_all(b"made by friday-data\n")).map_err(failed())?;
        let scratch = Self { dir: dir.to_owned() };
        fs::DirBuilder::new().mode(0o700).create(scratch.data()).map_err(failed())?;
        Ok(scratch)
    }

    /// As [`Self::begin`], and leaves the data directory of an earlier drill as it lies there: whoever fills it
    /// goes by its bytes.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn again(dir: &Path) -> Result<Self, PostgresError> {
        let scratch = Self { dir: dir.to_owned() };
        if !dir.join(MARKER).exists() || !scratch.data().is_dir() {
            return Self::begin(dir);
        }
        end_server(&scratch.data())?;
        let failed = || PostgresError::file(format!("using `{}` again", dir.display()));
        for left in ["s", "ahead"] {
            place::remove(&dir.join(left)).map_err(failed())?;
        }
        match fs::remove_file(scratch.log()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed()(error)),
            _ => Ok(scratch),
        }
    }

    /// How much its data directory takes, bytes; as far as it can be read.
    pub fn bytes(&self) -> u64 {
        bytes_below(&self.data())
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// What the server says.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// A private directory for sockets whose name is short enough for them.
    ///
    /// # Errors
    /// The system's.
    pub fn sockets(&self) -> Result<Sockets, PostgresError> {
        let failed = || PostgresError::file("making a directory for the scratch server's socket");
        let near = self.dir.join("s");
        if near.as_os_str().len() + "/.s.PGSQL.5432".len() <= SOCKET_LIMIT {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&near).map_err(failed())?;
            return Ok(Sockets { dir: near });
        }
        let mut bytes = [0_u8; 8];
        fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut bytes))
            .map_err(failed())?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let dir = std::env::temp_dir().join(format!("friday-{name}"));
        // Not recursive: it must be new.
        fs::DirBuilder::new().mode(0o700).create(&dir).map_err(failed())?;
        Ok(Sockets { dir })
    }

    /// Puts it away.
    ///
    /// # Errors
    /// As [`put_away`].
    pub fn end(self) -> Result<(), PostgresError> {
        put_away(&self.dir)
    }

    /// Leaves it to a person: from now on it is not ours.
    ///
    /// # Errors
    /// The system's.
    pub fn give_away(self) -> Result<(), PostgresError> {
        fs::remove_file(self.dir.join(MARKER))
            .map_err(PostgresError::file("leaving the restored copy"))
    }

    /// Starts a server on the data directory, which replays towards `target`.
    ///
    /// # Errors
    /// When it cannot be configured or started. That it arrives is another question.
    pub fn start(
        &self,
        programs: &Programs,
        base: &Base,
        target: &Target,
        sockets: &Path,
    ) -> Result<Running, PostgresError> {
        let data = self.data();
        let failed = || PostgresError::file("configuring the scratch server");
        // What the live server was told must not tell this one anything.
        for name in ["postmaster.pid", "postmaster.opts", "standby.signal", "recovery.signal"] {
            match fs::remove_file(data.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed()(error));
                }
                _ => {}
            }
        }
        for (name, text) in [
            ("postgresql.conf", configuration(base, target, sockets)),
            ("postgresql.auto.conf", String::new()),
            ("pg_hba.conf", "local all all trust\n".to_owned()),
            ("pg_ident.conf", String::new()),
            ("recovery.signal", String::new()),
        ] {
            write(&data.join(name), &text).map_err(failed())?;
        }
        let log = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(self.log());
        let log = log.map_err(failed())?;
        let server = programs.command("postgres", None);
        let mut command = polite(&server);
        command.arg("-D").arg(&data).current_dir(&data).env("LC_ALL", "C");
        for name in super::address::FOREIGN {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Running::start(command)
    }

    /// Why the server gave up, in its own words.
    pub fn last_words(&self) -> String {
        let tail = || -> io::Result<String> {
            let mut file = fs::File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
            let mut bytes = Vec::new();
            file.take(LOG_TAIL).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = tail().unwrap_or_default();
        let of = |level: &str| {
            text.lines().rev().find_map(|line| line.split_once(level)).map(|(_, said)| said.trim())
        };
        of("FATAL:")
            .or_else(|| of("PANIC:"))
            .or_else(|| of("ERROR:"))
            .unwrap_or("it does not say why")
            .to_owned()
    }
}

/// A directory for sockets; goes with its drill.
#[derive(Debug)]
pub struct Sockets {
    dir: PathBuf,
}

impl Sockets {
    /// Where.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The scratch server, seen by a role.
    pub fn address(&self, role: &str, database: &str) -> Address {
        Address::of_socket(&self.dir, role, database)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // Left by a killed drill, it is an empty private directory.
        let _ = place::remove(&self.dir);
    }
}

/// What files take below a directory, bytes; as far as it can be read.
pub fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        // A file may have holes.
        Ok(found) => std::os::unix::fs::MetadataExt::blocks(&found) * 512,
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// Ends what runs in a scratch and removes it. A directory that is not there, or is empty, is well put away.
///
/// # Errors
/// When what lies there is not ours, or does not end.
pub fn put_away(dir: &Path) -> Result<(), PostgresError> {
    let failed = || PostgresError::file(format!("putting `{}` away", dir.display()));
    let empty = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed()(error)),
    };
    if empty {
        return Ok(());
    }
    if !dir.join(MARKER).exists() {
        return Err(PostgresError::Refused {
            why: format!("`{}` holds what friday did not put there", dir.display()),
            help: Some("name another directory as the scratch, or empty this one".to_owned()),
        });
    }
    end_server(&dir.join("data"))?;
    // The marker goes last: what is left half removed is still ours.
    place::remove(&dir.join("data")).map_err(failed())?;
    place::remove(dir).map_err(failed())
}

/// Ends a server that runs in a data directory of ours, if one does.
fn end_server(data: &Path) -> Result<(), PostgresError> {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return Ok(()) };
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(()) };
    // A server's working directory is its data directory: a number that was given to another process is not ended.
    let runs = || {
        let cwd = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
        test_kill_process(pid).is_ok()
            && cwd.is_ok_and(|cwd| data.canonicalize().is_ok_and(|data| cwd == data))
    };
    let began = Instant::now();
    while runs() {
        let signal = if began.elapsed() < END_LIMIT / 2 { Signal::QUIT } else { Signal::KILL };
        let _ = kill_process(pid, signal);
        if began.elapsed() > END_LIMIT {
            return Err(PostgresError::Late(format!(
                "ending the server of an earlier drill (process {})",
                pid.as_raw_nonzero()
            )));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Ends a server that we started: at once, for it has nothing to save.
pub fn quit(running: &mut Running) {
    if let Some(pid) = Pid::from_raw(running.child.id().cast_signed()) {
        if matches!(running.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = kill_process(pid, Signal::QUIT);
    }
    let watch = Watch::new(std::sync::Arc::default(), END_LIMIT);
    while matches!(running.child.try_wait(), Ok(None)) && watch.pause(LOOK).is_ok() {}
    running.end();
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// The server behind everybody else in line for processor and disk, and ended by the system when we are. Each
/// only where the system has the program for it.
fn polite(server: &Command) -> Command {
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    for (program, arguments) in [
        ("setpriv", &["--pdeathsig", "QUIT"][..]),
        ("nice", &["-n", "10"][..]),
        ("ionice", &["-c", "2", "-n", "7"][..]),
    ] {
        let mut trial = Command::new(program);
        trial.args(arguments).arg("true");
        let works = trial.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if works.is_ok_and(|status| status.success()) {
            words.push(program.into());
            words.extend(arguments.iter().map(Into::into));
        }
    }
    words.push(server.get_program().to_owned());
    let mut command = Command::new(words.remove(0));
    command.args(words);
    command
}
