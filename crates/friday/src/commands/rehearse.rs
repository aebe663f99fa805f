//! `friday rehearse`: a push and its way back, tried on a copy of the database.

use std::time::Duration;

use clap::Args;
use friday_core::config::settings::{Address, DatabaseSettings, EngineSettings, RehearseSettings};
use friday_core::database::{DataAct, DataOutcome, DatabaseKnown, Judgement, Verdict, measured};
use friday_core::rollout::plan::{MigrationBack, Plan};
use friday_core::view::Chronicle;
use friday_core::view::words::duration;
use friday_edge::bandwidth::Bandwidth;
use friday_edge::data::DataSession;
use friday_edge::fleet::Fleet;
use friday_edge::progress::ProgressSender;
use friday_edge::rehearsal::{self, Audience, RehearsalError, Script, Stage};
use friday_edge::secrets::SecretStore;
use friday_edge::ship::{ShipError, ShipFrom, Shipment, ship};
use friday_edge::stock::Stock;
use friday_wire::data::{
    CopyAddress, DataPhase, Masked, RehearsalReport, RehearsedStep, StepResult,
};
use friday_wire::trial::TrialEnvironment;
use friday_wire::{DatabaseName, HostName, ReleaseId};
use serde::Serialize;
use tokio::time::Instant;

use crate::cli::Global;
use crate::commands::drill;
use crate::context::Context;
use crate::data_work::{DataWork, complaint, outcome_of_error};
use crate::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::preparation::Preparation;
use crate::release::{self, Commands, ReleaseArgs};
use crate::sight;
use crate::ui::{Ink, Text, Ui, Waiting};

/// Which release, on which database.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday rehearse\n  friday rehearse releases/v42\n  friday rehearse --database orders dist/shop-v42.tar.gz\n\nOn a copy of the database: the migration, the new release, then the old release against what the new one left.\nThe live database and what hosts run are not touched. `[database.rehearse]` says how a release is told of the copy."
)]
pub struct RehearseArgs {
    /// Which release.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// The database; not needed where only one has `[database.rehearse]`.
    #[arg(long, value_name = "DATABASE")]
    pub database: Option<String>,
}

#[derive(Serialize)]
struct RehearseView<'a> {
    database: &'a DatabaseName,
    judgement: &'a Judgement,
    report: &'a RehearsalReport,
}

/// Runs it.
///
/// # Errors
/// When it came to no end, or the push would not work.
pub fn run(ui: &Ui, global: &Global, args: &RehearseArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let work = DataWork::new(ui, &context)?;
    let (database, rehearse) = chosen(&work, args.database.as_deref())?;
    let host = tried_on(&context, database, rehearse)?;
    driver::settle(ui, &context)?;
    release::build(ui, &context, &args.release)?;
    let prepared = release::prepare(&context, &args.release, Commands::Run, None)?;
    release::sign(ui, &context, &prepared.plan.release)?;
    let chronicle = Journal::read(&context)?.chronicle;
    let old = chronicle.stable;
    if old == Some(prepared.plan.release) {
        return Err(CommandError::new(Exit::Usage, "this release is the stable one already"));
    }
    if is_older_than_the_stable_release(database, &chronicle) {
        ui.say("The newest backup is older than the stable release: making one");
        work.backup(&database.name)?;
    }
    let script = script(database, rehearse, &prepared.plan, old);
    let journalled = work.begin(&database.name, DataAct::Rehearsal)?;
    let preparation = Preparation::begin()?;
    let mut audience = Screen { ui, waiting: ui.waiting() };
    let showing = show(
        &context,
        &work,
        (database, rehearse, &host),
        (&prepared.plan, &script),
        &mut audience,
    );
    let shown = preparation.run("the push was rehearsed", showing);
    drop(audience);
    let ended = match shown {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(failed)) => Err((failed.outcome(), failed.complaint(&database.name))),
        Err(left) => {
            let why = "a person stopped it".to_owned();
            Err((DataOutcome::Failed { phase: DataPhase::Find, why }, left))
        }
    };
    match ended {
        Ok(report) => {
            journalled.end(DataOutcome::Rehearsed { report: Box::new(report.clone()) })?;
            conclude(ui, database, &report)
        }
        Err((outcome, error)) => {
            journalled.end(outcome)?;
            Err(error)
        }
    }
}

/// Whether the newest copy of a file is from before the stable release's push, which may have migrated it: against such
/// a copy the old release itself would fail. PostgreSQL's log leads up to the present whatever the backup's age.
fn is_older_than_the_stable_release(database: &DatabaseSettings, chronicle: &Chronicle) -> bool {
    let EngineSettings::Sqlite { .. } = database.engine else { return false };
    let stable = chronicle.stable.and_then(|stable| chronicle.releases.get(&stable));
    let since = stable.and_then(|stable| stable.stable_since);
    let newest = chronicle.databases.get(&database.name).and_then(DatabaseKnown::newest_backup);
    match (since, newest) {
        (Some(since), Some(newest)) => {
            i64::try_from(newest.began_at_ms).unwrap_or(i64::MAX) < since.0
        }
        (_, None) | (None, _) => false,
    }
}

fn chosen<'a>(
    work: &DataWork<'a>,
    named: Option<&str>,
) -> Result<(&'a DatabaseSettings, &'a RehearseSettings), CommandError> {
    let hint = "`[database.rehearse]` says how a release is told of the copy; see the guide, \"Rehearsals\"";
    let all = work.chosen(named)?;
    let mut able = all.iter().filter_map(|one| Some((*one, one.rehearse.as_ref()?)));
    match (able.next(), able.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(CommandError::new(
            Exit::Configuration,
            "nothing says how a release is told of a copy of its database",
        )
        .hint(hint)),
        (Some((first, _)), Some((second, _))) => Err(CommandError::new(
            Exit::Usage,
            format!("several databases have `rehearse`: `{}`, `{}`", first.name, second.name),
        )
        .hint("name one: --database NAME")),
    }
}

/// The host where releases are tried. The copy is on the database's: a socket or a file leads no further.
fn tried_on(
    context: &Context,
    database: &DatabaseSettings,
    rehearse: &RehearseSettings,
) -> Result<HostName, CommandError> {
    let host = context.settings.rehearsal_host(rehearse).cloned();
    let host = host.ok_or_else(|| CommandError::bug("the fleet has no host"))?;
    let address = context.settings.host(&host).map(|host| &host.address);
    let (copy_on, copy_at) = database.drilled_on();
    if address.is_some_and(|address| leads_to_the_same(address, copy_at)) {
        return Ok(host);
    }
    let says = format!(
        "releases are tried on `{host}`, and the copy of `{}` lies on `{}`",
        database.name, copy_on
    );
    Err(CommandError::new(Exit::Configuration, says).hint(
        "let drills restore on a host of the fleet (`drill = { host = … }`), or name the one beside the database as `host` in `[database.rehearse]`; the login must be the same",
    ))
}

fn leads_to_the_same(one: &Address, other: &Address) -> bool {
    match (one, other) {
        // Directories of this machine.
        (Address::Local { .. }, Address::Local { .. }) => true,
        (one, other) => one == other,
    }
}

fn script(
    database: &DatabaseSettings,
    rehearse: &RehearseSettings,
    plan: &Plan,
    old: Option<ReleaseId>,
) -> Script {
    let migration = plan.migration.as_ref();
    let back = migration.and_then(|migration| match &migration.back {
        MigrationBack::Command { command } => Some(command.clone()),
        MigrationBack::Safe | MigrationBack::OneWay => None,
    });
    let limit = Duration::from_millis(rehearse.timeout_ms);
    Script {
        new: plan.release,
        old,
        migration: migration.map(|migration| (migration.command.clone(), limit)),
        back,
        write: rehearse.write.clone(),
        read: rehearse.read.clone(),
        invariants: database.invariants.clone(),
        limit,
        health_limit: limit.min(Duration::from_millis(plan.fleet.clocks.health_deadline_ms)),
        open_limit: Duration::from_millis(database.drill.timeout_ms),
    }
}

/// Why there is no report.
enum Failed {
    /// A release did not get to the host.
    Ship(ReleaseId, ShipError),
    /// The host's trial was not reached.
    Trial(HostName, friday_edge::fleet::ConnectError),
    /// The rehearsal itself.
    Rehearsal(RehearsalError),
}

impl Failed {
    fn outcome(&self) -> DataOutcome {
        let why = match self {
            Self::Rehearsal(RehearsalError::Copy(error)) => return outcome_of_error(error),
            Self::Rehearsal(error) => error.to_string(),
            Self::Ship(_, error) => error.to_string(),
            Self::Trial(_, error) => error.to_string(),
        };
        DataOutcome::Failed { phase: DataPhase::Find, why }
    }

    fn complaint(self, database: &DatabaseName) -> CommandError {
        match self {
            Self::Rehearsal(RehearsalError::Copy(error)) => complaint(database, error),
            Self::Rehearsal(error @ RehearsalError::Elsewhere(_)) => {
                CommandError::new(Exit::Person, "the rehearsal proves nothing")
                    .because(error.to_string())
                    .hint("look whether `variable` and `value` in `[database.rehearse]` are what the release reads")
                    .hint("look at the live database: what was to be tried on the copy may have been done there")
            }
            Self::Rehearsal(error) => CommandError::new(Exit::Person, "the rehearsal came to no end")
                .because(error.to_string()),
            Self::Ship(release, error) => {
                let says = format!("release {} did not get to the host", release.short());
                CommandError::new(Exit::Unreachable, says).because(error.to_string())
            }
            Self::Trial(host, error) => {
                CommandError::new(Exit::Unreachable, format!("`{host}` cannot be reached"))
                    .because(error.told())
                    .hint("`friday doctor` looks at the host")
            }
        }
    }
}

async fn show(
    context: &Context,
    work: &DataWork<'_>,
    (database, rehearse, host): (&DatabaseSettings, &RehearseSettings, &HostName),
    (plan, script): (&Plan, &Script),
    audience: &mut Screen<'_>,
) -> Result<RehearsalReport, Failed> {
    let fleet = sight::fleet(context, ProgressSender::nobody());
    let mask = work.databases().mask(&database.name).await;
    let mask = mask.map_err(|error| Failed::Rehearsal(error.into()))?;
    audience.begins("putting the releases on the host");
    put(context, &fleet, host, (plan, script)).await?;
    let session = work.databases().session(&database.name).await;
    let copy: DataSession = session.map_err(|error| Failed::Rehearsal(error.into()))?;
    let trial = fleet.trial(host).await.map_err(|error| Failed::Trial(host.clone(), error))?;
    let surroundings = |address: &CopyAddress| {
        let mut instead = rehearse.env.clone();
        instead
            .insert(rehearse.variable.clone(), rehearse.value_for(&rehearsal::place_of(address)));
        TrialEnvironment { secrets: plan.secrets.clone(), instead }
    };
    let rehearsed =
        rehearsal::rehearse(Stage { copy, trial, mask }, script, surroundings, audience);
    rehearsed.await.map_err(Failed::Rehearsal)
}

/// Puts the releases on the host. An old one that is not in the stock any more is there already, or its tree cannot be
/// made.
async fn put(
    context: &Context,
    fleet: &Fleet,
    host: &HostName,
    (plan, script): (&Plan, &Script),
) -> Result<(), Failed> {
    let failed =
        |error: friday_edge::stock::StockError| Failed::Ship(plan.release, ShipError::Stock(error));
    let stock = Stock::open(&context.state).map_err(failed)?;
    let secrets = SecretStore::open(&context.state)
        .map_err(|error| Failed::Ship(plan.release, ShipError::Secrets(error)))?;
    let from = ShipFrom {
        stock,
        secrets,
        bandwidth: Bandwidth::new(context.settings.bandwidth),
        progress: ProgressSender::nobody(),
    };
    for release in [Some(script.new), script.old].into_iter().flatten() {
        if release != script.new && from.stock.release(&release).is_err() {
            continue;
        }
        let shipment = Shipment { host: host.clone(), release, secrets: plan.secrets.clone() };
        let deadline = Instant::now() + Duration::from_millis(plan.fleet.stage_deadline_ms);
        let shipped = ship(fleet, &from, &shipment, deadline).await;
        shipped.map_err(|error| Failed::Ship(release, error))?;
    }
    Ok(())
}

/// The terminal, as a rehearsal's audience.
struct Screen<'a> {
    ui: &'a Ui,
    waiting: Waiting,
}

impl Audience for Screen<'_> {
    fn masked(&mut self, masked: &Masked) {
        if !self.ui.is_json() {
            let says = format!(" {}", drill::masked_says(masked));
            self.ui.data(Text::new().ink(Ink::Good, "✓").plain(&says));
        }
    }

    fn begins(&mut self, step: &str) {
        self.waiting.on(step);
    }

    fn ended(&mut self, step: &RehearsedStep, log: &[String]) {
        if self.ui.is_json() {
            return;
        }
        let (ink, mark, why) = match &step.result {
            StepResult::Passed => (Ink::Good, "✓", String::new()),
            StepResult::Failed { why } => (Ink::Bad, "✗", format!(": {why}")),
            StepResult::Skipped => return,
        };
        let says = format!(" {}, {}{why}", step.step, duration(step.ms));
        self.ui.data(Text::new().ink(ink, mark).plain(&says));
        for line in log {
            self.ui.data(Text::new().ink(Ink::Faint, &format!("    {line}")));
        }
    }
}

fn conclude(
    ui: &Ui,
    database: &DatabaseSettings,
    report: &RehearsalReport,
) -> Result<Exit, CommandError> {
    let judgement = Judgement::of(report);
    if ui.is_json() {
        ui.json(&RehearseView { database: &database.name, judgement: &judgement, report });
    } else {
        for line in measured(report) {
            ui.data(Text::new().plain(&format!("  {line}")));
        }
        let (ink, mark) =
            if judgement.verdict.lets_back() { (Ink::Good, "✓") } else { (Ink::Warn, "!") };
        ui.data(
            Text::new()
                .ink(ink, mark)
                .plain(" ")
                .ink(Ink::Name, database.name.as_str())
                .plain(&format!(": {}", judgement.says())),
        );
    }
    match judgement.verdict {
        Verdict::Fails => Err(CommandError::new(Exit::Person, "this push would not work")
            .because(judgement.says())
            .hint("mend it and rehearse again; a push of it is refused until then")),
        Verdict::CodeOnly | Verdict::Reversible => Ok(Exit::Done),
        Verdict::NeedsDataRevert | Verdict::OneWay => {
            ui.say("After such a push friday goes back only when a person says so.");
            Ok(Exit::Done)
        }
    }
}
