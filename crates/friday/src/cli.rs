//! The command line. The doc comments are the help text and the reference page.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use crate::commands::{
    abort, adopt, backup, calendar, check, completions, cover, doctor, drill, history, hosts, init,
    lock, log, logs, man, plan, push, quarantine, rehearse, restore, resume, rollback, schema,
    status, sweep, unlock, why,
};
use crate::complete;
use crate::exit::Exit;
use crate::ui::{ColorWhen, Consent, Format, Ui, Volume};

/// Push to production on any day, and always have a way back.
///
/// friday ships a release to your servers in waves that are gated by health, and takes it off
/// everywhere when it is bad. Everything that happens is in one journal beside `friday.toml`.
#[derive(Debug, Parser)]
#[command(
    name = "friday",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  friday init            write a first friday.toml\n  friday push            ship what it names\n  friday status          what runs where\n  friday rollback        take it off again\n\nExit status: 0 done, 1 internal error, 2 wrong usage, 3 configuration invalid, 4 refused,\n5 failed and taken back, 6 a person is needed, 7 unreachable."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print JSON on stdout: one object; for `push` and what else drives a rollout, one per event and
    /// then the result.
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub json: bool,
    /// The configuration; without it, `friday.toml` here or in the nearest directory above.
    #[arg(long, global = true, value_name = "PATH", help_heading = "Options of every command")]
    pub config: Option<PathBuf>,
    /// Lay this environment of the configuration over its base.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        add = ArgValueCompleter::new(complete::environments),
        help_heading = "Options of every command"
    )]
    pub env: Option<String>,
    /// Answer every question that is safe with yes.
    #[arg(long, short, global = true, help_heading = "Options of every command")]
    pub yes: bool,
    /// Say only what went wrong.
    #[arg(long, short, global = true, help_heading = "Options of every command")]
    pub quiet: bool,
    /// When to use colour.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Options of every command"
    )]
    pub color: ColorWhen,
}

impl Global {
    /// The terminal as these options want it.
    pub fn ui(&self) -> Ui {
        let format = if self.json { Format::Json } else { Format::Human };
        let volume = if self.quiet { Volume::Quiet } else { Volume::Normal };
        let consent = if self.yes { Consent::Yes } else { Consent::Ask };
        Ui::new(format, volume, consent, self.color)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at this directory and write a first friday.toml.
    Init(init::InitArgs),
    /// Look for what is missing here and on every host, and print what mends it.
    Doctor(doctor::DoctorArgs),
    /// Take what runs on the servers already as the first release; restart nothing.
    Adopt(adopt::AdoptArgs),
    /// Should I push now? Who is there, what is planned, is the way back proven.
    Check(check::CheckArgs),
    /// Who is there in the coming weeks, and where nobody is.
    Cover(cover::CoverArgs),
    /// Freezes, planned work, holidays and pushes of the coming weeks.
    Calendar(calendar::CalendarArgs),
    /// Show what a push would do, and change nothing.
    Plan(plan::PlanArgs),
    /// Ship a release to every host, in waves gated by health.
    Push(push::PushArgs),
    /// Go on with a rollout that is held or was interrupted: forward, or back.
    Resume(resume::ResumeArgs),
    /// Stop the running push and go back, also from another terminal.
    Abort(abort::AbortArgs),
    /// Take the current release off every host. Needs no lock, no lease and no journal.
    Rollback(rollback::RollbackArgs),
    /// Refuse pushes until unlocked, on every host and for everybody.
    Lock(lock::LockArgs),
    /// Lift the lock.
    Unlock(unlock::UnlockArgs),
    /// Make every host refuse a release, or lift that.
    Quarantine(quarantine::QuarantineArgs),
    /// Make every host what the fleet should be.
    Sweep(sweep::SweepArgs),
    /// Make, list and verify backups of guarded databases.
    Backup(backup::BackupArgs),
    /// Restore the newest backup beside the live database, check it, and time it.
    Drill(drill::DrillArgs),
    /// Try a push and its way back on a copy of the database.
    Rehearse(rehearse::RehearseArgs),
    /// Restore a copy beside the live database: a restore point, a backup or a time.
    Restore(restore::RestoreArgs),
    /// What runs where, and what is going on.
    Status(status::StatusArgs),
    /// Why a rollout was refused, is held or failed, and what can be done.
    Why(why::WhyArgs),
    /// What happened, line by line.
    Log(log::LogArgs),
    /// Rollouts and releases, newest first.
    History(history::HistoryArgs),
    /// Ask every host: reachable, version, disk, release, rotation, drift, reboot.
    Hosts(hosts::HostsArgs),
    /// The last lines of an application's output on one host.
    Logs(logs::LogsArgs),
    /// Print what a shell needs to complete friday's words, hosts and releases.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one for each command.
    Man(man::ManArgs),
    /// Print the JSON schema of friday.toml, for editors.
    Schema(schema::SchemaArgs),
    /// Print the reference pages.
    #[command(name = "__docs", hide = true)]
    Docs(crate::reference::DocsArgs),
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// Whatever kept it from doing what was asked.
    pub fn run(self, ui: &Ui, global: &Global) -> Result<Exit, crate::error::CommandError> {
        match self {
            Self::Init(args) => init::run(ui, global, &args),
            Self::Doctor(args) => doctor::run(ui, global, &args),
            Self::Adopt(args) => adopt::run(ui, global, &args),
            Self::Check(args) => check::run(ui, global, &args),
            Self::Calendar(args) => calendar::run(ui, global, &args),
            Self::Cover(args) => cover::run(ui, global, &args),
            Self::Plan(args) => plan::run(ui, global, &args),
            Self::Push(args) => push::run(ui, global, &args),
            Self::Resume(args) => resume::run(ui, global, &args),
            Self::Abort(args) => abort::run(ui, global, &args),
            Self::Rollback(args) => rollback::run(ui, global, &args),
            Self::Lock(args) => lock::run(ui, global, &args),
            Self::Unlock(args) => unlock::run(ui, global, &args),
            Self::Quarantine(args) => quarantine::run(ui, global, &args),
            Self::Sweep(args) => sweep::run(ui, global, &args),
            Self::Backup(args) => backup::run(ui, global, &args),
            Self::Drill(args) => drill::run(ui, global, &args),
            Self::Rehearse(args) => rehearse::run(ui, global, &args),
            Self::Restore(args) => restore::run(ui, global, &args),
            Self::Status(args) => status::run(ui, global, &args),
            Self::Why(args) => why::run(ui, global, &args),
            Self::Log(args) => log::run(ui, global, &args),
            Self::History(args) => history::run(ui, global, &args),
            Self::Hosts(args) => hosts::run(ui, global, &args),
            Self::Logs(args) => logs::run(ui, global, &args),
            Self::Completions(args) => completions::run(ui, &args),
            Self::Man(args) => man::run(ui, &args),
            Self::Schema(args) => schema::run(ui, &args),
            Self::Docs(args) => crate::reference::run(ui, &args),
        }
    }
}
