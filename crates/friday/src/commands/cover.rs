//! `friday cover`: who is there in the coming weeks, where nobody is, and who carries how much.

use std::collections::BTreeMap;

use clap::Args;
use friday_core::calendar::{Listed, ListedKind};
use friday_core::cover::{Cover, Shift, Shown, Who, timeline};
use friday_core::time::{Span, Timestamp};
use friday_core::view::words::duration;
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::{Ink, Table, Text, Ui, now};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A gap of this is named; nights are seen in the picture.
const LONG_MS: u64 = 20 * HOUR_MS;

/// Which weeks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday cover\n  friday cover --weeks 8\n  friday cover --from 2026-12-21\n  friday cover --ical > duty.ics\n  friday cover --json | jq '.gaps[]'\n\nA row is a day and a column an hour, on the team's clock: # at work, + on call, ~ too few, ? not known,\n. nobody."
)]
pub struct CoverArgs {
    /// So many weeks.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=53))]
    pub weeks: u64,
    /// From then on, on the team's clock; now without it.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Print who is there as iCalendar, as it is after overrides, absences and holidays.
    #[arg(long, conflicts_with = "json")]
    pub ical: bool,
}

#[derive(Serialize)]
struct CoverView<'a> {
    from: Timestamp,
    to: Timestamp,
    cover: &'a [Cover],
    gaps: Vec<&'a Cover>,
    /// Hours in which nobody can act, of all and of Saturdays and Sundays.
    unattended_hours: u64,
    weekend_unattended_hours: u64,
    people: Vec<Load>,
}

/// What somebody carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Load {
    person: String,
    hours: u64,
    weekend_hours: u64,
}

/// Runs it.
///
/// # Errors
/// When the configuration has no rota, or a moment cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &CoverArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let calendar = &context.settings.calendar;
    if calendar.rotas.is_empty() {
        return Err(CommandError::new(Exit::Usage, "the configuration has no rota, so nobody is known to be there")
            .hint("add one: [[rota]] with name = \"primary\", members = [\"anna\", \"bela\"] and hours = \"mon-fri 09:00-18:00\""));
    }
    let from = match &args.from {
        Some(text) => calendar.moment(text).map_err(|unclear| {
            CommandError::new(Exit::Usage, format!("`--from`: {unclear}")).hint(unclear.hint)
        })?,
        None => now(),
    };
    let range = Span::after(from, args.weeks * 7 * DAY_MS);
    let shifts = calendar.shifts(range);
    if args.ical {
        let listed: Vec<Listed> = shifts.iter().filter_map(listed).collect();
        ui.text(&calendar.ical(context.settings.fleet.as_str(), now(), &listed));
        return Ok(Exit::Done);
    }
    let covers = timeline(range, &shifts);
    let weekends = calendar.weekends(range);
    let within =
        |span: Span| weekends.iter().filter_map(|day| day.common(span)).map(Span::ms).sum::<u64>();
    let gaps: Vec<&Cover> = covers.iter().filter(|cover| !cover.shown.can_act()).collect();
    let span = |cover: &Cover| Span { from: cover.from, to: cover.to };
    let view = CoverView {
        from,
        to: range.to,
        unattended_hours: gaps.iter().map(|gap| span(gap).ms()).sum::<u64>() / HOUR_MS,
        weekend_unattended_hours: gaps.iter().map(|gap| within(span(gap))).sum::<u64>() / HOUR_MS,
        people: loads(&covers, within),
        gaps,
        cover: &covers,
    };
    if ui.is_json() {
        ui.json(&view);
    } else {
        draw(ui, &context, range, &view);
    }
    Ok(Exit::Done)
}

/// A turn that somebody has.
fn listed(shift: &Shift) -> Option<Listed> {
    let Who::Person { name } = &shift.who else { return None };
    let why = Some(format!("{}: {}", shift.rota, shift.rule));
    Some(Listed { span: shift.span, kind: ListedKind::Shift, name: name.clone(), why })
}

/// Hours of each person, the most loaded first.
fn loads(covers: &[Cover], weekend_ms: impl Fn(Span) -> u64) -> Vec<Load> {
    let mut carried: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for cover in covers {
        let span = Span { from: cover.from, to: cover.to };
        for person in &cover.people {
            let load = carried.entry(person).or_default();
            *load = (load.0 + span.ms(), load.1 + weekend_ms(span));
        }
    }
    let load = |(person, (all, weekend)): (&str, (u64, u64))| Load {
        person: person.to_owned(),
        hours: all / HOUR_MS,
        weekend_hours: weekend / HOUR_MS,
    };
    let mut loads: Vec<Load> = carried.into_iter().map(load).collect();
    loads.sort_by_key(|load| (std::cmp::Reverse(load.hours), load.person.clone()));
    loads
}

fn draw(ui: &Ui, context: &Context, range: Span, view: &CoverView<'_>) {
    let calendar = &context.settings.calendar;
    ui.data(
        Text::new()
            .ink(Ink::Faint, "                 00    03    06    09    12    15    18    21"),
    );
    for day in calendar.days(range) {
        let mut line = Text::new().plain(&calendar.show_day(day.from)).pad_to(17);
        // A day over a change of clocks has 23 or 25 hours.
        let mut at = day.from;
        while at < day.to {
            let cover = view.cover.iter().find(|cover| cover.from <= at && at < cover.to);
            // An hour is as good as its worst moment.
            let end = at.plus_ms(HOUR_MS).min(day.to);
            let met = view.cover.iter().filter(|cover| cover.from < end && at < cover.to);
            let (ink, mark) = mark(cover.and_then(|_| met.map(|cover| cover.shown).min()));
            line = line.ink(ink, mark).ink(ink, mark);
            at = end;
        }
        ui.data(line);
    }
    ui.data(
        Text::new().ink(Ink::Faint, "# at work   + on call   ~ too few   ? not known   . nobody"),
    );
    for gap in view.gaps.iter().filter(|gap| gap.to.since_ms(gap.from) >= LONG_MS) {
        let (from, to) = (calendar.show(gap.from), calendar.show(gap.to));
        let long = duration(gap.to.since_ms(gap.from));
        let word = gap.shown.word();
        ui.data(
            Text::new()
                .ink(Ink::Warn, word)
                .plain(&format!(" from {from} to {to}, {long} ({})", gap.says)),
        );
    }
    let mut table = Table::new(&["person", "hours", "at weekends"]);
    for load in &view.people {
        table.row([
            Text::new().ink(Ink::Name, &load.person),
            Text::new().plain(&load.hours.to_string()),
            Text::new().plain(&load.weekend_hours.to_string()),
        ]);
    }
    ui.table(&table);
    ui.data(format!(
        "Nobody can act in {} hours of these weeks; {} of them are at weekends.",
        view.unattended_hours, view.weekend_unattended_hours
    ));
}

fn mark(shown: Option<Shown>) -> (Ink, &'static str) {
    match shown {
        None => (Ink::Plain, " "),
        Some(Shown::Attended) => (Ink::Good, "#"),
        Some(Shown::OnCall) => (Ink::Good, "+"),
        Some(Shown::Thin) => (Ink::Warn, "~"),
        Some(Shown::Unknown) => (Ink::Warn, "?"),
        Some(Shown::Gap) => (Ink::Bad, "."),
    }
}
