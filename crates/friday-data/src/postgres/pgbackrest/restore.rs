//! Restores a backup into a scratch: pgBackRest fetches what differs, and compares each file with its checksum.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use friday_wire::BackupId;
use friday_wire::data::Check;

use super::stanza::Stanza;
use crate::course::{Course, ms};
use crate::place;
use crate::postgres::error::PostgresError;
use crate::postgres::programs::Running;
use crate::postgres::scratch::bytes_below;
use crate::postgres::unpack::Unpacked;

/// Either says pgBackRest that a directory is a cluster's, which it may write over.
const KNOWN: [&str; 2] = ["PG_VERSION", "backup.manifest"];

/// How often it is told how far it is.
const TELL: Duration = Duration::from_millis(500);

/// Fills a data directory that is a scratch's; nothing outside of the scratch is written to.
///
/// # Errors
/// pgBackRest's, and the system's.
pub fn restore(
    stanza: &Stanza,
    (backup, bytes): (&BackupId, u64),
    data: &Path,
    course: &Course,
) -> Result<Unpacked, PostgresError> {
    let began = Instant::now();
    let failed = || PostgresError::file("making room for pgBackRest's restore");
    let scratch = data.parent().unwrap_or(data);
    // Without one of them it takes the directory for somebody else's, and refuses.
    if !KNOWN.iter().any(|name| data.join(name).exists()) {
        place::remove(data).map_err(failed())?;
        place::private(data).map_err(crate::failure::Failure::from)?;
    }
    let lock = scratch.join("lock");
    place::private(&lock).map_err(crate::failure::Failure::from)?;
    // Older than any file that is written now, by the clock that files are stamped with.
    let mark = stamp(&lock.join("mark")).map_err(failed())?;
    let mut command = stanza.command("restore");
    command
        .arg(format!("--set={backup}"))
        .arg(format!("--pg1-path={}", data.display()))
        // Tablespaces lie elsewhere in the live cluster: never there.
        .arg(format!("--tablespace-map-all={}", scratch.join("tablespaces").display()))
        .arg(format!("--lock-path={}", lock.display()))
        .args(["--delta", "--type=none", "--archive-mode=off", "--log-level-file=off"]);
    let done = run(command, bytes, scratch, course);
    place::remove(&lock).map_err(failed())?;
    done?;
    let warm_bytes = older(data, mark).min(bytes);
    course.moved(bytes - warm_bytes, Some(bytes))?;
    let says = "every file against the checksum that pgBackRest keeps of it".to_owned();
    let proof = Check { name: "pgbackrest restore".to_owned(), says, ms: ms(began.elapsed()) };
    Ok(Unpacked { warm_bytes, proof: Some(proof) })
}

fn run(
    mut command: Command,
    bytes: u64,
    scratch: &Path,
    course: &Course,
) -> Result<(), PostgresError> {
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut running = Running::start(command)?;
    let mut told = Instant::now();
    loop {
        if let Some(done) = running.ended()? {
            return done;
        }
        course.watch().pause(Duration::from_millis(20))?;
        if told.elapsed() >= TELL {
            course.tell(bytes_below(scratch).min(bytes), Some(bytes));
            told = Instant::now();
        }
    }
}

/// When the file system says that it is now, seconds and nanoseconds.
fn stamp(path: &PathBuf) -> std::io::Result<(i64, i64)> {
    fs::write(path, "")?;
    let meta = fs::metadata(path)?;
    Ok((meta.ctime(), meta.ctime_nsec()))
}

/// Bytes of files that nobody touched since: what pgBackRest found there as it should be.
fn older(dir: &Path, mark: (i64, i64)) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => older(&entry.path(), mark),
        Ok(found) if (found.ctime(), found.ctime_nsec()) < mark => found.len(),
        _ => 0,
    };
    entries.map(of).sum()
}
