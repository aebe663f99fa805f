//! `friday history`: rollouts and releases, newest first.

use clap::Args;
use friday_core::view::chronicle::ReleaseView;
use friday_core::view::words::duration;
use friday_core::view::{Chronicle, RolloutView, RolloutWord};
use serde::Serialize;

use super::why::ending;
use crate::cli::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::{Ink, Table, Text, Ui, now};

/// What to list.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday history\n  friday history --releases\n  friday history --limit 100 --json"
)]
pub struct HistoryArgs {
    /// Releases instead of rollouts.
    #[arg(long)]
    pub releases: bool,
    /// At most this many.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "NUMBER")]
    pub limit: usize,
}

#[derive(Serialize)]
struct HistoryView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rollouts: Option<Vec<&'a RolloutView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    releases: Option<Vec<&'a ReleaseView>>,
}

/// Runs it.
///
/// # Errors
/// When the journal cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &HistoryArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let journal = Journal::read_whole(&context)?;
    if args.releases {
        releases(ui, &journal.chronicle, args.limit);
    } else {
        rollouts(ui, &journal.chronicle, args.limit);
    }
    Ok(Exit::Done)
}

fn rollouts(ui: &Ui, chronicle: &Chronicle, limit: usize) {
    let told = |rollout: &&RolloutView| rollout.word != RolloutWord::Look;
    let rollouts: Vec<&RolloutView> =
        chronicle.rollouts.iter().rev().filter(told).take(limit).collect();
    if ui.is_json() {
        ui.json(&HistoryView { rollouts: Some(rollouts), releases: None });
        return;
    }
    if rollouts.is_empty() {
        ui.say("There was no rollout yet. `friday push` makes one.");
        return;
    }
    let mut table = Table::new(&["WHEN", "ROLLOUT", "WHAT", "RELEASE", "TOOK", "BY", "END"]);
    for rollout in rollouts {
        let ink = match rollout.word {
            _ if rollout.is_open() => Ink::Warn,
            _ if rollout.troubled().next().is_some() => Ink::Warn,
            _ => Ink::Plain,
        };
        let release = rollout.release.as_ref();
        let by = if rollout.automatic { "friday" } else { rollout.person.as_str() };
        table.row([
            Text::from(ui.clock().long(rollout.began)),
            Text::new().ink(Ink::Faint, rollout.rollout.as_str()),
            Text::from(rollout.word.noun()),
            Text::from(release.map_or_else(String::new, |release| chronicle.release_says(release))),
            Text::from(duration(rollout.lasted_ms(now()))),
            Text::from(by),
            Text::new().ink(ink, &ending(rollout)),
        ]);
    }
    ui.table(&table);
}

fn releases(ui: &Ui, chronicle: &Chronicle, limit: usize) {
    let mut releases: Vec<&ReleaseView> = chronicle.releases.values().collect();
    releases.sort_by_key(|release| std::cmp::Reverse(release.first_pushed));
    releases.truncate(limit);
    if ui.is_json() {
        ui.json(&HistoryView { rollouts: None, releases: Some(releases) });
        return;
    }
    if releases.is_empty() {
        ui.say("No release is known yet. `friday push` ships one.");
        return;
    }
    let mut table = Table::new(&["RELEASE", "LABEL", "FIRST PUSHED", "STATE"]);
    for known in releases {
        let is = |release: &Option<_>| *release == Some(known.release);
        let (ink, state) = match &known.quarantined {
            Some(why) => (Ink::Bad, format!("quarantined: {why}")),
            None if is(&chronicle.stable) => (Ink::Good, "stable".to_owned()),
            None if is(&chronicle.previous_stable) => {
                (Ink::Plain, "stable before; `friday rollback` goes here".to_owned())
            }
            None if known.stable_since.is_some() => (Ink::Plain, "was stable".to_owned()),
            None if known.first_pushed.is_none() => {
                (Ink::Faint, "this journal did not push it".to_owned())
            }
            None => (Ink::Faint, "never became stable".to_owned()),
        };
        let pushed = known.first_pushed.map(|at| ui.clock().long(at)).unwrap_or_default();
        table.row([
            Text::from(known.release.short()),
            Text::from(known.label.clone().unwrap_or_default()),
            Text::from(pushed),
            Text::new().ink(ink, &state),
        ]);
    }
    ui.table(&table);
}
