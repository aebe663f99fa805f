//! A drill: a backup is unpacked beside the live database, replayed up to a target, and checked there.
//!
//! It has succeeded only when the copy itself says that it stands at the target or after it; no program's exit status
//! counts. Nothing here writes to the live server, or needs it.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use friday_wire::data::{
    Check, DataPhase, DrillReport, DrillTarget, Invariant, Mask, Position, ScratchFacts,
};

use super::base::Base;
use super::chain;
use super::check;
use super::configuration::Target;
use super::error::PostgresError;
use super::feed::{Feed, Source};
use super::judge::judge;
use super::live::described;
use super::lsn::{Lsn, Segment};
use super::mask;
use super::moment;
use super::newest;
use super::origin::Origin;
use super::programs::{Programs, Running};
use super::received::Received;
use super::rpo;
use super::scratch::{Scratch, Sockets, quit};
use super::server::Server;
use super::unpack::Unpacked;
use crate::course::{Course, ms};
use crate::failure::Failure;
use crate::lock::LockKind;
use crate::request::Setting;
use crate::room;

/// How often the copy is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// What is wanted of a copy.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Where it is to arrive.
    pub target: &'a DrillTarget,
    /// What must hold there.
    pub invariants: &'a [Invariant],
    /// How much is looked at.
    pub proof: Proof,
}

/// How much of a copy is looked at before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// All of it, and the invariants.
    Whole,
    /// Each file's hash, and that it stands at its target: drills do the rest.
    Arrival,
}

/// A copy that stands at its target, with its server running.
pub struct Arrived {
    /// What was proved.
    pub report: DrillReport,
    /// Where it lies.
    pub scratch: Scratch,
    /// Its server.
    pub running: Running,
    /// Where that listens.
    pub sockets: Sockets,
    /// Where it got its WAL.
    pub feed: Feed,
    /// What it is a copy of.
    pub base: Base,
    /// The programs that it runs with.
    pub programs: Programs,
}

/// What becomes of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After<'a> {
    /// It stays: the next drill fetches only what differs.
    Keep,
    /// The same, without personal data: what that changed differs, too.
    KeepMasked(&'a Mask),
    /// It goes.
    Remove,
}

/// Drills, and ends the copy's server.
///
/// # Errors
/// Why it is not proven. Nothing is left then.
pub fn drill(
    setting: &Setting<'_>,
    wanted: Wanted<'_>,
    after: After<'_>,
) -> Result<DrillReport, PostgresError> {
    // The directory is made here so that one that cannot be used is said first.
    let dir = setting.place.scratch().map_err(Failure::from)?.to_owned();
    let began = Scratch::again(&dir)?;
    let ended = copy(setting, wanted, began, LockKind::Drill);
    let masked = ended.and_then(|mut arrived| {
        let After::KeepMasked(mask) = after else { return Ok(arrived) };
        let masked = mask::of_a_drill(setting, &arrived, mask);
        arrived.report.masked = Some(masked.inspect_err(|_| quit(&mut arrived.running))?);
        Ok(arrived)
    });
    let Arrived { mut report, scratch, mut running, sockets, feed, .. } =
        masked.inspect_err(|_| {
            // The reason counts; what stays is put away by the next, or by `Clean`.
            let _ = super::scratch::put_away(&dir);
        })?;
    setting.course.enter(DataPhase::Clean);
    quit(&mut running);
    drop((sockets, feed));
    match after {
        After::Keep | After::KeepMasked(_) => report.scratch.kept = true,
        After::Remove => scratch.end()?,
    }
    report.phases = setting.course.phases();
    Ok(report)
}

/// Makes a copy in a scratch, and proves it. What lies there already is used as far as it is the same.
///
/// # Errors
/// Why not; no server runs then.
pub fn copy(
    setting: &Setting<'_>,
    wanted: Wanted<'_>,
    scratch: Scratch,
    kind: LockKind,
) -> Result<Arrived, PostgresError> {
    let course = setting.course;
    refuse_root()?;
    let origin = Origin::open(setting)?;
    let (manifest, base) = origin.chosen(wanted.target)?;
    let programs = Programs::find(described(setting)?.programs, base.major, None)?;
    for program in ["postgres", "pg_waldump"] {
        programs.version(program)?;
    }
    let source = Source {
        log: origin.log(&base.system, &scratch.data())?,
        received: Received::new(setting.place.dir(), &base.system),
        size: base.segment,
    };
    let _reading = origin.reading(&manifest)?;
    let aim = || aim(setting, wanted.target, (&base, &source, &programs), kind);
    // To look into the log takes a copy of the cluster with some; that a place can be reached is known before.
    let looks = !matches!(wanted.target, DrillTarget::Point { .. });
    let early = (!looks || !source.log.asks_for_a_copy()).then(aim).transpose()?;
    let rpo_ms = rpo::rpo_ms(setting, &source);
    let bytes = manifest.backup.bytes;
    // What lies there is written over.
    let lacks = bytes.saturating_sub(scratch.bytes());
    room::ask(&scratch.data(), lacks + 4 * base.segment.bytes()).map_err(Failure::from)?;

    course.enter(DataPhase::Fetch);
    let Unpacked { warm_bytes, proof } = origin.fetch(&manifest, &scratch.data(), course)?;
    let lsn = early.map_or_else(aim, Ok)?;
    let mut checks = match proof {
        Some(proof) => vec![proof],
        None => verify(&programs, &scratch.data(), course)?,
    };

    course.enter(DataPhase::Replay);
    let sockets = scratch.sockets()?;
    let program = std::env::current_exe().map_err(PostgresError::file("finding this program"))?;
    let target = Target { lsn, feed: sockets.dir().join("feed"), program };
    let last = Segment::holding(base.timeline, lsn, base.segment);
    let feed = Feed::start(&target.feed, (source, last), &scratch.data(), course.watch())?;
    let mut running = scratch.start(&programs, &base, &target, sockets.dir())?;
    let arrived = replay(&sockets, &base, &target, &mut running, course);
    let reached = arrived.map_err(|error| cause(error, &mut running, &feed, &scratch))?;
    let proven = prove(setting, wanted, &sockets, &base, &mut checks);
    let invariants = proven.inspect_err(|_| quit(&mut running))?;
    let report = DrillReport {
        backup: manifest.backup.id.clone(),
        target: base.position_at(lsn),
        reached: base.position_at(reached),
        phases: course.phases(),
        rto_ms: course.elapsed_ms(),
        rpo_ms,
        checks,
        invariants,
        scratch: ScratchFacts {
            path: scratch.data().display().to_string(),
            bytes,
            warm_bytes,
            kept: false,
        },
        masked: None,
    };
    Ok(Arrived { report, scratch, running, sockets, feed, base, programs })
}

/// The place that a copy is to arrive at.
fn aim(
    setting: &Setting<'_>,
    target: &DrillTarget,
    (base, source, programs): (&Base, &Source, &Programs),
    kind: LockKind,
) -> Result<Lsn, PostgresError> {
    let work = || setting.place.work(kind).map_err(Failure::from);
    match target {
        DrillTarget::Newest => {
            newest::newest(base, source, programs, work()?.dir(), setting.course)
        }
        DrillTarget::Point { position, .. } => place_of(position, base, source),
        DrillTarget::Time { at_ms } => {
            moment::last_before(*at_ms, base, source, (programs, work()?.dir()), setting.course)
        }
    }
}

/// Why it did not arrive, and ends its server: a segment that could not be given, else the server's own last words.
fn cause(
    error: PostgresError,
    running: &mut Running,
    feed: &Feed,
    scratch: &Scratch,
) -> PostgresError {
    let ended = matches!(running.child.try_wait(), Ok(Some(_)));
    quit(running);
    match (feed.trouble(), ended) {
        (Some(failure), _) => failure.into(),
        (None, true) => PostgresError::NotReached(scratch.last_words()),
        (None, false) => error,
    }
}

fn prove(
    setting: &Setting<'_>,
    wanted: Wanted<'_>,
    sockets: &Sockets,
    base: &Base,
    checks: &mut Vec<Check>,
) -> Result<Vec<friday_wire::data::Judged>, PostgresError> {
    let course = setting.course;
    if wanted.proof == Proof::Arrival {
        return Ok(Vec::new());
    }
    course.enter(DataPhase::Check);
    checks.extend(check::check(sockets, base, course)?);
    course.enter(DataPhase::Invariants);
    let address = described(setting)?.address;
    let role = address.role().unwrap_or(&base.role);
    let database = address.database().unwrap_or(&base.database);
    let server = Server::connect(&sockets.address(role, database), course.watch())?;
    let broken = setting.place.broken().map_err(Failure::from)?;
    judge(&server, wanted.invariants, &broken, course.watch())
}

fn refuse_root() -> Result<(), PostgresError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(PostgresError::Refused {
        why: "PostgreSQL's server does not run as root, so a drill cannot".to_owned(),
        help: Some(
            "log in on the database's host as another user, for instance `postgres`".to_owned(),
        ),
    })
}

/// A restore point's place, if the backup and the WAL lead there.
fn place_of(position: &Position, base: &Base, source: &Source) -> Result<Lsn, PostgresError> {
    let Position::Postgres { system, timeline, lsn } = position else {
        return Err(PostgresError::NotReached("it is no place in a write-ahead log".to_owned()));
    };
    let not = |why: String| Err(PostgresError::NotReached(why));
    let lsn = Lsn::from_str(lsn).map_err(|error| PostgresError::NotReached(error.to_string()))?;
    if *system != base.system {
        return not(format!("the backup is of cluster {}, and the place of {system}", base.system));
    }
    if *timeline != base.timeline {
        return not(format!(
            "the backup is of timeline {}, and the place of {timeline}",
            base.timeline
        ));
    }
    if lsn < base.end {
        return not(format!("the backup begins at {}, after the place", base.end));
    }
    let to = Segment::holding(*timeline, lsn, base.segment);
    let missing = chain::gap(&source.log, base.first(), to, base.segment);
    // The last ones may still lie where they were received.
    let missing = missing.filter(|segment| {
        let near = |segment: &Segment| source.received.path(*segment, source.size).exists();
        let mut rest = *segment;
        while rest.number <= to.number {
            if !near(&rest) && !source.log.has(&rest.name(source.size)) {
                return true;
            }
            rest = rest.next();
        }
        false
    });
    match missing {
        None => Ok(lsn),
        Some(segment) => Err(PostgresError::Gap {
            segment: segment.name(base.segment),
            why: "the place cannot be reached".to_owned(),
        }),
    }
}

/// Each file's hash against the list that PostgreSQL made, where its program for that is there: for a backup that an
/// older program stored in one piece.
fn verify(programs: &Programs, data: &Path, course: &Course) -> Result<Vec<Check>, PostgresError> {
    course.enter(DataPhase::Check);
    if !programs.has("pg_verifybackup") {
        return Ok(Vec::new());
    }
    let began = std::time::Instant::now();
    let mut command = programs.command("pg_verifybackup", None);
    command.args(["--no-parse-wal", "--exit-on-error", "--quiet"]).arg(data);
    Programs::run(command, course.watch()).map_err(|error| match error {
        PostgresError::Ended { program, says } => PostgresError::Damaged { check: program, says },
        other => other,
    })?;
    let says = "every file against the server's own list".to_owned();
    Ok(vec![Check { name: "pg_verifybackup".to_owned(), says, ms: ms(began.elapsed()) }])
}

/// Waits until the copy says itself that it stands at the target.
fn replay(
    sockets: &Sockets,
    base: &Base,
    target: &Target,
    running: &mut Running,
    course: &Course,
) -> Result<Lsn, PostgresError> {
    let whole = target.lsn.0.saturating_sub(base.start.0);
    let address = sockets.address(&base.bootstrap, "postgres");
    let fallback = sockets.address(&base.bootstrap, "template1");
    let mut server = None;
    let mut told = None;
    loop {
        if running.ended()?.is_some() {
            return Err(PostgresError::NotReached("the copy's server ended".to_owned()));
        }
        course.watch().pause(LOOK)?;
        let Some(copy) = &server else {
            let watch = course.watch();
            server = Server::connect(&address, watch)
                .or_else(|_| Server::connect(&fallback, watch))
                .ok();
            continue;
        };
        let asked = "SELECT pg_is_in_recovery(), pg_is_wal_replay_paused(), \
                     coalesce(pg_last_wal_replay_lsn(), '0/0')";
        let Ok([recovering, paused, lsn]) =
            copy.row::<3>(course.watch(), "asking how far it is", asked)
        else {
            server = None;
            continue;
        };
        let lsn =
            Lsn::from_str(&lsn).map_err(|error| PostgresError::NotReached(error.to_string()))?;
        let done = lsn.0.saturating_sub(base.start.0);
        match told {
            // Up to here a server started and became consistent: that takes its time whatever was written since.
            None => course.enter_again(),
            Some(before) => course.moved(done.saturating_sub(before), Some(whole))?,
        }
        told = told.max(Some(done));
        if recovering != "t" {
            return Err(PostgresError::NotReached("the copy left recovery by itself".to_owned()));
        }
        if paused == "t" {
            return if lsn >= target.lsn {
                Ok(lsn)
            } else {
                Err(PostgresError::NotReached(format!(
                    "replay paused at {lsn}, before {}",
                    target.lsn
                )))
            };
        }
    }
}
