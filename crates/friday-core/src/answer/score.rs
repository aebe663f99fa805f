//! What the answers of the past were worth: each push carries what was expected of it, and the journal has what came.
//!
//! By Brier, "Verification of forecasts expressed in terms of probability" (1950): the mean square of the difference
//! between the chance that was given and what happened. The bare share of harmful pushes, given each time, would score
//! its own variance; an answer that scores more than that is worth less than a constant.

use serde::Serialize;

use super::history::{Backs, Fate};
use crate::view::words::{count, duration};
use crate::view::{Chronicle, Predicted};

/// With fewer pushes little can be told.
const FEW: u32 = 20;

/// What was expected, and what came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Pushes that carried an answer and reached somebody.
    pub pushes: u32,
    /// Of these, the harmful ones.
    pub harmful: u32,
    /// How many were expected to be.
    pub expected_harmful: f64,
    /// Brier's score; less is better.
    pub brier: f64,
    /// What the bare share of harmful pushes would have scored.
    pub brier_of_the_share: f64,
    /// Pushes that went although a gate refused, with a person's word.
    pub vouched: u32,
    /// Of these, the harmful ones.
    pub vouched_harmful: u32,
    /// Hours that harm was expected to wait for somebody, of all pushes together.
    pub expected_unattended_hours: f64,
    /// Hours from the beginning of a push to the rollback that a person began, of all that a person took off. Harm
    /// waited so long at most: when it began to show, the journal does not know.
    pub waited_hours_at_most: f64,
}

impl Score {
    /// Of a journal.
    pub fn of(chronicle: &Chronicle) -> Self {
        let backs = Backs::of(chronicle);
        let mut score = Self {
            pushes: 0,
            harmful: 0,
            expected_harmful: 0.0,
            brier: 0.0,
            brier_of_the_share: 0.0,
            vouched: 0,
            vouched_harmful: 0,
            expected_unattended_hours: 0.0,
            waited_hours_at_most: 0.0,
        };
        for push in &chronicle.rollouts {
            let Some(predicted) = &push.predicted else { continue };
            let harmful = match backs.fate(push) {
                Fate::Nothing => continue,
                Fate::Fine => 0,
                Fate::Seen => 1,
                Fate::Late => {
                    let off = backs.off_at(push).map_or(0, |off| off.since_ms(push.began));
                    score.waited_hours_at_most += hours(off);
                    1
                }
            };
            score.take(predicted, harmful);
        }
        if score.pushes > 0 {
            let share = f64::from(score.harmful) / f64::from(score.pushes);
            score.brier /= f64::from(score.pushes);
            score.brier_of_the_share = share * (1.0 - share);
        }
        score
    }

    fn take(&mut self, predicted: &Predicted, harmful: u32) {
        let chance = f64::from(predicted.harmful_ppm) / 1e6;
        self.pushes += 1;
        self.harmful += harmful;
        self.expected_harmful += chance;
        self.brier += (chance - f64::from(harmful)).powi(2);
        if predicted.vouched {
            self.vouched += 1;
            self.vouched_harmful += harmful;
        }
        self.expected_unattended_hours += hours(predicted.unattended_s.unwrap_or(0) * 1_000);
    }

    /// A sentence each.
    pub fn says(&self) -> Vec<String> {
        if self.pushes == 0 {
            return vec![
                "no push carries an answer yet: they do from the first one that rotas, freezes or windows judge"
                    .to_owned(),
            ];
        }
        let mut says = vec![
            format!(
                "{} can be scored: of the pushes {} did harm, {:.1} were expected to",
                count(usize::try_from(self.pushes).unwrap_or(usize::MAX), "answer"),
                self.harmful,
                self.expected_harmful
            ),
            format!(
                "Brier score {:.3}; their bare share of harm, given each time, scores {:.3} (less is better)",
                self.brier, self.brier_of_the_share
            ),
            format!(
                "harm was expected to wait {} for somebody in all, and waited {} at most",
                duration(milliseconds(self.expected_unattended_hours)),
                duration(milliseconds(self.waited_hours_at_most))
            ),
        ];
        if self.vouched > 0 {
            says.push(format!(
                "{} went against a gate, and {} of them did harm; of the other {}, {} did",
                self.vouched,
                self.vouched_harmful,
                self.pushes - self.vouched,
                self.harmful - self.vouched_harmful
            ));
        }
        if self.pushes < FEW {
            says.push(format!("fewer than {FEW} tell little"));
        }
        says
    }
}

fn hours(ms: u64) -> f64 {
    f64::from(u32::try_from(ms / 1_000).unwrap_or(u32::MAX)) / 3_600.0
}

fn milliseconds(hours: f64) -> u64 {
    format!("{:.0}", (hours * 3_600.0).clamp(0.0, 1e12)).parse::<u64>().unwrap_or(0) * 1_000
}
