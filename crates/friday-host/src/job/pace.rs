//! Which of a job's times is run, and which is not. Pure: the present moment comes in.
//!
//! The rule for clocks that are put forward or back: of one host's runs, each is for a later time than
//! the one before. What passed unseen is not made up for.

use friday_wire::Times;

/// Who comes so late does not run for that time any more, milliseconds: the machine slept, or its clock
/// was put forward.
const LATE_MS: i64 = 60_000;

/// A last run further ahead of the clock was noted by a clock that was wrong, milliseconds: it would hold
/// up the job until then. Nobody puts a right clock back by more than a day.
const AHEAD_MAX_MS: i64 = 26 * 60 * 60 * 1_000;

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nothing.
    None,
    /// Run for this time.
    Run {
        /// Milliseconds since 1970.
        due_ms: i64,
    },
    /// The run before is still at work: this time is left out.
    LeftOut {
        /// Milliseconds since 1970.
        due_ms: i64,
    },
    /// This time passed while nobody looked.
    Missed {
        /// Milliseconds since 1970.
        due_ms: i64,
    },
}

/// Where a job is among its times.
#[derive(Debug)]
pub struct Pace {
    times: Times,
    /// The last time that was seen to, by a run or not.
    last_ms: Option<i64>,
    next_ms: Option<i64>,
    looked_ms: Option<i64>,
}

impl Pace {
    /// `last_ms`: the time of the last run on this host.
    pub fn new(times: Times, last_ms: Option<i64>) -> Self {
        Self { times, last_ms, next_ms: None, looked_ms: None }
    }

    /// When it is due next.
    pub fn next_ms(&self) -> Option<i64> {
        self.next_ms
    }

    /// What is to be done at this moment; to be asked again and again.
    pub fn look(&mut self, now_ms: i64, at_work: bool) -> Call {
        let put_back = self.looked_ms.is_none_or(|looked| now_ms < looked);
        self.looked_ms = Some(now_ms);
        if put_back {
            self.next_ms = next(&self.times, self.last_ms, now_ms);
        }
        let Some(due_ms) = self.next_ms.filter(|due| *due <= now_ms) else { return Call::None };
        self.last_ms = Some(due_ms);
        self.next_ms = next(&self.times, self.last_ms, now_ms);
        if at_work {
            Call::LeftOut { due_ms }
        } else if now_ms - due_ms >= LATE_MS {
            Call::Missed { due_ms }
        } else {
            Call::Run { due_ms }
        }
    }
}

/// The next time after now and after the last one.
pub fn next(times: &Times, last_ms: Option<i64>, now_ms: i64) -> Option<i64> {
    let believed = last_ms.filter(|last| last.saturating_sub(now_ms) <= AHEAD_MAX_MS);
    times.next(believed.map_or(now_ms, |last| last.max(now_ms)))
}

#[cfg(test)]
mod tests;
