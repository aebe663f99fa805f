//! The limit on what friday sends, for all hosts together.
//!
//! A bucket of bytes that fills at the configured rate. Whoever wants to send takes a turn in the
//! order of asking, a piece at a time: so all transfers get the same share, and none starves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// A sender may have saved up so much time: short pauses cost nothing, and no burst is longer.
const BURST: Duration = Duration::from_millis(100);

/// The limit. Cheap to clone; all clones share it.
#[derive(Debug, Clone, Default)]
pub struct Bandwidth {
    bucket: Option<Arc<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    bytes_per_second: u64,
    /// When what was sent so far is paid for. The lock's queue is the order of turns.
    paid_at: Mutex<Instant>,
}

impl Bandwidth {
    /// So many bytes in a second; `None`: as fast as it goes.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        let bucket = bytes_per_second.map(|rate| {
            let paid_at = Mutex::new(Instant::now());
            Arc::new(Bucket { bytes_per_second: rate.max(1), paid_at })
        });
        Self { bucket }
    }

    /// Waits until so many bytes may go out.
    pub async fn take(&self, bytes: usize) {
        let Some(bucket) = &self.bucket else { return };
        let mut paid_at = bucket.paid_at.lock().await;
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let from = (*paid_at).max(earliest);
        let micros = bytes as u128 * 1_000_000 / u128::from(bucket.bytes_per_second);
        let cost = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        // Paid before it waits: a waiter that is dropped has lost its bytes, and harms nobody.
        *paid_at = from + cost;
        if *paid_at > now {
            sleep_until(*paid_at).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn senders_share_the_rate() {
        let bandwidth = Bandwidth::new(Some(1_000_000));
        let began = Instant::now();
        let send = |bandwidth: Bandwidth| async move {
            for _ in 0..10 {
                bandwidth.take(100_000).await;
            }
            began.elapsed()
        };
        let one = tokio::spawn(send(bandwidth.clone()));
        let two = tokio::spawn(send(bandwidth.clone()));
        let (one, two) = (one.await.expect("joined"), two.await.expect("joined"));
        // Two million bytes, less the burst; and both were done at about the same time.
        assert!(one.max(two) >= Duration::from_millis(1_800), "{one:?} {two:?}");
        assert!(one.max(two) <= Duration::from_millis(2_200), "{one:?} {two:?}");
        assert!(one.abs_diff(two) <= Duration::from_millis(200), "{one:?} {two:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let began = Instant::now();
        Bandwidth::new(None).take(usize::MAX).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
