//! `friday status`: what runs where, and what is going on.

use std::collections::BTreeMap;

use clap::Args;
use friday_core::config::DatabaseSettings;
use friday_core::reason::Reason;
use friday_core::view::chronicle::{ForeignView, ReleaseView, RequestView};
use friday_core::view::words::{count, names};
use friday_core::view::{Chronicle, DatabaseView, HostView, RolloutView};
use friday_edge::driver_lock::driver_here;
use friday_wire::{HostName, Lock, ReleaseId};
use serde::Serialize;

use super::hosts;
use super::why::ending;
use crate::cli::Global;
use crate::context::Context;
use crate::driver::{self, Telling};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::{Journal, damaged};
use crate::sight;
use crate::ui::{Ink, Text, Ui, now};

/// How to look.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday status\n  friday status --offline      what the journal says; no host is asked\n  friday status --json | jq -r .stable"
)]
pub struct StatusArgs {
    /// Ask no host; show what the journal says.
    #[arg(long)]
    pub offline: bool,
}

#[derive(Serialize)]
struct StatusView<'a> {
    fleet: String,
    driver: Option<String>,
    stable: Option<ReleaseId>,
    previous_stable: Option<ReleaseId>,
    lock: Option<&'a Lock>,
    keeper: Option<&'a HostName>,
    open: Vec<&'a RolloutView>,
    foreign: Option<&'a ForeignView>,
    requests: &'a [RequestView],
    quarantined: Vec<&'a ReleaseView>,
    owed: Vec<&'a HostName>,
    apart: &'a BTreeMap<HostName, ReleaseId>,
    unnamed: Vec<String>,
    databases: Vec<DatabaseView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<&'a [HostView]>,
}

/// Runs it.
///
/// # Errors
/// When the journal cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &StatusArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    if !args.offline {
        // Where it cannot be looked, the journal's word stands, and says that it was interrupted.
        let _ = driver::look_after(ui, &context, Telling::Silent);
    }
    let journal = match Journal::read(&context) {
        Ok(journal) => journal,
        Err(error) => return without_journal(ui, &context, args, error),
    };
    let chronicle = &journal.chronicle;
    let hosts = if args.offline { None } else { Some(sight::hosts(&context, chronicle)?) };
    let view = StatusView {
        fleet: context.settings.fleet.to_string(),
        driver: driver_here(&context.state),
        stable: chronicle.stable,
        previous_stable: chronicle.previous_stable,
        lock: chronicle.lock.as_ref(),
        keeper: chronicle.keeper.as_ref(),
        open: chronicle.open().collect(),
        foreign: chronicle.foreign.as_ref(),
        requests: &chronicle.requests,
        quarantined: chronicle
            .releases
            .values()
            .filter(|release| release.quarantined.is_some())
            .collect(),
        owed: chronicle.owed.iter().collect(),
        apart: &chronicle.apart,
        unnamed: super::members::unnamed(&context, chronicle),
        databases: {
            let guarded = context.settings.databases.iter().map(DatabaseSettings::planned);
            guarded.map(|one| DatabaseView::of(&one, &chronicle.databases, now())).collect()
        },
        hosts: hosts.as_deref(),
    };
    if ui.is_json() {
        ui.json(&view);
    } else {
        draw(ui, chronicle, &view);
    }
    match &journal.damage {
        Some(damage) => Err(damaged(damage)),
        None => Ok(Exit::Done),
    }
}

/// The journal cannot be read: hosts tell what runs where, and the error what to do about it.
fn without_journal(
    ui: &Ui,
    context: &Context,
    args: &StatusArgs,
    error: CommandError,
) -> Result<Exit, CommandError> {
    if !args.offline && !ui.is_json() {
        let chronicle = Chronicle::default();
        let hosts = sight::hosts(context, &chronicle)?;
        hosts::short_table(ui, &chronicle, &hosts);
    }
    Err(error)
}

fn draw(ui: &Ui, chronicle: &Chronicle, view: &StatusView<'_>) {
    let head = Text::new().ink(Ink::Strong, &view.fleet).plain(": ");
    ui.data(match (&view.stable, chronicle.journal.is_some()) {
        (Some(stable), _) => {
            let since = chronicle.releases.get(stable).and_then(|known| known.stable_since);
            let since = since.map_or_else(String::new, |at| {
                format!(" since {} ({})", ui.clock().long(at), ui.clock().ago(at, now()))
            });
            head.plain(&format!("{} is stable{since}", chronicle.release_says(stable)))
        }
        (None, true) => head.plain("no release is stable yet"),
        (None, false) => head.plain("nothing was pushed from here yet (there is no journal)"),
    });
    if let Some(driver) = &view.driver {
        ui.data(format!("  driven by {driver}"));
    }
    if let Some(lock) = view.lock {
        let says = format!("locked by {}: {}", lock.person, lock.reason);
        ui.data(Text::new().plain("  ").ink(Ink::Warn, &says));
    }
    for rollout in &view.open {
        open(ui, chronicle, rollout, view.driver.is_some());
    }
    if let Some(foreign) = view.foreign {
        let says = format!("rollout {} of another journal is open on the hosts", foreign.open.id);
        ui.data(Text::new().plain("  ").ink(Ink::Warn, &says));
    }
    for request in view.requests {
        let since = ui.clock().ago(request.at, now());
        ui.data(format!("  {} asked for something {since}; not answered yet", request.person));
    }
    if !view.quarantined.is_empty() {
        let said: Vec<String> =
            view.quarantined.iter().map(|known| chronicle.release_says(&known.release)).collect();
        let many = count(said.len(), "release");
        ui.data(format!("  {many} in quarantine: {}", said.join(", ")));
    }
    if !view.owed.is_empty() {
        let owed = names(view.owed.iter().map(|host| host.as_str()), 8);
        let says = format!("owed a sweep: {owed}; `friday sweep` when they are back");
        ui.data(Text::new().plain("  ").ink(Ink::Warn, &says));
        reasons(ui, chronicle.owed_because());
    }
    for (host, release) in view.apart {
        let says = chronicle.release_says(release);
        ui.data(format!("  {host} runs {says} apart from the fleet, as it was asked to"));
    }
    for says in &view.unnamed {
        ui.data(Text::new().plain("  ").ink(Ink::Warn, says));
    }
    for database in &view.databases {
        let ink = if database.unproven.is_some() { Ink::Warn } else { Ink::Plain };
        let line = Text::new().plain(&format!("  database {}: ", database.database));
        ui.data(line.ink(ink, &database.says));
    }
    if let Some(hosts) = view.hosts {
        hosts::short_table(ui, chronicle, hosts);
    }
}

fn open(ui: &Ui, chronicle: &Chronicle, rollout: &RolloutView, driven: bool) {
    let release = rollout.release.as_ref().map(|release| chronicle.release_says(release));
    let of = release.map_or_else(String::new, |release| format!(" of {release}"));
    let noun = rollout.word.noun();
    let state = if rollout.is_running() && !driven {
        "was interrupted".to_owned()
    } else {
        ending(rollout)
    };
    let done = rollout
        .hosts
        .iter()
        .filter(|host| host.stage == friday_core::view::HostStage::Done)
        .count();
    let says = format!("{noun}{of} {state}");
    ui.data(Text::new().plain("  ").ink(Ink::Warn, &says).plain(&format!(
        " ({}, {done} of {} done)",
        rollout.rollout,
        count(rollout.hosts.len(), "host")
    )));
    reasons(ui, rollout.reasons());
    if rollout.is_running() && !driven {
        ui.data("    `friday resume` goes on, forward or back");
    }
}

fn reasons(ui: &Ui, reasons: &[Reason]) {
    for reason in reasons {
        ui.data(format!("    {reason}"));
        ui.data(Text::new().plain("    ").ink(Ink::Hint, "Hint:").plain(" ").plain(reason.hint()));
    }
}
