//! `friday plan`: what a push would do. Changes nothing.

mod drawing;

pub use drawing::takes;

use clap::Args;
use friday_core::answer::Answer;
use friday_core::journal::finding::GateResult;
use friday_core::reason::Reason;
use friday_core::rollout::plan::{MigrationBack, MigrationPlan, Plan, PlannedDatabase};
use friday_core::view::host::{Membership, Sight};
use friday_core::view::words::{count, duration, names};
use friday_core::view::{
    Chronicle, DatabaseView, Difference, Estimate, HostView, JobView, RehearsalView, job,
};
use friday_edge::stock::Stock;
use friday_wire::{HostName, ProcessName, ReleaseId, Rotation, Supervisor};
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::hour;
use crate::journal::Journal;
use crate::release::{self, Commands, Prepared, ReleaseArgs};
use crate::sight;
use crate::ui::{Ui, now};

/// What to plan.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday plan\n  friday plan releases/v42\n  friday plan --only web-2\n  friday plan --offline\n  friday plan --build      run `release.build` first, as a push does\n  friday plan --full       every file that changes\n  friday plan --json | jq .waves\n\nWhat changes is marked as in a diff: + added, ~ changed, - removed. Values of variables are not shown."
)]
pub struct PlanArgs {
    /// Which release.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Run the configuration's build and secret commands, as a push does.
    #[arg(long)]
    pub build: bool,
    /// Ask no host.
    #[arg(long)]
    pub offline: bool,
    /// Every file that changes, however many.
    #[arg(long)]
    pub full: bool,
}

#[derive(Serialize)]
struct PlanView<'a> {
    release: ReleaseId,
    label: &'a str,
    files: usize,
    bytes: u64,
    returns_to: Option<ReleaseId>,
    waves: &'a [Vec<HostName>],
    soak_ms: &'a [u64],
    bake_ms: u64,
    least_ms: u64,
    /// The hosts that take it; empty: all.
    only: &'a [HostName],
    estimate: Estimate,
    against_release: Option<ReleaseId>,
    changes: Option<Changes<'a>>,
    secrets: Secrets,
    against: Vec<String>,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    databases: Vec<DatabaseView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rehearsals: Vec<RehearsalView>,
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<&'a [HostView]>,
}

/// What the release changes against the stable one.
#[derive(Serialize)]
struct Changes<'a> {
    added: usize,
    changed: usize,
    removed: usize,
    #[serde(flatten)]
    difference: &'a Difference,
    /// Files that are not listed.
    more: usize,
}

/// What is known of the set of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Secrets {
    /// The configuration names none.
    None,
    /// They are read when it is pushed.
    ReadAtPush,
    /// As at the stable release's push.
    Same,
    /// Not as at the stable release's push.
    Changed,
}

/// So many files are listed unless all are asked for.
const FILES_MAX: usize = 20;

/// Runs it.
///
/// # Errors
/// When the release cannot be read; refused (4) when a push would be refused.
pub fn run(ui: &Ui, global: &Global, args: &PlanArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let commands = if args.build { Commands::Run } else { Commands::Leave };
    if args.build {
        release::build(ui, &context, &args.release)?;
    }
    let prepared = release::prepare(&context, &args.release, commands, None)?;
    let journal = Journal::read_whole(&context)?;
    let chronicle = &journal.chronicle;
    let hosts = if args.offline { None } else { Some(sight::hosts(&context, chronicle)?) };
    let (files, bytes) = prepared.size();
    let (plan, at_hour, pace) = hour::paced(&context, Some(&journal), prepared.plan.clone(), now());
    let plan = &plan;
    let difference = difference(&context, &prepared, chronicle.stable);
    let most = if args.full { usize::MAX } else { FILES_MAX };
    let (listed, more) = difference.as_ref().map(|all| shorten(all, most)).unwrap_or_default();
    let estimate = journal.paces.estimate(plan);
    let mut against =
        against(&prepared, context.settings.unit.supervisor, chronicle, hosts.as_deref());
    against.extend(against_the_hour(at_hour));
    let view = PlanView {
        release: plan.release,
        label: &plan.label,
        files,
        bytes,
        returns_to: chronicle.stable,
        waves: &plan.waves,
        only: &plan.only,
        soak_ms: &plan.soak_ms,
        bake_ms: plan.bake_ms,
        least_ms: estimate.waiting_ms,
        estimate,
        against_release: chronicle.stable,
        changes: difference.as_ref().map(|all| {
            let (added, changed, removed) = all.counts();
            Changes { added, changed, removed, difference: &listed, more }
        }),
        secrets: secrets(&context, &journal, plan),
        against,
        databases: DatabaseView::of_plan(plan, &chronicle.databases, now()),
        rehearsals: rehearsals(plan, chronicle),
        notes: pace.into_iter().chain(notes(&context, plan, chronicle, hosts.as_deref())).collect(),
        jobs: job::jobs(&context.settings, |job| holder(plan, hosts.as_deref(), job), now()),
        plan,
        hosts: hosts.as_deref(),
    };
    if ui.is_json() {
        ui.json(&view);
    } else {
        drawing::draw(ui, chronicle, &view);
    }
    Ok(if view.against.is_empty() { Exit::Done } else { Exit::Refused })
}

/// What calendars and rotas say against a push that begins now.
fn against_the_hour(answer: Answer) -> Vec<String> {
    let refusing = answer.gates.into_iter().filter(|said| said.result != GateResult::Pass);
    refusing.map(|said| said.says).collect()
}

/// Against the stable release; against nothing on a first push. `None` where the stable release's files
/// are not in the stock any more.
fn difference(
    context: &Context,
    prepared: &Prepared,
    stable: Option<ReleaseId>,
) -> Option<Difference> {
    let Some(stable) = stable else {
        return Some(Difference::between(None, &prepared.manifest));
    };
    let before = Stock::open(&context.state).and_then(|stock| stock.release(&stable)).ok()?;
    Some(Difference::between(Some(&before.manifest), &prepared.manifest))
}

/// Which host runs a process that runs once: the one that says so; before its first push, the first of
/// its roles. `None` where it is not known.
fn holder(plan: &Plan, hosts: Option<&[HostView]>, job: &ProcessName) -> Option<HostName> {
    let hosts = hosts?;
    let seen = hosts.iter().map(|host| match &host.sight {
        Sight::Seen(seen) => Some((&host.host, seen)),
        Sight::Unreachable { .. } => None,
    });
    let seen = seen.collect::<Option<Vec<_>>>()?;
    let holds = seen.iter().find(|(_, seen)| seen.once.contains(job)).map(|(host, _)| *host);
    holds.or_else(|| plan.once.get(job)?.first()).cloned()
}

/// At most so many files, and how many are left out.
fn shorten(all: &Difference, most: usize) -> (Difference, usize) {
    let files: Vec<_> = all.files.iter().take(most).cloned().collect();
    let more = all.files.len() - files.len();
    (Difference { files, settings: all.settings.clone() }, more)
}

fn secrets(context: &Context, journal: &Journal, plan: &Plan) -> Secrets {
    if context.settings.secrets.is_empty() {
        return Secrets::None;
    }
    let before = journal.chronicle.stable.and_then(|stable| journal.secrets_of(&stable));
    match (&plan.secrets, before) {
        (None, _) => Secrets::ReadAtPush,
        (now, before) if *now == before => Secrets::Same,
        (Some(_), _) => Secrets::Changed,
    }
}

/// What a push would be refused for, as far as can be known without raising a fence.
fn against(
    prepared: &Prepared,
    supervisor: Supervisor,
    chronicle: &Chronicle,
    hosts: Option<&[HostView]>,
) -> Vec<String> {
    let mut against = Vec::new();
    if let Some(lock) = &chronicle.lock {
        against.push(format!("{} locked the fleet: {}", lock.person, lock.reason));
    }
    for open in chronicle.open() {
        against.push(format!("the {} {} is still open", open.word.noun(), open.rollout));
    }
    if let Some(foreign) = &chronicle.foreign {
        against.push(format!("rollout {} of another journal is open", foreign.open.id));
    }
    let known = chronicle.releases.get(&prepared.plan.release);
    if let Some(why) = known.and_then(|known| known.quarantined.as_ref()) {
        against.push(format!("the release is quarantined: {why}"));
    }
    if prepared.plan.recovery_override.is_none() {
        let databases = DatabaseView::of_plan(&prepared.plan, &chronicle.databases, now());
        against.extend(databases.into_iter().filter_map(|database| {
            let reason =
                Reason::RecoveryUnproven { database: database.database, why: database.unproven? };
            Some(reason.to_string())
        }));
    }
    against.extend(not_rehearsed(&prepared.plan, chronicle));
    if let Some((host, release)) = other_apart(&prepared.plan, chronicle) {
        let says = chronicle.release_says(release);
        against.push(format!("`{host}` runs {says} apart from the fleet; name it too"));
    }
    for host in hosts.unwrap_or_default() {
        if !prepared.plan.takes(&host.host) && host.host != prepared.plan.fleet.keeper {
            continue;
        }
        match &host.sight {
            Sight::Unreachable { why } => {
                against.push(format!("`{}` does not answer: {why}", host.host));
            }
            Sight::Seen(seen) => {
                let unusable = seen.unusable.get(&supervisor);
                against.extend(unusable.map(|why| {
                    format!(
                        "`{}` cannot run it as `{supervisor}`: {why} (`friday doctor`)",
                        host.host
                    )
                }));
            }
        }
    }
    against
}

fn rehearsals(plan: &Plan, chronicle: &Chronicle) -> Vec<RehearsalView> {
    RehearsalView::of_plan(plan, &chronicle.databases, chronicle.stable, now())
}

fn not_rehearsed(plan: &Plan, chronicle: &Chronicle) -> Vec<String> {
    if plan.rehearsal_override.is_some() {
        return Vec::new();
    }
    let refused = rehearsals(plan, chronicle).into_iter().filter_map(|view| {
        let reason = Reason::Unrehearsed { database: view.database, why: view.refused? };
        Some(format!("{reason} ({})", reason.hint()))
    });
    refused.collect()
}

/// The migration of a plan, with the way back as a rehearsal leaves it.
fn migration_as_rehearsed(plan: &Plan, chronicle: &Chronicle) -> Option<MigrationPlan> {
    let mut migration = plan.migration.clone()?;
    let decided = rehearsals(plan, chronicle).into_iter().find_map(|view| view.way_back);
    migration.back = decided.unwrap_or(migration.back);
    Some(migration)
}

/// A host that runs another release apart, and is not named.
fn other_apart<'a>(plan: &Plan, chronicle: &'a Chronicle) -> Option<(&'a HostName, &'a ReleaseId)> {
    chronicle
        .apart
        .iter()
        .find(|(host, release)| !plan.takes(host) && **release != plan.release)
        .filter(|_| !plan.only.is_empty())
}

/// What happens to the mix of releases that is there, or will be.
fn mix(plan: &Plan, chronicle: &Chronicle) -> Option<String> {
    let apart = names(chronicle.apart.keys().map(HostName::as_str), 4);
    let stable = chronicle.target_says(chronicle.stable.as_ref());
    if !plan.only.is_empty() && chronicle.stable != Some(plan.release) {
        let only = names(plan.only.iter().map(HostName::as_str), 8);
        let all = count(plan.fleet.hosts.len(), "host");
        return Some(format!(
            "the fleet will be mixed: {only} of {all} take it, the others keep {stable}, which stays \
             the stable release; `friday rollback` or a push to every host ends that"
        ));
    }
    (plan.only.is_empty() && !chronicle.apart.is_empty()).then(|| {
        format!("{apart} ran another release apart from the fleet; a failure returns every host to {stable}")
    })
}

/// When what must hold in a database is judged, and what comes of it.
fn of_judging(database: &PlannedDatabase) -> String {
    format!(
        "{} of `{}` must hold before, in each wave, in the bake (each {}) and after it, or the push is taken back",
        count(database.invariants.len(), "invariant"),
        database.name,
        duration(database.invariants_every_ms),
    )
}

/// What a migration costs, or takes away.
fn of_migration(migration: &MigrationPlan) -> Vec<String> {
    let mut notes = vec![match migration.back {
        MigrationBack::OneWay => format!(
            "the migration on `{}` is one-way: after it nothing goes back by itself",
            migration.host
        ),
        MigrationBack::Safe | MigrationBack::Command { .. } => {
            format!("the migration runs on `{}` before the first wave", migration.host)
        }
    }];
    if migration.stop_all {
        let until = match migration.back {
            MigrationBack::OneWay => "until a wave has switched it",
            MigrationBack::Safe | MigrationBack::Command { .. } => "while the migration runs",
        };
        notes.push(format!(
            "every host is stopped before the migration, and stays so {until}: nothing serves"
        ));
    }
    notes
}

/// Hosts that a push takes in, puts right first, or takes in again.
fn come_or_gone(hosts: &[HostView]) -> Option<String> {
    let empty: Vec<&str> = hosts
        .iter()
        .filter(|host| match &host.sight {
            Sight::Seen(seen) => seen.membership != Membership::Member,
            Sight::Unreachable { .. } => false,
        })
        .map(|host| host.host.as_str())
        .collect();
    (!empty.is_empty()).then(|| {
        format!("{} have nothing of the fleet's yet, and are taken in first", names(empty, 8))
    })
}

/// Hosts whose application another supervisor runs than the one that shall.
fn moves(to: Supervisor, hosts: &[HostView]) -> Vec<String> {
    let moved = hosts.iter().filter_map(|host| match &host.sight {
        Sight::Seen(seen) => {
            let from = seen.supervisor.filter(|from| *from != to)?;
            Some(format!("`{}` moves from `{from}` to `{to}`", host.host))
        }
        Sight::Unreachable { .. } => None,
    });
    moved.collect()
}

/// What the plan cannot give.
fn notes(
    context: &Context,
    plan: &Plan,
    chronicle: &Chronicle,
    hosts: Option<&[HostView]>,
) -> Vec<String> {
    let mut notes: Vec<String> = mix(plan, chronicle).into_iter().collect();
    notes.extend(super::members::unnamed(context, chronicle));
    notes.extend(come_or_gone(hosts.unwrap_or_default()));
    let fleet = &plan.fleet;
    match (fleet.hosts.len(), &fleet.rotation) {
        (1, Rotation::None | Rotation::Page { .. }) => {
            notes.push("there is one host: while it switches, nothing serves".to_owned())
        }
        (2, _) => notes.push(
            "there are two hosts: while one switches, half of what serves is missing".to_owned(),
        ),
        _ => {}
    }
    if fleet.outside.is_none() {
        notes.push(
            "there is no outside probe: the hosts' own health suffices to confirm".to_owned(),
        );
    }
    notes.extend(migration_as_rehearsed(plan, chronicle).iter().flat_map(of_migration));
    notes.extend(plan.recovery_override.iter().map(|word| {
        format!("it is pushed whether or not a recovery of its data is proven: {word}")
    }));
    notes.extend(plan.databases.iter().filter(|one| !one.invariants.is_empty()).map(of_judging));
    if context.settings.build.is_some() {
        notes.push(
            "a push runs `release.build` first; this plan is of what is there now".to_owned(),
        );
    }
    notes.extend(moves(context.settings.unit.supervisor, hosts.unwrap_or_default()));
    let waiting: Vec<&str> = hosts
        .unwrap_or_default()
        .iter()
        .filter(|host| matches!(&host.sight, Sight::Seen(seen) if !seen.starts_at_boot))
        .map(|host| host.host.as_str())
        .collect();
    if !waiting.is_empty() {
        notes.push(format!(
            "after a reboot, {} start nothing and undo nothing until friday's next contact",
            names(waiting, 4)
        ));
    }
    notes
}
