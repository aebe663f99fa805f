//! When a job runs: five fields as a crontab has them, and the time zone they are meant in.
//!
//! Pure: the present moment and the zone's rules come in as data. Which moments fit is croner's to say;
//! here is what may be written, and the rule for clocks that are put forward or back. A time that a
//! spring night leaves out is moved to the end of the gap, and one that an autumn night has twice is its
//! first; a field that begins with `*` is an interval, which leaves out and repeats as the clock does.

mod written;

use std::fmt;
use std::ops::Range;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::id::ReleaseId;

/// The longest expression, bytes.
pub(crate) const AT_LEN_MAX: usize = 256;

/// The longest name of a zone, bytes.
const ZONE_LEN_MAX: usize = 64;

/// How long a run may take unless the configuration says otherwise, milliseconds.
pub const DEADLINE_MS: u64 = 60 * 60 * 1_000;

/// The longest that a run may be given, milliseconds: a week.
pub const DEADLINE_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;

/// From here the test begins whether an expression ever fits: 2024-01-01.
const SOME_MOMENT_MS: i64 = 1_704_067_200_000;

/// When a process runs, instead of always. A process that has one is a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timetable {
    /// Minute, hour, day of the month, month, day of the week.
    pub at: String,
    /// The zone's name; `None`: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// A run that takes longer is ended, milliseconds.
    pub deadline_ms: u64,
}

/// What is wrong with a timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// Not five fields.
    #[error("a time has five fields, and this has {0}")]
    Fields(usize),
    /// A part of a field.
    #[error("{why}")]
    Part {
        /// Where in the expression, bytes.
        at: Range<usize>,
        /// One sentence.
        why: String,
    },
    /// It is well written, and no day fits it.
    #[error("this time never comes")]
    Never,
    /// A name that no zone can have.
    #[error("`{0}` is not the name of a time zone")]
    Zone(String),
    /// What was found under the zone's name is something else.
    #[error("the rules of the time zone `{0}` cannot be read")]
    ZoneRules(String),
    /// A deadline of nothing, or of more than a week.
    #[error("a run can be given a week at most, and a second at least")]
    Deadline,
}

/// What a host tells of a job. See [`crate::RunningProcess`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobFacts {
    /// Its zone; `None`: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When it runs next, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<i64>,
    /// Its last run on this host, also one of another release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<JobRun>,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// Of which release.
    pub release: ReleaseId,
    /// The time it ran for, milliseconds since 1970.
    pub due_ms: i64,
    /// When it began.
    pub began_ms: i64,
    /// How it ended; `None`: it is at work, or whoever would have noted it ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<JobEnd>,
    /// Times that were left out because it was still at work.
    #[serde(default)]
    pub left_out: u32,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEnd {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it ended well.
    pub outcome: JobOutcome,
    /// `exit status 1`, or a sentence.
    pub status: String,
}

/// Whether a run ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// With 0.
    Done,
    /// With anything else.
    Failed,
    /// Its deadline passed.
    Late,
    /// Its process was ended with it: a switch, a stop or a reboot came between.
    BrokenOff,
}

impl Timetable {
    /// Checks how it is written, and that its time ever comes. Whether the zone is there is not known here.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), TimetableError> {
        check_at(&self.at)?;
        if let Some(zone) = &self.timezone
            && !is_zone_name(zone)
        {
            return Err(TimetableError::Zone(zone.clone()));
        }
        if !(1_000..=DEADLINE_MS_MAX).contains(&self.deadline_ms) {
            return Err(TimetableError::Deadline);
        }
        Ok(())
    }

    /// Its times. `rules` is the zone's file as the zone database has it (TZif); not asked for without
    /// a zone.
    ///
    /// # Errors
    /// When it is wrongly written, or the rules are no rules.
    pub fn times(&self, rules: Option<&[u8]>) -> Result<Times, TimetableError> {
        let zone = match &self.timezone {
            None => TimeZone::UTC,
            Some(name) if !is_zone_name(name) => return Err(TimetableError::Zone(name.clone())),
            Some(name) => TimeZone::tzif(name, rules.unwrap_or_default())
                .map_err(|_| TimetableError::ZoneRules(name.clone()))?,
        };
        Ok(Times { cron: parsed(&self.at)?, zone })
    }
}

/// Checks an expression: how it is written, and that its time ever comes.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_at(at: &str) -> Result<(), TimetableError> {
    let times = Times { cron: parsed(at)?, zone: TimeZone::UTC };
    times.next(SOME_MOMENT_MS).map(drop).ok_or(TimetableError::Never)
}

/// Whether a name can be looked for in a zone database: it leads nowhere else.
pub fn is_zone_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    name.len() <= ZONE_LEN_MAX
        && name.chars().all(allowed)
        && name.split('/').all(|part| !part.is_empty())
}

fn parsed(at: &str) -> Result<Cron, TimetableError> {
    written::check(at)?;
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser
        .parse(at)
        .map_err(|error| TimetableError::Part { at: 0..at.len(), why: error.to_string() })
}

/// The times of a timetable.
#[derive(Clone)]
pub struct Times {
    cron: Cron,
    zone: TimeZone,
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Times").field("zone", &self.zone.iana_name()).finish_non_exhaustive()
    }
}

impl Times {
    /// The first time after a moment, milliseconds since 1970; strictly after it.
    pub fn next(&self, after_ms: i64) -> Option<i64> {
        let after = self.zoned(after_ms)?;
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        let next_ms = next.timestamp().as_millisecond();
        // A library's slip must not become a run that is due for ever.
        (next_ms > after_ms).then_some(next_ms)
    }

    /// `Tue 24 Nov 03:15`, in its zone.
    pub fn show(&self, at_ms: i64) -> String {
        match self.zoned(at_ms) {
            Some(at) => at.strftime("%a %-d %b %H:%M").to_string(),
            None => format!("{at_ms} ms"),
        }
    }

    fn zoned(&self, at_ms: i64) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(at_ms).ok()?.to_zoned(self.zone.clone()))
    }
}

#[cfg(test)]
mod tests;
