//! Whether a database's recovery is proven: by a drill that is young enough, and within the time that
//! the team gives a recovery.

use super::{DatabaseKnown, Forecast};
use crate::rollout::plan::PlannedDatabase;
use crate::time::Timestamp;
use crate::view::words::duration;

/// What a plan demands of a database's recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The oldest that the last drill may be, milliseconds.
    pub max_age_ms: u64,
    /// How long a recovery may take, milliseconds; `None`: any time.
    pub recovery_time_ms: Option<u64>,
}

impl From<&PlannedDatabase> for Demand {
    fn from(database: &PlannedDatabase) -> Self {
        Self { max_age_ms: database.drill_max_age_ms, recovery_time_ms: database.recovery_time_ms }
    }
}

/// A recovery that is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The last drill's age, milliseconds.
    pub age_ms: u64,
    /// How long a recovery would take now.
    pub forecast: Forecast,
}

/// Why a recovery is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// No drill ended well yet, nor badly.
    #[error("no drill has proved that it can be restored")]
    Never,
    /// The newest drill failed.
    #[error("the last drill failed {} ago while {phase}: {why}", duration(*age_ms))]
    Failed {
        /// Its age, milliseconds.
        age_ms: u64,
        /// At what.
        phase: friday_wire::data::DataPhase,
        /// Why.
        why: String,
    },
    /// Backups are damaged.
    #[error("its backups are damaged, as was found {} ago: {what}", duration(*age_ms))]
    Damaged {
        /// How long that is known, milliseconds.
        age_ms: u64,
        /// What is wrong, the first of it.
        what: String,
    },
    /// The last one that ended well is too old.
    #[error(
        "its last drill was {} ago, and the limit is {}",
        duration(*age_ms),
        duration(*max_age_ms)
    )]
    Old {
        /// Its age, milliseconds.
        age_ms: u64,
        /// The limit, milliseconds.
        max_age_ms: u64,
    },
    /// A recovery would take too long.
    #[error("a recovery would take {}, and the team gives it {}", forecast.says(), duration(*most_ms))]
    Slow {
        /// How long.
        forecast: Forecast,
        /// The limit, milliseconds.
        most_ms: u64,
    },
}

impl Proof {
    /// Judges what the journal knows; nothing known is no proof.
    ///
    /// # Errors
    /// Why it is not proven.
    pub fn judge(
        known: Option<&DatabaseKnown>,
        demand: Demand,
        now: Timestamp,
    ) -> Result<Self, Unproven> {
        let known = known.ok_or(Unproven::Never)?;
        if let Some(failed) = &known.failed {
            return Err(Unproven::Failed {
                age_ms: now.since_ms(failed.at),
                phase: failed.phase,
                why: failed.why.clone(),
            });
        }
        if let Some(damaged) = &known.damaged {
            let what = damaged.damage.first().cloned().unwrap_or_default();
            return Err(Unproven::Damaged { age_ms: now.since_ms(damaged.at), what });
        }
        let drilled = known.drilled.as_ref().ok_or(Unproven::Never)?;
        let age_ms = now.since_ms(drilled.at);
        if age_ms > demand.max_age_ms {
            return Err(Unproven::Old { age_ms, max_age_ms: demand.max_age_ms });
        }
        let forecast = Forecast::of(known).ok_or(Unproven::Never)?;
        match demand.recovery_time_ms.filter(|most_ms| forecast.ms > *most_ms) {
            Some(most_ms) => Err(Unproven::Slow { forecast, most_ms }),
            None => Ok(Self { age_ms, forecast }),
        }
    }

    /// As a sentence's end.
    pub fn says(&self) -> String {
        format!("drilled {} ago, a recovery takes {}", duration(self.age_ms), self.forecast.says())
    }
}
