//! `friday calendar`: freezes, planned work, holidays and pushes together.

use clap::Args;
use friday_core::calendar::{Listed, ListedKind};
use friday_core::journal::event::End;
use friday_core::time::{Span, Timestamp};
use friday_core::view::Chronicle;
use friday_core::view::rollout::RolloutWord;
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::ui::{Ink, Table, Text, Ui, now};

const DAY_MS: u64 = 86_400_000;

/// Pushes of so long ago still stand in it.
const PAST_MS: i64 = 7 * 86_400_000;

/// Which weeks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday calendar\n  friday calendar --weeks 12\n  friday calendar --from 2026-12-01\n  friday calendar --ical > shop.ics      freezes, windows and holidays, for other calendars\n\nPushes of the week before stand in it, too."
)]
pub struct CalendarArgs {
    /// So many weeks.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=53))]
    pub weeks: u64,
    /// From then on, on the team's clock; now without it.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Print it as iCalendar, without pushes.
    #[arg(long, conflicts_with = "json")]
    pub ical: bool,
}

#[derive(Serialize)]
struct CalendarView {
    from: Timestamp,
    to: Timestamp,
    entries: Vec<Listed>,
}

/// Runs it.
///
/// # Errors
/// When the configuration, the journal or a moment cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &CalendarArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let calendar = &context.settings.calendar;
    let from = match &args.from {
        Some(text) => calendar.moment(text).map_err(|unclear| {
            CommandError::new(Exit::Usage, format!("`--from`: {unclear}")).hint(unclear.hint)
        })?,
        None => now(),
    };
    let range = Span::after(from, args.weeks * 7 * DAY_MS);
    let mut entries = calendar.planned(range);
    if args.ical {
        ui.text(&calendar.ical(context.settings.fleet.as_str(), now(), &entries));
        return Ok(Exit::Done);
    }
    let journal = Journal::read_whole(&context)?;
    entries.extend(pushes(&journal.chronicle, range));
    entries.sort_by_key(|entry| entry.span);
    if ui.is_json() {
        ui.json(&CalendarView { from, to: range.to, entries });
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        ui.say("Nothing is planned in these weeks.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["FROM", "TO", "WHAT", "NAME", ""]);
    for entry in &entries {
        let ink = match entry.kind {
            ListedKind::Freeze | ListedKind::Maintenance => Ink::Warn,
            ListedKind::Push | ListedKind::Holiday | ListedKind::Shift => Ink::Plain,
        };
        table.row([
            Text::new().plain(&calendar.show_short(entry.span.from)),
            Text::new().plain(&calendar.show_short(entry.span.to)),
            Text::new().ink(ink, entry.kind.word()),
            Text::new().ink(Ink::Name, &entry.name),
            Text::new().plain(entry.why.as_deref().unwrap_or_default()),
        ]);
    }
    ui.table(&table);
    Ok(Exit::Done)
}

/// Pushes in a range and in the week before it, with what became of them.
fn pushes(chronicle: &Chronicle, range: Span) -> Vec<Listed> {
    let whole = Span { from: Timestamp(range.from.0.saturating_sub(PAST_MS)), to: range.to };
    let pushes = chronicle.rollouts.iter().filter(|rollout| rollout.word == RolloutWord::Push);
    let listed = pushes.map(|push| Listed {
        span: Span { from: push.began, to: push.ended.unwrap_or_else(now) },
        kind: ListedKind::Push,
        name: push.label.clone().unwrap_or_else(|| push.rollout.to_string()),
        why: Some(
            match &push.end {
                None => "runs, or is held",
                Some(End::Stable | End::Apart { .. }) => "stable",
                Some(End::TakenBack { .. }) => "taken back",
                Some(End::Refused { .. } | End::Unreachable { .. }) => "refused",
                Some(_) => "ended",
            }
            .to_owned(),
        ),
    });
    listed.filter(|push| push.span.common(whole).is_some()).collect()
}
