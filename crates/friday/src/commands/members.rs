//! `friday hosts remove`, `rename` and `forget`: who belongs to the fleet.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use friday_core::controller::input::{self, Command};
use friday_core::journal::intent::MemberChange;
use friday_core::view::Chronicle;
use friday_core::view::words::names;
use friday_wire::{HostName, Observation};

use super::hosts::known;
use crate::cli::Global;
use crate::complete;
use crate::context::Context;
use crate::driver::{self, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::sight::{self, Look};
use crate::ui::{Ink, Text, Ui};

/// Which host goes.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// A host of the configuration.
    #[arg(add = ArgValueCompleter::new(complete::hosts))]
    pub host: String,
}

/// Which host is called what.
#[derive(Debug, Args)]
pub struct RenameArgs {
    /// The name it has known so far.
    #[arg(add = ArgValueCompleter::new(complete::members))]
    pub old: String,
    /// Its name in the configuration now.
    #[arg(add = ArgValueCompleter::new(complete::hosts))]
    pub new: String,
}

/// Which host is forgotten.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// A host that the journal knows.
    #[arg(add = ArgValueCompleter::new(complete::members))]
    pub host: String,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Takes a host out of the fleet.
///
/// # Errors
/// When it is refused, or the host could not leave.
pub fn remove(
    ui: &Ui,
    global: &Global,
    context: &Context,
    args: &RemoveArgs,
) -> Result<Exit, CommandError> {
    let host = known(context, &args.host)?;
    let others: Vec<HostName> = context
        .settings
        .hosts
        .iter()
        .map(|one| one.name.clone())
        .filter(|one| *one != host)
        .collect();
    let Some(first) = others.first() else {
        return Err(CommandError::new(Exit::Usage, format!("`{host}` is the fleet's only host"))
            .hint("`friday rollback` takes the release off it"));
    };
    driver::settle(ui, context)?;
    let seen = seen(context, &host)?;
    let journal = Journal::read_whole(context)?;
    let keeper = seen.head.keeper.as_ref().map_or(&context.settings.keeper, |known| &known.value);
    let successor = (*keeper == host).then(|| successor(context, &host, first));
    describe(ui, &journal.chronicle, &host, &seen, successor.as_ref());
    consent(ui, global, &format!("Stop what runs on {host}, and take friday off it?"))?;
    if let Some(keeper) = successor {
        let named = |rollout, driver| Command::SetKeeper {
            rollout,
            driver,
            keeper,
            proven: None,
            fleet: Box::new(context.settings.fleet_plan()),
        };
        match driver::drive(ui, context, Purpose::Act, named)? {
            Exit::Done => {}
            other => return Ok(other),
        }
    }
    let exit = change(ui, context, MemberChange::Remove { host: host.clone() })?;
    if exit == Exit::Done {
        ui.say(format!(
            "Now delete `{host}` from `[hosts]`: while it stands there, a push takes it in again."
        ));
        if seen.facts.boot_hook {
            ui.say("Something there still starts friday-host after a boot: an `@reboot` line or a unit. Remove it, too.");
        }
    }
    Ok(exit)
}

/// The configuration's keeper, where that is another host than the one that goes.
fn successor(context: &Context, host: &HostName, first: &HostName) -> HostName {
    let configured = &context.settings.keeper;
    if configured == host { first.clone() } else { configured.clone() }
}

fn describe(
    ui: &Ui,
    chronicle: &Chronicle,
    host: &HostName,
    seen: &Observation,
    successor: Option<&HostName>,
) {
    let runs = chronicle.target_says(seen.head.current.as_ref());
    ui.say(format!("{host} runs {runs}. It goes out of rotation, drains and stops."));
    ui.say("Then friday's directory there is removed, but what lies in `shared`.");
    if let Some(keeper) = successor {
        ui.say(format!("It keeps the lease of pushes; {keeper} does from then on."));
    }
}

/// A person's yes, or `--yes`: a script that did not say so changes nothing.
///
/// # Errors
/// When nobody said yes.
pub fn consent(ui: &Ui, global: &Global, question: &str) -> Result<(), CommandError> {
    let yes = if ui.asks() { ui.confirm(question) } else { global.yes };
    if yes {
        return Ok(());
    }
    Err(CommandError::new(Exit::Refused, "nothing was changed").hint("`--yes` says yes beforehand"))
}

/// Tells a host its new name.
///
/// # Errors
/// When the configuration does not have the new name, or the server there is another one.
pub fn rename(ui: &Ui, mut context: Context, args: &RenameArgs) -> Result<Exit, CommandError> {
    let (from, to) = (HostName::new(args.old.clone()), known(&context, &args.new)?);
    if context.settings.host(&from).is_some() {
        return Err(CommandError::new(
            Exit::Usage,
            format!("`{from}` still stands in the configuration: they are two hosts"),
        )
        .hint("write the new name in its place, then try again"));
    }
    let journal = Journal::read_whole(&context)?;
    let members = &journal.chronicle.members;
    // Under its new name only a server answers that was told it: one put back from a backup was not.
    if members.contains_key(&to) && !members.contains_key(&from) && seen(&context, &to).is_ok() {
        ui.say(format!("It is `{to}` already, there and in the journal; nothing was changed."));
        return Ok(Exit::Done);
    }
    context.known_as.insert(to.clone(), from.clone());
    driver::settle(ui, &context)?;
    let seen = seen(&context, &to)?;
    if seen.facts.wire < friday_wire::WIRE_MEMBERS {
        // It takes no new name, and is not upgraded under one that it does not know.
        return Err(CommandError::new(
            Exit::Refused,
            format!("friday-host on `{from}` is too old to take another name"),
        )
        .hint(format!(
            "write `{from}` in the configuration again, then `friday hosts upgrade`, then the new name"
        )));
    }
    let ours = journal.chronicle.journal.as_ref();
    if !ours.is_some_and(|journal| seen.head.witnesses.contains_key(journal)) {
        // Its directory says which fleet and which host it is; that this journal wrote to it, only it could say.
        ui.warn(format!(
            "`{to}` has never been pushed to from here; that it was `{from}` is its own word"
        ));
    }
    let exit = change(ui, &context, MemberChange::Rename { from, to: to.clone() })?;
    if exit == Exit::Done {
        ui.say(format!(
            "Its application goes on; FRIDAY_HOST is `{to}` there from the next switch on."
        ));
        ui.say("A key that is restricted to `--host` of the old name may stay as it is.");
    }
    Ok(exit)
}

/// Forgets a host.
///
/// # Errors
/// When nobody knows it.
pub fn forget(ui: &Ui, context: &Context, args: &ForgetArgs) -> Result<Exit, CommandError> {
    let host = HostName::new(args.host.clone());
    let journal = Journal::read_whole(context)?;
    let is_member = journal.chronicle.members.contains_key(&host);
    if !is_member && context.settings.host(&host).is_none() {
        let members = names(journal.chronicle.members.keys().map(HostName::as_str), 12);
        return Err(CommandError::new(Exit::Usage, format!("nobody knows a host `{host}`"))
            .hint(format!("the journal knows {members}")));
    }
    let reason = args.reason.clone();
    let exit = change(ui, context, MemberChange::Forget { host: host.clone(), reason })?;
    if exit == Exit::Done && context.settings.host(&host).is_some() {
        ui.say(format!("Now delete `{host}` from `[hosts]`, too."));
    }
    Ok(exit)
}

fn change(ui: &Ui, context: &Context, change: MemberChange) -> Result<Exit, CommandError> {
    let command = |rollout, driver| input::Command::ChangeMembers {
        rollout,
        driver,
        change,
        fleet: Box::new(context.settings.fleet_plan()),
    };
    driver::drive(ui, context, Purpose::Act, command)
}

fn seen(context: &Context, host: &HostName) -> Result<Observation, CommandError> {
    match sight::look(context)?.remove(host) {
        Some(Look::Seen { seen, .. }) => Ok(*seen),
        Some(Look::Unreachable { why }) => {
            Err(CommandError::new(Exit::Unreachable, format!("`{host}` does not answer"))
                .because(why)
                .hint("a server that is gone for good: `friday hosts forget HOST --reason …`"))
        }
        None => Err(CommandError::bug(format!("`{host}` was not asked"))),
    }
}

/// Hosts that friday put something on and that the configuration does not name any more.
pub fn unnamed_lines(ui: &Ui, context: &Context, chronicle: &Chronicle) {
    for says in unnamed(context, chronicle) {
        ui.data(Text::new().plain("  ").ink(Ink::Warn, &says));
    }
}

/// The same as sentences.
pub fn unnamed(context: &Context, chronicle: &Chronicle) -> Vec<String> {
    let members = chronicle.members.iter();
    members
        .filter(|(host, _)| context.settings.host(host).is_none())
        .map(|(host, ran)| {
            let ran = chronicle.target_says(ran.as_ref());
            format!(
                "`{host}` is not in the configuration any more; it ran {ran} when it was last heard, and may \
                 still. `friday hosts forget {host}`, or name it again and `friday hosts remove {host}`"
            )
        })
        .collect()
}
