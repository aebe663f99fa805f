//! `friday hosts`: every host as it answers now; `hosts keeper HOST`: another keeper.

mod process;
mod verify;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use friday_core::config::settings::Address;
use friday_core::controller::input;
use friday_core::view::host::{Seen, Sight};
use friday_core::view::words::{count, duration, names, size};
use friday_core::view::{Chronicle, HostView};
use friday_wire::{HealthState, HostName, ProcessName, RoleName, Spread};
use serde::Serialize;

use self::process::Jobs;
use super::members;
use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::sight;
use crate::ui::{Ink, Table, Text, Ui, now};

/// What to do with hosts.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  friday hosts\n  friday hosts --json | jq -r '.hosts[] | select(.sight == \"unreachable\").host'\n  friday hosts keeper web-2\n\nEnds with 7 when a host does not answer."
)]
pub struct HostsArgs {
    /// Something else than looking.
    #[command(subcommand)]
    pub command: Option<HostsCommand>,
}

/// Something else than looking.
#[derive(Debug, Subcommand)]
pub enum HostsCommand {
    /// Name another host that keeps the lease of pushes.
    #[command(
        after_help = "Examples:\n  friday hosts keeper web-2\n  friday hosts keeper web-2 --proven anna    the old keeper does not answer"
    )]
    Keeper(KeeperArgs),
    /// Have another host run a process that runs once.
    ///
    /// The host that ran it ends it first; only then the new one starts it. Hosts that do not answer stop
    /// the move, for one of them may run it.
    #[command(
        after_help = "Examples:\n  friday hosts once mailer jobs-2\n  friday hosts once mailer jobs-2 --dead jobs-1    jobs-1 is off and stays off"
    )]
    Once(OnceArgs),
    /// Replace friday-host on every host by the program that this friday carries.
    ///
    /// One host first, then the others. Applications are not touched. A host whose new program does
    /// not answer goes back to the old one by itself.
    #[command(after_help = "Example:\n  friday hosts upgrade")]
    Upgrade,
    /// Read everything that hosts keep of releases, and compare it with its hashes.
    ///
    /// Damaged files of the store are removed, so that the next push sends them again. What runs is
    /// left alone.
    #[command(
        after_help = "Examples:\n  friday hosts verify\n  friday hosts verify web-2\n\nEnds with 6 when something was damaged, with 7 when a host does not answer."
    )]
    Verify(verify::VerifyArgs),
    /// Take a host out of the fleet: stop what runs there, and take friday off it.
    ///
    /// It goes out of rotation first. What lies in `shared` there stays; everything else of friday's is
    /// removed. If it keeps the lease, another host does from then on.
    #[command(
        after_help = "Examples:\n  friday hosts remove web-3\n  friday hosts remove web-3 --yes     in a script\n\nThen delete it from `[hosts]`: while it stands there, a push takes it in again. A server that is gone\nis forgotten instead: friday hosts forget."
    )]
    Remove(members::RemoveArgs),
    /// Tell a host, and the journal, that the configuration calls it something else now.
    ///
    /// The same server: its own directory says so. Nothing is restarted.
    #[command(
        after_help = "Example:\n  friday hosts rename web-1 www-1     after `[hosts]` names www-1 instead"
    )]
    Rename(members::RenameArgs),
    /// Stop asking for a host that is gone, or that somebody else looks after now.
    ///
    /// Nobody is contacted: what runs there, if anything, goes on.
    #[command(
        after_help = "Example:\n  friday hosts forget web-3 --reason \"the server was given back\""
    )]
    Forget(members::ForgetArgs),
}

/// Which process, and where.
#[derive(Debug, Args)]
pub struct OnceArgs {
    /// A process of `[process.NAME]` with `once = true`.
    #[arg(add = ArgValueCompleter::new(complete::once_processes))]
    pub process: String,
    /// The host that runs it from now on.
    #[arg(add = ArgValueCompleter::new(complete::hosts))]
    pub host: String,
    /// A host that does not answer and is off for good: your word that nothing runs there any more, and
    /// that it will not be started as it was. Else the process would run twice. May be given again.
    #[arg(long, value_name = "HOST", add = ArgValueCompleter::new(complete::hosts))]
    pub dead: Vec<String>,
}

/// Which host.
#[derive(Debug, Args)]
pub struct KeeperArgs {
    /// A host of the configuration.
    #[arg(add = ArgValueCompleter::new(complete::hosts))]
    pub host: String,
    /// Who vouches that the old keeper is gone, where it does not answer: it may still hold a lease.
    #[arg(long, value_name = "PERSON")]
    pub proven: Option<String>,
}

#[derive(Serialize)]
struct HostsView<'a> {
    fleet: &'a str,
    hosts: &'a [HostView],
}

/// Runs it.
///
/// # Errors
/// When the configuration or the journal cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &HostsArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    if let Some(HostsCommand::Keeper(keeper)) = &args.command {
        return name_keeper(ui, &context, keeper);
    }
    if let Some(HostsCommand::Once(once)) = &args.command {
        return move_once(ui, &context, once);
    }
    if let Some(HostsCommand::Upgrade) = &args.command {
        return upgrade(ui, &context);
    }
    if let Some(HostsCommand::Verify(args)) = &args.command {
        return verify::run(ui, &context, args);
    }
    match &args.command {
        Some(HostsCommand::Remove(args)) => return members::remove(ui, global, &context, args),
        Some(HostsCommand::Rename(args)) => return members::rename(ui, context, args),
        Some(HostsCommand::Forget(args)) => return members::forget(ui, &context, args),
        Some(
            HostsCommand::Keeper(_)
            | HostsCommand::Once(_)
            | HostsCommand::Upgrade
            | HostsCommand::Verify(_),
        )
        | None => {}
    }
    let journal = Journal::read(&context)?;
    let hosts = sight::hosts(&context, &journal.chronicle)?;
    if ui.is_json() {
        ui.json(&HostsView { fleet: context.settings.fleet.as_str(), hosts: &hosts });
    } else {
        long_table(ui, &journal.chronicle, &hosts);
        members::unnamed_lines(ui, &context, &journal.chronicle);
        boot_lines(ui, &context, &hosts);
    }
    let silent =
        hosts.iter().filter(|host| matches!(host.sight, Sight::Unreachable { .. })).count();
    Ok(if silent == 0 { Exit::Done } else { Exit::Unreachable })
}

fn name_keeper(ui: &Ui, context: &Context, args: &KeeperArgs) -> Result<Exit, CommandError> {
    let keeper = known(context, &args.host)?;
    let command = |rollout, driver| input::Command::SetKeeper {
        rollout,
        driver,
        keeper,
        proven: args.proven.clone(),
        fleet: Box::new(context.settings.fleet_plan()),
    };
    driver::drive(ui, context, Purpose::Act, command)
}

fn move_once(ui: &Ui, context: &Context, args: &OnceArgs) -> Result<Exit, CommandError> {
    let settings = &context.settings;
    let host = known(context, &args.host)?;
    let process = ProcessName::new(args.process.clone());
    let spec = settings.processes.named.get(&process).filter(|spec| spec.spread == Spread::Once);
    let Some(spec) = spec else {
        let message = format!("no process `{process}` runs once");
        return Err(CommandError::new(Exit::Usage, message)
            .hint(format!("`[process.{process}]` with `once = true` makes one")));
    };
    let has_role = settings
        .host(&host)
        .is_some_and(|host| spec.roles.contains(&RoleName::new(host.role.clone())));
    if !has_role {
        let message = format!("`{host}` has none of the roles of `{process}`");
        return Err(CommandError::new(Exit::Usage, message));
    }
    let dead: Vec<HostName> = args.dead.iter().map(HostName::new).collect();
    let command = |rollout, driver| input::Command::SetOnce {
        rollout,
        driver,
        process,
        host,
        dead,
        fleet: Box::new(settings.fleet_plan()),
    };
    driver::drive(ui, context, Purpose::Act, command)
}

fn upgrade(ui: &Ui, context: &Context) -> Result<Exit, CommandError> {
    let command = |rollout, driver| input::Command::Upgrade {
        rollout,
        driver,
        fleet: Box::new(context.settings.fleet_plan()),
    };
    driver::drive(ui, context, Purpose::Act, command)
}

/// A host of the configuration.
///
/// # Errors
/// When there is none of that name.
pub fn known(context: &Context, named: &str) -> Result<HostName, CommandError> {
    let hosts = &context.settings.hosts;
    if let Some(host) = hosts.iter().find(|host| host.name.as_str() == named) {
        return Ok(host.name.clone());
    }
    let all = friday_core::view::words::names(hosts.iter().map(|host| host.name.as_str()), 12);
    Err(CommandError::new(Exit::Usage, format!("no host is called `{named}`"))
        .hint(format!("the configuration has {all}")))
}

/// For `status`: release, health, rotation, and whatever is worth a word.
pub fn short_table(ui: &Ui, chronicle: &Chronicle, hosts: &[HostView]) {
    let mut table = Table::new(&["HOST", "RELEASE", "HEALTH", "ROTATION", "NOTE"]);
    for host in hosts {
        let name = Text::new().ink(Ink::Name, host.host.as_str());
        match &host.sight {
            Sight::Unreachable { why } => {
                let silent = Text::new().ink(Ink::Bad, &format!("does not answer: {why}"));
                table.row([name, Text::from("?"), Text::from("?"), Text::from("?"), silent]);
            }
            Sight::Seen(seen) => table.row([
                name,
                release(chronicle, seen),
                health(seen),
                Text::from(rotation(seen)),
                Text::new().ink(Ink::Warn, &notes(seen, Jobs::Failing).join("; ")),
            ]),
        }
    }
    ui.table(&table);
}

fn long_table(ui: &Ui, chronicle: &Chronicle, hosts: &[HostView]) {
    let heads = [
        "HOST",
        "ROLE",
        "RELEASE",
        "HEALTH",
        "ROTATION",
        "PORT",
        "DISK FREE",
        "AFTER A REBOOT",
        "FRIDAY-HOST",
    ];
    let mut table = Table::new(&heads);
    for host in hosts {
        let name = Text::new().ink(Ink::Name, host.host.as_str());
        let role = Text::from(role(host));
        match &host.sight {
            Sight::Unreachable { .. } => {
                table.row([name, role, Text::new().ink(Ink::Bad, "does not answer")]);
            }
            Sight::Seen(seen) => table.row([
                name,
                role,
                release(chronicle, seen),
                health(seen),
                Text::from(rotation(seen)),
                Text::from(seen.port.map(|port| port.to_string()).unwrap_or_default()),
                Text::from(size(seen.disk_free)),
                Text::from(reboot(chronicle, seen)),
                Text::from(seen.version.as_str()),
            ]),
        }
    }
    ui.table(&table);
    for host in hosts {
        let notes = match &host.sight {
            Sight::Unreachable { why } => vec![why.clone()],
            Sight::Seen(seen) => notes(seen, Jobs::All),
        };
        for note in notes {
            ui.data(
                Text::new()
                    .plain("  ")
                    .ink(Ink::Name, host.host.as_str())
                    .plain(": ")
                    .ink(Ink::Warn, &note),
            );
        }
    }
    let silent =
        hosts.iter().filter(|host| matches!(host.sight, Sight::Unreachable { .. })).count();
    if silent > 0 {
        let verb = if silent == 1 { "does" } else { "do" };
        ui.say(format!("{silent} of {} {verb} not answer.", count(hosts.len(), "host")));
    }
}

/// What would start friday-host after a boot, where nothing does: once for each directory.
fn boot_lines(ui: &Ui, context: &Context, hosts: &[HostView]) {
    let without = hosts.iter().filter(|host| {
        matches!(&host.sight, Sight::Seen(seen) if !seen.starts_at_boot && seen.after_reboot.is_some())
    });
    let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for host in without {
        let Some(settings) = context.settings.host(&host.host) else { continue };
        let line = boot_line(context, &settings.address);
        lines.entry(line).or_default().push(host.host.as_str());
    }
    if lines.is_empty() {
        return;
    }
    ui.say("After a reboot these start nothing until friday's next contact. The line for `crontab -e` there:");
    for (line, on) in lines {
        ui.say(format!("  {}", names(on, 4)));
        ui.say(format!("    {line}"));
    }
}

/// A line of the login user's crontab. Where the directory lies in the user's home, the home is the
/// usual one.
fn boot_line(context: &Context, address: &Address) -> String {
    let directory = match address {
        Address::Local { dir } => {
            let path = context.resolve(dir);
            std::path::absolute(&path).unwrap_or(path).display().to_string()
        }
        Address::Ssh { user, .. } => {
            let settings = &context.settings;
            let named = settings.login.directory.clone();
            let directory = named.unwrap_or_else(|| format!(".friday-host/{}", settings.fleet));
            match user.as_str() {
                _ if directory.starts_with('/') => directory,
                "root" => format!("/root/{directory}"),
                user => format!("/home/{user}/{directory}"),
            }
        }
    };
    format!("@reboot {directory}/bin/friday-host boot --dir {directory}")
}

fn role(host: &HostView) -> String {
    if host.keeper { format!("{}, keeper", host.role) } else { host.role.clone() }
}

fn release(chronicle: &Chronicle, seen: &Seen) -> Text {
    match &seen.current {
        None => Text::new().ink(Ink::Faint, "none"),
        Some(release) => Text::from(chronicle.release_says(release)),
    }
}

fn health(seen: &Seen) -> Text {
    match &seen.health {
        None => Text::new().ink(Ink::Faint, "nothing runs"),
        Some(_) if !seen.running => Text::new().ink(Ink::Bad, "not running"),
        Some(HealthState::Healthy) => Text::new().ink(Ink::Good, "healthy"),
        Some(HealthState::Unproven) => Text::new().ink(Ink::Warn, "unproven"),
        Some(HealthState::Sick { .. }) => Text::new().ink(Ink::Bad, "sick"),
    }
}

fn rotation(seen: &Seen) -> &'static str {
    // Where `run` does not run, nothing takes traffic.
    if !seen.processes.is_empty() && seen.processes.iter().all(|one| !one.part.is_run()) {
        return "";
    }
    match (&seen.current, seen.in_rotation) {
        (None, _) => "",
        (Some(_), true) => "in",
        (Some(_), false) => "out",
    }
}

fn reboot(chronicle: &Chronicle, seen: &Seen) -> String {
    let what = chronicle.target_says(seen.after_reboot.as_ref());
    match (&seen.after_reboot, seen.starts_at_boot) {
        (None, _) => "starts nothing".to_owned(),
        (Some(_), true) => format!("starts {what}"),
        (Some(_), false) => format!("{what}, at friday's next contact"),
    }
}

fn notes(seen: &Seen, jobs: Jobs) -> Vec<String> {
    let mut notes = seen.drift.clone();
    if let Some(HealthState::Sick { why }) = &seen.health {
        notes.push(why.clone());
    }
    notes.extend(process::notes(seen, jobs, now()));
    if seen.restarts > 0 {
        notes.push(count(seen.restarts as usize, "restart"));
    }
    if seen.armed {
        notes.push("a timer is armed: unless confirmed, the host undoes its switch".to_owned());
    }
    if let Some(skew) = seen.notable_skew_ms() {
        let way = if skew > 0 { "ahead" } else { "behind" };
        notes.push(format!("its clock is {} {way}", duration(skew.unsigned_abs())));
    }
    notes
}
