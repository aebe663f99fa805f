//! The gates of an hour: who can act, what is frozen, what is planned. Each with its evidence.

use super::{WINDOW_TAIL_MS, World, whole_seconds};
use crate::calendar::Frozen;
use crate::config::FreezeKind;
use crate::cover::Shown;
use crate::journal::finding::{Gate, GateResult};
use crate::rollout::plan::HourGate;
use crate::time::{Span, Timestamp};
use crate::view::words::duration;

impl World<'_> {
    /// Those of a push that begins at a moment. What no rule speaks of has no gate.
    pub(super) fn gates(&self, at: Timestamp) -> Vec<HourGate> {
        let calendar = self.question.calendar;
        let mut gates = Vec::new();
        if !calendar.rotas.is_empty() {
            gates.push(self.cover_gate(at));
        }
        if !calendar.freezes.is_empty() {
            gates.push(self.freeze_gate(at));
        }
        if !calendar.windows.is_empty() {
            gates.push(self.window_gate(at));
        }
        gates
    }

    /// From its beginning until it is stable, or was taken back in the end.
    pub(super) fn runs(&self, at: Timestamp) -> Span {
        Span::after(at, self.question.lasts_ms + self.question.back_ms)
    }

    fn cover_gate(&self, at: Timestamp) -> HourGate {
        let said = |result, says| HourGate { gate: Gate::Cover, result, says, vouched: None };
        let runs = self.runs(at);
        if let Some(hole) = self.covers(runs).find(|cover| !cover.shown.can_act()) {
            let result = match hole.shown {
                Shown::Unknown => GateResult::Inconclusive,
                _ => GateResult::Fail,
            };
            let says = format!(
                "{} {} while it runs, which is until {} ({})",
                who(hole.shown),
                self.between(hole.from, hole.to),
                self.show(runs.to),
                hole.says
            );
            return said(result, says);
        }
        let Some(harm) = self.harm(at) else { return said(GateResult::Pass, String::new()) };
        let waits = whole_seconds(harm.unattended_hours) * 1_000;
        let limit = self.question.calendar.unattended_ms;
        let (waits_for, gives) = (duration(waits), duration(limit));
        if waits <= limit {
            let says = format!(
                "somebody can act while it runs; later harm is expected to wait {waits_for}, and may {gives}"
            );
            return said(GateResult::Pass, says);
        }
        let most = harm.spans.first();
        let unknown = most.is_some_and(|span| span.cover == Shown::Unknown);
        let most = most.map_or_else(String::new, |span| {
            format!(", most of it {}: {}", self.between(span.from, span.to), span.cover.word())
        });
        let result = if unknown { GateResult::Inconclusive } else { GateResult::Fail };
        let says = format!(
            "harm is expected to wait {waits_for} for somebody who can act, and may {gives}{most}"
        );
        said(result, says)
    }

    fn freeze_gate(&self, at: Timestamp) -> HourGate {
        let said = |result, says| HourGate { gate: Gate::Freeze, result, says, vouched: None };
        let runs = self.runs(at);
        let met = |kind| {
            let of_kind = self.freezes.iter().filter(move |one| one.kind == kind);
            of_kind.filter(|one| one.span.common(runs).is_some())
        };
        let named = |frozen: &Frozen| {
            let why = frozen.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let when = self.between(frozen.span.from, frozen.span.to);
            (format!("freeze `{}`{why}", frozen.name), when)
        };
        if let Some(hard) = met(FreezeKind::Hard).next() {
            let (name, when) = named(hard);
            let lasts = if hard.span.holds(at) { "lasts" } else { "begins while it runs:" };
            return said(GateResult::Fail, format!("the {name} {lasts} {when}"));
        }
        if let Some(soft) = met(FreezeKind::Soft).find(|one| one.span.holds(at)) {
            let (name, when) = named(soft);
            let says = format!("the soft {name} lasts {when}: a push in it needs a person's word");
            return said(GateResult::Inconclusive, says);
        }
        let says = match met(FreezeKind::Soft).next() {
            Some(soft) => {
                let (name, when) = named(soft);
                format!("the soft {name} begins while it runs, and stops nothing: {when}")
            }
            None => "no freeze meets it".to_owned(),
        };
        said(GateResult::Pass, says)
    }

    /// A window while it runs is none of its hours. One in the day after it hides what the push broke, unless somebody
    /// is there who can act.
    fn window_gate(&self, at: Timestamp) -> HourGate {
        let said = |result, says| HourGate { gate: Gate::Maintenance, result, says, vouched: None };
        let runs = self.runs(at);
        let tail = Span { from: runs.from, to: runs.to.plus_ms(WINDOW_TAIL_MS) };
        let mut attended = None;
        for window in &self.windows {
            let Some(meets) = window.span.common(tail) else { continue };
            let on = match window.hosts.first() {
                Some(host) => format!("`{host}`"),
                None => "everything".to_owned(),
            };
            let what = format!(
                "`{}` {}: {on} {}",
                window.name,
                self.between(window.span.from, window.span.to),
                window.effect.says()
            );
            if window.span.common(runs).is_some() {
                return said(GateResult::Fail, format!("planned work while it runs: {what}"));
            }
            let alone = self.covers(meets).any(|cover| !cover.shown.can_act());
            if alone && !self.question.calendar.rotas.is_empty() {
                let after = duration(meets.from.since_ms(at));
                let says = format!("planned work {after} after it, while nobody can act: {what}");
                return said(GateResult::Fail, says);
            }
            attended = Some(format!("somebody is there for {what}"));
        }
        let nothing = || "no planned work meets it until a day after its end".to_owned();
        said(GateResult::Pass, attended.unwrap_or_else(nothing))
    }
}

fn who(shown: Shown) -> &'static str {
    match shown {
        Shown::Unknown => "it is not known who can act",
        Shown::Thin => "too few people can act",
        Shown::Gap | Shown::OnCall | Shown::Attended => "nobody can act",
    }
}
