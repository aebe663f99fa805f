//! A stanza: asked through pgBackRest's own program, which alone knows where and how it is kept.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use friday_wire::BackupId;
use friday_wire::data::{self, Engine, Position, PostgresBackup};

use super::archive::Archive;
use super::info::{Backup, Cluster, Info};
use crate::course::Watch;
use crate::postgres::error::PostgresError;
use crate::postgres::programs::Running;
use crate::repository::manifest::{MANIFEST_FORMAT, Manifest};
use crate::request::Setting;

/// The first version that annotates backups.
const OLDEST: (u32, u32) = (2, 41);

/// What a question may take: repositories may be far away.
const ASK_LIMIT: Duration = Duration::from_secs(60);

/// An answer of more is none.
const ANSWER_LIMIT: u64 = 256 * 1024 * 1024;

/// A stanza.
#[derive(Debug, Clone)]
pub struct Stanza {
    name: String,
    config: Option<String>,
    watch: Watch,
}

impl Stanza {
    /// The one that keeps a database's backups; `None`: friday keeps them itself.
    pub fn of(setting: &Setting<'_>) -> Option<Self> {
        let Engine::Postgres { backup, .. } = &setting.database.engine else { return None };
        let PostgresBackup::PgBackRest { stanza, config } = backup else { return None };
        let watch = setting.course.watch().clone();
        Some(Self { name: stanza.clone(), config: config.clone(), watch })
    }

    /// As the configuration names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command about it, whose log goes nowhere but to us.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("pgbackrest");
        command.arg(verb).arg(format!("--stanza={}", self.name));
        if let Some(config) = &self.config {
            command.arg(format!("--config={config}"));
        }
        command.args(["--log-level-console=off", "--log-level-stderr=error"]);
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; all that it wrote.
    ///
    /// # Errors
    /// [`PostgresError::Program`] when there is none; [`PostgresError::Ended`] with its own words.
    pub fn run(&self, mut command: Command, watch: &Watch) -> Result<String, PostgresError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(command).map_err(missing)?;
        let pipe = running.child.stdout.take();
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            let read = pipe.map(|pipe| pipe.take(ANSWER_LIMIT).read_to_string(&mut text));
            read.transpose().map(|_| text)
        });
        running.wait(watch).map_err(in_one_line)?;
        let text = reading.join().unwrap_or_else(|_| Ok(String::new()));
        text.map_err(PostgresError::file("reading what pgbackrest says"))
    }

    /// Asks something that is soon answered.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn ask(&self, command: Command) -> Result<String, PostgresError> {
        self.run(command, &self.watch.within(ASK_LIMIT))
    }

    /// Whether its program is there, and new enough; its version.
    ///
    /// # Errors
    /// [`PostgresError::Program`], [`PostgresError::Refused`].
    pub fn version(&self) -> Result<String, PostgresError> {
        let mut command = Command::new("pgbackrest");
        command.arg("version").stdin(Stdio::null());
        let said = self.ask(command)?;
        let version = said.trim().trim_start_matches("pgBackRest").trim().to_owned();
        if !is_new_enough(&version) {
            return Err(PostgresError::Refused {
                why: format!("pgBackRest {version} is too old: its backups cannot be annotated"),
                help: Some(format!("pgBackRest {}.{} or newer is needed", OLDEST.0, OLDEST.1)),
            });
        }
        Ok(version)
    }

    /// How it is, and what it has.
    ///
    /// # Errors
    /// As [`Self::run`]; [`PostgresError::Refused`] when there is no such stanza.
    pub fn info(&self) -> Result<Info, PostgresError> {
        self.version()?;
        let mut command = self.command("info");
        command.arg("--output=json");
        let said = self.ask(command)?;
        let info = Info::parse(&said).map_err(|error| PostgresError::Ended {
            program: "pgbackrest info".to_owned(),
            says: format!("its answer makes no sense: {error}"),
        })?;
        match info {
            // 2: no valid backups. That is no fault of the stanza.
            Some(info) if matches!(info.status.code, 0 | 2) && !info.db.is_empty() => Ok(info),
            other => Err(PostgresError::Refused {
                why: format!(
                    "stanza `{}` cannot be used: {}",
                    self.name,
                    other.map_or("pgBackRest knows none".to_owned(), |info| info.status.message)
                ),
                help: Some(format!(
                    "as the user who owns the repository: pgbackrest --stanza={0} stanza-create, then pgbackrest --stanza={0} check",
                    self.name
                )),
            }),
        }
    }

    /// Its backups as friday keeps them, the oldest first. One of which it is not known what a copy needs has no facts.
    ///
    /// # Errors
    /// As [`Self::info`].
    pub fn backups(&self, setting: &Setting<'_>) -> Result<Vec<Manifest>, PostgresError> {
        let info = self.info()?;
        let made = (0..).zip(&info.backup);
        Ok(made.filter_map(|(number, backup)| manifest(setting, &info, number, backup)).collect())
    }

    /// The log of one of its clusters. `data`: a directory with a copy of it, which `archive-get` asks for.
    ///
    /// # Errors
    /// As [`Self::info`]; [`PostgresError::NoBackup`] when it is not of this cluster.
    pub fn archive(&self, system: &str, data: &std::path::Path) -> Result<Archive, PostgresError> {
        let info = self.info()?;
        let ours = info.db.iter().rev().find(|cluster| cluster.system.to_string() == system);
        let Some(Cluster { id, version, .. }) = ours else {
            return Err(PostgresError::NoBackup(format!(
                "stanza `{}` is of another cluster than {system}",
                self.name
            )));
        };
        Archive::open(self.clone(), format!("{version}-{id}"), data)
    }
}

fn manifest(setting: &Setting<'_>, info: &Info, number: u64, backup: &Backup) -> Option<Manifest> {
    let cluster = info.cluster(backup)?;
    let (timeline, lsn) = (backup.timeline()?, backup.lsn.as_ref()?);
    let system = cluster.system.to_string();
    let of_same = |other: &&Backup| other.database.id == backup.database.id;
    let noted =
        backup.noted().or_else(|| info.backup.iter().rev().filter(of_same).find_map(Backup::noted));
    let facts = noted.map(|mut facts: BTreeMap<String, String>| {
        for (key, value) in [
            ("system", system.clone()),
            ("timeline", timeline.to_string()),
            ("start", lsn.start.clone()),
            ("end", lsn.stop.clone()),
        ] {
            facts.insert(key.to_owned(), value);
        }
        facts
    });
    let told = data::Backup {
        id: BackupId::new(&backup.label),
        point: None,
        began_at_ms: backup.timestamp.start * 1_000,
        took_ms: backup.timestamp.stop.saturating_sub(backup.timestamp.start) * 1_000,
        bytes: backup.info.size,
        stored: backup.info.repository.delta,
        position: Position::Postgres { system, timeline, lsn: lsn.stop.clone() },
        engine_version: format!("PostgreSQL {}", cluster.version),
        encrypted: info.cipher.as_deref().is_some_and(|cipher| cipher != "none"),
    };
    Some(Manifest {
        format: MANIFEST_FORMAT,
        fleet: setting.fleet.clone(),
        database: setting.database.name.clone(),
        number,
        backup: told,
        // It counts in seconds: the one in which it ended is not certain.
        holds_ms: (backup.timestamp.stop + 1) * 1_000,
        point: None,
        objects: Vec::new(),
        facts: facts.unwrap_or_default(),
    })
}

fn missing(error: PostgresError) -> PostgresError {
    match error {
        PostgresError::Program(why) => PostgresError::Refused {
            why,
            help: Some("install it on this host: apt-get install pgbackrest".to_owned()),
        },
        other => other,
    }
}

/// Its messages are of many lines, with hints.
fn in_one_line(error: PostgresError) -> PostgresError {
    match error {
        PostgresError::Ended { program, says } => {
            let lines = says.lines().map(str::trim).filter(|line| !line.is_empty());
            PostgresError::Ended { program, says: lines.collect::<Vec<_>>().join(" · ") }
        }
        other => other,
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(0)
    });
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn what_is_too_old_is_told_from_what_is_not() {
        assert!(is_new_enough("2.45") && is_new_enough("2.41") && is_new_enough("2.54.1"));
        assert!(is_new_enough("3.0") && is_new_enough("2.58dev"));
        assert!(!is_new_enough("2.40") && !is_new_enough("1.99") && !is_new_enough(""));
    }
}
