//! A rehearsal: a copy of the database is opened beside it, and the new release and the old one are tried against it on a
//! host of the fleet, in the order in which a push and its way back would meet it.
//!
//! It measures; what that means for a push is judged in core. Nothing here changes the live database, or what the host
//! runs. Dropped in the middle, both connections end, and what they began is put away at the far ends.

use std::time::{Duration, Instant};

use friday_wire::ReleaseId;
use friday_wire::data::{
    CopyAddress, CopySeen, DataAnswer, DataRequest, DrillTarget, Invariant, LockSeen, Mask, Masked,
    OpenedCopy, RehearsalReport, RehearsalStep, RehearsedStep, SchemaChange, StepResult,
};
use friday_wire::trial::TrialEnvironment;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::data::{DataError, DataSession};
use crate::fleet::trial::{TrialError, TrialLink};

/// What a look at the copy may take.
const LOOK_LIMIT: Duration = Duration::from_secs(120);

/// Locks told.
const LOCKS_MAX: usize = 32;

/// What is rehearsed.
#[derive(Debug, Clone)]
pub struct Script {
    /// The release that shall be pushed.
    pub new: ReleaseId,
    /// The one that runs, and would be gone back to.
    pub old: Option<ReleaseId>,
    /// The migration, and how long it may take.
    pub migration: Option<(String, Duration)>,
    /// The command that undoes it.
    pub back: Option<String>,
    /// Writes through the new release.
    pub write: Option<String>,
    /// Reads through the old one.
    pub read: Option<String>,
    /// What must hold.
    pub invariants: Vec<Invariant>,
    /// How long each command may take.
    pub limit: Duration,
    /// How long a release may take to become healthy.
    pub health_limit: Duration,
    /// How long opening the copy may take.
    pub open_limit: Duration,
}

/// What a rehearsal is held between.
pub struct Stage {
    /// The program beside the database.
    pub copy: DataSession,
    /// A host's trial.
    pub trial: TrialLink,
    /// What takes personal data out of the copy before a release sees it.
    pub mask: Option<Mask>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The copy.
    #[error(transparent)]
    Copy(#[from] DataError),
    /// The trial's host went away, or a tree could not be made.
    #[error("the host where releases are tried: {0}")]
    Trial(TrialError),
    /// What must hold does not hold before anything was tried.
    #[error("on the copy, before anything was tried: {0}")]
    BrokenBefore(String),
    /// A release was told of the copy, and nobody came there.
    #[error("{0} was told of the copy, and nothing came there: it went to another database")]
    Elsewhere(RehearsalStep),
    /// An answer to another question.
    #[error("the program beside the database answered another question")]
    Strange,
}

/// How a release on the copy's host is told of it: a path, or a connection string as libpq takes it.
pub fn place_of(address: &CopyAddress) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match address {
        CopyAddress::Sqlite { path } => path.clone(),
        CopyAddress::Postgres { directory, port, role, database } => format!(
            "postgresql://{}@/{}?host={}&port={port}",
            encoded(role),
            encoded(database),
            encoded(directory),
        ),
    }
}

/// What a person is shown of a rehearsal while it goes on. Output of releases is for nobody else.
pub trait Audience {
    /// The copy was masked.
    fn masked(&mut self, masked: &Masked);
    /// A step begins.
    fn begins(&mut self, step: &str);
    /// A step ended; `log`: the last lines that were written, where it failed.
    fn ended(&mut self, step: &RehearsedStep, log: &[String]);
}

/// Rehearses. `surroundings` makes what a release is given from the copy's place.
///
/// # Errors
/// Why it came to no end.
pub async fn rehearse(
    stage: Stage,
    script: &Script,
    surroundings: impl FnOnce(&CopyAddress) -> TrialEnvironment,
    audience: &mut dyn Audience,
) -> Result<RehearsalReport, RehearsalError> {
    let Stage { mut copy, trial, mask } = stage;
    audience.begins("opening a copy of the database");
    let opened = open(&mut copy, script.open_limit, mask).await?;
    if let Some(masked) = &opened.masked {
        audience.masked(masked);
    }
    let with = surroundings(&opened.address);
    let mut scene = Scene {
        copy,
        trial,
        script,
        with,
        audience,
        steps: Vec::new(),
        locks: Vec::new(),
        schema: SchemaChange::None,
    };
    scene.prepare().await?;
    scene.play().await?;
    scene.copy.ask(LOOK_LIMIT, |database| DataRequest::Shut { database }, |_| {}).await?;
    Ok(scene.report(opened))
}

async fn open(
    copy: &mut DataSession,
    limit: Duration,
    mask: Option<Mask>,
) -> Result<OpenedCopy, RehearsalError> {
    let timeout_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let request =
        |database| DataRequest::Open { database, target: DrillTarget::Newest, timeout_ms, mask };
    match copy.ask(limit + LOOK_LIMIT, request, |_| {}).await? {
        DataAnswer::Opened { copy } => Ok(copy),
        _ => Err(RehearsalError::Strange),
    }
}

struct Scene<'a> {
    copy: DataSession,
    trial: TrialLink,
    script: &'a Script,
    with: TrialEnvironment,
    audience: &'a mut dyn Audience,
    steps: Vec<RehearsedStep>,
    locks: Vec<LockSeen>,
    schema: SchemaChange,
}

/// The steps of one look at a release: its start, what the team asks of it, and the invariants after that.
#[derive(Clone, Copy)]
struct Act {
    release: ReleaseId,
    health: RehearsalStep,
    asks: RehearsalStep,
    invariants: RehearsalStep,
}

impl Scene<'_> {
    /// Trees, and a first look: what is wrong by now is nobody's fault who is tried.
    async fn prepare(&mut self) -> Result<(), RehearsalError> {
        self.audience.begins("making the releases' trees");
        for release in [Some(self.script.new), self.script.old].into_iter().flatten() {
            self.trial.build(release).await.map_err(RehearsalError::Trial)?;
        }
        match self.broken().await? {
            Some(broken) => Err(RehearsalError::BrokenBefore(broken)),
            None => Ok(()),
        }
    }

    async fn play(&mut self) -> Result<(), RehearsalError> {
        let before = self.look().await?;
        let script = self.script;
        let migrated = match &script.migration {
            Some((command, limit)) => {
                let (command, limit) = (command.clone(), *limit);
                let passed = self.run(RehearsalStep::Migrate, script.new, &command, limit).await?;
                let seen = self.look().await?;
                self.compare(&before, seen, RehearsalStep::Migrate, passed)?;
                passed
            }
            None => true,
        };
        let new = Act {
            release: script.new,
            health: RehearsalStep::NewHealth,
            asks: RehearsalStep::NewWrite,
            invariants: RehearsalStep::NewInvariants,
        };
        let works = if migrated {
            let works = self.act(new, script.write.as_deref()).await?;
            let seen = self.look().await?;
            let comes = works && script.migration.is_none();
            self.compare(&before, seen, RehearsalStep::NewHealth, comes)?;
            works
        } else {
            self.skip(&[new.health, new.asks, new.invariants]);
            false
        };
        let Some(old) = script.old.filter(|_| works) else {
            self.skip(&[
                RehearsalStep::OldHealth,
                RehearsalStep::OldRead,
                RehearsalStep::OldInvariants,
            ]);
            return Ok(());
        };
        self.go_back(old).await
    }

    /// The old release on what there is now, and after the migration back.
    async fn go_back(&mut self, old: ReleaseId) -> Result<(), RehearsalError> {
        let script = self.script;
        let as_it_is = Act {
            release: old,
            health: RehearsalStep::OldHealth,
            asks: RehearsalStep::OldRead,
            invariants: RehearsalStep::OldInvariants,
        };
        self.act(as_it_is, script.read.as_deref()).await?;
        let Some(back) = &script.back else { return Ok(()) };
        let after = Act {
            release: old,
            health: RehearsalStep::BackHealth,
            asks: RehearsalStep::BackRead,
            invariants: RehearsalStep::BackInvariants,
        };
        if self.run(RehearsalStep::MigrateBack, script.new, back, script.limit).await? {
            self.act(after, script.read.as_deref()).await.map(drop)
        } else {
            self.skip(&[after.health, after.asks, after.invariants]);
            Ok(())
        }
    }

    /// Starts a release, asks it, and stops it; whether all of that passed.
    async fn act(&mut self, act: Act, asks: Option<&str>) -> Result<bool, RehearsalError> {
        let script = self.script;
        self.audience.begins(&act.health.to_string());
        let started = self.trial.start(act.release, self.with.clone(), script.health_limit).await;
        if !self.take(act.health, started)? {
            self.stop().await?;
            self.skip(&[act.asks, act.invariants]);
            return Ok(false);
        }
        let mut passed = match asks {
            Some(command) => self.run(act.asks, act.release, command, script.limit).await?,
            None => {
                self.skip(&[act.asks]);
                true
            }
        };
        if script.invariants.is_empty() {
            self.skip(&[act.invariants]);
        } else {
            self.audience.begins(&act.invariants.to_string());
            let began = Instant::now();
            let result = match self.broken().await? {
                None => StepResult::Passed,
                Some(why) => StepResult::Failed { why },
            };
            passed &= result == StepResult::Passed;
            self.note(act.invariants, began.elapsed(), result, &[]);
        }
        self.stop().await?;
        Ok(passed)
    }

    async fn stop(&mut self) -> Result<(), RehearsalError> {
        self.trial.stop().await.map_err(RehearsalError::Trial)
    }

    async fn run(
        &mut self,
        step: RehearsalStep,
        release: ReleaseId,
        command: &str,
        limit: Duration,
    ) -> Result<bool, RehearsalError> {
        self.audience.begins(&step.to_string());
        let ran = self.trial.run(release, command, self.with.clone(), limit).await;
        self.take(step, ran)
    }

    /// Notes what came of a step; whether it passed.
    fn take(
        &mut self,
        step: RehearsalStep,
        tried: Result<u64, TrialError>,
    ) -> Result<bool, RehearsalError> {
        match tried {
            Ok(ms) => {
                self.note(step, Duration::from_millis(ms), StepResult::Passed, &[]);
                Ok(true)
            }
            Err(TrialError::Failed { why, log, ms }) => {
                self.note(step, Duration::from_millis(ms), StepResult::Failed { why }, &log);
                Ok(false)
            }
            Err(lost @ TrialError::Lost(_)) => Err(RehearsalError::Trial(lost)),
        }
    }

    fn note(&mut self, step: RehearsalStep, took: Duration, result: StepResult, log: &[String]) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let step = RehearsedStep { step, ms, result };
        self.audience.ended(&step, log);
        self.steps.push(step);
    }

    fn skip(&mut self, steps: &[RehearsalStep]) {
        let skipped = steps.iter().map(|step| RehearsedStep {
            step: *step,
            ms: 0,
            result: StepResult::Skipped,
        });
        self.steps.extend(skipped);
    }

    /// What became of the copy. Whoever was to come there and did not, worked on another database.
    fn compare(
        &mut self,
        before: &CopySeen,
        seen: CopySeen,
        step: RehearsalStep,
        comes: bool,
    ) -> Result<(), RehearsalError> {
        if comes && !seen.visited && !seen.written {
            return Err(RehearsalError::Elsewhere(step));
        }
        if seen.schema != before.schema {
            self.schema = SchemaChange::Changed;
        }
        self.locks.extend(seen.locks);
        Ok(())
    }

    async fn look(&mut self) -> Result<CopySeen, RehearsalError> {
        let request = |database| DataRequest::Watched { database };
        match self.copy.ask(LOOK_LIMIT, request, |_| {}).await? {
            DataAnswer::Seen { seen } => Ok(seen),
            _ => Err(RehearsalError::Strange),
        }
    }

    /// Which invariants do not hold, by name.
    async fn broken(&mut self) -> Result<Option<String>, RehearsalError> {
        if self.script.invariants.is_empty() {
            return Ok(None);
        }
        let invariants = self.script.invariants.clone();
        let most = invariants.iter().map(|one| Duration::from_millis(one.timeout_ms)).sum();
        let request = |database| DataRequest::JudgeOpen { database, invariants };
        match self.copy.ask(LOOK_LIMIT.saturating_add(most), request, |_| {}).await? {
            DataAnswer::Judged { invariants } => {
                let broken: Vec<String> = invariants
                    .iter()
                    .filter(|judged| !judged.holds())
                    .map(|judged| format!("`{}`", judged.name))
                    .collect();
                let says = format!("{} does not hold", broken.join(", "));
                Ok((!broken.is_empty()).then_some(says))
            }
            _ => Err(RehearsalError::Strange),
        }
    }

    fn report(mut self, opened: OpenedCopy) -> RehearsalReport {
        self.locks.sort_by_key(|lock| std::cmp::Reverse(lock.held_ms));
        self.locks.truncate(LOCKS_MAX);
        RehearsalReport {
            release: self.script.new,
            old: self.script.old,
            migration: self.script.migration.as_ref().map(|(command, _)| command.clone()),
            back: self.script.back.clone(),
            backup: opened.backup,
            reached: opened.reached,
            steps: self.steps,
            schema: self.schema,
            locks: self.locks,
        }
    }
}

#[cfg(test)]
mod tests {
    use friday_wire::data::CopyAddress;

    use super::place_of;

    #[test]
    fn a_copy_is_named_so_that_nothing_in_its_name_is_taken_for_something_else() {
        let address = CopyAddress::Postgres {
            directory: "/var/tmp/a b&c".to_owned(),
            port: 5433,
            role: "sh@p".to_owned(),
            database: "orders/1".to_owned(),
        };
        assert_eq!(
            place_of(&address),
            "postgresql://sh%40p@/orders%2F1?host=%2Fvar%2Ftmp%2Fa%20b%26c&port=5433"
        );
        assert_eq!(
            place_of(&CopyAddress::Sqlite { path: "/srv/a b.db".to_owned() }),
            "/srv/a b.db"
        );
    }
}
