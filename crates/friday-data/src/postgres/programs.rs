//! PostgreSQL's own programs: where they are, and how they are run.
//!
//! A child gets a plain environment and no words of a connection string in its arguments. Which program is run
//! for what is not decided here.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::address::{Address, FOREIGN};
use super::error::PostgresError;
use super::server::Server;
use crate::course::Watch;

/// The end of what a program says that is kept for people.
const SAYS_LIMIT: usize = 4 * 1024;

/// How often somebody looks whether a program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long a program may take to end when asked.
const GRACE: Duration = Duration::from_secs(5);

/// The oldest major version whose backups have a manifest.
pub const OLDEST_MAJOR: u32 = 13;

/// A directory with PostgreSQL's programs of one version.
#[derive(Debug, Clone)]
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Those of a major version: where the configuration says, else where the server says that it is, else
    /// where distributions put them, else on `PATH`.
    ///
    /// # Errors
    /// [`PostgresError::Program`]: none, or none of that version.
    pub fn find(
        configured: Option<&str>,
        major: u32,
        server: Option<(&Server, &Watch)>,
    ) -> Result<Self, PostgresError> {
        if let Some(place) = configured {
            let found = Self { directory: place.into() };
            let version = found.version("pg_basebackup")?;
            return match major_of(&version) {
                Some(there) if there == major => Ok(found),
                _ => Err(PostgresError::Program(format!(
                    "the programs in `{place}` are PostgreSQL {version}, and the server is {major}"
                ))),
            };
        }
        let told = server.and_then(|(server, watch)| {
            let asked = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
            server.value(watch, "asking where the programs are", asked).ok()
        });
        let mut places: Vec<PathBuf> = told.into_iter().map(PathBuf::from).collect();
        places.push(format!("/usr/lib/postgresql/{major}/bin").into());
        places.push(format!("/usr/pgsql-{major}/bin").into());
        places.push("/usr/local/pgsql/bin".into());
        if let Some(path) = std::env::var_os("PATH") {
            places.extend(std::env::split_paths(&path));
        }
        let fits = |directory: PathBuf| {
            let found = Self { directory };
            let version = found.version("pg_basebackup").ok()?;
            (major_of(&version) == Some(major)).then_some(found)
        };
        places.into_iter().find_map(fits).ok_or_else(|| {
            PostgresError::Program(format!(
                "there are no programs of PostgreSQL {major} on this host"
            ))
        })
    }

    /// Those in a directory that was found before.
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether there is such a program.
    pub fn has(&self, program: &str) -> bool {
        self.directory.join(program).is_file()
    }

    /// The version that a program says it has: `15.18`.
    ///
    /// # Errors
    /// [`PostgresError::Program`].
    pub fn version(&self, program: &str) -> Result<String, PostgresError> {
        let path = self.directory.join(program);
        let missing = |why: String| {
            PostgresError::Program(format!("`{}` cannot be run: {why}", path.display()))
        };
        if !path.is_file() {
            return Err(missing("it is not there".to_owned()));
        }
        let said = Command::new(&path).arg("--version").stdin(Stdio::null()).output();
        let said = said.map_err(|error| missing(error.to_string()))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let version =
            text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        version.map(str::to_owned).ok_or_else(|| missing("it does not say its version".to_owned()))
    }

    /// A command with a plain environment; `address`: which server it is to speak to.
    pub fn command(&self, program: &str, address: Option<&Address>) -> Command {
        let mut command = Command::new(self.directory.join(program));
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").stdin(Stdio::null());
        if let Some(address) = address {
            command.envs(address.environment());
        }
        command
    }

    /// Runs a program to its end; the end of what it wrote.
    ///
    /// # Errors
    /// [`PostgresError::Ended`] when it does not end well, [`PostgresError::Program`] when it does not begin, or
    /// that time is over: then it was ended.
    pub fn run(command: Command, watch: &Watch) -> Result<String, PostgresError> {
        let (text, ended) = Self::run_for_text(command, watch)?;
        ended.map(|()| text)
    }

    /// Runs a program to its end: the end of what it wrote, and how it ended.
    ///
    /// # Errors
    /// [`PostgresError::Program`] when it does not begin, or that time is over.
    pub fn run_for_text(
        mut command: Command,
        watch: &Watch,
    ) -> Result<(String, Result<(), PostgresError>), PostgresError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(command)?;
        let out = running.child.stdout.take().map(ending);
        let ended = match running.wait(watch) {
            Err(error @ PostgresError::Ended { .. }) => Err(error),
            other => Ok(other?),
        };
        Ok((out.map(|out| out.text()).unwrap_or_default(), ended))
    }
}

/// `15` of `15.18`, `19` of `19beta1`.
pub fn major_of(version: &str) -> Option<u32> {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A program that runs, and is ended when nobody holds this any more.
pub struct Running {
    /// For its pipes.
    pub child: Child,
    name: String,
    says: Option<Ending>,
}

impl Running {
    /// Starts it in a process group of its own, so that a signal to ours does not reach it.
    ///
    /// # Errors
    /// [`PostgresError::Program`].
    pub fn start(mut command: Command) -> Result<Self, PostgresError> {
        let name = Path::new(command.get_program()).file_name();
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut child = command.process_group(0).spawn().map_err(|error| {
            PostgresError::Program(format!("`{name}` cannot be started: {error}"))
        })?;
        let says = child.stderr.take().map(ending);
        Ok(Self { child, name, says })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// As [`Programs::run`].
    pub fn wait(&mut self, watch: &Watch) -> Result<(), PostgresError> {
        loop {
            if let Some(done) = self.ended()? {
                return done;
            }
            watch.pause(LOOK)?;
        }
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// When that cannot be asked.
    pub fn ended(&mut self) -> Result<Option<Result<(), PostgresError>>, PostgresError> {
        let asked = self.child.try_wait();
        let Some(status) = asked.map_err(PostgresError::file("waiting for a program"))? else {
            return Ok(None);
        };
        if status.success() {
            return Ok(Some(Ok(())));
        }
        let mut says = self.says.as_ref().map(Ending::text).unwrap_or_default();
        if says.is_empty() {
            says = status.to_string();
        }
        Ok(Some(Err(PostgresError::Ended { program: self.name.clone(), says })))
    }

    /// Asks it to end, and ends it when it does not.
    pub fn end(&mut self) {
        let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) else {
            return;
        };
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The end of what a pipe brings, read by a thread of its own so that the writer never waits.
struct Ending {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

fn ending(mut pipe: impl Read + Send + 'static) -> Ending {
    let text: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = Arc::clone(&text);
    let thread = std::thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(read @ 1..) = pipe.read(&mut bytes) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&bytes[..read]);
            let over = kept.len().saturating_sub(SAYS_LIMIT);
            kept.drain(..over);
        }
    });
    Ending { text, thread: Mutex::new(Some(thread)) }
}

impl Ending {
    /// For a program that has ended: waits a moment for the last words.
    fn text(&self) -> String {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let until = Instant::now() + Duration::from_secs(1);
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until
        {
            std::thread::sleep(LOOK);
        }
        let kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().to_owned()
    }
}
