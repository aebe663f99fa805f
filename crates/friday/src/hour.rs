//! The hour of a push: what calendars, rotas and the journal make of a plan.

use friday_core::answer::{Answer, Chances, Question, WhatIf, ask};
use friday_core::journal::finding::{Gate, GateResult};
use friday_core::rollout::plan::Plan;
use friday_core::time::Timestamp;
use friday_wire::HostName;

use crate::context::Context;
use crate::journal::Journal;
use crate::ui::{Ink, Text, Ui};

/// What a push takes beyond soak and bake, where none has told yet, milliseconds.
const UNTOLD_MS: u64 = 300_000;

/// What the way back takes, milliseconds: the deadline of one host.
const BACK_MS: u64 = 300_000;

/// Columns of a gate's line: its name, and what it came to.
const GATE_WIDTH: usize = 15;
const WORD_WIDTH: usize = 11;

/// The answer for a push of this plan that begins at a moment.
pub fn answer(
    context: &Context,
    journal: Option<&Journal>,
    plan: &Plan,
    (at, now): (Timestamp, Timestamp),
    what_if: Vec<WhatIf>,
) -> Answer {
    let estimate = journal.map(|journal| journal.paces.estimate(plan));
    let likely = estimate.as_ref().and_then(|estimate| estimate.likely.as_ref());
    let waiting = estimate.as_ref().map_or(plan.bake_ms, |estimate| estimate.waiting_ms);
    let hosts = plan.fleet.hosts.iter().map(|host| host.name.clone());
    let databases = context.settings.databases.iter().map(|database| database.host.clone());
    let stands_on: Vec<HostName> = hosts.filter(|host| plan.takes(host)).chain(databases).collect();
    ask(&Question {
        calendar: &context.settings.calendar,
        at,
        lasts_ms: likely.map_or(waiting + UNTOLD_MS, |likely| likely.to_ms),
        back_ms: BACK_MS,
        stands_on,
        chances: journal
            .map_or_else(Chances::prior, |journal| Chances::of_history(&journal.chronicle, now)),
        what_if,
    })
}

/// A plan at the pace that the hour asks for, and the answer for it.
pub fn paced(
    context: &Context,
    journal: Option<&Journal>,
    plan: Plan,
    at: Timestamp,
) -> (Plan, Answer, Vec<String>) {
    let first = answer(context, journal, &plan, (at, at), Vec::new());
    let (plan, says) = first.pace.of(plan);
    if says.is_empty() {
        return (plan, first, says);
    }
    // Longer soaks may reach into other hours.
    let again = answer(context, journal, &plan, (at, at), Vec::new());
    (plan, again, says)
}

/// The gates of an answer, a line each; then what helps and when it would be fine.
pub fn draw(ui: &Ui, context: &Context, answer: &Answer, put: impl Fn(&Ui, Text)) {
    for said in &answer.gates {
        let (ink, word) = match said.result {
            GateResult::Pass => (Ink::Good, "pass"),
            GateResult::Inconclusive => (Ink::Warn, "not known"),
            GateResult::Fail => (Ink::Bad, "no"),
        };
        let gate =
            Text::new().plain("  ").ink(Ink::Strong, gate_word(said.gate)).pad_to(GATE_WIDTH);
        put(ui, gate.append(Text::new().ink(ink, word).pad_to(WORD_WIDTH)).plain(&said.says));
    }
    for term in answer.terms.iter().filter(|term| term.hours > 0.0) {
        let line = format!("  {:.2} h  {}", term.hours, term.what);
        put(ui, Text::new().ink(Ink::Faint, &line));
    }
    if let Some(beside) = &answer.pace.beside {
        let line = format!("Beside {beside}: one host goes first, and soaks last twice as long.");
        put(ui, Text::new().plain(&line));
    }
    if let Some(fix) = &answer.fix {
        put(ui, Text::new().ink(Ink::Hint, "Helps most:").plain(" ").plain(&fix.says));
    }
    if !answer.next_slots.is_empty() && !answer.gates.is_empty() {
        let slots: Vec<String> =
            answer.next_slots.iter().map(|at| context.settings.calendar.show(*at)).collect();
        put(ui, Text::new().ink(Ink::Hint, "Good hours:").plain(" ").plain(&slots.join(", ")));
    }
}

/// A gate as `--override` and the journal write it.
pub fn gate_word(gate: Gate) -> &'static str {
    match gate {
        Gate::Cover => "cover",
        Gate::Freeze => "freeze",
        Gate::Maintenance => "maintenance",
        Gate::Unlocked => "unlocked",
        Gate::NothingOpen => "nothing open",
        Gate::Recovery => "recovery",
        Gate::Rehearsed => "rehearsal",
        Gate::Reachable => "reachable",
        Gate::Lease => "lease",
        Gate::Quarantine => "quarantine",
        Gate::WayBack => "way back",
        Gate::Room => "room",
        Gate::Supervisor => "supervisor",
        Gate::Apart => "apart",
        Gate::Once => "once",
    }
}
