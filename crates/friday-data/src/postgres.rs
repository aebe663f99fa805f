//! The engine for PostgreSQL: base backups by `pg_basebackup`, WAL by `pg_receivewal`, drills on a server of our own.
//!
//! **What is safe where.** `pg_receivewal` runs without a pause beside the database ([`keep`]). Each segment that
//! became whole was synced to this host's disk, and goes into the repository, compressed and encrypted, within a
//! fraction of a second; only then does a restore point count as made. So the repository alone can restore, up to the end of
//! its last whole segment. What was received of the segment in the making lies on this host only: a drill to the
//! newest place replays that, too. The *recovery point* a report names is the age of the newest that was received:
//! near nothing while the receiver runs, and up to one segment more where the host is lost together
//! with a repository elsewhere.
//!
//! **What it does to the live server**: one replication slot, marks in its log, and that a log segment ends with each
//! restore point. It needs no restart of it. A slot keeps WAL for a receiver that does not come: the server's
//! `max_slot_wal_keep_size` bounds that, and [`examine`] says so.
//!
//! Where the team has a stanza of pgBackRest, [`pgbackrest`] keeps backups and log, and nothing is received here.
//!
//! It must not judge what a report means, nor touch a data directory that it did not make.

pub mod address;
mod ahead;
mod archiver;
mod backup;
pub mod base;
pub mod chain;
mod check;
pub mod configuration;
mod drill;
pub mod error;
mod examine;
pub mod facts;
pub mod feed;
mod forget;
pub mod judge;
pub mod keep;
mod known_bugs;
pub mod layout;
mod listed;
pub mod live;
mod locks;
mod log;
pub mod lsn;
mod mask;
mod moment;
mod newest;
mod opened;
mod origin;
mod parts;
mod pgbackrest;
mod point;
pub mod programs;
pub mod received;
pub mod replica;
mod restore;
mod rpo;
mod schema;
pub mod scratch;
pub mod server;
mod steps;
pub mod tar_scan;
mod unpack;

use friday_wire::data::{DataAnswer, DataPhase, DataRequest, Hidden};

use crate::failure::Failure;
use crate::lock::{self, LockKind};
use crate::repository::Repository;
use crate::request::Setting;
use drill::{After, Proof, Wanted};
use error::PostgresError;
use live::described;
pub use opened::PostgresCopy;
use pgbackrest::Stanza;
use server::Server;

/// Does what is asked of this engine.
///
/// # Errors
/// Why it could not be done.
pub fn ask(request: &DataRequest, setting: &Setting<'_>) -> Result<DataAnswer, Failure> {
    match request {
        DataRequest::Examine { .. } => {
            Ok(DataAnswer::Examined { findings: examine::examine(setting)? })
        }
        DataRequest::Point { name, .. } => {
            let _held = lock::wait(setting.place, LockKind::Point, setting.course.watch())?;
            Ok(DataAnswer::Pointed { point: point::point(setting, name)? })
        }
        DataRequest::Backup { .. } => {
            let _held = lock::take(setting.place, LockKind::Backup)?;
            let (backup, pruned) = backup::back_up(setting)?;
            Ok(DataAnswer::BackedUp { backup, pruned })
        }
        DataRequest::Drill { target, invariants, keep_scratch, mask, .. } => {
            let _held = lock::take(setting.place, LockKind::Drill)?;
            let after = match (keep_scratch, mask) {
                (false, _) => After::Remove,
                (true, None) => After::Keep,
                (true, Some(mask)) => After::KeepMasked(mask),
            };
            let wanted = Wanted { target, invariants, proof: Proof::Whole };
            let report = drill::drill(setting, wanted, after)?;
            Ok(DataAnswer::Drilled { report: Box::new(report) })
        }
        DataRequest::Judge { invariants, replica, .. } => {
            judge_live(invariants, replica.as_ref(), setting).map_err(Into::into)
        }
        DataRequest::Restore { target, directory, .. } => {
            let _held = lock::take(setting.place, LockKind::Restore)?;
            let (report, steps) = restore::restore(setting, target, directory)?;
            Ok(DataAnswer::Restored { report: Box::new(report), steps })
        }
        DataRequest::Forget { .. } => {
            let _held = lock::take(setting.place, LockKind::Backup)?;
            forget::forget(setting)?;
            Ok(DataAnswer::Ok)
        }
        DataRequest::List { .. } => {
            let backups = of_a_stanza(setting)?.backups(setting)?;
            Ok(DataAnswer::Backups { backups: backups.into_iter().map(|one| one.backup).collect() })
        }
        DataRequest::Verify { backup, .. } => {
            setting.course.enter(DataPhase::Fetch);
            let report = pgbackrest::verify(&of_a_stanza(setting)?, backup.as_ref(), setting)?;
            Ok(DataAnswer::Verified { report })
        }
        DataRequest::Hello { .. }
        | DataRequest::Open { .. }
        | DataRequest::Watched { .. }
        | DataRequest::JudgeOpen { .. }
        | DataRequest::Shut { .. }
        | DataRequest::Clean { .. } => Err(Failure::new("this is not asked of an engine")),
    }
}

/// Whether backups lie elsewhere than in friday's own repository, so that this engine is asked for them.
pub fn keeps_elsewhere(setting: &Setting<'_>) -> bool {
    Stanza::of(setting).is_some()
}

fn of_a_stanza(setting: &Setting<'_>) -> Result<Stanza, Failure> {
    Stanza::of(setting).ok_or_else(|| Failure::new("this is not asked of an engine"))
}

/// Ends what drills left running, and puts it away. Whoever asks holds [`LockKind::Drill`].
///
/// # Errors
/// When it does not end, or is not ours.
pub fn clean(setting: &Setting<'_>) -> Result<(), Failure> {
    scratch::put_away(setting.place.scratch_path()).map_err(Into::into)
}

/// What is missing of the log that follows the newest backup, as a sentence; `None`: nothing.
///
/// # Errors
/// When the repository cannot be read.
pub fn missing(repository: &Repository) -> Result<Option<String>, Failure> {
    let listing = repository.list()?;
    let Some(manifest) = listing.backups.last() else { return Ok(None) };
    // One that is not of this engine's making needs no log from here.
    let Ok(base) = base::Base::of(manifest) else { return Ok(None) };
    let names = repository.wal(&base.system)?.names()?;
    Ok(chain::first_missing(&names, &base).map(|segment| {
        format!(
            "WAL segment {} is missing: nothing after it can be reached from backup {}",
            segment.name(base.segment),
            manifest.backup.id
        )
    }))
}

/// Ends what runs in a directory that this engine made for a copy, and removes it.
///
/// # Errors
/// As [`clean`].
pub fn put_away(dir: &std::path::Path) -> Result<(), Failure> {
    scratch::put_away(dir).map_err(Into::into)
}

fn judge_live(
    invariants: &[friday_wire::data::Invariant],
    replica: Option<&Hidden>,
    setting: &Setting<'_>,
) -> Result<DataAnswer, PostgresError> {
    let watch = setting.course.watch();
    let live = Server::connect(&described(setting)?.address, watch)?;
    let server = match replica {
        Some(url) => replica::caught_up(&live, url, watch)?,
        None => live,
    };
    setting.course.enter(DataPhase::Invariants);
    let broken = setting.place.broken().map_err(Failure::from)?;
    let invariants = judge::judge(&server, invariants, &broken, watch)?;
    Ok(DataAnswer::Judged { invariants })
}
