//! A copy for a person: made and proven as a drill's, then ended as a cluster of its own, and left stopped.
//!
//! It has a timeline of its own, archives nothing, and listens on a socket that only the login user can reach. What
//! becomes of it is that person's decision.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use friday_wire::data::{DataPhase, DrillReport, DrillTarget, RestoreStep};

use super::base::Base;
use super::configuration::left_to_a_person;
use super::drill::{Arrived, Proof, Wanted, copy};
use super::error::PostgresError;
use super::live::described;
use super::programs::{Programs, Running};
use super::scratch::{Scratch, quit};
use super::server::Server;
use super::steps;
use crate::clock;
use crate::course::Watch;
use crate::lock::LockKind;
use crate::place;
use crate::request::Setting;

/// What is said to the person, beside the copy.
const NOTE: &str = "READ-ME-FIRST.txt";

/// How often the copy is asked.
const LOOK: Duration = Duration::from_millis(40);

/// What the end of recovery may take: a checkpoint.
const END_LIMIT: Duration = Duration::from_secs(600);

/// Restores into a new or empty directory.
///
/// # Errors
/// Why not; then the directory is as it was.
pub fn restore(
    setting: &Setting<'_>,
    target: &DrillTarget,
    directory: &str,
) -> Result<(DrillReport, Vec<RestoreStep>), PostgresError> {
    let directory = place::from_home(directory);
    let empty = match fs::read_dir(&directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => {
            return Err(PostgresError::file(format!("looking at `{}`", directory.display()))(
                error,
            ));
        }
    };
    if !empty {
        return Err(PostgresError::Refused {
            why: format!("`{}` is not empty", directory.display()),
            help: Some("name a directory that is new or empty".to_owned()),
        });
    }
    let scratch = Scratch::begin(&directory)?;
    let made = copy(
        setting,
        Wanted { target, invariants: &[], proof: Proof::Whole },
        scratch,
        LockKind::Restore,
    );
    let finished = made.and_then(|arrived| finish(setting, arrived, &directory));
    finished.inspect_err(|_| {
        // The reason counts; our marker lets it be put away later, too.
        let _ = super::scratch::put_away(&directory);
    })
}

fn finish(
    setting: &Setting<'_>,
    arrived: Arrived,
    directory: &Path,
) -> Result<(DrillReport, Vec<RestoreStep>), PostgresError> {
    let Arrived { mut report, scratch, mut running, sockets, feed, base, .. } = arrived;
    setting.course.enter(DataPhase::Clean);
    let watch = setting.course.watch().within(END_LIMIT);
    let server = Server::connect(&sockets.address(&base.bootstrap, "postgres"), &watch);
    let ended = server.and_then(|server| end_recovery(&server, &watch));
    let stopped = ended.and_then(|()| stop(&mut running, &watch));
    stopped.inspect_err(|_| quit(&mut running))?;
    drop((sockets, feed));
    let programs = Programs::find(described(setting)?.programs, base.major, None)?;
    let steps = steps::with_copy(&base, &programs, directory, clock::now_ms());
    leave(scratch, &base, directory, (&report, &steps))?;
    report.scratch.kept = true;
    report.phases = setting.course.phases();
    Ok((report, steps))
}

/// At its target a copy that goes on begins a timeline of its own.
///
/// # Errors
/// When it does not get there in time.
pub(super) fn end_recovery(server: &Server, watch: &Watch) -> Result<(), PostgresError> {
    let doing = "ending the copy's recovery";
    server.rows(watch, doing, "SELECT pg_wal_replay_resume()")?;
    while server.value(watch, doing, "SELECT pg_is_in_recovery()")? != "f" {
        watch.pause(LOOK)?;
    }
    server.rows(watch, doing, "CHECKPOINT").map(drop)
}

/// In good order: what is left needs no recovery.
fn stop(running: &mut Running, watch: &Watch) -> Result<(), PostgresError> {
    if let Some(pid) = rustix::process::Pid::from_raw(running.child.id().cast_signed()) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }
    running.wait(watch)
}

fn leave(
    scratch: Scratch,
    base: &Base,
    directory: &Path,
    (report, steps): (&DrillReport, &[RestoreStep]),
) -> Result<(), PostgresError> {
    let failed = || PostgresError::file("leaving the restored copy");
    let data = scratch.data();
    for name in ["recovery.signal", "postmaster.opts"] {
        match fs::remove_file(data.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed()(error));
            }
            _ => {}
        }
    }
    write(&data.join("postgresql.conf"), &left_to_a_person(base, directory)).map_err(failed())?;
    let mut note = format!(
        "A copy of a PostgreSQL cluster, restored by friday at {now}.\n\n\
         It holds everything up to {reached}, from backup {backup}. The server was stopped in good order. It archives\n\
         nothing, and its configuration is not the live server's: it lets the user in who owns this directory, without a\n\
         password, and nobody else.\n",
        now = clock::shown(clock::now_ms()),
        reached = report.reached,
        backup = report.backup,
    );
    for step in steps {
        note.push_str(&format!("\n- {}\n", step.what));
        step.run.iter().for_each(|run| note.push_str(&format!("    {run}\n")));
    }
    write(&directory.join(NOTE), &note).map_err(failed())?;
    // The copy was made without waiting for the disk.
    let opened = fs::File::open(directory).map_err(failed())?;
    rustix::fs::syncfs(&opened).map_err(|error| failed()(error.into()))?;
    scratch.give_away()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}
