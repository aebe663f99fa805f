//! Work on guarded databases that is no rollout: asked of the program beside each, and journalled at its beginning and
//! its end by a process that does not drive. It never keeps a push or a rollback waiting.

use std::time::Duration;

use friday_core::config::settings::DatabaseSettings;
use friday_core::database::{DataAct, DataOutcome};
use friday_core::journal::Event;
use friday_core::view::words::size;
use friday_edge::data::{DataError, Databases};
use friday_edge::fleet::HostProgram;
use friday_edge::fleet::data::{DataProgress, DataSetup};
use friday_edge::identity;
use friday_edge::progress::ProgressSender;
use friday_wire::data::{DataAnswer, DataPhase, DataRequest, Guarded, Mask};
use friday_wire::{DataActId, DatabaseName};
use tokio::runtime::Runtime;

use crate::context::Context;
use crate::driver::Bystander;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::host_program::DATA_PROGRAM;
use crate::sight;
use crate::ui::{Ui, now};

/// How long a backup may take. That the line is dead, ssh notices much sooner.
const BACKUP_LIMIT: Duration = Duration::from_secs(24 * 3_600);

/// How long a short question may take: a list, a look at what is possible.
pub const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// How long reading all backups may take.
pub const VERIFY_LIMIT: Duration = BACKUP_LIMIT;

/// The databases of a configuration, with what work on them needs.
pub struct DataWork<'a> {
    ui: &'a Ui,
    context: &'a Context,
    databases: Databases,
    runtime: Runtime,
}

/// The databases of a configuration as the program beside each is asked, connected to nobody yet.
pub fn databases(context: &Context, progress: ProgressSender) -> Databases {
    let setup = DataSetup {
        fleet: context.settings.fleet.clone(),
        login: context.settings.login.clone(),
        base: context.base.clone(),
        program: HostProgram::beside_databases(DATA_PROGRAM),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        progress,
    };
    Databases::new(setup, context.settings.databases.clone())
}

impl<'a> DataWork<'a> {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(ui: &'a Ui, context: &'a Context) -> Result<Self, CommandError> {
        let databases = databases(context, ProgressSender::nobody());
        Ok(Self { ui, context, databases, runtime: sight::runtime()? })
    }

    /// The one that was named, or the only one.
    ///
    /// # Errors
    /// When there is none, or several and none was named.
    pub fn one(&self, named: Option<&str>) -> Result<&'a DatabaseSettings, CommandError> {
        match self.chosen(named)?[..] {
            [one] => Ok(one),
            ref several => {
                let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
                Err(CommandError::new(Exit::Usage, "several databases are guarded: name one")
                    .hint(format!("there is `{}`", names.join("`, `"))))
            }
        }
    }

    /// What the databases are asked with.
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// The databases that were named, or all.
    ///
    /// # Errors
    /// When there is none, or none of that name.
    pub fn chosen(&self, named: Option<&str>) -> Result<Vec<&'a DatabaseSettings>, CommandError> {
        let all = &self.context.settings.databases;
        if all.is_empty() {
            return Err(CommandError::new(Exit::Configuration, "no database is guarded")
                .hint("`[[database]]` in friday.toml names one; see the guide, \"Databases\""));
        }
        let chosen: Vec<&DatabaseSettings> = all
            .iter()
            .filter(|database| named.is_none_or(|n| database.name.as_str() == n))
            .collect();
        if chosen.is_empty() {
            let known: Vec<&str> = all.iter().map(|database| database.name.as_str()).collect();
            let named = named.unwrap_or_default();
            return Err(CommandError::new(Exit::Usage, format!("there is no database `{named}`"))
                .hint(format!("there is `{}`", known.join("`, `"))));
        }
        Ok(chosen)
    }

    /// Asks without a record: what only looks.
    ///
    /// # Errors
    /// When there is no good answer.
    pub fn look(
        &self,
        database: &DatabaseName,
        limit: Duration,
        request: impl FnOnce(Guarded) -> DataRequest,
    ) -> Result<DataAnswer, CommandError> {
        self.ask(database, limit, request).map_err(|error| complaint(database, error))
    }

    /// What takes personal data out of a copy of a database; `None`: nothing is to.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn mask(&self, database: &DatabaseName) -> Result<Option<Mask>, CommandError> {
        let read = self.runtime.block_on(self.databases.mask(database));
        read.map_err(|error| complaint(database, error))
    }

    /// Makes a backup.
    ///
    /// # Errors
    /// When it could not be made, or not be journalled.
    pub fn backup(&self, database: &DatabaseName) -> Result<DataAnswer, CommandError> {
        self.journalled(database, DataAct::Backup, BACKUP_LIMIT, |database| DataRequest::Backup {
            database,
        })
    }

    /// Does work, and journals that it began and how it ended. The answer is one to the request.
    ///
    /// # Errors
    /// When it fails, or cannot be journalled.
    pub fn journalled(
        &self,
        database: &DatabaseName,
        what: DataAct,
        limit: Duration,
        request: impl FnOnce(Guarded) -> DataRequest,
    ) -> Result<DataAnswer, CommandError> {
        let act = self.begin(database, what)?;
        match self.ask(database, limit, request) {
            Ok(answer) => match outcome_of(&answer) {
                Some(outcome) => act.end(outcome).map(|()| answer),
                None => {
                    let why = "the program beside it answered another question".to_owned();
                    act.end(failed(why.clone()))?;
                    Err(CommandError::bug(why))
                }
            },
            Err(error) => {
                act.end(outcome_of_error(&error))?;
                Err(complaint(database, error))
            }
        }
    }

    /// Journals that an act begins.
    ///
    /// # Errors
    /// When it cannot be journalled.
    pub fn begin(&self, database: &DatabaseName, what: DataAct) -> Result<Act, CommandError> {
        let id = identity::new_rollout_id(now())
            .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
        let act = DataActId::new(id.as_str());
        let mut journal = Bystander::open(self.context)?;
        let (began, database, person) = (act.clone(), database.clone(), identity::person());
        let event = Event::DataActBegun { act: began, person, database: database.clone(), what };
        journal.append(&event)?;
        Ok(Act { journal, act, database })
    }

    fn ask(
        &self,
        database: &DatabaseName,
        limit: Duration,
        request: impl FnOnce(Guarded) -> DataRequest,
    ) -> Result<DataAnswer, DataError> {
        let waiting = self.ui.waiting();
        waiting.on(&format!("{database}: connecting"));
        let watch = |progress| waiting.on(&format!("{database}: {}", says(progress)));
        self.runtime.block_on(self.databases.ask(database, limit, request, watch))
    }
}

fn says(progress: DataProgress) -> String {
    let DataProgress { phase, done, of } = progress;
    match of {
        _ if done == 0 => phase.to_string(),
        Some(of) if of > 0 => {
            format!("{phase}, {} of {} ({} %)", size(done), size(of), done.saturating_mul(100) / of)
        }
        _ => format!("{phase}, {}", size(done)),
    }
}

/// An act that began, as the journal knows.
pub struct Act {
    journal: Bystander,
    act: DataActId,
    database: DatabaseName,
}

impl Act {
    /// Journals how it ended.
    ///
    /// # Errors
    /// When it cannot be journalled.
    pub fn end(mut self, outcome: DataOutcome) -> Result<(), CommandError> {
        let ended = Event::DataActEnded { act: self.act, database: self.database, outcome };
        self.journal.append(&ended)
    }
}

fn failed(why: String) -> DataOutcome {
    DataOutcome::Failed { phase: DataPhase::Find, why }
}

/// What the journal is told of a question without a good answer.
pub fn outcome_of_error(error: &DataError) -> DataOutcome {
    match error {
        DataError::Failed { phase, why, .. } => {
            DataOutcome::Failed { phase: *phase, why: why.clone() }
        }
        error => failed(error.to_string()),
    }
}

fn outcome_of(answer: &DataAnswer) -> Option<DataOutcome> {
    match answer {
        DataAnswer::BackedUp { backup, pruned } => {
            Some(DataOutcome::BackedUp { backup: backup.clone(), pruned: pruned.clone() })
        }
        DataAnswer::Verified { report } => Some(DataOutcome::Verified { report: report.clone() }),
        DataAnswer::Drilled { report } | DataAnswer::Restored { report, .. } => {
            Some(DataOutcome::Drilled { report: report.clone() })
        }
        _ => None,
    }
}

/// What a person is told. The live database is as it was, in each case.
pub fn complaint(database: &DatabaseName, error: DataError) -> CommandError {
    match error {
        DataError::Failed { phase, why, help } => {
            let failed = format!("database `{database}`: {phase} failed");
            let error = CommandError::new(Exit::Person, failed).because(why);
            help.into_iter().fold(error, CommandError::hint)
        }
        DataError::Unreachable { .. } => CommandError::from_error(Exit::Unreachable, &error)
            .hint("`friday doctor` looks at the host"),
        DataError::Lost(_) => {
            let lost = format!("database `{database}`: the connection ended before it was done");
            CommandError::new(Exit::Unreachable, lost)
                .because(error.to_string())
                .hint("what was begun is put away there; run it again")
        }
        DataError::Secret { .. } => CommandError::from_error(Exit::Configuration, &error),
        DataError::Mask { .. } => CommandError::from_error(Exit::Configuration, &error)
            .hint("`mask` under `drill` names it, beside friday.toml"),
        DataError::NoSuchDatabase(_) => CommandError::from_error(Exit::Usage, &error),
    }
}
