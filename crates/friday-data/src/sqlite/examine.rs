//! What is possible with the file as it is. Changes nothing.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use friday_wire::data::{Finding, FindingState};
use rusqlite::Connection;
use rustix::fs::{Access, access};

use super::live::{self, Live};
use super::{SqliteError, written_by};
use crate::failure::Failure;
use crate::repository::key::Key;
use crate::request::Setting;
use crate::room;

/// Names of tables that are said; the rest is counted.
const NAMES_MAX: usize = 10;

/// Looks at the file, and at where its copies go.
pub fn examine(path: &Path, setting: &Setting<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let bytes = match look(path, setting, &mut findings) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            findings.push(bad("file", error.into()));
            None
        }
    };
    places(bytes, setting, &mut findings);
    findings
}

fn look(
    path: &Path,
    setting: &Setting<'_>,
    findings: &mut Vec<Finding>,
) -> Result<u64, SqliteError> {
    let found = live::look(path)?;
    owner(path, &found, findings);
    let Live { connection, bytes, page, .. } = Live::open(path, setting.course)?;
    findings.push(good("file", format!("{} in pages of {page} bytes", room::shown(bytes))));
    head(path, page, findings);
    let told = |error| live::told(path, error);
    findings.push(journal_mode(&connection).map_err(told)?);
    findings.push(primary_keys(&connection).map_err(told)?);
    Ok(bytes)
}

/// Who opens a file in WAL mode makes the files beside it, and they are theirs.
fn owner(path: &Path, found: &fs::Metadata, findings: &mut Vec<Finding>) {
    let user = rustix::process::geteuid();
    if found.uid() == user.as_raw() {
        findings.push(good("owner", "the file is the login user's".to_owned()));
        return;
    }
    // SQLite gives them to the file's owner where it may: as root.
    let state = if user.is_root() { FindingState::Good } else { FindingState::Warn };
    findings.push(Finding {
        subject: "owner".to_owned(),
        state,
        says: format!(
            "the file belongs to user id {}, and the login is user id {}: `{name}-wal` and `{name}-shm` may be made \
             as the login's while the application is stopped",
            found.uid(),
            user.as_raw(),
            name = path.file_name().unwrap_or_default().to_string_lossy()
        ),
        help: (state == FindingState::Warn).then(|| "log in as the application's user".to_owned()),
    });
}

/// What the first bytes say, without trusting what lies behind them.
fn head(path: &Path, page: u64, findings: &mut Vec<Finding>) {
    let mut head = [0_u8; 100];
    let read = File::open(path).and_then(|mut file| {
        file.read_exact(&mut head)?;
        Ok(file.metadata()?.len())
    });
    findings.push(written_by::finding(&head));
    let finding = match read {
        // A page that was never moved out of the log lets the file be shorter, but not by part of a page.
        Ok(bytes) if page > 0 && bytes % page == 0 => {
            good("head", "its head and its length fit each other".to_owned())
        }
        Ok(bytes) => Finding {
            subject: "head".to_owned(),
            state: FindingState::Bad,
            says: format!(
                "its length of {bytes} bytes is no multiple of its page of {page} bytes: it was cut"
            ),
            help: Some("look at PRAGMA integrity_check".to_owned()),
        },
        Err(error) => bad("head", Failure::of(&error, None)),
    };
    findings.push(finding);
}

fn journal_mode(connection: &Connection) -> rusqlite::Result<Finding> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let is_wal = mode.eq_ignore_ascii_case("wal");
    Ok(Finding {
        subject: "journal_mode".to_owned(),
        state: if is_wal { FindingState::Good } else { FindingState::Warn },
        says: if is_wal {
            "WAL: writers go on while it is copied".to_owned()
        } else {
            format!("{mode}: writers wait while it is copied")
        },
        help: (!is_wal).then(|| "PRAGMA journal_mode = WAL, once, lets them go on".to_owned()),
    })
}

fn primary_keys(connection: &Connection) -> rusqlite::Result<Finding> {
    let mut asked = connection.prepare(
        "SELECT name FROM pragma_table_list AS t
         WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE pk > 0)
         ORDER BY name",
    )?;
    let names =
        asked.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    if names.is_empty() {
        return Ok(good("primary_keys", "every table has a primary key".to_owned()));
    }
    let mut said: Vec<String> =
        names.iter().take(NAMES_MAX).map(|name| super::check::said(name)).collect();
    if names.len() > NAMES_MAX {
        said.push(format!("{} more", names.len() - NAMES_MAX));
    }
    Ok(Finding {
        subject: "primary_keys".to_owned(),
        state: FindingState::Warn,
        says: format!("without a primary key: {}", said.join(", ")),
        help: Some(
            "give them one: rows of a table without one cannot be returned one by one".to_owned(),
        ),
    })
}

/// Where copies go: whether there is room, and whether they can be read again.
fn places(bytes: Option<u64>, setting: &Setting<'_>, findings: &mut Vec<Finding>) {
    let (repository, scratch) = (setting.place.repository_path(), setting.place.scratch_path());
    let stored = crate::repository::reach::finding(setting);
    findings.push(stored.unwrap_or_else(|| place("repository", repository, "a backup", bytes)));
    findings.push(place("scratch", scratch, "a drill", bytes));
    findings.push(match setting.database.repository.key.as_ref().map(Key::read) {
        Some(Ok(_)) => good("key", "backups are encrypted".to_owned()),
        Some(Err(error)) => bad("key", crate::repository::RepositoryError::from(error).into()),
        None => Finding {
            subject: "key".to_owned(),
            state: FindingState::Warn,
            says: "backups lie in clear: who can read the repository can read the database"
                .to_owned(),
            help: Some(
                "make a key with age-keygen, and name it as the repository's key".to_owned(),
            ),
        },
    });
}

fn place(subject: &str, dir: &Path, what: &str, bytes: Option<u64>) -> Finding {
    // What is not made yet will be made in what is there.
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let shown = there.display();
    if let Err(error) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        let why = format!("`{shown}` may not be written by the login user ({error})");
        return bad(
            subject,
            Failure::with_help(why, "let the login user write there, or name another directory"),
        );
    }
    let free = match room::free(there) {
        Ok(free) => free,
        Err(error) => return bad(subject, error.into()),
    };
    let Some(bytes) = bytes else {
        return good(subject, format!("{} are free in `{shown}`", room::shown(free)));
    };
    // The copy itself, and what is made of it: both at once while a backup is made.
    let need = bytes.saturating_mul(2).saturating_add(room::RESERVE);
    let says = format!(
        "{} are free in `{shown}`; {what} may take {}",
        room::shown(free),
        room::shown(need)
    );
    if free >= need {
        return good(subject, says);
    }
    let state = if free > bytes.saturating_add(room::RESERVE) {
        FindingState::Warn
    } else {
        FindingState::Bad
    };
    let help = Some("make room there, or name another directory".to_owned());
    Finding { subject: subject.to_owned(), state, says, help }
}

fn good(subject: &str, says: String) -> Finding {
    Finding { subject: subject.to_owned(), state: FindingState::Good, says, help: None }
}

fn bad(subject: &str, failure: Failure) -> Finding {
    let Failure { why, help } = failure;
    Finding { subject: subject.to_owned(), state: FindingState::Bad, says: why, help }
}
