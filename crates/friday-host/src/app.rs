//! Applications: started under a shim of their own, found again by a later friday-host, ended whole.
//!
//! Each start has a directory `run/GENERATION` with `spec.json` (what to run), `lock` (held by the
//! shim for as long as any process of the application lives: no process id can lie about that),
//! `process.json` (who to signal) and `exit.json` (how it ended). These files are read by shims and
//! host programs of different versions: fields are only ever added.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use friday_node::App;
use friday_wire::{
    FleetName, HostName, Part, ReleaseId, SecretsVersion, StopSignal, Supervisor, UnitSpec,
};
use rustix::process::{Pid, Signal, WaitOptions};
use serde::{Deserialize, Serialize};

use crate::place::{Place, private_directory, read_json, write_json};
use crate::process;
use crate::store::is_full;
use crate::trial::leash::OnTrial;

/// How long a shim may take to start the application's first process.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How long after SIGKILL a process may need to be gone. One that hangs in the kernel stays longer;
/// that is told, not waited for.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// The file that a start has once its application said that it is ready.
pub const READY: &str = "ready";

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long an application that systemd stops may take; the unit's own limit is a little longer.
const END_DEADLINE: Duration = Duration::from_secs(80);

/// What a shim leaves, and an earlier start of the same number may have left.
pub const LEFT_BY_SHIM: [&str; 4] = ["process.json", "exit.json", READY, "notify"];

/// Directories of ended starts kept for people to look at.
const GENERATIONS_KEPT: usize = 8;

/// What a shim is told. No secret stands here: they are in a file of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShimSpec {
    /// The host's directory.
    pub dir: PathBuf,
    /// The host's name, for the application.
    pub host: HostName,
    /// What to start.
    pub app: App,
    /// What of its release.
    #[serde(default)]
    pub part: Part,
    /// Its port.
    pub port: Option<u16>,
    /// Its secrets.
    pub secrets: Option<SecretsVersion>,
    /// Who runs it, and what it may use.
    #[serde(default)]
    pub unit: UnitSpec,
    /// It says by itself when it is ready.
    #[serde(default)]
    pub notify: bool,
    /// It runs on trial, in a directory that ends with the trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<OnTrial>,
}

/// The processes of one start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// The shim; also the session's id.
    pub shim: i32,
    /// The application's first process; also its group's id.
    pub first: i32,
}

/// How a start ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// `exit status 1`, `signal 9`, or why it did not start.
    pub status: String,
    /// Whether a process of the application ever ran.
    pub ran: bool,
}

impl Ended {
    /// How the start of a generation ended; `None`: it runs, or its shim was killed.
    pub fn of(place: &Place, generation: u64) -> Option<Self> {
        read_json(&place.generation(generation).join("exit.json")).ok().flatten()
    }

    /// Whether its first process ended with 0.
    pub fn is_well(&self) -> bool {
        self.ran && self.status == crate::shim::WELL
    }
}

/// Why an application is not started or ended.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Somebody else has the port.
    #[error("{0}")]
    PortTaken(String),
    /// The shim said why.
    #[error("the application could not be started: {0}")]
    NotStarted(String),
    /// It took too long.
    #[error("the application did not start within {} s", START_DEADLINE.as_secs())]
    Slow,
    /// Killed and still there.
    #[error("process {0} cannot be ended: it ignores SIGKILL, as one that waits for a disk does")]
    Unkillable(i32),
    /// The supervisor.
    #[error("{supervisor} could not start it: {why}")]
    Unit {
        /// Which.
        supervisor: Supervisor,
        /// One sentence.
        why: String,
    },
    /// The disk.
    #[error("the start's record could not be written: {0}")]
    Io(#[from] io::Error),
}

impl AppError {
    /// Whether no application could be started here now, whatever its release is like.
    pub fn is_the_hosts(&self) -> bool {
        match self {
            Self::PortTaken(_) => true,
            Self::Io(error) => is_full(error),
            Self::NotStarted(_) | Self::Slow | Self::Unkillable(_) | Self::Unit { .. } => false,
        }
    }
}

/// Who is told when an application ends by itself.
pub type OnExit = Box<dyn Fn(App, String, Vec<String>) + Send + Sync>;

/// Whether an application's end is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Running,
    Stopping,
}

/// One thread that waits for an application's end. A generation can be started again before the
/// thread of its first start has gone: the turn tells them apart.
#[derive(Debug, Clone, Copy)]
struct Watch {
    turn: u64,
    expected: Expected,
}

/// The applications of one directory.
pub struct Apps {
    place: Place,
    fleet: FleetName,
    watched: Mutex<BTreeMap<u64, Watch>>,
    on_exit: OnExit,
}

impl std::fmt::Debug for Apps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apps").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl Apps {
    /// None yet; see [`adopt`].
    pub fn new(place: Place, fleet: FleetName, on_exit: OnExit) -> Self {
        Self { place, fleet, watched: Mutex::default(), on_exit }
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Watch>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any process of this start lives.
    pub fn is_alive(&self, app: App) -> bool {
        is_locked(&self.place.generation(app.generation))
    }

    /// Who runs a release's application now.
    pub fn supervisor(&self, release: ReleaseId) -> Option<Supervisor> {
        generations(&self.place).into_values().rev().find_map(|dir| {
            let spec: ShimSpec = read_json(&dir.join("spec.json")).ok().flatten()?;
            (spec.app.release == release && is_locked(&dir)).then_some(spec.unit.supervisor)
        })
    }

    /// Whether it said that it is ready.
    pub fn is_ready(&self, app: App) -> bool {
        self.place.generation(app.generation).join(READY).exists()
    }

    /// What a start was told, for probes that run a command as the application would.
    pub fn spec(&self, app: App) -> Option<ShimSpec> {
        read_json(&self.place.generation(app.generation).join("spec.json")).ok().flatten()
    }
}

/// Starts an application; one that runs is left alone.
///
/// # Errors
/// When its port is taken or it cannot be started at all. One that starts and ends at once was
/// started: its end is told like any other.
pub fn start(apps: &'static Apps, spec: &ShimSpec) -> Result<(), AppError> {
    let dir = apps.place.generation(spec.app.generation);
    if is_locked(&dir) {
        watch(apps, spec.app, None);
        return Ok(());
    }
    // The one who listens may be the very application that an adopted release is about.
    let adopted = crate::adopted::of(&apps.place, spec.app.release).is_some();
    // So may the one that a command on trial is run beside.
    let beside = spec.trial.as_ref().is_some_and(|trial| trial.command.is_some());
    let asks = !adopted && !beside;
    if let Some(taken) = spec.port.filter(|_| asks).and_then(crate::port::taken) {
        return Err(AppError::PortTaken(taken));
    }
    private_directory(&dir)?;
    write_json(&dir.join("spec.json"), spec)?;
    forget_old(&apps.place);
    let shim = match spec.unit.supervisor {
        Supervisor::Own => Some(start_own(apps, &dir)?),
        supervisor @ (Supervisor::UserUnits | Supervisor::SystemUnits) => {
            // Nobody has the lock: what lies here is of an earlier start, and must not pass for this one's.
            for left in LEFT_BY_SHIM {
                crate::tree::remove_tree(&dir.join(left))?;
            }
            crate::unit::start(&apps.place, &apps.fleet, spec)
                .map_err(|why| AppError::Unit { supervisor, why })?;
            None
        }
    };
    let shim = await_start(&dir, shim)?;
    watch(apps, spec.app, shim);
    Ok(())
}

fn start_own(apps: &Apps, dir: &Path) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg("run")
        .arg("--spec")
        .arg(dir.join("spec.json"))
        .current_dir(apps.place.dir())
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
}

/// Waits until the shim has written that the first process runs, or why not. A shim that an earlier
/// serving process started just before it died may be the one that gets the lock: as good.
/// One that systemd starts is nobody's child here.
fn await_start(dir: &Path, mut shim: Option<Child>) -> Result<Option<Child>, AppError> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        let locked = is_locked(dir);
        let runs = running(dir).is_some_and(|r| process::start_time(r.shim).is_some());
        if locked && runs {
            return Ok(shim);
        }
        let gone = shim.as_mut().map(Child::try_wait).transpose()?.flatten();
        if !locked && (gone.is_some() || shim.is_none()) {
            let ended: Option<Ended> = read_json(&dir.join("exit.json")).ok().flatten();
            match (ended, gone) {
                (Some(ended), _) if ended.ran => return Ok(shim),
                (Some(ended), _) => return Err(AppError::NotStarted(ended.status)),
                (None, Some(status)) => {
                    let why = format!("its supervisor ended with {status}");
                    return Err(AppError::NotStarted(why));
                }
                (None, None) => {}
            }
        }
        if Instant::now() > deadline {
            if let Some(shim) = &mut shim {
                let _ = shim.kill();
                let _ = shim.wait();
            }
            return Err(AppError::Slow);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Finds applications that an earlier process of friday-host started, and watches over them. What is
/// left of others, whose shim was killed, is killed too: nobody would hear of its end.
pub fn adopt(apps: &'static Apps) -> Vec<App> {
    let mut alive = Vec::new();
    for (_, dir) in generations(&apps.place) {
        let Some(spec) = read_json::<ShimSpec>(&dir.join("spec.json")).ok().flatten() else {
            continue;
        };
        if is_locked(&dir) {
            alive.push(spec.app);
            watch(apps, spec.app, None);
        } else {
            kill_orphans(&dir, spec.app);
        }
    }
    alive
}

fn generations(place: &Place) -> BTreeMap<u64, PathBuf> {
    let Ok(entries) = fs::read_dir(place.join("run")) else { return BTreeMap::new() };
    entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect()
}

fn forget_old(place: &Place) {
    for (_, dir) in generations(place).into_iter().rev().skip(GENERATIONS_KEPT) {
        if !is_locked(&dir) {
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

/// Ends an application: SIGTERM, and after the grace SIGKILL, until no process of it is left.
///
/// # Errors
/// When a process survives SIGKILL.
pub fn stop(apps: &'static Apps, app: App, grace: Duration) -> Result<(), AppError> {
    let dir = apps.place.generation(app.generation);
    if let Some(watch) = apps.watched().get_mut(&app.generation) {
        watch.expected = Expected::Stopping;
    }
    if is_locked(&dir) {
        signal(&dir, stop_signal(&dir));
        let gentle = Instant::now() + grace;
        while Instant::now() < gentle && is_locked(&dir) {
            thread::sleep(LOOK_EVERY);
        }
    }
    let deadline = Instant::now() + KILL_DEADLINE;
    while is_locked(&dir) {
        signal(&dir, Signal::KILL);
        if Instant::now() > deadline {
            return Err(AppError::Unkillable(running(&dir).map_or(0, |running| running.first)));
        }
        thread::sleep(LOOK_EVERY);
    }
    kill_orphans(&dir, app);
    Ok(())
}

/// What a start is asked to end with.
fn stop_signal(dir: &Path) -> Signal {
    let spec: Option<ShimSpec> = read_json(&dir.join("spec.json")).ok().flatten();
    signal_of(spec.map(|spec| spec.unit.stop_signal).unwrap_or_default())
}

/// The system's signal of that name.
pub fn signal_of(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
        StopSignal::Winch => Signal::WINCH,
    }
}

/// For a unit that systemd stops, at a shutdown or for a person: asks the application whose shim this
/// is to end, and waits until it has. What is left then, systemd kills.
pub fn end(place: &Place, shim: i32) {
    let ours = |dir: &PathBuf| running(dir).is_some_and(|running| running.shim == shim);
    let Some(dir) = generations(place).into_values().rev().find(ours) else { return };
    signal(&dir, stop_signal(&dir));
    let deadline = Instant::now() + END_DEADLINE;
    while is_locked(&dir) && Instant::now() < deadline {
        thread::sleep(LOOK_EVERY);
    }
}

/// Ends every application of a directory that nobody serves, and what is left of it.
///
/// # Errors
/// When a process survives SIGKILL.
pub fn end_all(apps: &'static Apps) -> Result<(), AppError> {
    for dir in generations(&apps.place).into_values() {
        if let Some(spec) = read_json::<ShimSpec>(&dir.join("spec.json")).ok().flatten() {
            stop(apps, spec.app, Duration::ZERO)?;
        }
    }
    Ok(())
}

/// The processes of a start, once its shim has told them.
pub fn processes(place: &Place, generation: u64) -> Option<Running> {
    running(&place.generation(generation))
}

fn running(dir: &Path) -> Option<Running> {
    read_json(&dir.join("process.json")).ok().flatten()
}

/// Signals the group, and every descendant that left it.
fn signal(dir: &Path, signal: Signal) {
    // The shim holds the lock, so its id and its group's are still theirs.
    if let Some(running) = running(dir) {
        let elsewhere = process::descendants(running.shim);
        process::send_to_group(running.first, signal);
        for process in elsewhere.iter().filter(|process| process.group != running.first) {
            process::send(process.pid, signal);
        }
    }
}

/// Kills what outlived its shim, which somebody must have killed.
fn kill_orphans(dir: &Path, app: App) {
    let Some(running) = running(dir) else { return };
    let mark = format!("FRIDAY_RELEASE={}", app.release);
    let deadline = Instant::now() + KILL_DEADLINE;
    loop {
        // A living leader that is not the shim means that the number was given to somebody else.
        let orphans = if process::start_time(running.shim).is_some() {
            Vec::new()
        } else {
            process::orphans_of_session(running.shim, &mark)
        };
        for process in &orphans {
            process::send(process.pid, Signal::KILL);
        }
        if orphans.is_empty() || Instant::now() > deadline {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Waits, in a thread of its own, for the application's end, and tells it unless it was asked for.
fn watch(apps: &'static Apps, app: App, shim: Option<Child>) {
    let turn = {
        let mut watched = apps.watched();
        let before = watched.get(&app.generation).map(|watch| watch.turn);
        if shim.is_none() && before.is_some() {
            return;
        }
        let turn = before.map_or(0, |before| before + 1);
        watched.insert(app.generation, Watch { turn, expected: Expected::Running });
        turn
    };
    let dir = apps.place.generation(app.generation);
    let waiting = thread::Builder::new().name(format!("app {}", app.generation));
    let spawned = waiting.spawn(move || {
        wait_for_lock(&dir);
        match shim {
            Some(mut shim) => {
                let _ = shim.wait();
            }
            None => reap(&dir),
        }
        kill_orphans(&dir, app);
        let ended: Option<Ended> = read_json(&dir.join("exit.json")).ok().flatten();
        let status = ended.map_or_else(|| "its supervisor was killed".to_owned(), |e| e.status);
        let ours = {
            let mut watched = apps.watched();
            let ours = watched.get(&app.generation).copied().filter(|watch| watch.turn == turn);
            if ours.is_some() {
                watched.remove(&app.generation);
            }
            ours
        };
        if ours.is_some_and(|watch| watch.expected == Expected::Running) {
            let part = apps.spec(app).map(|spec| spec.part).unwrap_or_default();
            (apps.on_exit)(app, status, last_output(&apps.place, app, &part));
        }
    });
    if spawned.is_err() {
        crate::note::note("an application's end will not be noticed: no thread could be made");
    }
}

/// The last lines that an application's release wrote.
pub fn last_output(place: &Place, app: App, part: &Part) -> Vec<String> {
    let told = u32::try_from(crate::command::LINES_TOLD).unwrap_or(u32::MAX);
    let spec: Option<ShimSpec> =
        read_json(&place.generation(app.generation).join("spec.json")).ok().flatten();
    let supervisor = spec.map(|spec| spec.unit.supervisor).unwrap_or_default();
    output(place, app.release, part, supervisor, told).unwrap_or_default()
}

/// The last lines that a release wrote under a supervisor: units write into the system's journal.
///
/// # Errors
/// One sentence.
pub fn output(
    place: &Place,
    release: ReleaseId,
    part: &Part,
    supervisor: Supervisor,
    lines: u32,
) -> Result<Vec<String>, String> {
    let fleet = place.owner().map_err(|error| error.to_string())?.map(|owner| owner.fleet);
    match (supervisor, fleet) {
        (Supervisor::UserUnits | Supervisor::SystemUnits, Some(fleet)) => {
            crate::journald::last_lines(&crate::journald::identifier(&fleet, release, part), lines)
        }
        _ => crate::output::last_lines(&place.output(release, part), lines)
            .map_err(|e| e.to_string()),
    }
}

/// After starting over, shims of the image before are still this process's children.
fn reap(dir: &Path) {
    if let Some(shim) = running(dir).and_then(|running| Pid::from_raw(running.shim)) {
        let _ = rustix::process::waitpid(Some(shim), WaitOptions::empty());
    }
}

fn wait_for_lock(dir: &Path) {
    if let Ok(lock) = File::open(dir.join("lock")) {
        let _ = lock.lock_shared();
    }
}

/// Whether a shim holds the lock of a start.
fn is_locked(dir: &Path) -> bool {
    File::open(dir.join("lock"))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Takes the lock of a start, for the shim. Others look at it for moments only.
///
/// # Errors
/// When another shim holds it.
pub fn take_lock(dir: &Path) -> io::Result<File> {
    let path = dir.join("lock");
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Err(std::fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    }
}
