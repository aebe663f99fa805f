//! `friday adopt`: the first release is what runs already, and nothing is restarted.
//!
//! It looks past friday-host, copies the tree from one host, and pushes it like any release. What is special
//! is only how it runs: see [`friday_wire::Adopted`].

use std::collections::BTreeMap;
use std::fs;

use clap::Args;
use friday_core::config::settings::{Address, ReleaseFacts};
use friday_core::controller::input;
use friday_core::release::tree_id;
use friday_core::rollout::plan::{Hooks, Plan};
use friday_core::view::words::{count, names};
use friday_edge::release_source::{SourceLimits, read_release};
use friday_edge::stock::Stock;
use friday_wire::{Adopted, HostName};

use crate::adoption::{self, Found, Inquiry};
use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sight::{self, Look};
use crate::ui::{Ink, Text, Ui, now};

/// Differences that are shown of each host.
const SHOWN_MAX: usize = 5;

/// What runs, and how it is stopped and started.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday adopt /srv/app/current --unit app.service\n  friday adopt /srv/app --pidfile /srv/app/app.pid --start bin/start\n  friday adopt /srv/app --start bin/start --stop bin/stop --running bin/status\n  friday adopt /srv/app/current --unit app.service --leave-out log --leave-out tmp\n\nCommands run on the hosts as the login user, in PATH. Nothing is stopped or started now: the next push stops\nit by `stop`, and a rollback starts it again by `start`. --unit enables and disables the unit\nwith it, and needs leave to `sudo -n systemctl`."
)]
pub struct AdoptArgs {
    /// The directory that runs, on every host; a link like Capistrano's `current` is followed.
    pub path: String,
    /// The systemd unit that runs it: instead of the three commands.
    #[arg(long, value_name = "UNIT", conflicts_with_all = ["start", "stop", "running", "pidfile"])]
    pub unit: Option<String>,
    /// The file with its process id: instead of `--running` and `--stop`.
    #[arg(long, value_name = "FILE", conflicts_with = "running")]
    pub pidfile: Option<String>,
    /// Starts it.
    #[arg(long, value_name = "COMMAND")]
    pub start: Option<String>,
    /// Stops it.
    #[arg(long, value_name = "COMMAND")]
    pub stop: Option<String>,
    /// Ends with 0 while it runs.
    #[arg(long, value_name = "COMMAND")]
    pub running: Option<String>,
    /// A path in it that is no part of the release: logs, caches, uploads. May be given several times.
    #[arg(long, value_name = "PATH")]
    pub leave_out: Vec<String>,
    /// What people call the release; without it, `adopted`.
    #[arg(long, value_name = "NAME", default_value = "adopted")]
    pub label: String,
}

/// Runs it.
///
/// # Errors
/// When friday is there already, hosts differ, or the push that makes it the first release fails.
pub fn run(ui: &Ui, global: &Global, args: &AdoptArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    driver::refuse_beside_another(&context)?;
    driver::settle(ui, &context)?;
    context.state.make().map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    refuse_where_friday_runs(&context)?;
    let mut adopted = manner(args)?;
    let may = args.unit.as_deref().map(leave_of);
    let leave_out = left_out_of(args);
    let inquiry = Inquiry {
        path: &args.path,
        running: &adopted.running,
        may: may.as_deref(),
        leave_out: &leave_out,
    };
    let found = adoption::look(&context, &inquiry)?;
    let Some((first, one)) = found.iter().next() else {
        return Err(CommandError::bug("there are no hosts"));
    };
    refuse_odd(&context, args, &found)?;
    refuse_differing(&found, first, one)?;
    let leads_out = one.leads_out();
    describe(ui, args, &found, (one, &leave_out, &leads_out), &adopted);
    super::members::consent(ui, global, "Make this friday's first release? Nothing is restarted.")?;
    if found.values().all(|other| other.path == one.path) {
        adopted.path.clone_from(&one.path);
    }
    let leave_out: Vec<String> = leave_out.into_iter().chain(leads_out).collect();
    let plan = plan(&context, args, &adopted, (first, &leave_out))?;
    let (start, stop) = (adopted.start.clone(), adopted.stop.clone());
    let exit = driver::drive(ui, &context, Purpose::Act, |rollout, driver| input::Command::Push {
        rollout,
        driver,
        plan: Box::new(plan),
    })?;
    if exit == Exit::Done {
        ui.say("Nothing was restarted. Whoever put releases there before must not do so any more.");
        ui.say(format!(
            "The next push stops it by `{stop}`; a rollback to it starts it by `{start}`,"
        ));
        ui.say(format!(
            "in {}: leave that directory as it is for as long as you may want to go back.",
            adopted.path
        ));
    }
    Ok(exit)
}

/// A fleet that friday pushes to has a first release.
fn refuse_where_friday_runs(context: &Context) -> Result<(), CommandError> {
    for (host, look) in sight::look(context)? {
        match look {
            Look::Unreachable { why } => {
                return Err(CommandError::new(
                    Exit::Unreachable,
                    format!("`{host}` does not answer"),
                )
                .because(why)
                .hint("see `friday hosts`; nothing was changed"));
            }
            Look::Seen { seen, .. } if seen.head.current.or(seen.head.stable).is_some() => {
                return Err(CommandError::new(
                    Exit::Refused,
                    format!("friday runs a release on `{host}` already; nothing was changed"),
                )
                .hint("a host that joins such a fleet needs no `adopt`: stop what runs there, then `friday sweep`"));
            }
            Look::Seen { .. } => {}
        }
    }
    Ok(())
}

/// How it is stopped, started and asked.
fn manner(args: &AdoptArgs) -> Result<Adopted, CommandError> {
    let path = args.path.clone();
    if let Some(unit) = &args.unit {
        let plain = |c: char| c.is_ascii_alphanumeric() || "@._-:".contains(c);
        if unit.is_empty() || unit.starts_with('-') || !unit.chars().all(plain) {
            return Err(CommandError::new(Exit::Usage, format!("`{unit}` is not a unit's name")));
        }
        return Ok(Adopted {
            path,
            // Not only started and stopped: what a boot starts by itself would take the port of what came after it.
            start: format!("sudo -n systemctl enable --now {unit}"),
            stop: format!("sudo -n systemctl disable --now {unit}"),
            running: format!("systemctl is-active --quiet {unit}"),
        });
    }
    let missing = |what: &str| {
        CommandError::new(Exit::Usage, format!("it is not said how the application is {what}"))
            .hint("`--unit UNIT`, `--pidfile FILE --start COMMAND`, or `--start`, `--stop` and `--running`")
    };
    let start = args.start.clone().ok_or_else(|| missing("started"))?;
    let (stop, running) = match &args.pidfile {
        Some(file) => {
            let file = format!("'{}'", file.replace('\'', "'\\''"));
            let stop = format!(
                "p=$(cat {file}) && kill \"$p\" && while kill -0 \"$p\" 2>/dev/null; do sleep 0.2; done"
            );
            (Some(stop), Some(format!("kill -0 \"$(cat {file})\"")))
        }
        None => (None, args.running.clone()),
    };
    let stop = args.stop.clone().or(stop).ok_or_else(|| missing("stopped"))?;
    let running = running.ok_or_else(|| missing("seen to run"))?;
    Ok(Adopted { path, start, stop, running })
}

/// Whether the login may do what a unit needs.
fn leave_of(unit: &str) -> String {
    format!("sudo -n -l systemctl disable --now {unit} && sudo -n -l systemctl enable --now {unit}")
}

fn refuse_odd(
    context: &Context,
    args: &AdoptArgs,
    found: &BTreeMap<HostName, Found>,
) -> Result<(), CommandError> {
    let on = |test: fn(&Found) -> bool| {
        let hosts = found.iter().filter(|(_, found)| test(found)).map(|(host, _)| host.as_str());
        names(hosts, 8)
    };
    let stopped = on(|found| !found.runs);
    if !stopped.is_empty() {
        return Err(CommandError::new(
            Exit::Refused,
            format!("the application does not seem to run on {stopped}; nothing was changed"),
        )
        .hint("the command of `--running`, `--unit` or `--pidfile` must end with 0 there, as the login user"));
    }
    let forbidden = on(|found| !found.may);
    let login =
        found.iter().find(|(_, found)| !found.may).and_then(|(host, _)| login_of(context, host));
    let login = login.unwrap_or("LOGIN");
    if let (Some(unit), false) = (&args.unit, forbidden.is_empty()) {
        return Err(CommandError::new(
            Exit::Refused,
            format!("the login may not stop and start `{unit}` on {forbidden}; nothing was changed"),
        )
        .hint(format!(
            "a line for `visudo` there: {login} ALL=(root) NOPASSWD: /usr/bin/systemctl enable --now {unit}, /usr/bin/systemctl disable --now {unit}"
        )));
    }
    Ok(())
}

/// Who logs in on a host, where the configuration says it.
fn login_of<'a>(context: &'a Context, host: &HostName) -> Option<&'a str> {
    match &context.settings.host(host)?.address {
        Address::Ssh { user, .. } => Some(user),
        Address::Local { .. } => None,
    }
}

/// What is no part of the release: what the person said, and a file that names a process.
fn left_out_of(args: &AdoptArgs) -> Vec<String> {
    let mut paths = args.leave_out.clone();
    if let Some(file) = &args.pidfile {
        let within = file.strip_prefix(&args.path).map(|rest| rest.trim_start_matches('/'));
        let inside =
            if file.starts_with('/') { within } else { Some(file.trim_start_matches("./")) };
        paths.extend(inside.filter(|path| !path.is_empty()).map(str::to_owned));
    }
    paths
}

/// One release is one tree: where hosts run different ones, a person has to say which.
fn refuse_differing(
    found: &BTreeMap<HostName, Found>,
    first: &HostName,
    one: &Found,
) -> Result<(), CommandError> {
    let mut error = CommandError::new(
        Exit::Refused,
        "the hosts do not run the same files, and a release is the same everywhere; nothing was changed",
    );
    let mut differs = false;
    for (host, other) in found {
        let different = one.differences(other);
        if different.is_empty() {
            continue;
        }
        differs = true;
        let shown = names(different.iter().map(String::as_str), SHOWN_MAX);
        error = error.because(format!("`{host}` differs from `{first}` in {shown}"));
    }
    if differs {
        return Err(error
            .hint("`--leave-out PATH` for what is no part of the release: logs, caches, uploads")
            .hint("else put the same release on all of them the old way, and adopt then"));
    }
    Ok(())
}

fn describe(
    ui: &Ui,
    args: &AdoptArgs,
    found: &BTreeMap<HostName, Found>,
    (one, leave_out, leads_out): (&Found, &[String], &[String]),
    adopted: &Adopted,
) {
    let hosts = count(found.len(), "host");
    let files = count(one.files.len(), "file");
    ui.data(
        Text::new()
            .plain("Found ")
            .ink(Ink::Strong, &one.path)
            .plain(&format!(" on {hosts}: {files}, the same everywhere, and it runs.")),
    );
    for path in leads_out {
        ui.data(format!("  left out: {path}, which leads out of the directory or is no file"));
    }
    for path in leave_out {
        ui.data(format!("  left out: {path}"));
    }
    ui.data(format!(
        "It becomes the release `{}`, stable, with its files in friday's store on every host.",
        args.label
    ));
    ui.data("Each host's own health check, and the outside probe, must pass; nothing is stopped or started.");
    ui.data(format!("  stopped by  {}", adopted.stop));
    ui.data(format!("  started by  {}", adopted.start));
    ui.data(format!("  runs while  {}", adopted.running));
}

/// The tree in the stock, and a push of it that asks for nothing but the proof.
fn plan(
    context: &Context,
    args: &AdoptArgs,
    adopted: &Adopted,
    (from, leave_out): (&HostName, &[String]),
) -> Result<Plan, CommandError> {
    let internal = |error: &dyn std::error::Error| CommandError::from_error(Exit::Internal, error);
    let stock = Stock::open(&context.state).map_err(|error| internal(&error))?;
    let archive = adoption::fetch(context, from, &args.path, leave_out)?;
    let run = adopted.run(context.settings.run_spec(), &now().0.to_string());
    let read = read_release(&archive, run, &args.label, &stock, &SourceLimits::default());
    let _ = fs::remove_file(&archive);
    let sourced = read.map_err(|error| {
        CommandError::new(Exit::Refused, "what runs cannot be made a release; nothing was changed")
            .because(error.to_string())
            .hint(error.hint())
            .hint("`--leave-out PATH` leaves a path out")
    })?;
    let mut plan = context.settings.plan(ReleaseFacts {
        bytes: sourced.manifest.size(),
        files: u64::try_from(sourced.manifest.tree.len()).unwrap_or(u64::MAX),
        release: sourced.release,
        tree: tree_id(&sourced.manifest),
        label: args.label.clone(),
        secrets: None,
        // It runs already: that an earlier try to adopt it failed says nothing about the files.
        quarantine_override: Some("adopted as it runs".to_owned()),
        only: Vec::new(),
    });
    plan.hooks = Hooks::default();
    plan.migration = None;
    // Nothing of what runs changes, nor what it does to its data.
    plan.databases.clear();
    plan.soak_ms = vec![0];
    plan.bake_ms = 0;
    Ok(plan)
}
