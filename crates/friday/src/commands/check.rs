//! `friday check`: should I push now?

use clap::Args;
use friday_core::answer::{Answer, Fix, GoNoGo, Score, Term, WhatIf};
use friday_core::config::ReleaseFacts;
use friday_core::config::settings::DatabaseSettings;
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::rollout::plan::HourGate;
use friday_core::time::Timestamp;
use friday_core::view::{Chronicle, DatabaseView};
use friday_wire::{Digest, ReleaseId, TreeId};
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::hour;
use crate::journal::Journal;
use crate::ui::{Ink, Text, Ui, now};

/// When, and in which world.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday check\n  friday check --at \"2026-12-24 16:00\"\n  friday check --what-if \"cover sat 10:00-12:00 anna\"\n  friday check --what-if \"no maintenance storage firmware\" --what-if \"no freeze sale\"\n  friday check --json | jq -r .answer\n  friday check --score                were the answers right?\n\nIt asks no host and changes nothing: 0 is go, 4 is no-go. `friday push` asks the same and obeys it."
)]
pub struct CheckArgs {
    /// For a push that begins then, on the team's clock.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// In a world in which this is so: `cover HOURS PERSON`, `no maintenance NAME`, `no freeze NAME`. May be given
    /// for several.
    #[arg(long, value_name = "WORLD")]
    pub what_if: Vec<String>,
    /// Ask nothing: say what the answers of the past were worth, by what came of their pushes.
    #[arg(long, conflicts_with_all = ["at", "what_if"])]
    pub score: bool,
}

#[derive(Serialize)]
struct CheckView<'a> {
    answer: GoNoGo,
    at: String,
    gates: Vec<GateView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unattended_hours: Option<f64>,
    terms: &'a [Term],
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a Fix>,
    next_slots: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct GateView<'a> {
    gate: &'static str,
    result: GateResult,
    says: &'a str,
    evidence: serde_json::Value,
}

/// Runs it.
///
/// # Errors
/// When the configuration or a moment cannot be read.
pub fn run(ui: &Ui, global: &Global, args: &CheckArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let journal = Journal::read_whole(&context)?;
    if args.score {
        return Ok(score(ui, &Score::of(&journal.chronicle)));
    }
    let at = match &args.at {
        Some(text) => moment(&context, text)?,
        None => now(),
    };
    let plan = context.settings.plan(ReleaseFacts {
        bytes: 0,
        files: 0,
        release: ReleaseId(Digest([0; 32])),
        tree: TreeId(Digest([0; 32])),
        label: String::new(),
        secrets: None,
        quarantine_override: None,
        only: Vec::new(),
    });
    let what_if = args.what_if.iter().map(|text| world(text)).collect::<Result<_, _>>()?;
    let mut answer = hour::answer(&context, Some(&journal), &plan, (at, now()), what_if);
    answer.judge(standing(&context, &journal.chronicle));
    let notes = notes(&context);
    if ui.is_json() {
        ui.json(&view(&context, &answer, notes));
    } else {
        draw(ui, &context, &answer, &notes);
    }
    Ok(match answer.answer {
        GoNoGo::Go => Exit::Done,
        GoNoGo::NoGo => Exit::Refused,
    })
}

/// What answers were worth. It judges nothing: it is done whatever it says.
fn score(ui: &Ui, score: &Score) -> Exit {
    if ui.is_json() {
        ui.json(score);
    } else {
        score.says().iter().for_each(|says| ui.data(says.as_str()));
    }
    Exit::Done
}

fn moment(context: &Context, text: &str) -> Result<Timestamp, CommandError> {
    let read = context.settings.calendar.moment(text);
    read.map_err(|unclear| {
        CommandError::new(Exit::Usage, format!("`--at`: {unclear}")).hint(unclear.hint)
    })
}

fn world(text: &str) -> Result<WhatIf, CommandError> {
    text.parse().map_err(|unclear: friday_core::calendar::Unclear| {
        CommandError::new(Exit::Usage, format!("`--what-if`: {unclear}")).hint(unclear.hint)
    })
}

/// What stands against a push at any hour, as far as the journal knows.
fn standing(context: &Context, chronicle: &Chronicle) -> Vec<HourGate> {
    let said = |gate, result, says: String| HourGate { gate, result, says, vouched: None };
    let mut gates = Vec::new();
    if let Some(lock) = &chronicle.lock {
        let says = format!("{} locked the fleet: {}", lock.person, lock.reason);
        gates.push(said(Gate::Unlocked, GateResult::Fail, says));
    }
    if let Some(open) = chronicle.open().next() {
        let says = format!("the {} {} is still open", open.word.noun(), open.rollout);
        gates.push(said(Gate::NothingOpen, GateResult::Fail, says));
    }
    for database in context.settings.databases.iter().map(DatabaseSettings::planned) {
        let view = DatabaseView::of(&database, &chronicle.databases, now());
        let result = if view.unproven.is_none() { GateResult::Pass } else { GateResult::Fail };
        gates.push(said(Gate::Recovery, result, format!("`{}`: {}", view.database, view.says)));
    }
    gates
}

/// What would have been judged, had somebody written it down.
fn notes(context: &Context) -> Vec<String> {
    let calendar = &context.settings.calendar;
    let mut notes = Vec::new();
    if calendar.rotas.is_empty() {
        notes.push(
            "who is there to act is not judged: add a `[[rota]]` to the configuration".to_owned(),
        );
    }
    if calendar.windows.is_empty() {
        notes.push("planned work is not judged: add it as `[[maintenance]]`".to_owned());
    }
    notes
}

fn view<'a>(context: &Context, answer: &'a Answer, notes: Vec<String>) -> CheckView<'a> {
    let calendar = &context.settings.calendar;
    let gates = answer.gates.iter().map(|said| GateView {
        gate: hour::gate_word(said.gate),
        result: said.result,
        says: &said.says,
        evidence: match said.gate {
            Gate::Cover => serde_json::json!({
                "unattended_hours": answer.unattended_hours,
                "limit_hours": calendar.limit_hours(),
            }),
            Gate::Freeze => serde_json::json!({ "closed": answer.closed }),
            _ => serde_json::Value::Null,
        },
    });
    CheckView {
        answer: answer.answer,
        at: calendar.written(answer.at),
        gates: gates.collect(),
        unattended_hours: answer.unattended_hours,
        terms: &answer.terms,
        fix: answer.fix.as_ref(),
        next_slots: answer.next_slots.iter().map(|at| calendar.written(*at)).collect(),
        notes,
    }
}

fn draw(ui: &Ui, context: &Context, answer: &Answer, notes: &[String]) {
    let at = context.settings.calendar.show(answer.at);
    let head = match answer.answer {
        GoNoGo::Go => Text::new().ink(Ink::Good, "Go"),
        GoNoGo::NoGo => Text::new().ink(Ink::Bad, "No-go"),
    };
    ui.data(head.plain(&format!(" for a push at {at}")));
    hour::draw(ui, context, answer, |ui, text| ui.data(text));
    for note in notes {
        ui.data(Text::new().ink(Ink::Warn, "Note:").plain(" ").plain(note));
    }
}
