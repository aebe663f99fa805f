//! `friday hosts verify`: every host reads what it keeps of releases and compares it with its hashes.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use friday_core::view::words::{count, size};
use friday_wire::{HostName, Verified};
use serde::Serialize;

use super::known;
use crate::complete;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sight::{self, Verification};
use crate::ui::{Ink, Text, Ui};

/// Which hosts.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Hosts of the configuration; all of them unless named.
    #[arg(value_name = "HOST", add = ArgValueCompleter::new(complete::hosts))]
    pub hosts: Vec<String>,
}

#[derive(Serialize)]
struct VerifyView<'a> {
    hosts: Vec<HostLine<'a>>,
}

#[derive(Serialize)]
struct HostLine<'a> {
    host: &'a HostName,
    #[serde(flatten)]
    verified: Option<&'a Verified>,
    why: Option<&'a str>,
}

/// Files of the store were removed already; what runs is not touched without its health being watched.
const MENDS: &str = "`friday push` of the damaged release sends what is lacking and builds its tree anew, wave by wave";

/// Runs it.
///
/// # Errors
/// When a host is named that is none, or the system gives no threads.
pub fn run(ui: &Ui, context: &Context, args: &VerifyArgs) -> Result<Exit, CommandError> {
    let named: Result<Vec<HostName>, CommandError> =
        args.hosts.iter().map(|host| known(context, host)).collect();
    let mut hosts = named?;
    if hosts.is_empty() {
        hosts = context.settings.hosts.iter().map(|host| host.name.clone()).collect();
    }
    let all = sight::verify(context, &hosts)?;
    if ui.is_json() {
        ui.json(&VerifyView { hosts: all.iter().map(line).collect() });
    } else {
        all.iter().for_each(|(host, found)| tell(ui, host, found));
    }
    let silent = all.iter().any(|(_, found)| matches!(found, Verification::Failed { .. }));
    let damaged = all.iter().any(|(_, found)| match found {
        Verification::Done(verified) => !verified.damaged.is_empty(),
        Verification::Failed { .. } => false,
    });
    if damaged {
        ui.hint(MENDS);
    }
    Ok(match (silent, damaged) {
        (_, true) => Exit::Person,
        (true, false) => Exit::Unreachable,
        (false, false) => Exit::Done,
    })
}

fn line<'a>((host, found): &'a (HostName, Verification)) -> HostLine<'a> {
    match found {
        Verification::Done(verified) => HostLine { host, verified: Some(verified), why: None },
        Verification::Failed { why } => HostLine { host, verified: None, why: Some(why) },
    }
}

fn tell(ui: &Ui, host: &HostName, found: &Verification) {
    let name = || Text::new().plain("  ").ink(Ink::Name, host.as_str()).plain(": ");
    match found {
        Verification::Failed { why } => ui.data(name().ink(Ink::Bad, why)),
        Verification::Done(verified) => {
            let files = usize::try_from(verified.files).unwrap_or(usize::MAX);
            let read = format!("{} read, {}", count(files, "file"), size(verified.bytes));
            let said = if verified.damaged.is_empty() {
                name().plain(&read).plain(", all right")
            } else {
                name().plain(&read)
            };
            ui.data(said);
            for damaged in &verified.damaged {
                ui.data(Text::new().plain("    ").ink(Ink::Bad, damaged));
            }
        }
    }
}
