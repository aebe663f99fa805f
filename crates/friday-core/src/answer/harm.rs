//! How much harm a push is expected to do, and how much of it while nobody can act: hours, with the terms that they
//! are made of.
//!
//! With the chance `p` a push is harmful. Harm shows over time by the curve [`shown_by`]; what neither the checks see
//! nor the automatic rollback takes back waits for a person. So the unattended harm is
//!
//! ```text
//! U = p * (1 - automatic) * integral of (the next moment somebody can act - t) dF(t)
//! ```
//!
//! and is given in hours for each push. The curve and the prior are measured: 4,710 reverts of two organisations'
//! public changes, Monday to Thursday, share of reverts by the time since the change (Wikimedia operations-puppet and
//! mediawiki-config, 2013 to 2026). A weekday is no term of it.

use serde::{Deserialize, Serialize};

use crate::cover::{Cover, Shown};
use crate::time::Timestamp;

/// Hours since a push, and the share of harm that was found and acted on by then.
///
/// The last point is the end of what counts as harm of this push: a week.
const CURVE: [(f64, f64); 7] =
    [(0.25, 0.21), (1.0, 0.49), (4.0, 0.70), (8.0, 0.77), (24.0, 0.88), (48.0, 0.94), (168.0, 1.0)];

/// After this nothing is counted, milliseconds: the curve's end.
pub const TAIL_MS: u64 = 168 * HOUR_MS;

const HOUR_MS: u64 = 3_600_000;

/// The share of harm that has shown so many hours after a push; between the curve's points by the logarithm of time.
pub fn shown_by(hours: f64) -> f64 {
    let [(first, share), ..] = CURVE;
    if hours <= first {
        return share * (hours / first).max(0.0);
    }
    for pair in CURVE.windows(2) {
        let [(from, low), (to, high)] = pair else { continue };
        if hours <= *to {
            return low + (high - low) * ((hours / from).ln() / (to / from).ln());
        }
    }
    1.0
}

/// The area below that curve up to so many hours, in hours.
fn area_by(hours: f64) -> f64 {
    let [(first, share), ..] = CURVE;
    let within = hours.clamp(0.0, first);
    let mut area = share * within * within / first / 2.0;
    for pair in CURVE.windows(2) {
        let [(from, low), (to, high)] = pair else { continue };
        let end = hours.min(*to);
        if end <= *from {
            return area;
        }
        // F(t) = low + steep * ln(t / from), and its antiderivative between `from` and `end`.
        let steep = (high - low) / (to / from).ln();
        area += low * (end - from) + steep * (end * (end / from).ln() - (end - from));
    }
    area
}

/// The chances that a push is judged with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chances {
    /// That it does harm.
    pub harmful: f64,
    /// That a check sees the harm by itself.
    pub detected: f64,
    /// That what a check sees is taken back by itself.
    pub taken_back: f64,
}

/// The prior's mean: the share of production changes that were reverted within a week, 3.3 % and 7.8 % in the two
/// histories.
const PRIOR_MEAN: f64 = 0.05;

/// What the prior weighs, in pushes.
const PRIOR_WEIGHT: f64 = 20.0;

impl Chances {
    /// From a team's own pushes: so many, of which so many were harmful. Both count less the older they are; earlier
    /// success never brings the chance below a tenth of the prior.
    pub fn of(pushes: f64, harmful: f64, detected: f64, taken_back: f64) -> Self {
        let mean = (PRIOR_MEAN * PRIOR_WEIGHT + harmful) / (PRIOR_WEIGHT + pushes);
        Self { harmful: mean.clamp(PRIOR_MEAN / 10.0, 1.0), detected, taken_back }
    }

    /// That harm waits for a person.
    pub fn needs_person(self) -> f64 {
        1.0 - self.detected * self.taken_back
    }
}

/// What is expected of a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Harm {
    /// Hours in which harm waits for somebody who can act, for each push like this one.
    pub unattended_hours: f64,
    /// Where those hours lie, the largest first.
    pub spans: Vec<Unattended>,
}

/// A span in which nobody can act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unattended {
    /// From.
    pub from: Timestamp,
    /// To: somebody can act again.
    pub to: Timestamp,
    /// Its share of [`Harm::unattended_hours`].
    pub hours: f64,
    /// What is known of who is there.
    pub cover: Shown,
}

/// The harm of a push that begins at `start`. `spans`: who is there from then on, for a week, in order and without
/// holes.
pub fn harm(start: Timestamp, chances: Chances, spans: &[Cover]) -> Harm {
    let weight = chances.harmful * chances.needs_person();
    let mut found = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        if span.shown.can_act() {
            continue;
        }
        let end = spans.iter().skip(at).find(|later| later.shown.can_act());
        let ends = end.map_or(start.plus_ms(TAIL_MS), |end| end.from);
        let hours = weight * waiting_hours(start, span, ends);
        found.push(Unattended { from: span.from, to: span.to, hours, cover: span.shown });
    }
    let unattended_hours = found.iter().map(|span| span.hours).sum();
    found.sort_by(|one, other| other.hours.total_cmp(&one.hours));
    Harm { unattended_hours, spans: found }
}

/// What shows in a span waits until its end; in hours, of one harmful push that needs a person: the integral of
/// `(end - t) dF(t)`, by parts.
fn waiting_hours(start: Timestamp, span: &Cover, ends: Timestamp) -> f64 {
    let from = hours(span.from.since_ms(start).min(TAIL_MS));
    let to = hours(span.to.since_ms(start).min(TAIL_MS));
    let end = hours(ends.since_ms(start));
    let at_its_end = (end - to) * shown_by(to) - (end - from) * shown_by(from);
    (at_its_end + area_by(to) - area_by(from)).max(0.0)
}

/// As hours; a week in milliseconds is far within what a float counts exactly.
fn hours(ms: u64) -> f64 {
    let seconds = u32::try_from(ms / 1_000).unwrap_or(u32::MAX);
    f64::from(seconds) / 3_600.0
}

#[cfg(test)]
mod tests;
