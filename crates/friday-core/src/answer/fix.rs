//! What helps most for least: somebody who looks in for two hours, on as few days as it takes.

use friday_time::{Hours, Zone};
use serde::Serialize;

use super::harm::Harm;
use super::what_if::check_ins;
use super::{World, whole_seconds};
use crate::cover::Shift;
use crate::time::{Span, Timestamp};
use crate::view::words::duration;

/// When somebody looks in.
const LOOKS_IN: &str = "daily 10:00-12:00";

/// On so many days at most: more is no fix but another rota.
const DAYS_MAX: usize = 3;

/// So far ahead is looked for days.
const AHEAD_MS: u64 = 4 * 86_400_000;

/// A change after which the hour would be fine, or at least better.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fix {
    /// As a sentence.
    pub says: String,
    /// When somebody would have to be there.
    pub check_ins: Vec<Span>,
    /// Hours that harm waits then.
    pub unattended_hours: f64,
}

impl World<'_> {
    /// The fewest days on which somebody has to look in. `None`: that changes nothing.
    pub(super) fn fix(&self, harm: &Harm, shifts: &[Shift], whole: Span) -> Option<Fix> {
        let calendar = self.question.calendar;
        // Nobody who looks in later helps a push that runs alone.
        let runs = self.runs(self.question.at);
        if self.covers(runs).any(|cover| !cover.shown.can_act()) {
            return None;
        }
        let zone =
            calendar.zone.clone().or(calendar.rotas.first().map(|rota| rota.zone.clone()))?;
        let near = Span::after(self.question.at, AHEAD_MS);
        let mut offers = self.offers(&zone, near);
        let limit = whole_seconds_of(calendar.unattended_ms);
        let mut taken: Vec<Shift> = Vec::new();
        let mut best = harm.unattended_hours;
        while taken.len() < DAYS_MAX && whole_seconds(best) > limit {
            let tried = offers.iter().enumerate().map(|(number, offer)| {
                let all = shifts.iter().chain(&taken).chain([offer]).cloned().collect::<Vec<_>>();
                let world = World::of(self.question, whole, &all);
                let hours = world.harm(self.question.at).map_or(best, |harm| harm.unattended_hours);
                (number, hours)
            });
            let (number, hours) = tried.min_by(|one, other| one.1.total_cmp(&other.1))?;
            // Less than a tenth better is no help.
            if hours > best * 0.9 {
                break;
            }
            best = hours;
            taken.push(offers.remove(number));
        }
        if taken.is_empty() {
            return None;
        }
        taken.sort_by_key(|shift| shift.span);
        let check_ins: Vec<Span> = taken.iter().map(|shift| shift.span).collect();
        let when: Vec<String> =
            check_ins.iter().map(|span| self.between(span.from, span.to)).collect();
        let says = format!(
            "somebody who can act {}: harm waits {} instead of {}",
            when.join(", and "),
            duration(whole_seconds(best) * 1_000),
            duration(whole_seconds(harm.unattended_hours) * 1_000)
        );
        Some(Fix { says, check_ins, unattended_hours: best })
    }

    /// Two hours on each day on which nobody is there then.
    fn offers(&self, zone: &Zone, near: Span) -> Vec<Shift> {
        let Ok(hours) = Hours::parse(LOOKS_IN) else { return Vec::new() };
        let mut offers = check_ins(&hours, zone, "somebody", near);
        let is_alone =
            |at: Timestamp| self.covers(Span::after(at, 1)).any(|cover| !cover.shown.can_act());
        offers.retain(|offer| offer.span.from >= near.from && is_alone(offer.span.from));
        offers
    }
}

fn whole_seconds_of(ms: u64) -> u64 {
    ms / 1_000
}
