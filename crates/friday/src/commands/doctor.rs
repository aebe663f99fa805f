//! `friday doctor`: what is missing here and on each host, and what mends it. Changes nothing.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use clap::Args;
use friday_core::config::settings::{Address, DatabaseSettings};
use friday_core::doctor::{As, Finding, Fix, Verdict, Wanted, judge, profile};
use friday_core::view::words::{count, names};
use friday_wire::HostName;
use friday_wire::data::{self, DataAnswer, DataRequest, FindingState};
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::data_work::{DataWork, LOOK_LIMIT};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sight::{self, Examined, Found};
use crate::ui::{Ink, Text, Ui, now};

/// What to look at.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday doctor\n  friday doctor --all              also what is as it should be\n  friday doctor --json | jq -r '.findings[] | select(.verdict != \"good\") | .says'\n\nEnds with 4 when something is missing, with 7 when only a host does not answer. friday installs\nnothing itself: it prints what a person types, once."
)]
pub struct DoctorArgs {
    /// Show every check, also those that are as they should be.
    #[arg(long)]
    pub all: bool,
}

#[derive(Serialize)]
struct DoctorView<'a> {
    fleet: &'a str,
    missing: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Runs it.
///
/// # Errors
/// When the configuration cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &DoctorArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let mut findings = here(&context);
    let examined = sight::examine(&context)?;
    let mut silent = 0;
    for host in &context.settings.hosts {
        match examined.get(&host.name) {
            Some(Ok(Found { examination: seen, printed })) => {
                findings.push(Finding::good(Some(&host.name), "reach", "friday-host answers"));
                let mut wanted = Wanted::of(&context.settings);
                findings.push(profile(&host.name, printed.as_deref()));
                // What plays a host here needs no boot of its own.
                wanted.runs &= matches!(host.address, Address::Ssh { .. });
                findings.extend(judge(&host.name, &wanted, seen, now().0));
            }
            other => {
                silent += 1;
                findings.push(unreached(&host.name, other));
            }
        }
    }
    findings.extend(databases(ui, &context)?);
    let of = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (missing, warnings) = (of(Verdict::Missing), of(Verdict::Warning));
    if ui.is_json() {
        let fleet = context.settings.fleet.as_str();
        ui.json(&DoctorView { fleet, missing, warnings, findings: &findings });
    } else {
        draw(ui, &findings, args.all);
        fixes(ui, &findings);
        let all = "Nothing is missing.".to_owned();
        ui.say(match (missing, warnings) {
            (0, 0) => all,
            (0, _) => format!("Nothing is missing; {}.", count(warnings, "warning")),
            _ => format!("{} missing, {}.", missing, count(warnings, "warning")),
        });
    }
    Ok(match missing {
        0 => Exit::Done,
        missing if missing == silent => Exit::Unreachable,
        _ => Exit::Refused,
    })
}

/// What is possible with each guarded database as it is set up.
fn databases(ui: &Ui, context: &Context) -> Result<Vec<Finding>, CommandError> {
    if context.settings.databases.is_empty() {
        return Ok(Vec::new());
    }
    let work = DataWork::new(ui, context)?;
    let mut findings = Vec::new();
    for database in work.chosen(None)? {
        let host = Some(&database.host);
        let request = |database| DataRequest::Examine { database };
        match work.look(&database.name, LOOK_LIMIT, request) {
            Ok(DataAnswer::Examined { findings: seen }) => {
                findings.extend(seen.iter().map(|seen| of_database(database, seen)));
            }
            Ok(_) => findings.push(Finding::missing(host, "database", "it answers something else")),
            Err(error) => {
                let why = error.causes().first().map_or(error.message(), String::as_str);
                let says = format!("`{}`: {why}", database.name);
                findings.push(Finding::missing(host, "database", says));
            }
        }
    }
    Ok(findings)
}

fn of_database(database: &DatabaseSettings, seen: &data::Finding) -> Finding {
    let (host, name) = (Some(&database.host), &database.name);
    let help = seen.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    let says = format!("`{name}`, {}: {}{help}", seen.subject, seen.says);
    match seen.state {
        FindingState::Good => Finding::good(host, "database", says),
        FindingState::Warn => Finding::warning(host, "database", says),
        FindingState::Bad => Finding::missing(host, "database", says),
    }
}

fn unreached(host: &HostName, examined: Option<&Examined>) -> Finding {
    let why = match examined {
        Some(Err(why)) => why.as_str(),
        Some(Ok(_)) | None => "it was not asked",
    };
    if why.contains("does not understand the request") {
        let says = "its friday-host is from before `friday doctor`";
        return Finding::missing(Some(host), "reach", says)
            .mended(As::Here, "friday hosts upgrade");
    }
    Finding::missing(Some(host), "reach", why)
}

/// The machine friday runs on.
fn here(context: &Context) -> Vec<Finding> {
    let settings = &context.settings;
    let says = format!("fleet `{}`, {}", settings.fleet, count(settings.hosts.len(), "host"));
    let mut findings = vec![Finding::good(None, "configuration", says)];
    if settings.hosts.iter().any(|host| matches!(host.address, Address::Ssh { .. })) {
        findings.push(ssh());
    }
    findings.push(state(context));
    findings
}

fn ssh() -> Finding {
    let asked = Command::new("ssh").arg("-V").stdin(Stdio::null()).output();
    match asked {
        Ok(said) => {
            let version = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            Finding::good(None, "ssh", version)
        }
        Err(error) => Finding::missing(None, "ssh", format!("`ssh` does not run: {error}"))
            .mended(As::Here, "apt-get install openssh-client"),
    }
}

/// friday's directory must take files; it may not be there yet.
fn state(context: &Context) -> Finding {
    let path = context.state.path();
    let made = context.state.make().map_err(|error| error.to_string());
    let probed = made.and_then(|()| {
        tempfile_in(path).map_err(|error| format!("`{}` takes no files: {error}", path.display()))
    });
    match probed {
        Ok(()) => Finding::good(None, "state", format!("`{}` takes files", path.display())),
        Err(why) => Finding::missing(None, "state", why),
    }
}

fn tempfile_in(directory: &std::path::Path) -> std::io::Result<()> {
    let probe = directory.join(format!("doctor-{}", std::process::id()));
    std::fs::write(&probe, b"friday doctor\n").and_then(|()| std::fs::remove_file(&probe))
}

fn draw(ui: &Ui, findings: &[Finding], all: bool) {
    let mut well: Vec<&str> = Vec::new();
    let mut by_host: BTreeMap<Option<&HostName>, Vec<&Finding>> = BTreeMap::new();
    let mut order: Vec<Option<&HostName>> = Vec::new();
    for finding in findings {
        let host = finding.host.as_ref();
        // A database is looked at after the hosts, and stands with its own.
        if !by_host.contains_key(&host) {
            order.push(host);
        }
        by_host.entry(host).or_default().push(finding);
    }
    for host in order {
        let found = by_host.get(&host).map_or(&[][..], Vec::as_slice);
        let name = host.map_or("here", HostName::as_str);
        if !all && found.iter().all(|finding| finding.verdict == Verdict::Good) {
            well.push(name);
            continue;
        }
        ui.data(Text::new().ink(Ink::Name, name));
        for finding in found.iter().filter(|f| all || f.verdict != Verdict::Good) {
            line(ui, finding);
        }
    }
    if !well.is_empty() {
        let line = format!("As it should be: {}", names(well.iter().copied(), 6));
        ui.data(Text::new().ink(Ink::Good, &line));
    }
}

fn line(ui: &Ui, finding: &Finding) {
    let (ink, word) = match finding.verdict {
        Verdict::Good => (Ink::Good, "good"),
        Verdict::Warning => (Ink::Warn, "warning"),
        Verdict::Missing => (Ink::Bad, "missing"),
    };
    ui.data(
        Text::new()
            .plain("  ")
            .append(Text::new().ink(ink, word).pad_to(9))
            .append(Text::new().plain(finding.check).pad_to(15))
            .plain(&finding.says),
    );
}

/// What mends it: once for each text, with the hosts it is for.
fn fixes(ui: &Ui, findings: &[Finding]) {
    let mut order: Vec<(&Fix, Vec<&str>)> = Vec::new();
    for finding in findings {
        let host = finding.host.as_ref().map_or("this machine", HostName::as_str);
        for fix in &finding.fix {
            match order.iter_mut().find(|(known, _)| *known == fix) {
                Some((_, hosts)) if hosts.contains(&host) => {}
                Some((_, hosts)) => hosts.push(host),
                None => order.push((fix, vec![host])),
            }
        }
    }
    for (fix, hosts) in order {
        let on = names(hosts.iter().copied(), 8);
        ui.data("");
        ui.data(Text::new().ink(
            Ink::Strong,
            &match fix.who {
                As::Root => format!("# as root on {on}"),
                As::Login => format!("# as the login on {on}"),
                As::Here => format!("# on {on}"),
            },
        ));
        for line in fix.commands.lines() {
            ui.data(line);
        }
    }
}
