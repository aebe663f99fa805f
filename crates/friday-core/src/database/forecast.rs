//! How long a recovery would take now: what the last drill measured, scaled to the newest backup.

use friday_wire::data::DataPhase;
use serde::Serialize;

use super::DatabaseKnown;
use crate::view::words::{duration, size};

/// How long a recovery is expected to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Milliseconds.
    pub ms: u64,
    /// What it is made of, in order.
    pub terms: Vec<Term>,
}

/// A part of a forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// What is done in it.
    pub what: String,
    /// Milliseconds.
    pub ms: u64,
}

impl Forecast {
    /// From the last drill that ended well. `None`: there is none.
    ///
    /// Fetching and checking grow with the database. A drill on a warm scratch fetched only a part; a
    /// recovery may have to fetch all, at the rate that was measured last. Everything else counts as the
    /// drill measured it.
    pub fn of(known: &DatabaseKnown) -> Option<Self> {
        let report = &known.drilled.as_ref()?.report;
        let took = |phase: DataPhase| {
            let of_phase = report.phases.iter().filter(|time| time.phase == phase);
            of_phase.fold(0_u64, |sum, time| sum.saturating_add(time.ms))
        };
        let (fetch_ms, check_ms) = (took(DataPhase::Fetch), took(DataPhase::Check));
        let restored = report.scratch.bytes;
        let newest = known.newest_backup().map_or(restored, |backup| backup.bytes);
        let mut terms = Vec::new();
        let mut add = |what: String, ms: u64| {
            if ms > 0 {
                terms.push(Term { what, ms });
            }
        };
        match known.fetched {
            Some(rate) => {
                // Bytes on the way differ from bytes restored where backups are compressed.
                let fetched: u64 = report
                    .phases
                    .iter()
                    .filter(|time| time.phase == DataPhase::Fetch)
                    .fold(0, |sum, time| sum.saturating_add(time.bytes));
                let cold = fetched.saturating_add(report.scratch.warm_bytes);
                let bytes = scaled(cold, newest, restored);
                add(format!("fetching {}", size(bytes)), scaled(rate.ms, bytes, rate.bytes));
            }
            None => add("fetching".to_owned(), scaled(fetch_ms, newest, restored)),
        }
        add("checking".to_owned(), scaled(check_ms, newest, restored));
        let rest = report.rto_ms.saturating_sub(fetch_ms).saturating_sub(check_ms);
        add("replaying and all else".to_owned(), rest);
        let ms = terms.iter().fold(0_u64, |sum, term| sum.saturating_add(term.ms));
        Some(Self { ms, terms })
    }

    /// As a sentence's end: `4 min: 3 min fetching 12 GB, 1 min checking`.
    pub fn says(&self) -> String {
        let terms: Vec<String> =
            self.terms.iter().map(|term| format!("{} {}", duration(term.ms), term.what)).collect();
        if terms.is_empty() {
            return duration(self.ms);
        }
        format!("{}: {}", duration(self.ms), terms.join(", "))
    }
}

/// `what * to / from`, without an overflow; as it is where `from` says nothing.
fn scaled(what: u64, to: u64, from: u64) -> u64 {
    if from == 0 {
        return what;
    }
    let scaled = u128::from(what) * u128::from(to) / u128::from(from);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
