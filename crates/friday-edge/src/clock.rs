//! The machine's clocks. Core never reads one: times go in with inputs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use friday_core::time::Timestamp;
use tokio::time::Instant;

/// The wall clock now.
pub fn now() -> Timestamp {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    Timestamp(ms)
}

/// A wall-clock deadline on the clock that does not jump; at most a year away, so that arithmetic
/// on it cannot overflow.
pub fn until(deadline: Timestamp) -> Instant {
    const YEAR_MS: u64 = 366 * 24 * 3_600 * 1_000;
    Instant::now() + Duration::from_millis(deadline.since_ms(now()).min(YEAR_MS))
}
