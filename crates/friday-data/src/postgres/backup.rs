//! Making a base backup: `pg_basebackup` through compression and encryption into the repository, and the WAL
//! without which it is nothing.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use friday_wire::BackupId;
use friday_wire::data::{Backup, DataPhase};

use super::base::Base;
use super::chain;
use super::error::PostgresError;
use super::layout::{self, part_bytes, part_name};
use super::live::Live;
use super::log::Log;
use super::lsn::{Segment, is_history};
use super::pgbackrest::{self, Stanza};
use super::programs::Running;
use super::tar_scan::TarScan;
use crate::clock;
use crate::course::Course;
use crate::failure::Failure;
use crate::repository::retention::Kept;
use crate::repository::{Draft, Finished, Repository, RepositoryError};
use crate::request::Setting;

/// After the copy, for the last of its WAL to come.
const WAL_LIMIT: Duration = Duration::from_secs(120);

/// What an end of `pg_basebackup` may take after its last byte.
const END_LIMIT: Duration = Duration::from_secs(60);

/// Makes one, then prunes.
///
/// # Errors
/// Why not. What was begun is put away.
pub fn back_up(setting: &Setting<'_>) -> Result<(Backup, Vec<BackupId>), PostgresError> {
    if let Some(stanza) = Stanza::of(setting) {
        return pgbackrest::back_up(&stanza, setting);
    }
    let course = setting.course;
    let live = Live::open(setting)?;
    if live.cluster.tablespaces > 0 {
        return Err(PostgresError::Refused {
            why: "the cluster has tablespaces, which friday does not back up".to_owned(),
            help: Some("move its tables to pg_default, or use pgBackRest".to_owned()),
        });
    }
    let repository = setting.repository().map_err(Failure::from)?;
    repository.put_away_leftovers().map_err(Failure::from)?;
    repository.ask_room(live.cluster.bytes).map_err(Failure::from)?;
    live.begin_anew_if_lost(setting)?;
    live.receive(setting)?;
    let log = Log::Repository(repository.wal(&live.cluster.system).map_err(Failure::from)?);

    course.enter(DataPhase::Copy);
    let mut draft = repository.begin().map_err(Failure::from)?;
    let holds_ms = clock::now_ms();
    let mut command = live.programs.command("pg_basebackup", Some(&live.address));
    command
        .args(["--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast"])
        // PostgreSQL's own choice, and cheap for the live server: what is stored is known by better hashes, too.
        .args(["--manifest-checksums=CRC32C", "--no-password"])
        .arg(format!("--label=friday {}", draft.id()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running::start(command)?;
    let pipe = running.child.stdout.take();
    let pipe =
        pipe.ok_or_else(|| PostgresError::Program("pg_basebackup has no output".to_owned()))?;
    let length = part_bytes(live.cluster.bytes);
    let mut scan = TarScan::new(Guarding { pipe, watch: course.watch().clone() }, length);
    let stored = store(&mut draft, &mut scan, (length, live.cluster.bytes), course);
    // Its own words say more than what they did to the stream.
    running.wait(&course.watch().within(END_LIMIT))?;
    stored.map_err(Failure::from)?;
    let kept = scan.kept().ok_or_else(|| PostgresError::Ended {
        program: "pg_basebackup".to_owned(),
        says: "its stream ended without a manifest".to_owned(),
    })?;
    let base = Base::told(&kept.manifest, &live.cluster)?;
    let list = serde_json::to_vec(&kept.layout)
        .map_err(|error| PostgresError::file("listing the backup's parts")(error.into()))?;
    draft.store(layout::OBJECT, &mut &list[..], None, course).map_err(Failure::from)?;

    course.enter(DataPhase::Mark);
    let watch = course.watch().within(WAL_LIMIT);
    let how = |segment: &str| live.how_it_comes(segment, &log, setting);
    chain::wait(&log, (base.first(), base.last()), base.segment, how, &watch)?;
    let finished = Finished {
        position: base.position(),
        engine_version: format!("PostgreSQL {}", live.cluster.version),
        holds_ms,
        point: None,
        facts: base.facts(),
    };
    let backup = draft.finish(finished).map_err(Failure::from)?.backup;

    course.enter(DataPhase::Prune);
    let pruned = repository.prune(Kept::Backups, setting.database.keep, course);
    let pruned = pruned.map_err(Failure::from)?;
    prune_wal(&repository)?;
    Ok((backup, pruned))
}

/// Stores a stream to its end, in parts.
fn store(
    draft: &mut Draft<'_>,
    mut stream: &mut dyn Read,
    (length, of): (u64, u64),
    course: &Course,
) -> Result<(), RepositoryError> {
    for number in 0.. {
        let mut part = Read::by_ref(&mut stream).take(length);
        draft.store(&part_name(number), &mut part, Some(of), course)?;
        // One that is not full is the last.
        if part.limit() > 0 {
            break;
        }
    }
    Ok(())
}

/// Puts away segments that no backup in the repository needs.
fn prune_wal(repository: &Repository) -> Result<(), PostgresError> {
    let listing = repository.list().map_err(Failure::from)?;
    // A backup that cannot be read now may be mended: what it needs is not known, so everything stays.
    if !listing.unusable.is_empty() {
        return Ok(());
    }
    let bases = listing.backups.iter().map(Base::of).collect::<Result<Vec<_>, _>>()?;
    let Some(newest) = bases.last() else { return Ok(()) };
    let ours = bases.iter().filter(|base| base.system == newest.system);
    let Some(first) = ours.map(|base| base.first().number).min() else { return Ok(()) };
    let wal = repository.wal(&newest.system).map_err(Failure::from)?;
    for name in wal.names().map_err(Failure::from)? {
        let older = Segment::parse(&name, newest.segment).is_some_and(|one| one.number < first);
        if older && !is_history(&name) {
            wal.remove(&name).map_err(Failure::from)?;
        }
    }
    Ok(())
}

/// Reads of a pipe of which each wait ends.
struct Guarding<P> {
    pipe: P,
    watch: crate::course::Watch,
}

impl<P: std::io::Read + std::os::fd::AsFd> std::io::Read for Guarding<P> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let look = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        loop {
            self.watch.poll().map_err(std::io::Error::other)?;
            let mut fds = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut fds, Some(&look)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return self.pipe.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
