//! How long a recovery would take now: what the last drill measured, scaled to the newest backup.

use friday_wire::data::{DataPhase, DrillReport, Position};
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
    /// recovery may have to fetch all, at the rate that was measured last. Replaying grows and
    /// shrinks with the log between the newest backup and the newest place that is known. Everything else counts
    /// as the drill measured it.
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
        let (replayed_ms, replay_ms) = replay_ms(known, report);
        let rest = report.rto_ms.saturating_sub(fetch_ms).saturating_sub(check_ms);
        let rest = rest.saturating_sub(replayed_ms).saturating_add(replay_ms);
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

/// Less log than this says little about how fast it is replayed: a server looks only so often, and switches to a new
/// file of this size before one is full.
const TELLING: u64 = 16 << 20;

/// How long replaying the log takes that lies between the newest backup and the newest place. What did not replay,
/// but waited for a server to start, is no part of it.
fn replay_ms(known: &DatabaseKnown, report: &DrillReport) -> (u64, u64) {
    let replay = report.phases.iter().filter(|time| time.phase == DataPhase::Replay);
    let (ms, bytes) =
        replay.filter(|time| time.bytes > 0).fold((0_u64, 0_u64), |(ms, bytes), time| {
            (ms.saturating_add(time.ms), bytes.saturating_add(time.bytes))
        });
    let to_replay = log_to_replay(known, report).unwrap_or(bytes);
    (ms, if bytes == 0 { 0 } else { scaled(ms, to_replay, bytes.max(TELLING)) })
}

/// Bytes of log between the newest backup and the newest place that is known: a restore point's, or the drill's.
/// `None`: no log leads there.
fn log_to_replay(known: &DatabaseKnown, report: &DrillReport) -> Option<u64> {
    let (cluster, from) = place(&known.newest_backup()?.position)?;
    let points = known.points.values().map(|point| &point.position);
    let places = points.chain([&report.reached]).filter_map(place);
    let newest = places.filter(|(of, _)| *of == cluster).map(|(_, to)| to).max()?;
    newest.checked_sub(from)
}

/// A place in a log as its timeline's name and bytes from that log's beginning. PostgreSQL prints it as two halves
/// in hexadecimal.
fn place(position: &Position) -> Option<((&str, u32), u64)> {
    let Position::Postgres { system, timeline, lsn } = position else { return None };
    let (high, low) = lsn.split_once('/')?;
    let half = |text: &str| u32::from_str_radix(text, 16).ok().map(u64::from);
    Some(((system.as_str(), *timeline), half(high)? << 32 | half(low)?))
}

/// `what * to / from`, without an overflow; as it is where `from` says nothing.
fn scaled(what: u64, to: u64, from: u64) -> u64 {
    if from == 0 {
        return what;
    }
    let scaled = u128::from(what) * u128::from(to) / u128::from(from);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
