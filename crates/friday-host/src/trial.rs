//! A release on trial: run beside the one that serves, in no rotation and for nobody, against a copy of a database.
//!
//! One process for each connection, which never goes through the serving one. It reads the host's manifests, store
//! and secrets, and changes nothing of the host's: what it makes lies in a directory of its own ([`ground`]), where
//! `shared` is empty and private, and goes with the connection. What it runs is kept by shims, which end it when this
//! process ends, however it does ([`leash`]). [`conversation`] speaks frames.

mod conversation;
mod ground;
pub mod leash;
mod port;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use friday_node::App;
use friday_wire::trial::{
    TRIAL_WIRE_VERSION, TRIAL_WIRE_VERSION_MIN, TrialAnswer, TrialEnvironment, TrialRequest,
};
use friday_wire::{
    Adopted, HealthSpec, HealthState, Manifest, Part, ReleaseId, Sample, Streak, Supervisor,
    UnitSpec,
};
use rustix::process::{Signal, getpid};

use crate::app::{self, Apps, Ended, ShimSpec};
use crate::command::{CommandFailure, LINES_TOLD};
use crate::environment::is_settable;
use crate::place::{Owner, Place, PlaceError, ReadError, read_json, write_json};
use crate::probe::{Asked, ask};
use crate::process;
use crate::store::Store;
use crate::tree::remove_tree;
pub use conversation::over_standard_streams;
use ground::Ground;
pub use ground::await_end;
use leash::OnTrial;

/// The most releases of one trial: the old one, the new one, and some to spare.
const RELEASES_MAX: usize = 8;

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// Between two looks at what runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The shortest pause between two probes, whatever a release says.
const PROBE_EVERY_MIN: Duration = Duration::from_millis(10);

/// Why there is no trial.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody has used it yet.
    #[error("`{0}` belongs to no fleet yet")]
    NoOwner(String),
    /// It is another's.
    #[error(
        "this directory belongs to host `{found_host}` of fleet `{found_fleet}`, not to `{host}` of `{fleet}`"
    )]
    Foreign {
        /// Whose it is.
        found_fleet: String,
        /// Which host.
        found_host: String,
        /// For whom it was taken.
        fleet: String,
        /// Which host.
        host: String,
    },
    /// No version in common.
    #[error(
        "friday {friday} speaks versions {wire_min} to {wire} of this protocol, this friday-host \
         {TRIAL_WIRE_VERSION_MIN} to {TRIAL_WIRE_VERSION}"
    )]
    Version {
        /// friday's.
        friday: String,
        /// The oldest it understands.
        wire_min: u32,
        /// What it speaks.
        wire: u32,
    },
    /// The directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Whose it is cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No directory for the trial.
    #[error("a directory for the trial could not be made: {0}")]
    Io(#[from] io::Error),
}

/// What one connection tries.
#[derive(Debug)]
pub struct Trial {
    /// The host's directory, which is only read.
    host: Place,
    owner: Owner,
    ground: Ground,
    apps: &'static Apps,
    built: BTreeMap<ReleaseId, Manifest>,
    /// What was started last.
    started: Option<App>,
    /// Its port.
    port: Option<u16>,
    /// The number of the last start, of a command too.
    generation: u64,
    closed: Arc<AtomicBool>,
}

fn failed(why: String) -> TrialAnswer {
    TrialAnswer::Failed { why, log: Vec::new(), ms: 0 }
}

fn plain(why: impl ToString) -> CommandFailure {
    CommandFailure { why: why.to_string(), log: Vec::new() }
}

impl Trial {
    /// Begins one, and puts away what earlier ones left.
    fn begin(
        (dir, asked): (&Path, &Owner),
        named: &Owner,
        closed: &Arc<AtomicBool>,
    ) -> Result<Self, Refusal> {
        let shown = dir.display().to_string();
        // Opening a directory makes it, and a trial makes no host.
        if !dir.join("host.json").exists() {
            return Err(Refusal::NoOwner(shown));
        }
        let host = Place::open(dir)?;
        let owner = host.owner()?.ok_or(Refusal::NoOwner(shown))?;
        if let Some(other) = [asked, named].into_iter().find(|other| **other != owner) {
            return Err(Refusal::Foreign {
                found_fleet: owner.fleet.to_string(),
                found_host: owner.host.to_string(),
                fleet: other.fleet.to_string(),
                host: other.host.to_string(),
            });
        }
        ground::sweep(&host, &owner.fleet);
        let ground = Ground::make(&host, &owner.fleet)?;
        let apps = Apps::new(ground.place.clone(), owner.fleet.clone(), Box::new(|_, _, _| {}));
        Ok(Self {
            // As long as the process.
            apps: Box::leak(Box::new(apps)),
            host,
            owner,
            ground,
            built: BTreeMap::new(),
            started: None,
            port: None,
            generation: 0,
            closed: Arc::clone(closed),
        })
    }

    fn answer(&mut self, request: TrialRequest) -> TrialAnswer {
        let begun = Instant::now();
        let (result, passed): (_, fn(u64) -> TrialAnswer) = match request {
            TrialRequest::Hello { .. } => (Err(plain("the greeting came already")), done),
            TrialRequest::Build { release } => (self.build(release), done),
            TrialRequest::Run { release, command, with, timeout_ms } => {
                let timeout = Duration::from_millis(timeout_ms);
                (self.run(release, &command, &with, timeout), |ms| TrialAnswer::Passed { ms })
            }
            TrialRequest::Start { release, with, timeout_ms } => {
                let timeout = Duration::from_millis(timeout_ms);
                (self.start(release, &with, timeout), |ms| TrialAnswer::Passed { ms })
            }
            TrialRequest::Stop => (self.stop(), done),
        };
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(()) => passed(ms),
            Err(CommandFailure { why, log }) => TrialAnswer::Failed { why, log, ms },
        }
    }

    fn build(&mut self, release: ReleaseId) -> Result<(), CommandFailure> {
        if self.built.contains_key(&release) {
            return Ok(());
        }
        if self.built.len() >= RELEASES_MAX {
            let why = format!("no more than {RELEASES_MAX} releases are tried on one connection");
            return Err(plain(why));
        }
        let store = Store::new(self.host.clone());
        let manifest = store.manifest(release).map_err(plain)?;
        manifest.check().map_err(plain)?;
        if Adopted::of(&manifest.run).is_some() {
            return Err(plain(format!(
                "release {} was adopted: friday does not have what it runs, and cannot run it twice",
                release.short()
            )));
        }
        let apart = &self.ground.place;
        // What an attempt before left.
        remove_tree(&apart.tree(release)).map_err(plain)?;
        crate::tree::copy_apart(&self.host, &store, &manifest, (apart, release)).map_err(plain)?;
        write_json(&apart.manifest(release), &manifest).map_err(plain)?;
        self.built.insert(release, manifest);
        Ok(())
    }

    fn manifest(&self, release: ReleaseId) -> Result<&Manifest, CommandFailure> {
        self.built.get(&release).ok_or_else(|| {
            plain(format!("release {} was not built for this trial", release.short()))
        })
    }

    fn run(
        &mut self,
        release: ReleaseId,
        command: &str,
        with: &TrialEnvironment,
        timeout: Duration,
    ) -> Result<(), CommandFailure> {
        self.manifest(release)?;
        let app = self.begin_start(release, Some(command), with)?;
        self.see_through(app, timeout)
    }

    /// Waits for a command's end. What it left behind is ended with it.
    fn see_through(&self, app: App, timeout: Duration) -> Result<(), CommandFailure> {
        let deadline = Instant::now() + timeout;
        let first = app::processes(&self.ground.place, app.generation).map(|running| running.first);
        let born = first.and_then(process::start_time);
        let runs = || {
            let same = first.is_some_and(|pid| born.is_some() && process::start_time(pid) == born);
            same && self.apps.is_alive(app)
        };
        while runs() && Instant::now() < deadline && !self.is_closed() {
            thread::sleep(LOOK_EVERY);
        }
        let killed = runs();
        app::stop(self.apps, app, Duration::ZERO).map_err(plain)?;
        let ended = Ended::of(&self.ground.place, app.generation);
        let why = match ended {
            _ if self.is_closed() => "the connection ended".to_owned(),
            _ if killed => format!("the command was killed after {} s", timeout.as_secs_f32()),
            Some(ended) if ended.is_well() => return Ok(()),
            Some(ended) => format!("the command ended with {}", ended.status),
            None => "the command was killed".to_owned(),
        };
        Err(CommandFailure { why, log: self.log(app) })
    }

    fn start(
        &mut self,
        release: ReleaseId,
        with: &TrialEnvironment,
        timeout: Duration,
    ) -> Result<(), CommandFailure> {
        let run = self.manifest(release)?.run.clone();
        if self.started.is_some_and(|app| self.apps.is_alive(app)) {
            return Err(plain("one runs already; stop it first"));
        }
        if run.command.is_none() {
            return Ok(());
        }
        let deadline = Instant::now() + timeout;
        self.port = Some(port::free(&self.host, &self.owner).map_err(plain)?);
        let app = self.begin_start(release, None, with)?;
        self.started = Some(app);
        let healthy = self.await_health(app, &run.health, with, deadline);
        if let Err(failure) = healthy {
            // Its last lines may come with its end.
            self.stop()?;
            return Err(CommandFailure { log: self.log(app), ..failure });
        }
        Ok(())
    }

    fn await_health(
        &mut self,
        app: App,
        health: &HealthSpec,
        with: &TrialEnvironment,
        deadline: Instant,
    ) -> Result<(), CommandFailure> {
        let begun = Instant::now();
        let mut streak = Streak::default();
        loop {
            let sample = self.sample(app, health, with, deadline);
            // How a probe ends that was given up says nothing.
            if !self.apps.is_alive(app) {
                return Err(plain(self.epitaph(app)));
            }
            // One that the deadline cut short says less than the one before it.
            let was_cut = Instant::now() >= deadline && sample != Sample::Pass;
            if was_cut && streak.last_failure().is_some() {
                return Err(plain(unhealthy(&streak)));
            }
            let now_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            if *streak.add(now_ms, &sample, health) == HealthState::Healthy {
                return Ok(());
            }
            let pause = Duration::from_millis(match streak.has_passed() {
                true => health.interval_later_ms,
                false => health.interval_first_ms,
            });
            let next = Instant::now() + pause.max(PROBE_EVERY_MIN);
            while Instant::now() < next {
                if self.is_closed() {
                    return Err(plain("the connection ended"));
                }
                if Instant::now() >= deadline {
                    return Err(plain(unhealthy(&streak)));
                }
                if !self.apps.is_alive(app) {
                    return Err(plain(self.epitaph(app)));
                }
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Probes as the host does; a check's command runs as a command on trial, so that it ends with the trial.
    fn sample(
        &mut self,
        app: App,
        health: &HealthSpec,
        with: &TrialEnvironment,
        deadline: Instant,
    ) -> Sample {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let health = HealthSpec { timeout_ms: health.timeout_ms.min(left), ..health.clone() };
        let (apps, port) = (self.apps, self.port);
        let store = Store::new(self.ground.place.clone());
        let asked = Asked { apps, store: &store, app, part: &Part::Run, port, health: &health };
        ask(asked, |command, timeout| self.run(app.release, command, with, timeout))
    }

    fn epitaph(&self, app: App) -> String {
        let ended = Ended::of(&self.ground.place, app.generation);
        let status = ended.map_or_else(|| "its supervisor was killed".to_owned(), |it| it.status);
        format!("it ended before it was healthy: {status}")
    }

    fn stop(&mut self) -> Result<(), CommandFailure> {
        match self.started {
            Some(app) => app::stop(self.apps, app, GRACE).map_err(plain),
            None => Ok(()),
        }
    }

    /// Begins what the release runs, or a command in its tree.
    fn begin_start(
        &mut self,
        release: ReleaseId,
        command: Option<&str>,
        with: &TrialEnvironment,
    ) -> Result<App, CommandFailure> {
        if self.is_closed() {
            return Err(plain("the connection ended"));
        }
        let run = &self.manifest(release)?.run;
        let (unit, notify) = (run.unit, command.is_none() && run.health.notify);
        self.generation += 1;
        let app = App { release, generation: self.generation };
        let place = &self.ground.place;
        self.take_secrets(with)?;
        let dir = place.generation(app.generation);
        crate::place::private_directory(&dir).map_err(plain)?;
        let mut instead = with.instead.clone();
        instead.insert("FRIDAY_REHEARSAL".to_owned(), "1".to_owned());
        instead.extend([self.ground.mark()]);
        if let Some((name, _)) = instead.iter().find(|(name, value)| !is_settable(name, value)) {
            let name = crate::output::shown(name.as_bytes());
            return Err(plain(format!("the variable `{name}` cannot be given to a program")));
        }
        write_json(&dir.join(leash::INSTEAD), &instead).map_err(plain)?;
        let spec = ShimSpec {
            dir: place.dir().to_owned(),
            host: self.owner.host.clone(),
            app,
            part: Part::Run,
            port: self.port,
            secrets: with.secrets.clone(),
            unit: UnitSpec { supervisor: Supervisor::Own, ..unit },
            notify,
            trial: Some(OnTrial { command: command.map(str::to_owned) }),
        };
        app::start(self.apps, &spec)
            .map(|()| app)
            .map_err(|error| CommandFailure { why: error.to_string(), log: self.log(app) })
    }

    /// Copies the set, so that the host may forget it meanwhile.
    fn take_secrets(&self, with: &TrialEnvironment) -> Result<(), CommandFailure> {
        let Some(version) = &with.secrets else { return Ok(()) };
        let missing = || plain(format!("the secrets {version} are not on this host"));
        if !crate::place::is_plain_name(version.as_str()) {
            return Err(missing());
        }
        let to = self.ground.place.secrets(version);
        if to.exists() {
            return Ok(());
        }
        let values: BTreeMap<String, String> =
            read_json(&self.host.secrets(version)).map_err(plain)?.ok_or_else(missing)?;
        write_json(&to, &values).map_err(plain)
    }

    fn log(&self, app: App) -> Vec<String> {
        let path = self.ground.place.generation(app.generation).join(leash::OUTPUT);
        let told = u32::try_from(LINES_TOLD).unwrap_or(u32::MAX);
        crate::output::last_lines(&path, told).unwrap_or_default()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Ends all that runs, and removes all that was made.
    fn end(self) -> io::Result<()> {
        // One that cannot be killed is nobody's to wait for; the next trial tries again.
        app::end_all(self.apps).map_err(io::Error::other)?;
        for process in process::descendants(getpid().as_raw_nonzero().get()) {
            process::send(process.pid, Signal::KILL);
        }
        self.ground.put_away()
    }
}

fn unhealthy(streak: &Streak) -> String {
    let last = streak.last_failure().unwrap_or("its checks passed, but not for long enough");
    format!("it did not become healthy in time: {last}")
}

fn done(_: u64) -> TrialAnswer {
    TrialAnswer::Ok
}
