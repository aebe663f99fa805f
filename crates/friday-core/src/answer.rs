//! The answer to one question: if this release turns out harmful, who can take it off, and when?
//!
//! Friday is not forbidden. What harms is a push into hours in which nobody can act, so that is what is judged: who is
//! there while it runs and while its harm can show, and what is planned then. Every answer names its largest terms, what
//! helps most, and the next good hours.

mod fix;
mod gates;
mod harm;
mod history;
mod pace;
mod score;
mod what_if;

use friday_wire::HostName;
use serde::{Deserialize, Serialize};

use crate::calendar::{Frozen, Window};
use crate::config::{CalendarSettings, FreezeKind};
use crate::cover::{Cover, Shift, timeline};
use crate::journal::finding::{Gate, GateResult};
use crate::rollout::plan::{Closed, Hour, HourGate};
use crate::time::{Span, Timestamp};

pub use fix::Fix;
pub use harm::{Chances, Harm, TAIL_MS, Unattended, harm, shown_by};
pub use pace::Pace;
pub use score::Score;
pub use what_if::WhatIf;

/// How far the next good hours are looked for.
const AHEAD_MS: u64 = 7 * 86_400_000;

/// Between two hours that are looked at.
const SLOT_MS: u64 = 1_800_000;

/// Good hours that are named, each of another day.
const SLOTS_MAX: usize = 3;

/// Terms that are named.
const TERMS_MAX: usize = 3;

/// Spans that a push carries with it, the first ones: more than begin while one is held.
const CLOSED_MAX: usize = 200;

/// A term that is less is none worth naming, hours: half a minute.
const TERM_LEAST: f64 = 0.008;

/// How long after a push a window is still its affair: by then nearly nine tenths of all harm has shown.
const WINDOW_TAIL_MS: u64 = 86_400_000;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The rules.
    pub calendar: &'a CalendarSettings,
    /// When the push would begin.
    pub at: Timestamp,
    /// How long it takes until its bake has ended, milliseconds.
    pub lasts_ms: u64,
    /// How long the way back takes, milliseconds.
    pub back_ms: u64,
    /// What it stands on: the hosts that take it, and those of guarded databases.
    pub stands_on: Vec<HostName>,
    /// The chances.
    pub chances: Chances,
    /// Another world.
    pub what_if: Vec<WhatIf>,
}

/// Whether to push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoNoGo {
    /// Nothing speaks against it.
    Go,
    /// A gate does.
    NoGo,
}

/// A part of the harm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Term {
    /// What: `nobody from Fri 27 Nov 18:00 to Mon 30 Nov 09:00`.
    pub what: String,
    /// Hours that harm is expected to wait in it, for each push.
    pub hours: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// It.
    pub answer: GoNoGo,
    /// For a push that begins then.
    pub at: Timestamp,
    /// Each gate, with its evidence.
    pub gates: Vec<HourGate>,
    /// Hours that harm is expected to wait for somebody, for each push; nothing where no rota tells who is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unattended_hours: Option<f64>,
    /// The chance that the push does harm.
    pub harmful: f64,
    /// The largest parts of it, the largest first.
    pub terms: Vec<Term>,
    /// What helps most for least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// When a push would be fine, each on another day.
    pub next_slots: Vec<Timestamp>,
    /// What the hour asks of the push's pace.
    pub pace: Pace,
    /// Spans in which no wave begins.
    #[serde(skip)]
    pub closed: Vec<Closed>,
}

/// The rules of a question, as spans: made once, and looked at from many hours.
struct World<'a> {
    question: &'a Question<'a>,
    zone: Option<&'static str>,
    covers: Vec<Cover>,
    freezes: Vec<Frozen>,
    windows: Vec<Window>,
}

/// Answers.
pub fn ask(question: &Question<'_>) -> Answer {
    let whole = Span::after(question.at, AHEAD_MS + question.lasts_ms + question.back_ms + TAIL_MS);
    let mut shifts = question.calendar.shifts(whole);
    shifts.extend(question.what_if.iter().flat_map(|what| what.shifts(question.calendar, whole)));
    let world = World::of(question, whole, &shifts);
    let gates = world.gates(question.at);
    let harm = world.harm(question.at);
    let go = is_go(&gates);
    let fix = harm.as_ref().filter(|_| !go).and_then(|harm| world.fix(harm, &shifts, whole));
    let terms = harm.iter().flat_map(|harm| &harm.spans).take(TERMS_MAX);
    let terms = terms.filter(|span| span.hours >= TERM_LEAST);
    Answer {
        answer: if go { GoNoGo::Go } else { GoNoGo::NoGo },
        at: question.at,
        unattended_hours: harm.as_ref().map(|harm| harm.unattended_hours),
        harmful: question.chances.harmful,
        terms: terms
            .map(|span| Term {
                what: format!("{} {}", span.cover.word(), world.between(span.from, span.to)),
                hours: span.hours,
            })
            .collect(),
        fix,
        next_slots: world.next_slots(),
        pace: world.pace(question.at),
        closed: world.closed(),
        gates,
    }
}

impl Answer {
    /// Adds gates that were judged elsewhere.
    pub fn judge(&mut self, gates: Vec<HourGate>) {
        self.gates.extend(gates);
        self.answer = if is_go(&self.gates) { GoNoGo::Go } else { GoNoGo::NoGo };
    }

    /// As a push carries it.
    pub fn hour(&self, asked_at: Timestamp) -> Hour {
        Hour {
            asked_at,
            gates: self.gates.clone(),
            closed: self.closed.clone(),
            unattended_s: self.unattended_hours.map(whole_seconds),
            harmful_ppm: Some(millionths(self.harmful)),
        }
    }
}

/// Whether no gate refuses: one that does not know refuses, too.
fn is_go(gates: &[HourGate]) -> bool {
    gates.iter().all(|said| said.result == GateResult::Pass)
}

impl<'a> World<'a> {
    fn of(question: &'a Question<'a>, whole: Span, shifts: &[Shift]) -> Self {
        let calendar = question.calendar;
        let (mut freezes, mut windows) = (calendar.freezes(whole), calendar.windows(whole));
        freezes.retain(|one| !question.what_if.iter().any(|what| what.lifts_freeze(&one.name)));
        windows.retain(|one| !question.what_if.iter().any(|what| what.lifts_window(&one.name)));
        windows.retain(|one| {
            one.hosts.is_empty() || one.hosts.iter().any(|host| question.stands_on.contains(host))
        });
        let covers = timeline(whole, shifts);
        Self { question, zone: calendar.shown_in(), covers, freezes, windows }
    }

    /// Who is there from a moment on, up to another.
    fn covers(&self, span: Span) -> impl Iterator<Item = Cover> {
        let first = self.covers.partition_point(|cover| cover.to <= span.from);
        let met = self.covers.iter().skip(first).take_while(move |cover| cover.from < span.to);
        met.map(move |cover| Cover {
            from: cover.from.max(span.from),
            to: cover.to.min(span.to),
            ..cover.clone()
        })
    }

    /// `None`: no rota tells who is there.
    fn harm(&self, at: Timestamp) -> Option<Harm> {
        if self.question.calendar.rotas.is_empty() {
            return None;
        }
        let covers: Vec<Cover> = self.covers(Span::after(at, TAIL_MS)).collect();
        Some(harm(at, self.question.chances, &covers))
    }

    fn next_slots(&self) -> Vec<Timestamp> {
        let mut slots: Vec<Timestamp> = Vec::new();
        let slot = i64::try_from(SLOT_MS).unwrap_or(1);
        let mut at = Timestamp((self.question.at.0.div_euclid(slot) + 1) * slot);
        let last = self.question.at.plus_ms(AHEAD_MS);
        while at <= last && slots.len() < SLOTS_MAX {
            let is_new = slots.last().is_none_or(|before| self.day(*before) != self.day(at));
            if is_new && is_go(&self.gates(at)) {
                slots.push(at);
            }
            at = at.plus_ms(SLOT_MS);
        }
        slots
    }

    /// Spans in which no wave begins, for as long as a push may be held.
    fn closed(&self) -> Vec<Closed> {
        let hard = self.freezes.iter().filter(|one| one.kind == FreezeKind::Hard);
        let freezes = hard.map(|one| Closed {
            span: one.span,
            gate: Gate::Freeze,
            what: format!("the freeze `{}`", one.name),
        });
        let windows = self.windows.iter().map(|one| Closed {
            span: one.span,
            gate: Gate::Maintenance,
            what: format!("the planned work `{}`", one.name),
        });
        let mut closed: Vec<Closed> = freezes.chain(windows).collect();
        closed.sort_by_key(|one| one.span);
        closed.truncate(CLOSED_MAX);
        closed
    }

    /// `Fri 27 Nov 18:00`.
    fn show(&self, at: Timestamp) -> String {
        let shown = crate::zone::show(at.0, self.zone);
        let zone = format!(" {}", self.zone.unwrap_or("UTC"));
        shown.strip_suffix(&zone).map_or(shown.clone(), str::to_owned)
    }

    /// `Fri 27 Nov`.
    fn day(&self, at: Timestamp) -> String {
        let shown = self.show(at);
        shown.rsplit_once(' ').map_or(shown.clone(), |(day, _)| day.to_owned())
    }

    /// `from Fri 27 Nov 18:00 to Mon 30 Nov 09:00`.
    fn between(&self, from: Timestamp, to: Timestamp) -> String {
        format!("from {} to {}", self.show(from), self.show(to))
    }
}

/// A chance in millionths.
fn millionths(chance: f64) -> u32 {
    format!("{:.0}", (chance * 1e6).clamp(0.0, 1e6)).parse().unwrap_or(0)
}

/// Hours as whole seconds.
fn whole_seconds(hours: f64) -> u64 {
    // A week has 604,800 seconds: the journal takes no fractions, and none are lost that mean anything.
    let seconds = (hours * 3_600.0).round().clamp(0.0, 604_800.0);
    format!("{seconds:.0}").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests;
