//! A job: what stands where an application would, for a process that has a timetable. It waits for the
//! next time, runs the command, notes how that ended, and waits again.
//!
//! It is a child of the shim, and so starts, ends and is found again as any application: whoever ends it
//! ends a run with it, and where it is not started nothing runs. It must not know of releases, roles or
//! holders, and it makes up for no time that passed without it.

pub mod pace;
mod record;
mod run;

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use friday_wire::{JobFacts, JobOutcome, Part, ProcessName, ReleaseId, Times};

use crate::app::ShimSpec;
use crate::host::Host;
use crate::note::wall_clock_ms;
use crate::place::{Place, read_json};
use crate::store::Store;
use crate::zone;
use pace::{Call, Pace};
use record::Record;
use run::Run;

/// Between two looks at the clock: it may be put forward or back.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Between two looks at a run.
const LOOK_AT_RUN_EVERY: Duration = Duration::from_millis(100);

/// Keeps the times of the process that a shim's spec names, until it is ended.
///
/// # Errors
/// One sentence, where it could not begin.
pub fn keep(spec_path: &Path) -> Result<(), String> {
    let spec: ShimSpec = read_json(spec_path)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("`{}` is not there", spec_path.display()))?;
    let place = Place::open(&spec.dir).map_err(|error| error.to_string())?;
    let manifest =
        Store::new(place.clone()).manifest(spec.app.release).map_err(|error| error.to_string())?;
    let name = spec.part.name().ok_or("only a process that has a name has times")?;
    let table = manifest.run.timetable_of(&spec.part).ok_or("this process has no times")?;
    let command = manifest.run.command_of(&spec.part).ok_or("the release has no such command")?;
    // Whatever a run leaves behind is this process's to wait for.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| format!("no subreaper: {error}"))?;
    let record = Record::open(&place, name);
    let keeper = Keeper {
        times: zone::times(table)?,
        deadline: Duration::from_millis(table.deadline_ms),
        command: command.to_owned(),
        release: spec.app.release,
        stop_signal: crate::app::signal_of(spec.unit.stop_signal),
        record,
    };
    keeper.go_on()
}

/// What a job is while it lives.
struct Keeper {
    times: Times,
    deadline: Duration,
    command: String,
    release: ReleaseId,
    stop_signal: rustix::process::Signal,
    record: Record,
}

impl Keeper {
    fn go_on(mut self) -> ! {
        let last = self.record.last().map(|last| last.due_ms);
        if let Some(due_ms) = self.record.break_off(wall_clock_ms()) {
            say(&format!("the run of {} was broken off", self.times.show(due_ms)));
        }
        let mut pace = Pace::new(self.times.clone(), last);
        let mut run: Option<Run> = None;
        let mut waits = false;
        loop {
            let now_ms = wall_clock_ms();
            match pace.look(now_ms, run.is_some()) {
                Call::None => {}
                Call::Run { due_ms } => run = self.begin(due_ms, now_ms),
                Call::LeftOut { due_ms } => self.leave_out(due_ms),
                Call::Missed { due_ms } => {
                    say(&format!("{} has passed without a run", self.times.show(due_ms)));
                }
            }
            if let Some(status) = run.as_mut().and_then(Run::look) {
                run = None;
                waits = false;
                self.end(&status);
            }
            let next_ms = pace.next_ms();
            if run.is_none() && !waits {
                waits = true;
                say(&next_ms.map_or_else(
                    || "no further time comes".to_owned(),
                    |next| format!("waits for {}", self.times.show(next)),
                ));
            }
            thread::sleep(pause(run.is_some(), next_ms, now_ms));
        }
    }

    fn begin(&mut self, due_ms: i64, now_ms: i64) -> Option<Run> {
        // First the record: a time that was not noted is not run, or it might be run twice.
        if let Err(why) = self.record.begin(self.release, due_ms, now_ms) {
            say(&format!("{} is left out: {why}", self.times.show(due_ms)));
            return None;
        }
        say(&format!("run of {}", self.times.show(due_ms)));
        match Run::begin(&self.command, self.deadline, self.stop_signal) {
            Ok(run) => Some(run),
            Err(why) => {
                self.end(&run::Status { outcome: JobOutcome::Failed, text: why });
                None
            }
        }
    }

    fn leave_out(&mut self, due_ms: i64) {
        let left_out = self.record.leave_out();
        // A job that is due each minute and takes hours would write of nothing else.
        if left_out <= 3 {
            let due = self.times.show(due_ms);
            say(&format!("{due} is left out: the run before is still at work"));
        }
    }

    fn end(&mut self, status: &run::Status) {
        let took_ms = self.record.end(wall_clock_ms(), status);
        let seconds = took_ms.div_euclid(1_000);
        let left_out = self.record.last().map_or(0, |last| last.left_out);
        let more = match left_out {
            0 => String::new(),
            1 => ", 1 time was left out".to_owned(),
            times => format!(", {times} times were left out"),
        };
        say(&format!("ended after {seconds} s: {}{more}", status.text));
    }
}

/// How long to sleep now.
fn pause(at_work: bool, next_ms: Option<i64>, now_ms: i64) -> Duration {
    if at_work {
        return LOOK_AT_RUN_EVERY;
    }
    let left = next_ms.map_or(i64::MAX, |next| next.saturating_sub(now_ms)).max(1);
    Duration::from_millis(left.unsigned_abs()).min(LOOK_EVERY)
}

/// A line among those of the command: both are read together.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "friday: {line}");
}

/// What is known of a job here.
pub fn facts(host: &Host, release: ReleaseId, part: &Part) -> Option<JobFacts> {
    let manifest = host.store.manifest(release).ok()?;
    let table = manifest.run.timetable_of(part)?;
    let name: &ProcessName = part.name()?;
    let last = Record::open(&host.place, name).last().cloned();
    let due_ms = last.as_ref().map(|last| last.due_ms);
    let next_ms =
        zone::times(table).ok().and_then(|times| pace::next(&times, due_ms, wall_clock_ms()));
    Some(JobFacts { timezone: table.timezone.clone(), next_ms, last })
}
