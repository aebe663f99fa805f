//! The system's journal: where applications that run as units write, and where their lines are read.
//!
//! Lines are found by an identifier that names fleet and release, and by the user: anybody may write
//! under any identifier.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use friday_wire::{FleetName, Part, ReleaseId};

use crate::output::{LINES_MAX, last_lines_of};
use crate::tool::ask;

/// Where the journal takes streams of lines, as from every service's standard output.
const STREAM: &str = "/run/systemd/journal/stdout";

/// How long reading may take: a journal of gigabytes is read from its end.
const READ_DEADLINE: Duration = Duration::from_secs(8);

/// Under what the lines of a part of a release stand.
pub fn identifier(fleet: &FleetName, release: ReleaseId, part: &Part) -> String {
    match part.name() {
        Some(process) => format!("friday-{fleet}-{}-{process}", release.short()),
        None => format!("friday-{fleet}-{}", release.short()),
    }
}

/// A stream into the journal, for an application's output. A line may begin with `<3>` to tell its
/// priority, as from any service.
///
/// # Errors
/// Where no journal runs.
pub fn stream(identifier: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(STREAM)?;
    stream.shutdown(Shutdown::Read)?;
    // Identifier; no unit of another's name; priority 6; priorities in lines; forwarded nowhere else.
    stream.write_all(format!("{identifier}\n\n6\n1\n0\n0\n0\n").as_bytes())?;
    Ok(stream)
}

/// The last lines under an identifier, oldest first.
///
/// # Errors
/// One sentence: the journal cannot be read, with what allows it.
pub fn last_lines(identifier: &str, lines: u32) -> Result<Vec<String>, String> {
    let user = format!("_UID={}", rustix::process::geteuid().as_raw());
    let said = ask(
        Command::new("journalctl")
            .args(["--quiet", "--no-pager", "--all", "--output=cat", "--identifier", identifier])
            .arg(format!("--lines={}", lines.min(LINES_MAX)))
            .arg(user),
        READ_DEADLINE,
    )
    .map_err(|error| format!("journalctl: {error}"))?;
    if !said.status.success() && said.out.is_empty() {
        return Err(match is_readable() {
            Ok(()) => format!("journalctl: {}", said.complaint()),
            Err(why) => why,
        });
    }
    let wanted = usize::try_from(lines.min(LINES_MAX)).unwrap_or(usize::MAX);
    let found = last_lines_of(&said.out, wanted);
    match is_readable() {
        Err(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

/// Whether this user may read what its own services write.
///
/// # Errors
/// One sentence that names what would allow it.
pub fn is_readable() -> Result<(), String> {
    let said = ask(
        Command::new("journalctl").args(["--no-pager", "--lines=1", "--output=cat"]),
        READ_DEADLINE,
    )
    .map_err(|error| format!("journalctl: {error}"))?;
    let complaint = String::from_utf8_lossy(&said.err).into_owned();
    if complaint.contains("insufficient permissions") || complaint.contains("No journal files") {
        return Err(format!(
            "{} may not read the journal: it needs the group systemd-journal, or a journal that is \
             kept on disk (/var/log/journal)",
            crate::machine::user_name()
        ));
    }
    Ok(())
}
