//! When a message is tried again. A pure function: chance comes in, nothing is waited for.

use std::time::Duration;

use super::{Channel, Delivery, Twice};

/// A message is tried so often.
pub const ATTEMPTS_MAX: u32 = 6;

/// A message that may have come, through a channel that shows it twice, is tried so often: one that is missing is
/// worse than one that is there twice, and three are worse than two.
pub const ATTEMPTS_MAX_TWICE: u32 = 2;

/// After the first attempt; three times as long after each that follows.
const PAUSE: Duration = Duration::from_secs(5);

/// No pause is longer, whatever a service wants: what is said later is not news.
pub const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It was not taken.
    NotTaken,
    /// It may have been taken, by a channel that does this with what comes twice.
    Perhaps(Twice),
}

/// How long to wait before the next attempt; `None`: there is none. `attempt` is the number of the one that failed, 1
/// for the first. `jitter` is chance: 0 to 1, by which a pause becomes up to half as long again.
pub fn next_attempt(
    attempt: u32,
    failure: Failure,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let most = match failure {
        Failure::NotTaken | Failure::Perhaps(Twice::ShownOnce) => ATTEMPTS_MAX,
        Failure::Perhaps(Twice::ShownTwice) => ATTEMPTS_MAX_TWICE,
    };
    if attempt >= most {
        return None;
    }
    let pause = PAUSE.saturating_mul(3_u32.saturating_pow(attempt.saturating_sub(1)));
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    let pause = pause.min(PAUSE_MAX).mul_f64(1.0 + jitter / 2.0);
    Some(pause.max(retry_after.unwrap_or_default()).min(PAUSE_MAX))
}

impl Delivery {
    /// As [`next_attempt`], for what came of an attempt through this channel.
    pub fn next_attempt(&self, channel: &Channel, attempt: u32, jitter: f64) -> Option<Duration> {
        match self {
            Self::Delivered { .. } | Self::Refused { .. } => None,
            Self::Later { retry_after, .. } => {
                next_attempt(attempt, Failure::NotTaken, *retry_after, jitter)
            }
            Self::Unknown { .. } => {
                next_attempt(attempt, Failure::Perhaps(channel.twice()), None, jitter)
            }
        }
    }
}
