//! The machine's clocks. Core never reads one: times go in with inputs.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use friday_core::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The wall clock when this process first asked, and how long the machine had been up.
#[derive(Debug, Clone, Copy)]
struct Began {
    wall: Timestamp,
    up: Duration,
}

impl Began {
    /// The time when the machine has been up for so long. Whoever sets the wall clock meanwhile makes no
    /// soak longer or shorter.
    fn when_up(self, up: Duration) -> Timestamp {
        let passed = up.saturating_sub(self.up).as_millis();
        self.wall.plus_ms(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

/// The time now: by the wall clock when this process began, and from then on by the clock that never jumps
/// and counts sleep.
pub fn now() -> Timestamp {
    static BEGAN: OnceLock<Began> = OnceLock::new();
    BEGAN.get_or_init(|| Began { wall: wall_clock(), up: up() }).when_up(up())
}

fn wall_clock() -> Timestamp {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    Timestamp(ms)
}

/// How long the machine has been up, sleep included.
fn up() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

/// A deadline on the clock that tokio waits by; at most a year away, so that arithmetic
/// on it cannot overflow.
pub fn until(deadline: Timestamp) -> Instant {
    const YEAR_MS: u64 = 366 * 24 * 3_600 * 1_000;
    Instant::now() + Duration::from_millis(deadline.since_ms(now()).min(YEAR_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_where_the_wall_clock_was() {
        let began = Began { wall: Timestamp(1_000), up: Duration::from_secs(50) };
        assert_eq!(began.when_up(Duration::from_secs(50)), Timestamp(1_000));
        assert_eq!(began.when_up(Duration::from_millis(52_500)), Timestamp(3_500));
        assert_eq!(began.when_up(Duration::from_secs(49)), Timestamp(1_000), "it never goes back");
    }

    #[test]
    fn it_is_the_time_of_day() {
        let off = now().0.abs_diff(wall_clock().0);
        assert!(off < 3_600_000, "{off} ms off the wall clock");
    }
}
